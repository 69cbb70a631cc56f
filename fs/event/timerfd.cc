// timerfd: a timer that is a file. Spec 60 E-4, E-5.
// SPDX-License-Identifier: Apache-2.0
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "fs/vfs/poll.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr int TFD_TIMER_ABSTIME = 1, TFD_TIMER_CANCEL_ON_SET = 2;
constexpr int CAP_WAKE_ALARM = 35;

struct TimerFd {
  struct hrtimer timer;
  wait_queue_head_t wq;
  ktime_t interval;
  u64 ticks;     // expirations of a one-shot, or one whose overruns are still to be added; wq.lock
  bool expired;  // wq.lock
  int clock;
};

TimerFd* of(const file* f) { return static_cast<TimerFd*>(f->private_data); }

enum hrtimer_restart timerfd_fires(struct hrtimer* timer) {
  TimerFd* t = container_of(timer, TimerFd, timer);
  IrqSpinGuard g(t->wq.lock);
  t->expired = true;
  t->ticks++;
  if (waitqueue_active(&t->wq)) __wake_up_locked_key(&t->wq, TASK_NORMAL, poll_to_key(EPOLLIN));
  return HRTIMER_NORESTART;  // a periodic one goes on when it is read
}

// What has expired since the last read; a periodic timer is started again for the next time. wq.lock held.
u64 take_ticks(TimerFd* t) {
  u64 n = t->ticks;
  if (t->expired && t->interval) {
    n += hrtimer_forward(&t->timer, hrtimer_cb_get_time(&t->timer), t->interval) - 1;
    hrtimer_start_range_ns(&t->timer, hrtimer_get_expires(&t->timer), 0, HRTIMER_MODE_ABS);
  }
  t->expired = false;
  t->ticks = 0;
  return n;
}

ssize_t timerfd_read(kiocb* k, iov_iter* to) {
  TimerFd* t = of(k->ki_filp);
  if (iov_iter_count(to) < sizeof(u64)) return -EINVAL;
  u64 n = 0;
  for (;;) {
    DEFINE_WAIT(w);
    {
      IrqSpinGuard g(t->wq.lock);
      if (t->ticks) n = take_ticks(t);
      if (n) break;
      if (k->ki_filp->f_flags & O_NONBLOCK) return -EAGAIN;
      if (signal_pending(current)) return -ERESTARTSYS;
      __add_wait_queue_entry_tail(&t->wq, &w);
      set_current_state(TASK_INTERRUPTIBLE);
    }
    schedule();
    finish_wait(&t->wq, &w);
  }
  return copy_to_iter(&n, sizeof(n), to) == sizeof(n) ? static_cast<ssize_t>(sizeof(n)) : -EFAULT;
}

__poll_t timerfd_poll(file* f, poll_table* pt) {
  TimerFd* t = of(f);
  poll_wait(f, &t->wq, pt);
  IrqSpinGuard g(t->wq.lock);
  return t->ticks ? EPOLLIN : 0;
}

int timerfd_release(inode*, file* f) {
  hrtimer_cancel(&of(f)->timer);
  kfree(of(f));
  return 0;
}

constexpr file_operations timerfd_fops = {.llseek = noop_llseek, .read_iter = timerfd_read, .poll = timerfd_poll,
                                          .release = timerfd_release};

bool clock_ok(int c) {
  return c == CLOCK_REALTIME || c == CLOCK_MONOTONIC || c == CLOCK_BOOTTIME || c == CLOCK_REALTIME_ALARM || c == CLOCK_BOOTTIME_ALARM;
}
bool is_alarm(int c) { return c == CLOCK_REALTIME_ALARM || c == CLOCK_BOOTTIME_ALARM; }
int base_clock(int c) { return c == CLOCK_REALTIME_ALARM ? CLOCK_REALTIME : c == CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME : c; }

