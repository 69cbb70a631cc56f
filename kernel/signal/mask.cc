// Blocked sets: who changes them, and the system calls that do. Spec 21 section 12.
// SPDX-License-Identifier: Apache-2.0
#include <linux/ktime.h>
#include <linux/hrtimer.h>

#include "kernel/entry/syscall.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

// siglock held (S-5).
inline void set_blocked_locked(task_struct* self, u64 mask) {
  const u64 newly = mask & ~self->blocked.sig[0];
  if (test_tsk_thread_flag(self, TIF_SIGPENDING) && self->signal->nr_threads != 1) retarget_shared_pending(self, newly);
  self->blocked.sig[0] = mask;
  recalc_own_sigpending(self);
}

}  // namespace

void set_current_blocked(sigset_t* newset) {
  task_struct* self = current;
  const u64 mask = newset->sig[0] & ~kSigOnly;
  if (self->blocked.sig[0] == mask) return;  // only current changes it
  IrqOffSpinGuard guard(self->sighand->siglock);
  set_blocked_locked(self, mask);
}

void set_restore_sigmask() { current->restore_sigmask = 1; }

long set_user_sigmask(const sigset_t __user* umask, size_t size) {
  if (!umask) return 0;
  if (size != sizeof(sigset_t)) return -EINVAL;
  sigset_t mask;
  if (get_user(mask, umask)) return -EFAULT;
  current->restore_sigmask = 1;
  current->saved_sigmask = current->blocked;
  set_current_blocked(&mask);
  return 0;
}

void restore_saved_sigmask_unless(bool interrupted) {
  task_struct* self = current;
  if (interrupted || !self->restore_sigmask) return;
  self->restore_sigmask = 0;
  set_current_blocked(&self->saved_sigmask);
}

SYSCALL_DEFINE4(rt_sigprocmask, int, how, const sigset_t __user*, uset, sigset_t __user*, uold, size_t, size) {
  if (size != sizeof(sigset_t)) return -EINVAL;
  const sigset_t old = current->blocked;
  if (uset) {
    sigset_t set;
    if (get_user(set, uset)) return -EFAULT;
    switch (how) {
      case SIG_BLOCK: set.sig[0] |= old.sig[0]; break;
      case SIG_UNBLOCK: set.sig[0] = old.sig[0] & ~set.sig[0]; break;
      case SIG_SETMASK: break;
      default: return -EINVAL;
    }
    set_current_blocked(&set);
  }
  return uold && put_user(old, uold) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(rt_sigpending, sigset_t __user*, uset, size_t, size) {
  if (size > sizeof(sigset_t)) return -EINVAL;
  task_struct* self = current;
  sigset_t set;
  {
    IrqOffSpinGuard guard(self->sighand->siglock);
    set.sig[0] = (self->pending.signal.sig[0] | self->signal->shared_pending.signal.sig[0]) & self->blocked.sig[0];
  }
  return copy_to_user(uset, &set, size) ? -EFAULT : 0;
}

// ---- Waiting for signals ------------------------------------------------------------------------------------------------

SYSCALL_DEFINE2(rt_sigsuspend, const sigset_t __user*, uset, size_t, size) {
  if (size != sizeof(sigset_t)) return -EINVAL;
  sigset_t set;
  if (get_user(set, uset)) return -EFAULT;
  task_struct* self = current;
  self->saved_sigmask = self->blocked;
  set_current_blocked(&set);
  while (!signal_pending(self)) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (!signal_pending(self)) schedule();
    __set_current_state(TASK_RUNNING);
  }
  set_restore_sigmask();
  return -ERESTARTNOHAND;
}

SYSCALL_DEFINE0(pause) {
  while (!signal_pending(current)) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (!signal_pending(current)) schedule();
    __set_current_state(TASK_RUNNING);
  }
  return -ERESTARTNOHAND;
}

namespace {

// S-8: while asleep the awaited signals are unblocked, so that senders wake us, and real_blocked remembers the truth, so
// that they do not count as fatal.
int wait_for_signal(u64 awaited, ktime_t* timeout, kernel_siginfo* info) {
  task_struct* self = current;
  spinlock_t* lock = &self->sighand->siglock;
  int sig;
  {
    IrqOffSpinGuard guard(*lock);
    sig = dequeue_signal(self, ~awaited, info);
    if (sig || (timeout && !*timeout)) return sig ? sig : -EAGAIN;
    self->real_blocked = self->blocked;
    self->blocked.sig[0] &= ~awaited;
    recalc_sigpending();
  }
  set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
  int slept = schedule_hrtimeout(timeout, HRTIMER_MODE_REL);
  IrqOffSpinGuard guard(*lock);
  set_blocked_locked(self, self->real_blocked.sig[0]);
  self->real_blocked = {};
  sig = dequeue_signal(self, ~awaited, info);
  return sig ? sig : slept ? -EINTR : -EAGAIN;
}

}  // namespace

SYSCALL_DEFINE4(rt_sigtimedwait, const sigset_t __user*, uset, siginfo_t __user*, uinfo, const __kernel_timespec __user*, uts,
                size_t, size) {
  if (size != sizeof(sigset_t)) return -EINVAL;
  sigset_t set;
  if (get_user(set, uset)) return -EFAULT;
  ktime_t timeout = 0;
  if (uts) {
    __kernel_timespec ts;
    if (get_user(ts, uts)) return -EFAULT;
    if (ts.tv_sec < 0 || static_cast<unsigned long long>(ts.tv_nsec) >= 1'000'000'000) return -EINVAL;
    timeout = ktime_set(ts.tv_sec, static_cast<unsigned long>(ts.tv_nsec));
  }
  kernel_siginfo info;
  const int sig = wait_for_signal(set.sig[0] & ~kSigOnly, uts ? &timeout : nullptr, &info);
  if (sig > 0 && uinfo && copy_siginfo_to_user(uinfo, &info)) return -EFAULT;
  return sig;
}
