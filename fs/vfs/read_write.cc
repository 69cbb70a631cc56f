// read, write and their relatives; lseek.
// SPDX-License-Identifier: Apache-2.0
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#include "fs/vfs/internal.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

// ---- Seeking ------------------------------------------------------------------------------------------------------------
loff_t generic_file_llseek(file* f, loff_t off, int whence) {
  inode* i = f->f_inode;
  loff_t size = i_size_read(i);
  switch (whence) {
    case SEEK_END: off += size; break;
    case SEEK_CUR: off += f->f_pos; break;
    case SEEK_SET: break;
    case SEEK_DATA:  // nothing is known about holes: all of the file is data
      if (off < 0 || off >= size) return -ENXIO;
      break;
    case SEEK_HOLE:
      if (off < 0 || off >= size) return -ENXIO;
      off = size;
      break;
    default: return -EINVAL;
  }
  if (off < 0 || off > i->i_sb->s_maxbytes) return -EINVAL;
  f->f_pos = off;
  return off;
}
loff_t noop_llseek(file* f, loff_t, int) { return f->f_pos; }
loff_t no_llseek(file*, loff_t, int) { return -ESPIPE; }

loff_t vfs_llseek(file* f, loff_t off, int whence) {
  if (!(f->f_mode & FMODE_LSEEK)) return -ESPIPE;
  return f->f_op->llseek ? f->f_op->llseek(f, off, whence) : generic_file_llseek(f, off, whence);
}
ssize_t generic_read_dir(file*, char*, size_t, loff_t*) { return -EISDIR; }
int stream_open(inode*, file* f) {
  f->f_mode &= ~(FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE | FMODE_ATOMIC_POS);
  f->f_mode |= FMODE_STREAM;
  return 0;
}
int nonseekable_open(inode*, file* f) {
  f->f_mode &= ~(FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE);
  return 0;
}

namespace {

// The position of a file that others may use at the same time is locked (regular files and directories).
class FilePos {
 public:
  explicit FilePos(file* f) : f_(f), locked_(f->f_mode & FMODE_ATOMIC_POS && file_count(f) > 1) {
    if (locked_) mutex_lock(&f->f_pos_lock);
  }
  ~FilePos() {
    if (locked_) mutex_unlock(&f_->f_pos_lock);
  }
  FilePos(const FilePos&) = delete;

 private:
  file* f_;
  bool locked_;
};

}  // namespace

SYSCALL_DEFINE3(lseek, unsigned, fd, loff_t, off, unsigned, whence) {
  Fd f(fd);
  if (!f) return -EBADF;
  if (whence > SEEK_HOLE) return -EINVAL;
  FilePos pos(f.get());
  return vfs_llseek(f.get(), off, static_cast<int>(whence));
}

// ---- One transfer -------------------------------------------------------------------------------------------------------
namespace {

int iocb_flags(const file* f) { return f->f_flags & O_APPEND ? IOCB_APPEND : 0; }

ssize_t read_iter(file* f, iov_iter* to, loff_t* pos) {
  kiocb k{f, *pos, iocb_flags(f)};
  ssize_t n = f->f_op->read_iter(&k, to);
  *pos = k.ki_pos;
  return n;
}
ssize_t write_iter(file* f, iov_iter* from, loff_t* pos) {
  kiocb k{f, *pos, iocb_flags(f)};
  ssize_t n = f->f_op->write_iter(&k, from);
  *pos = k.ki_pos;
  return n;
}

// A file that knows user memory only: one span after the other.
template <class Op>
ssize_t by_spans(iov_iter* i, Op&& op) {
  ssize_t total = 0;
  while (iov_iter_count(i)) {
    size_t part = iov_iter_span(i);
    ssize_t n = op(i->base, part);
    if (n < 0) return total ? total : n;
    iov_iter_take(i, static_cast<size_t>(n));
    total += n;
    if (static_cast<size_t>(n) < part) break;
  }
  return total;
}

bool range_ok(const file* f, loff_t pos, size_t n) {
  return pos >= 0 && (f->f_mode & FMODE_STREAM || pos + static_cast<loff_t>(n) >= 0);
}

}  // namespace

ssize_t vfs_read(file* f, char* buf, size_t n, loff_t* pos) {
  if (!(f->f_mode & FMODE_READ)) return -EBADF;
  if (!access_ok(buf, n)) return -EFAULT;
  if (static_cast<ssize_t>(n) < 0 || !range_ok(f, *pos, n)) return -EINVAL;
  if (n > MAX_RW_COUNT) n = MAX_RW_COUNT;
  if (f->f_op->read) return f->f_op->read(f, buf, n, pos);
  if (!f->f_op->read_iter) return -EINVAL;
  iov_iter i;
  iov_iter_ubuf(&i, buf, n);
  return read_iter(f, &i, pos);
}

