// Beginning and end of tracing: traceme, attach, seize, detach, the child of a tracee, the end of a tracer.
//
// tasklist_lock (write) guards who traces whom: task->ptrace, parent, the lists. task->ptrace changes under siglock as well, so
// that senders of signals may look at it.
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>
#include <linux/wait_bit.h>

#include "kernel/cred/cred.hh"
#include "kernel/ptrace/internal.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"

namespace {

// tasklist_lock held for writing.
void link(task_struct* child, task_struct* tracer, const struct cred* cred) {
  list_add(&child->ptrace_entry, &tracer->ptraced);
  rcu_assign_pointer(child->parent, tracer);
  rcu_assign_pointer(child->ptracer_cred, get_cred(cred));
}

void clear_syscall_work(task_struct* t) {
  __atomic_fetch_and(&t->thread_info.syscall_work, ~static_cast<unsigned long>(SYSCALL_WORK_SYSCALL_TRACE | SYSCALL_WORK_SYSCALL_EMU),
                     __ATOMIC_RELAXED);
}

// siglock. The job control state that the task would have without having been traced: if its group stops or has stopped, it
// is to stop too. It is woken to find that out, and because nobody else will.
void rejoin_group_stop(task_struct* child) {
  const signal_struct* s = child->signal;
  task_clear_jobctl_pending(child, JOBCTL_TRAP_MASK);
  task_clear_jobctl_trapping(child);
  if (!(data_race(child->flags) & PF_EXITING) && ((s->flags & SIGNAL_STOP_STOPPED) || s->group_stop_count)) {
    jobctl_set(child, JOBCTL_STOP_PENDING);
    if (!(child->jobctl & JOBCTL_STOP_SIGMASK)) jobctl_set(child, SIGSTOP);  // why it stops must be something
  }
  if ((child->jobctl & JOBCTL_STOP_PENDING) || task_is_traced(child)) ptrace_signal_wake_up(child, true);
}

// True: nobody waits for child any more. tasklist_lock held for writing.
bool detach_locked(task_struct* tracer, task_struct* child) {
  ptrace_unlink(child);
  if (child->exit_state != EXIT_ZOMBIE) return false;
  bool dead = !thread_group_leader(child);
  if (!dead && thread_group_empty(child)) {
    if (!same_thread_group(child->real_parent, tracer)) {
      dead = do_notify_parent(child, child->exit_signal);
    } else if (const struct sigaction& sa = tracer->sighand->action[SIGCHLD - 1].sa;
               sa.sa_handler == SIG_IGN || (sa.sa_flags & SA_NOCLDWAIT)) {
      wake_up_parent(child, tracer);
      dead = true;
    }
  }
  if (dead) WRITE_ONCE(child->exit_state, EXIT_DEAD);
  return dead;
}

bool parent_may_trace(const struct cred* parent, const struct cred* me) {
  if (parent->user_ns == me->user_ns && !(me->cap_permitted.bits & ~parent->cap_permitted.bits)) return true;
  return cred_has_cap(parent, me->user_ns, CAP_SYS_PTRACE);
}

void set_ptrace(task_struct* t, unsigned ptrace) {
  SpinGuard siglock(t->sighand->siglock);
  WRITE_ONCE(t->ptrace, ptrace);
}

// siglock. A task that is in its group's stop already goes over into a stop of ours; the attacher waits for it, so that it never
// sees the task running in between.
void take_over_stop(task_struct* t) {
  if (!task_is_stopped(t) || !task_set_jobctl_pending(t, JOBCTL_TRAP_STOP | JOBCTL_TRAPPING)) return;
  jobctl_clear(t, JOBCTL_STOPPED);
  signal_wake_up_state(t, __TASK_STOPPED);
}

Result<void> attach_locked(task_struct* t, unsigned ptrace) {
  IrqOffWriteGuard tasklist(tasklist_lock);
  if (t->exit_state || t->ptrace) return fail(EPERM);
  set_ptrace(t, ptrace);
  link(t, current, current->cred);
  if (!(ptrace & PT_SEIZED)) send_sig_info(SIGSTOP, SEND_SIG_PRIV, t);
  SpinGuard siglock(t->sighand->siglock);
  take_over_stop(t);
  return {};
}

}  // namespace

