// send, recv and their message forms with descriptors and credentials; socket options.
// SPDX-License-Identifier: Apache-2.0
#include <linux/align.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/socket/unix.hh"
#include "fs/vfs/internal.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "mm/uaccess.hh"

Result<Address> get_address(const void* user, int len);
long put_address(const Address& a, void* user, int* user_len);

namespace {

struct user_msghdr {
  void* msg_name;
  int msg_namelen;
  iovec* msg_iov;
  size_t msg_iovlen;
  char* msg_control;
  size_t msg_controllen;
  unsigned msg_flags;
};
struct cmsghdr {
  size_t cmsg_len;
  int cmsg_level, cmsg_type;
};
constexpr int SOL_SOCKET = 1, SCM_RIGHTS = 1, SCM_CREDENTIALS = 2;

template <class F>
long with_socket(int fd, F&& f) {
  FileRef file(fget(static_cast<unsigned>(fd)));
  if (!file) return -EBADF;
  UnixSock* s = sock_of(file.get());
  return s ? f(s, static_cast<bool>(file->f_flags & O_NONBLOCK)) : -ENOTSOCK;
}

void drop_control(Control* c) {
  for (unsigned k = 0; k < c->nr_fds; k++)
    if (c->fds[k]) fput(c->fds[k]);
  kfree(c->fds);
  c->fds = nullptr;
  c->nr_fds = 0;
}

struct ControlHolder : Control {
  ~ControlHolder() { drop_control(this); }
};

// Where a send goes: the peer, or who is named. Referenced.
Result<UnixSock*> target_of(UnixSock* s, const void* user_name, int len) {
  if (!user_name || !len) return s->peer ? Result<UnixSock*>(unix_get(s->peer)) : fail(ENOTCONN);
  if (s->type != SOCK_DGRAM) return fail(s->peer ? EISCONN : EOPNOTSUPP);
  Address a = TRY(get_address(user_name, len));
  Result<void> why;
  UnixSock* to = find_bound(a, s->type, &why);
  return to ? Result<UnixSock*>(to) : std::unexpected(why.error());
}

long send_iter(UnixSock* s, iov_iter* from, int flags, Control* c, bool nonblock, const void* name, int len) {
  auto to = target_of(s, name, len);
  if (!to) return to.error().neg();
  long r = unix_send(s, *to, from, flags, c, nonblock);
  unix_put(*to);
  return r;
}

// ---- What comes along: to the kernel ------------------------------------------------------------------------------------------
Result<void> take_fds(const int* fds, unsigned n, Control* c) {
  if (!n) return {};
  if (n + c->nr_fds > kMaxFds) return fail(EINVAL);
  auto* all = static_cast<file**>(krealloc(c->fds, (c->nr_fds + n) * sizeof(file*), GFP_KERNEL));
  if (!all) return fail(ENOMEM);
  c->fds = all;
  for (unsigned k = 0; k < n; k++) {
    file* f = fget_raw(static_cast<unsigned>(fds[k]));
    if (!f) return fail(EBADF);
    c->fds[c->nr_fds++] = f;
  }
  return {};
}

// Credentials are kept in the kernel's ids; whoever asks gets them in his own.
ucred seen_by_caller(const ucred& u) {
  return {u.pid, from_kuid_munged(current_user_ns(), {u.uid}), from_kgid_munged(current_user_ns(), {u.gid})};
}

Result<void> check_ucred(const ucred& u, Control* c) {
  const struct cred* me = current_cred();
  const kuid_t uid = make_kuid(me->user_ns, u.uid);
  const kgid_t gid = make_kgid(me->user_ns, u.gid);
  if (!uid_valid(uid) || !gid_valid(gid)) return fail(EINVAL);
  bool pid_ok = u.pid == task_tgid_vnr(current) || capable(CAP_SYS_ADMIN);
  bool uid_ok = uid_eq(uid, me->uid) || uid_eq(uid, me->euid) || uid_eq(uid, me->suid) || ns_capable(me->user_ns, CAP_SETUID);
  bool gid_ok = gid_eq(gid, me->gid) || gid_eq(gid, me->egid) || gid_eq(gid, me->sgid) || ns_capable(me->user_ns, CAP_SETGID);
  if (!pid_ok || !uid_ok || !gid_ok) return fail(EPERM);
  c->cred = {u.pid, uid.val, gid.val};
  c->has_cred = true;
  return {};
}

Result<void> parse_control(const user_msghdr& m, Control* c) {
  if (!m.msg_control || !m.msg_controllen) return {};
  if (m.msg_controllen > 4096) return fail(ENOBUFS);
  struct Buffer {
    char* p;
    ~Buffer() { kfree(p); }
  } buf{static_cast<char*>(kmalloc(m.msg_controllen, GFP_KERNEL))};
  if (!buf.p) return fail(ENOBUFS);
  if (copy_from_user(buf.p, m.msg_control, m.msg_controllen)) return fail(EFAULT);
  for (size_t at = 0; at + sizeof(cmsghdr) <= m.msg_controllen;) {
    auto* h = reinterpret_cast<cmsghdr*>(buf.p + at);
    if (h->cmsg_len < sizeof(cmsghdr) || h->cmsg_len > m.msg_controllen - at) return fail(EINVAL);
    size_t n = h->cmsg_len - sizeof(cmsghdr);
    const void* data = h + 1;
    if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
      TRY(take_fds(static_cast<const int*>(data), static_cast<unsigned>(n / sizeof(int)), c));
    } else if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS) {
      if (n != sizeof(ucred)) return fail(EINVAL);
      TRY(check_ucred(*static_cast<const ucred*>(data), c));
    } else if (h->cmsg_level == SOL_SOCKET) {
      return fail(EINVAL);
    }
    at += ALIGN(h->cmsg_len, 8ul);
  }
  return {};
}

