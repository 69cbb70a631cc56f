// exec in a process of several threads: the others end, the caller becomes the leader (spec 40 section 9).
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>

#include <utility>

#include "kernel/cgroup/threadgroup.hh"
#include "kernel/exec/exec.hh"
#include "kernel/exit/exit.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/internal.hh"
#include "kernel/sync/guards.hh"

namespace {

// Step 2. The threads that exit count notify_count down and wake us.
Result<void> kill_others(signal_struct* sig) {
  IrqSpinGuard guard(current->sighand->siglock);
  if ((sig->flags & SIGNAL_GROUP_EXIT) || sig->group_exec_task) return fail(EAGAIN);
  sig->group_exec_task = current;
  zap_other_threads(current);
  sig->notify_count = sig->nr_threads - 1 - (thread_group_leader(current) ? 0 : 1);
  return {};
}

Result<void> wait_for_others(signal_struct* sig) {
  for (;;) {
    set_current_state(TASK_KILLABLE);
    if (READ_ONCE(sig->notify_count) <= 0 || __fatal_signal_pending(current)) break;
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  return __fatal_signal_pending(current) ? Result<void>(fail(EAGAIN)) : Result<void>{};
}

// Step 3: until the old leader is a zombie. With the thread-group lock held for reading, and tasklist_lock for writing, when it
// returns success.
Result<void> lock_with_dead_leader(task_struct* leader) {
  for (;;) {
    cgroup_threadgroup_change_begin();  // nobody moves the process while its leader changes
    write_lock_irq(&tasklist_lock);
    current->signal->notify_count = -1;  // the leader's end wakes us
    if (leader->exit_state) return {};
    __set_current_state(TASK_KILLABLE);
    write_unlock_irq(&tasklist_lock);
    cgroup_threadgroup_change_end();
    if (__fatal_signal_pending(current)) {
      __set_current_state(TASK_RUNNING);
      return fail(EAGAIN);
    }
    schedule();
  }
}

// Killed while waiting: threads that end later must not wake a task that is gone.
Result<void> give_up(signal_struct* sig) {
  ReadGuard tasklist(tasklist_lock);
  sig->group_exec_task = nullptr;
  sig->notify_count = 0;
  return fail(EAGAIN);
}

void move_pid_link(task_struct* from, task_struct* to, pid_type type, struct pid* pid) {
  hlist_del_rcu(&from->pid_links[type]);
  hlist_add_head_rcu(&to->pid_links[type], &pid->tasks[type]);
}

// Step 4; tasklist_lock held for writing. The leader ends as an ordinary dead thread with the caller's old number.
void take_over(task_struct* self, task_struct* leader) {
  hlist_del_rcu(&self->pid_links[PIDTYPE_PID]);
  hlist_del_rcu(&leader->pid_links[PIDTYPE_PID]);
  std::swap(self->thread_pid, leader->thread_pid);
  hlist_add_head_rcu(&self->pid_links[PIDTYPE_PID], &self->thread_pid->tasks[PIDTYPE_PID]);
  hlist_add_head_rcu(&leader->pid_links[PIDTYPE_PID], &leader->thread_pid->tasks[PIDTYPE_PID]);
  std::swap(self->pid, leader->pid);
  for (pid_type type : {PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID}) move_pid_link(leader, self, type, self->signal->pids[type]);

  list_replace_rcu(&leader->tasks, &self->tasks);
  list_replace_init(&leader->sibling, &self->sibling);
  self->start_time = leader->start_time;
  self->start_boottime = leader->start_boottime;
  task_struct* t;
  for_each_thread(self, t) t->group_leader = self;
  self->group_leader = leader->group_leader = self;
  self->exit_signal = SIGCHLD;
  leader->exit_signal = -1;
  leader->exit_state = EXIT_DEAD;
  // Its tracer may wait for it, and is to see that it has gone.
  if (leader->ptrace) [[unlikely]] wake_up_parent(leader, leader->parent);
}

}  // namespace

Result<void> de_thread() {
  task_struct* self = current;
  signal_struct* sig = self->signal;
  if (!thread_group_empty(self)) {
    TRY(kill_others(sig));
    if (!wait_for_others(sig)) return give_up(sig);
    if (task_struct* leader = self->group_leader; leader != self) {
      if (!lock_with_dead_leader(leader)) return give_up(sig);
      __set_current_state(TASK_RUNNING);
      take_over(self, leader);
      write_unlock_irq(&tasklist_lock);
      cgroup_threadgroup_change_end();
      release_task(leader);
    }
    IrqSpinGuard guard(self->sighand->siglock);
    sig->group_exec_task = nullptr;
    sig->notify_count = 0;
  }
  self->exit_signal = SIGCHLD;
  return {};
}
