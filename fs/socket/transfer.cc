// Moving messages between sockets. Spec 60 S-2..S-12.
//
// A message is made whole before any lock is taken. Waiting as with pipes: a task queues itself while it holds the receiver's
// mutex, and who changes the receiver looks at its queues while holding it.
// SPDX-License-Identifier: Apache-2.0
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/socket/unix.hh"
#include "fs/vfs/poll.hh"
#include "kernel/signal/signal.hh"

namespace {

constexpr size_t kChunk = 32768;  // a long write to a stream goes in pieces

bool has_room(const UnixSock* from, const UnixSock* to) { return to->queued < READ_ONCE(from->sndbuf); }

// Makes a message of up to n bytes of from. -errno as pointer would not do here: null and *err.
Message* make_message(iov_iter* from, size_t n, int* err) {
  auto* m = static_cast<Message*>(kvmalloc(sizeof(Message) + n, GFP_KERNEL));
  *err = -ENOBUFS;
  if (!m) return nullptr;
  INIT_LIST_HEAD(&m->list);
  m->len = n;
  m->taken = 0;
  m->nr_fds = 0;
  m->fds = nullptr;
  m->from = current_ucred();
  m->sender = {};
  *err = -EFAULT;
  if (copy_from_iter(m->data(), n, from) < n) {
    kvfree(m);
    return nullptr;
  }
  return m;
}

ssize_t broken_pipe(const UnixSock* s, int flags) {
  if (s->type != SOCK_DGRAM && !(flags & MSG_NOSIGNAL)) send_sig(SIGPIPE, current, 0);
  return -EPIPE;
}

// Puts m into to's queue, waiting for room. 0 or -errno (m stays the caller's). Takes and drops to->mutex.
long deliver(UnixSock* s, UnixSock* to, Message* m, int flags, bool nonblock) {
  mutex_lock(&to->mutex);
  for (;;) {
    long err = 0;
    if (to->closed)
      err = s->type == SOCK_DGRAM ? -ECONNREFUSED : broken_pipe(s, flags);
    else if (to->no_read || READ_ONCE(s->no_write))
      err = broken_pipe(s, flags);
    else if (!has_room(s, to))
      err = nonblock ? -EAGAIN : signal_pending(current) ? -ERESTARTSYS : 1;
    if (err <= 0) {
      if (!err) {
        list_add_tail(&m->list, &to->rx);
        to->queued += m->len + kMessageCost;
      }
      bool wake = !err && waitqueue_active(&to->rd_wait);
      mutex_unlock(&to->mutex);
      if (wake) wake_up_interruptible_sync_poll(&to->rd_wait, EPOLLIN | EPOLLRDNORM | EPOLLRDBAND);
      return err;
    }
    DEFINE_WAIT(w);
    prepare_to_wait_exclusive(&to->wr_wait, &w, TASK_INTERRUPTIBLE);
    mutex_unlock(&to->mutex);
    schedule();
    finish_wait(&to->wr_wait, &w);
    mutex_lock(&to->mutex);
  }
}

void attach_control(Message* m, Control* c, const UnixSock* s) {
  if (c) {
    m->fds = std::exchange(c->fds, nullptr);
    m->nr_fds = std::exchange(c->nr_fds, 0);
    if (c->has_cred) m->from = c->cred;
  }
  m->sender = s->name;
}

}  // namespace

void free_message(Message* m) {
  for (unsigned k = 0; k < m->nr_fds; k++)
    if (m->fds[k]) fput(m->fds[k]);
  kfree(m->fds);
  kvfree(m);
}

ssize_t unix_send(UnixSock* s, UnixSock* to, iov_iter* from, int flags, Control* c, bool nonblock) {
  if (flags & MSG_OOB) return -EOPNOTSUPP;
  nonblock = nonblock || flags & MSG_DONTWAIT;
  size_t n = iov_iter_count(from);
  if (s->stream()) {
    if (!n) return 0;
  } else if (n > READ_ONCE(s->sndbuf) - kMessageCost) {
    return -EMSGSIZE;
  }
  ssize_t total = 0;
  do {
    int err;
    Message* m = make_message(from, s->stream() ? min(iov_iter_count(from), kChunk) : n, &err);
    if (!m) return total ? total : err;
    attach_control(m, c, s);
    c = nullptr;  // fds go with the first piece
    const auto len = static_cast<ssize_t>(m->len);  // once delivered, the message is the receiver's to free
    if (long r = deliver(s, to, m, flags, nonblock)) {
      free_message(m);
      return total ? total : r;
    }
    total += len;
  } while (s->stream() && iov_iter_count(from));
  return total;
}

