// What a file's poll operation uses, and what poll, select and epoll build on.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/wait.h>  // poll_to_key
#include <uapi/linux/poll.h>

#include "fs/vfs/vfs.hh"

// A poll operation calls poll_wait for each queue whose wake-up may change its answer, then returns the present state.
struct poll_table {
  void (*qproc)(file* f, wait_queue_head_t* wq, poll_table* pt);  // null: only asked, nobody waits
  __poll_t key;                                                    // events of interest; wake-ups with other keys pass by
};
inline void poll_wait(file* f, wait_queue_head_t* wq, poll_table* pt) {
  if (pt && pt->qproc && wq) pt->qproc(f, wq, pt);
}
inline constexpr __poll_t DEFAULT_POLLMASK = EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
inline __poll_t vfs_poll(file* f, poll_table* pt) { return f->f_op->poll ? f->f_op->poll(f, pt) : DEFAULT_POLLMASK; }
inline bool file_can_poll(const file* f) { return f->f_op->poll; }
