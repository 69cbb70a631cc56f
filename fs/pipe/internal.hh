// The pipe itself. Everything in it is guarded by its mutex.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/mutex.h>
#include <linux/wait.h>

#include "fs/vfs/vfs.hh"

struct page;
struct user_struct;

struct pipe_buffer {
  struct page* page;
  unsigned offset, len;
  bool packet;  // one write's worth, read by one read (P-9)
};

struct pipe_inode_info {
  struct mutex mutex;
  unsigned head, tail;  // slots written and read so far; they wrap
  unsigned slots;       // a power of two
  unsigned readers, writers, files;
  unsigned r_counter, w_counter;  // opens so far: a FIFO's rendezvous (P-14)
  pipe_buffer* bufs;
  struct page* spare[2];  // emptied ones, for the next write
  wait_queue_head_t rd_wait, wr_wait;
  user_struct* user;  // who pays

  pipe_buffer& at(unsigned n) { return bufs[n & (slots - 1)]; }
  bool empty() const { return head == tail; }
  bool full() const { return head - tail >= slots; }
};

pipe_inode_info* alloc_pipe_info();          // null: no memory
void put_pipe(inode* i, pipe_inode_info* p);  // one file less
extern const file_operations pipe_fops;
#define wake_up_interruptible_poll_all(q, m) __wake_up((q), TASK_INTERRUPTIBLE, 0, poll_to_key(m))
