// setns(2): current enters namespaces that a descriptor stands for: an nsfs file's, or, by a pidfd, any of a process's.
// Spec 20 F-113.
// SPDX-License-Identifier: Apache-2.0
#include "fs/vfs/vfs.hh"
#include "kernel/entry/syscall.hh"

// No descriptor stands for a namespace here.
SYSCALL_DEFINE2(setns, int, fd, int, type) {
  Fd f(static_cast<unsigned>(fd));
  return f ? -EINVAL : -EBADF;
}
