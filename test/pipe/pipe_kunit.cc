// Pipes and FIFOs against spec 60 sections 7 and 8.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/kthread.h>

#include "fs/pipe/pipe.hh"
#include "kernel/fault_inject.hh"

#include "test/vfs/fs_calls.hh"

namespace {

constexpr long kPage = 4096;

// spec 60 P-1
void one_byte_goes_through(kunit* test) {
  FsCalls fs(test);
  long p[2];
  KUNIT_ASSERT_EQ(test, fs.pipe(p), 0);
  KUNIT_EXPECT_EQ(test, p[1], p[0] + 1);
  char c = 0;
  KUNIT_EXPECT_EQ(test, fs.write(p[1], "x"), 1);
  KUNIT_EXPECT_EQ(test, fs.read(p[0], &c, 1), 1);
  KUNIT_EXPECT_EQ(test, c, 'x');
  KUNIT_EXPECT_EQ(test, fs.write(p[0], "x"), -EBADF);
  KUNIT_EXPECT_EQ(test, fs.read(p[1], &c, 1), -EBADF);
}

void flags(kunit* test) {
  FsCalls fs(test);
  long p[2];
  KUNIT_EXPECT_EQ(test, fs.pipe(p, O_CLOEXEC | O_NONBLOCK), 0);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_GETFD), FD_CLOEXEC);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_GETFL), O_NONBLOCK);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[1], F_GETFL), O_NONBLOCK | O_WRONLY);
  KUNIT_EXPECT_EQ(test, fs.pipe(p, O_APPEND), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.pipe(p, O_EXCL), -ENOPKG);
  long before = call(sys_dup, p[0]);
  KUNIT_EXPECT_EQ(test, call(sys_pipe2, 8, 0), -EFAULT);  // P-11: nothing is left open
  KUNIT_EXPECT_EQ(test, call(sys_dup, p[0]), before + 1);
}

void ends(kunit* test) {
  FsCalls fs(test);
  long p[2];
  char c;
  fs.pipe(p);
  fs.write(p[1], "left");
  fs.close(p[1]);
  char buf[8];
  KUNIT_EXPECT_EQ(test, fs.read(p[0], buf, 8), 4);
  KUNIT_EXPECT_EQ(test, fs.read(p[0], &c, 1), 0);  // P-7
  fs.pipe(p);
  fs.close(p[0]);
  KUNIT_EXPECT_EQ(test, fs.write(p[1], "", 0), 0);  // nothing, even without readers
  KUNIT_EXPECT_EQ(test, fs.write(p[1], "x"), -EPIPE);
}

void without_blocking(kunit* test) {
  FsCalls fs(test);
  long p[2];
  char c;
  fs.pipe(p, O_NONBLOCK);
  KUNIT_EXPECT_EQ(test, fs.read(p[0], &c, 0), 0);
  KUNIT_EXPECT_EQ(test, fs.read(p[0], &c, 1), -EAGAIN);
  unsigned long big = fs.room(70000);
  KUNIT_EXPECT_EQ(test, call(sys_write, p[1], big, 70000), 65536);
  KUNIT_EXPECT_EQ(test, call(sys_write, p[1], big, 1), -EAGAIN);
  int queued = 0;
  unsigned long at = fs.bytes(&queued, 4);
  KUNIT_EXPECT_EQ(test, call(sys_ioctl, p[0], 0x541B, at), 0);
  KUNIT_EXPECT_EQ(test, fs.get<int>(at), 65536);
  KUNIT_EXPECT_EQ(test, call(sys_read, p[0], big, 70000), 65536);
}

// spec 60 P-2, P-3
void slots(kunit* test) {
  FsCalls fs(test);
  long p[2];
  fs.pipe(p, O_NONBLOCK);
  unsigned long at = fs.room(2 * kPage);
  for (int k = 0; k < 15; k++) KUNIT_EXPECT_EQ(test, call(sys_write, p[1], at, kPage), kPage);
  KUNIT_EXPECT_EQ(test, call(sys_write, p[1], at, 100), 100);
  KUNIT_EXPECT_EQ(test, call(sys_write, p[1], at, kPage), -EAGAIN);
  KUNIT_EXPECT_EQ(test, call(sys_write, p[1], at, 3996), 3996);
  KUNIT_EXPECT_EQ(test, call(sys_read, p[0], at, 100), 100);
  KUNIT_EXPECT_EQ(test, call(sys_write, p[1], at, 1), -EAGAIN);  // a slot is free only when it is empty
  KUNIT_EXPECT_EQ(test, call(sys_read, p[0], at, 3996), 3996);
  KUNIT_EXPECT_EQ(test, call(sys_write, p[1], at, 1), 1);
}

