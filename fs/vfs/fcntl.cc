// fcntl and ioctl.
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>

#include "fs/pipe/pipe.hh"
#include "fs/vfs/internal.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned kSetflMask = O_APPEND | O_NONBLOCK | FASYNC | O_DIRECT | O_NOATIME;

long set_flags(file* f, unsigned arg) {
  inode* i = f->f_inode;
  if (arg & O_NOATIME && !(f->f_flags & O_NOATIME) && !inode_owner_or_capable(i)) return -EPERM;
  if (arg & O_DIRECT && !(f->f_flags & O_DIRECT) && !S_ISFIFO(i->i_mode)) return -EINVAL;
  if (arg & FASYNC && !(f->f_flags & FASYNC)) return -EINVAL;  // nobody sends SIGIO
  SpinGuard g(f->f_lock);
  WRITE_ONCE(f->f_flags, (f->f_flags & ~kSetflMask) | (arg & kSetflMask));
  return 0;
}

long set_owner(file* f, int who) {
  struct pid* p = nullptr;
  if (who) {
    if (who == INT_MIN) return -EINVAL;
    p = find_get_pid(who < 0 ? -who : who);
    if (!p) return -ESRCH;
  }
  struct pid* old;
  {
    SpinGuard g(f->f_lock);
    old = f->f_owner;
    f->f_owner = p;
  }
  if (old) put_pid(old);
  return 0;
}

long do_fcntl(unsigned fd, unsigned cmd, unsigned long arg, file* f) {
  switch (cmd) {
    case F_DUPFD: return f_dupfd(static_cast<unsigned>(arg), f, 0);
    case F_DUPFD_CLOEXEC: return f_dupfd(static_cast<unsigned>(arg), f, O_CLOEXEC);
    case F_GETFD: return get_close_on_exec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD: set_close_on_exec(fd, arg & FD_CLOEXEC); return 0;
    case F_GETFL: return f->f_flags & ~static_cast<unsigned>(O_CLOEXEC);
    case F_SETFL: return set_flags(f, static_cast<unsigned>(arg));
    case F_GETLK: case F_OFD_GETLK: return fcntl_getlk(f, cmd, reinterpret_cast<void*>(arg));
    case F_SETLK: case F_SETLKW: case F_OFD_SETLK: case F_OFD_SETLKW: return fcntl_setlk(f, cmd, reinterpret_cast<void*>(arg));
    case F_SETPIPE_SZ: case F_GETPIPE_SZ: return pipe_fcntl(f, cmd, static_cast<unsigned>(arg));
    case F_SETOWN: return set_owner(f, static_cast<int>(arg));
    case F_GETOWN: return f->f_owner ? pid_vnr(f->f_owner) : 0;
    case F_GETSIG: return 0;
    case F_GETLEASE: return F_UNLCK;
    case F_SETLEASE: return arg == F_UNLCK ? -EAGAIN : -EINVAL;
    case F_ADD_SEALS: case F_GET_SEALS: return memfd_fcntl(f, cmd, static_cast<unsigned>(arg));
    default: return -EINVAL;
  }
}

bool allowed_on_path_fd(unsigned cmd) {
  return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD || cmd == F_SETFD || cmd == F_GETFL;
}

constexpr unsigned FIOCLEX = 0x5451, FIONCLEX = 0x5450, FIONBIO = 0x5421, FIOASYNC = 0x5452, FIONREAD = 0x541B, FIOQSIZE = 0x5460;

long set_nonblock(file* f, const int* user) {
  int on;
  if (get_user(on, user)) return -EFAULT;
  SpinGuard g(f->f_lock);
  WRITE_ONCE(f->f_flags, on ? f->f_flags | O_NONBLOCK : f->f_flags & ~static_cast<unsigned>(O_NONBLOCK));
  return 0;
}

}  // namespace

SYSCALL_DEFINE3(fcntl, unsigned, fd, unsigned, cmd, unsigned long, arg) {
  FileRef f(fget_raw(fd));  // owned: F_SETLKW may wait while another thread closes it
  if (!f) return -EBADF;
  if (f->f_mode & FMODE_PATH && !allowed_on_path_fd(cmd)) return -EBADF;
  return do_fcntl(fd, cmd, arg, f.get());
}

long vfs_ioctl(file* f, unsigned cmd, unsigned long arg) {
  if (!f->f_op->unlocked_ioctl) return -ENOTTY;
  long r = f->f_op->unlocked_ioctl(f, cmd, arg);
  return r == -ENOIOCTLCMD ? -ENOTTY : r;
}

SYSCALL_DEFINE3(ioctl, unsigned, fd, unsigned, cmd, unsigned long, arg) {
  Fd f(fd);
  if (!f) return -EBADF;
  inode* i = f->f_inode;
  switch (cmd) {
    case FIOCLEX: set_close_on_exec(fd, 1); return 0;
    case FIONCLEX: set_close_on_exec(fd, 0); return 0;
    case FIONBIO: return set_nonblock(f.get(), reinterpret_cast<const int*>(arg));
    case FIOQSIZE: {
      if (!S_ISREG(i->i_mode) && !S_ISDIR(i->i_mode) && !S_ISLNK(i->i_mode)) return -ENOTTY;
      loff_t size = i_size_read(i);
      return put_user(size, reinterpret_cast<loff_t*>(arg));
    }
    case FIONREAD:
      if (S_ISREG(i->i_mode)) return put_user(static_cast<int>(i_size_read(i) - f->f_pos), reinterpret_cast<int*>(arg));
      break;
  }
  return vfs_ioctl(f.get(), cmd, arg);
}
