// Between the files of fs/coredump.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/coredump/coredump.hh"

struct file;
inline constexpr size_t kCoreNameSize = 4096;
// core_pattern for current, which dies of sig. False: too long, or asks for a program, which there is no way to run.
bool expand_core_pattern(char* to, size_t size, int sig, int dumpable, unsigned long limit);

struct CoreJob {
  const kernel_siginfo* info;
  const CoreDump* core;  // the other threads, at rest
  struct file* to;
  unsigned long limit;   // bytes
};
// The dump in ELF. True once there is anything that can be called one; a file cut off at the limit, or by SIGKILL, counts.
bool write_elf_core(const CoreJob& job);
