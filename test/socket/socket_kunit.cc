// AF_UNIX sockets against spec 60 section 9.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/kthread.h>

#include "test/vfs/fs_calls.hh"

namespace {

enum { STREAM = 1, DGRAM = 2, SEQPACKET = 5, NOSIGNAL = 0x4000, TRUNC = 0x20, DONTWAIT = 0x40, PEEK = 2 };

struct Pair {
  FsCalls& fs;
  long fd[2] = {-1, -1};
  long r;
  Pair(FsCalls& f, int type, int family = 1, int protocol = 0) : fs(f) {
    unsigned long at = fs.room(8);
    r = call(sys_socketpair, static_cast<unsigned>(family), static_cast<unsigned>(type), static_cast<unsigned>(protocol), at);
    if (!r) {
      fd[0] = fs.get<int>(at);
      fd[1] = fs.get<int>(at + 4);
    }
  }
  long send(int side, const char* s, int flags = NOSIGNAL) {
    return call(sys_sendto, fd[side], fs.str(s), strlen(s), static_cast<unsigned>(flags), 0, 0);
  }
  long recv(int side, char* to, size_t n, int flags = DONTWAIT) {
    unsigned long at = fs.room(n);
    long got = call(sys_recvfrom, fd[side], at, n, static_cast<unsigned>(flags), 0, 0);
    if (got > 0) fs.copy_out(to, at, static_cast<size_t>(got) < n ? static_cast<size_t>(got) : n);
    return got;
  }
  unsigned poll(int side) {
    pollfd p{static_cast<int>(fd[side]), POLLIN | POLLOUT | POLLRDHUP, 0};
    unsigned long at = fs.bytes(&p, sizeof(p));
    call(sys_poll, at, 1, 0);
    return static_cast<u16>(fs.get<pollfd>(at).revents);
  }
};

// spec 60 S-1
void kinds(kunit* test) {
  FsCalls fs(test);
  KUNIT_EXPECT_EQ(test, Pair(fs, STREAM).r, 0);
  KUNIT_EXPECT_EQ(test, Pair(fs, STREAM, 1, 1).r, 0);
  KUNIT_EXPECT_EQ(test, Pair(fs, DGRAM).r, 0);
  KUNIT_EXPECT_EQ(test, Pair(fs, 3).r, 0);
  KUNIT_EXPECT_EQ(test, Pair(fs, SEQPACKET).r, 0);
  KUNIT_EXPECT_EQ(test, Pair(fs, 4).r, -ESOCKTNOSUPPORT);
  KUNIT_EXPECT_EQ(test, Pair(fs, STREAM, 1, 7).r, -EPROTONOSUPPORT);
  KUNIT_EXPECT_EQ(test, Pair(fs, STREAM, 2).r, -EOPNOTSUPP);
  KUNIT_EXPECT_EQ(test, call(sys_socket, 2, STREAM, 0), -EAFNOSUPPORT);
  Pair p(fs, STREAM | O_CLOEXEC | O_NONBLOCK);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p.fd[0], F_GETFD), FD_CLOEXEC);
  KUNIT_EXPECT_TRUE(test, fs.fcntl(p.fd[0], F_GETFL) & O_NONBLOCK);
  struct stat st;
  fs.fstat(p.fd[0], &st);
  KUNIT_EXPECT_TRUE(test, S_ISSOCK(st.st_mode));
  KUNIT_EXPECT_EQ(test, fs.lseek(p.fd[0], 0, SEEK_SET), -ESPIPE);
}

