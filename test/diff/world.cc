// The world of the differential runs: what the random blocks refer to.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

#include "test/diff/diff.hh"

namespace diff {

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

void finish(long pid) {
  if (sys(SYS_wait4, (u64)pid, 0, 0x40000000 /* __WALL */, 0) == pid) return;
  while (sys(SYS_tgkill, (u64)sys(SYS_getpid), (u64)pid, 0) != -ESRCH) sys(SYS_sched_yield);
}

long made(long pid) {
  if (pid <= 0) return pid;
  finish(pid);
  sys(SYS_close_range, 3, 19, 0);
  return 1;
}

namespace {

void dup_to(int fd, int to) {
  if (fd < 0) {
    printf("diff: no descriptor %d\n", to);
    return;
  }
  dup2(fd, to);
  close(fd);
}

void write_file(const char* path, const char* text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) printf("diff: cannot write %s\n", path);
  close(fd);
}

void make_memory() {
  mmap((void*)kArea, kAreaSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mmap((void*)kReadOnly, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mmap((void*)kShared, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/// Whatever exit signal a child has, it does nothing here.
void ignore_signals() {
  for (int sig = 1; sig <= 64; sig++) {
    struct {
      u64 handler, flags, restorer, mask;
    } ign{1, 0, 0, 0};
    if (sig != SIGCHLD) sys(SYS_rt_sigaction, (u64)sig, (u64)&ign, 0, 8);
  }
}

void make_cgroups() {
  mkdir("/tmp/cg", 0755);
  mount("cgroup2", "/tmp/cg", "cgroup2", 0, nullptr);
  write_file("/tmp/cg/cgroup.subtree_control", "+pids");
  for (auto* dir : {"/tmp/cg/a", "/tmp/cg/removed", "/tmp/cg/full", "/tmp/cg/threaded"}) mkdir(dir, 0755);
  write_file("/tmp/cg/full/pids.max", "0");
  write_file("/tmp/cg/threaded/cgroup.type", "threaded");
  mkdir("/tmp/cg/threaded/invalid", 0755);
  dup_to(open("/tmp/cg/a", O_RDONLY | O_DIRECTORY), kCgroupFd);
  dup_to(open("/tmp/cg/removed", O_RDONLY | O_DIRECTORY), kRemovedCgroupFd);
  rmdir("/tmp/cg/removed");
  dup_to(open("/tmp/cg/full", O_RDONLY | O_DIRECTORY), kFullCgroupFd);
  dup_to(open("/tmp/cg/threaded/invalid", O_RDONLY | O_DIRECTORY), kInvalidCgroupFd);
  dup_to(open("/tmp/cg/a", O_PATH | O_DIRECTORY), kPathCgroupFd);
  dup_to(open("/tmp/cg/a/cgroup.procs", O_RDONLY), kCgroupFileFd);
}

void make_processes() {
  sleeper = fork();
  if (sleeper == 0) {
    setpgid(0, 0);
    for (;;) pause();
  }
  setpgid(sleeper, sleeper);
  dup_to((int)syscall(SYS_pidfd_open, sleeper, 0), kPidfd);
  pid_t dead = fork();
  if (dead == 0) _exit(0);
  dup_to((int)syscall(SYS_pidfd_open, dead, 0), kDeadPidfd);
  waitpid(dead, nullptr, 0);
}

}  // namespace

void prepare() {
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("sysfs", "/sys", "sysfs", 0, nullptr);
  mount("tmpfs", "/tmp", "tmpfs", 0, nullptr);
  mkdir("/tmp/root", 0755);
  // Numbers that set_tid asks for are then nobody's.
  write_file("/proc/sys/kernel/pid_max", "4194304");
  make_memory();
  ignore_signals();
  make_processes();
  make_cgroups();
  dup_to(open("/tmp/file", O_RDONLY | O_CREAT, 0600), kNullFd);
  dup_to(open("/proc", O_RDONLY | O_DIRECTORY), kProcFd);
  const char* kinds[] = {"uts", "pid", "user", "mnt", "ipc", "net", "cgroup", "time"};
  for (int i = 0; i < 8; i++) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
    dup_to(open(path, O_RDONLY), kNsUts + i);
  }
}

}  // namespace diff
