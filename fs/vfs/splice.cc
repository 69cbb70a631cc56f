// Copies from file to file inside the kernel: sendfile, copy_file_range, splice, tee, vmsplice. By way of a page: nothing is
// moved without being copied.
// SPDX-License-Identifier: Apache-2.0
#include <linux/minmax.h>
#include <linux/sched.h>

#include "fs/pipe/pipe.hh"
#include "fs/vfs/internal.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "mm/uaccess.hh"

namespace {

constexpr size_t kBlock = 4096;

struct Page {
  char* p = static_cast<char*>(kmalloc(kBlock, GFP_KERNEL));
  ~Page() { kfree(p); }
};

// Moves up to n bytes. Stops at the end of `in`, at an error, and, unless `all`, after the first short read.
ssize_t move_bytes(file* in, loff_t* in_pos, file* out, loff_t* out_pos, size_t n) {
  Page page;
  if (!page.p) return -ENOMEM;
  if (n > MAX_RW_COUNT) n = MAX_RW_COUNT;
  ssize_t total = 0;
  while (n) {
    loff_t from = *in_pos;
    ssize_t got = kernel_read(in, page.p, min(n, kBlock), in_pos);
    if (got <= 0) return total ? total : got;
    ssize_t put = kernel_write(out, page.p, static_cast<size_t>(got), out_pos);
    if (put < got) *in_pos = from + max<ssize_t>(put, 0);  // what was not written is not consumed, where that can be said
    if (put <= 0) return total ? total : put;
    total += put;
    n -= static_cast<size_t>(put);
    if (put < got || signal_pending(current)) break;
    if (is_pipe(in) && static_cast<size_t>(got) < kBlock) break;  // do not wait for more
  }
  return total;
}

// The place of an offset that the caller may or may not have given.
class Offset {
 public:
  Result<void> get(file* f, loff_t* user) {
    user_ = user;
    file_ = f;
    if (!user) {
      pos = f->f_pos;
      return {};
    }
    if (!(f->f_mode & FMODE_PREAD)) return fail(ESPIPE);
    if (copy_from_user(&pos, user, sizeof(pos))) return fail(EFAULT);
    return pos < 0 ? fail(EINVAL) : Result<void>{};
  }
  Result<void> put() {
    if (!user_) {
      file_->f_pos = pos;
      return {};
    }
    return copy_to_user(user_, &pos, sizeof(pos)) ? fail(EFAULT) : Result<void>{};
  }
  loff_t pos = 0;

 private:
  loff_t* user_ = nullptr;
  file* file_ = nullptr;
};

Result<long> move_with_offsets(file* in, loff_t* user_in, file* out, loff_t* user_out, size_t n) {
  if (!(in->f_mode & FMODE_READ) || !(out->f_mode & FMODE_WRITE)) return fail(EBADF);
  Offset from, to;
  TRY(from.get(in, user_in));
  TRY(to.get(out, user_out));
  ssize_t r = move_bytes(in, &from.pos, out, &to.pos, n);
  if (r < 0) return fail(static_cast<int>(-r));
  TRY(from.put());
  TRY(to.put());
  return r;
}

}  // namespace

SYSCALL_DEFINE4(sendfile, int, out_fd, int, in_fd, loff_t*, offset, size_t, n) {
  Fd in(static_cast<unsigned>(in_fd)), out(static_cast<unsigned>(out_fd));
  if (!in || !out || !(in->f_mode & FMODE_READ) || !(out->f_mode & FMODE_WRITE)) return -EBADF;
  umode_t m = in->f_inode->i_mode;
  if (!S_ISREG(m) && !S_ISBLK(m)) return -EINVAL;  // what has no page cache cannot be sent
  if (out->f_flags & O_APPEND || !in->f_op->read_iter || !out->f_op->write_iter) return -EINVAL;
  return to_abi(move_with_offsets(in.get(), offset, out.get(), nullptr, n));
}

SYSCALL_DEFINE6(copy_file_range, int, in_fd, loff_t*, in_off, int, out_fd, loff_t*, out_off, size_t, n, unsigned, flags) {
  if (flags) return -EINVAL;
  Fd in(static_cast<unsigned>(in_fd)), out(static_cast<unsigned>(out_fd));
  if (!in || !out) return -EBADF;
  if (S_ISDIR(in->f_inode->i_mode) || S_ISDIR(out->f_inode->i_mode)) return -EISDIR;
  if (!S_ISREG(in->f_inode->i_mode) || !S_ISREG(out->f_inode->i_mode)) return -EINVAL;
  if (out->f_flags & O_APPEND) return -EBADF;
  if (in->f_inode->i_sb->s_type != out->f_inode->i_sb->s_type) return -EXDEV;
  if (in->f_inode == out->f_inode) {
    loff_t a = in->f_pos, b = out->f_pos;
    if ((in_off && get_user(a, in_off)) || (out_off && get_user(b, out_off))) return -EFAULT;
    loff_t len = static_cast<loff_t>(min(n, MAX_RW_COUNT));
    if (a < b + len && b < a + len && n) return -EINVAL;
  }
  return to_abi(move_with_offsets(in.get(), in_off, out.get(), out_off, n));
}

SYSCALL_DEFINE6(splice, int, in_fd, loff_t*, in_off, int, out_fd, loff_t*, out_off, size_t, n, unsigned, flags) {
  constexpr unsigned kFlags = 0xf;
  if (flags & ~kFlags) return -EINVAL;
  if (!n) return 0;
  Fd in(static_cast<unsigned>(in_fd)), out(static_cast<unsigned>(out_fd));
  if (!in || !out) return -EBADF;
  if (!is_pipe(in.get()) && !is_pipe(out.get())) return -EINVAL;
  if ((is_pipe(in.get()) && in_off) || (is_pipe(out.get()) && out_off)) return -ESPIPE;
  if (in->f_inode == out->f_inode || (!is_pipe(out.get()) && out->f_flags & O_APPEND)) return -EINVAL;
  if (!in->f_op->read_iter || !out->f_op->write_iter) return -EINVAL;
  return to_abi(move_with_offsets(in.get(), in_off, out.get(), out_off, n));
}

SYSCALL_DEFINE4(vmsplice, int, fd, const iovec*, v, unsigned long, nr, unsigned, flags) {
  if (flags & ~0xfu) return -EINVAL;
  Fd f(static_cast<unsigned>(fd));
  if (!f) return -EBADF;
  if (!is_pipe(f.get())) return -EBADF;
  return vfs_vector(f.get(), v, nr, f->f_mode & FMODE_WRITE ? vfs_iter_write : vfs_iter_read);
}
