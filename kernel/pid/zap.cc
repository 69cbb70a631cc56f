// The end of a pid namespace: its init takes everybody else along. Spec 21 X-22.
// SPDX-License-Identifier: Apache-2.0
#include <uapi/linux/wait.h>

#include "kernel/exit/wait.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

// Children of ours from now on are released as they die.
void ignore_sigchld(task_struct* self) {
  IrqOffSpinGuard guard(self->sighand->siglock);
  set_sighandler(self->sighand, SIGCHLD, SIG_IGN);
}

void kill_all_but_init(pid_namespace* ns) {
  ReadGuard tasklist(tasklist_lock);
  RcuReadGuard rcu;
  for (struct pid* pid = find_ge_pid(2, ns); pid; pid = find_ge_pid(pid_nr_ns(pid, ns) + 1, ns)) {
    task_struct* t = pid_task(pid, PIDTYPE_PID);
    if (t && !same_thread_group(t, current)) group_send_sig_info(SIGKILL, SEND_SIG_PRIV, t, PIDTYPE_MAX);
  }
}

void reap_children() {
  WaitEvent event;
  do clear_thread_flag(TIF_SIGPENDING);
  while (do_wait({PIDTYPE_MAX, nullptr, WEXITED | __WALL}, &event) != -ECHILD);
}

// Is a task left that has a number here and is not of self's group? Numbers that outlive their tasks as those of process groups or
// sessions (20 T-29) do not count: whoever keeps them need not be of the namespace, and may wait for self. Linux counts them, and waits for ever.
bool has_other_members(pid_namespace* ns, const task_struct* self) {
  ReadGuard tasklist(tasklist_lock);
  for (struct pid* pid = find_ge_pid(1, ns); pid; pid = find_ge_pid(pid_nr_ns(pid, ns) + 1, ns)) {
    const task_struct* t = pid_task(pid, PIDTYPE_PID);
    if (t && !same_thread_group(t, self)) return true;
  }
  return false;
}

// Who came in by setns has parents outside; they release it, and its number's end as a task's wakes us (T-27, X-24).
void wait_until_empty(pid_namespace* ns, const task_struct* self) {
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (!has_other_members(ns, self)) break;
    schedule();
  }
  __set_current_state(TASK_RUNNING);
}

}  // namespace

void zap_pid_ns_processes(pid_namespace* ns) {
  task_struct* self = current;
  disable_pid_allocation(ns);
  ignore_sigchld(self);
  kill_all_but_init(ns);
  reap_children();
  wait_until_empty(ns, self);
  {
    IrqOffWriteGuard tasklist(tasklist_lock);
    ns->child_reaper = &init_task;  // nobody is left whose parent self could become, nor who would wake it
  }
  if (ns->reboot) self->signal->group_exit_code = ns->reboot;
}
