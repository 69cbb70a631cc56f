// The init of the differential runs: makes argument blocks from a seed, calls the kernel with each, and prints the verdicts.
// SPDX-License-Identifier: Apache-2.0
//
// Command line: DIFF_SEED=n DIFF_COUNT=n, or DIFF_SHOW=n for the n-th block alone, with its arguments.
// Output, between "DIFF-BEGIN" and "DIFF-END": a letter for each verdict, 100 to a line behind the first one's number, and a line
// `= NUMBER HASH` after each 1000, so that two runs can be compared and a difference found. A block follows from its number alone.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using u64 = uint64_t;

long sys(long nr, u64 a = 0, u64 b = 0, u64 c = 0, u64 d = 0, u64 e = 0) {
  long result;
  register u64 r10 asm("r10") = d;
  register u64 r8 asm("r8") = e;
  asm volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return result;
}

/// The system call, after which a child (result 0 where `child` says so) exits at once without touching memory: the stack may be
/// its parent's, any address, or none.
long sys_child(long nr, u64 a, u64 b, u64 c, u64 d, u64 e) {
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
enum : int { kNullFd = 50, kCgroupFd, kProcFd, kPidfd, kDeadPidfd, kNsUts, kNsPid, kNsUser, kNsMnt, kNsIpc, kNsNet, kNsCgroup, kNsTime, kLastFd };
constexpr u64 kArea = 0x10000000;      // 64 KiB, readable and writable
constexpr u64 kAreaSize = 0x10000;     // what follows is not mapped
constexpr u64 kReadOnly = 0x20000000;  // a page
pid_t sleeper;  // a child that waits for signals, in a group of its own

constexpr u64 kFlags[] = {0x100,      0x200,      0x400,      0x800,      0x1000,     0x2000,     0x4000,      0x8000,      0x10000,
                          0x20000,    0x40000,    0x80000,    0x100000,   0x200000,   0x400000,   0x800000,    0x1000000,   0x2000000,
                          0x4000000,  0x8000000,  0x10000000, 0x20000000, 0x40000000, 0x80000000, 0x100000000, 0x200000000, 0x80};

u64 random_flags(Random& r) {
  u64 flags = 0;
  switch (r.below(6)) {
    case 0: break;
    case 1: flags = 0x10f00 & (r.one_in(3) ? r.next() : ~0ull); break;  // a thread, or nearly
    case 2: flags = 0x4100; break;                                       // vfork
    default:
      for (u64 n = r.below(4) + 1; n; n--) flags |= r.of(kFlags);
  }
  if (r.one_in(4)) flags |= r.of(kFlags);
  if (r.one_in(20)) flags |= 1ull << r.below(64);
  if (r.one_in(200)) flags = r.next();
  return flags;
}

u64 random_pointer(Random& r) {
  switch (r.below(8)) {
    case 0: return 0;
    case 1: return 8;
    case 2: return kArea + kAreaSize - r.below(96);  // may run over the end
    case 3: return kReadOnly + r.below(64) * 8;
    case 4: return 0xffff800000000000 + r.below(4096);
    case 5: return r.next();
    default: return kArea + 0x8000 + r.below(0x1000) * 4;
  }
}

u64 random_signal(Random& r) {
  constexpr u64 odd[] = {64, 65, 127, 255, 256, 1ull << 32 | 17, ~0ull, 32, 33};
  return r.one_in(3) ? r.of(odd) : r.one_in(2) ? 17 : r.one_in(4) ? r.below(65) : 0;
}

// ---- kinds of blocks: each makes the call and returns its verdict ----------------------------------------------------------------

/// Waits for a child, or for a thread to be gone.
void finish(long pid) {
  if (sys(SYS_wait4, (u64)pid, 0, 0x40000000 /* __WALL */, 0) == pid) return;
  while (sys(SYS_tgkill, (u64)getpid(), (u64)pid, 0) != -ESRCH) sys(SYS_sched_yield);
}

/// After a call that may have made a child: nothing is left of it, its pidfd neither.
long made(long pid) {
  if (pid <= 0) return pid;
  finish(pid);
  sys(SYS_close_range, 3, 19, 0);
  return 1;
}

/// The block that is being shown, for a person.
bool shown;
void show(const char* call, const u64* a, int n) {
  if (!shown) return;
  printf("%s", call);
  for (int i = 0; i < n; i++) printf(" %llx", (unsigned long long)a[i]);
  printf("\n");
  fflush(stdout);
}
template <class... A>
long call(const char* name, long nr, A... a) {
  u64 list[] = {(u64)a...};
  show(name, list, (int)sizeof...(a));
  return sys(nr, (u64)a...);
}

long clone3_block(Random& r) {
  u64 a[32] = {};
  auto* bytes = reinterpret_cast<unsigned char*>(a);
  a[0] = random_flags(r);
  a[4] = random_signal(r);
  if (r.one_in(2)) a[0] &= ~0x10000ull;
  if (a[0] & 0x18000) a[4] = r.one_in(8) ? a[4] : 0;
  if (a[0] & 0x1000 || r.one_in(10)) a[1] = r.one_in(3) ? random_pointer(r) : kArea + 0x9000;
  if (r.one_in(4)) a[2] = random_pointer(r);
  if (r.one_in(4)) a[3] = r.one_in(4) ? a[1] : random_pointer(r);
  // A child that shares memory needs no stack here: it exits without touching any.
  if (r.one_in(4)) a[5] = random_pointer(r);
  if (a[5] ? !r.one_in(4) : r.one_in(12)) a[6] = r.one_in(6) ? r.next() : r.below(0x8000);
  if (a[0] & 0x80000 || r.one_in(10)) a[7] = r.one_in(3) ? r.next() : r.one_in(3) ? 1ull << 47 : kArea;
  if (r.one_in(6)) {
    int* tids = reinterpret_cast<int*>(kArea + 0x7000);
    for (int i = 0; i < 40; i++) tids[i] = r.one_in(3) ? (int)r.below(40000) + 20000 : r.one_in(2) ? (int)r.next() : (int)r.below(3);
    a[8] = r.one_in(4) ? random_pointer(r) : kArea + 0x7000;
    a[9] = r.one_in(8) ? r.next() : r.below(4) ? 1 : r.below(36);
  }
  if (r.one_in(20)) a[8] = random_pointer(r);
  if (r.one_in(20)) a[9] = r.below(3);
  if (a[0] & 0x200000000 || r.one_in(20)) a[10] = r.one_in(3) ? r.next() : r.one_in(4) ? 1ull << 31 : (u64)kNullFd + r.below(5);
  constexpr u64 sizes[] = {64, 72, 80, 88, 88, 88, 88, 96, 128, 200};
  u64 size = r.one_in(4) ? r.below(201) : r.of(sizes);
  if (r.one_in(40)) size = r.one_in(2) ? 4096 + r.below(2) : r.next();
  if (size > 88 && size <= 200 && r.one_in(2)) bytes[88 + r.below(size - 88)] = (unsigned char)r.below(2);
  if (r.one_in(100)) bytes[r.below(88)] ^= (unsigned char)(1u << r.below(8));
  // Not these, since they would not come back or change this process: see below.
  if (a[0] & 0x4000 && a[0] & 0x8000) a[0] &= ~0x4000ull;
  u64 where = r.one_in(12) ? random_pointer(r) : r.one_in(6) ? kArea + kAreaSize - (size < 4096 ? size & ~7ull : 88) : kArea + 0x6000;
  if (where >= kArea && where < kArea + kAreaSize) {
    u64 n = kArea + kAreaSize - where;
    memcpy((void*)where, a, n < sizeof(a) ? n : sizeof(a));
  }
  show("clone3: where", &where, 1);
  show("  size", &size, 1);
  show("  block", a, 12);
  return made(sys_child(SYS_clone3, where, size, 0, 0, 0));
}

long clone_block(Random& r) {
  u64 flags = random_flags(r) & ~0xffull;
  flags |= r.one_in(3) ? r.below(256) : r.one_in(2) ? 17 : 0;
  if (r.one_in(10)) flags |= r.next() << 32;
  if (flags & 0x4000 && flags & 0x8000) flags &= ~0x4000ull;
  u64 stack = r.one_in(3) ? random_pointer(r) : 0;
  u64 parent_tid = r.one_in(2) ? random_pointer(r) : kArea + 0x9000;
  u64 child_tid = r.one_in(2) ? random_pointer(r) : kArea + 0x9010;
  u64 tls = r.one_in(3) ? r.next() : kArea;
  u64 list[] = {flags, stack, parent_tid, child_tid, tls};
  show("clone", list, 5);
  return made(sys_child(SYS_clone, flags, stack, parent_tid, child_tid, tls));
}

/// Runs f in a child, since it may change the process: what it returned.
template <class F>
long apart(F f) {
  *(volatile long*)(kReadOnly + 0x1000) = 0;
  long pid = sys(SYS_fork);
  if (pid == 0) {
    *(volatile long*)(kReadOnly + 0x1000) = f();
    sys(SYS_exit_group, 0);
  }
  finish(pid);
  return *(volatile long*)(kReadOnly + 0x1000);
}

long unshare_block(Random& r) {
  u64 flags = random_flags(r);
  if (r.one_in(3)) flags &= 0x7e060f00ull | 0x80;
  return apart([=] { return call("unshare", SYS_unshare, flags); });
}

int random_fd(Random& r) { return r.one_in(10) ? (int)r.next() : r.one_in(6) ? 987 : (int)(kNullFd + r.below(kLastFd - kNullFd)); }

long setns_block(Random& r) {
  u64 fd = (u64)random_fd(r);
  u64 type = r.one_in(2) ? r.of(kFlags) : r.one_in(2) ? 0 : random_flags(r);
  return apart([=] { return call("setns", SYS_setns, fd, type); });
}

long waitid_block(Random& r) {
  constexpr u64 options[] = {1, 2, 4, 8, 0x1000000, 0x20000000, 0x40000000, 0x80000000, 0x10};
  u64 type = r.one_in(8) ? r.next() : r.below(5), id = r.one_in(3) ? r.below(3) : r.one_in(3) ? r.next() : (u64)random_fd(r), opts = 1;
  for (u64 n = r.below(4); n; n--) opts |= r.of(options);
  if (r.one_in(3)) opts |= 4;
  u64 info = r.one_in(3) ? random_pointer(r) : kArea + 0x9000, ru = r.one_in(4) ? random_pointer(r) : 0;
  if (type == 1 && r.one_in(3)) id = (u64)sleeper;
  return call("waitid", SYS_waitid, type, id, info, opts, ru);
}

long wait4_block(Random& r) {
  u64 pid = r.one_in(4) ? r.next() : r.one_in(3) ? (u64)sleeper : r.one_in(2) ? (u64)-(long)r.below(4) : (u64)INT32_MIN;
  u64 opts = 1 | (r.one_in(2) ? 1ull << r.below(32) : 0) | (r.one_in(4) ? 0x40000000 : 0);
  return call("wait4", SYS_wait4, pid, random_pointer(r), opts, r.one_in(3) ? random_pointer(r) : 0);
}

/// Only signal numbers that do nothing to the sleeper, which ignores or blocks them all, and to us.
u64 harmless_signal(Random& r) {
  constexpr u64 list[] = {0, 0, 17, 23, 28, 65, 66, 127, 1000, ~0ull, 1ull << 32};
  return r.of(list);
}

u64 random_target(Random& r) {
  constexpr u64 list[] = {0, 1, 4194300, (u64)INT32_MIN, 0x80000000, 0xffffffff00000000};
  u64 which = r.below(4);
  return which == 0 ? r.of(list) : which == 1 ? (u64)getpid() : which == 2 ? r.next() | 1ull << 30 : (u64)sleeper;
}

void random_info(Random& r, int sig) {
  int* info = (int*)(kArea + 0x9100);
  memset(info, 0, 128);
  info[0] = r.one_in(3) ? (int)r.next() : sig;
  constexpr int codes[] = {0, 0x80, -1, -2, -3, -4, -5, -6, 1, 7, INT32_MIN, INT32_MAX};
  info[2] = r.of(codes);
}

long kill_block(Random& r) {
  u64 sig = harmless_signal(r), pid = random_target(r), tid = random_target(r);
  random_info(r, (int)sig);
  u64 info = r.one_in(6) ? random_pointer(r) & ~0ull : kArea + 0x9100;
  if (info >= kArea + 0x8000 && info < kArea + 0xc004 && info != kArea + 0x9100) memset((void*)(kArea + 0x8000), 0, 0x4100);
  u64 fd = (u64)random_fd(r), flags = r.one_in(6) ? r.next() : 0;
  switch (r.below(6)) {
    case 0: return call("kill", SYS_kill, pid, sig);
    case 1: return call("tgkill", SYS_tgkill, pid, tid, sig);
    case 2: return call("tkill", SYS_tkill, tid, sig);
    case 3: return call("rt_sigqueueinfo", SYS_rt_sigqueueinfo, pid, sig, info);
    case 4: return call("rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo, pid, tid, sig, info);
    default: return call("pidfd_send_signal", SYS_pidfd_send_signal, fd, sig, r.one_in(2) ? info : 0, flags);
  }
}

long pidfd_block(Random& r) {
  long fd = -1;
  if (r.one_in(2)) {
    fd = call("pidfd_open", SYS_pidfd_open, random_target(r), r.one_in(3) ? r.next() : r.one_in(2) ? 0x800 : 0);
  } else {
    fd = call("pidfd_getfd", 438, (u64)random_fd(r), (u64)random_fd(r), r.one_in(6) ? r.next() : 0);
  }
  if (fd >= 0) sys(SYS_close, (u64)fd);
  return fd >= 0 ? 1 : fd;
}

long block(u64 seed, u64 number) {
  Random r{seed * 0x10001 + number * 0x9e3779b1};
  r.next();
  memset((void*)(kArea + 0x6000), 0, kAreaSize - 0x6000);
  long v;
  switch (r.below(20)) {
    case 0: case 1: v = clone_block(r); break;
    case 2: v = unshare_block(r); break;
    case 3: v = setns_block(r); break;
    case 4: v = waitid_block(r); break;
    case 5: v = wait4_block(r); break;
    case 6: case 7: v = kill_block(r); break;
    case 8: v = pidfd_block(r); break;
    default: v = clone3_block(r);
  }
  return v > 1 ? 1 : v;
}

void dup_to(int fd, int to) {
  if (fd < 0) return;
  dup2(fd, to);
  close(fd);
}

void prepare() {
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("sysfs", "/sys", "sysfs", 0, nullptr);
  mount("tmpfs", "/tmp", "tmpfs", 0, nullptr);
  mkdir("/tmp/cg", 0755);
  mount("cgroup2", "/tmp/cg", "cgroup2", 0, nullptr);
  mkdir("/tmp/cg/a", 0755);
  mmap((void*)kArea, kAreaSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mmap((void*)kReadOnly, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mmap((void*)(kReadOnly + 0x1000), 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  // Whatever exit signal a child has, it does nothing here.
  for (int sig = 1; sig <= 64; sig++) {
    struct {
      u64 handler, flags, restorer, mask;
    } ign{1, 0, 0, 0};
    if (sig != SIGCHLD) sys(SYS_rt_sigaction, (u64)sig, (u64)&ign, 0, 8);
  }
  sleeper = fork();
  if (sleeper == 0) {
    setpgid(0, 0);
    for (;;) pause();
  }
  setpgid(sleeper, sleeper);
  dup_to(open("/tmp/file", O_RDONLY | O_CREAT, 0600), kNullFd);  // nothing of a namespace, a cgroup or a process
  dup_to(open("/tmp/cg/a", O_RDONLY | O_DIRECTORY), kCgroupFd);
  dup_to(open("/proc", O_RDONLY | O_DIRECTORY), kProcFd);
  dup_to((int)syscall(SYS_pidfd_open, sleeper, 0), kPidfd);
  pid_t dead = fork();
  if (dead == 0) _exit(0);
  dup_to((int)syscall(SYS_pidfd_open, dead, 0), kDeadPidfd);
  waitpid(dead, nullptr, 0);
  const char* kinds[] = {"uts", "pid", "user", "mnt", "ipc", "net", "cgroup", "time"};
  for (int i = 0; i < 8; i++) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
    dup_to(open(path, O_RDONLY), kNsUts + i);
  }
}

u64 word_of_cmdline(const char* key, u64 otherwise) {
  static char text[4096];
  int fd = open("/proc/cmdline", O_RDONLY);
  long n = read(fd, text, sizeof(text) - 1);
  close(fd);
  text[n > 0 ? n : 0] = 0;
  const char* p = strstr(text, key);
  return p ? strtoull(p + strlen(key) + 1, nullptr, 10) : otherwise;
}

/// A verdict as a letter: '.' made or done, '0' zero; the errnos that calls of this area have; others as <number>.
void put(char*& out, long v) {
  constexpr struct {
    int error;
    char letter;
  } letters[] = {{EPERM, 'p'},  {ENOENT, 'e'}, {ESRCH, 's'}, {EINTR, 'r'},  {E2BIG, 'B'},  {EBADF, 'b'}, {ECHILD, 'c'}, {EAGAIN, 'a'}, {ENOMEM, 'm'},
                 {EACCES, 'A'}, {EFAULT, 'f'}, {EBUSY, 'u'}, {EEXIST, 'x'}, {ENODEV, 'd'}, {EINVAL, 'i'}, {EMFILE, 'F'}, {ENOSPC, 'n'}, {EUSERS, 'U'}};
  if (v >= 0) {
    *out++ = v ? '.' : '0';
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
  u64 seed = word_of_cmdline("DIFF_SEED", 1), count = word_of_cmdline("DIFF_COUNT", 5000);
  printf("DIFF-BEGIN seed %llu count %llu\n", (unsigned long long)seed, (unsigned long long)count);
  u64 one = word_of_cmdline("DIFF_SHOW", ~0ull);
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
