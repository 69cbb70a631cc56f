// setitimer(2), getitimer(2), alarm(2), and what the tick checks of a process's CPU time: ITIMER_VIRTUAL, ITIMER_PROF,
// RLIMIT_CPU, all counted in ticks. signal->it and real_timer's setting are guarded by siglock.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/sched.h>

#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/time.hh"
#include "kernel/time/user_time.hh"

namespace {

enum : int { kReal, kVirtual, kProf };
// A process that asks for shorter periods gets its signals no faster than this: they would merge anyway.
inline constexpr s64 kShortestPeriod = 100 * NSEC_PER_USEC;

struct Setting {
  s64 value, interval;  // ns; value: until the next expiry, 0 disarmed
};

s64 real_remaining(signal_struct* s) {
  if (!hrtimer_active(&s->real_timer)) return 0;
  const s64 left = hrtimer_get_remaining(&s->real_timer);
  return left > 0 ? left : NSEC_PER_USEC;
}

u64 cpu_time(int which, const TaskTimes& t) { return which == kVirtual ? t.utime : t.utime + t.stime; }

Setting cpu_setting(signal_struct* s, int which, u64 now) {
  const ItimerCpu& it = s->it[which - 1];
  if (!it.expires) return {0, static_cast<s64>(it.interval)};
  const s64 left = static_cast<s64>(it.expires - now);
  return {left > 0 ? left : static_cast<s64>(TICK_NSEC), static_cast<s64>(it.interval)};
}

Setting get_setting(int which) {
  signal_struct* s = current->signal;
  if (which == kReal) {
    IrqOffSpinGuard g(current->sighand->siglock);
    return {real_remaining(s), s->it_real_incr};
  }
  const u64 now = cpu_time(which, thread_group_cputime(current));
  IrqOffSpinGuard g(current->sighand->siglock);
  return cpu_setting(s, which, now);
}

Setting set_real(const Setting& wanted) {
  signal_struct* s = current->signal;
  for (;;) {
    IrqOffSpinGuard g(current->sighand->siglock);
    const Setting old{real_remaining(s), s->it_real_incr};
    // The callback takes siglock, so it cannot be waited for here.
    if (hrtimer_try_to_cancel(&s->real_timer) < 0) {
      g.unlock();
      arch::cpu_relax();
      continue;
    }
    s->it_real_incr = wanted.value ? wanted.interval : 0;
    if (wanted.value) hrtimer_start(&s->real_timer, wanted.value, HRTIMER_MODE_REL);
    return old;
  }
}

Setting set_cpu(int which, const Setting& wanted) {
  const u64 now = cpu_time(which, thread_group_cputime(current));
  IrqOffSpinGuard g(current->sighand->siglock);
  signal_struct* s = current->signal;
  const Setting old = cpu_setting(s, which, now);
  s->it[which - 1] = {wanted.value ? now + static_cast<u64>(wanted.value) : 0, static_cast<u64>(wanted.interval)};
  return old;
}

Setting set_setting(int which, const Setting& wanted) {
  return which == kReal ? set_real(wanted) : set_cpu(which, wanted);
}

UserItimerval to_user(const Setting& s) { return {user_timeval(s.interval), user_timeval(s.value)}; }

// True: expired now. siglock held.
bool expire(ItimerCpu& it, u64 now) {
  if (!it.expires || now < it.expires) return false;
  it.expires = it.interval ? it.expires + it.interval : 0;
  if (it.expires && it.expires <= now) it.expires = now + it.interval;
  return true;
}

// The signal that RLIMIT_CPU asks for now, or 0. siglock held.
int cpu_limit_signal(signal_struct* s, u64 used_ns) {
  rlimit& r = s->rlim[RLIMIT_CPU];
  const unsigned long seconds = used_ns / NSEC_PER_SEC;
  if (r.rlim_max != RLIM_INFINITY && seconds >= r.rlim_max) return SIGKILL;
  if (r.rlim_cur == RLIM_INFINITY || seconds < r.rlim_cur) return 0;
  WRITE_ONCE(r.rlim_cur, r.rlim_cur + 1);  // again in a second
  return SIGXCPU;
}

void signal_group(task_struct* t, int sig) { do_send_sig_info(sig, SEND_SIG_PRIV, t, PIDTYPE_TGID); }

}  // namespace

enum hrtimer_restart it_real_fn(hrtimer* t) {
  signal_struct* s = container_of(t, signal_struct, real_timer);
  kill_pid_info(SIGALRM, SEND_SIG_PRIV, s->pids[PIDTYPE_TGID]);
  s64 period = s->it_real_incr;
  if (!period) return HRTIMER_NORESTART;
  if (period < kShortestPeriod) period *= kShortestPeriod / period;
  hrtimer_forward_now(t, period);
  return HRTIMER_RESTART;
}

bool process_itimers_armed(const signal_struct* s) {
  return READ_ONCE(s->it[0].expires) || READ_ONCE(s->it[1].expires) || READ_ONCE(s->rlim[RLIMIT_CPU].rlim_cur) != RLIM_INFINITY;
}

void run_process_itimers(task_struct* t, const TaskTimes& times) {
  signal_struct* s = t->signal;
  unsigned long flags;
  if (!lock_task_sighand(t, &flags)) return;
  const bool virt = expire(s->it[0], cpu_time(kVirtual, times)), prof = expire(s->it[1], cpu_time(kProf, times));
  const int limit = cpu_limit_signal(s, cpu_time(kProf, times));
  unlock_task_sighand(t, flags);
  if (virt) signal_group(t, SIGVTALRM);
  if (prof) signal_group(t, SIGPROF);
  if (limit) signal_group(t, limit);
}

SYSCALL_DEFINE2(getitimer, int, which, UserItimerval __user*, to) {
  if (which < kReal || which > kProf) return -EINVAL;
  return put_user(to_user(get_setting(which)), to);
}

SYSCALL_DEFINE3(setitimer, int, which, const UserItimerval __user*, from, UserItimerval __user*, old) {
  UserItimerval u{};  // null: disarm, as Linux does
  if (from && copy_from_user(&u, from, sizeof(u))) return -EFAULT;
  if (which < kReal || which > kProf || !valid(u.it_value) || !valid(u.it_interval)) return -EINVAL;
  const Setting was = set_setting(which, {to_ns(u.it_value), to_ns(u.it_interval)});
  return old && put_user(to_user(was), old) ? -EFAULT : 0;
}

SYSCALL_DEFINE1(alarm, unsigned, seconds) {
  const __kernel_old_timeval was = user_timeval(set_real({seconds * NSEC_PER_SEC, 0}).value);
  // To the nearest second, but never 0 for an alarm that was to come.
  return was.tv_sec + ((!was.tv_sec && was.tv_usec) || was.tv_usec >= USEC_PER_SEC / 2);
}
