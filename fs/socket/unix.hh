// The socket itself, and messages.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/mutex.h>
#include <linux/wait.h>

#include "fs/vfs/vfs.hh"

inline constexpr int AF_UNIX = 1;
enum : int { SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_SEQPACKET = 5, SOCK_TYPE_MASK = 15 };
inline constexpr unsigned kQueueBytes = 212992;  // what may lie unread in one socket, unless SO_SNDBUF of the sender says
inline constexpr size_t kMessageCost = 64;     // and what each message counts besides its bytes
inline constexpr size_t kMaxFds = 253;

struct sockaddr_un {
  unsigned short sun_family;
  char sun_path[108];
};
inline constexpr int kAddrHead = 2;
struct ucred {
  int pid;
  unsigned uid, gid;
};

struct Address {  // length of the whole, family included; 2: no name
  sockaddr_un un;
  int len;
};

struct Message {
  struct list_head list;
  size_t len, taken;  // bytes; read so far (streams)
  ucred from;
  unsigned nr_fds;
  file** fds;
  Address sender;
  char* data() { return reinterpret_cast<char*>(this + 1); }
};

struct UnixSock {
  refcount_t refs;
  int type;
  struct mutex mutex;   // all below but the queues' own
  struct list_head rx;  // Message
  size_t queued;
  UnixSock* peer;       // referenced; set once
  bool closed, no_read, no_write;
  bool pass_cred, reuse_addr;  // reuse_addr means nothing here, but is kept
  unsigned sndbuf;      // bytes that may lie unread at the receiver before we wait; read without the mutex
  unsigned rcvbuf;      // kept for getsockopt alone (unix(7))
  int error;            // told once: ECONNRESET if the peer went with data of ours unread (S-5)
  wait_queue_head_t rd_wait, wr_wait;     // who waits for data here; who waits to put some here
  // Listening.
  bool listening;
  bool connecting;  // atomically: one connect at a time
  unsigned backlog, waiting;
  struct list_head pending;  // UnixSock::accept_link of those who connected, each referenced
  struct list_head accept_link;
  Address name;
  struct list_head bound_link;  // bound_mutex
  inode* bound_inode;           // referenced; null: abstract or none
  ucred creds, peer_creds;
  file* self;

  bool connected() const { return peer; }
  bool stream() const { return type == SOCK_STREAM; }
};

UnixSock* unix_alloc(int type);  // one reference; null: no memory
void unix_put(UnixSock* s);
inline UnixSock* unix_get(UnixSock* s) {
  refcount_inc(&s->refs);
  return s;
}
void free_message(Message* m);
ucred current_ucred();

// transfer.cc. flags: MSG_*. Bytes or -errno.
struct Control {  // what comes along with the bytes
  file** fds = nullptr;
  unsigned nr_fds = 0;
  ucred cred{};
  bool has_cred = false, truncated = false;
  Address from{};
  size_t whole = 0;  // length of the datagram that was read
};
enum : int { MSG_PEEK = 2, MSG_CTRUNC = 8, MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_WAITALL = 0x100, MSG_NOSIGNAL = 0x4000,
             MSG_CMSG_CLOEXEC = 0x40000000, MSG_OOB = 1 };
ssize_t unix_send(UnixSock* s, UnixSock* to, iov_iter* from, int flags, Control* c, bool nonblock);
ssize_t unix_recv(UnixSock* s, iov_iter* to, int flags, Control* c, bool nonblock);
void unix_wake_both(UnixSock* s);

// socket.cc
UnixSock* sock_of(const file* f);  // null: not a socket
extern const file_operations socket_fops;
UnixSock* find_bound(const Address& a, int type, Result<void>* why);  // referenced