// ---- and back to the user -----------------------------------------------------------------------------------------------------
struct ControlWriter {
  char* at;
  size_t room;
  unsigned flags = 0;
  bool put(int type, const void* data, size_t n) {
    cmsghdr h{sizeof(cmsghdr) + n, SOL_SOCKET, type};
    if (room < h.cmsg_len) {
      flags |= MSG_CTRUNC;
      return false;
    }
    if (copy_to_user(at, &h, sizeof(h)) || copy_to_user(at + sizeof(h), data, n)) return false;
    size_t step = ALIGN(h.cmsg_len, 8ul);
    if (step > room) step = room;
    at += step;
    room -= step;
    return true;
  }
};

// Installs as many as fit, both in the buffer and in the table; the rest is closed (S-11).
void put_fds(ControlWriter* w, Control* c, unsigned open_flags) {
  int fds[kMaxFds];
  unsigned fit = w->room < sizeof(cmsghdr) ? 0 : static_cast<unsigned>((w->room - sizeof(cmsghdr)) / sizeof(int));
  unsigned n = 0;
  for (; n < c->nr_fds && n < fit; n++) {
    int fd = get_unused_fd_flags(open_flags);
    if (fd < 0) break;
    fds[n] = fd;
    fd_install(static_cast<unsigned>(fd), std::exchange(c->fds[n], nullptr));
  }
  if (n < c->nr_fds) w->flags |= MSG_CTRUNC;
  if (n) w->put(SCM_RIGHTS, fds, n * sizeof(int));
}

Result<user_msghdr> get_header(const user_msghdr* user) {
  user_msghdr m;
  if (copy_from_user(&m, user, sizeof(m))) return fail(EFAULT);
  if (m.msg_iovlen > UIO_MAXIOV) return fail(EMSGSIZE);
  return m;
}

long send_message(UnixSock* s, const user_msghdr* user, int flags, bool nonblock) {
  auto m = get_header(user);
  if (!m) return m.error().neg();
  ControlHolder c;
  if (auto r = parse_control(*m, &c); !r) return r.error().neg();
  return with_user_vec(m->msg_iov, m->msg_iovlen, [&](iov_iter* from) -> long {
    return send_iter(s, from, flags, &c, nonblock, m->msg_name, m->msg_namelen);
  });
}

long receive_message(UnixSock* s, user_msghdr* user, int flags, bool nonblock) {
  auto m = get_header(user);
  if (!m) return m.error().neg();
  ControlHolder c;
  long n = with_user_vec(m->msg_iov, m->msg_iovlen, [&](iov_iter* to) -> long { return unix_recv(s, to, flags, &c, nonblock); });
  if (n < 0) return n;
  ControlWriter w{m->msg_control, m->msg_control ? m->msg_controllen : 0};
  if (s->pass_cred && c.has_cred) {
    const ucred shown = seen_by_caller(c.cred);
    w.put(SCM_CREDENTIALS, &shown, sizeof(shown));
  }
  if (c.nr_fds) put_fds(&w, &c, flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0);
  unsigned out_flags = w.flags | (c.truncated ? MSG_TRUNC : 0) | (flags & MSG_CMSG_CLOEXEC);
  size_t used = static_cast<size_t>(w.at - m->msg_control);
  if (put_user(out_flags, &user->msg_flags) || put_user(used, &user->msg_controllen)) return -EFAULT;
  if (m->msg_name) {
    int len = s->type == SOCK_DGRAM && c.from.len > kAddrHead ? c.from.len : 0;
    int fit = len < m->msg_namelen ? len : m->msg_namelen;
    if (copy_to_user(m->msg_name, &c.from.un, static_cast<size_t>(fit)) || put_user(len, &user->msg_namelen)) return -EFAULT;
  }
  return n;
}

}  // namespace

