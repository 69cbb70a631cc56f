// Fault injection: every acquisition asks should_fail(); a test arms the n-th one of a chosen task to fail. Not armed, it costs
// one test of one word.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/compiler.h>
#include <linux/gfp_types.h>
#include <linux/types.h>

struct task_struct;

enum class FailPoint : unsigned char { Page, Slab, Vmalloc, Pid, FileSlot, UserCopy, Other };

extern int fault_injection_armed;
bool should_fail_slow(FailPoint point);

// True: the caller behaves as if what it was about to acquire were not to be had. Any context; interrupts are never failed.
inline bool should_fail(FailPoint point) { return unlikely(READ_ONCE(fault_injection_armed)) && should_fail_slow(point); }
inline bool should_fail(FailPoint point, gfp_t gfp) {
  return unlikely(READ_ONCE(fault_injection_armed)) && !(gfp & __GFP_NOFAIL) && should_fail_slow(point);
}

// Armed for its lifetime; one at a time in a world. The acquisitions of `task` are counted from 1; number `nth` fails (0: none,
// they are only counted).
class FaultInjection {
 public:
  FaultInjection(task_struct* task, long nth);
  ~FaultInjection();
  FaultInjection(const FaultInjection&) = delete;
  FaultInjection& operator=(const FaultInjection&) = delete;
  long seen() const;   // acquisitions so far
  bool fired() const;  // the n-th came
  FailPoint point() const;  // what failed, once fired
};
