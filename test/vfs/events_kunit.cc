// Record locks, flock, poll and select, epoll, eventfd, timerfd, and copies inside the kernel. Spec 60 sections 10, 12.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>

#include "test/vfs/fs_calls.hh"

namespace {

// ---- Locks ----------------------------------------------------------------------------------------------------------------
struct Locks {
  FsCalls& fs;
  long fd;
  long set(short type, long start, long len, unsigned cmd = F_SETLK) {
    flock l{type, SEEK_SET, start, len, 0};
    return fs.fcntl(fd, cmd, fs.bytes(&l, sizeof(l)));
  }
  flock get(short type, long start, long len, unsigned cmd = F_GETLK) {
    flock l{type, SEEK_SET, start, len, 0};
    unsigned long at = fs.bytes(&l, sizeof(l));
    fs.fcntl(fd, cmd, at);
    return fs.get<flock>(at);
  }
};

// spec 60 L-1, L-5, L-10..L-12, L-15
void record_locks(kunit* test) {
  FsCalls fs(test);
  fs.make("f", "text");
  Locks mine{fs, fs.open("f", O_RDWR)}, other{fs, fs.open("f", O_RDWR)}, reader{fs, fs.open("f", O_RDONLY)};
  KUNIT_EXPECT_EQ(test, mine.set(F_WRLCK, 0, 100), 0);
  KUNIT_EXPECT_EQ(test, mine.get(F_WRLCK, 0, 1).l_type, F_UNLCK);       // one's own do not conflict
  KUNIT_EXPECT_EQ(test, other.set(F_WRLCK, 50, 1), 0);                  // the owner is the process, not the file
  KUNIT_EXPECT_EQ(test, other.set(F_RDLCK, 10, 1, F_OFD_SETLK), -EAGAIN);
  KUNIT_EXPECT_EQ(test, mine.set(F_UNLCK, 40, 20), 0);                  // splits
  KUNIT_EXPECT_EQ(test, other.set(F_WRLCK, 40, 20, F_OFD_SETLK), 0);
  flock l = other.get(F_RDLCK, 0, 0, F_OFD_GETLK);
  KUNIT_EXPECT_EQ(test, l.l_type, F_WRLCK);
  KUNIT_EXPECT_EQ(test, l.l_start, 0);
  KUNIT_EXPECT_EQ(test, l.l_len, 40);
  l = mine.get(F_RDLCK, 41, 1);
  KUNIT_EXPECT_EQ(test, l.l_pid, -1);
  KUNIT_EXPECT_EQ(test, l.l_start, 40);
  KUNIT_EXPECT_EQ(test, other.set(F_UNLCK, 0, 0, F_OFD_SETLK), 0);
  KUNIT_EXPECT_EQ(test, mine.set(F_RDLCK, 0, 0), 0);                    // to the end of all
  l = other.get(F_WRLCK, 1000000, 1, F_OFD_GETLK);
  KUNIT_EXPECT_EQ(test, l.l_type, F_RDLCK);
  KUNIT_EXPECT_EQ(test, l.l_len, 0);
  KUNIT_EXPECT_EQ(test, reader.set(F_WRLCK, 0, 1), -EBADF);             // L-6
  KUNIT_EXPECT_EQ(test, reader.set(F_RDLCK, 0, 1), 0);
  KUNIT_EXPECT_EQ(test, mine.set(F_RDLCK, -1, 1), -EINVAL);
  KUNIT_EXPECT_EQ(test, mine.set(7, 0, 1), -EINVAL);
  KUNIT_EXPECT_EQ(test, mine.set(F_RDLCK, 10, -11), -EINVAL);
  KUNIT_EXPECT_EQ(test, mine.set(F_RDLCK, 0x7fffffffffffffff, 2), -EOVERFLOW);
  KUNIT_EXPECT_EQ(test, fs.close(reader.fd), 0);                        // L-3: any close drops all of the process
  KUNIT_EXPECT_EQ(test, other.get(F_WRLCK, 0, 0, F_OFD_GETLK).l_type, F_UNLCK);
}

void ranges_merge(kunit* test) {
  FsCalls fs(test);
  fs.make("f");
  Locks a{fs, fs.open("f", O_RDWR)}, b{fs, fs.open("f", O_RDWR)};
  a.set(F_RDLCK, 0, 10);
  a.set(F_RDLCK, 20, 10);
  a.set(F_RDLCK, 10, 10);
  flock l = b.get(F_WRLCK, 5, 1, F_OFD_GETLK);
  KUNIT_EXPECT_EQ(test, l.l_start, 0);
  KUNIT_EXPECT_EQ(test, l.l_len, 30);
  a.set(F_WRLCK, 10, 5);
  l = b.get(F_WRLCK, 12, 1, F_OFD_GETLK);
  KUNIT_EXPECT_EQ(test, l.l_start, 10);
  KUNIT_EXPECT_EQ(test, l.l_len, 5);
  l = b.get(F_WRLCK, 20, 1, F_OFD_GETLK);
  KUNIT_EXPECT_EQ(test, l.l_start, 15);
  KUNIT_EXPECT_EQ(test, l.l_len, 15);
}

void whole_file_locks(kunit* test) {
  FsCalls fs(test);
  fs.make("f");
  long a = fs.open("f", O_RDWR), b = fs.open("f", O_RDWR);
  KUNIT_EXPECT_EQ(test, call(sys_flock, a, LOCK_SH), 0);
  KUNIT_EXPECT_EQ(test, call(sys_flock, b, LOCK_SH), 0);
  KUNIT_EXPECT_EQ(test, call(sys_flock, b, LOCK_EX | LOCK_NB), -EWOULDBLOCK);
  KUNIT_EXPECT_EQ(test, call(sys_flock, a, LOCK_UN), 0);
  KUNIT_EXPECT_EQ(test, call(sys_flock, b, LOCK_EX | LOCK_NB), 0);
  long dup = call(sys_dup, b);
  fs.close(b);
  KUNIT_EXPECT_EQ(test, call(sys_flock, a, LOCK_SH | LOCK_NB), -EWOULDBLOCK);
  fs.close(dup);  // the last of the description
  KUNIT_EXPECT_EQ(test, call(sys_flock, a, LOCK_SH | LOCK_NB), 0);
  KUNIT_EXPECT_EQ(test, call(sys_flock, a, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_flock, a, LOCK_SH | LOCK_EX), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_flock, 77, LOCK_SH), -EBADF);
}