ssize_t vfs_write(file* f, const char* buf, size_t n, loff_t* pos) {
  if (!(f->f_mode & FMODE_WRITE)) return -EBADF;
  if (!access_ok(buf, n)) return -EFAULT;
  if (static_cast<ssize_t>(n) < 0 || !range_ok(f, *pos, n)) return -EINVAL;
  if (n > MAX_RW_COUNT) n = MAX_RW_COUNT;
  if (f->f_op->write) return f->f_op->write(f, buf, n, pos);
  if (!f->f_op->write_iter) return -EINVAL;
  iov_iter i;
  iov_iter_ubuf(&i, const_cast<char*>(buf), n);
  return write_iter(f, &i, pos);
}

ssize_t kernel_read(file* f, void* buf, size_t n, loff_t* pos) {
  if (!(f->f_mode & FMODE_READ)) return -EBADF;
  if (!f->f_op->read_iter) return -EINVAL;
  if (n > MAX_RW_COUNT) n = MAX_RW_COUNT;
  iov_iter i;
  iov_iter_kbuf(&i, buf, n);
  return read_iter(f, &i, pos);
}
ssize_t kernel_write(file* f, const void* buf, size_t n, loff_t* pos) {
  if (!(f->f_mode & FMODE_WRITE)) return -EBADF;
  if (!f->f_op->write_iter) return -EINVAL;
  if (n > MAX_RW_COUNT) n = MAX_RW_COUNT;
  iov_iter i;
  iov_iter_kbuf(&i, const_cast<void*>(buf), n);
  return write_iter(f, &i, pos);
}

ssize_t vfs_iter_read(file* f, iov_iter* to, loff_t* pos) {
  if (!(f->f_mode & FMODE_READ)) return -EBADF;
  if (!iov_iter_count(to)) return 0;
  if (!range_ok(f, *pos, iov_iter_count(to))) return -EINVAL;
  if (f->f_op->read_iter) return read_iter(f, to, pos);
  if (!f->f_op->read || to->kind != ITER_USER) return -EINVAL;
  return by_spans(to, [&](char* p, size_t n) { return f->f_op->read(f, p, n, pos); });
}
ssize_t vfs_iter_write(file* f, iov_iter* from, loff_t* pos) {
  if (!(f->f_mode & FMODE_WRITE)) return -EBADF;
  if (!iov_iter_count(from)) return 0;
  if (!range_ok(f, *pos, iov_iter_count(from))) return -EINVAL;
  if (f->f_op->write_iter) return write_iter(f, from, pos);
  if (!f->f_op->write || from->kind != ITER_USER) return -EINVAL;
  return by_spans(from, [&](char* p, size_t n) { return f->f_op->write(f, p, n, pos); });
}

SYSCALL_DEFINE3(read, unsigned, fd, char*, buf, size_t, n) {
  Fd f(fd);
  if (!f) return -EBADF;
  FilePos hold(f.get());
  loff_t pos = f->f_mode & FMODE_STREAM ? 0 : f->f_pos;
  ssize_t r = vfs_read(f.get(), buf, n, &pos);
  if (!(f->f_mode & FMODE_STREAM)) f->f_pos = pos;
  return r;
}
SYSCALL_DEFINE3(write, unsigned, fd, const char*, buf, size_t, n) {
  Fd f(fd);
  if (!f) return -EBADF;
  FilePos hold(f.get());
  loff_t pos = f->f_mode & FMODE_STREAM ? 0 : f->f_pos;
  ssize_t r = vfs_write(f.get(), buf, n, &pos);
  if (!(f->f_mode & FMODE_STREAM)) f->f_pos = pos;
  return r;
}
SYSCALL_DEFINE4(pread64, unsigned, fd, char*, buf, size_t, n, loff_t, pos) {
  if (pos < 0) return -EINVAL;
  Fd f(fd);
  if (!f) return -EBADF;
  return f->f_mode & FMODE_PREAD ? vfs_read(f.get(), buf, n, &pos) : -ESPIPE;
}
SYSCALL_DEFINE4(pwrite64, unsigned, fd, const char*, buf, size_t, n, loff_t, pos) {
  if (pos < 0) return -EINVAL;
  Fd f(fd);
  if (!f) return -EBADF;
  return f->f_mode & FMODE_PWRITE ? vfs_write(f.get(), buf, n, &pos) : -ESPIPE;
}

