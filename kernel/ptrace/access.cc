// Who may look into whom: ptrace(2) "Ptrace access mode checking". Yama and other security modules are absent.
// SPDX-License-Identifier: Apache-2.0
#include <linux/err.h>

#include "kernel/cred/cred.hh"
#include "kernel/ptrace/internal.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

namespace {

bool caps_within(kernel_cap_t a, kernel_cap_t of) { return !(a.bits & ~of.bits); }

struct CallerIds {
  kuid_t uid;
  kgid_t gid;
};
CallerIds caller_ids(const struct cred* c, unsigned mode) {
  return mode & PTRACE_MODE_FSCREDS ? CallerIds{c->fsuid, c->fsgid} : CallerIds{c->uid, c->gid};
}

bool ids_match(const CallerIds& me, const struct cred* t) {
  return uid_eq(me.uid, t->euid) && uid_eq(me.uid, t->suid) && uid_eq(me.uid, t->uid) && gid_eq(me.gid, t->egid) &&
         gid_eq(me.gid, t->sgid) && gid_eq(me.gid, t->gid);
}

// The capability module's rule: nobody looks into who can do more than himself.
bool caps_allow(const struct cred* me, const struct cred* t, unsigned mode) {
  const kernel_cap_t mine = mode & PTRACE_MODE_FSCREDS ? me->cap_effective : me->cap_permitted;
  if (me->user_ns == t->user_ns && caps_within(t->cap_permitted, mine)) return true;
  return ns_capable(t->user_ns, CAP_SYS_PTRACE);
}

// alloc_lock of t.
bool may_access(task_struct* t, unsigned mode) {
  const struct cred* me = current->cred;
  if (!!(mode & PTRACE_MODE_FSCREDS) == !!(mode & PTRACE_MODE_REALCREDS)) return false;  // a caller that does not say which
  if (same_thread_group(t, current)) return true;
  RcuReadGuard rcu;
  const struct cred* theirs = rcu_dereference(t->real_cred);
  if (!ids_match(caller_ids(me, mode), theirs) && !ns_capable(theirs->user_ns, CAP_SYS_PTRACE)) return false;
  smp_rmb();  // a change of credentials makes the process undumpable first
  if (const mm_struct* mm = t->mm; mm && get_dumpable(mm) != SUID_DUMP_USER && !ns_capable(mm->user_ns, CAP_SYS_PTRACE))
    return false;
  return caps_allow(me, theirs, mode);
}

}  // namespace

bool ptrace_may_access(task_struct* t, unsigned mode) {
  SpinGuard guard(t->alloc_lock);
  return may_access(t, mode);
}

bool ptracer_capable(task_struct* t, user_namespace* ns) {
  RcuReadGuard rcu;
  const struct cred* tracer = rcu_dereference(t->ptracer_cred);
  return !tracer || cred_has_cap(tracer, ns, CAP_SYS_PTRACE);
}

// exec_update_lock: an exec changes memory and credentials as one.
Result<mm_struct*> mm_access(task_struct* t, unsigned mode) {
  signal_struct* s = t->signal;
  if (down_read_killable(&s->exec_update_lock)) return fail(EINTR);
  mm_struct* mm = get_task_mm(t);
  const bool allowed = !mm || mm == current->mm || ptrace_may_access(t, mode);
  up_read(&s->exec_update_lock);
  if (allowed) return mm;
  mmput(mm);
  return fail(EACCES);
}