// ---- eventfd, timerfd ---------------------------------------------------------------------------------------------------------
u64 read_u64(FsCalls& fs, long fd, long* r) {
  unsigned long at = fs.room(8);
  *r = call(sys_read, fd, at, 8);
  return *r == 8 ? fs.get<u64>(at) : 0;
}
long write_u64(FsCalls& fs, long fd, u64 v) { return call(sys_write, fd, fs.bytes(&v, 8), 8); }

// spec 60 E-1, E-2
void event_counters(kunit* test) {
  FsCalls fs(test);
  long r, fd = call(sys_eventfd2, 5, O_NONBLOCK);
  KUNIT_EXPECT_EQ(test, read_u64(fs, fd, &r), 5ull);
  read_u64(fs, fd, &r);
  KUNIT_EXPECT_EQ(test, r, -EAGAIN);
  KUNIT_EXPECT_EQ(test, write_u64(fs, fd, 3), 8);
  KUNIT_EXPECT_EQ(test, write_u64(fs, fd, 4), 8);
  KUNIT_EXPECT_EQ(test, write_u64(fs, fd, ~0ull), -EINVAL);
  KUNIT_EXPECT_EQ(test, write_u64(fs, fd, ~0ull - 1), -EAGAIN);
  KUNIT_EXPECT_EQ(test, read_u64(fs, fd, &r), 7ull);
  KUNIT_EXPECT_EQ(test, call(sys_read, fd, fs.room(8), 7), -EINVAL);
  long s = call(sys_eventfd2, 2, O_NONBLOCK | 1);
  KUNIT_EXPECT_EQ(test, read_u64(fs, s, &r), 1ull);
  KUNIT_EXPECT_EQ(test, read_u64(fs, s, &r), 1ull);
  read_u64(fs, s, &r);
  KUNIT_EXPECT_EQ(test, r, -EAGAIN);
  KUNIT_EXPECT_EQ(test, call(sys_eventfd2, 0, 2), -EINVAL);
}

