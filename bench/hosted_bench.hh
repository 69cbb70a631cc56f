// Between the two halves of the hosted benchmarks: loops.cc runs in the kernel, hosted_bench.cc is the host program.
// Builtin types only.
// SPDX-License-Identifier: Apache-2.0
#pragma once

extern "C" {
extern unsigned long bench_rounds;    // how often the loop's operation is done
extern unsigned long bench_switches;  // of a loop that counts them: how often one task gave way to another
void bench_begin();                 // the host's clock starts: what came before was preparation
void bench_end();
}