void single_bytes_fill_it_too(kunit* test) {
  FsCalls fs(test);
  long p[2];
  fs.pipe(p, O_NONBLOCK);
  unsigned long at = fs.room(16);
  long n = 0;
  while (call(sys_write, p[1], at, 1) == 1) n++;
  KUNIT_EXPECT_EQ(test, n, 65536);
}

// spec 60 P-8
void sizes(kunit* test) {
  FsCalls fs(test);
  long p[2];
  fs.pipe(p, O_NONBLOCK);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_GETPIPE_SZ), 65536);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_SETPIPE_SZ, 100000), 131072);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[1], F_GETPIPE_SZ), 131072);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_SETPIPE_SZ, 1), kPage);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_SETPIPE_SZ, 3u << 30), -EINVAL);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_SETPIPE_SZ, 2 * kPage), 2 * kPage);
  unsigned long at = fs.room(3 * kPage);
  KUNIT_EXPECT_EQ(test, call(sys_write, p[1], at, 3 * kPage), 2 * kPage);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_SETPIPE_SZ, kPage), -EBUSY);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_SETPIPE_SZ, 4 * kPage), 4 * kPage);
  KUNIT_EXPECT_EQ(test, call(sys_read, p[0], at, 3 * kPage), 2 * kPage);
  fs.make("f");
  KUNIT_EXPECT_EQ(test, fs.fcntl(fs.open("f", O_RDWR), F_GETPIPE_SZ), -EBADF);
  AsUser u(1000);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_SETPIPE_SZ, 2u << 20), -EPERM);
  KUNIT_EXPECT_EQ(test, fs.fcntl(p[0], F_SETPIPE_SZ, 1u << 20), 1l << 20);
}

// spec 60 P-9
void packets(kunit* test) {
  FsCalls fs(test);
  long p[2];
  fs.pipe(p, O_DIRECT | O_NONBLOCK);
  char buf[16];
  fs.write(p[1], "one");
  fs.write(p[1], "two and more");
  fs.write(p[1], "three");
  KUNIT_EXPECT_EQ(test, fs.read(p[0], buf, 16), 3);
  KUNIT_EXPECT_EQ(test, fs.read(p[0], buf, 3), 3);  // the rest of the packet is lost
  KUNIT_EXPECT_MEMEQ(test, buf, "two", 3);
  KUNIT_EXPECT_EQ(test, fs.read(p[0], buf, 16), 5);
  KUNIT_EXPECT_EQ(test, fs.write(p[1], "", 0), 0);
  KUNIT_EXPECT_EQ(test, fs.read(p[0], buf, 16), -EAGAIN);
  int n = 0;
  while (fs.write(p[1], "p") == 1) n++;
  KUNIT_EXPECT_EQ(test, n, 16);
}

void vectors_are_one_write(kunit* test) {
  FsCalls fs(test);
  long p[2];
  fs.pipe(p, O_DIRECT);
  iovec v[2] = {{reinterpret_cast<void*>(fs.str("ab")), 2}, {reinterpret_cast<void*>(fs.str("cde")), 3}};
  KUNIT_EXPECT_EQ(test, call(sys_writev, p[1], fs.bytes(v, sizeof(v)), 2), 5);
  char buf[8];
  KUNIT_EXPECT_EQ(test, fs.read(p[0], buf, 8), 5);
}

void bad_buffers(kunit* test) {
  FsCalls fs(test);
  long p[2];
  fs.pipe(p, O_NONBLOCK);
  KUNIT_EXPECT_EQ(test, call(sys_write, p[1], 8, 10), -EFAULT);
  char c;
  KUNIT_EXPECT_EQ(test, fs.read(p[0], &c, 1), -EAGAIN);  // nothing came in
  fs.write(p[1], "abc");
  KUNIT_EXPECT_EQ(test, call(sys_read, p[0], 8, 3), -EFAULT);
  KUNIT_EXPECT_EQ(test, fs.read(p[0], &c, 1), 1);  // nothing was lost
  KUNIT_EXPECT_EQ(test, c, 'a');
}

__poll_t polled(FsCalls& fs, long fd) {
  pollfd f{static_cast<int>(fd), POLLIN | POLLOUT, 0};
  unsigned long at = fs.bytes(&f, sizeof(f));
  call(sys_poll, at, 1, 0);
  return static_cast<u16>(fs.get<pollfd>(at).revents);
}

