// libFuzzer's entry: `bazel run --config=fuzz //test/fuzz:copy_process_fuzz -- -max_len=1024 CORPUS`.
// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstdlib>

#include "test/fuzz/host/driver.hh"

extern "C" int LLVMFuzzerInitialize(int*, char*** argv) {
  fuzz_driver::without_address_randomisation(*argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz_driver::Verdict v = fuzz_driver::run_input(data, size);
  if (v.finding.empty()) return 0;
  fputs(v.finding.c_str(), stderr);
  abort();
}
