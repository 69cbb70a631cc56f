// Who am I: process, parent, process group and session numbers. getpid(2), setpgid(2), setsid(2), credentials(7).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/autogroup.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/neighbours.hh"

SYSCALL_DEFINE0(getpid) { return own_pid_number(PIDTYPE_TGID); }
SYSCALL_DEFINE0(gettid) { return own_pid_number(PIDTYPE_PID); }

// T-1. The parent may change and be freed while we look.
SYSCALL_DEFINE0(getppid) {
  RcuReadGuard rcu;
  const task_struct* parent = rcu_dereference(current->real_parent);
  return pid_vnr(rcu_dereference(parent->signal->pids[PIDTYPE_TGID]));
}

namespace {

// pid 0: current. -ESRCH; in_role says which number of that task is wanted.
long number_of(pid_t pid, pid_type in_role) {
  RcuReadGuard rcu;
  task_struct* t = pid ? find_task_by_vpid(pid) : current;
  if (!t) return -ESRCH;
  struct pid* found = READ_ONCE(t->signal->pids[in_role]);
  return found ? pid_vnr(found) : -ESRCH;
}

// setpgid's rules about the target; the group's are below. tasklist_lock held.
Result<task_struct*> setpgid_target(pid_t pid) {
  task_struct* self = current->group_leader;
  task_struct* p = find_task_by_vpid(pid);
  if (!p) return fail(ESRCH);
  if (!thread_group_leader(p)) return fail(EINVAL);
  if (same_thread_group(p->real_parent, self)) {
    if (task_session(p) != task_session(self)) return fail(EPERM);
    if (!(data_race(p->flags) & PF_FORKNOEXEC)) return fail(EACCES);
  } else if (p != self) {
    return fail(ESRCH);
  }
  if (p->signal->leader) return fail(EPERM);
  return p;
}

}  // namespace

SYSCALL_DEFINE2(setpgid, pid_t, pid, pid_t, pgid) {
  if (!pid) pid = task_pid_vnr(current->group_leader);
  if (!pgid) pgid = pid;
  if (pgid < 0) return -EINVAL;
  IrqOffWriteGuard guard(tasklist_lock);
  task_struct* p = TRY_ABI(setpgid_target(pid));
  struct pid* group = task_pid(p);
  if (pgid != pid) {
    group = find_vpid(pgid);
    task_struct* member = pid_task(group, PIDTYPE_PGID);
    if (!member || task_session(member) != task_session(current->group_leader)) return -EPERM;
  }
  if (task_pgrp(p) != group) change_pid(p, PIDTYPE_PGID, group);
  return 0;
}

SYSCALL_DEFINE1(getpgid, pid_t, pid) { return number_of(pid, PIDTYPE_PGID); }
SYSCALL_DEFINE0(getpgrp) { return number_of(0, PIDTYPE_PGID); }
SYSCALL_DEFINE1(getsid, pid_t, pid) { return number_of(pid, PIDTYPE_SID); }

SYSCALL_DEFINE0(setsid) {
  task_struct* leader = current->group_leader;
  struct pid* sid = task_pid(leader);
  tty_struct* tty = nullptr;
  {
    IrqOffWriteGuard guard(tasklist_lock);
    if (leader->signal->leader || pid_task(sid, PIDTYPE_PGID)) return -EPERM;
    leader->signal->leader = 1;
    change_pid(leader, PIDTYPE_PGID, sid);
    change_pid(leader, PIDTYPE_SID, sid);
    SpinGuard siglock(leader->sighand->siglock);
    tty = leader->signal->tty;
    leader->signal->tty = nullptr;
  }
  tty_kref_put(tty);
  sched_autogroup_create_attach();
  return pid_vnr(sid);
}

// For init and user-mode helpers in the kernel.
void set_special_pids(struct pid* pid) {
  task_struct* leader = current->group_leader;
  if (task_session(leader) != pid) change_pid(leader, PIDTYPE_SID, pid);
  if (task_pgrp(leader) != pid) change_pid(leader, PIDTYPE_PGID, pid);
}