// spec 60 P-6
void polling(kunit* test) {
  FsCalls fs(test);
  long p[2];
  fs.pipe(p);
  KUNIT_EXPECT_EQ(test, polled(fs, p[0]), 0u);
  KUNIT_EXPECT_EQ(test, polled(fs, p[1]), static_cast<unsigned>(POLLOUT));
  fs.write(p[1], "x");
  KUNIT_EXPECT_EQ(test, polled(fs, p[0]), static_cast<unsigned>(POLLIN));
  fs.close(p[1]);
  KUNIT_EXPECT_EQ(test, polled(fs, p[0]), static_cast<unsigned>(POLLIN | POLLHUP));
  fs.pipe(p);
  fs.close(p[0]);
  KUNIT_EXPECT_EQ(test, polled(fs, p[1]), static_cast<unsigned>(POLLOUT | POLLERR));
  KUNIT_EXPECT_EQ(test, polled(fs, 77), static_cast<unsigned>(POLLNVAL));
}

void no_memory_leaves_no_trace(kunit* test) {
  FsCalls fs(test);
  long p[2];
  fs.pipe(p);
  fs.close(p[0]);
  fs.close(p[1]);
  for (long n = 1; n < 30; n++) {
    long r;
    bool fired;
    unsigned long at = fs.room(8);
    {
      FaultInjection inject(current, n);
      r = call(sys_pipe2, at, 0);
      fired = inject.fired();
    }
    long q[2] = {fs.get<int>(at), fs.get<int>(at + 4)};
    if (r == 0) {
      fs.close(q[0]);
      fs.close(q[1]);
    } else {
      KUNIT_EXPECT_TRUE(test, r == -ENFILE || r == -ENOMEM || r == -EFAULT);
    }
    if (!fired) {
      KUNIT_EXPECT_EQ(test, r, 0);
      break;
    }
  }
  long q[2];
  KUNIT_EXPECT_EQ(test, fs.pipe(q), 0);
  KUNIT_EXPECT_EQ(test, q[0], p[0]);
}

// ---- Two at it ------------------------------------------------------------------------------------------------------------
struct Partner {
  file* f;
  const char* name;
  int flags;
  size_t total;
  long result;
  completion done;
};

int write_all(void* arg) {
  auto* w = static_cast<Partner*>(arg);
  char block[1000];
  size_t at = 0;
  loff_t pos = 0;
  w->result = 0;
  while (at < w->total) {
    size_t n = w->total - at < sizeof(block) ? w->total - at : sizeof(block);
    for (size_t k = 0; k < n; k++) block[k] = static_cast<char>((at + k) % 251);
    ssize_t r = kernel_write(w->f, block, n, &pos);
    if (r <= 0) {
      w->result = r;
      break;
    }
    at += static_cast<size_t>(r);
  }
  fput(w->f);
  complete(&w->done);
  return 0;
}

void much_goes_through_in_order(kunit* test) {
  file *rd, *wr;
  KUNIT_ASSERT_TRUE(test, create_pipe_files(&rd, &wr, 0).has_value());
  static Partner w;
  w = Partner{.f = wr, .name = nullptr, .flags = 0, .total = 300000, .result = 1, .done = {}};
  init_completion(&w.done);
  kthread_run(write_all, &w, "writer");
  char buf[3000];
  size_t at = 0;
  loff_t pos = 0;
  bool right = true;
  for (ssize_t n; (n = kernel_read(rd, buf, sizeof(buf), &pos)) > 0; at += static_cast<size_t>(n))
    for (ssize_t k = 0; k < n; k++) right &= buf[k] == static_cast<char>((at + static_cast<size_t>(k)) % 251);
  wait_for_completion(&w.done);
  KUNIT_EXPECT_TRUE(test, right);
  KUNIT_EXPECT_EQ(test, at, 300000ul);
  KUNIT_EXPECT_EQ(test, w.result, 0);
  fput(rd);
}

// spec 60 P-4: whole records of eight writers
int write_records(void* arg) {
  auto* w = static_cast<Partner*>(arg);
  char rec[512];
  memset(rec, w->flags, sizeof(rec));
  loff_t pos = 0;
  for (int k = 0; k < 40; k++)
    if (kernel_write(w->f, rec, sizeof(rec), &pos) != sizeof(rec)) w->result = -1;
  fput(w->f);
  complete(&w->done);
  return 0;
}

