// process_vm_readv(2) and process_vm_writev(2): memory from one process to another, by way of a page of the kernel's.
// SPDX-License-Identifier: Apache-2.0
#include <linux/minmax.h>
#include <linux/slab.h>

#include "fs/vfs/internal.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/ptrace/ptrace.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

enum class Way : unsigned char { FromRemote, ToRemote };
constexpr size_t kChunk = 4096;

class Page {
 public:
  Page() : p_(static_cast<char*>(kmalloc(kChunk, GFP_KERNEL))) {}
  ~Page() { kfree(p_); }
  Page(const Page&) = delete;
  char* get() const { return p_; }

 private:
  char* p_;
};

// Moves up to n bytes (a page at most) and returns how many; fewer: an address is bad on one of the two sides.
size_t move_chunk(mm_struct* mm, unsigned long remote, size_t n, iov_iter* local, char* page, Way way) {
  if (way == Way::FromRemote) {
    const long got = access_remote_vm(mm, remote, page, static_cast<long>(n), RemoteAccess::Read);
    return copy_to_iter(page, static_cast<size_t>(got), local);
  }
  const size_t got = copy_from_iter(page, n, local);
  return static_cast<size_t>(access_remote_vm(mm, remote, page, static_cast<long>(got), RemoteAccess::Write));
}

// Chunks end with the remote pages, so that what lies before a bad page is moved.
Result<long> move_all(mm_struct* mm, const iovec* remote, unsigned long nr, iov_iter* local, Way way) {
  Page page;
  if (!page.get()) return fail(ENOMEM);
  long done = 0;
  for (unsigned long i = 0; i < nr; i++) {
    auto at = reinterpret_cast<unsigned long>(remote[i].iov_base);
    size_t left = remote[i].iov_len;
    while (left && iov_iter_count(local)) {
      const size_t want = min(min(left, iov_iter_count(local)), kChunk - at % kChunk);
      const size_t moved = move_chunk(mm, at, want, local, page.get(), way);
      done += static_cast<long>(moved);
      if (moved < want) return done ? Result<long>(done) : fail(EFAULT);
      at += moved;
      left -= moved;
    }
  }
  return done;
}

class RemoteVec {
 public:
  ~RemoteVec() { kfree(v_); }
  Result<void> get(const iovec* user, unsigned long nr) {
    if (nr > UIO_MAXIOV) return fail(EINVAL);
    v_ = static_cast<iovec*>(kmalloc(nr * sizeof(iovec), GFP_KERNEL));
    if (!v_) return fail(ENOMEM);
    if (copy_from_user(v_, user, nr * sizeof(iovec))) return fail(EFAULT);
    for (unsigned long i = 0; i < nr; i++) {
      if (static_cast<ssize_t>(v_[i].iov_len) < 0) return fail(EINVAL);
      bytes_ += v_[i].iov_len;
    }
    return {};
  }
  const iovec* data() const { return v_; }
  size_t bytes() const { return bytes_; }

 private:
  iovec* v_ = nullptr;
  size_t bytes_ = 0;
};

Result<long> move_between(pid_t pid, const RemoteVec& remote, unsigned long nr, iov_iter* local, Way way) {
  task_struct* t = find_get_task_by_vpid(pid);
  if (!t) return fail(ESRCH);
  Result<mm_struct*> mm = mm_access(t, PTRACE_MODE_ATTACH_REALCREDS);
  put_task_struct(t);
  if (!mm) return fail(mm.error() == Errno(EACCES) ? EPERM : mm.error().code());
  if (!*mm) return fail(ESRCH);
  Result<long> moved = move_all(*mm, remote.data(), nr, local, way);
  mmput(*mm);
  return moved;
}

long process_vm_rw(pid_t pid, const iovec* lvec, unsigned long lcount, const iovec* rvec, unsigned long rcount,
                   unsigned long flags, Way way) {
  if (flags) return -EINVAL;
  return with_user_vec(lvec, lcount, [&](iov_iter* local) -> long {
    if (!iov_iter_count(local)) return 0;
    RemoteVec remote;
    TRY_ABI(remote.get(rvec, rcount));
    if (!remote.bytes()) return 0;
    return to_abi(move_between(pid, remote, rcount, local, way));
  });
}

}  // namespace

SYSCALL_DEFINE6(process_vm_readv, pid_t, pid, const iovec __user*, lvec, unsigned long, lcount, const iovec __user*, rvec,
                unsigned long, rcount, unsigned long, flags) {
  return process_vm_rw(pid, lvec, lcount, rvec, rcount, flags, Way::FromRemote);
}

SYSCALL_DEFINE6(process_vm_writev, pid_t, pid, const iovec __user*, lvec, unsigned long, lcount, const iovec __user*, rvec,
                unsigned long, rcount, unsigned long, flags) {
  return process_vm_rw(pid, lvec, lcount, rvec, rcount, flags, Way::ToRemote);
}
