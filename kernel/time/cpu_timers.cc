// Timers on CPU-time clocks: found to have expired by the tick of who is measured, so a tick late at most. They hang on the
// measured process, under its siglock, also when another process has set them; a POSIX timer's own lock is taken before that
// one, and so the tick fires them after dropping it.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/time/cpu_timers.hh"

#include <linux/hrtimer.h>
#include <linux/jiffies.h>

#include "kernel/pid/pid.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/time.hh"
#include "kernel/time/user_time.hh"

// ---- Clocks -----------------------------------------------------------------------------------------------------------

namespace {

inline constexpr int kKindBits = 3, kThreadBit = 4, kNumberShift = 3;

pid_type role(const CpuClock& c) { return c.thread ? PIDTYPE_PID : PIDTYPE_TGID; }

u64 pick(CpuClockKind kind, const TaskTimes& t) {
  switch (kind) {
    case CpuClockKind::Prof: return t.utime + t.stime;
    case CpuClockKind::User: return t.utime;
    case CpuClockKind::Runtime: break;
  }
  return t.runtime;
}

u64 thread_sample(CpuClockKind kind, task_struct* p) {
  if (kind == CpuClockKind::Runtime) return task_sched_runtime(p);
  return pick(kind, {READ_ONCE(p->utime), READ_ONCE(p->stime), 0});
}

u64 sample(const CpuClock& c, task_struct* p) {
  return c.thread ? thread_sample(c.kind, p) : pick(c.kind, thread_group_cputime(p));
}

// RCU. Null: nobody that the caller may measure.
struct pid* find_clock_pid(const CpuClock& c, CpuClockUse use) {
  task_struct* self = current;
  if (!c.nr) return c.thread ? task_pid(self) : task_tgid(self);
  struct pid* pid = find_vpid(c.nr);
  if (!pid) return nullptr;
  if (c.thread) {
    task_struct* t = pid_task(pid, PIDTYPE_PID);
    return t && same_thread_group(t, self) ? pid : nullptr;
  }
  if (use == CpuClockUse::Read && pid == task_pid(self)) return task_tgid(self);
  return pid_task(pid, PIDTYPE_TGID) ? pid : nullptr;
}

}  // namespace

Result<CpuClock> CpuClock::of_id(int clock) {
  if (clock == CLOCK_PROCESS_CPUTIME_ID) return CpuClock{CpuClockKind::Runtime, false, 0};
  if (clock == CLOCK_THREAD_CPUTIME_ID) return CpuClock{CpuClockKind::Runtime, true, 0};
  if (clock >= 0 || (clock & kKindBits) > static_cast<int>(CpuClockKind::Runtime)) return fail(EINVAL);
  return CpuClock{static_cast<CpuClockKind>(clock & kKindBits), (clock & kThreadBit) != 0, ~(clock >> kNumberShift)};
}

Result<struct pid*> cpu_clock_pid(const CpuClock& c, CpuClockUse use) {
  RcuReadGuard rcu;
  struct pid* pid = find_clock_pid(c, use);
  if (!pid) return fail(EINVAL);
  return get_pid(pid);
}

Result<u64> read_cpu_clock(int clock) {
  const CpuClock c = TRY(CpuClock::of_id(clock));
  if (!c.nr) return sample(c, current);
  RcuReadGuard rcu;
  struct pid* pid = find_clock_pid(c, CpuClockUse::Read);
  task_struct* p = pid ? pid_task(pid, role(c)) : nullptr;
  if (!p) return fail(EINVAL);
  return sample(c, p);
}

// ---- Arming -------------------------------------------------------------------------------------------------------------

Result<u64> cpu_timer_now(const CpuTimer* t) {
  RcuReadGuard rcu;
  task_struct* p = pid_task(t->pid, role(t->clock));
  if (!p || !READ_ONCE(p->sighand)) return fail(ESRCH);
  return sample(t->clock, p);
}

