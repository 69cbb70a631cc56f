// What the programs that run as /init share: an end that says why, the guest's clock, sysctls. A program defines PROGRAM, its name.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  printf(PROGRAM ": FAILED %s: %s\n", what, strerror(errno));
  if (getpid() == 1) reboot(RB_POWER_OFF);
  exit(1);
}

// Under QEMU's -icount shift=0 a nanosecond of the guest's clock is an instruction.
static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void write_sysctl(const char *path, const char *value) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, value, strlen(value)) < 0) die(path);
  close(fd);
}
