// What the host harness learns of the registered cases. Builtin types only: included from both sides.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>

struct KunitCaseInfo {
  const char *suite, *name;
  unsigned cpus, memory_mb;  // 0: whatever is usual
  const char* cmdline;
  unsigned seeds;
  bool replay, parallel;
  const char* deterministic;
  const char *dies_plain, *dies_asan, *dies_tsan;
};
size_t kunit_case_count();
KunitCaseInfo kunit_case_info(size_t index);
