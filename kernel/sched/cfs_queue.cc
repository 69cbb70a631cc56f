// The fair queue: the operations that are not on the switch path. Spec 31 sections 4-6.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/cfs_queue.hh"

#include <linux/minmax.h>

sched_entity* cfs_rq::pick_buddy(sched_entity* running, sched_entity* left) {
  sched_entity* se = left;
  if (!se) return nullptr;
  if (skip == se) {
    sched_entity* second;
    if (se == running) {
      second = leftmost();
    } else {
      second = entity(rb_next(&se->run_node));
      if (!second || (running && before(running, second))) second = running;
    }
    if (second && wakeup_test(second, left) < 1) se = second;
  }
  if (next && wakeup_test(next, left) < 1)
    se = next;
  else if (last && wakeup_test(last, left) < 1)
    se = last;
  return se;
}

u64 cfs_rq::slice(sched_entity* se) {
  const unsigned n = root->h_nr_running + !se->on_rq;
  u64 s = n <= tun->nr_latency ? tun->latency : n * tun->min_granularity;  // F-10
  cfs_rq* q = this;
  for (sched_entity* e = se; e; e = q->owner, q = e ? e->cfs_rq : nullptr) {
    load_weight total = q->load;
    if (!e->on_rq) load_add(total, e->load.weight);
    s = calc_delta(s, e->load.weight, total);
    if (e->on_rq) q->load.inv_weight = total.inv_weight;  // keep the quotient for the next tick
  }
  bool among_others = is_idle(se) && nr_running > idle_nr_running;
  u64 floor = among_others ? tun->idle_min_granularity : tun->min_granularity;
  return s < floor ? floor : s;
}

void cfs_rq::place_new(sched_entity* child, u64 now) {
  update_curr(now);
  if (curr) child->vruntime = curr->vruntime;
  place(child, now, true);
  if (tun->child_runs_first && curr && before(curr, child)) swap(curr->vruntime, child->vruntime);
  child->vruntime -= min_vruntime;
}

bool cfs_rq::tick(u64 now) {
  update_curr(now);
  if (nr_running < 2) return false;
  u64 ideal = slice(curr);
  u64 ran = curr->sum_exec_runtime - curr->prev_sum_exec_runtime;
  if (ran > ideal) {
    clear_buddies(curr);
    return true;
  }
  if (ran < tun->min_granularity) return false;
  sched_entity* left = leftmost();
  if (!left) return false;
  s64 ahead = static_cast<s64>(curr->vruntime - left->vruntime);
  return ahead >= 0 && ahead > static_cast<s64>(ideal);
}

u64 cfs_rq::run_until(u64 now) {
  if (!curr || nr_running < 2) return ~0ull;
  update_curr(now);
  u64 ideal = slice(curr), ran = curr->sum_exec_runtime - curr->prev_sum_exec_runtime;
  return ran >= ideal ? now : now + (ideal - ran);
}

bool cfs_rq::should_preempt(sched_entity* woken, u64 now, FairKind woken_kind, FairKind curr_kind) {
  if (!curr || woken == curr) return false;
  if (curr_kind == FairKind::Idle && woken_kind != FairKind::Idle) return true;
  if (woken_kind != FairKind::Normal) return false;
  if (is_idle(curr) != is_idle(woken)) return is_idle(curr);
  update_curr(now);
  if (wakeup_test(curr, woken) != 1) return false;
  next = woken;
  // LAST_BUDDY: the preempted one is likely to be cache-warm when the woken one is done.
  if (curr->on_rq && nr_running >= tun->nr_latency && !is_idle(curr)) last = curr;
  return true;
}

void cfs_rq::reweight(sched_entity* se, load_weight w, u64 now) {
  if (!se->on_rq) {
    se->load = w;
    return;
  }
  if (curr == se) update_curr(now);
  account(se, -1);
  se->load = w;
  account(se, +1);
}

void cfs_rq::yield(u64 now, FairKind kind) {
  if (nr_running < 2 || !curr) return;
  clear_buddies(curr);
  if (kind != FairKind::Batch) update_curr(now);
  skip = curr;
}
