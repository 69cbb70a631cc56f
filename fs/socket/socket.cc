// Sockets as files: made, bound, connected, polled, closed.
// SPDX-License-Identifier: Apache-2.0
#include "fs/socket/socket.hh"

#include <linux/bug.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/socket/unix.hh"
#include "fs/vfs/internal.hh"
#include "fs/vfs/poll.hh"
#include "init/report.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned SOCK_CLOEXEC = O_CLOEXEC, SOCK_NONBLOCK = O_NONBLOCK;
constexpr unsigned kMaxBacklog = 4096;

constinit vfsmount* sock_mnt = nullptr;
atomic_long_t nr_sockets;
unsigned autobind_counter;
DEFINE_MUTEX(bound_mutex);
LIST_HEAD(bound);  // UnixSock::bound_link

}  // namespace

ucred current_ucred() {
  const struct cred* c = current_cred();
  return {task_tgid_vnr(current), c->euid.val, c->egid.val};
}

UnixSock* unix_alloc(int type) {
  auto* s = static_cast<UnixSock*>(kzalloc(sizeof(UnixSock), GFP_KERNEL));
  if (!s) return nullptr;
  refcount_set(&s->refs, 1);
  s->type = type;
  s->sndbuf = s->rcvbuf = kQueueBytes;
  mutex_init(&s->mutex);
  INIT_LIST_HEAD(&s->rx);
  INIT_LIST_HEAD(&s->pending);
  INIT_LIST_HEAD(&s->accept_link);
  INIT_LIST_HEAD(&s->bound_link);
  init_waitqueue_head(&s->rd_wait);
  init_waitqueue_head(&s->wr_wait);
  s->creds = current_ucred();
  s->name.un.sun_family = AF_UNIX;
  s->name.len = kAddrHead;
  atomic_long_inc(&nr_sockets);
  return s;
}

void unix_put(UnixSock* s) {
  if (!refcount_dec_and_test(&s->refs)) return;
  if (s->bound_inode) iput(s->bound_inode);
  kfree(s);
  atomic_long_dec(&nr_sockets);
}

