// Between the two halves of the process fuzzer: the kernel side (program.cc and what it calls) and the host programs (host/).
// Builtin types only.
// SPDX-License-Identifier: Apache-2.0
#pragma once

struct FuzzInput {
  const unsigned char* data;
  unsigned long size;
};
// How often something was tried, succeeded, failed (the rest did not return: exec, exit, death); the last failure's errno.
struct FuzzTally {
  const char* name;
  unsigned long tried, succeeded, failed;
  int last_errno;
};
struct FuzzCounts {
  unsigned long ops, clone_calls, clones_made, checks;
  FuzzTally call[512];      // by the number of the system call
  FuzzTally clone_flag[64];  // by the bit
  FuzzTally detail[96];     // operations, and what is worth telling apart within one
};
// The first bytes are the world's: CPUs and (bit 7) which table of operations, mean distance of preemptions, seed. The rest
// are operations.
inline constexpr unsigned long kFuzzHeader = 4;
inline constexpr unsigned char kFuzzSecondTable = 0x80;

extern "C" {
extern FuzzInput fuzz_input;    // the host sets it before the world boots
extern FuzzCounts fuzz_counts;  // summed over all worlds
const char* fuzz_call_name(unsigned nr);
}
