// pidfd: a file that stands for a process. Spec 20 section 21.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/pid/pid.hh"

struct file;

// A descriptor reserved and a file made, neither visible to anybody yet.
struct PidfdTicket {
  int fd;
  struct file* file;
};
Result<PidfdTicket> pidfd_prepare(struct pid* pid, unsigned flags);  // flags: O_NONBLOCK. EMFILE ENFILE ENOMEM
void pidfd_abandon(PidfdTicket ticket);
Result<struct pid*> pidfd_get_pid(int fd, unsigned* f_flags = nullptr);  // referenced; EBADF
struct pid* pidfd_pid(const struct file* f);  // not referenced; null: f is no pidfd

// Gives a reference back at the end of the scope.
class PidHold {
 public:
  explicit PidHold(struct pid* pid) : pid_(pid) {}
  ~PidHold() { put_pid(pid_); }
  PidHold(const PidHold&) = delete;

 private:
  struct pid* pid_;
};
