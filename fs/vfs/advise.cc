// Hints about what will be read or written back: checked, and of no effect, since all files are in memory.
// SPDX-License-Identifier: Apache-2.0
#include "fs/pipe/pipe.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/entry/syscall.hh"

SYSCALL_DEFINE4(fadvise64, int, fd, loff_t, off, loff_t, len, int, advice) {
  Fd f(static_cast<unsigned>(fd));
  if (!f) return -EBADF;
  if (S_ISFIFO(f->f_inode->i_mode)) return -ESPIPE;
  return len < 0 || advice < 0 || advice > 5 ? -EINVAL : 0;
}

SYSCALL_DEFINE3(readahead, int, fd, loff_t, off, size_t, n) {
  Fd f(static_cast<unsigned>(fd));
  if (!f || !(f->f_mode & FMODE_READ)) return -EBADF;
  return S_ISREG(f->f_inode->i_mode) ? 0 : -EINVAL;
}

SYSCALL_DEFINE4(sync_file_range, int, fd, loff_t, off, loff_t, n, unsigned, flags) {
  if (flags & ~7u || off < 0 || n < 0 || off + n < off) return -EINVAL;
  Fd f(static_cast<unsigned>(fd));
  if (!f) return -EBADF;
  umode_t m = f->f_inode->i_mode;
  return S_ISREG(m) || S_ISDIR(m) || S_ISLNK(m) || S_ISBLK(m) ? 0 : -ESPIPE;
}