bool cpu_timer_arm(CpuTimer* t) {
  RcuReadGuard rcu;
  task_struct* p = pid_task(t->pid, role(t->clock));
  unsigned long flags;
  if (!p || !lock_task_sighand(p, &flags)) return false;
  t->arming++;
  hlist_add_head(&t->node, &p->signal->cpu_timers);
  unlock_task_sighand(p, flags);
  return true;
}

bool cpu_timer_disarm(CpuTimer* t) {
  RcuReadGuard rcu;
  task_struct* p = pid_task(t->pid, role(t->clock));
  unsigned long flags;
  if (!p || !lock_task_sighand(p, &flags)) {  // its end has taken the timer off
    t->arming++;
    return false;
  }
  t->arming++;  // what the tick has just collected is stale
  const bool was = cpu_timer_armed(t);
  hlist_del_init(&t->node);
  unlock_task_sighand(p, flags);
  return was;
}

void __cpu_timers_exit(task_struct* p) {
  const bool all = thread_group_leader(p);
  CpuTimer* t;
  hlist_node* next;
  hlist_for_each_entry_safe(t, next, &p->signal->cpu_timers, node) {
    if (!all && t->pid != p->thread_pid) continue;
    hlist_del_init(&t->node);
    if (t->ops) t->ops->put(t);
  }
}

// ---- The tick -----------------------------------------------------------------------------------------------------------

namespace {

// Those that have expired, some at a time: who has many pays with more rounds, not with stack.
struct Expired {
  static constexpr unsigned kRoom = 16;
  struct Entry {
    CpuTimer* timer;
    unsigned arming;
  } entry[kRoom];
  unsigned n = 0;
};

// siglock held. Takes them off; a sleeper needs no more than to be woken.
void collect_expired(task_struct* p, const TaskTimes& group, Expired* out) {
  CpuTimer* t;
  hlist_node* next;
  hlist_for_each_entry_safe(t, next, &p->signal->cpu_timers, node) {
    if (out->n == Expired::kRoom) return;
    if (t->clock.thread && t->pid != p->thread_pid) continue;
    const u64 now = t->clock.thread ? thread_sample(t->clock.kind, p) : pick(t->clock.kind, group);
    if (now < t->expires) continue;
    hlist_del_init(&t->node);
    if (t->sleeper) {
      WRITE_ONCE(t->reached, true);
      wake_up_process(t->sleeper);
    } else {
      out->entry[out->n++] = {t, t->arming};
    }
  }
}

void run_cpu_timers(task_struct* p, const TaskTimes& group) {
  for (bool more = true; more;) {
    Expired expired;
    unsigned long flags;
    if (!lock_task_sighand(p, &flags)) return;
    collect_expired(p, group, &expired);
    unlock_task_sighand(p, flags);
    for (unsigned i = 0; i < expired.n; i++) expired.entry[i].timer->ops->fire(expired.entry[i].timer, expired.entry[i].arming);
    more = expired.n == Expired::kRoom;
  }
}

// RLIMIT_RTTIME: time that a real-time thread has run since it last slept, in microseconds. siglock held; the signal due, or 0.
int realtime_limit_signal(signal_struct* s, unsigned long used_us) {
  rlimit& r = s->rlim[RLIMIT_RTTIME];
  if (r.rlim_max != RLIM_INFINITY && used_us >= r.rlim_max) return SIGKILL;
  if (used_us < r.rlim_cur) return 0;
  if (r.rlim_cur < r.rlim_max) WRITE_ONCE(r.rlim_cur, r.rlim_cur + USEC_PER_SEC);  // again in a second
  return SIGXCPU;
}

void check_realtime_limit(task_struct* p) {
  if (READ_ONCE(p->prio) >= MAX_RT_PRIO || READ_ONCE(p->signal->rlim[RLIMIT_RTTIME].rlim_cur) == RLIM_INFINITY) return;
  const unsigned long used_us = READ_ONCE(p->rt.timeout) * (TICK_NSEC / NSEC_PER_USEC);
  unsigned long flags;
  if (!lock_task_sighand(p, &flags)) return;
  const int sig = realtime_limit_signal(p->signal, used_us);
  unlock_task_sighand(p, flags);
  if (sig) do_send_sig_info(sig, SEND_SIG_PRIV, p, PIDTYPE_TGID);
}

}  // namespace