// ---- The end of a socket ------------------------------------------------------------------------------------------------------
namespace {

void drop_queue(UnixSock* s, bool* had_data) {
  LIST_HEAD(old);
  {
    MutexGuard g(s->mutex);
    WRITE_ONCE(s->closed, true);  // looked at without our mutex by the peer
    *had_data = !list_empty(&s->rx);
    list_splice_init(&s->rx, &old);
    s->queued = 0;
  }
  while (!list_empty(&old)) {
    Message* m = list_first_entry(&old, Message, list);
    list_del(&m->list);
    free_message(m);
  }
}

void shut_down(UnixSock* s);

void refuse_pending(UnixSock* s) {
  for (;;) {
    UnixSock* p = nullptr;
    {
      MutexGuard g(s->mutex);
      if (!list_empty(&s->pending)) {
        p = list_first_entry(&s->pending, UnixSock, accept_link);
        list_del_init(&p->accept_link);
      }
    }
    if (!p) return;
    shut_down(p);
  }
}

// The socket is used no more; its reference goes.
void shut_down(UnixSock* s) {
  {
    MutexGuard g(bound_mutex);
    if (!list_empty(&s->bound_link)) list_del_init(&s->bound_link);
  }
  bool unread;
  drop_queue(s, &unread);
  refuse_pending(s);
  if (UnixSock* p = s->peer) {
    if (s->type != SOCK_DGRAM) {
      MutexGuard g(p->mutex);
      if (unread) p->error = ECONNRESET;
    }
    unix_wake_both(p);
  }
  unix_wake_both(s);
  if (s->peer) unix_put(s->peer);
  unix_put(s);
}

int socket_release(inode*, file* f) {
  shut_down(static_cast<UnixSock*>(f->private_data));
  return 0;
}

bool nonblocking(const file* f) { return f->f_flags & O_NONBLOCK; }

ssize_t socket_read_iter(kiocb* k, iov_iter* to) {
  return unix_recv(sock_of(k->ki_filp), to, 0, nullptr, nonblocking(k->ki_filp));
}
ssize_t socket_write_iter(kiocb* k, iov_iter* from) {
  UnixSock* s = sock_of(k->ki_filp);
  if (!s->peer) return -ENOTCONN;
  return unix_send(s, s->peer, from, 0, nullptr, nonblocking(k->ki_filp));
}

__poll_t socket_poll(file* f, poll_table* pt) {
  UnixSock *s = sock_of(f), *p = READ_ONCE(s->peer);
  poll_wait(f, &s->rd_wait, pt);
  if (p) poll_wait(f, &p->wr_wait, pt);
  __poll_t m = 0;
  bool peer_gone = false, peer_done = false;
  if (p) {
    MutexGuard g(p->mutex);
    peer_gone = p->closed;
    peer_done = p->closed || p->no_write;
    // Writable while what lies there is a quarter of the limit at most (S-9).
    if (peer_gone || p->no_read || p->queued <= READ_ONCE(s->sndbuf) / 4) m |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
  } else if (s->type == SOCK_DGRAM) {
    m |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
  }
  MutexGuard g(s->mutex);
  if (s->error) m |= EPOLLERR;
  if (!list_empty(&s->rx) || !list_empty(&s->pending)) m |= EPOLLIN | EPOLLRDNORM;
  bool connection = s->type != SOCK_DGRAM;
  if (s->no_read || (connection && peer_done)) m |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
  if ((connection && peer_gone) || (s->no_read && s->no_write) || (connection && !p && !s->listening)) m |= EPOLLHUP;
  if (connection && !p && !s->listening) m |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
  return m;
}

constexpr unsigned FIONREAD = 0x541B, TIOCOUTQ = 0x5411;
long socket_ioctl(file* f, unsigned cmd, unsigned long arg) {
  UnixSock* s = sock_of(f);
  if (cmd != FIONREAD && cmd != TIOCOUTQ) return -ENOIOCTLCMD;
  UnixSock* q = cmd == FIONREAD ? s : s->peer;
  size_t n = 0;
  if (q) {
    MutexGuard g(q->mutex);
    Message* m;
    list_for_each_entry(m, &q->rx, list) {
      n += m->len - m->taken;
      if (!s->stream()) break;
    }
  }
  return put_user(static_cast<int>(n), reinterpret_cast<int*>(arg));
}

int socket_open(inode*, file*) { return -ENXIO; }

}  // namespace

const file_operations socket_fops = {.llseek = no_llseek, .read_iter = socket_read_iter, .write_iter = socket_write_iter,
                                     .poll = socket_poll, .unlocked_ioctl = socket_ioctl, .open = socket_open,
                                     .release = socket_release};

UnixSock* sock_of(const file* f) { return f->f_op == &socket_fops ? static_cast<UnixSock*>(f->private_data) : nullptr; }

