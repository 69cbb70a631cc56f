// How far the image goes: 2,000 threads of one process, 30,000 processes at once, and what a fork costs among few and among
// many. Run as /init by scale.py, with the sizes as arguments; also a plain Linux program.
// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#define PROGRAM "scale"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static unsigned long free_kib(void) {
  char text[4096] = "";
  int fd = open("/proc/meminfo", O_RDONLY);
  if (read(fd, text, sizeof text - 1) < 0) die("meminfo");
  close(fd);
  const char *line = strstr(text, "MemFree:");
  return line ? strtoul(line + 8, 0, 10) : 0;
}

// ---- Threads by raw clone ---------------------------------------------------------------------------------------------

enum { kStack = 16384 };
static volatile int started, go;
static int *tids;

static int thread(void *arg) {
  (void)arg;
  __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
  while (!__atomic_load_n(&go, __ATOMIC_SEQ_CST)) syscall(SYS_futex, &go, 0 /* FUTEX_WAIT */, 0, 0, 0, 0);
  return 0;
}

static void join(int *tid) {
  for (int t; (t = __atomic_load_n(tid, __ATOMIC_SEQ_CST));) syscall(SYS_futex, tid, 0 /* FUTEX_WAIT */, t, 0, 0, 0);
}

static void run_threads(int n) {
  const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID |
                    CLONE_CHILD_CLEARTID;
  char *stacks = mmap(0, (size_t)n * kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  tids = mmap(0, n * sizeof *tids, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stacks == MAP_FAILED || tids == MAP_FAILED) die("mmap");
  long begun = now();
  for (int i = 0; i < n; i++)
    if (clone(thread, stacks + (size_t)(i + 1) * kStack, flags, 0, &tids[i], 0, &tids[i]) < 0) die("clone");
  while (started != n) sched_yield();
  long made = now();
  go = 1;
  syscall(SYS_futex, &go, 1 /* FUTEX_WAKE */, n, 0, 0, 0);
  for (int i = 0; i < n; i++) join(&tids[i]);
  long joined = now();
  munmap(stacks, (size_t)n * kStack);  // else each fork below copies them
  printf("scale: threads %d start %ld join %ld ns each\n", n, (made - begun) / n, (joined - made) / n);
}

// ---- Processes ----------------------------------------------------------------------------------------------------------

static long fork_cost(void) {
  enum { kRounds = 200 };
  long begun = now();
  for (int i = 0; i < kRounds; i++) {
    pid_t p = fork();
    if (p < 0) die("fork");
    if (!p) _exit(0);
    if (waitpid(p, 0, 0) != p) die("waitpid");
  }
  return (now() - begun) / kRounds;
}

static void make_sleepers(pid_t *pids, int n) {
  for (int i = 0; i < n; i++) {
    pid_t p = fork();
    if (p < 0) die("fork of a sleeper");
    if (!p)
      for (;;) pause();
    pids[i] = p;
  }
}

static void end_sleepers(pid_t *pids, int n) {
  for (int i = 0; i < n; i++)
    if (kill(pids[i], SIGKILL)) die("kill");
  for (int i = 0; i < n; i++)
    if (waitpid(-1, 0, 0) < 0) die("wait for a sleeper");
  if (waitpid(-1, 0, WNOHANG) != -1 || errno != ECHILD) die("no child is left");
}

// A specific child is waited for, so that the many others do not stand in the way.
static void run_processes(int few, int many) {
  pid_t *pids = mmap(0, many * sizeof *pids, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fork_cost();
  make_sleepers(pids, few);
  long cost_few = fork_cost();
  unsigned long free_before = free_kib();
  long begun = now();
  make_sleepers(pids + few, many - few);
  long made = now();
  printf("scale: processes %d, fork %ld ns each, %lu KiB each, %lu MiB free\n", many, (made - begun) / (many - few),
         (free_before - free_kib()) / (many - few), free_kib() / 1024);
  long cost_many = fork_cost();
  printf("scale: fork+exit+wait with %d alive %ld, with %d alive %ld, ratio %ld.%02ld\n", few, cost_few, many, cost_many,
         cost_many / cost_few, cost_many * 100 / cost_few % 100);
  begun = now();
  end_sleepers(pids, many);
  printf("scale: kill and reap %ld ns each\n", (now() - begun) / many);
}

int main(int argc, char **argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 2000, processes = argc > 2 ? atoi(argv[2]) : 30000;
  setvbuf(stdout, 0, _IONBF, 0);
  if (getpid() == 1) {
    mkdir("/dev", 0755);
    mkdir("/proc", 0755);
    mount("dev", "/dev", "devtmpfs", 0, 0);
    mount("proc", "/proc", "proc", 0, 0);
    int fd = open("/dev/console", O_RDWR);
    if (fd >= 0)
      for (int i = 0; i < 3; i++) dup2(fd, i);
    write_sysctl("/proc/sys/kernel/pid_max", "100000");
    write_sysctl("/proc/sys/kernel/threads-max", "100000");
    struct rlimit all = {100000, 100000};
    if (setrlimit(RLIMIT_NPROC, &all)) die("setrlimit");
  }
  run_threads(threads);
  run_processes(10, processes);
  printf("scale: done\n");
  if (getpid() == 1) reboot(RB_POWER_OFF);
  return 0;
}