// spec 60 S-2..S-5
void streams(kunit* test) {
  FsCalls fs(test);
  Pair p(fs, STREAM);
  char buf[16];
  KUNIT_EXPECT_EQ(test, p.recv(0, buf, 16), -EAGAIN);
  KUNIT_EXPECT_EQ(test, p.send(0, "abc"), 3);
  KUNIT_EXPECT_EQ(test, fs.write(p.fd[0], "def"), 3);
  KUNIT_EXPECT_EQ(test, p.recv(1, buf, 2, PEEK), 2);
  KUNIT_EXPECT_EQ(test, p.recv(1, buf, 4), 4);
  KUNIT_EXPECT_MEMEQ(test, buf, "abcd", 4);
  KUNIT_EXPECT_EQ(test, p.poll(1), static_cast<unsigned>(POLLIN | POLLOUT));
  KUNIT_EXPECT_EQ(test, fs.read(p.fd[1], buf, 16), 2);
  p.send(0, "xyz");
  fs.close(p.fd[0]);
  KUNIT_EXPECT_EQ(test, p.poll(1), static_cast<unsigned>(POLLIN | POLLOUT | POLLHUP | POLLRDHUP));
  KUNIT_EXPECT_EQ(test, p.recv(1, buf, 16), 3);
  KUNIT_EXPECT_EQ(test, p.recv(1, buf, 16), 0);
  KUNIT_EXPECT_EQ(test, p.send(1, "x"), -EPIPE);
  Pair q(fs, STREAM);
  q.send(0, "unread");
  fs.close(q.fd[1]);
  KUNIT_EXPECT_EQ(test, q.recv(0, buf, 16), -ECONNRESET);
  KUNIT_EXPECT_EQ(test, q.recv(0, buf, 16), 0);
}

void datagrams(kunit* test) {
  FsCalls fs(test);
  for (int type : {DGRAM, SEQPACKET}) {
    Pair p(fs, type);
    char buf[16];
    p.send(0, "first");
    p.send(0, "");
    p.send(0, "third");
    KUNIT_EXPECT_EQ(test, p.recv(1, buf, 3), 3);  // the rest is lost
    KUNIT_EXPECT_EQ(test, p.recv(1, buf, 16), 0);
    KUNIT_EXPECT_EQ(test, p.recv(1, buf, 2, TRUNC | DONTWAIT), 5);
    KUNIT_EXPECT_EQ(test, p.recv(1, buf, 2), -EAGAIN);
    fs.close(p.fd[1]);
    KUNIT_EXPECT_EQ(test, p.send(0, "x"), type == DGRAM ? -ECONNREFUSED : -EPIPE);
    KUNIT_EXPECT_EQ(test, p.recv(0, buf, 2), type == DGRAM ? -EAGAIN : 0);
  }
}

void full_queues(kunit* test) {
  FsCalls fs(test);
  Pair p(fs, STREAM | O_NONBLOCK);
  unsigned long at = fs.room(65536);
  long total = 0, n;
  while ((n = call(sys_write, p.fd[0], at, 65536)) > 0) total += n;
  KUNIT_EXPECT_EQ(test, n, -EAGAIN);
  KUNIT_EXPECT_GE(test, total, 65536);
  KUNIT_EXPECT_FALSE(test, p.poll(0) & POLLOUT);
  while (call(sys_read, p.fd[1], at, 65536) > 0) {
  }
  KUNIT_EXPECT_TRUE(test, p.poll(0) & POLLOUT);
  KUNIT_EXPECT_EQ(test, call(sys_sendto, Pair(fs, DGRAM).fd[0], at, 300000, 0, 0, 0), -EMSGSIZE);
}

// spec 60 S-10
void half_closed(kunit* test) {
  FsCalls fs(test);
  Pair p(fs, STREAM);
  char buf[4];
  KUNIT_EXPECT_EQ(test, call(sys_shutdown, p.fd[0], 1), 0);
  KUNIT_EXPECT_EQ(test, p.recv(1, buf, 4), 0);
  KUNIT_EXPECT_EQ(test, p.send(0, "x"), -EPIPE);
  KUNIT_EXPECT_EQ(test, p.send(1, "y"), 1);
  KUNIT_EXPECT_EQ(test, p.recv(0, buf, 4), 1);
  KUNIT_EXPECT_TRUE(test, p.poll(1) & POLLRDHUP);
  KUNIT_EXPECT_FALSE(test, p.poll(1) & POLLHUP);
  KUNIT_EXPECT_EQ(test, call(sys_shutdown, p.fd[0], 5), -EINVAL);
}

struct MsgHdr {
  unsigned long name;
  int namelen;
  unsigned long iov;
  size_t iovlen;
  unsigned long control;
  size_t controllen;
  unsigned flags;
};
struct Rights {
  size_t len;
  int level, type, fd[2];
};