Result<void> ptrace_traceme() {
  task_struct* self = current;
  IrqOffWriteGuard tasklist(tasklist_lock);
  if (self->ptrace) return fail(EPERM);
  task_struct* parent = self->real_parent;
  if (!parent_may_trace(parent->real_cred, self->cred)) return fail(EPERM);
  if (data_race(parent->flags) & PF_EXITING) return {};  // it will not be there to trace
  set_ptrace(self, PT_PTRACED);
  link(self, parent, self->cred);  // what it allows is by the right of who asked for it
  return {};
}

Result<void> ptrace_attach(task_struct* t, long request, unsigned long addr, unsigned long options) {
  unsigned ptrace = PT_PTRACED;
  if (request == PTRACE_SEIZE) {
    if (addr || (options & ~static_cast<unsigned long>(PTRACE_O_MASK))) return fail(EIO);
    if (options & PTRACE_O_SUSPEND_SECCOMP) return fail(EINVAL);  // there is no seccomp
    ptrace |= PT_SEIZED | pt_options(options);
  }
  if ((data_race(t->flags) & PF_KTHREAD) || same_thread_group(t, current)) return fail(EPERM);
  // An exec of t decides by who traces it; until it is through, wait.
  signal_struct* s = t->signal;
  if (mutex_lock_interruptible(&s->cred_guard_mutex)) return fail(ERESTARTNOINTR);
  Result<void> attached = ptrace_may_access(t, PTRACE_MODE_ATTACH_REALCREDS) ? attach_locked(t, ptrace) : fail(EPERM);
  mutex_unlock(&s->cred_guard_mutex);
  if (attached) wait_on_bit(&t->jobctl, JOBCTL_TRAPPING_BIT, TASK_KILLABLE);
  return attached;
}

Result<void> ptrace_detach(task_struct* t, unsigned long sig) {
  if (!valid_signal(sig)) return fail(EIO);
  ptrace_disable(t);
  {
    IrqOffWriteGuard tasklist(tasklist_lock);
    // Frozen in its stop, it is neither dead nor another's: only exit_code is left to give.
    {
      SpinGuard siglock(t->sighand->siglock);
      WRITE_ONCE(t->exit_code, static_cast<int>(sig));
    }
    detach_locked(current, t);
  }
  return {};
}

void ptrace_disable(task_struct* t) {
  user_disable_single_step(t);
  clear_syscall_work(t);
}

void ptrace_unlink(task_struct* child) {
  clear_syscall_work(child);
  const struct cred* cred = child->ptracer_cred;
  rcu_assign_pointer(child->parent, child->real_parent);
  list_del_init(&child->ptrace_entry);
  rcu_assign_pointer(child->ptracer_cred, static_cast<const struct cred*>(nullptr));
  put_cred(cred);
  SpinGuard siglock(child->sighand->siglock);
  WRITE_ONCE(child->ptrace, 0u);
  rejoin_group_stop(child);
}

void exit_ptrace(task_struct* tracer, list_head* dead) {
  task_struct *p, *next;
  list_for_each_entry_safe(p, next, &tracer->ptraced, ptrace_entry) {
    if (p->ptrace & pt_options(PTRACE_O_EXITKILL)) send_sig_info(SIGKILL, SEND_SIG_PRIV, p);
    if (detach_locked(tracer, p)) list_add(&p->ptrace_entry, dead);
  }
}

// ---- Fork -------------------------------------------------------------------------------------------------------------

int ptrace_fork_event(u64 clone_flags, int exit_signal) {
  if (clone_flags & CLONE_UNTRACED) return 0;
  const int event = clone_flags & CLONE_VFORK ? PTRACE_EVENT_VFORK : exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE : PTRACE_EVENT_FORK;
  return READ_ONCE(current->ptrace) & pt_event(event) ? event : 0;
}

// A seized tracee's child stops by a trap, another's by SIGSTOP; the flag that makes it look is set as it first runs.
void ptrace_init_task(task_struct* child, u64 clone_flags, int event) {
  const task_struct* self = current;
  if (!self->ptrace || !(event || (clone_flags & CLONE_PTRACE))) return;
  WRITE_ONCE(child->ptrace, self->ptrace);
  link(child, self->parent, self->ptracer_cred);
  if (child->ptrace & PT_SEIZED)
    task_set_jobctl_pending(child, JOBCTL_TRAP_STOP);
  else
    sigaddset(&child->pending.signal, SIGSTOP);
}
