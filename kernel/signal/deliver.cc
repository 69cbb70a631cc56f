// Receiving: taking signals out of the queues and deciding what becomes of each. Spec 21 section 17.
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>
#include <linux/task_work.h>

#include "kernel/cgroup/cgroup.hh"
#include "fs/coredump/coredump.hh"
#include "kernel/exit/exit.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/signal/queue.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/posix_timers.hh"

// ---- SIGPENDING (S-6) -------------------------------------------------------------------------------------------------

void recalc_sigpending_tsk(task_struct* t) {
  if (has_pending_signals(t)) set_tsk_thread_flag(t, TIF_SIGPENDING);
}

void recalc_sigpending() { recalc_own_sigpending(current); }

// What came while the task was new could not set the flag of a task that had not run (22 C-61). Looking without the lock
// is enough: what is added later sets the flag itself.
void calculate_sigpending() {
  if (!has_pending_signals(current)) return;
  IrqSpinGuard guard(current->sighand->siglock);
  recalc_sigpending();
}

// ---- Dequeue ----------------------------------------------------------------------------------------------------------

namespace {

// Lowest number first, synchronous ones before the rest.
int next_signal(const sigpending* pending, u64 mask) {
  u64 ready = pending->signal.sig[0] & ~mask;
  if (!ready) return 0;
  if (ready & kSigSync) ready &= kSigSync;
  return __builtin_ctzll(ready) + 1;
}

// Step 7: the first entry goes; the bit stays while another is queued.
void collect(sigpending* pending, int sig, kernel_siginfo* info) {
  sigqueue *q, *first = nullptr;
  bool more = false;
  list_for_each_entry(q, &pending->list, list) {
    if (q->info.si_signo != sig) continue;
    if (first) {
      more = true;
      break;
    }
    first = q;
  }
  if (!more) sigdelset(&pending->signal, sig);
  if (!first) {
    *info = {};
    info->si_signo = sig;
    return;
  }
  *info = first->info;
  list_del_init(&first->list);
  free_queue_entry(first);
}

// A POSIX timer's signal starts the timer's next period once it is taken. siglock is dropped meanwhile.
void rearm_timer(task_struct* self, kernel_siginfo* info) {
  if (info->si_code != SI_TIMER || !info->_f._timer.sys_private) return;
  spin_unlock_irq(&self->sighand->siglock);
  posixtimer_rearm(info);
  spin_lock_irq(&self->sighand->siglock);
  info->_f._timer.sys_private = 0;
}

}  // namespace

int dequeue_signal(task_struct* self, u64 mask, kernel_siginfo* info, pid_type* type) {
  sigpending* from = &self->pending;
  int sig = next_signal(from, mask);
  if (!sig) sig = next_signal(from = &self->signal->shared_pending, mask);
  if (type) *type = from == &self->pending ? PIDTYPE_PID : PIDTYPE_TGID;
  if (sig) collect(from, sig, info);
  recalc_own_sigpending(self);
  if (!sig) return 0;
  if (in_set(kSigStops, sig)) jobctl_set(self, JOBCTL_STOP_DEQUEUED);
  rearm_timer(self, info);
  return sig;
}

int dequeue_signal_info(task_struct* self, const sigset_t* blocked, kernel_siginfo* info) {
  return dequeue_signal(self, blocked->sig[0], info);
}

// S-30: the fault that just happened comes first, so that the saved ip points at it.
int dequeue_synchronous_signal(kernel_siginfo* info) {
  task_struct* self = current;
  const u64 ready = self->pending.signal.sig[0] & ~self->blocked.sig[0] & kSigSync;
  if (!ready) return 0;
  sigqueue* q;
  list_for_each_entry(q, &self->pending.list, list) {
    const int sig = q->info.si_signo;
    if (q->info.si_code <= SI_USER || !in_set(ready, sig)) continue;
    collect(&self->pending, sig, info);
    recalc_sigpending();
    return sig;
  }
  return 0;
}

