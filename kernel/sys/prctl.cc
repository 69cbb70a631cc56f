// prctl(2).
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>
#include <linux/string.h>
#include <uapi/linux/prctl.h>

#include "kernel/cred/capability.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

using Arg = unsigned long;

long set_pdeathsig(Arg sig) {
  if (!valid_signal(sig)) return -EINVAL;
  current->pdeath_signal = static_cast<int>(sig);
  return 0;
}

long set_name(const char __user* from) {
  char name[TASK_COMM_LEN] = {};
  long n = strncpy_from_user(name, from, TASK_COMM_LEN - 1);
  if (n < 0) return -EFAULT;
  set_task_comm(current, name);
  return 0;
}

long get_name(char __user* to) {
  char name[TASK_COMM_LEN];
  {
    SpinGuard guard(current->alloc_lock);
    memcpy(name, current->comm, sizeof(name));
  }
  return copy_to_user(to, name, sizeof(name)) ? -EFAULT : 0;
}

constexpr unsigned long kDumpableMask = 3;  // of mm_struct::flags

long get_dumpable() { return current->mm ? static_cast<long>(READ_ONCE(current->mm->flags) & kDumpableMask) : 0; }

long set_dumpable(Arg value) {
  if (value > 1) return -EINVAL;
  unsigned long old = READ_ONCE(current->mm->flags);
  while (!try_cmpxchg(&current->mm->flags, &old, (old & ~kDumpableMask) | value)) {
  }
  return 0;
}

long set_timer_slack(Arg ns) {
  current->timer_slack_ns = static_cast<long>(ns) <= 0 ? current->default_timer_slack_ns : ns;
  return 0;
}

// descendants learn that somebody above them reaps, down to other subreapers' marked subtrees. tasklist_lock.
void mark_descendants(task_struct* p) {
  task_struct* child;
  list_for_each_entry(child, &p->children, sibling) {
    if (child->signal->has_child_subreaper || is_child_reaper(task_pid(child))) continue;
    child->signal->has_child_subreaper = true;
    task_struct* t;
    for_each_thread(child, t) mark_descendants(t);
  }
}

long set_child_subreaper(Arg on) {
  IrqOffWriteGuard guard(tasklist_lock);
  current->signal->is_child_subreaper = on != 0;
  if (!on) return 0;
  task_struct* t;
  for_each_thread(current, t) mark_descendants(t);
  return 0;
}

}  // namespace

void set_task_comm(task_struct* t, const char* name) {
  SpinGuard guard(t->alloc_lock);
  size_t n = strnlen(name, TASK_COMM_LEN - 1);
  memcpy(t->comm, name, n);
  memset(t->comm + n, 0, TASK_COMM_LEN - n);
}

SYSCALL_DEFINE5(prctl, int, option, Arg, a2, Arg, a3, Arg, a4, Arg, a5) {
  task_struct* self = current;
  const bool rest = a3 || a4 || a5;
  switch (option) {
    case PR_SET_PDEATHSIG: return set_pdeathsig(a2);
    case PR_GET_PDEATHSIG: return put_user(self->pdeath_signal, reinterpret_cast<int*>(a2));
    case PR_GET_DUMPABLE: return get_dumpable();
    case PR_SET_DUMPABLE: return set_dumpable(a2);
    case PR_GET_KEEPCAPS: return prctl_get_keepcaps();
    case PR_SET_KEEPCAPS: return prctl_set_keepcaps(a2);
    case PR_GET_TIMING: return 0;
    case PR_SET_TIMING: return a2 ? -EINVAL : 0;
    case PR_SET_NAME: return set_name(reinterpret_cast<const char*>(a2));
    case PR_GET_NAME: return get_name(reinterpret_cast<char*>(a2));
    case PR_GET_SECCOMP: return 0;
    case PR_CAPBSET_READ: return prctl_capbset_read(a2);
    case PR_CAPBSET_DROP: return prctl_capbset_drop(a2);
    case PR_GET_SECUREBITS: return prctl_get_securebits();
    case PR_SET_SECUREBITS: return prctl_set_securebits(a2);
    case PR_SET_TIMERSLACK: return set_timer_slack(a2);
    case PR_GET_TIMERSLACK: return static_cast<long>(self->timer_slack_ns);
    case PR_SET_CHILD_SUBREAPER: return set_child_subreaper(a2);
    case PR_GET_CHILD_SUBREAPER: return put_user<int>(self->signal->is_child_subreaper, reinterpret_cast<int*>(a2));
    case PR_SET_NO_NEW_PRIVS:
      if (a2 != 1 || rest) return -EINVAL;
      self->no_new_privs = 1;
      return 0;
    case PR_GET_NO_NEW_PRIVS: return a2 || rest ? -EINVAL : self->no_new_privs;
    case PR_GET_TID_ADDRESS: return put_user(self->clear_child_tid, reinterpret_cast<int**>(a2));
    case PR_SET_THP_DISABLE: return rest ? -EINVAL : 0;
    case PR_GET_THP_DISABLE: return a2 || rest ? -EINVAL : 0;
    case PR_CAP_AMBIENT: return a4 || a5 ? -EINVAL : prctl_cap_ambient(a2, a3);
    default: return -EINVAL;
  }
}
