// What a switch costs with N runnable tasks: threads that do nothing but sched_yield(), on one CPU. Each yield puts a task back into the
// run queue and picks the next. Run as /init by runnable.py, with the numbers of tasks as arguments, rising.
// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#define PROGRAM "runnable"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

// How often any of them came back from its yield. One CPU: a plain increment loses nothing.
volatile long yields;

// A thread that yields for ever. It uses no stack, so all of them have the creator's.
static void add_yielder(void) {
  long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  register long r10 __asm__("r10") = 0, r8 __asm__("r8") = 0;
  long result;
  __asm__ volatile(
      "syscall\n"
      "test %%rax, %%rax\n"
      "jnz 2f\n"
      "1: mov %[yield], %%eax\n"
      "syscall\n"
      "incq yields\n"
      "jmp 1b\n"
      "2:"
      : "=a"(result)
      : "a"(SYS_clone), "D"(flags), "S"(0), "d"(0), "r"(r10), "r"(r8), [yield] "i"(SYS_sched_yield)
      : "rcx", "r11", "memory");
  if (result < 0) {
    errno = (int)-result;
    die("clone");
  }
}

static void sleep_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t)) {
  }
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (getpid() == 1) {
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
  }
  write_sysctl("/proc/sys/kernel/pid_max", "200000");
  write_sysctl("/proc/sys/kernel/threads-max", "200000");
  write_sysctl("/proc/sys/kernel/sched_rt_runtime_us", "-1");
  struct rlimit many = {200000, 200000};
  if (setrlimit(RLIMIT_NPROC, &many)) die("setrlimit");
  // The creator comes before all others, so that none runs while there are not enough; what it makes is ordinary.
  struct sched_param first = {.sched_priority = 1};
  if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first)) die("sched_setscheduler");
  long there = 0;
  for (int i = 1; i < argc; i++) {
    for (; there < atol(argv[i]); there++) add_yielder();
    // Until each has run twice: the first time is dearer.
    for (long before = yields; yields - before < 2 * there;) sleep_ms(20);
    long start = now(), before = yields;
    sleep_ms(300);
    long took = now() - start, done = yields - before;
    printf("runnable: %ld tasks, %.1f instructions a yield\n", there, (double)took / (double)done);
  }
  printf("runnable: done\n");
  if (getpid() == 1) {
    sync();
    reboot(RB_POWER_OFF);
  }
  return 0;
}