// ---- Making -------------------------------------------------------------------------------------------------------------------
namespace {

Result<int> check_kind(int family, int type, int protocol) {
  if (family != AF_UNIX) return fail(EAFNOSUPPORT);
  if (protocol && protocol != AF_UNIX) return fail(EPROTONOSUPPORT);
  switch (type) {
    case SOCK_STREAM: case SOCK_DGRAM: case SOCK_SEQPACKET: return type;
    case SOCK_RAW: return static_cast<int>(SOCK_DGRAM);
    default: return type < 0 || type > 10 ? fail(EINVAL) : fail(ESOCKTNOSUPPORT);
  }
}

// A file on s, whose reference it takes over, also if it fails.
Result<file*> make_file(UnixSock* s, int flags) {
  inode* i = new_inode(sock_mnt->mnt_sb);
  if (!i) {
    unix_put(s);
    return fail(ENFILE);
  }
  i->i_mode = S_IFSOCK | S_IRWXUGO;
  i->i_uid = current_cred()->fsuid;
  i->i_gid = current_cred()->fsgid;
  auto f = alloc_file_pseudo(i, sock_mnt, {}, O_RDWR | (flags & O_NONBLOCK), &socket_fops);
  if (!f) {
    unix_put(s);
    return f;
  }
  (*f)->f_mode &= ~(FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE);
  (*f)->f_mode |= FMODE_STREAM;
  (*f)->private_data = s;
  s->self = *f;
  return f;
}

Result<file*> new_socket(int type, int flags) {
  UnixSock* s = unix_alloc(type);
  if (!s) return fail(ENOMEM);
  return make_file(s, flags);
}

void join(UnixSock* a, UnixSock* b) {
  a->peer = unix_get(b);
  b->peer = unix_get(a);
  a->peer_creds = b->creds;
  b->peer_creds = a->creds;
}

bool flags_ok(int type) { return !(type & ~(SOCK_TYPE_MASK | static_cast<int>(SOCK_CLOEXEC | SOCK_NONBLOCK))); }

long do_socketpair(int family, int type, int protocol, int* user) {
  if (!flags_ok(type)) return -EINVAL;
  if (family != AF_UNIX) return family == 2 || family == 10 ? -EOPNOTSUPP : -EAFNOSUPPORT;  // S-1
  auto kind = check_kind(family, type & SOCK_TYPE_MASK, protocol);
  if (!kind) return kind.error().neg();
  auto fa = new_socket(*kind, type);
  if (!fa) return fa.error().neg();
  FileRef a(*fa);
  auto fb = new_socket(*kind, type);
  if (!fb) return fb.error().neg();
  FileRef b(*fb);
  join(sock_of(a.get()), sock_of(b.get()));
  unsigned flags = static_cast<unsigned>(type) & SOCK_CLOEXEC;
  int fds[2] = {get_unused_fd_flags(flags), -1};
  if (fds[0] < 0) return fds[0];
  fds[1] = get_unused_fd_flags(flags);
  long err = fds[1] < 0 ? fds[1] : copy_to_user(user, fds, sizeof(fds)) ? -EFAULT : 0;
  if (err) {
    put_unused_fd(static_cast<unsigned>(fds[0]));
    if (fds[1] >= 0) put_unused_fd(static_cast<unsigned>(fds[1]));
    return err;
  }
  fd_install(static_cast<unsigned>(fds[0]), a.release());
  fd_install(static_cast<unsigned>(fds[1]), b.release());
  return 0;
}

long install(Result<file*> f, int flags) {
  if (!f) return f.error().neg();
  int fd = get_unused_fd_flags(static_cast<unsigned>(flags) & SOCK_CLOEXEC);
  if (fd < 0)
    fput(*f);
  else
    fd_install(static_cast<unsigned>(fd), *f);
  return fd;
}

}  // namespace

SYSCALL_DEFINE3(socket, int, family, int, type, int, protocol) {
  if (!flags_ok(type)) return -EINVAL;
  auto kind = check_kind(family, type & SOCK_TYPE_MASK, protocol);
  return kind ? install(new_socket(*kind, type), type) : kind.error().neg();
}
SYSCALL_DEFINE4(socketpair, int, family, int, type, int, protocol, int*, fds) { return do_socketpair(family, type, protocol, fds); }

// ---- Names --------------------------------------------------------------------------------------------------------------------
Result<Address> get_address(const void* user, int len) {
  Address a{};
  if (len < kAddrHead || len > static_cast<int>(sizeof(a.un))) return fail(EINVAL);
  if (copy_from_user(&a.un, user, static_cast<size_t>(len))) return fail(EFAULT);
  if (a.un.sun_family != AF_UNIX) return fail(EINVAL);
  a.len = len;
  if (len > kAddrHead && a.un.sun_path[0]) a.len = kAddrHead + static_cast<int>(strnlen(a.un.sun_path, static_cast<size_t>(len - kAddrHead))) + 1;
  return a;
}

