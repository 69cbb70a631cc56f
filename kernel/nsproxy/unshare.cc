// unshare(2) and setns(2). Spec 20 section 20.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/unshare.hh"

#include "fs/vfs/vfs.hh"
#include "kernel/entry/syscall.hh"
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

}  // namespace

// F-112: directories, then files; what cannot be had leaves the caller as it was.
SYSCALL_DEFINE1(unshare, unsigned long, flags) {
  flags = unshare_implied(flags);
  if (int e = validate_unshare(flags, describe_current())) return -e;
  if ((flags & CLONE_FS) && current->fs->users > 1)
    if (auto r = unshare_fs_struct(); !r) return r.error().neg();
  if (flags & CLONE_FILES)
    if (auto r = unshare_files(); !r) return r.error().neg();
  return 0;
}

// No descriptor stands for a namespace here.
SYSCALL_DEFINE2(setns, int, fd, int, type) {
  Fd f(static_cast<unsigned>(fd));
  return f ? -EINVAL : -EBADF;
}