// spec 60 E-4, E-5
void timers(kunit* test) {
  FsCalls fs(test);
  long r, fd = call(sys_timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK);
  KUNIT_EXPECT_GE(test, fd, 0);
  KUNIT_EXPECT_EQ(test, call(sys_timerfd_create, 99, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_timerfd_create, CLOCK_MONOTONIC, 1), -EINVAL);
  itimerspec64 s{{0, 10'000'000}, {0, 10'000'000}};
  KUNIT_EXPECT_EQ(test, call(sys_timerfd_settime, fd, 0, fs.bytes(&s, sizeof(s)), 0), 0);
  read_u64(fs, fd, &r);
  KUNIT_EXPECT_EQ(test, r, -EAGAIN);
  msleep(55);
  u64 n = read_u64(fs, fd, &r);
  KUNIT_EXPECT_GE(test, n, 4ull);
  unsigned long at = fs.room(sizeof(s));
  KUNIT_EXPECT_EQ(test, call(sys_timerfd_gettime, fd, at), 0);
  KUNIT_EXPECT_EQ(test, fs.get<itimerspec64>(at).it_interval.tv_nsec, 10'000'000);
  s = {{0, 0}, {0, 0}};
  KUNIT_EXPECT_EQ(test, call(sys_timerfd_settime, fd, 0, fs.bytes(&s, sizeof(s)), at), 0);
  KUNIT_EXPECT_EQ(test, fs.get<itimerspec64>(at).it_interval.tv_nsec, 10'000'000);
  msleep(30);
  read_u64(fs, fd, &r);
  KUNIT_EXPECT_EQ(test, r, -EAGAIN);
  s.it_value.tv_nsec = 1'000'000'000;
  KUNIT_EXPECT_EQ(test, call(sys_timerfd_settime, fd, 0, fs.bytes(&s, sizeof(s)), 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_timerfd_settime, fs.open("/t", O_RDONLY), 0, fs.bytes(&s, sizeof(s)), 0), -EINVAL);
}

// ---- poll, select -----------------------------------------------------------------------------------------------------------
int write_later(void* arg) {
  msleep(20);
  auto* f = static_cast<file*>(arg);
  loff_t pos = 0;
  char c = 'x';
  kernel_write(f, &c, 1, &pos);
  fput(f);
  return 0;
}
void later(long fd) { kthread_run(write_later, fget(static_cast<unsigned>(fd)), "later"); }