namespace {

bool is_abstract(const Address& a) { return a.len > kAddrHead && !a.un.sun_path[0]; }

// A path as a string: the name may fill its field without NUL.
struct PathText {
  char text[sizeof(sockaddr_un::sun_path) + 1];
  explicit PathText(const Address& a) {
    size_t n = strnlen(a.un.sun_path, sizeof(a.un.sun_path));
    memcpy(text, a.un.sun_path, n);
    text[n] = 0;
  }
};

bool same_name(const Address& a, const Address& b) { return a.len == b.len && memcmp(&a.un, &b.un, static_cast<size_t>(a.len)) == 0; }

// bound_mutex held.
UnixSock* lookup_bound(const Address& a, const inode* i) {
  UnixSock* s;
  list_for_each_entry(s, &bound, bound_link) {
    if (i ? s->bound_inode == i : !s->bound_inode && same_name(s->name, a)) return s;
  }
  return nullptr;
}

Result<void> do_bind(UnixSock* s, Address a) {
  if (a.len == kAddrHead) {  // autobind: five hexadecimal digits
    a.len = kAddrHead + 6;
    unsigned n = __atomic_add_fetch(&autobind_counter, 1, __ATOMIC_RELAXED);
    for (int k = 5; k > 0; k--, n >>= 4) a.un.sun_path[k] = "0123456789abcdef"[n & 15];
  }
  MutexGuard b(bound_mutex);
  if (s->name.len > kAddrHead) return fail(EINVAL);
  inode* i = nullptr;
  if (is_abstract(a)) {
    if (lookup_bound(a, nullptr)) return fail(EADDRINUSE);
  } else {
    PathText path(a);
    auto made = init_mknod(path.text, static_cast<umode_t>(S_IFSOCK | (S_IRWXUGO & ~current_umask_of(current->fs))), 0);
    if (!made) return made.error().code() == EEXIST ? fail(EADDRINUSE) : made;
    auto p = TRY(kern_path(path.text, 0));
    i = igrab(p.ino());
  }
  s->bound_inode = i;
  s->name = a;
  list_add_tail(&s->bound_link, &bound);
  return {};
}

}  // namespace

UnixSock* find_bound(const Address& a, int type, Result<void>* why) {
  PathRef p;
  const inode* i = nullptr;
  if (!is_abstract(a)) {
    PathText path(a);
    auto found = kern_path(path.text, LOOKUP_FOLLOW);
    if (!found) {
      *why = std::unexpected(found.error());
      return nullptr;
    }
    p = std::move(*found);
    i = p.ino();
    if (!(*why = path_permission(p.get(), MAY_WRITE))) return nullptr;
    if (!S_ISSOCK(i->i_mode)) {
      *why = fail(ECONNREFUSED);
      return nullptr;
    }
  }
  MutexGuard b(bound_mutex);
  UnixSock* s = lookup_bound(a, i);
  if (!s || s->type != type) {
    *why = fail(s ? EPROTOTYPE : ECONNREFUSED);
    return nullptr;
  }
  return unix_get(s);
}

