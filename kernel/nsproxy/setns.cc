// setns(2): current enters namespaces that a descriptor stands for: an nsfs file's, or, by a pidfd, any of a process's. All of
// them or none. Spec 20 F-113.
// SPDX-License-Identifier: Apache-2.0
#include "fs/nsfs/nsfs.hh"
#include "fs/vfs/vfs.hh"
#include "ipc/ipc_namespace.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/fork/clone_checks.hh"
#include "kernel/nsproxy/internal.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/pid/pidfd.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sync/guards.hh"

namespace {

// Copies of what current has, which the kinds' install functions change; current's own once all have succeeded.
class Switch {
 public:
  explicit Switch(unsigned flags) { set_.flags = flags; }
  Switch(const Switch&) = delete;
  ~Switch() {
    if (set_.nsproxy) put_nsproxy(set_.nsproxy);
    if (set_.fs) put_fs_struct(set_.fs);
    if (fresh_cred_) abort_creds(fresh_cred_);
  }

  Result<void> prepare() {
    set_.nsproxy = TRY(create_new_namespaces(0, current->nsproxy, current->cred->user_ns, current->fs));
    set_.cred = current->cred;
    if (set_.flags & CLONE_NEWUSER) {
      if (!(fresh_cred_ = prepare_creds())) return fail(ENOMEM);
      set_.cred = fresh_cred_;
    }
    if ((set_.flags & CLONE_NEWNS) && !(set_.fs = copy_fs_struct(current->fs))) return fail(ENOMEM);
    return {};
  }

  Result<void> install(ns_common* ns) { return check_abi(ns->ops->install(&set_, ns)); }

  void commit() {
    if (fresh_cred_) commit_creds(std::exchange(fresh_cred_, nullptr));
    if (set_.fs) {
      set_fs_root(current->fs, &set_.fs->root);
      set_fs_pwd(current->fs, &set_.fs->pwd);
    }
    if (set_.flags & CLONE_NEWIPC) exit_sem(current);  // of the namespace it leaves
    switch_task_namespaces(current, std::exchange(set_.nsproxy, nullptr));
    if (set_.flags & CLONE_NEWTIME) time_ns_entered(current);
  }

 private:
  nsset set_{};
  struct cred* fresh_cred_ = nullptr;
};

constexpr unsigned kAllKinds = static_cast<unsigned>(kCloneNewNamespaces) | CLONE_NEWUSER;
// First who decides about the capabilities for the rest.
constexpr const proc_ns_operations* kKinds[] = {
    &userns_operations, &mntns_operations, &utsns_operations, &ipcns_operations,
    &pidns_operations,  &cgroupns_operations, &netns_operations, &timens_operations,
};

Result<void> install_all_of(task_struct* t, unsigned flags, Switch* to) {
  if (!ptrace_may_access(t, PTRACE_MODE_READ_REALCREDS)) return fail(EPERM);
  for (const proc_ns_operations* ops : kKinds) {
    if (!(flags & ops->type)) continue;
    ns_common* ns = ops->get(t);
    if (!ns) return fail(ESRCH);
    Result<void> r = to->install(ns);
    ops->put(ns);
    TRY(r);
  }
  return {};
}

Result<void> enter_those_of(struct pid* pid, unsigned flags) {
  if (!flags || (flags & ~kAllKinds)) return fail(EINVAL);
  Switch to(flags);
  TRY(to.prepare());
  task_struct* t;
  {
    RcuReadGuard rcu;
    t = pid_task(pid, PIDTYPE_PID);
    if (!t) return fail(ESRCH);
    get_task_struct(t);
  }
  Result<void> r = install_all_of(t, flags, &to);
  put_task_struct(t);
  if (r) to.commit();
  return r;
}

Result<void> enter(ns_common* ns, unsigned flags) {
  if (flags && flags != ns->ops->type) return fail(EINVAL);
  Switch to(ns->ops->type);
  TRY(to.prepare());
  TRY(to.install(ns));
  to.commit();
  return {};
}

}  // namespace

SYSCALL_DEFINE2(setns, int, fd, int, type) {
  FileRef f(fget(static_cast<unsigned>(fd)));
  if (!f) return -EBADF;
  const auto flags = static_cast<unsigned>(type);
  if (ns_common* ns = get_proc_ns(f.get())) return to_abi(enter(ns, flags));
  if (struct pid* pid = pidfd_pid(f.get())) return to_abi(enter_those_of(pid, flags));
  return -EINVAL;
}