// spec 60 E-13
void poll_waits(kunit* test) {
  FsCalls fs(test);
  long p[2];
  fs.pipe(p);
  pollfd f[3] = {{static_cast<int>(p[0]), POLLIN, 0}, {-1, POLLIN, 7}, {static_cast<int>(p[1]), POLLOUT, 0}};
  unsigned long at = fs.bytes(f, sizeof(f));
  KUNIT_EXPECT_EQ(test, call(sys_poll, at, 3, -1ul), 1);
  KUNIT_EXPECT_EQ(test, fs.get<pollfd>(at + 8).revents, 0);
  KUNIT_EXPECT_EQ(test, call(sys_poll, at, 1, 10), 0);
  later(p[1]);
  KUNIT_EXPECT_EQ(test, call(sys_poll, at, 1, -1ul), 1);
  KUNIT_EXPECT_EQ(test, fs.get<pollfd>(at).revents, POLLIN);
  KUNIT_EXPECT_EQ(test, call(sys_poll, at, 5000000, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_poll, 8, 1, 0), -EFAULT);
  timespec64 bad{0, 1'000'000'000};
  KUNIT_EXPECT_EQ(test, call(sys_ppoll, at, 1, fs.bytes(&bad, sizeof(bad)), 0, 8), -EINVAL);
}

void select_waits(kunit* test) {
  FsCalls fs(test);
  long p[2];
  fs.pipe(p);
  u64 in = 1ull << p[0], out = 1ull << p[1];
  unsigned long in_at = fs.bytes(&in, 8), out_at = fs.bytes(&out, 8);
  timespec64 tv{0, 0};
  KUNIT_EXPECT_EQ(test, call(sys_select, p[1] + 1, in_at, out_at, 0, fs.bytes(&tv, sizeof(tv))), 1);
  KUNIT_EXPECT_EQ(test, fs.get<u64>(in_at), 0ull);
  KUNIT_EXPECT_EQ(test, fs.get<u64>(out_at), out);
  later(p[1]);
  in_at = fs.bytes(&in, 8);
  KUNIT_EXPECT_EQ(test, call(sys_select, p[1] + 1, in_at, 0, 0, 0), 1);
  KUNIT_EXPECT_EQ(test, fs.get<u64>(in_at), in);
  u64 closed = 1ull << 60;
  KUNIT_EXPECT_EQ(test, call(sys_select, 61, fs.bytes(&closed, 8), 0, 0, 0), -EBADF);
  KUNIT_EXPECT_EQ(test, call(sys_select, -1ul, 0, 0, 0, 0), -EINVAL);
  timespec64 ts{0, 5'000'000};
  unsigned long ts_at = fs.bytes(&ts, sizeof(ts));
  KUNIT_EXPECT_EQ(test, call(sys_pselect6, 0, 0, 0, 0, ts_at, 0), 0);
  KUNIT_EXPECT_EQ(test, fs.get<timespec64>(ts_at).tv_nsec, 0l);
}

// ---- epoll ----------------------------------------------------------------------------------------------------------------
struct __attribute__((packed)) Event {
  u32 events;
  u64 data;
};
struct Epoll {
  FsCalls& fs;
  long fd;
  explicit Epoll(FsCalls& f) : fs(f), fd(call(sys_epoll_create1, 0)) {}
  long ctl(int op, long target, u32 events = 0, u64 data = 0) {
    Event e{events, data};
    return call(sys_epoll_ctl, fd, static_cast<unsigned>(op), target, fs.bytes(&e, sizeof(e)));
  }
  long wait(Event* out, int max, int ms = 0) {
    unsigned long at = fs.room(sizeof(Event) * static_cast<size_t>(max));
    long n = call(sys_epoll_wait, fd, at, static_cast<unsigned>(max), static_cast<unsigned long>(static_cast<long>(ms)));
    for (long k = 0; k < n; k++) fs.copy_out(&out[k], at + static_cast<unsigned long>(k) * sizeof(Event), sizeof(Event));
    return n;
  }
};
enum { ADD = 1, DEL = 2, MOD = 3 };

// spec 60 E-7, E-10
void epoll_errors(kunit* test) {
  FsCalls fs(test);
  Epoll ep(fs);
  long p[2];
  fs.pipe(p);
  fs.make("f");
  KUNIT_EXPECT_EQ(test, call(sys_epoll_create1, 1), -EINVAL);
  KUNIT_EXPECT_EQ(test, ep.ctl(ADD, p[0], EPOLLIN), 0);
  KUNIT_EXPECT_EQ(test, ep.ctl(ADD, p[0], EPOLLIN), -EEXIST);
  KUNIT_EXPECT_EQ(test, ep.ctl(MOD, p[1], EPOLLIN), -ENOENT);
  KUNIT_EXPECT_EQ(test, ep.ctl(DEL, p[1]), -ENOENT);
  KUNIT_EXPECT_EQ(test, ep.ctl(ADD, 77, EPOLLIN), -EBADF);
  KUNIT_EXPECT_EQ(test, ep.ctl(ADD, fs.open("f", O_RDONLY), EPOLLIN), -EPERM);
  KUNIT_EXPECT_EQ(test, ep.ctl(ADD, ep.fd, EPOLLIN), -EINVAL);
  KUNIT_EXPECT_EQ(test, ep.ctl(9, p[1], EPOLLIN), -EINVAL);
  Event e;
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 0);
  KUNIT_EXPECT_EQ(test, call(sys_epoll_wait, ep.fd, fs.room(16), 0, 0), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_epoll_wait, p[0], fs.room(16), 1, 0), -EINVAL);
  fs.write(p[1], "x");
  KUNIT_EXPECT_EQ(test, call(sys_epoll_wait, ep.fd, 8, 1, 0), -EFAULT);
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 1);
}