// What is left and how often, brought up to date. wq.lock held; the timer does not run.
itimerspec64 setting_of(TimerFd* t) {
  if (t->expired && t->interval) {
    t->expired = false;
    t->ticks += hrtimer_forward(&t->timer, hrtimer_cb_get_time(&t->timer), t->interval) - 1;
    hrtimer_start_range_ns(&t->timer, hrtimer_get_expires(&t->timer), 0, HRTIMER_MODE_ABS);
  }
  s64 left = hrtimer_active(&t->timer) ? hrtimer_get_remaining(&t->timer) : 0;
  if (left < 0) left = 0;
  return {ktime_to_timespec64(t->interval), ktime_to_timespec64(left)};
}

void start(TimerFd* t, const itimerspec64& s, int flags) {
  t->interval = timespec64_to_ktime(s.it_interval);
  t->ticks = 0;
  t->expired = false;
  ktime_t first = timespec64_to_ktime(s.it_value);
  if (first && (flags & TFD_TIMER_ABSTIME)) first = timens_to_host(t->clock, first);
  if (first || s.it_value.tv_sec || s.it_value.tv_nsec)
    hrtimer_start(&t->timer, first, flags & TFD_TIMER_ABSTIME ? HRTIMER_MODE_ABS : HRTIMER_MODE_REL);
}

}  // namespace

SYSCALL_DEFINE2(timerfd_create, int, clock, int, flags) {
  if (flags & ~(O_NONBLOCK | O_CLOEXEC) || !clock_ok(clock)) return -EINVAL;
  if (is_alarm(clock) && !capable(CAP_WAKE_ALARM)) return -EPERM;
  auto* t = static_cast<TimerFd*>(kzalloc(sizeof(TimerFd), GFP_KERNEL));
  if (!t) return -ENOMEM;
  init_waitqueue_head(&t->wq);
  t->clock = clock;
  hrtimer_init(&t->timer, base_clock(clock), HRTIMER_MODE_ABS);
  t->timer.function = timerfd_fires;
  int fd = anon_inode_getfd("[timerfd]", &timerfd_fops, t, O_RDWR | (flags & (O_NONBLOCK | O_CLOEXEC)));
  if (fd < 0) kfree(t);
  return fd;
}

SYSCALL_DEFINE4(timerfd_settime, int, fd, int, flags, const itimerspec64*, user_new, itimerspec64*, user_old) {
  itimerspec64 s, old;
  if (copy_from_user(&s, user_new, sizeof(s))) return -EFAULT;
  if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) || !timespec64_valid(&s.it_value) || !timespec64_valid(&s.it_interval))
    return -EINVAL;
  Fd f(static_cast<unsigned>(fd));
  if (!f) return -EBADF;
  if (f->f_op != &timerfd_fops) return -EINVAL;
  TimerFd* t = of(f.get());
  if (is_alarm(t->clock) && !capable(CAP_WAKE_ALARM)) return -EPERM;
  hrtimer_cancel(&t->timer);  // a reader may restart it meanwhile, so once more under the lock until it is still
  for (;;) {
    IrqSpinGuard g(t->wq.lock);
    if (hrtimer_try_to_cancel(&t->timer) < 0) {
      g.unlock();
      arch::cpu_relax();
      continue;
    }
    s64 left = t->timer.expires - hrtimer_cb_get_time(&t->timer);
    old = {ktime_to_timespec64(t->interval), ktime_to_timespec64(t->expired || left < 0 || !t->timer.expires ? 0 : left)};
    start(t, s, flags);
    break;
  }
  return user_old && copy_to_user(user_old, &old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(timerfd_gettime, int, fd, itimerspec64*, user) {
  Fd f(static_cast<unsigned>(fd));
  if (!f) return -EBADF;
  if (f->f_op != &timerfd_fops) return -EINVAL;
  TimerFd* t = of(f.get());
  itimerspec64 s;
  {
    IrqSpinGuard g(t->wq.lock);
    s = setting_of(t);
  }
  return copy_to_user(user, &s, sizeof(s)) ? -EFAULT : 0;
}
