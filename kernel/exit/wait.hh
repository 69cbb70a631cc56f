// Waiting for children, as the system calls and tests use it.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/pid/pid.hh"

struct WaitFor {
  pid_type type;      // PIDTYPE_MAX: any child
  struct pid* pid;    // null with another type: nobody
  unsigned options;   // W*
};
struct WaitEvent {
  int status = 0;            // as wait4 stores it
  int code = 0, cause = 0;   // CLD_*, and exit status or signal
  pid_t pid = 0;
  unsigned uid = 0;
  rusage* usage = nullptr;   // filled in if set
};
// The pid reported; 0 with WNOHANG; -ECHILD, -ERESTARTSYS. May sleep.
int do_wait(const WaitFor& what, WaitEvent* event);
