// Between the two halves of the process fuzzer: the kernel side (program.cc and what it calls) and the host programs (host/).
// Builtin types only.
// SPDX-License-Identifier: Apache-2.0
#pragma once

struct FuzzInput {
  const unsigned char* data;
  unsigned long size;
};
struct FuzzCounts {
  unsigned long ops, clone_calls, clones_made, checks;
};
// The first bytes are the world's: CPUs, mean distance of preemptions, seed. The rest are operations.
inline constexpr unsigned long kFuzzHeader = 4;

extern "C" {
extern FuzzInput fuzz_input;    // the host sets it before the world boots
extern FuzzCounts fuzz_counts;  // summed over all worlds
}