void run_posix_cpu_timers(task_struct* p) {
  signal_struct* s = p->signal;
  if (!s || (p->flags & (PF_KTHREAD | PF_EXITING))) return;
  check_realtime_limit(p);
  const bool timers = !hlist_empty(&s->cpu_timers), itimers = process_itimers_armed(s);
  if (!timers && !itimers) return;
  const TaskTimes group = thread_group_cputime(p);
  if (itimers) run_process_itimers(p, group);
  if (timers) run_cpu_timers(p, group);
}

// ---- Sleeping -------------------------------------------------------------------------------------------------------------

namespace {

// Until the clock says `at` or a signal comes. True: it does.
bool sleep_until(CpuTimer* t) {
  if (auto now = cpu_timer_now(t); now && *now >= t->expires) return true;
  if (!cpu_timer_arm(t)) t->reached = true;  // it ended: nothing will ever move that clock
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (READ_ONCE(t->reached) || signal_pending(current)) break;
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  cpu_timer_disarm(t);
  return t->reached;
}

long restart_cpu_nanosleep(restart_block* r);

// at: by the clock. Where the rest goes is in the restart block.
long nanosleep_until(int clock, struct pid* pid, u64 at, int flags) {
  CpuTimer t{};
  t.clock = *CpuClock::of_id(clock);
  t.pid = pid;
  t.expires = at;
  t.sleeper = current;
  if (sleep_until(&t)) return 0;
  if (flags & TIMER_ABSTIME) return -ERESTARTNOHAND;
  restart_block* r = &current->restart_block;
  if (r->nanosleep.rmtp) {
    auto now = cpu_timer_now(&t);
    const s64 left = now && *now < at ? static_cast<s64>(at - *now) : 0;
    if (put_timespec(left, static_cast<__kernel_timespec*>(r->nanosleep.rmtp))) return -EFAULT;
  }
  r->nanosleep.clockid = clock;
  r->nanosleep.expires = at;
  r->fn = restart_cpu_nanosleep;
  return -ERESTART_RESTARTBLOCK;
}

class PidRef {
 public:
  explicit PidRef(struct pid* p) : p_(p) {}
  ~PidRef() { put_pid(p_); }
  PidRef(const PidRef&) = delete;
  struct pid* get() const { return p_; }

 private:
  struct pid* p_;
};

long restart_cpu_nanosleep(restart_block* r) {
  const int clock = r->nanosleep.clockid;
  PidRef pid(TRY_ABI(cpu_clock_pid(*CpuClock::of_id(clock), CpuClockUse::Time)));
  return nanosleep_until(clock, pid.get(), r->nanosleep.expires, 0);
}

}  // namespace

// One's own thread would never wake up: EINVAL.
long cpu_clock_nanosleep(int clock, int flags, u64 ns) {
  const CpuClock c = TRY_ABI(CpuClock::of_id(clock));
  if (c.thread && (!c.nr || c.nr == task_pid_vnr(current))) return -EINVAL;
  PidRef pid(TRY_ABI(cpu_clock_pid(c, CpuClockUse::Time)));
  CpuTimer t{};
  t.clock = c;
  t.pid = pid.get();
  if (!(flags & TIMER_ABSTIME)) ns = static_cast<u64>(ktime_add_safe(static_cast<ktime_t>(TRY_ABI(cpu_timer_now(&t))), static_cast<ktime_t>(ns)));
  return nanosleep_until(clock, pid.get(), ns, flags);
}
