// Reaping: the last traces of a dead task. Spec 21 section 8.
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>

#include "kernel/task/neighbours.hh"
#include "kernel/cgroup/cgroup.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/exit/exit.hh"
#include "kernel/fork/task_memory.hh"
#include "kernel/pid/pid.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sched/autogroup.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/queue.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/cpu_timers.hh"

namespace {

task_struct* next_thread(const task_struct* p) {
  list_head* head = &p->signal->thread_head;
  list_head* next = p->thread_node.next == head ? head->next : p->thread_node.next;
  return list_entry(next, task_struct, thread_node);
}

// A dead thread's share goes into the totals of its group.
// It may be on its way through its last switch still, which counts.
void add_to_group(signal_struct* s, const task_struct* p) {
  s->utime += data_race(p->utime);
  s->stime += data_race(p->stime);
  s->sum_sched_runtime += data_race(p->se.sum_exec_runtime);
  s->min_flt += data_race(p->min_flt);
  s->maj_flt += data_race(p->maj_flt);
  s->nvcsw += data_race(p->nvcsw);
  s->nivcsw += data_race(p->nivcsw);
}

void unhash(task_struct* p, bool leader) {
  WRITE_ONCE(nr_threads, nr_threads - 1);
  detach_pid(p, PIDTYPE_PID);
  if (leader) {
    detach_pid(p, PIDTYPE_TGID);
    detach_pid(p, PIDTYPE_PGID);
    detach_pid(p, PIDTYPE_SID);
    list_del_rcu(&p->tasks);
    list_del_init(&p->sibling);
  }
  list_del_rcu(&p->thread_node);
}

// tasklist_lock held for writing.
void leave_group(task_struct* p) {
  signal_struct* s = p->signal;
  sighand_struct* sighand = p->sighand;
  const bool leader = thread_group_leader(p);
  tty_struct* tty = nullptr;
  {
    SpinGuard guard(sighand->siglock);
    cpu_timers_exit(p);
    if (leader) {
      tty = std::exchange(s->tty, nullptr);
    } else {
      // An exec waits until all other threads are gone.
      if (s->notify_count > 0) {
        WRITE_ONCE(s->notify_count, s->notify_count - 1);
        if (!s->notify_count) wake_up_process(s->group_exec_task);
      }
      if (s->curr_target == p) s->curr_target = next_thread(p);
    }
    add_to_group(s, p);
    WRITE_ONCE(s->nr_threads, s->nr_threads - 1);
    unhash(p, leader);
    flush_sigqueue(&p->pending);
    // Release: who sees null under RCU knows that the task is out of every list.
    __atomic_store_n(&p->sighand, static_cast<sighand_struct*>(nullptr), __ATOMIC_RELEASE);
  }
  __cleanup_sighand(sighand);
  clear_tsk_thread_flag(p, TIF_SIGPENDING);
  if (!leader) return;
  flush_sigqueue(&s->shared_pending);
  if (tty) tty_kref_put(tty);
}

// Point 5: a leader that died first is reported when its last thread is released. Null: not our business.
task_struct* overdue_leader(task_struct* p) {
  task_struct* leader = p->group_leader;
  if (leader == p || leader->exit_state != EXIT_ZOMBIE || !thread_group_empty(leader)) return nullptr;
  if (!do_notify_parent(leader, leader->exit_signal)) return nullptr;
  WRITE_ONCE(leader->exit_state, EXIT_DEAD);
  return leader;
}

}  // namespace

void release_task(task_struct* p) {
  while (p) {
    task_struct* next;
    uncharge_process(p->real_cred->ucounts);
    cgroup_release(p);
    {
      IrqOffWriteGuard guard(tasklist_lock);
      if (p->ptrace) [[unlikely]] ptrace_unlink(p);
      leave_group(p);
      next = overdue_leader(p);
    }
    if (thread_group_leader(p)) sched_autogroup_exit(p->signal);
    put_task_struct_rcu_user(p);
    p = next;
  }
  reclaim_stacks();
}
