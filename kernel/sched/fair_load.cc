// Load of fair entities: attach, detach, propagation through groups, group shares. Spec 31 sections 7.4 to 7.7 and 8.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/fair_load.hh"

#include <linux/minmax.h>

#include <utility>

#include "kernel/sync/guards.hh"
#include "kernel/sched/task_group.hh"

namespace {

void note_change_below(cfs_rq* q, long runnable_sum) {
  q->propagate = true;
  q->prop_runnable_sum += runnable_sum;
}

// a += now - before, for a queue's average and its sum; the sum keeps step with the average.
void shift_average(unsigned long& avg, auto& sum, long avg_change, s64 sum_change) {
  pelt::publish(avg, static_cast<unsigned long>(max(0l, static_cast<long>(avg) + avg_change)));
  const s64 least = static_cast<s64>(avg * pelt::kMinDivider);
  sum = static_cast<std::remove_reference_t<decltype(sum)>>(max(static_cast<s64>(sum) + sum_change, least));
}

void propagate_util(cfs_rq* q, sched_entity* se, u64 divider) {
  const long change = static_cast<long>(se->my_q->avg.util_avg) - static_cast<long>(se->avg.util_avg);
  if (!change) return;
  const s64 before = se->avg.util_sum;
  pelt::publish(se->avg.util_avg, se->my_q->avg.util_avg);
  se->avg.util_sum = static_cast<u32>(se->avg.util_avg * divider);
  shift_average(q->avg.util_avg, q->avg.util_sum, change, se->avg.util_sum - before);
}

void propagate_runnable(cfs_rq* q, sched_entity* se, u64 divider) {
  const long change = static_cast<long>(se->my_q->avg.runnable_avg) - static_cast<long>(se->avg.runnable_avg);
  if (!change) return;
  const s64 before = static_cast<s64>(se->avg.runnable_sum);
  pelt::publish(se->avg.runnable_avg, se->my_q->avg.runnable_avg);
  se->avg.runnable_sum = se->avg.runnable_avg * divider;
  shift_average(q->avg.runnable_avg, q->avg.runnable_sum, change, static_cast<s64>(se->avg.runnable_sum) - before);
}

// Section 7.5: how long the group was runnable is not the sum over its tasks; R says what came or went.
u64 propagated_load_sum(const sched_entity* se, long r, u64 divider) {
  const cfs_rq* below = se->my_q;
  u64 sum;
  if (r >= 0) {
    sum = min(static_cast<u64>(r) + se->avg.load_sum, divider);
  } else {
    const unsigned long w = scale_load_down(below->load.weight);
    sum = min(se->avg.load_sum, w ? below->avg.load_sum / w : 0);
  }
  return max(sum, u64{se->avg.util_sum} >> 10);
}

void propagate_load(cfs_rq* q, sched_entity* se, u64 divider) {
  const long r = std::exchange(se->my_q->prop_runnable_sum, 0);
  if (!r) return;
  const u64 w = scale_load_down(se->load.weight);
  const u64 before_sum = w * se->avg.load_sum;
  const unsigned long before = se->avg.load_avg;
  se->avg.load_sum = propagated_load_sum(se, r, divider);
  pelt::publish(se->avg.load_avg, static_cast<unsigned long>(w * se->avg.load_sum / divider));
  shift_average(q->avg.load_avg, q->avg.load_sum, static_cast<long>(se->avg.load_avg) - static_cast<long>(before),
                static_cast<s64>(w * se->avg.load_sum) - static_cast<s64>(before_sum));
}

// What came into or left the queue below is heard of one level up. True: there was something.
bool propagate_entity_load_avg(cfs_rq* q, sched_entity* se) {
  cfs_rq* below = se->my_q;
  if (!below || !below->propagate) return false;
  below->propagate = false;
  note_change_below(q, below->prop_runnable_sum);
  const u64 divider = pelt::divider(q->avg);
  propagate_util(q, se, divider);
  propagate_runnable(q, se, divider);
  propagate_load(q, se, divider);
  return true;
}

}  // namespace

void take_off_removed(cfs_rq* q) {
  RemovedLoad& r = q->removed;
  unsigned long load, util, runnable;
  {
    SpinGuard guard(r.lock);
    load = std::exchange(r.load, 0);
    util = std::exchange(r.util, 0);
    runnable = std::exchange(r.runnable, 0);
    WRITE_ONCE(r.nr, 0u);
  }
  pelt::remove(q->avg, load, util, runnable);
  q->propagate = true;
  q->prop_runnable_sum -= static_cast<long>(runnable * pelt::divider(q->avg)) >> 10;
}

