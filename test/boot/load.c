// Load for the scheduler's boot tests: hogs of given classes on one CPU and the shares they got, a program run as an ordinary user.
// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMost = 8 };

static int set_policy(pid_t pid, int policy, int priority) {
  // By number: the sched_setscheduler() of musl refuses.
  struct sched_param param = {.sched_priority = priority};
  return (int)syscall(SYS_sched_setscheduler, pid, policy, &param);
}

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set)) perror("sched_setaffinity");
}

static void say_aside(const char* text) {  // on the console as a kernel's line, which no golden file has
  FILE* kmsg = fopen("/dev/kmsg", "w");
  if (!kmsg) return;
  fprintf(kmsg, "<1>%s", text);
  fclose(kmsg);
}

// What a process has run, in ns. Its two tellers must agree: it is not running now.
static int64_t ran(pid_t pid) {
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t)) return -1;
  int64_t ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
  FILE* f = fopen(path, "r");
  long long exec = 0;
  if (!f || fscanf(f, "%lld", &exec) != 1 || exec != ns) printf("%s says %lld, the CPU clock %lld\n", path, exec, (long long)ns);
  if (f) fclose(f);
  return ns;
}

static void sleep_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t)) {
  }
}

static pid_t hog(char policy, int value) {
  pid_t pid = fork();
  if (pid) return pid;
  if (policy == 'o') {
    set_policy(0, SCHED_OTHER, 0);
    if (setpriority(PRIO_PROCESS, 0, value)) perror("setpriority");
  } else if (policy == 'i') {
    set_policy(0, SCHED_IDLE, 0);
  } else if (set_policy(0, policy == 'f' ? SCHED_FIFO : SCHED_RR, value)) {
    perror("sched_setscheduler");
  }
  for (;;) {
    __asm__ volatile("");
  }
}

// hogs CPU MILLISECONDS TOLERANCE SPEC=SHARE...: a SPEC is a policy's letter (o, i, f, r) and a nice value or priority, SHARE and
// TOLERANCE are 1/10,000 of the CPU. Says of each hog whether it got its share. The measuring process is the CPU's most urgent
// task, so while it reads no hog runs, and the readings are of one moment.
static int hogs(int argc, char** argv) {
  pid_t pids[kMost];
  int64_t before[kMost], got[kMost], sum = 0;
  int n = argc - 3;
  char line[512] = "shares:";
  pin(atoi(argv[0]));
  if (set_policy(0, SCHED_FIFO, 99)) perror("sched_setscheduler");
  for (int i = 0; i < n; i++) pids[i] = hog(argv[3 + i][0], atoi(argv[3 + i] + 1));
  sleep_ms(1100);  // a debt to begin with is paid off by then
  for (int i = 0; i < n; i++) before[i] = ran(pids[i]);
  sleep_ms(atol(argv[1]));
  for (int i = 0; i < n; i++) sum += got[i] = ran(pids[i]) - before[i];
  for (int i = 0; i < n; i++) {
    kill(pids[i], SIGKILL);
    waitpid(pids[i], NULL, 0);
    double share = 10000.0 * got[i] / sum, wanted = atof(strchr(argv[3 + i], '=') + 1);
    double off = share > wanted ? share - wanted : wanted - share;
    printf("%.*s: %s\n", (int)(strchr(argv[3 + i], '=') - argv[3 + i]), argv[3 + i], off <= atof(argv[2]) ? "its share" : "not its share");
    snprintf(line + strlen(line), sizeof(line) - strlen(line), " %s %.1f", argv[3 + i], share);
  }
  say_aside(line);
  return 0;
}

// user UID PROGRAM ARGUMENT...: runs the program as that user.
static int user(char** argv) {
  if (setgid(atoi(argv[0])) || setuid(atoi(argv[0]))) perror("setuid");
  execvp(argv[1], argv + 1);
  perror(argv[1]);
  return 127;
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 4 && !strcmp(argv[1], "hogs")) return hogs(argc - 2, argv + 2);
  if (argc > 3 && !strcmp(argv[1], "user")) return user(argv + 2);
  return 2;
}
