// FIFOs: opening a named pipe, with its rendezvous of readers and writers. Spec 60 section 8.
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>

#include "fs/pipe/internal.hh"
#include "fs/pipe/pipe.hh"
#include "fs/vfs/internal.hh"
#include "fs/vfs/poll.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

const file_operations def_fifo_fops = {.llseek = no_llseek, .open = fifo_open};

void put_pipe(inode* i, pipe_inode_info* p) {
  bool last;
  {
    SpinGuard g(i->i_lock);
    last = --p->files == 0;
    if (last) i->i_pipe = nullptr;
  }
  if (last) free_pipe_info(p);
}

namespace {

// The inode's pipe, made if nobody has it open, with one more file counted.
pipe_inode_info* get_pipe(inode* i) {
  {
    SpinGuard g(i->i_lock);
    if (i->i_pipe) {
      i->i_pipe->files++;
      return i->i_pipe;
    }
  }
  pipe_inode_info* fresh = alloc_pipe_info();
  if (!fresh) return nullptr;
  fresh->files = 1;
  pipe_inode_info* p;
  {
    SpinGuard g(i->i_lock);
    if ((p = i->i_pipe))
      p->files++;
    else
      p = i->i_pipe = std::exchange(fresh, nullptr);
  }
  if (fresh) free_pipe_info(fresh);
  return p;
}

// Waits until the other side's count of opens moves on, even if that opener has gone again. Mutex held. False: signal.
bool wait_for_partner(pipe_inode_info* p, const unsigned* counter, wait_queue_head_t* q) {
  unsigned seen = *counter;
  while (*counter == seen) {
    if (signal_pending(current)) return false;
    DEFINE_WAIT(w);
    prepare_to_wait(q, &w, TASK_INTERRUPTIBLE);
    mutex_unlock(&p->mutex);
    schedule();
    finish_wait(q, &w);
    mutex_lock(&p->mutex);
  }
  return true;
}

int open_read(pipe_inode_info* p, file* f) {
  p->r_counter++;
  if (p->readers++ == 0) wake_up_interruptible_poll_all(&p->wr_wait, EPOLLOUT | EPOLLWRNORM);
  if (p->writers) return 0;
  if (f->f_flags & O_NONBLOCK) {
    f->f_pos = static_cast<loff_t>(p->w_counter);  // no HUP until a writer has come and gone (P-15)
    return 0;
  }
  if (wait_for_partner(p, &p->w_counter, &p->rd_wait)) return 0;
  if (--p->readers == 0) wake_up_interruptible_poll_all(&p->wr_wait, EPOLLERR);
  return -ERESTARTSYS;
}

int open_write(pipe_inode_info* p, file* f) {
  if (f->f_flags & O_NONBLOCK && !p->readers) return -ENXIO;
  p->w_counter++;
  if (p->writers++ == 0) wake_up_interruptible_poll_all(&p->rd_wait, EPOLLIN | EPOLLRDNORM);
  if (p->readers || wait_for_partner(p, &p->r_counter, &p->wr_wait)) return 0;
  if (--p->writers == 0) wake_up_interruptible_poll_all(&p->rd_wait, EPOLLHUP);
  return -ERESTARTSYS;
}

int open_both(pipe_inode_info* p) {
  p->r_counter++;
  p->w_counter++;
  p->readers++;
  p->writers++;
  if (p->readers == 1 || p->writers == 1) {
    wake_up_interruptible_poll_all(&p->rd_wait, EPOLLIN | EPOLLRDNORM);
    wake_up_interruptible_poll_all(&p->wr_wait, EPOLLOUT | EPOLLWRNORM);
  }
  return 0;
}

}  // namespace

int fifo_open(inode* i, file* f) {
  unsigned mode = f->f_mode & (FMODE_READ | FMODE_WRITE);
  if (!mode) return -EINVAL;  // access mode 3 (P-12)
  pipe_inode_info* p = get_pipe(i);
  if (!p) return -ENOMEM;
  f->private_data = p;
  f->f_op = &pipe_fops;
  stream_open(i, f);
  f->f_pos = 0;
  mutex_lock(&p->mutex);
  int r = mode == FMODE_READ ? open_read(p, f) : mode == FMODE_WRITE ? open_write(p, f) : open_both(p);
  mutex_unlock(&p->mutex);
  if (r) put_pipe(i, p);
  return r;
}
