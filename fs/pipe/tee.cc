// tee(2): what lies in one pipe is put into another as well. Pages are copied, not shared.
// SPDX-License-Identifier: Apache-2.0
#include <linux/gfp.h>
#include <linux/minmax.h>
#include <linux/page_ref.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "fs/pipe/internal.hh"
#include "fs/pipe/pipe.hh"
#include "fs/vfs/poll.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "mm/page_address.hh"

namespace {

constexpr unsigned SPLICE_F_NONBLOCK = 2;

// Both mutexes, the lower address first.
class TwoPipes {
 public:
  TwoPipes(pipe_inode_info* a, pipe_inode_info* b) : first_(a < b ? a : b), second_(a < b ? b : a) {
    mutex_lock(&first_->mutex);
    mutex_lock_nested(&second_->mutex, 1);
  }
  ~TwoPipes() {
    mutex_unlock(&second_->mutex);
    mutex_unlock(&first_->mutex);
  }
  TwoPipes(const TwoPipes&) = delete;

 private:
  pipe_inode_info *first_, *second_;
};

// Both mutexes held, data on one side and room on the other. Bytes or -ENOMEM.
ssize_t copy_slots(pipe_inode_info* in, pipe_inode_info* out, size_t n) {
  size_t total = 0;
  for (unsigned at = in->tail; at != in->head && !out->full() && total < n; at++) {
    const pipe_buffer& b = in->at(at);
    page* pg = alloc_page(GFP_KERNEL);
    if (!pg) return total ? static_cast<ssize_t>(total) : -ENOMEM;
    unsigned len = static_cast<unsigned>(min<size_t>(b.len, n - total));
    memcpy(page_address(pg), static_cast<char*>(page_address(b.page)) + b.offset, len);
    out->at(out->head) = {pg, 0, len, b.packet};
    WRITE_ONCE(out->head, out->head + 1);
    total += len;
  }
  return static_cast<ssize_t>(total);
}

// Bytes, -errno, or 0 with *wait saying on which queue to wait (null: it is over).
ssize_t try_tee(pipe_inode_info* in, pipe_inode_info* out, size_t n, bool nonblock, wait_queue_head_t** wait, wait_queue_entry_t* w) {
  TwoPipes lock(in, out);
  *wait = nullptr;
  if (!out->readers) {
    send_sig(SIGPIPE, current, 0);
    return -EPIPE;
  }
  if (in->empty() && !in->writers) return 0;
  if (!in->empty() && !out->full()) return copy_slots(in, out, n);
  if (nonblock) return -EAGAIN;
  if (signal_pending(current)) return -ERESTARTSYS;
  *wait = in->empty() ? &in->rd_wait : &out->wr_wait;
  prepare_to_wait(*wait, w, TASK_INTERRUPTIBLE);
  return 0;
}

ssize_t do_tee(pipe_inode_info* in, pipe_inode_info* out, size_t n, bool nonblock) {
  for (;;) {
    wait_queue_head_t* q;
    DEFINE_WAIT(w);
    ssize_t r = try_tee(in, out, n, nonblock, &q, &w);
    if (!q) {
      if (r > 0 && waitqueue_active(&out->rd_wait)) wake_up_interruptible_poll(&out->rd_wait, EPOLLIN | EPOLLRDNORM);
      return r;
    }
    schedule();
    finish_wait(q, &w);
  }
}

}  // namespace

SYSCALL_DEFINE4(tee, int, in_fd, int, out_fd, size_t, n, unsigned, flags) {
  if (flags & ~0xfu) return -EINVAL;
  if (!n) return 0;
  FileRef in(fget(static_cast<unsigned>(in_fd))), out(fget(static_cast<unsigned>(out_fd)));
  if (!in || !out || !(in->f_mode & FMODE_READ) || !(out->f_mode & FMODE_WRITE)) return -EBADF;
  if (!is_pipe(in.get()) || !is_pipe(out.get()) || in->private_data == out->private_data) return -EINVAL;
  bool nonblock = flags & SPLICE_F_NONBLOCK || (in->f_flags | out->f_flags) & O_NONBLOCK;
  return do_tee(static_cast<pipe_inode_info*>(in->private_data), static_cast<pipe_inode_info*>(out->private_data), n, nonblock);
}
