// Fault injection: the armed state.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/fault_inject.hh"

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/preempt.h>

#include "arch/contract/arch.hh"

int fault_injection_armed;

namespace {
struct Armed {
  task_struct* task;
  long nth;
  atomic_long_t seen;
  FaultObserver observer;
  const char* stage;  // the armed task's own
  FaultVisit failed;
  bool fired;
};
constinit Armed armed{};

bool counts_here() { return arch::current_task() == READ_ONCE(armed.task) && !in_interrupt(); }
}  // namespace

bool should_fail_slow(FailPoint point, const char* step) {
  if (!counts_here()) return false;
  const FaultVisit visit{point, step, armed.stage};
  if (armed.observer.visit) armed.observer.visit(armed.observer.context, visit);
  if (atomic_long_inc_return(&armed.seen) != armed.nth) return false;
  armed.failed = visit;
  WRITE_ONCE(armed.fired, true);
  return true;
}

void fault_stage_slow(const char* stage) {
  if (counts_here()) armed.stage = stage;
}

FaultInjection::FaultInjection(task_struct* task, long nth, FaultObserver observer) {
  BUG_ON(fault_injection_armed);
  armed = {task, nth, {0}, observer, nullptr, {FailPoint::Other, nullptr, nullptr}, false};
  __atomic_store_n(&fault_injection_armed, 1, __ATOMIC_RELEASE);
}
FaultInjection::~FaultInjection() {
  WRITE_ONCE(fault_injection_armed, 0);
  WRITE_ONCE(armed.task, nullptr);
}
long FaultInjection::seen() const { return atomic_long_read(&armed.seen); }
bool FaultInjection::fired() const { return READ_ONCE(armed.fired); }
FailPoint FaultInjection::point() const { return armed.failed.point; }
FaultVisit FaultInjection::failed() const { return armed.failed; }
