// tracefs as programs see it, with several CPUs writing while one reads. What a real Linux says: test/boot/trace_script.sh.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <uapi/linux/fcntl.h>

#include "test/hosted/program.hh"

namespace {

using namespace program;

#define DIR "/tr/"
bool mounted() {
  user::Str dir("/tr"), none("none"), type("tracefs");
  sys(__NR_mkdir, dir.addr(), 0755);
  return sys(__NR_mount, none.addr(), dir.addr(), type.addr(), 0, 0) == 0;
}
long open_at(const char* path, int flags) {
  user::Str p(path);
  return sys(__NR_open, p.addr(), flags, 0);
}
long put(const char* path, const char* text) {  // 0 or -errno
  const long fd = open_at(path, O_WRONLY);
  if (fd < 0) return fd;
  user::Str t(text);
  const long n = sys(__NR_write, fd, t.addr(), strlen(text));
  sys(__NR_close, fd);
  return n < 0 ? n : 0;
}

long restless(unsigned long) {
  for (int k = 0; k < 150; k++) {
    sys(__NR_sched_yield);
    if (k % 10 == 0) nap(1);
  }
  return 0;
}

// The seconds of a line, in us; -1: it is not an event's line.
long time_of(const char* line) {
  const char* p = strchr(line, ']');
  if (!p || strlen(p) < 20 || p[1] != ' ' || p[7] != ' ') return -1;
  long us = 0;
  for (p += 8; *p && *p != ':'; p++)
    if (*p >= '0' && *p <= '9') us = us * 10 + (*p - '0');
  return us;
}

// spec 30 S-88, S-89: each line whole, and in the order of time, whoever wrote it
PROGRAM_CASE(a_reader_keeps_up_with_four_cpus) {
  MUST(mounted());
  MUST(put(DIR "buffer_size_kb", "8") == 0);  // so that it is overwritten again and again
  MUST(put(DIR "events/enable", "1") == 0);
  for (int k = 0; k < 4; k++) MUST(user::fork(restless) > 0);
  const long fd = open_at(DIR "trace_pipe", O_RDONLY | O_NONBLOCK);
  MUST(fd >= 0);
  static char text[4097];
  const unsigned long buf = user::map(4096);
  long lines = 0, last = 0;
  for (int tries = 0; tries < 60; tries++) {
    const long n = sys(__NR_read, fd, buf, 4096);
    if (n == -EAGAIN) nap(1);
    if (n <= 0) continue;
    user::read_bytes(text, buf, static_cast<size_t>(n));
    text[n] = 0;
    MUST(text[n - 1] == '\n');
    char* rest = text;
    for (char* line; (line = strsep(&rest, "\n")) && *line;) {
      if (strstr(line, "LOST EVENTS")) continue;
      const long t = time_of(line);
      MUST(t >= last);
      last = t;
      lines++;
    }
  }
  MUST(lines > 50);
  MUST(put(DIR "events/enable", "0") == 0);
  for (int k = 0; k < 4; k++) MUST(wait4(-1).pid > 0);
  return 0;
}

PROGRAM_CASE(no_memory_is_told) {
  MUST(mounted());
  MUST(put(DIR "buffer_size_kb", "900000") == -ENOMEM);
  MUST(put(DIR "events/sched/sched_switch/enable", "1") == 0);
  MUST(put(DIR "trace_marker", "still here") == 0);
  return 0;
}

// Nobody but root looks in, and nothing is made or removed.
PROGRAM_CASE(it_is_roots) {
  MUST(mounted());
  user::Str made(DIR "new"), there(DIR "trace");
  MUST(sys(__NR_mkdir, made.addr(), 0755) == -EPERM);
  MUST(open_at(DIR "new", O_WRONLY | O_CREAT) == -EACCES);
  MUST(sys(__NR_unlink, there.addr()) == -EPERM);
  MUST(sys(__NR_setuid, 1000) == 0);
  MUST(open_at(DIR "trace", O_RDONLY) == -EACCES);
  return 0;
}

kunit_case cases[] = {KUNIT_CASE(a_reader_keeps_up_with_four_cpus), KUNIT_CASE(no_memory_is_told), KUNIT_CASE(it_is_roots), {}};
kunit_suite suite = {.name = "tracefs", .test_cases = cases, .world = {.cpus = 4, .memory_mb = 64, .seeds = 10}};
kunit_test_suite(suite);

}  // namespace
