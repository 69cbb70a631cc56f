// unshare(2): current leaves what it shares. Spec 20 section 20.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/unshare.hh"

#include "fs/vfs/vfs.hh"
#include "ipc/ipc_namespace.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

namespace {

UnshareCaller describe_current() {
  const task_struct* self = current;
  return {
      .threads = READ_ONCE(self->signal->nr_threads) > 1,
      .shares_handlers = refcount_read(&self->sighand->count) > 1,
      .shares_memory = self->mm && atomic_read(&self->mm->mm_users) > 1,
  };
}

// What current is to have in place of what it has; null: it keeps that. Owns all of it until apply(), and afterwards what was
// replaced (except for the two that have functions of their own).
class Unshared {
 public:
  Unshared() = default;
  Unshared(const Unshared&) = delete;
  ~Unshared() {
    if (namespaces_) put_nsproxy(namespaces_);
    if (cred_) abort_creds(cred_);
    if (files_) put_files_struct(files_);
    if (fs_) put_fs_struct(fs_);
  }

  // F-112's order. Nothing of current changes.
  Result<void> prepare(u64 flags) {
    task_struct* self = current;
    // A new mount namespace moves the paths in fs, which must not be current's before all has succeeded.
    const bool private_fs = flags & CLONE_NEWNS || ((flags & CLONE_FS) && READ_ONCE(self->fs->users) > 1);
    if (private_fs && !(fs_ = copy_fs_struct(self->fs))) return fail(ENOMEM);
    if ((flags & CLONE_FILES) && atomic_read(&self->files->count) > 1) files_ = TRY(dup_fd(self->files, ~0u));
    TRY(check_abi(unshare_userns(flags, &cred_)));
    namespaces_ = TRY(unshare_nsproxy_namespaces(flags, cred_, fs_));
    return {};
  }

  void apply(u64 flags) {
    task_struct* self = current;
    if (flags & CLONE_SYSVSEM) exit_sem(self);  // N-8: while it is in the old namespace
    if (namespaces_) switch_task_namespaces(self, std::exchange(namespaces_, nullptr));
    {
      SpinGuard guard(self->alloc_lock);
      if (fs_) std::swap(fs_, self->fs);
      if (files_) std::swap(files_, self->files);
    }
    if (cred_) commit_creds(std::exchange(cred_, nullptr));
  }

 private:
  fs_struct* fs_ = nullptr;
  files_struct* files_ = nullptr;
  struct cred* cred_ = nullptr;
  struct nsproxy* namespaces_ = nullptr;
};

}  // namespace

SYSCALL_DEFINE1(unshare, unsigned long, flags) {
  flags = unshare_implied(flags);
  if (int e = validate_unshare(flags, describe_current())) return -e;
  Unshared fresh;
  TRY_ABI(fresh.prepare(flags));
  fresh.apply(flags);
  return 0;
}