void update_load_avg_slow(cfs_rq* q, sched_entity* se, int flags, bool changed) {
  changed |= propagate_entity_load_avg(q, se);
  if (!se->avg.last_update_time && (flags & DO_ATTACH)) {
    attach_entity_load_avg(q, se);
    update_tg_load_avg(q);
  } else if (flags & DO_DETACH) {
    detach_entity_load_avg(q, se);
    update_tg_load_avg(q);
  } else if (changed && (flags & UPDATE_TG)) {
    update_tg_load_avg(q);
  }
}

void update_tg_load_avg(cfs_rq* q) {
  if (!q->tg) return;  // nobody asks for the root group's
  const long change = static_cast<long>(q->avg.load_avg) - static_cast<long>(q->tg_load_avg_contrib);
  const unsigned long least = q->tg_load_avg_contrib / 64;
  if (static_cast<unsigned long>(change < 0 ? -change : change) <= least) return;
  atomic_long_add(change, &q->tg->load_avg);
  q->tg_load_avg_contrib = q->avg.load_avg;
}

void attach_entity_load_avg(cfs_rq* q, sched_entity* se) {
  pelt::attach(q->avg, se->avg, se->load.weight);
  note_change_below(q, static_cast<long>(se->avg.load_sum));
}

void detach_entity_load_avg(cfs_rq* q, sched_entity* se) {
  pelt::detach(q->avg, se->avg, se->load.weight);
  note_change_below(q, -static_cast<long>(se->avg.load_sum));
}

void remove_entity_load_avg(sched_entity* se) {
  cfs_rq* q = se->cfs_rq;
  // Up to the queue's last update, as if asleep since: the rest is aged with what is removed.
  if (se->avg.last_update_time)
    pelt::update_entity(se->avg, READ_ONCE(q->last_update_time_copy), se->load.weight, false, 0, false);
  IrqSpinGuard guard(q->removed.lock);
  RemovedLoad& r = q->removed;
  WRITE_ONCE(r.nr, r.nr + 1);
  r.load += se->avg.load_avg;
  r.util += se->avg.util_avg;
  r.runnable += se->avg.runnable_avg;
}

void init_entity_load(sched_entity* se) {
  se->avg = {};
  if (!se->my_q) pelt::publish(se->avg.load_avg, scale_load_down(se->load.weight));
}

void post_init_entity_util_avg(cfs_rq* q, sched_entity* se) {
  pelt::publish(se->avg.util_avg, pelt::new_task_util(q->avg, se->load.weight));
  pelt::publish(se->avg.runnable_avg, se->avg.util_avg);
}

// ---- Weights of groups --------------------------------------------------------------------------------------------

// F-48. q: the group's queue on this CPU.
static unsigned long calc_group_shares(cfs_rq* q) {
  const unsigned long shares = READ_ONCE(q->tg->shares);
  const unsigned long load = max(scale_load_down(q->load.weight), q->avg.load_avg);
  const long whole = atomic_long_read(&q->tg->load_avg) - static_cast<long>(q->tg_load_avg_contrib) + static_cast<long>(load);
  unsigned long mine = shares * load;
  if (whole > 0) mine /= static_cast<unsigned long>(whole);
  return clamp(mine, 2ul, shares);
}

void __update_cfs_group(sched_entity* se, u64 now) {
  if (se->my_q->is_throttled()) return;
  const unsigned long w = se->my_q->idle ? scale_load(kIdleWeight) : calc_group_shares(se->my_q);
  if (w != se->load.weight) reweight_entity(se->cfs_rq, se, {w, 0}, now);
}

void reweight_entity(cfs_rq* q, sched_entity* se, load_weight w, u64 now) {
  const u64 divider = pelt::divider(se->avg);
  const u64 old_sum = scale_load_down(se->load.weight) * se->avg.load_sum;
  pelt::sub_positive(q->avg.load_avg, se->avg.load_avg);
  pelt::sub_positive(q->avg.load_sum, old_sum);
  q->avg.load_sum = max(q->avg.load_sum, q->avg.load_avg * pelt::kMinDivider);
  q->reweight(se, w, now);
  pelt::publish(se->avg.load_avg, static_cast<unsigned long>(scale_load_down(w.weight) * se->avg.load_sum / divider));
  pelt::publish(q->avg.load_avg, q->avg.load_avg + se->avg.load_avg);
  q->avg.load_sum += scale_load_down(w.weight) * se->avg.load_sum;
}
