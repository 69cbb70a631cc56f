// Resource limits: getrlimit(2), setrlimit(2), prlimit(2).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned long kNrOpenMax = 1048576;  // /proc/sys/fs/nr_open

// Reads and, if want is given, sets. The limits of a process are guarded by its leader's alloc_lock.
Result<rlimit> do_prlimit(task_struct* t, unsigned which, const rlimit* want) {
  if (which >= RLIM_NLIMITS) return fail(EINVAL);
  if (want && want->rlim_cur > want->rlim_max) return fail(EINVAL);
  if (want && which == RLIMIT_NOFILE && want->rlim_max > kNrOpenMax) return fail(EPERM);
  rlimit* r = &t->signal->rlim[which];
  SpinGuard guard(t->group_leader->alloc_lock);
  const rlimit old = *r;
  if (want) {
    if (want->rlim_max > old.rlim_max && !capable(CAP_SYS_RESOURCE)) return fail(EPERM);
    *r = *want;
  }
  return old;
}

// prlimit(2): same ids all over, or CAP_SYS_RESOURCE.
bool may_prlimit(task_struct* t) {
  if (t == current) return true;
  const struct cred *c = current->cred, *o = rcu_dereference(t->real_cred);
  const bool same = uid_eq(c->uid, o->euid) && uid_eq(c->uid, o->suid) && uid_eq(c->uid, o->uid) && gid_eq(c->gid, o->egid) &&
                    gid_eq(c->gid, o->sgid) && gid_eq(c->gid, o->gid);
  return same || ns_capable(o->user_ns, CAP_SYS_RESOURCE);
}

}  // namespace

SYSCALL_DEFINE2(getrlimit, unsigned, which, rlimit __user*, out) {
  const rlimit r = TRY_ABI(do_prlimit(current, which, nullptr));
  return put_user(r, out);
}

SYSCALL_DEFINE2(setrlimit, unsigned, which, const rlimit __user*, in) {
  rlimit want;
  if (get_user(want, in)) return -EFAULT;
  auto old = do_prlimit(current, which, &want);
  return old ? 0 : old.error().neg();
}

SYSCALL_DEFINE4(prlimit64, pid_t, pid, unsigned, which, const rlimit __user*, in, rlimit __user*, out) {
  rlimit want;
  if (in && get_user(want, in)) return -EFAULT;
  task_struct* t;
  {
    RcuReadGuard rcu;
    t = pid ? find_task_by_vpid(pid) : current;
    if (!t) return -ESRCH;
    if (!may_prlimit(t)) return -EPERM;
    get_task_struct(t);
  }
  auto old = do_prlimit(t, which, in ? &want : nullptr);
  put_task_struct(t);
  if (!old) return old.error().neg();
  return out && put_user(*old, out) ? -EFAULT : 0;
}
