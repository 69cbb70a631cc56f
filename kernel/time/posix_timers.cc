// POSIX timers: timer_create(2) and its kin. A timer is on signal->posix_timers (siglock) from creation to deletion, and
// counted: by the list, and by whoever looked it up. Its own lock guards the rest; order: timer lock, then siglock
// (the callback sends the signal), so a look-up drops siglock before it takes the timer's. A periodic timer starts its
// next period when its signal is taken, and counts then what it missed.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/posix_timers.hh"
#include "kernel/time/time.hh"
#include "kernel/time/user_time.hh"

namespace {

inline constexpr int kSigevSignal = 0, kSigevNone = 1, kSigevThread = 2, kSigevThreadId = 4;
inline constexpr int kOverrunMax = 0x7fffffff;

struct UserSigevent {
  sigval_t value;
  int signo, notify;
  int tid;
  int pad[11];
};
static_assert(sizeof(UserSigevent) == 64);

struct PosixTimer {
  list_head list;
  refcount_t refs;
  spinlock_t lock;
  int id, clock, notify;
  struct pid* target;
  pid_type target_type;
  sigqueue* signal;    // null for SIGEV_NONE
  hrtimer timer;
  ktime_t interval;
  s64 overrun;         // of the period that runs
  s64 last_overrun;    // what timer_getoverrun says
  int sequence;        // of the signal sent, odd while it is to restart us; a newer setting makes the old signal stale
  bool armed, deleted;
};

void put_timer(PosixTimer* t) {
  if (!refcount_dec_and_test(&t->refs)) return;
  if (t->signal) sigqueue_free(t->signal);
  put_pid(t->target);
  kfree(t);
}

// A reference, or null. Takes siglock.
PosixTimer* find_timer(int id) {
  IrqSpinGuard g(current->sighand->siglock);
  PosixTimer* t;
  list_for_each_entry(t, &current->signal->posix_timers, list) {
    if (t->id != id) continue;
    refcount_inc(&t->refs);
    return t;
  }
  return nullptr;
}

// Owns the reference that find_timer took.
class TimerRef {
 public:
  explicit TimerRef(int id) : t_(find_timer(id)) {}
  explicit TimerRef(PosixTimer* t) : t_(t) {}
  ~TimerRef() {
    if (t_) put_timer(t_);
  }
  TimerRef(const TimerRef&) = delete;
  TimerRef& operator=(const TimerRef&) = delete;
  explicit operator bool() const { return t_; }
  PosixTimer* operator->() const { return t_; }
  PosixTimer* get() const { return t_; }