// ---- get_signal -------------------------------------------------------------------------------------------------------

namespace {

// What one look at the queues leads to.
enum class Next : unsigned char {
  None,     // nothing for this task
  Handler,  // ksig says which
  Fatal,    // ksig->sig ends the process
  Again,    // siglock was dropped: look again
};

// Step 2: SIGCONT left an event that the first thread to run again reports.
bool report_continue_event(task_struct* self) {
  signal_struct* s = self->signal;
  if (!(s->flags & SIGNAL_CLD_MASK)) return false;
  const int why = s->flags & SIGNAL_CLD_CONTINUED ? CLD_CONTINUED : CLD_STOPPED;
  WRITE_ONCE(s->flags, s->flags & ~SIGNAL_CLD_MASK);
  spin_unlock_irq(&self->sighand->siglock);
  ReadGuard guard(tasklist_lock);
  do_notify_parent_cldstop(self, Told::RealParent, why);
  // The leader's tracer, if it is another process, hears of it too.
  if (task_struct* leader = self->group_leader; ptrace_reparented(leader)) do_notify_parent_cldstop(leader, Told::Tracer, why);
  return true;
}

// Step 9's default action of a stop signal. The orphan test needs tasklist_lock, which is taken before siglock.
Next default_stop(task_struct* self, int sig) {
  if (sig != SIGSTOP) {
    spin_unlock_irq(&self->sighand->siglock);
    const bool orphaned = is_current_pgrp_orphaned();
    spin_lock_irq(&self->sighand->siglock);
    if (orphaned) return Next::None;
  }
  return do_signal_stop(sig) ? Next::Again : Next::None;
}

// One signal has been taken. None: it had no effect, take the next.
Next act_on(task_struct* self, ksignal* ksig) {
  const int sig = ksig->sig;
  k_sigaction& ka = self->sighand->action[sig - 1];
  if (ka.sa.sa_handler == SIG_IGN) return Next::None;
  if (ka.sa.sa_handler != SIG_DFL) {
    ksig->ka = ka;
    if (ka.sa.sa_flags & SA_RESETHAND) ka.sa.sa_handler = SIG_DFL;
    return Next::Handler;
  }
  if (in_set(kSigIgnored, sig)) return Next::None;
  if ((self->signal->flags & SIGNAL_UNKILLABLE) && !in_set(kSigOnly, sig)) return Next::None;
  if (in_set(kSigStops, sig)) return default_stop(self, sig);
  return Next::Fatal;
}

// The task's cgroup is to freeze, or was and is no longer. Drops siglock. While frozen, signals stay in their queues: SIGPENDING
// is cleared so that the sleep lasts, and what comes meanwhile leads back here. Only a fatal one gets past (kill_group()).
void freezer_trap(task_struct* self) {
  if (!(self->jobctl & JOBCTL_TRAP_FREEZE)) {
    spin_unlock_irq(&self->sighand->siglock);
    return cgroup_leave_frozen(Leave::IfThawed);
  }
  set_current_state(TASK_INTERRUPTIBLE);
  clear_tsk_thread_flag(self, TIF_SIGPENDING);
  spin_unlock_irq(&self->sighand->siglock);
  cgroup_enter_frozen();
  schedule();
}

// Steps 4 and 5. True: siglock was dropped.
bool job_control_stop(task_struct* self) {
  if ((self->jobctl & JOBCTL_STOP_PENDING) && do_signal_stop(0)) return true;
  if (!(self->jobctl & JOBCTL_TRAP_MASK)) return false;
  do_jobctl_trap();
  spin_unlock_irq(&self->sighand->siglock);
  return true;
}

// siglock held, and held on return unless Again.
Next next_action(task_struct* self, ksignal* ksig) {
  if (report_continue_event(self)) return Next::Again;
  for (;;) {
    if ((self->signal->flags & SIGNAL_GROUP_EXIT) || self->signal->group_exec_task) {
      sigdelset(&self->pending.signal, SIGKILL);
      recalc_sigpending();
      ksig->sig = SIGKILL;
      return Next::Fatal;
    }
    if ((self->jobctl & JOBCTL_PENDING_MASK) && job_control_stop(self)) [[unlikely]] return Next::Again;
    if ((self->jobctl & JOBCTL_TRAP_FREEZE) || self->frozen) [[unlikely]] {
      freezer_trap(self);
      return Next::Again;
    }
    pid_type type = PIDTYPE_PID;
    ksig->sig = self->pending.signal.sig[0] & kSigSync ? dequeue_synchronous_signal(&ksig->info) : 0;
    if (!ksig->sig) ksig->sig = dequeue_signal(self, self->blocked.sig[0], &ksig->info, &type);
    if (!ksig->sig) return Next::None;
    if (self->ptrace && ksig->sig != SIGKILL) [[unlikely]] {  // step 8
      ksig->sig = ptrace_signal(ksig->sig, &ksig->info, type);
      if (!ksig->sig) continue;
    }
    if (Next next = act_on(self, ksig); next != Next::None) return next;
  }
}

[[noreturn]] void die_of(task_struct* self, const ksignal& ksig) {
  WRITE_ONCE(self->flags, self->flags | PF_SIGNALED);
  if (self->frozen) cgroup_leave_frozen(Leave::Always);
  if (in_set(kSigCore, ksig.sig)) do_coredump(&ksig.info);  // if there is one, the group's code says so
  do_group_exit(ksig.sig);
}

}  // namespace

