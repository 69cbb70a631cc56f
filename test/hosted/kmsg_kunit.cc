// The log as programs see it: /dev/kmsg and syslog(2).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/poll.h>
#include <uapi/linux/signal.h>

#include "arch/hosted/user.hh"

namespace {

using user::Str;
using user::sys;
using user::Var;

#define MUST(cond)                                              \
  do {                                                          \
    if (!(cond)) return (__LINE__ & 0xff) ? __LINE__ & 0xff : 1; \
  } while (0)
#define PROGRAM(name)         \
  long name##_program(unsigned long); \
  void name(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(name##_program), 0); } \
  long name##_program(unsigned long)

constexpr size_t kRoom = 2048;
struct Text {
  char s[256];
};
long open_kmsg(int flags) {
  Str name("/dev/kmsg");
  return sys(__NR_open, name.addr(), flags, 0);
}
long write(long fd, const char* s) {
  Str text(s);
  return sys(__NR_write, fd, text.addr(), strlen(s));
}
bool contains(unsigned long addr, long n, const char* what) {
  static char copy[kRoom + 1];
  user::read_bytes(copy, addr, static_cast<size_t>(n));
  copy[n] = 0;
  return strstr(copy, what);
}

PROGRAM(written_lines_come_back) {
  long fd = open_kmsg(O_RDWR | O_NONBLOCK);
  MUST(fd >= 0);
  unsigned long buf = user::map(kRoom);
  MUST(sys(__NR_lseek, fd, 0, 2 /* SEEK_END */) == 0);
  MUST(sys(__NR_read, fd, buf, kRoom) == -EAGAIN);
  MUST(write(fd, "<12>program: hello\n") == 19);
  MUST(write(fd, "program: again\n") == 15);
  long n = sys(__NR_read, fd, buf, kRoom);
  MUST(n > 0 && contains(buf, n, "12,") && contains(buf, n, ";program: hello\n"));
  MUST(sys(__NR_read, fd, buf, 5) == -EINVAL);  // the record stays
  n = sys(__NR_read, fd, buf, kRoom);
  MUST(n > 0 && contains(buf, n, "program: again\n"));
  MUST(sys(__NR_read, fd, buf, kRoom) == -EAGAIN);
  MUST(sys(__NR_lseek, fd, 0, 0) == 0);
  n = sys(__NR_read, fd, buf, kRoom);
  MUST(n > 0 && contains(buf, n, "Cleanfork version"));
  MUST(sys(__NR_lseek, fd, 5, 0) == -ESPIPE);
  return 0;
}

long writes_later(unsigned long) {
  for (int i = 0; i < 10; i++) sys(__NR_sched_yield);
  long fd = open_kmsg(O_WRONLY);
  MUST(write(fd, "program: late\n") == 14);
  return 0;
}
PROGRAM(readers_wait) {
  long fd = open_kmsg(O_RDONLY);
  sys(__NR_lseek, fd, 0, 2);
  unsigned long buf = user::map(kRoom);
  long child = user::fork(writes_later);
  long n = sys(__NR_read, fd, buf, kRoom);
  MUST(n > 0 && contains(buf, n, "program: late\n"));
  Var<int> status;
  MUST(sys(__NR_wait4, child, status.addr(), 0, 0) == child);
  return status.get();
}

enum { READ = 2, READ_ALL, READ_CLEAR, CLEAR, CONSOLE_LEVEL = 8, SIZE_UNREAD, SIZE_BUFFER };

PROGRAM(syslog_reads_and_clears) {
  unsigned long buf = user::map(kRoom);
  long size = sys(__NR_syslog, SIZE_BUFFER, 0, 0);
  MUST(size > 0);
  MUST(sys(__NR_syslog, SIZE_UNREAD, 0, 0) > 0);
  long n = sys(__NR_syslog, READ_ALL, buf, kRoom);
  MUST(n > 0 && contains(buf, n, "] Cleanfork version"));
  MUST(sys(__NR_syslog, CLEAR, 0, 0) == 0);
  MUST(sys(__NR_syslog, READ_ALL, buf, kRoom) == 0);
  long fd = open_kmsg(O_WRONLY);
  write(fd, "<14>program: after\n");
  n = sys(__NR_syslog, READ_ALL, buf, kRoom);
  MUST(n > 0 && contains(buf, n, "<14>[") && contains(buf, n, "program: after\n"));
  MUST(!contains(buf, n, "Cleanfork version"));
  // READ takes what it gives.
  n = sys(__NR_syslog, READ, buf, 40);
  MUST(n == 40 && contains(buf, n, "<"));
  MUST(sys(__NR_syslog, READ_ALL, 0, 10) == -EINVAL);
  MUST(sys(__NR_syslog, READ_ALL, buf, -1) == -EINVAL);
  MUST(sys(__NR_syslog, 99, 0, 0) == -EINVAL);
  MUST(sys(__NR_syslog, CONSOLE_LEVEL, 0, 9) == -EINVAL);
  MUST(sys(__NR_setuid, 1000) == 0);
  MUST(sys(__NR_syslog, CLEAR, 0, 0) == -EPERM);
  MUST(sys(__NR_syslog, READ_ALL, buf, kRoom) > 0);
  return 0;
}

kunit_case cases[] = {KUNIT_CASE(written_lines_come_back), KUNIT_CASE(readers_wait), KUNIT_CASE(syslog_reads_and_clears), {}};
kunit_suite suite = {.name = "kmsg", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