 private:
  PosixTimer* t_;
};

int clamp_overrun(s64 n) { return n > kOverrunMax ? kOverrunMax : static_cast<int>(n); }

// Lock held. False: ignored or nobody there.
bool send(PosixTimer* t) {
  kernel_siginfo* info = sigqueue_info(t->signal);
  info->_f._timer.sys_private = t->interval ? t->sequence : 0;
  return send_sigqueue(t->signal, t->target, t->target_type) == 0;
}

enum hrtimer_restart posix_timer_fn(hrtimer* h) {
  PosixTimer* t = container_of(h, PosixTimer, timer);
  IrqSpinGuard g(t->lock);
  t->armed = false;
  if (t->interval) t->sequence |= 1;
  if (send(t) || !t->interval) return HRTIMER_NORESTART;
  // Nobody takes an ignored signal, so nobody would restart us: go on by ourselves, a tick later at the earliest.
  const ktime_t now = hrtimer_cb_get_time(h);
  t->sequence &= ~1;
  t->overrun += static_cast<s64>(hrtimer_forward(h, now + (t->interval < TICK_NSEC ? TICK_NSEC : 0), t->interval));
  t->armed = true;
  return HRTIMER_RESTART;
}

// Cancels the hrtimer and returns with the lock held again; the callback takes the lock, so it is waited for without.
void stop(PosixTimer* t) REQUIRES(t->lock) NO_THREAD_SAFETY_ANALYSIS {
  while (hrtimer_try_to_cancel(&t->timer) < 0) {
    _raw_spin_unlock_irq(&t->lock);
    arch::cpu_relax();
    _raw_spin_lock_irq(&t->lock);
  }
  t->armed = false;
}

UserItimerspec current_setting(PosixTimer* t) REQUIRES(t->lock) {
  const bool waits_for_signal = t->interval && (t->sequence & 1);
  if (!t->armed && !waits_for_signal) return {user_timespec(t->interval), {}};
  const ktime_t now = clock_now(t->clock);
  // A timer that only waits for its signal to be taken, or that sends none, is brought up to date for the answer.
  if (t->interval && (waits_for_signal || t->notify == kSigevNone))
    t->overrun += static_cast<s64>(hrtimer_forward(&t->timer, now, t->interval));
  s64 left = t->timer.expires - now;
  if (left <= 0) left = t->notify == kSigevNone ? 0 : 1;
  return {user_timespec(t->interval), user_timespec(left)};
}

void arm(PosixTimer* t, s64 value, s64 interval, int flags) REQUIRES(t->lock) {  // stopped
  t->interval = interval;
  t->sequence = (t->sequence + 2) & ~1;
  t->overrun = t->last_overrun = 0;
  if (!value) return;
  const ktime_t at = flags & TIMER_ABSTIME ? value : ktime_add_safe(clock_now(t->clock), value);
  t->armed = true;
  if (t->notify == kSigevNone)
    hrtimer_set_expires(&t->timer, at);
  else
    hrtimer_start(&t->timer, at, HRTIMER_MODE_ABS);
}

bool usable(int clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI;
}

// Who gets the signal; a reference.
Result<struct pid*> target_of(const UserSigevent& e) {
  if (e.notify == kSigevNone) return get_pid(task_tgid(current));
  if (e.signo <= 0 || e.signo > SIGRTMAX) return fail(EINVAL);
  switch (e.notify) {
    case kSigevSignal:
    case kSigevThread: return get_pid(task_tgid(current));
    case kSigevSignal | kSigevThreadId: {
      RcuReadGuard rcu;
      struct pid* pid = find_vpid(e.tid);
      task_struct* t = pid ? pid_task(pid, PIDTYPE_PID) : nullptr;
      if (!t || !same_thread_group(t, current)) return fail(EINVAL);
      return get_pid(pid);
    }
    default: return fail(EINVAL);
  }
}

Result<PosixTimer*> make_timer(int clock, const UserSigevent& e, bool default_event) {
  struct pid* target = TRY(target_of(e));
  auto* t = static_cast<PosixTimer*>(kzalloc(sizeof(PosixTimer), GFP_KERNEL));
  sigqueue* q = t && e.notify != kSigevNone ? sigqueue_alloc() : nullptr;
  if (!t || (!q && e.notify != kSigevNone)) {
    kfree(t);
    put_pid(target);
    return fail(EAGAIN);
  }
  refcount_set(&t->refs, 1);
  spin_lock_init(&t->lock);
  t->clock = clock;
  t->notify = e.notify;
  t->target = target;
  t->target_type = e.notify == kSigevThreadId ? PIDTYPE_PID : PIDTYPE_TGID;
  t->signal = q;
  hrtimer_init(&t->timer, clock, HRTIMER_MODE_ABS);
  t->timer.function = posix_timer_fn;
  IrqOffSpinGuard g(current->sighand->siglock);
  t->id = current->signal->next_posix_timer_id++;
  if (q) {
    kernel_siginfo* info = sigqueue_info(q);
    *info = {};
    info->si_signo = e.signo;
    info->si_code = SI_TIMER;
    info->si_tid = t->id;
    info->_f._timer.sigval = e.value;
    if (default_event) info->_f._timer.sigval = {.sival_int = t->id};
  }
  list_add_tail(&t->list, &current->signal->posix_timers);
  return t;
}

// Unlinked already; the list's reference goes.
void destroy(PosixTimer* t) {
  {
    IrqOffSpinGuard g(t->lock);
    t->deleted = true;
    stop(t);
  }
  put_timer(t);
}

PosixTimer* unlink_timer(int id) {  // -1: any
  IrqOffSpinGuard g(current->sighand->siglock);
  PosixTimer* t;
  list_for_each_entry(t, &current->signal->posix_timers, list) {
    if (id >= 0 && t->id != id) continue;
    list_del_init(&t->list);
    return t;
  }
  return nullptr;
}

}  // namespace