namespace {

template <class F>
long with_socket(int fd, F&& f) {
  Fd file(static_cast<unsigned>(fd));
  if (!file) return -EBADF;
  UnixSock* s = sock_of(file.get());
  return s ? f(s, file.get()) : -ENOTSOCK;
}

// ---- Connecting -------------------------------------------------------------------------------------------------------------------
long connect_datagram(UnixSock* s, UnixSock* to) {
  MutexGuard g(s->mutex);
  if (s->peer) return -EISCONN;  // once only
  WRITE_ONCE(s->peer, unix_get(to));
  return 0;
}

// Puts the other end of s into the listener's queue.
long connect_stream(UnixSock* s, UnixSock* listener, bool nonblock) {
  if (s->peer) return -EISCONN;
  if (__atomic_exchange_n(&s->connecting, true, __ATOMIC_ACQ_REL)) return -EALREADY;
  UnixSock* other = unix_alloc(s->type);
  if (!other) {
    __atomic_store_n(&s->connecting, false, __ATOMIC_RELEASE);
    return -ENOMEM;
  }
  other->name = listener->name;
  other->creds = listener->creds;
  long err = 0;
  mutex_lock(&listener->mutex);
  for (;;) {
    if (!listener->listening || listener->closed)
      err = -ECONNREFUSED;
    else if (listener->waiting <= listener->backlog)
      break;
    else if (nonblock)
      err = -EAGAIN;
    else if (signal_pending(current))
      err = -ERESTARTSYS;
    if (err) break;
    DEFINE_WAIT(w);
    prepare_to_wait_exclusive(&listener->wr_wait, &w, TASK_INTERRUPTIBLE);
    mutex_unlock(&listener->mutex);
    schedule();
    finish_wait(&listener->wr_wait, &w);
    mutex_lock(&listener->mutex);
  }
  if (!err) {
    join(s, other);
    list_add_tail(&other->accept_link, &listener->pending);
    listener->waiting++;
  }
  mutex_unlock(&listener->mutex);
  if (err) {
    unix_put(other);
    __atomic_store_n(&s->connecting, false, __ATOMIC_RELEASE);
  } else {
    wake_up_interruptible_poll(&listener->rd_wait, EPOLLIN | EPOLLRDNORM);
  }
  return err;
}

long do_connect(UnixSock* s, const file* f, const void* user, int len) {
  auto a = get_address(user, len);
  if (!a) return a.error().neg();
  Result<void> why;
  UnixSock* to = find_bound(*a, s->type, &why);
  if (!to) return why.error().neg();
  long r = s->type == SOCK_DGRAM ? connect_datagram(s, to) : connect_stream(s, to, nonblocking(f));
  unix_put(to);
  return r;
}

long do_listen(UnixSock* s, int backlog) {
  if (s->type == SOCK_DGRAM) return -EOPNOTSUPP;
  if (s->name.len == kAddrHead || s->peer) return -EINVAL;
  MutexGuard g(s->mutex);
  s->listening = true;
  s->backlog = backlog < 0 || static_cast<unsigned>(backlog) > kMaxBacklog ? kMaxBacklog : static_cast<unsigned>(backlog);
  s->creds = current_ucred();
  return 0;
}

// The next one who connected; its reference is the caller's.
long take_pending(UnixSock* s, bool nonblock, UnixSock** out) {
  mutex_lock(&s->mutex);
  long err = 0;
  while (list_empty(&s->pending)) {
    if (!s->listening) err = s->type == SOCK_DGRAM ? -EOPNOTSUPP : -EINVAL;
    else if (s->no_read) err = -EINVAL;
    else if (nonblock) err = -EAGAIN;
    else if (signal_pending(current)) err = -ERESTARTSYS;
    if (err) break;
    DEFINE_WAIT(w);
    prepare_to_wait_exclusive(&s->rd_wait, &w, TASK_INTERRUPTIBLE);
    mutex_unlock(&s->mutex);
    schedule();
    finish_wait(&s->rd_wait, &w);
    mutex_lock(&s->mutex);
  }
  if (!err) {
    *out = list_first_entry(&s->pending, UnixSock, accept_link);
    list_del_init(&(*out)->accept_link);
    s->waiting--;
  }
  bool more = !list_empty(&s->pending);
  mutex_unlock(&s->mutex);
  if (!err) wake_up_interruptible_poll(&s->wr_wait, EPOLLOUT);
  if (more) wake_up_interruptible_poll(&s->rd_wait, EPOLLIN);
  return err;
}

}  // namespace

long put_address(const Address& a, void* user, int* user_len) {
  if (!user) return 0;
  int room;
  if (get_user(room, user_len)) return -EFAULT;
  if (room < 0) return -EINVAL;
  int n = room < a.len ? room : a.len;
  if (copy_to_user(user, &a.un, static_cast<size_t>(n)) || put_user(a.len, user_len)) return -EFAULT;
  return 0;
}