void records_stay_whole(kunit* test) {
  file *rd, *wr;
  KUNIT_ASSERT_TRUE(test, create_pipe_files(&rd, &wr, 0).has_value());
  static Partner w[8];
  for (int k = 0; k < 8; k++) {
    w[k] = Partner{.f = get_file(wr), .name = nullptr, .flags = 'a' + k, .total = 0, .result = 0, .done = {}};
    init_completion(&w[k].done);
    kthread_run(write_records, &w[k], "writer");
  }
  fput(wr);
  int seen[8] = {};
  bool whole = true;
  char rec[512];
  loff_t pos = 0;
  for (;;) {
    size_t have = 0;
    for (ssize_t n; have < sizeof(rec) && (n = kernel_read(rd, rec + have, sizeof(rec) - have, &pos)) > 0;) have += static_cast<size_t>(n);
    if (!have) break;
    for (char c : rec) whole &= c == rec[0];
    seen[rec[0] - 'a']++;
  }
  for (int k = 0; k < 8; k++) {
    wait_for_completion(&w[k].done);
    KUNIT_EXPECT_EQ(test, seen[k], 40);
    KUNIT_EXPECT_EQ(test, w[k].result, 0);
  }
  KUNIT_EXPECT_TRUE(test, whole);
  fput(rd);
}

// ---- FIFOs (spec 60 section 8) --------------------------------------------------------------------------------------------------
void fifo_without_blocking(kunit* test) {
  FsCalls fs(test);
  fs.mknod("f", S_IFIFO | 0666);
  char c;
  KUNIT_EXPECT_EQ(test, fs.open("f", O_WRONLY | O_NONBLOCK), -ENXIO);
  KUNIT_EXPECT_EQ(test, fs.open("f", 3), -EINVAL);
  long r = fs.open("f", O_RDONLY | O_NONBLOCK);
  KUNIT_EXPECT_GE(test, r, 0);
  KUNIT_EXPECT_EQ(test, fs.read(r, &c, 1), 0);
  KUNIT_EXPECT_EQ(test, polled(fs, r), 0u);  // P-15
  long w = fs.open("f", O_WRONLY | O_NONBLOCK);
  KUNIT_EXPECT_GE(test, w, 0);
  KUNIT_EXPECT_EQ(test, fs.read(r, &c, 1), -EAGAIN);
  KUNIT_EXPECT_EQ(test, fs.write(w, "ab"), 2);
  KUNIT_EXPECT_EQ(test, fs.read(r, &c, 1), 1);
  fs.close(w);
  KUNIT_EXPECT_EQ(test, polled(fs, r), static_cast<unsigned>(POLLIN | POLLHUP));
  fs.close(r);
  r = fs.open("f", O_RDONLY | O_NONBLOCK);
  KUNIT_EXPECT_EQ(test, fs.read(r, &c, 1), 0);  // P-16: what was left is gone
  long both = fs.open("f", O_RDWR);
  KUNIT_EXPECT_GE(test, both, 0);
  KUNIT_EXPECT_EQ(test, fs.write(both, "z"), 1);
  KUNIT_EXPECT_EQ(test, fs.unlink("f"), 0);
  KUNIT_EXPECT_EQ(test, fs.read(r, &c, 1), 1);  // P-17
}

int open_other_end(void* arg) {
  auto* p = static_cast<Partner*>(arg);
  auto f = filp_open(p->name, p->flags, 0);
  p->result = f ? 0 : -f.error().code();
  if (f) fput(*f);  // gone again at once (P-14)
  complete(&p->done);
  return 0;
}

void fifo_rendezvous(kunit* test) {
  FsCalls fs(test);
  fs.mknod("f", S_IFIFO | 0666);
  static Partner p;
  for (int flags : {O_WRONLY, O_RDONLY}) {
    p = Partner{.f = nullptr, .name = "/t/f", .flags = flags, .total = 0, .result = 1, .done = {}};
    init_completion(&p.done);
    kthread_run(open_other_end, &p, "opener");
    long fd = fs.open("f", flags == O_WRONLY ? O_RDONLY : O_WRONLY);
    KUNIT_EXPECT_GE(test, fd, 0);
    wait_for_completion(&p.done);
    KUNIT_EXPECT_EQ(test, p.result, 0);
    fs.close(fd);
  }
}

kunit_case cases[] = {
    KUNIT_CASE(one_byte_goes_through), KUNIT_CASE(flags), KUNIT_CASE(ends), KUNIT_CASE(without_blocking), KUNIT_CASE(slots),
    KUNIT_CASE(single_bytes_fill_it_too), KUNIT_CASE(sizes), KUNIT_CASE(packets), KUNIT_CASE(vectors_are_one_write),
    KUNIT_CASE(bad_buffers), KUNIT_CASE(polling), KUNIT_CASE(no_memory_leaves_no_trace),
    KUNIT_CASE(much_goes_through_in_order), KUNIT_CASE(records_stay_whole), KUNIT_CASE(fifo_without_blocking),
    KUNIT_CASE(fifo_rendezvous), {},
};
kunit_suite suite = {.name = "pipe", .test_cases = cases};

}  // namespace
kunit_test_suite(suite);
