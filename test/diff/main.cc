// The init of the differential runs: makes argument blocks from a seed, calls the kernel with each, and prints the verdicts.
// SPDX-License-Identifier: Apache-2.0
//
// Command line: DIFF_KIND=clone3 or calls, DIFF_SEED=n, DIFF_COUNT=n, or DIFF_SHOW=n for the n-th block alone, with its arguments.
// Output, between "DIFF-BEGIN" and "DIFF-END": a letter for each verdict, 100 to a line behind the first one's number, and a line
// `= NUMBER HASH` after each 1000, so that two runs can be compared and a difference found. A block follows from its number alone.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "test/diff/diff.hh"

using namespace diff;

namespace {

/// Whether the blocks are of all calls but clone3.
bool of_calls;

long block(u64 seed, u64 number) {
  Random r{seed * 0x10001 + number * 0x9e3779b1};
  r.next();
  memset((void*)(kArea + 0x6000), 0, kAreaSize - 0x6000);
  return of_calls ? call_block(r) : clone3_block(r);
}

/// The word behind KEY= in the kernel's command line; empty if it is not there.
const char* word_of_cmdline(const char* key) {
  static char text[4096];
  int fd = open("/proc/cmdline", O_RDONLY);
  long n = read(fd, text, sizeof(text) - 1);
  close(fd);
  text[n > 0 ? n : 0] = 0;
  const char* p = strstr(text, key);
  return p ? p + strlen(key) + 1 : "";
}

u64 number_of_cmdline(const char* key, u64 otherwise) {
  const char* word = word_of_cmdline(key);
  return *word ? strtoull(word, nullptr, 10) : otherwise;
}

/// A verdict as a letter: '0' zero, '.' made or done, '1' to '3' made, with what clone3 stored; the errnos that calls of this
/// area have; others as <number>.
void put(char*& out, long v) {
  constexpr struct {
    int error;
    char letter;
  } letters[] = {{EPERM, 'p'},  {ENOENT, 'e'}, {ESRCH, 's'}, {EINTR, 'r'},  {E2BIG, 'B'},  {EBADF, 'b'}, {ECHILD, 'c'}, {EAGAIN, 'a'}, {ENOMEM, 'm'},
                 {EACCES, 'A'}, {EFAULT, 'f'}, {EBUSY, 'u'}, {EEXIST, 'x'}, {ENODEV, 'd'}, {EINVAL, 'i'}, {EMFILE, 'F'}, {ENOSPC, 'n'}, {EUSERS, 'U'},
                 {EOPNOTSUPP, 'o'}};
  if (v >= 0) {
    *out++ = v == 1 ? '.' : (char)('0' + (v ? v - 1 : 0));
    return;
  }
  for (auto l : letters)
    if (l.error == -v) {
      *out++ = l.letter;
      return;
    }
  out += sprintf(out, "<%ld>", -v);
}

void run(u64 seed, u64 from, u64 count) {
  u64 hash = 14695981039346656037ull;
  char line[1024], *out = line;
  for (u64 i = from; i < from + count; i++) {
    long v = block(seed, i);
    hash = (hash ^ (u64)v) * 1099511628211ull;
    put(out, v);
    if (i % 100 == 99 || i + 1 == from + count) {
      *out = 0;
      printf("%llu %s\n", (unsigned long long)(i - i % 100), line);
      out = line;
    }
    if (i % 1000 == 999) {
      printf("= %llu %016llx\n", (unsigned long long)(i + 1), (unsigned long long)hash);
      fflush(stdout);
      hash = 14695981039346656037ull;
    }
  }
}

}  // namespace

int main() {
  prepare();
  of_calls = !strncmp(word_of_cmdline("DIFF_KIND"), "calls", 5);
  u64 seed = number_of_cmdline("DIFF_SEED", 1), count = number_of_cmdline("DIFF_COUNT", 5000);
  printf("DIFF-BEGIN %s seed %llu count %llu\n", of_calls ? "calls" : "clone3", (unsigned long long)seed, (unsigned long long)count);
  u64 one = number_of_cmdline("DIFF_SHOW", ~0ull);
  if (one != ~0ull) {
    shown = true;
    run(seed, one, 1);
  } else {
    run(seed, 0, count);
  }
  printf("DIFF-END\n");
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
}
