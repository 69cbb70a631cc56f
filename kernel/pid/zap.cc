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

// Numbers of dead members of the namespace that self keeps from being free (20 T-29), having joined their process group or
// session. Linux does not count them, and waits here for ever.
unsigned kept_by_group(const pid_namespace* ns, const task_struct* self) {
  ReadGuard tasklist(tasklist_lock);
  const signal_struct* s = self->signal;
  struct pid* const group = s->pids[PIDTYPE_PGID], * const session = s->pids[PIDTYPE_SID];
  auto kept = [ns](struct pid* p) { return pid_nr_ns(p, ns) && !pid_task(p, PIDTYPE_PID) ? 1u : 0u; };
  return kept(group) + (session == group ? 0 : kept(session));
}

// Who came in by setns has parents outside; they release it, and free_pid() wakes us (T-27, X-24).
void wait_until_empty(pid_namespace* ns, task_struct* self) {
  const unsigned own = thread_group_leader(self) ? 1 : 2;  // a leader that died first has its number still
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (READ_ONCE(ns->pid_allocated) <= own + kept_by_group(ns, self)) break;
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
  if (ns->reboot) self->signal->group_exit_code = ns->reboot;
}
