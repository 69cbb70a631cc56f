// Fork itself: validate, prepare, publish. Spec 20 sections 10, 11 and 15.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/fork/copy_process.hh"

#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/kernel.h>
#include <linux/list.h>

#include "fs/vfs/vfs.hh"
#include "kernel/fork/clone_checks.hh"
#include "kernel/fork/new_task.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/pid/pidfd.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/signal/multiprocess.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/fault.hh"
#include "kernel/task/neighbours.hh"
#include "kernel/trace/trace.hh"
#include "mm/uaccess.hh"

// ---- Publication: the only lock scope in which the child becomes visible ---------------------------------------------

// F-91.
void NewTask::choose_parent() {
  task_struct* self = current;
  if (args_.flags & (CLONE_PARENT | CLONE_THREAD)) {
    t_->real_parent = self->real_parent;
    t_->parent_exec_id = self->parent_exec_id;
    t_->exit_signal = args_.flags & CLONE_THREAD ? -1 : self->group_leader->exit_signal;
  } else {
    t_->real_parent = self;
    t_->parent_exec_id = self->self_exec_id;
    t_->exit_signal = args_.exit_signal;
  }
  t_->parent = t_->real_parent;
}

// S30: the last refusals.
Result<void> NewTask::may_publish() {
  fault_stage("S30");
  if (!args_.idle && !(data_race(ns_of_pid(pid_)->pid_allocated) & kPidAdding)) return fail(ENOMEM);
  if (fault_here("namespace dying")) return fail(ENOMEM);
  if (fatal_signal_pending(current) || should_fail(FailPoint::Signal, "fatal signal")) return fail(EINTR);
  return {};
}

// F-92, a new process. The global lists are in order of creation.
void NewTask::become_process(const ForkSignals& signals) {
  task_struct* t = t_;
  signal_struct* s = t->signal;
  const signal_struct* parent = current->signal;
  if (is_child_reaper(pid_)) {
    ns_of_pid(pid_)->child_reaper = t;
    s->flags |= SIGNAL_UNKILLABLE;
  }
  s->shared_pending.signal = signals.collected();
  s->tty = tty_kref_get(parent->tty);
  s->has_child_subreaper = t->real_parent->signal->has_child_subreaper || t->real_parent->signal->is_child_subreaper;
  s->pids[PIDTYPE_TGID] = pid_;
  s->pids[PIDTYPE_PGID] = parent->pids[PIDTYPE_PGID];
  s->pids[PIDTYPE_SID] = parent->pids[PIDTYPE_SID];
  list_add_tail(&t->sibling, &t->real_parent->children);
  list_add_tail_rcu(&t->tasks, &init_task.tasks);
  list_add_tail_rcu(&t->thread_node, &s->thread_head);
  attach_pid(t, PIDTYPE_TGID);
  attach_pid(t, PIDTYPE_PGID);
  attach_pid(t, PIDTYPE_SID);
}

void NewTask::become_thread() {
  signal_struct* s = current->signal;
  WRITE_ONCE(s->nr_threads, s->nr_threads + 1);
  s->quick_threads++;
  atomic_inc(&s->live);
  refcount_inc(&s->sigcnt);
  task_join_group_stop(t_);
  list_add_tail_rcu(&t_->thread_node, &s->thread_head);
}

Result<task_struct*> NewTask::publish(ForkSignals& signals) {
  {
    IrqOffWriteGuard tasklist(tasklist_lock);
    choose_parent();
    SpinGuard siglock(current->sighand->siglock);
    TRY(may_publish());
    // From here on nothing fails.
    if (!args_.idle) {
      if (args_.flags & CLONE_THREAD)
        become_thread();
      else
        become_process(signals);
      if (current->ptrace) [[unlikely]] ptrace_init_task(t_, args_.flags, args_.trace_event);
      attach_pid(t_, PIDTYPE_PID);
      WRITE_ONCE(nr_threads, nr_threads + 1);
    }
    total_forks++;
    signals.unlink();
  }
  taken_ = 0;  // all of it is the published task's
  if (pidfd_file_) fd_install(static_cast<unsigned>(pidfd_), pidfd_file_);
  sched_post_fork(t_);
  cgroup_post_fork(t_, &cgroup_);
  return t_;
}

// ---- copy_process and its callers ------------------------------------------------------------------------------------