// The signal of a periodic timer has been taken: start the next period, and tell how many were missed. Interrupts in any
// state, siglock not held.
void posixtimer_rearm(kernel_siginfo* info) {
  TimerRef t(info->si_tid);
  if (!t) return;
  IrqSpinGuard g(t->lock);
  if (t->deleted || !t->interval || t->sequence != info->_f._timer.sys_private) return;
  t->overrun += static_cast<s64>(hrtimer_forward(&t->timer, clock_now(t->clock), t->interval)) - 1;
  t->last_overrun = t->overrun + info->si_overrun;
  t->overrun = 0;
  t->sequence = (t->sequence + 2) & ~1;
  t->armed = true;
  hrtimer_start(&t->timer, t->timer.expires, HRTIMER_MODE_ABS);
  info->si_overrun = clamp_overrun(t->last_overrun);
}

void exit_itimers(task_struct*) {
  while (PosixTimer* t = unlink_timer(-1)) destroy(t);
}

void posix_timers_init() {}

SYSCALL_DEFINE3(timer_create, int, clock, UserSigevent __user*, event, int __user*, id) {
  if (!usable(clock)) {
    const bool known = clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID ||
                       clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM || clock < 0;
    return known ? -EOPNOTSUPP : -EINVAL;
  }
  UserSigevent e{};
  e.signo = SIGALRM;
  if (event && copy_from_user(&e, event, sizeof(e))) return -EFAULT;
  auto t = make_timer(clock, e, !event);
  if (!t) return t.error().neg();
  const int number = (*t)->id;
  if (!put_user(number, id)) return 0;
  if (PosixTimer* mine = unlink_timer(number)) destroy(mine);
  return -EFAULT;
}

SYSCALL_DEFINE4(timer_settime, int, id, int, flags, const UserItimerspec __user*, from, UserItimerspec __user*, old) {
  UserItimerspec u;
  if (!from) return -EINVAL;
  if (copy_from_user(&u, from, sizeof(u))) return -EFAULT;
  if (!valid(u.it_value) || !valid(u.it_interval)) return -EINVAL;
  TimerRef t(id);
  if (!t) return -EINVAL;
  UserItimerspec was;
  {
    IrqOffSpinGuard g(t->lock);
    was = current_setting(t.get());
    stop(t.get());
    if (t->deleted) return -EINVAL;
    arm(t.get(), to_ns(u.it_value), to_ns(u.it_interval), flags);
  }
  return old && put_user(was, old) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(timer_gettime, int, id, UserItimerspec __user*, to) {
  TimerRef t(id);
  if (!t) return -EINVAL;
  UserItimerspec now;
  {
    IrqOffSpinGuard g(t->lock);
    now = current_setting(t.get());
  }
  return put_user(now, to);
}

SYSCALL_DEFINE1(timer_getoverrun, int, id) {
  TimerRef t(id);
  if (!t) return -EINVAL;
  IrqOffSpinGuard g(t->lock);
  return clamp_overrun(t->last_overrun);
}

SYSCALL_DEFINE1(timer_delete, int, id) {
  PosixTimer* t = id < 0 ? nullptr : unlink_timer(id);
  if (!t) return -EINVAL;
  destroy(t);
  return 0;
}
