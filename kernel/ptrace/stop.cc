// The tracee's side: stops. Spec 21 S-70, S-43, section 17 step 8, 20 F-99; ptrace(2) "Stopped states".
//
// A stop is: under siglock say what it is about (exit_code, last_siginfo, ptrace_message), become TRACED, then tell the tracer
// and sleep. JOBCTL_TRACED says that the sleep is to go on; whoever ends it (the tracer's resume, the tracer's end, SIGKILL)
// clears it under siglock and wakes the task. While the tracer looks into the task, JOBCTL_PTRACE_FROZEN keeps even SIGKILL
// from ending the sleep.
// SPDX-License-Identifier: Apache-2.0
#include <linux/task_work.h>

#include "kernel/cgroup/cgroup.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/pid/pid.hh"
#include "kernel/ptrace/internal.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/sync/guards.hh"

namespace {

// siglock. What the stop is about is there before the state, so that a tracer that sees the state sees all.
void describe_stop(task_struct* self, int exit_code, unsigned long message, kernel_siginfo* info) {
  self->ptrace_message = message;
  self->last_siginfo = info;
  WRITE_ONCE(self->exit_code, exit_code);
  jobctl_set(self, JOBCTL_TRACED);
  set_special_state(self, TASK_TRACED);
}

// siglock. The signal that the tracer gave.
int end_of_stop(task_struct* self) {
  const int code = self->exit_code;
  self->last_siginfo = nullptr;
  self->ptrace_message = 0;
  WRITE_ONCE(self->exit_code, 0);
  jobctl_clear(self, JOBCTL_LISTENING | JOBCTL_PTRACE_FROZEN);
  recalc_sigpending_tsk(self);  // what came while we slept set no flag
  return code;
}

// If the tracer has gone since siglock was dropped, it has woken us, and the real parent is told of a group's stop.
void tell_of_stop(task_struct* self, int why, bool group_stopped) {
  ReadGuard tasklist(tasklist_lock);
  if (self->ptrace) do_notify_parent_cldstop(self, Told::Tracer, why);
  if (group_stopped && (!self->ptrace || ptrace_reparented(self))) do_notify_parent_cldstop(self, Told::RealParent, why);
}

kernel_siginfo stop_info(int sig, int exit_code) {
  kernel_siginfo info = {};
  info.si_signo = sig;
  info.si_code = exit_code;
  info.si_pid = own_pid_number(PIDTYPE_PID);
  info.si_uid = from_kuid_munged(current->cred->user_ns, current->cred->uid);
  return info;
}

int do_notify(int sig, int exit_code, int why, unsigned long message) {
  kernel_siginfo info = stop_info(sig, exit_code);
  return ptrace_stop(exit_code, why, message, &info);
}

}  // namespace

int ptrace_stop(int exit_code, int why, unsigned long message, kernel_siginfo* info) {
  task_struct* self = current;
  spinlock_t* siglock = &self->sighand->siglock;
  if (!self->ptrace || __fatal_signal_pending(self)) return exit_code;
  describe_stop(self, exit_code, message, info);
  bool group_stopped = false;
  if (why == CLD_STOPPED && (self->jobctl & JOBCTL_STOP_PENDING)) group_stopped = task_participate_group_stop(self);
  task_clear_jobctl_pending(self, JOBCTL_TRAP_STOP);
  if (info && info->si_code >> 8 == PTRACE_EVENT_STOP) task_clear_jobctl_pending(self, JOBCTL_TRAP_NOTIFY);
  task_clear_jobctl_trapping(self);
  spin_unlock_irq(siglock);
  tell_of_stop(self, why, group_stopped);
  cgroup_enter_frozen();
  schedule();
  cgroup_leave_frozen(Leave::Always);
  spin_lock_irq(siglock);
  return end_of_stop(self);
}

void do_jobctl_trap() {
  task_struct* self = current;
  const signal_struct* s = self->signal;
  const int sig = static_cast<int>(self->jobctl & JOBCTL_STOP_SIGMASK);
  if (!(self->ptrace & PT_SEIZED)) {
    ptrace_stop(sig, CLD_STOPPED, 0, nullptr);
    return;
  }
  const bool group_stop = s->group_stop_count || (s->flags & SIGNAL_STOP_STOPPED);
  const int shown = group_stop ? sig : SIGTRAP;
  do_notify(shown, shown | PTRACE_EVENT_STOP << 8, CLD_STOPPED, 0);
}

int ptrace_signal(int sig, kernel_siginfo* info, pid_type type) {
  task_struct* self = current;
  // The tracer may turn any signal into a stop, so each counts as one dequeued (S-40).
  jobctl_set(self, JOBCTL_STOP_DEQUEUED);
  sig = ptrace_stop(sig, CLD_TRAPPED, 0, info);
  if (!sig) return 0;
  if (sig != info->si_signo) {  // it is the tracer's signal now
    RcuReadGuard rcu;
    task_struct* tracer = rcu_dereference(self->parent);
    *info = {};
    info->si_signo = sig;
    info->si_code = SI_USER;
    info->si_pid = task_pid_vnr(tracer);
    info->si_uid = from_kuid_munged(self->cred->user_ns, rcu_dereference(tracer->real_cred)->uid);
  }
  if (!sigismember(&self->blocked, sig) && !fatal_signal_pending(self)) return sig;
  send_signal_locked(sig, info, self, type);
  return 0;
}

int ptrace_notify(int exit_code, unsigned long message) {
  task_struct* self = current;
  if (self->task_works) task_work_run();
  IrqOffSpinGuard guard(self->sighand->siglock);
  return do_notify(SIGTRAP, exit_code, CLD_TRAPPED, message);
}

void ptrace_event_slow(int event, unsigned long message) {
  task_struct* self = current;
  const unsigned ptrace = READ_ONCE(self->ptrace);
  if (ptrace & pt_event(event)) {
    ptrace_notify(event << 8 | SIGTRAP, message);
  } else if (event == PTRACE_EVENT_EXEC && (ptrace & (PT_PTRACED | PT_SEIZED)) == PT_PTRACED) {
    send_sig(SIGTRAP, self, 0);  // spec 40 X-41
  }
}

void ptrace_event_pid(int event, struct pid* pid) {
  unsigned long message;
  {
    RcuReadGuard rcu;
    message = static_cast<unsigned long>(pid_nr_ns(pid, task_active_pid_ns(rcu_dereference(current->parent))));
  }
  ptrace_event(event, message);
}

unsigned long ptrace_exec_message() {
  if (!READ_ONCE(current->ptrace)) return 0;
  RcuReadGuard rcu;
  return static_cast<unsigned long>(
      task_pid_nr_ns(current, PIDTYPE_PID, task_active_pid_ns(rcu_dereference(current->parent))));
}

// ---- Asking a tracee to trap -------------------------------------------------------------------------------------------

void ptrace_signal_wake_up(task_struct* t, bool resume) {
  if (resume) jobctl_clear(t, JOBCTL_TRACED);
  signal_wake_up_state(t, resume ? __TASK_TRACED : 0);
}

// A seized tracee that listens comes out of its stop to tell of the change by a new one.
void ptrace_trap_notify(task_struct* t) {
  task_set_jobctl_pending(t, JOBCTL_TRAP_NOTIFY);
  ptrace_signal_wake_up(t, t->jobctl & JOBCTL_LISTENING);
}
