// Group stops and SIGCONT. Spec 21 S-13, S-40..S-47.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/signal/jobctl.hh"

#include <linux/list.h>
#include <linux/wait_bit.h>

#include "kernel/ptrace/ptrace.hh"
#include "kernel/cgroup/cgroup.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/queue.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"

// False for a thread that is on its way out.
bool task_set_jobctl_pending(task_struct* t, unsigned long bits) {
  if (fatal_signal_pending(t) || (data_race(t->flags) & PF_EXITING)) return false;
  const unsigned long old = bits & JOBCTL_STOP_SIGMASK ? t->jobctl & ~JOBCTL_STOP_SIGMASK : t->jobctl;
  WRITE_ONCE(t->jobctl, old | bits);
  return true;
}

void task_clear_jobctl_pending(task_struct* t, unsigned long which) {
  if (which & JOBCTL_STOP_PENDING) which |= JOBCTL_STOP_CONSUME | JOBCTL_STOP_DEQUEUED;
  jobctl_clear(t, which);
  if (!(t->jobctl & JOBCTL_PENDING_MASK)) task_clear_jobctl_trapping(t);
}

void task_clear_jobctl_trapping(task_struct* t) {
  if (!(t->jobctl & JOBCTL_TRAPPING)) return;
  jobctl_clear(t, JOBCTL_TRAPPING);
  smp_mb();  // the waiter of ptrace_attach queues itself before it looks
  wake_up_bit(&t->jobctl, JOBCTL_TRAPPING_BIT);
}

// T-11: a state whose wakers do not look at a condition; a late wake-up of an earlier sleep must not end it.
void set_special_state(task_struct* self, unsigned state) {
  IrqRawSpinGuard guard(self->pi_lock);
  WRITE_ONCE(self->__state, state);
}

namespace {

constexpr unsigned long kTakePart = JOBCTL_STOP_PENDING | JOBCTL_STOP_CONSUME;

// S-41: the thread that dequeued the stop signal tells the others. False: the stop is off.
bool initiate_stop(task_struct* self, int sig) {
  signal_struct* s = self->signal;
  if (!(self->jobctl & JOBCTL_STOP_DEQUEUED) || (s->flags & SIGNAL_GROUP_EXIT) || s->group_exec_task) return false;
  const unsigned long bits = static_cast<unsigned long>(sig) | kTakePart;
  if (!(s->flags & SIGNAL_STOP_STOPPED)) s->group_exit_code = sig;
  s->group_stop_count = 0;
  if (task_set_jobctl_pending(self, bits)) s->group_stop_count++;
  task_struct* t;
  for_each_thread(self, t) {
    if (t == self || task_is_stopped(t) || !task_set_jobctl_pending(t, bits)) continue;
    s->group_stop_count++;
    if (t->ptrace & PT_SEIZED)
      ptrace_trap_notify(t);
    else
      signal_wake_up(t, Wake::Normal);
  }
  return true;
}

}  // namespace

void task_join_group_stop(task_struct* child) {
  signal_struct* s = current->signal;
  const unsigned long sig = current->jobctl & JOBCTL_STOP_SIGMASK;
  if (s->group_stop_count) {
    s->group_stop_count++;
    task_set_jobctl_pending(child, sig | kTakePart);
  } else if (s->flags & SIGNAL_STOP_STOPPED) {
    task_set_jobctl_pending(child, sig | JOBCTL_STOP_PENDING);
  }
}

bool task_participate_group_stop(task_struct* t) {
  signal_struct* s = t->signal;
  const bool counted = t->jobctl & JOBCTL_STOP_CONSUME;
  task_clear_jobctl_pending(t, JOBCTL_STOP_PENDING);
  if (!counted) return false;
  if (s->group_stop_count > 0) s->group_stop_count--;
  if (s->group_stop_count || (s->flags & SIGNAL_STOP_STOPPED)) return false;
  signal_set_stop_flags(s, SIGNAL_STOP_STOPPED);
  return true;
}

bool do_signal_stop(int sig) {
  task_struct* self = current;
  if (!(self->jobctl & JOBCTL_STOP_PENDING) && !initiate_stop(self, sig)) return false;
  if (!(self->jobctl & JOBCTL_STOP_PENDING)) return false;  // being killed meanwhile
  if (self->ptrace) {  // S-43: the delivery loop finds the trap next
    task_set_jobctl_pending(self, JOBCTL_TRAP_STOP);
    return false;
  }
  const bool completed = task_participate_group_stop(self);
  jobctl_set(self, JOBCTL_STOPPED);
  set_special_state(self, TASK_STOPPED);
  spin_unlock_irq(&self->sighand->siglock);
  if (completed) {
    ReadGuard guard(tasklist_lock);
    do_notify_parent_cldstop(self, Told::RealParent, CLD_STOPPED);
  }
  cgroup_enter_frozen();  // as good as; the delivery loop leaves
  schedule();  // SIGCONT or SIGKILL since then: comes back at once
  return true;
}

void continue_group(task_struct* p) {
  signal_struct* s = p->signal;
  remove_signals(&s->shared_pending, kSigStops);
  task_struct* t;
  for_each_thread(p, t) {
    remove_signals(&t->pending, kSigStops);
    task_clear_jobctl_pending(t, JOBCTL_STOP_PENDING);
    if (t->ptrace & PT_SEIZED) {
      ptrace_trap_notify(t);
    } else {
      jobctl_clear(t, JOBCTL_STOPPED);
      wake_up_state(t, __TASK_STOPPED);
    }
  }
  unsigned event = 0;
  if (s->flags & SIGNAL_STOP_STOPPED)
    event = SIGNAL_CLD_CONTINUED;
  else if (s->group_stop_count)
    event = SIGNAL_CLD_STOPPED;  // as if the stop had finished first
  if (!event) return;
  signal_set_stop_flags(s, event | SIGNAL_STOP_CONTINUED);
  s->group_stop_count = 0;
  s->group_exit_code = 0;
}

namespace {

int cldstop_status(task_struct* t, int why) {
  switch (why) {
    case CLD_CONTINUED: return SIGCONT;
    case CLD_STOPPED: return data_race(t->signal->group_exit_code) & 0x7f;
    default: return data_race(t->exit_code) & 0x7f;  // CLD_TRAPPED
  }
}

}  // namespace

// S-42, S-45, S-70: SIGCHLD about a stop or its end, unless the parent does not want it; its waiters look in any case. A tracer
// hears of each thread, a real parent of the process.
void do_notify_parent_cldstop(task_struct* t, Told who, int why) {
  task_struct* child = who == Told::Tracer ? t : t->group_leader;
  task_struct* parent = who == Told::Tracer ? t->parent : child->real_parent;
  kernel_siginfo info;
  fill_child_info(&info, child, SIGCHLD, parent);
  info.si_code = why;
  info.si_status = cldstop_status(child, why);
  unsigned long flags;
  if (sighand_struct* sighand = lock_task_sighand(parent, &flags)) {
    const struct sigaction& sa = sighand->action[SIGCHLD - 1].sa;
    if (sa.sa_handler != SIG_IGN && !(sa.sa_flags & SA_NOCLDSTOP)) send_translated_locked(SIGCHLD, &info, parent, PIDTYPE_TGID, Force::No);
    unlock_task_sighand(parent, flags);
  }
  wake_up_parent(child, parent);
}
