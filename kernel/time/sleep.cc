// Sleeping and delays (spec 33 section 4).
// SPDX-License-Identifier: Apache-2.0
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/timer.h>

#include "arch/contract/arch.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/time/time.hh"
#include "mm/uaccess.hh"

namespace {

struct ProcessTimer {
  timer_list timer;
  task_struct* task;
};
void process_timeout(timer_list* t) { wake_up_process(container_of(t, ProcessTimer, timer)->task); }

// Real-time and deadline tasks get no slack (prctl(2), PR_SET_TIMERSLACK).
u64 slack_of(const task_struct* t) { return READ_ONCE(t->prio) < MAX_RT_PRIO ? 0 : t->timer_slack_ns; }

}  // namespace

extern "C" {

long schedule_timeout(long timeout) {  // W-21 to W-23
  if (timeout == MAX_SCHEDULE_TIMEOUT) {
    schedule();
    return timeout;
  }
  if (timeout < 0) {
    pr_err("schedule_timeout: wrong timeout value %lx\n", static_cast<unsigned long>(timeout));
    dump_stack();
    __set_current_state(TASK_RUNNING);
    return 0;
  }
  ProcessTimer pt;
  const unsigned long expire = jiffies + static_cast<unsigned long>(timeout);
  pt.task = current;
  timer_setup_on_stack(&pt.timer, process_timeout, 0);
  mod_timer(&pt.timer, expire);
  schedule();
  del_timer_sync(&pt.timer);
  const long left = static_cast<long>(expire - jiffies);
  return left < 0 ? 0 : left;
}
long schedule_timeout_interruptible(long t) {
  __set_current_state(TASK_INTERRUPTIBLE);
  return schedule_timeout(t);
}
long schedule_timeout_killable(long t) {
  __set_current_state(TASK_KILLABLE);
  return schedule_timeout(t);
}
long schedule_timeout_uninterruptible(long t) {
  __set_current_state(TASK_UNINTERRUPTIBLE);
  return schedule_timeout(t);
}
long schedule_timeout_idle(long t) {
  __set_current_state(TASK_IDLE);
  return schedule_timeout(t);
}

void msleep(unsigned ms) {
  long left = static_cast<long>(msecs_to_jiffies(ms)) + 1;
  while (left) left = schedule_timeout_uninterruptible(left);
}
unsigned long msleep_interruptible(unsigned ms) {
  long left = static_cast<long>(msecs_to_jiffies(ms)) + 1;
  while (left && !signal_pending(current)) left = schedule_timeout_interruptible(left);
  return jiffies_to_msecs(static_cast<unsigned long>(left));
}
void usleep_range_state(unsigned long min, unsigned long max, unsigned state) {
  ktime_t until = ktime_get() + static_cast<s64>(min) * NSEC_PER_USEC;
  const u64 slack = (max - min) * static_cast<u64>(NSEC_PER_USEC);
  for (;;) {
    __set_current_state(state);
    if (!schedule_hrtimeout_range(&until, slack, HRTIMER_MODE_ABS)) return;
  }
}

void ndelay(unsigned long ns) {
  const u64 until = arch::clock_ns() + ns;
  while (arch::clock_ns() < until) arch::cpu_relax();
}
void udelay(unsigned long us) { ndelay(us * NSEC_PER_USEC); }
void mdelay(unsigned long ms) { ndelay(ms * NSEC_PER_MSEC); }

int schedule_hrtimeout_range_clock(ktime_t* expires, u64 slack, hrtimer_mode mode, int clock) {
  if (expires && *expires == 0) {
    __set_current_state(TASK_RUNNING);
    return 0;
  }
  if (!expires) {
    schedule();
    return -EINTR;
  }
  hrtimer_sleeper s;
  hrtimer_init_sleeper(&s, clock, mode);
  hrtimer_set_expires_range_ns(&s.timer, *expires, slack);
  hrtimer_sleeper_start_expires(&s, mode);
  if (READ_ONCE(s.task)) schedule();
  hrtimer_cancel(&s.timer);
  __set_current_state(TASK_RUNNING);
  return s.task ? -EINTR : 0;
}
int schedule_hrtimeout_range(ktime_t* expires, u64 slack, hrtimer_mode mode) {
  return schedule_hrtimeout_range_clock(expires, slack, mode, CLOCK_MONOTONIC);
}
int schedule_hrtimeout(ktime_t* expires, hrtimer_mode mode) { return schedule_hrtimeout_range(expires, 0, mode); }

}  // extern "C"

// ---- nanosleep -------------------------------------------------------------------------------------------------------
namespace {

// True: slept to the end.
bool sleep_until_fired(hrtimer_sleeper* s, hrtimer_mode mode) {
  do {
    set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
    hrtimer_sleeper_start_expires(s, mode);
    if (READ_ONCE(s->task)) schedule();
    hrtimer_cancel(&s->timer);
    mode = HRTIMER_MODE_ABS;
  } while (s->task && !signal_pending(current));
  __set_current_state(TASK_RUNNING);
  return !s->task;
}

long restart_nanosleep(restart_block* r);

// What is left goes to the caller's rmtp, and the rest of the sleep into the restart block (spec 10 E-36).
long interrupted(hrtimer_sleeper* s, int clock) {
  restart_block* r = &current->restart_block;
  const ktime_t left = hrtimer_get_remaining(&s->timer);
  if (left <= 0) return 0;
  if (r->nanosleep.rmtp) {
    const timespec64 ts = ns_to_timespec64(left);
    const __kernel_timespec out{ts.tv_sec, ts.tv_nsec};
    if (put_user(out, static_cast<__kernel_timespec*>(r->nanosleep.rmtp))) return -EFAULT;
  }
  r->nanosleep.clockid = clock;
  r->nanosleep.expires = static_cast<u64>(s->timer.expires);
  r->fn = restart_nanosleep;
  return -ERESTART_RESTARTBLOCK;
}

long restart_nanosleep(restart_block* r) {
  hrtimer_sleeper s;
  hrtimer_init_sleeper(&s, r->nanosleep.clockid, HRTIMER_MODE_ABS);
  hrtimer_set_expires(&s.timer, static_cast<ktime_t>(r->nanosleep.expires));
  return sleep_until_fired(&s, HRTIMER_MODE_ABS) ? 0 : interrupted(&s, r->nanosleep.clockid);
}

}  // namespace

// current->restart_block.nanosleep.rmtp says where the rest goes; null: nowhere.
long hrtimer_nanosleep(ktime_t time, hrtimer_mode mode, int clock) {
  hrtimer_sleeper s;
  hrtimer_init_sleeper(&s, clock, mode);
  hrtimer_set_expires_range_ns(&s.timer, time, slack_of(current));
  if (sleep_until_fired(&s, mode)) return 0;
  // A relative sleep on CLOCK_REALTIME runs on the monotonic clock, and so does what is left of it.
  if (mode == HRTIMER_MODE_ABS) return -ERESTARTNOHAND;
  return interrupted(&s, clock == CLOCK_REALTIME ? CLOCK_MONOTONIC : clock);
}
