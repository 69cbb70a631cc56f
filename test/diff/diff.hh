// What the makers of random blocks share: raw system calls, the generator, and the world that the blocks refer to.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>

namespace diff {

using u64 = uint64_t;

inline long sys(long nr, u64 a = 0, u64 b = 0, u64 c = 0, u64 d = 0, u64 e = 0) {
  long result;
  register u64 r10 asm("r10") = d;
  register u64 r8 asm("r8") = e;
  asm volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return result;
}

/// The system call, after which a child exits at once without touching memory: the stack may be its parent's, any address, or none.
inline long sys_child(long nr, u64 a, u64 b, u64 c, u64 d, u64 e) {
  long result;
  register u64 r10 asm("r10") = d;
  register u64 r8 asm("r8") = e;
  asm volatile(
      "syscall\n test %%rax, %%rax\n jnz 1f\n"
      "mov $60, %%eax\n xor %%edi, %%edi\n syscall\n ud2\n1:\n"
      : "=a"(result)
      : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
      : "rcx", "r11", "memory");
  return result;
}

/// A small generator (splitmix64): the same on every machine.
struct Random {
  u64 state;
  u64 next() {
    u64 z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  u64 below(u64 n) { return next() % n; }
  bool one_in(u64 n) { return below(n) == 0; }
  template <class T, size_t N>
  T of(const T (&list)[N]) {
    return list[below(N)];
  }
};

// The world that the blocks refer to, the same each time: descriptors by fixed numbers, memory by fixed addresses.
enum : int {
  kNullFd = 50,   // nothing of a namespace, a cgroup or a process
  kCgroupFd,      // a cgroup that takes anybody
  kProcFd,
  kPidfd,         // the sleeper's
  kDeadPidfd,
  kNsUts,
  kNsPid,
  kNsUser,
  kNsMnt,
  kNsIpc,
  kNsNet,
  kNsCgroup,
  kNsTime,
  kRemovedCgroupFd,
  kFullCgroupFd,    // pids.max is 0
  kInvalidCgroupFd, // a domain below a threaded one
  kPathCgroupFd,    // kCgroupFd's, opened with O_PATH
  kCgroupFileFd,
  kLastFd,
};
constexpr u64 kArea = 0x10000000;      // 64 KiB, readable and writable
constexpr u64 kAreaSize = 0x10000;     // what follows is not mapped
constexpr u64 kReadOnly = 0x20000000;  // a page
constexpr u64 kShared = kReadOnly + 0x1000;  // a page that children share: where they leave verdicts
inline pid_t sleeper;                        // a child that waits for signals, in a group of its own

constexpr u64 kFlags[] = {0x100,      0x200,      0x400,      0x800,      0x1000,     0x2000,     0x4000,      0x8000,      0x10000,
                          0x20000,    0x40000,    0x80000,    0x100000,   0x200000,   0x400000,   0x800000,    0x1000000,   0x2000000,
                          0x4000000,  0x8000000,  0x10000000, 0x20000000, 0x40000000, 0x80000000, 0x100000000, 0x200000000, 0x80};

u64 random_flags(Random& r);
u64 random_pointer(Random& r);

/// Makes the world. What fails is said on the console.
void prepare();
/// Waits for a child, or for a thread to be gone.
void finish(long pid);
/// After a call that may have made a child: nothing is left of it, its pidfd neither. The verdict.
long made(long pid);

/// Whether the block is being shown to a person.
inline bool shown;
inline void show(const char* call, const u64* a, int n) {
  if (!shown) return;
  printf("%s", call);
  for (int i = 0; i < n; i++) printf(" %llx", (unsigned long long)a[i]);
  printf("\n");
  fflush(stdout);
}

/// Runs f in a child of its own, since it may change the process: what it returned.
template <class F>
long apart(F f) {
  constexpr long kNone = -999;
  auto* verdict = reinterpret_cast<volatile long*>(kShared);
  *verdict = kNone;
  long pid = sys(SYS_fork);
  if (pid == 0) {
    sys(SYS_setpgid, 0, 0);
    *verdict = f();
    sys(SYS_exit_group, 0);
  }
  // Its children are in its group; whom it made its sibling or left behind is ours.
  while (sys(SYS_wait4, (u64)pid, 0, 0x40000000 /* __WALL */, 0) == -EINTR) {}
  while (sys(SYS_wait4, (u64)-pid, 0, 0x40000000, 0) != -ECHILD) {}
  return *verdict;
}

// The kinds of blocks: each makes one call and returns its verdict, -errno, 0, or 1 and more for a success.
long clone3_block(Random& r);
long call_block(Random& r);

}  // namespace diff
