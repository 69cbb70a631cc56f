// eventfd: a counter that is a file. Spec 60 E-1, E-2.
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "fs/proc/seq_file.hh"
#include "fs/vfs/poll.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr unsigned EFD_SEMAPHORE = 1;
constexpr u64 kMax = ~0ull;  // the counter stays below

struct EventFd {
  wait_queue_head_t wq;
  u64 count;  // wq.lock
  unsigned flags;
};

EventFd* of(const file* f) { return static_cast<EventFd*>(f->private_data); }

// Takes what a read gets; false: nothing to take. wq.lock held.
bool take(EventFd* e, u64* value) {
  if (!e->count) return false;
  *value = e->flags & EFD_SEMAPHORE ? 1 : e->count;
  e->count -= *value;
  return true;
}
bool put(EventFd* e, u64 value) {
  if (kMax - e->count <= value) return false;
  e->count += value;
  return true;
}

// Waits until attempt() succeeds; it runs under wq.lock. 0 or -errno. Wakes the others on success.
template <class F>
long transfer(EventFd* e, const file* f, __poll_t tell, F&& attempt) {
  for (;;) {
    DEFINE_WAIT(w);
    {
      IrqSpinGuard g(e->wq.lock);
      if (attempt()) {
        if (waitqueue_active(&e->wq)) __wake_up_locked_key(&e->wq, TASK_NORMAL, poll_to_key(tell));
        return 0;
      }
      if (f->f_flags & O_NONBLOCK) return -EAGAIN;
      if (signal_pending(current)) return -ERESTARTSYS;
      __add_wait_queue_entry_tail(&e->wq, &w);
      set_current_state(TASK_INTERRUPTIBLE);
    }
    schedule();
    finish_wait(&e->wq, &w);
  }
}

ssize_t eventfd_read(kiocb* k, iov_iter* to) {
  EventFd* e = of(k->ki_filp);
  if (iov_iter_count(to) < sizeof(u64)) return -EINVAL;
  u64 value = 0;
  if (long err = transfer(e, k->ki_filp, EPOLLOUT, [&] { return take(e, &value); })) return err;
  return copy_to_iter(&value, sizeof(value), to) == sizeof(value) ? static_cast<ssize_t>(sizeof(value)) : -EFAULT;
}

ssize_t eventfd_write(kiocb* k, iov_iter* from) {
  EventFd* e = of(k->ki_filp);
  u64 value;
  if (iov_iter_count(from) < sizeof(value)) return -EINVAL;
  if (copy_from_iter(&value, sizeof(value), from) < sizeof(value)) return -EFAULT;
  if (value == kMax) return -EINVAL;
  if (long err = transfer(e, k->ki_filp, EPOLLIN, [&] { return put(e, value); })) return err;
  return sizeof(value);
}

__poll_t eventfd_poll(file* f, poll_table* pt) {
  EventFd* e = of(f);
  poll_wait(f, &e->wq, pt);
  IrqSpinGuard g(e->wq.lock);
  __poll_t m = 0;
  if (e->count > 0) m |= EPOLLIN;
  if (e->count == kMax) m |= EPOLLERR;
  if (e->count < kMax - 1) m |= EPOLLOUT;
  return m;
}

int eventfd_release(inode*, file* f) {
  kfree(of(f));
  return 0;
}

void eventfd_show_fdinfo(seq_file* m, file* f) {
  EventFd* e = of(f);
  IrqSpinGuard g(e->wq.lock);
  seq_printf(m, "eventfd-count: %16llx\n", static_cast<unsigned long long>(e->count));
}

constexpr file_operations eventfd_fops = {.llseek = noop_llseek, .read_iter = eventfd_read, .write_iter = eventfd_write,
                                          .poll = eventfd_poll, .release = eventfd_release, .show_fdinfo = eventfd_show_fdinfo};

long make_eventfd(unsigned count, unsigned flags) {
  if (flags & ~(EFD_SEMAPHORE | O_NONBLOCK | O_CLOEXEC)) return -EINVAL;
  auto* e = static_cast<EventFd*>(kmalloc(sizeof(EventFd), GFP_KERNEL));
  if (!e) return -ENOMEM;
  init_waitqueue_head(&e->wq);
  e->count = count;
  e->flags = flags;
  int fd = anon_inode_getfd("[eventfd]", &eventfd_fops, e, static_cast<int>(O_RDWR | (flags & (O_NONBLOCK | O_CLOEXEC))));
  if (fd < 0) kfree(e);
  return fd;
}

}  // namespace

SYSCALL_DEFINE2(eventfd2, unsigned, count, unsigned, flags) { return make_eventfd(count, flags); }
SYSCALL_DEFINE1(eventfd, unsigned, count) { return make_eventfd(count, 0); }