// spec 60 S-11
void descriptors_travel(kunit* test) {
  FsCalls fs(test);
  Pair p(fs, STREAM);
  fs.make("f", "inside");
  long f = fs.open("f", O_RDONLY);
  iovec v{reinterpret_cast<void*>(fs.str("x")), 1};
  Rights r{20, 1, 1, {static_cast<int>(f), 0}};
  MsgHdr m{0, 0, fs.bytes(&v, sizeof(v)), 1, fs.bytes(&r, sizeof(r)), 20, 0};
  KUNIT_EXPECT_EQ(test, call(sys_sendmsg, p.fd[0], fs.bytes(&m, sizeof(m)), 0), 1);
  r.fd[0] = 999;
  m.control = fs.bytes(&r, sizeof(r));
  KUNIT_EXPECT_EQ(test, call(sys_sendmsg, p.fd[0], fs.bytes(&m, sizeof(m)), 0), -EBADF);
  fs.close(f);
  unsigned long ctl = fs.room(64);
  m.control = ctl;
  m.controllen = 64;
  unsigned long at = fs.bytes(&m, sizeof(m));
  KUNIT_EXPECT_EQ(test, call(sys_recvmsg, p.fd[1], at, 0x40000000), 1);
  r = fs.get<Rights>(ctl);
  KUNIT_EXPECT_EQ(test, r.len, 20ul);
  char buf[8];
  KUNIT_EXPECT_EQ(test, fs.read(r.fd[0], buf, 8), 6);
  KUNIT_EXPECT_EQ(test, fs.fcntl(r.fd[0], F_GETFD), FD_CLOEXEC);
  // What is never received is closed with the socket.
  r.fd[0] = static_cast<int>(fs.open("f", O_RDONLY));
  m.control = fs.bytes(&r, sizeof(r));
  m.controllen = 20;
  KUNIT_EXPECT_EQ(test, call(sys_sendmsg, p.fd[0], fs.bytes(&m, sizeof(m)), 0), 1);
}

struct Addr {
  unsigned short family = 1;
  char path[108] = {};
};

// spec 60 S-15
void names(kunit* test) {
  FsCalls fs(test);
  Addr a;
  strcpy(a.path, "/t/sock");
  unsigned long at = fs.bytes(&a, sizeof(a));
  size_t len = 2 + 8;
  long s = call(sys_socket, 1, STREAM, 0), c = call(sys_socket, 1, STREAM | O_NONBLOCK, 0);
  KUNIT_EXPECT_EQ(test, call(sys_connect, c, at, len), -ENOENT);
  KUNIT_EXPECT_EQ(test, call(sys_bind, s, at, len), 0);
  KUNIT_EXPECT_EQ(test, call(sys_bind, c, at, len), -EADDRINUSE);
  KUNIT_EXPECT_EQ(test, call(sys_connect, c, at, len), -ECONNREFUSED);
  KUNIT_EXPECT_EQ(test, call(sys_listen, s, 5), 0);
  KUNIT_EXPECT_EQ(test, call(sys_connect, c, at, len), 0);
  KUNIT_EXPECT_EQ(test, call(sys_connect, c, at, len), -EISCONN);
  KUNIT_EXPECT_EQ(test, fs.write(c, "early"), 5);
  long n = call(sys_accept4, s, 0, 0, 0);
  char buf[8];
  KUNIT_EXPECT_EQ(test, fs.read(n, buf, 8), 5);
  KUNIT_EXPECT_EQ(test, fs.write(n, "back"), 4);
  KUNIT_EXPECT_EQ(test, fs.read(c, buf, 8), 4);
  long d = call(sys_socket, 1, DGRAM, 0);
  KUNIT_EXPECT_EQ(test, call(sys_connect, d, at, len), -EPROTOTYPE);
  a.path[0] = 0;
  strcpy(a.path + 1, "abstract");
  at = fs.bytes(&a, sizeof(a));
  KUNIT_EXPECT_EQ(test, call(sys_bind, d, at, 11), 0);
  long e = call(sys_socket, 1, DGRAM, 0);
  KUNIT_EXPECT_EQ(test, call(sys_sendto, e, fs.str("hi"), 2, 0, at, 11), 2);
  KUNIT_EXPECT_EQ(test, call(sys_sendto, e, fs.str("hi"), 2, 0, at, 10), -ECONNREFUSED);
  KUNIT_EXPECT_EQ(test, fs.read(d, buf, 8), 2);
  KUNIT_EXPECT_EQ(test, fs.open("/t/sock", O_RDWR), -ENXIO);
  KUNIT_EXPECT_EQ(test, fs.write(e, "x"), -ENOTCONN);
}

