// signalfd: pending signals read from a file. Spec 60 E-3.
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "fs/proc/seq_file.hh"
#include "fs/vfs/poll.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

struct signalfd_siginfo {
  u32 ssi_signo;
  s32 ssi_errno, ssi_code;
  u32 ssi_pid, ssi_uid;
  s32 ssi_fd;
  u32 ssi_tid, ssi_band, ssi_overrun, ssi_trapno;
  s32 ssi_status, ssi_int;
  u64 ssi_ptr, ssi_utime, ssi_stime, ssi_addr;
  u16 ssi_addr_lsb;
  u8 pad[46];
};
static_assert(sizeof(signalfd_siginfo) == 128);

struct SignalFd {
  sigset_t unwanted;  // as a mask of blocked signals
};
SignalFd* of(const file* f) { return static_cast<SignalFd*>(f->private_data); }

// The record's layout of what siginfo_t has in its union at fixed places (x86-64): ids at 16, pointer at 24, and so on.
void fill(signalfd_siginfo* out, const kernel_siginfo* info) {
  memset(out, 0, sizeof(*out));
  out->ssi_signo = static_cast<u32>(info->si_signo);
  out->ssi_errno = info->si_errno;
  out->ssi_code = info->si_code;
  char raw[SI_MAX_SIZE] = {};
  memcpy(raw, info, sizeof(*info));
  auto at32 = [&](int k) { u32 v; memcpy(&v, raw + k, 4); return v; };
  auto at64 = [&](int k) { u64 v; memcpy(&v, raw + k, 8); return v; };
  bool fault = info->si_code > 0 && info->si_code != 0x80 &&
               (info->si_signo == SIGILL || info->si_signo == SIGFPE || info->si_signo == SIGSEGV || info->si_signo == SIGBUS ||
                info->si_signo == SIGTRAP);
  if (fault) {
    out->ssi_addr = at64(16);
    return;
  }
  if (info->si_code == SI_TIMER) {
    out->ssi_tid = at32(16);
    out->ssi_overrun = at32(20);
  } else {
    out->ssi_pid = at32(16);
    out->ssi_uid = at32(20);
  }
  if (info->si_signo == SIGCHLD && info->si_code > 0) {
    out->ssi_status = static_cast<s32>(at32(24));
    out->ssi_utime = at64(32);
    out->ssi_stime = at64(40);
    return;
  }
  if (info->si_code < 0) {
    out->ssi_ptr = at64(24);
    out->ssi_int = static_cast<s32>(at32(24));
  }
}

int dequeue(SignalFd* s, kernel_siginfo* info) {
  IrqSpinGuard g(current->sighand->siglock);
  return dequeue_signal_info(current, &s->unwanted, info);
}

// Takes siglock.
bool any_wanted(SignalFd* s) {
  IrqSpinGuard g(current->sighand->siglock);
  return (current->pending.signal.sig[0] | current->signal->shared_pending.signal.sig[0]) & ~s->unwanted.sig[0];
}

// 0 if there is none and the file does not wait; -ERESTARTSYS; else the signal.
int wait_signal(SignalFd* s, const file* f, kernel_siginfo* info) {
  for (;;) {
    if (int sig = dequeue(s, info)) return sig;
    if (f->f_flags & O_NONBLOCK) return -EAGAIN;
    int err = wait_event_interruptible(current->sighand->signalfd_wqh, any_wanted(s));
    if (err) return err;
  }
}

ssize_t signalfd_read(kiocb* k, iov_iter* to) {
  SignalFd* s = of(k->ki_filp);
  if (iov_iter_count(to) < sizeof(signalfd_siginfo)) return -EINVAL;
  ssize_t total = 0;
  while (iov_iter_count(to) >= sizeof(signalfd_siginfo)) {
    kernel_siginfo info{};
    int sig = total ? dequeue(s, &info) : wait_signal(s, k->ki_filp, &info);
    if (sig <= 0) return total ? total : sig;
    signalfd_siginfo out;
    fill(&out, &info);
    if (copy_to_iter(&out, sizeof(out), to) < sizeof(out)) return total ? total : -EFAULT;
    total += static_cast<ssize_t>(sizeof(out));
  }
  return total;
}

__poll_t signalfd_poll(file* f, poll_table* pt) {
  poll_wait(f, &current->sighand->signalfd_wqh, pt);
  return any_wanted(of(f)) ? EPOLLIN : 0;
}

int signalfd_release(inode*, file* f) {
  kfree(of(f));
  return 0;
}

void signalfd_show_fdinfo(seq_file* m, file* f) {
  seq_printf(m, "sigmask:\t%016llx\n", ~static_cast<unsigned long long>(of(f)->unwanted.sig[0]));
}

constexpr file_operations signalfd_fops = {.llseek = noop_llseek, .read_iter = signalfd_read, .poll = signalfd_poll,
                                           .release = signalfd_release, .show_fdinfo = signalfd_show_fdinfo};

long do_signalfd(int fd, const sigset_t* user, size_t size, int flags) {
  if (size != sizeof(sigset_t) || flags & ~(O_NONBLOCK | O_CLOEXEC)) return -EINVAL;
  sigset_t mask;
  if (copy_from_user(&mask, user, sizeof(mask))) return -EFAULT;
  sigdelset(&mask, SIGKILL);
  sigdelset(&mask, SIGSTOP);
  mask.sig[0] = ~mask.sig[0];
  if (fd != -1) {
    Fd f(static_cast<unsigned>(fd));
    if (!f) return -EBADF;
    if (f->f_op != &signalfd_fops) return -EINVAL;
    {
      IrqSpinGuard g(current->sighand->siglock);
      of(f.get())->unwanted = mask;
    }
    wake_up(&current->sighand->signalfd_wqh);
    return fd;
  }
  auto* s = static_cast<SignalFd*>(kmalloc(sizeof(SignalFd), GFP_KERNEL));
  if (!s) return -ENOMEM;
  s->unwanted = mask;
  int r = anon_inode_getfd("[signalfd]", &signalfd_fops, s, O_RDWR | (flags & (O_NONBLOCK | O_CLOEXEC)));
  if (r < 0) kfree(s);
  return r;
}

}  // namespace

SYSCALL_DEFINE4(signalfd4, int, fd, const sigset_t*, mask, size_t, size, int, flags) { return do_signalfd(fd, mask, size, flags); }
SYSCALL_DEFINE3(signalfd, int, fd, const sigset_t*, mask, size_t, size) { return do_signalfd(fd, mask, size, 0); }
