// /dev/kmsg: the log for programs, a record at a time, and their way to write into it (dev-kmsg ABI).
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "fs/dev/dev.hh"
#include "fs/vfs/poll.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/printk/internal.hh"
#include "kernel/printk/printk.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr unsigned kDevKmsg = MKDEV(1, 11);

struct Reader {
  struct mutex lock;  // seq, text
  u64 seq;
  char text[2 * LogRing::kMaxText];
};
Reader* reader_of(file* f) { return static_cast<Reader*>(f->private_data); }

int kmsg_open(inode*, file* f) {
  if (!(f->f_mode & FMODE_READ)) return 0;
  auto* r = static_cast<Reader*>(kmalloc(sizeof(Reader), GFP_KERNEL));
  if (!r) return -ENOMEM;
  mutex_init(&r->lock);
  r->seq = log_first_seq();
  f->private_data = r;
  return 0;
}
int kmsg_release(inode*, file* f) {
  kfree(f->private_data);
  return 0;
}

ssize_t kmsg_read_iter(kiocb* iocb, iov_iter* to) {
  Reader* r = reader_of(iocb->ki_filp);
  MutexGuard guard(r->lock);
  for (;;) {
    u64 seq = r->seq;
    ssize_t n = kmsg_format_next(&seq, r->text);
    if (n > 0) {
      if (static_cast<size_t>(n) > iov_iter_count(to)) return -EINVAL;
      if (copy_to_iter(r->text, static_cast<size_t>(n), to) < static_cast<size_t>(n)) return -EFAULT;
      r->seq = seq;
      return n;
    }
    if (n < 0) {
      r->seq = seq;
      return n;
    }
    if (iocb->ki_filp->f_flags & O_NONBLOCK) return -EAGAIN;
    if (long err = log_wait(r->seq)) return err;
  }
}

ssize_t kmsg_write_iter(kiocb*, iov_iter* from) {
  size_t n = iov_iter_count(from);
  if (n > LogRing::kMaxText) return -EINVAL;
  auto* line = static_cast<char*>(kmalloc(n + 1, GFP_KERNEL));
  if (!line) return -ENOMEM;
  ssize_t r = copy_from_iter(line, n, from) < n ? -EFAULT : kmsg_write({line, n});
  kfree(line);
  return r;
}

loff_t kmsg_llseek(file* f, loff_t off, int whence) {
  enum { kSet, kCur, kEnd, kData };
  Reader* r = reader_of(f);
  if (!r) return -EBADF;
  if (off) return -ESPIPE;
  MutexGuard guard(r->lock);
  switch (whence) {
    case kSet: r->seq = log_first_seq(); return 0;
    case kData: r->seq = max(log_first_seq(), syslog_clear_seq()); return 0;
    case kEnd: r->seq = log_next_seq(); return 0;
  }
  return -EINVAL;
}

__poll_t kmsg_poll(file* f, poll_table* pt) {
  Reader* r = reader_of(f);
  if (!r) return EPOLLERR;
  poll_wait(f, log_wait_queue(), pt);
  MutexGuard guard(r->lock);
  if (r->seq >= log_next_seq()) return 0;
  __poll_t mask = EPOLLIN | EPOLLRDNORM;
  if (r->seq < log_first_seq()) mask |= EPOLLERR | EPOLLPRI;  // something was lost
  return mask;
}

constexpr file_operations kFops = {
    .llseek = kmsg_llseek,
    .read_iter = kmsg_read_iter,
    .write_iter = kmsg_write_iter,
    .poll = kmsg_poll,
    .open = kmsg_open,
    .release = kmsg_release,
};

}  // namespace

void kmsg_init() {
  if (int err = device_register("kmsg", kDevKmsg, 0644, &kFops)) pr_err("kmsg: no /dev/kmsg: %d\n", err);
}
void kmsg_quiesce() { device_unregister("kmsg", kDevKmsg); }
