// For suites of user programs: what their programs share. A program answers 0, or the line that failed.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/printk.h>
#include <linux/time64.h>
#include <linux/types.h>
#include <uapi/linux/signal.h>

#include <initializer_list>

#include "arch/hosted/user.hh"

#define MUST(cond)                                            \
  do {                                                        \
    if (!(cond)) return program::failed(__LINE__, #cond);     \
  } while (0)
// A case that is one program.
#define PROGRAM_CASE(name)                                                                \
  long name##_program(unsigned long);                                                     \
  void name(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(name##_program), 0); } \
  long name##_program(unsigned long)

namespace program {

using user::sys;
using user::Var;

// Tells, and is not 0.
inline long failed(int line, const char* what) {
  user::Uninterrupted printing;
  pr_err("line %d of the program: not so: %s\n", line, what);
  return line % 255 + 1;
}

constexpr int exited(int status) { return (status & 0xff) << 8; }
constexpr int stopped(int sig) { return sig << 8 | 0x7f; }
constexpr u64 bit(int sig) { return 1ull << (sig - 1); }

inline long getpid() { return sys(__NR_getpid); }
inline long gettid() { return sys(__NR_gettid); }
inline long kill(long pid, int sig) { return sys(__NR_kill, pid, sig); }
struct Ended {
  long pid;
  int status;
};
inline Ended wait4(long pid, unsigned options = 0) {
  Var<int> status;
  long r = sys(__NR_wait4, pid, status.addr(), options, 0);
  return {r, status.get()};
}
inline bool ends_by(long pid, int status) {
  Ended e = wait4(pid, 0x40000000 /* __WALL */);
  return e.pid == pid && e.status == status;
}
inline void nap(long ms) {
  Var<__kernel_timespec> t({ms / 1000, ms % 1000 * 1'000'000});
  sys(__NR_nanosleep, t.addr(), 0);
}
inline void block(u64 mask) {
  Var<u64> set(mask);
  sys(__NR_rt_sigprocmask, SIG_SETMASK, set.addr(), 0, 8);
}
inline u64 pending() {
  Var<u64> set;
  sys(__NR_rt_sigpending, set.addr(), 8);
  return set.get();
}
inline long waits_for_signals(unsigned long) {
  for (;;) sys(__NR_pause);
}
inline long exits_with(unsigned long status) { return static_cast<long>(status); }
// A page that parent and children share.
inline unsigned long shared_page() { return static_cast<unsigned long>(sys(__NR_mmap, 0, 4096, 3, 0x21, -1, 0)); }
inline int shared_int(unsigned long at) { return user::peek<int>(at); }
inline bool comes_true(unsigned long at, int value) {  // another process stores it before long
  for (int i = 0; i < 500; i++) {
    if (user::peek<int>(at) == value) return true;
    nap(1);
  }
  return false;
}
inline void append_number(char* text, long n) {
  char digits[24];
  int at = 24;
  digits[--at] = 0;
  do digits[--at] = static_cast<char>('0' + n % 10);
  while (n /= 10);
  __builtin_strcat(text, digits + at);
}

}  // namespace program
