// The limits of real-time tasks, changed while they run. Spec 32, section 3, D-4.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/knobs.hh"

#include <linux/jiffies.h>

#include "kernel/sched/dl.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr int kDefaultSliceMs = 100;

bool valid(const RtLimits& l) { return l.period_us > 0 && l.runtime_us >= -1 && l.runtime_us <= l.period_us; }

// A queue that is throttled now stays so until its period ends.
void limit_queue(rq* r, const RtLimits& l) {
  IrqSpinGuard guard(r->lock);
  const u64 period = static_cast<u64>(l.period_us) * 1000;
  r->rt_bandwidth.period = period;
  r->rt_bandwidth.runtime = l.runtime_us < 0 ? RtBandwidth::kUnlimited : static_cast<u64>(l.runtime_us) * 1000;
  const u64 runtime = l.runtime_us < 0 ? period : r->rt_bandwidth.runtime;
  r->dl.bw.extra_bw = dl::to_ratio(period, runtime);
  r->dl.bw.bw_ratio = dl::to_ratio(runtime, period) >> 12;
}

}  // namespace

int sched_rr_timeslice_ms() { return READ_ONCE(sched_state->rr_slice_ms); }

void set_sched_rr_timeslice_ms(int ms) {
  if (ms <= 0) ms = kDefaultSliceMs;
  const auto slice = static_cast<unsigned>((static_cast<u64>(ms) * HZ + 999) / 1000);
  MutexGuard guard(sched_state->groups_lock);
  if (slice > sched_state->rr_slice_largest) WRITE_ONCE(sched_state->rr_slice_largest, slice);
  WRITE_ONCE(sched_state->rr_slice, slice);
  WRITE_ONCE(sched_state->rr_slice_ms, ms);
}

RtLimits sched_rt_limits() { return {READ_ONCE(sched_state->rt_period_us), READ_ONCE(sched_state->rt_runtime_us)}; }

Result<void> set_sched_rt_limits(RtLimits l) {
  if (!valid(l)) return fail(EINVAL);
  MutexGuard guard(sched_state->groups_lock);  // one change at a time
  TRY(dl_limit_admission(l.runtime_us < 0 ? dl::kNoLimit
                                       : dl::to_ratio(static_cast<u64>(l.period_us), static_cast<u64>(l.runtime_us))));
  unsigned cpu;
  for_each_possible_cpu(cpu) limit_queue(cpu_rq(cpu), l);
  WRITE_ONCE(sched_state->rt_period_us, l.period_us);
  WRITE_ONCE(sched_state->rt_runtime_us, l.runtime_us);
  return {};
}