struct Echo {
  file* f;
  completion done;
};
int echo(void* arg) {
  auto* e = static_cast<Echo*>(arg);
  char buf[100];
  loff_t pos = 0;
  for (ssize_t n; (n = kernel_read(e->f, buf, sizeof(buf), &pos)) > 0;) kernel_write(e->f, buf, static_cast<size_t>(n), &pos);
  fput(e->f);
  complete(&e->done);
  return 0;
}

void blocking_both_ways(kunit* test) {
  FsCalls fs(test);
  Pair p(fs, STREAM);
  static Echo e;
  e.f = fget(static_cast<unsigned>(p.fd[1]));
  init_completion(&e.done);
  fs.close(p.fd[1]);
  kthread_run(echo, &e, "echo");
  char buf[100];
  long total = 0;
  for (int k = 0; k < 200; k++) {
    KUNIT_EXPECT_EQ(test, fs.write(p.fd[0], "0123456789"), 10);
    for (long n, have = 0; have < 10; have += n, total += n)
      if ((n = fs.read(p.fd[0], buf, 100)) <= 0) break;
  }
  KUNIT_EXPECT_EQ(test, total, 2000);
  fs.close(p.fd[0]);
  wait_for_completion(&e.done);
}

// socket(7), unix(7): SO_SNDBUF is doubled, has a least value, and bounds what may lie unread; SO_RCVBUF is kept only.
long set_int(FsCalls& fs, long fd, int name, int value) {
  return call(sys_setsockopt, fd, 1, static_cast<unsigned>(name), fs.bytes(&value, sizeof(value)), sizeof(value));
}
int get_int(FsCalls& fs, long fd, int name) {
  int size = sizeof(int);
  unsigned long at = fs.room(8), len = fs.bytes(&size, sizeof(size));
  return call(sys_getsockopt, fd, 1, static_cast<unsigned>(name), at, len) ? -1 : fs.get<int>(at);
}
void send_buffer_bounds(kunit* test) {
  FsCalls fs(test);
  Pair small(fs, STREAM | O_NONBLOCK), large(fs, STREAM | O_NONBLOCK);
  KUNIT_EXPECT_EQ(test, get_int(fs, small.fd[0], 7), 212992);
  KUNIT_EXPECT_EQ(test, set_int(fs, small.fd[0], 7, 1), 0);
  KUNIT_EXPECT_EQ(test, get_int(fs, small.fd[0], 7), 4608);
  KUNIT_EXPECT_EQ(test, set_int(fs, large.fd[0], 7, 5000), 0);
  KUNIT_EXPECT_EQ(test, get_int(fs, large.fd[0], 7), 10000);
  KUNIT_EXPECT_EQ(test, set_int(fs, large.fd[0], 8, 5000), 0);
  KUNIT_EXPECT_EQ(test, get_int(fs, large.fd[0], 8), 10000);
  auto until_full = [](Pair& p) {
    int n = 0;
    while (n < 100000 && p.send(0, "0123456789") > 0) n++;
    return n;
  };
  int few = until_full(small), many = until_full(large);
  KUNIT_EXPECT_GT(test, few, 0);
  KUNIT_EXPECT_GT(test, many, few);
  KUNIT_EXPECT_LT(test, many, 100000);
}

kunit_case cases[] = {
    KUNIT_CASE(kinds), KUNIT_CASE(send_buffer_bounds), KUNIT_CASE(streams), KUNIT_CASE(datagrams), KUNIT_CASE(full_queues), KUNIT_CASE(half_closed),
    KUNIT_CASE(descriptors_travel), KUNIT_CASE(names), KUNIT_CASE(blocking_both_ways), {},
};
kunit_suite suite = {.name = "socket", .test_cases = cases};

}  // namespace
kunit_test_suite(suite);
