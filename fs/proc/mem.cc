// /proc/PID/mem: a process's memory as a file. Who may attach to it may read and write, whatever the pages' own rights are.
// SPDX-License-Identifier: Apache-2.0
#include <linux/minmax.h>
#include <linux/slab.h>

#include "fs/proc/proc.hh"
#include "kernel/ptrace/ptrace.hh"
#include "mm/mm_struct.hh"

namespace {

constexpr size_t kChunk = 4096;

// The file stays with the address space that it was opened for, which it does not keep from ending.
mm_struct* mm_of(const file* f) { return static_cast<mm_struct*>(f->private_data); }

int open_mem(inode* i, file* f) {
  task_struct* t = get_proc_task(i);
  if (!t) return -ESRCH;
  Result<mm_struct*> mm = mm_access(t, PTRACE_MODE_ATTACH_FSCREDS);
  put_task_struct(t);
  if (!mm) return static_cast<int>(mm.error().neg());
  if (*mm) {
    mmgrab(*mm);
    mmput(*mm);
  }
  f->private_data = *mm;
  return 0;
}

int release_mem(inode*, file* f) {
  if (mm_struct* mm = mm_of(f)) mmdrop(mm);
  return 0;
}

// One chunk: how much was moved; less than asked for at a page that is not there, or that the caller may not name.
size_t move_chunk(mm_struct* mm, unsigned long at, size_t n, iov_iter* iter, char* page, RemoteAccess how) {
  if (how == RemoteAccess::ForceRead) {
    const long got = access_remote_vm(mm, at, page, static_cast<long>(n), how);
    return copy_to_iter(page, static_cast<size_t>(got), iter);
  }
  const size_t got = copy_from_iter(page, n, iter);
  return static_cast<size_t>(access_remote_vm(mm, at, page, static_cast<long>(got), how));
}

// EIO: not one byte; EFAULT: the caller's own memory.
ssize_t move(kiocb* iocb, iov_iter* iter, RemoteAccess how) {
  mm_struct* mm = mm_of(iocb->ki_filp);
  if (!mm || !iov_iter_count(iter) || !mmget_not_zero(mm)) return 0;
  auto* page = static_cast<char*>(kmalloc(kChunk, GFP_KERNEL));
  ssize_t done = page ? 0 : -ENOMEM;
  while (page && iov_iter_count(iter)) {
    const auto at = static_cast<unsigned long>(iocb->ki_pos);
    const size_t want = min(iov_iter_count(iter), kChunk - at % kChunk), before = iov_iter_count(iter);
    const size_t moved = move_chunk(mm, at, want, iter, page, how);
    const bool ours_is_bad = how == RemoteAccess::ForceWrite && before - iov_iter_count(iter) < want;
    done += static_cast<ssize_t>(moved);
    iocb->ki_pos += static_cast<loff_t>(moved);
    if (moved == want) continue;
    if (!done) done = ours_is_bad ? -EFAULT : -EIO;
    break;
  }
  kfree(page);
  mmput(mm);
  return done;
}

ssize_t read_mem(kiocb* iocb, iov_iter* to) { return move(iocb, to, RemoteAccess::ForceRead); }
ssize_t write_mem(kiocb* iocb, iov_iter* from) { return move(iocb, from, RemoteAccess::ForceWrite); }

loff_t seek_mem(file* f, loff_t off, int whence) {
  if (whence != SEEK_SET && whence != SEEK_CUR) return -EINVAL;
  return f->f_pos = whence == SEEK_SET ? off : f->f_pos + off;
}

}  // namespace

constinit const file_operations mem_fops = {
    .llseek = seek_mem, .read_iter = read_mem, .write_iter = write_mem, .open = open_mem, .release = release_mem};
