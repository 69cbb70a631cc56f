// Fault injection: every acquisition asks should_fail(); a test arms the n-th one of a chosen task to fail. Not armed, it costs
// one test of one word. test/faults has the engine that makes each in turn fail and compares before with after.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/compiler.h>
#include <linux/gfp_types.h>
#include <linux/types.h>

struct task_struct;

// Page, Slab, Vmalloc: memory. Charge: an account (commit, limits). Pid: a number. FileSlot: a descriptor or a place in the file
// table. UserCopy: user memory that cannot be reached. Signal: as if a signal were pending. Other: a step with an errno of its own.
enum class FailPoint : unsigned char { Page, Slab, Vmalloc, Charge, Pid, FileSlot, UserCopy, Signal, Other };
inline constexpr const char* kFailPointNames[] = {"page", "slab", "vmalloc", "charge", "pid", "fileslot", "usercopy", "signal", "other"};

extern int fault_injection_armed;
bool should_fail_slow(FailPoint point, const char* step);
void fault_stage_slow(const char* stage);

// True: the caller behaves as if what it was about to acquire were not to be had. Any context; interrupts are never failed.
// step names what would fail, for reports; null: an allocation, which its callers name.
inline bool should_fail(FailPoint point, const char* step) {
  return unlikely(READ_ONCE(fault_injection_armed)) && should_fail_slow(point, step);
}
inline bool should_fail(FailPoint point) { return should_fail(point, nullptr); }
inline bool should_fail(FailPoint point, gfp_t gfp) {
  return unlikely(READ_ONCE(fault_injection_armed)) && !(gfp & __GFP_NOFAIL) && should_fail_slow(point, nullptr);
}
// The armed task begins a stage of what it does (a string that stays); null: it has no stage any more.
inline void fault_stage(const char* stage) {
  if (unlikely(READ_ONCE(fault_injection_armed))) fault_stage_slow(stage);
}

// One visit to a failable step. The strings stay.
struct FaultVisit {
  FailPoint point;
  const char* step;   // null for allocations
  const char* stage;  // null: none said
};
// Called at each visit, in the context of the step: locks may be held.
struct FaultObserver {
  void (*visit)(void* context, const FaultVisit& visit);
  void* context;
};

// Armed for its lifetime; one at a time in a world. The acquisitions of `task` are counted from 1; number `nth` fails (0: none,
// they are only counted).
class FaultInjection {
 public:
  FaultInjection(task_struct* task, long nth, FaultObserver observer = {});
  ~FaultInjection();
  FaultInjection(const FaultInjection&) = delete;
  FaultInjection& operator=(const FaultInjection&) = delete;
  long seen() const;         // acquisitions so far
  bool fired() const;        // the n-th came
  FailPoint point() const;   // what failed, once fired
  FaultVisit failed() const; // the same, with its names
};