SYSCALL_DEFINE6(sendto, int, fd, char*, buf, size_t, n, int, flags, const void*, name, int, len) {
  return with_socket(fd, [&](UnixSock* s, bool nonblock) -> long {
    if (!access_ok(buf, n)) return -EFAULT;
    iov_iter from;
    iov_iter_ubuf(&from, buf, n > MAX_RW_COUNT ? MAX_RW_COUNT : n);
    return send_iter(s, &from, flags, nullptr, nonblock, name, len);
  });
}
SYSCALL_DEFINE6(recvfrom, int, fd, char*, buf, size_t, n, int, flags, void*, name, int*, len) {
  return with_socket(fd, [&](UnixSock* s, bool nonblock) -> long {
    if (!access_ok(buf, n)) return -EFAULT;
    iov_iter to;
    iov_iter_ubuf(&to, buf, n > MAX_RW_COUNT ? MAX_RW_COUNT : n);
    ControlHolder c;
    long r = unix_recv(s, &to, flags, &c, nonblock);
    if (r < 0 || !name) return r;
    if (s->type != SOCK_DGRAM || c.from.len <= kAddrHead) c.from.len = 0;
    long err = put_address(c.from, name, len);
    return err ? err : r;
  });
}
SYSCALL_DEFINE3(sendmsg, int, fd, const user_msghdr*, m, int, flags) {
  return with_socket(fd, [&](UnixSock* s, bool nonblock) { return send_message(s, m, flags, nonblock); });
}
SYSCALL_DEFINE3(recvmsg, int, fd, user_msghdr*, m, int, flags) {
  return with_socket(fd, [&](UnixSock* s, bool nonblock) { return receive_message(s, m, flags, nonblock); });
}

// ---- Options --------------------------------------------------------------------------------------------------------------------
namespace {

enum : int { SO_REUSEADDR = 2, SO_TYPE = 3, SO_ERROR = 4, SO_SNDBUF = 7, SO_RCVBUF = 8, SO_PASSCRED = 16, SO_PEERCRED = 17,
             SO_ACCEPTCONN = 30, SO_PROTOCOL = 38, SO_DOMAIN = 39 };

long get_option(UnixSock* s, int name, char* value, int* user_len) {
  int len, v = 0;
  if (get_user(len, user_len)) return -EFAULT;
  if (len < 0) return -EINVAL;
  ucred peer;
  const void* out = &v;
  int size = sizeof(v);
  switch (name) {
    case SO_TYPE: v = s->type; break;
    case SO_ERROR: v = std::exchange(s->error, 0); break;
    case SO_SNDBUF: v = static_cast<int>(READ_ONCE(s->sndbuf)); break;
    case SO_RCVBUF: v = static_cast<int>(READ_ONCE(s->rcvbuf)); break;
    case SO_REUSEADDR: v = s->reuse_addr; break;
    case SO_PASSCRED: v = s->pass_cred; break;
    case SO_ACCEPTCONN: v = s->listening; break;
    case SO_DOMAIN: v = AF_UNIX; break;
    case SO_PROTOCOL: break;
    case SO_PEERCRED: peer = seen_by_caller(s->peer_creds); out = &peer; size = sizeof(ucred); break;
    default: return -ENOPROTOOPT;
  }
  if (len > size) len = size;
  return copy_to_user(value, out, static_cast<size_t>(len)) || put_user(len, user_len) ? -EFAULT : 0;
}

// socket(7): the value is limited by wmem_max or rmem_max, doubled, and not below a minimum (which a 6.18 answered).
constexpr unsigned kMinSndbuf = 4608, kMinRcvbuf = 2304, kMaxBuffer = kQueueBytes;
unsigned buffer_size(int wanted, unsigned least) {
  unsigned n = wanted < 0 || static_cast<unsigned>(wanted) > kMaxBuffer ? kMaxBuffer : static_cast<unsigned>(wanted);
  return std::max(2 * n, least);
}

long set_option(UnixSock* s, int name, const char* value, int len) {
  int v;
  if (len < static_cast<int>(sizeof(v))) return -EINVAL;
  if (copy_from_user(&v, value, sizeof(v))) return -EFAULT;
  switch (name) {
    case SO_PASSCRED: s->pass_cred = v; return 0;
    case SO_SNDBUF: WRITE_ONCE(s->sndbuf, buffer_size(v, kMinSndbuf)); return 0;
    case SO_RCVBUF: WRITE_ONCE(s->rcvbuf, buffer_size(v, kMinRcvbuf)); return 0;
    case SO_REUSEADDR: s->reuse_addr = v; return 0;
    default: return -ENOPROTOOPT;
  }
}

}  // namespace

SYSCALL_DEFINE5(getsockopt, int, fd, int, level, int, name, char*, value, int*, len) {
  return with_socket(fd, [&](UnixSock* s, bool) { return level == SOL_SOCKET ? get_option(s, name, value, len) : -EOPNOTSUPP; });
}
SYSCALL_DEFINE5(setsockopt, int, fd, int, level, int, name, const char*, value, int, len) {
  return with_socket(fd, [&](UnixSock* s, bool) { return level == SOL_SOCKET ? set_option(s, name, value, len) : -EOPNOTSUPP; });
}