// ---- Receiving ----------------------------------------------------------------------------------------------------------------
namespace {

void hand_over(Message* m, Control* c, int flags) {
  if (!c) return;
  c->cred = m->from;
  c->has_cred = true;
  c->from = m->sender;
  c->whole = m->len;
  if (flags & MSG_PEEK) return;
  c->fds = std::exchange(m->fds, nullptr);
  c->nr_fds = std::exchange(m->nr_fds, 0);
}

// Takes m off the queue. s->mutex held.
void consume(UnixSock* s, Message* m) {
  list_del_init(&m->list);
  s->queued -= m->len + kMessageCost;
}

// What there is, without waiting. s->mutex held, something is queued. Bytes or -EFAULT.
ssize_t take_stream(UnixSock* s, iov_iter* to, int flags, Control* c, list_head* used) {
  ssize_t total = 0;
  bool had_fds = false;
  Message *m, *next;
  for (m = list_first_entry(&s->rx, Message, list); !list_entry_is_head(m, &s->rx, list) && iov_iter_count(to); m = next) {
    next = list_next_entry(m, list);
    if (total && (had_fds || m->nr_fds)) break;  // S-12
    size_t n = min(m->len - m->taken, iov_iter_count(to));
    if (copy_to_iter(m->data() + m->taken, n, to) < n) return total ? total : -EFAULT;
    total += static_cast<ssize_t>(n);
    had_fds = m->nr_fds;
    if (c && (!total || !c->has_cred || m->nr_fds)) hand_over(m, c, flags);
    if (flags & MSG_PEEK) continue;
    m->taken += n;
    if (m->taken == m->len) {
      consume(s, m);
      list_add_tail(&m->list, used);
    }
  }
  return total;
}

ssize_t take_datagram(UnixSock* s, iov_iter* to, int flags, Control* c, list_head* used) {
  Message* m = list_first_entry(&s->rx, Message, list);
  size_t n = min(m->len, iov_iter_count(to));
  if (copy_to_iter(m->data(), n, to) < n) return -EFAULT;
  hand_over(m, c, flags);
  if (c) c->truncated = n < m->len;
  if (!(flags & MSG_PEEK)) {
    size_t len = m->len;
    consume(s, m);
    list_add_tail(&m->list, used);
    if (flags & MSG_TRUNC) return static_cast<ssize_t>(len);
  }
  return flags & MSG_TRUNC ? static_cast<ssize_t>(m->len) : static_cast<ssize_t>(n);
}

// Nothing is queued: 0 end, -errno, or 1 wait. s->mutex held.
long nothing_there(UnixSock* s, bool nonblock) {
  if (s->error) return -std::exchange(s->error, 0);
  if (s->no_read) return 0;
  if (s->type != SOCK_DGRAM) {
    if (!s->peer) return s->stream() ? -EINVAL : -ENOTCONN;
    if (READ_ONCE(s->peer->closed) || READ_ONCE(s->peer->no_write)) return 0;
  }
  if (nonblock) return -EAGAIN;
  return signal_pending(current) ? -ERESTARTSYS : 1;
}

}  // namespace

ssize_t unix_recv(UnixSock* s, iov_iter* to, int flags, Control* c, bool nonblock) {
  if (flags & MSG_OOB) return -EOPNOTSUPP;
  nonblock = nonblock || flags & MSG_DONTWAIT;
  if (s->stream() && !iov_iter_count(to)) return 0;
  LIST_HEAD(used);
  ssize_t total = 0;
  mutex_lock(&s->mutex);
  for (;;) {
    if (!list_empty(&s->rx)) {
      ssize_t n = s->stream() ? take_stream(s, to, flags, c, &used) : take_datagram(s, to, flags, c, &used);
      if (n < 0) {
        if (!total) total = n;
        break;
      }
      total += n;
      if (!s->stream() || !(flags & MSG_WAITALL) || flags & MSG_PEEK || !iov_iter_count(to)) break;
      continue;
    }
    if (total && !(flags & MSG_WAITALL)) break;
    long r = nothing_there(s, nonblock);
    if (r <= 0) {
      if (!total) total = r;
      break;
    }
    DEFINE_WAIT(w);
    prepare_to_wait_exclusive(&s->rd_wait, &w, TASK_INTERRUPTIBLE);
    mutex_unlock(&s->mutex);
    schedule();
    finish_wait(&s->rd_wait, &w);
    mutex_lock(&s->mutex);
  }
  bool room = !list_empty(&used) && waitqueue_active(&s->wr_wait);
  bool more = !list_empty(&s->rx) && waitqueue_active(&s->rd_wait);
  mutex_unlock(&s->mutex);
  if (room) wake_up_interruptible_sync_poll(&s->wr_wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
  if (more) wake_up_interruptible_poll(&s->rd_wait, EPOLLIN | EPOLLRDNORM);
  while (!list_empty(&used)) {
    Message* m = list_first_entry(&used, Message, list);
    list_del(&m->list);
    free_message(m);
  }
  return total;
}

void unix_wake_both(UnixSock* s) {
  __wake_up(&s->rd_wait, TASK_INTERRUPTIBLE, 0, poll_to_key(EPOLLIN | EPOLLRDNORM | EPOLLHUP | EPOLLRDHUP | EPOLLERR));
  __wake_up(&s->wr_wait, TASK_INTERRUPTIBLE, 0, poll_to_key(EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR));
}