// spec 60 E-11, E-12
void levels_edges_once(kunit* test) {
  FsCalls fs(test);
  Epoll ep(fs);
  long p[2];
  char c;
  Event e;
  fs.pipe(p);
  ep.ctl(ADD, p[0], EPOLLIN, 42);
  fs.write(p[1], "xy");
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 1);
  KUNIT_EXPECT_EQ(test, u64{e.data}, 42ull);
  KUNIT_EXPECT_EQ(test, u32{e.events}, EPOLLIN);
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 1);  // level
  fs.read(p[0], &c, 1);
  fs.read(p[0], &c, 1);
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 0);
  ep.ctl(MOD, p[0], EPOLLIN | EPOLLET, 43);
  fs.write(p[1], "x");
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 1);
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 0);  // edge: told once
  fs.write(p[1], "x");
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 1);
  ep.ctl(MOD, p[0], EPOLLIN | EPOLLONESHOT, 44);
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 1);
  fs.write(p[1], "x");
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 0);
  ep.ctl(MOD, p[0], EPOLLIN | EPOLLONESHOT, 45);
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 1);
  ep.ctl(MOD, p[0], 0);
  fs.close(p[1]);
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 1);  // HUP is always told
  KUNIT_EXPECT_EQ(test, u32{e.events}, EPOLLHUP);
}

void epoll_waits_and_rotates(kunit* test) {
  FsCalls fs(test);
  Epoll ep(fs);
  long a[2], b[2];
  Event e[2];
  fs.pipe(a);
  fs.pipe(b);
  ep.ctl(ADD, a[0], EPOLLIN, 1);
  ep.ctl(ADD, b[0], EPOLLIN, 2);
  KUNIT_EXPECT_EQ(test, ep.wait(e, 2, 10), 0);
  later(a[1]);
  KUNIT_EXPECT_EQ(test, ep.wait(e, 2, -1), 1);
  fs.write(b[1], "x");
  KUNIT_EXPECT_EQ(test, ep.wait(e, 1), 1);
  u64 first = e[0].data;
  KUNIT_EXPECT_EQ(test, ep.wait(e, 1), 1);
  KUNIT_EXPECT_NE(test, u64{e[0].data}, first);  // round robin
  KUNIT_EXPECT_EQ(test, ep.wait(e, 2), 2);
}