namespace {

long do_accept(int fd, void* addr, int* len, int flags) {
  if (flags & ~static_cast<int>(SOCK_CLOEXEC | SOCK_NONBLOCK)) return -EINVAL;
  return with_socket(fd, [&](UnixSock* s, file* f) -> long {
    UnixSock* fresh;
    if (long err = take_pending(s, nonblocking(f), &fresh)) return err;
    Address peer = fresh->peer->name;
    UnixSock* hold = unix_get(fresh);
    auto nf = make_file(fresh, flags);  // failed: its reference is gone, the peer sees the end
    if (!nf) shut_down(hold);
    else unix_put(hold);
    if (nf && addr)
      if (long err = put_address(peer, addr, len)) {
        fput(*nf);
        return err;
      }
    return install(nf, flags);
  });
}

}  // namespace

SYSCALL_DEFINE3(bind, int, fd, const void*, addr, int, len) {
  return with_socket(fd, [&](UnixSock* s, file*) -> long {
    auto a = get_address(addr, len);
    return a ? to_abi(do_bind(s, *a)) : a.error().neg();
  });
}
SYSCALL_DEFINE3(connect, int, fd, const void*, addr, int, len) {
  return with_socket(fd, [&](UnixSock* s, file* f) { return do_connect(s, f, addr, len); });
}
SYSCALL_DEFINE2(listen, int, fd, int, backlog) {
  return with_socket(fd, [&](UnixSock* s, file*) { return do_listen(s, backlog); });
}
SYSCALL_DEFINE4(accept4, int, fd, void*, addr, int*, len, int, flags) { return do_accept(fd, addr, len, flags); }
SYSCALL_DEFINE3(accept, int, fd, void*, addr, int*, len) { return do_accept(fd, addr, len, 0); }
SYSCALL_DEFINE3(getsockname, int, fd, void*, addr, int*, len) {
  return with_socket(fd, [&](UnixSock* s, file*) { return put_address(s->name, addr, len); });
}
SYSCALL_DEFINE3(getpeername, int, fd, void*, addr, int*, len) {
  return with_socket(fd, [&](UnixSock* s, file*) { return s->peer ? put_address(s->peer->name, addr, len) : -ENOTCONN; });
}
SYSCALL_DEFINE2(shutdown, int, fd, int, how) {
  return with_socket(fd, [&](UnixSock* s, file*) -> long {
    if (how < 0 || how > 2) return -EINVAL;
    if (s->type != SOCK_DGRAM && !s->peer) return -ENOTCONN;
    {
      MutexGuard g(s->mutex);
      if (how != 1) s->no_read = true;
      if (how != 0) s->no_write = true;
    }
    unix_wake_both(s);
    if (UnixSock* p = s->peer) {
      mutex_lock(&p->mutex);  // whoever looked before us stands in the queue now
      mutex_unlock(&p->mutex);
      unix_wake_both(p);
    }
    return 0;
  });
}

// ---- World ------------------------------------------------------------------------------------------------------------------------
namespace {

constexpr super_operations kSockSuperOps{};
Result<void> fill_sockfs(super_block* sb, const char*) {
  sb->s_op = &kSockSuperOps;
  sb->s_magic = SOCKFS_MAGIC;
  inode* root = new_inode(sb);
  if (!root) return fail(ENOMEM);
  root->i_mode = S_IFDIR | 0700;
  sb->s_root = d_alloc_root(root);
  return sb->s_root ? Result<void>{} : fail(ENOMEM);
}
constinit file_system_type sockfs_type{"sockfs", 0, fill_sockfs, nullptr};

}  // namespace

void socket_init() {
  atomic_long_set(&nr_sockets, 0);
  autobind_counter = 0;
  INIT_LIST_HEAD(&bound);
  auto m = kern_mount(&sockfs_type);
  BUG_ON(!m);
  sock_mnt = *m;
}
void socket_quiesce() { kern_unmount(std::exchange(sock_mnt, nullptr)); }
void socket_exit(LeakReport& r) { r.expect_zero("sockets", atomic_long_read(&nr_sockets)); }