bool get_signal(ksignal* ksig) {
  task_struct* self = current;
  if (test_tsk_thread_flag(self, TIF_NOTIFY_SIGNAL)) clear_tsk_thread_flag(self, TIF_NOTIFY_SIGNAL);
  if (self->task_works) task_work_run();
  if (!test_tsk_thread_flag(self, TIF_SIGPENDING)) return false;
  for (;;) {
    try_to_freeze();
    spin_lock_irq(&self->sighand->siglock);
    Next next = next_action(self, ksig);
    if (next == Next::Again) continue;
    spin_unlock_irq(&self->sighand->siglock);
    if (next == Next::Fatal) die_of(self, *ksig);
    return next == Next::Handler;
  }
}

// ---- On the way out (X-7) ---------------------------------------------------------------------------------------------

void retarget_shared_pending(task_struct* self, u64 which) {
  u64 left = self->signal->shared_pending.signal.sig[0] & which;
  if (!left) return;
  task_struct* t;
  for_each_thread(self, t) {
    if (t == self || (data_race(t->flags) & PF_EXITING)) continue;
    const u64 takes = left & ~t->blocked.sig[0];
    if (!takes) continue;
    left &= ~takes;
    if (!test_tsk_thread_flag(t, TIF_SIGPENDING)) signal_wake_up(t, Wake::Normal);
    if (!left) return;
  }
}

void exit_signals(task_struct* self) {
  signal_struct* s = self->signal;
  ThreadgroupReadGuard threadgroup;  // who moves the process either finds this thread exiting or has moved it
  if (data_race(s->nr_threads == 1 || (s->flags & SIGNAL_GROUP_EXIT))) {
    WRITE_ONCE(self->flags, self->flags | PF_EXITING);
    return;
  }
  bool stop_completed = false;
  {
    IrqOffSpinGuard guard(self->sighand->siglock);
    WRITE_ONCE(self->flags, self->flags | PF_EXITING);
    if (!test_tsk_thread_flag(self, TIF_SIGPENDING)) return;
    retarget_shared_pending(self, ~self->blocked.sig[0]);
    if (self->jobctl & JOBCTL_STOP_PENDING) stop_completed = task_participate_group_stop(self);
  }
  if (!stop_completed) return;
  ReadGuard guard(tasklist_lock);
  do_notify_parent_cldstop(self, Told::RealParent, CLD_STOPPED);
}
