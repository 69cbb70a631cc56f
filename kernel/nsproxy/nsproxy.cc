// Sets of namespaces: copied by fork and unshare, dropped by exit.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/nsproxy.hh"

#include <linux/bug.h>
#include <linux/slab.h>

#include "kernel/cred/cred.hh"
#include "kernel/fork/clone_checks.hh"
#include "kernel/nsproxy/internal.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/sync/guards.hh"

namespace {

// A set in the making, filled in the order of creation; what is there when it goes is given back, last first.
class NewSet {
 public:
  NewSet() : ns_(static_cast<struct nsproxy*>(kzalloc(sizeof(struct nsproxy), GFP_KERNEL))) {}
  NewSet(const NewSet&) = delete;
  ~NewSet() {
    if (ns_) __put_nsproxy(ns_);
  }
  explicit operator bool() const { return ns_; }
  struct nsproxy* operator->() const { return ns_; }
  struct nsproxy* release() {
    refcount_set(&ns_->count, 1);
    return std::exchange(ns_, nullptr);
  }

 private:
  struct nsproxy* ns_;
};

}  // namespace

// Also of a set that is half made: what is not there is null. The order is the reverse of creation (F-50).
void __put_nsproxy(struct nsproxy* ns) {
  if (ns->time_ns_for_children) put_time_ns(ns->time_ns_for_children);
  if (ns->time_ns) put_time_ns(ns->time_ns);
  if (ns->net_ns) put_net(ns->net_ns);
  if (ns->cgroup_ns) put_cgroup_ns(ns->cgroup_ns);
  if (ns->pid_ns_for_children) put_pid_ns(ns->pid_ns_for_children);
  if (ns->ipc_ns) put_ipc_ns(ns->ipc_ns);
  if (ns->uts_ns) put_uts_ns(ns->uts_ns);
  if (ns->mnt_ns) put_mnt_ns(ns->mnt_ns);
  kfree(ns);
}

// 12.8: the order of creation is the spec's.
Result<struct nsproxy*> create_new_namespaces(u64 flags, const struct nsproxy* old, user_namespace* user_ns, fs_struct* fs) {
  NewSet fresh;
  if (!fresh) return fail(ENOMEM);
  fresh->mnt_ns = TRY(copy_mnt_ns(flags, old->mnt_ns, user_ns, fs));
  fresh->uts_ns = TRY(copy_utsname(flags, user_ns, old->uts_ns));
  fresh->ipc_ns = TRY(copy_ipcs(flags, user_ns, old->ipc_ns));
  fresh->pid_ns_for_children = TRY(copy_pid_ns(flags, user_ns, old->pid_ns_for_children));
  fresh->cgroup_ns = TRY(copy_cgroup_ns(flags, user_ns, old->cgroup_ns));
  fresh->net_ns = TRY(copy_net_ns(flags, user_ns, old->net_ns));
  fresh->time_ns_for_children = TRY(copy_time_ns(flags, user_ns, old->time_ns_for_children));
  fresh->time_ns = get_time_ns(old->time_ns);
  return fresh.release();
}

// F-64.
Result<void> __copy_namespaces(u64 flags, task_struct* child) {
  user_namespace* user_ns = child->cred->user_ns;
  if (!ns_capable(user_ns, CAP_SYS_ADMIN)) return fail(EPERM);
  if ((flags & (CLONE_NEWIPC | CLONE_SYSVSEM)) == (CLONE_NEWIPC | CLONE_SYSVSEM)) return fail(EINVAL);  // F-29
  struct nsproxy* fresh = TRY(create_new_namespaces(flags, child->nsproxy, user_ns, child->fs));
  time_ns_enter_for_children(fresh, child->mm);
  child->nsproxy = fresh;
  return {};
}

Result<struct nsproxy*> unshare_nsproxy_namespaces(u64 flags, const struct cred* new_cred, fs_struct* new_fs) {
  if (!(flags & kCloneNewNamespaces)) return nullptr;
  user_namespace* user_ns = (new_cred ? new_cred : current_cred())->user_ns;
  if (!ns_capable(user_ns, CAP_SYS_ADMIN)) return fail(EPERM);
  return create_new_namespaces(flags, current->nsproxy, user_ns, new_fs ? new_fs : current->fs);
}

void switch_task_namespaces(task_struct* t, struct nsproxy* fresh) {
  struct nsproxy* old;
  {
    SpinGuard guard(t->alloc_lock);
    old = std::exchange(t->nsproxy, fresh);
  }
  if (old) put_nsproxy(old);
}