Result<task_struct*> copy_process(const kernel_clone_args& args) {
  CloneCaller caller{.unkillable = (data_race(current->signal->flags) & SIGNAL_UNKILLABLE) != 0};
  if (args.flags & CLONE_VM) {  // which every thread has
    const struct nsproxy* ns = current->nsproxy;
    caller.other_pid_ns_for_children = ns->pid_ns_for_children != task_active_pid_ns(current);
    caller.other_time_ns_for_children = ns->time_ns_for_children != ns->time_ns;
  }
  if (int e = validate_clone(args.flags, caller)) return fail(e);
  fault_stage("S1");
  ForkSignals signals(args.flags);
  if (signals.interrupted()) return fail(ERESTARTNOINTR);
  NewTask child(args);
  TRY(child.prepare());
  return child.publish(signals);
}

namespace {

// Spec 20 section 16: until the child no longer uses our memory. Only a fatal signal ends the wait early: then false.
bool wait_for_vfork_done(task_struct* child, completion* done) {
  cgroup_enter_frozen();  // a freezer need not wait for it: it goes into the trap when it goes on
  const bool killed = wait_for_completion_state(done, TASK_KILLABLE | TASK_FREEZABLE);
  cgroup_leave_frozen(Leave::IfThawed);
  if (killed) {
    SpinGuard guard(child->alloc_lock);
    WRITE_ONCE(child->vfork_done, static_cast<completion*>(nullptr));
  }
  put_task_struct(child);
  return !killed;
}

// Steps 6, 7 and 9. The tracer hears of the child before the parent waits for it (F-99).
pid_t start_vfork_child(task_struct* child, pid_t nr, int event) {
  completion done;
  init_completion(&done);
  child->vfork_done = &done;
  get_task_struct(child);
  PidHold pid(get_pid(child->thread_pid));
  struct pid* const number = child->thread_pid;
  wake_up_new_task(child);
  if (event) [[unlikely]] ptrace_event_pid(event, number);
  if (wait_for_vfork_done(child, &done) && data_race(current->ptrace)) [[unlikely]] ptrace_event_pid(PTRACE_EVENT_VFORK_DONE, number);
  return nr;
}

}  // namespace

Result<pid_t> kernel_clone(kernel_clone_args args) {
  if (pidfd_collides(args)) return fail(EINVAL);
  if (data_race(current->ptrace)) [[unlikely]] args.trace_event = ptrace_fork_event(args.flags, args.exit_signal);
  task_struct* child = TRY(copy_process(args));
  trace_sched_process_fork(current, child);
  // The child may be gone as soon as it runs; its number is taken first.
  const pid_t nr = pid_vnr(child->thread_pid);
  if (args.flags & CLONE_PARENT_SETTID) (void)put_user(nr, args.parent_tid);  // a fault is ignored
  if (args.flags & CLONE_VFORK) return start_vfork_child(child, nr, args.trace_event);
  if (!args.trace_event) [[likely]] {
    wake_up_new_task(child);
    return nr;
  }
  PidHold pid(get_pid(child->thread_pid));
  struct pid* const number = child->thread_pid;
  wake_up_new_task(child);
  ptrace_event_pid(args.trace_event, number);
  return nr;
}

void mm_release_vfork(task_struct* t) {
  if (!READ_ONCE(t->vfork_done)) return;  // set before the child first ran, so this look needs no lock; it may be taken back
  SpinGuard guard(t->alloc_lock);
  if (completion* done = std::exchange(t->vfork_done, nullptr)) complete(done);
}

pid_t kernel_thread(int (*fn)(void*), void* arg, unsigned long flags) {
  return static_cast<pid_t>(to_abi(kernel_clone({
      .flags = (flags | CLONE_VM | CLONE_UNTRACED) & ~u64{CSIGNAL},
      .exit_signal = static_cast<int>(flags & CSIGNAL),
      .kthread = true,
      .fn = fn,
      .fn_arg = arg,
  })));
}

pid_t user_mode_thread(int (*fn)(void*), void* arg, unsigned long flags) {
  return static_cast<pid_t>(to_abi(kernel_clone({
      .flags = (flags | CLONE_VM | CLONE_UNTRACED) & ~u64{CSIGNAL},
      .exit_signal = static_cast<int>(flags & CSIGNAL),
      .fn = fn,
      .fn_arg = arg,
  })));
}

namespace {
int idle_dummy(void*) { BUG(); }
}  // namespace

task_struct* fork_idle(unsigned cpu) {
  auto idle = copy_process({.flags = CLONE_VM | CLONE_FS | CLONE_FILES, .kthread = true, .idle = true, .fn = idle_dummy});
  if (!idle) return nullptr;
  snprintf((*idle)->comm, sizeof((*idle)->comm), "swapper/%u", cpu);
  init_idle(*idle, cpu);
  return *idle;
}

// As if the last stage of its making had failed.
void unmake_idle(task_struct* idle) {
  const kernel_clone_args args{.kthread = true, .idle = true};
  NewTask whole(args);
  whole.adopt_idle(idle);
}