// ---- Vectors --------------------------------------------------------------------------------------------------------------
namespace {

class UserVec {
 public:
  ~UserVec() {
    if (v_ != small_) kfree(v_);
  }
  // Total bytes, at most MAX_RW_COUNT.
  Result<void> get(const iovec* user, unsigned long nr) {
    if (nr > UIO_MAXIOV) return fail(EINVAL);
    if (nr > kSmall && !(v_ = static_cast<iovec*>(kmalloc(nr * sizeof(iovec), GFP_KERNEL)))) {
      v_ = small_;
      return fail(ENOMEM);
    }
    if (copy_from_user(v_, user, nr * sizeof(iovec))) return fail(EFAULT);
    size_t total = 0;
    for (unsigned long k = 0; k < nr; k++) {
      if (static_cast<ssize_t>(v_[k].iov_len) < 0) return fail(EINVAL);
      if (!access_ok(v_[k].iov_base, v_[k].iov_len)) return fail(EFAULT);
      if (v_[k].iov_len > MAX_RW_COUNT - total) v_[k].iov_len = MAX_RW_COUNT - total;
      total += v_[k].iov_len;
    }
    iter = {total, nullptr, 0, v_, ITER_USER};
    return {};
  }
  iov_iter iter{};

 private:
  static constexpr unsigned kSmall = 8;
  iovec small_[kSmall];
  iovec* v_ = small_;
};

}  // namespace

long vfs_vector(file* f, const iovec* user, unsigned long nr, IterOp op) {
  UserVec v;
  if (auto r = v.get(user, nr); !r) return r.error().neg();
  FilePos hold(f);
  return op(f, &v.iter, &f->f_pos);
}

long with_user_vec(const iovec* user, unsigned long nr, long (*use)(iov_iter*, void*), void* context) {
  UserVec v;
  if (auto r = v.get(user, nr); !r) return r.error().neg();
  return use(&v.iter, context);
}

namespace {

long do_vec(unsigned fd, const iovec* user, unsigned long nr, IterOp op) {
  Fd f(fd);
  return f ? vfs_vector(f.get(), user, nr, op) : -EBADF;
}

constexpr unsigned RWF_HIPRI = 1, RWF_DSYNC = 2, RWF_SYNC = 4, RWF_NOWAIT = 8, RWF_APPEND = 16;

long do_pvec(unsigned fd, const iovec* user, unsigned long nr, loff_t pos, IterOp op, unsigned need, int flags) {
  if (flags & ~static_cast<int>(RWF_HIPRI | RWF_DSYNC | RWF_SYNC)) return -EOPNOTSUPP;
  if (pos == -1 && flags >= 0 && need == 0) return do_vec(fd, user, nr, op);
  if (pos < 0) return -EINVAL;
  Fd f(fd);
  if (!f) return -EBADF;
  if (!(f->f_mode & FMODE_PREAD)) return -ESPIPE;
  UserVec v;
  if (auto r = v.get(user, nr); !r) return r.error().neg();
  return op(f.get(), &v.iter, &pos);
}

}  // namespace

SYSCALL_DEFINE3(readv, unsigned long, fd, const iovec*, v, unsigned long, nr) {
  return do_vec(static_cast<unsigned>(fd), v, nr, vfs_iter_read);
}
SYSCALL_DEFINE3(writev, unsigned long, fd, const iovec*, v, unsigned long, nr) {
  return do_vec(static_cast<unsigned>(fd), v, nr, vfs_iter_write);
}
SYSCALL_DEFINE4(preadv, unsigned long, fd, const iovec*, v, unsigned long, nr, loff_t, pos) {
  return do_pvec(static_cast<unsigned>(fd), v, nr, pos, vfs_iter_read, 1, 0);
}
SYSCALL_DEFINE4(pwritev, unsigned long, fd, const iovec*, v, unsigned long, nr, loff_t, pos) {
  return do_pvec(static_cast<unsigned>(fd), v, nr, pos, vfs_iter_write, 1, 0);
}
SYSCALL_DEFINE6(preadv2, unsigned long, fd, const iovec*, v, unsigned long, nr, loff_t, pos, long, high, int, flags) {
  return do_pvec(static_cast<unsigned>(fd), v, nr, pos, vfs_iter_read, 0, flags);
}
SYSCALL_DEFINE6(pwritev2, unsigned long, fd, const iovec*, v, unsigned long, nr, loff_t, pos, long, high, int, flags) {
  return do_pvec(static_cast<unsigned>(fd), v, nr, pos, vfs_iter_write, 0, flags);
}