// spec 60 E-8, E-9
void epoll_and_closing(kunit* test) {
  FsCalls fs(test);
  Epoll ep(fs);
  long p[2];
  Event e;
  fs.pipe(p);
  long dup = call(sys_dup, p[0]);
  ep.ctl(ADD, p[0], EPOLLIN, 1);
  fs.write(p[1], "x");
  fs.close(p[0]);
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 1);  // the description lives on
  fs.close(dup);
  KUNIT_EXPECT_EQ(test, ep.wait(&e, 1), 0);
  Epoll outer(fs), third(fs);
  KUNIT_EXPECT_EQ(test, outer.ctl(ADD, ep.fd, EPOLLIN), 0);
  KUNIT_EXPECT_EQ(test, ep.ctl(ADD, outer.fd, EPOLLIN), -ELOOP);
  KUNIT_EXPECT_EQ(test, third.ctl(ADD, outer.fd, EPOLLIN), 0);
  KUNIT_EXPECT_EQ(test, ep.ctl(ADD, third.fd, EPOLLIN), -ELOOP);
  fs.pipe(p);
  ep.ctl(ADD, p[0], EPOLLIN, 1);
  KUNIT_EXPECT_EQ(test, third.wait(&e, 1), 0);
  fs.write(p[1], "x");
  KUNIT_EXPECT_EQ(test, third.wait(&e, 1), 1);
  fs.close(outer.fd);
  KUNIT_EXPECT_EQ(test, third.wait(&e, 1), 0);
}

// ---- Copies inside the kernel ----------------------------------------------------------------------------------------------------
void sending_files(kunit* test) {
  FsCalls fs(test);
  fs.make("in", "0123456789");
  long in = fs.open("in", O_RDONLY), out = fs.open("out", O_RDWR | O_CREAT), p[2];
  fs.pipe(p);
  loff_t off = 2;
  unsigned long at = fs.bytes(&off, 8);
  KUNIT_EXPECT_EQ(test, call(sys_sendfile, out, in, at, 4), 4);
  KUNIT_EXPECT_EQ(test, fs.get<loff_t>(at), 6);
  KUNIT_EXPECT_EQ(test, fs.lseek(in, 0, SEEK_CUR), 0);
  KUNIT_EXPECT_EQ(test, call(sys_sendfile, out, in, 0, 100), 10);
  KUNIT_EXPECT_EQ(test, fs.lseek(in, 0, SEEK_CUR), 10);
  KUNIT_EXPECT_EQ(test, call(sys_sendfile, out, p[0], 0, 1), -EINVAL);
  KUNIT_EXPECT_EQ(test, call(sys_sendfile, in, out, 0, 1), -EBADF);
  fs.lseek(in, 0, SEEK_SET);
  KUNIT_EXPECT_EQ(test, call(sys_splice, in, 0, p[1], 0, 5, 0), 5);
  char buf[16];
  KUNIT_EXPECT_EQ(test, fs.read(p[0], buf, 16), 5);
  KUNIT_EXPECT_MEMEQ(test, buf, "01234", 5);
  KUNIT_EXPECT_EQ(test, call(sys_splice, in, 0, out, 0, 5, 0), -EINVAL);
  fs.lseek(in, 0, SEEK_SET);
  KUNIT_EXPECT_EQ(test, call(sys_copy_file_range, in, 0, out, 0, 3, 0), 3);
  KUNIT_EXPECT_EQ(test, call(sys_copy_file_range, in, 0, p[1], 0, 3, 0), -EINVAL);
}

kunit_case cases[] = {
    KUNIT_CASE(record_locks), KUNIT_CASE(ranges_merge), KUNIT_CASE(whole_file_locks), KUNIT_CASE(event_counters),
    KUNIT_CASE(timers), KUNIT_CASE(poll_waits), KUNIT_CASE(select_waits), KUNIT_CASE(epoll_errors),
    KUNIT_CASE(levels_edges_once), KUNIT_CASE(epoll_waits_and_rotates), KUNIT_CASE(epoll_and_closing),
    KUNIT_CASE(sending_files), {},
};
kunit_suite suite = {.name = "vfs_events", .test_cases = cases};

}  // namespace
kunit_test_suite(suite);
