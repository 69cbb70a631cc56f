// The fair queue of one CPU, or of one group on one CPU: a pure data structure. It is told the time and the entities, and
// answers who runs next and until when; it knows no CPU, interrupt, lock or task. Spec 31 sections 2-6.
// A group's queue hangs below the entity that stands for it on the parent's queue (`owner`); one level is the business of
// this file, walking the levels that of fair.cc.
// The caller serialises all access.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>

#include "kernel/sched/flags.hh"
#include "kernel/sched/weights.hh"
#include "kernel/trace/trace.hh"

// Spec 31 section 3. Times in ns.
struct CfsTunables {
  u64 latency = 6'000'000, min_granularity = 750'000, wakeup_granularity = 1'000'000, idle_min_granularity = 750'000;
  unsigned nr_latency = 8;
  bool child_runs_first = false;

  // F-9: logarithmic scaling by the number of CPUs.
  static constexpr CfsTunables for_cpus(unsigned cpus) {
    unsigned c = cpus < 1 ? 1 : cpus > 8 ? 8 : cpus;
    u64 factor = std::bit_width(c);
    CfsTunables t;
    t.latency *= factor;
    t.min_granularity *= factor;
    t.wakeup_granularity *= factor;
    return t;
  }
};

// What the wake-up preemption rule asks of a task besides its entity (spec 31 section 6.2).
enum class FairKind : unsigned char { Normal, Batch, Idle };

struct task_group;

// What left a queue without its lock, to be taken off its load at the next update (section 7.7).
struct RemovedLoad {
  raw_spinlock_t lock;
  unsigned nr = 0;
  unsigned long load = 0, util = 0, runnable = 0;
};

struct cfs_rq {
  load_weight load{};                  // sum of weights, curr included
  unsigned nr_running = 0;             // entities queued, curr included
  unsigned idle_nr_running = 0;        // of which SCHED_IDLE, or groups that count as such
  unsigned h_nr_running = 0;           // tasks in the subtree, but not those below a throttled queue
  unsigned idle_h_nr_running = 0;      // of which idle, by themselves or by a group above them up to here
  u64 min_vruntime = 0ull - (1 << 20);  // monotonic floor (F-7, F-14)
  rb_root_cached timeline{};           // all but curr, by vruntime, equal ones FIFO
  sched_entity *curr = nullptr, *next = nullptr, *last = nullptr, *skip = nullptr;
  const CfsTunables* tun = nullptr;

  // The hierarchy. A root queue is its own root and has no owner.
  sched_entity* owner = nullptr;
  cfs_rq* root = this;
  task_group* tg = nullptr;            // null: the root group
  unsigned cpu = 0;
  bool idle = false;                   // cpu.idle: the owner counts as a SCHED_IDLE entity

  // Load (section 7): kernel/sched/fair_load.cc.
  sched_avg avg{};
  u64 last_update_time_copy = 0;       // avg.last_update_time for readers without the lock
  RemovedLoad removed;
  unsigned long tg_load_avg_contrib = 0;
  bool propagate = false;              // load came or went below: the owner has to hear of it
  long prop_runnable_sum = 0;
  unsigned long h_load = 0, last_h_load_update = 0;  // jiffies
  list_head leaf_node{&leaf_node, &leaf_node};       // rq::leaf_cfs_rqs, children before parents; empty: not on it

  // Bandwidth (section 9): kernel/sched/bandwidth.cc.
  bool runtime_enabled = false, throttled = false;
  int throttle_count = 0;              // throttled queues from here up
  s64 runtime_remaining = 0;           // ns; below zero: debt
  u64 throttled_clock = 0, throttled_clock_pelt = 0, throttled_clock_pelt_time = 0;
  list_head throttled_node{&throttled_node, &throttled_node};

  u64 checked_min_vruntime = 0ull - (1 << 20);  // by the last self-check (check_fair.cc)

  cfs_rq() { raw_spin_lock_init(&removed.lock); }
  cfs_rq(const cfs_rq&) = delete;

  // ---- Changing the queue -----------------------------------------------------------------------------------------
  // Accounts curr's time up to now; returns what was added to its sum (F-13).
  u64 update_curr(u64 now);
  void enqueue(sched_entity* se, u64 now, int flags);  // ENQUEUE_WAKEUP, ENQUEUE_MIGRATED (section 5.5)
  void dequeue(sched_entity* se, u64 now, int flags);  // DEQUEUE_SLEEP, DEQUEUE_SAVE, DEQUEUE_MOVE
  void set_next(sched_entity* se, u64 now);            // se starts to run
  void put_prev(sched_entity* prev, u64 now);          // prev stops; back into the tree if still queued
  // put_prev and set_next in one: next leaves the tree before prev enters it, so that a tree of one stays one. curr's time
  // is accounted. prev null: the queue had nobody running.
  void switch_curr(sched_entity* prev, sched_entity* next, u64 now);
  void place_new(sched_entity* child, u64 now);        // fork: child's vruntime, relative afterwards (F-18)
  void place_asleep(sched_entity* se, u64 now) { place(se, now, false); }  // F-22: no credit for a sleep that ends elsewhere
  void reweight(sched_entity* se, load_weight w, u64 now);  // F-49
  void yield(u64 now, FairKind kind);                  // F-27
  void clear_buddies(const sched_entity* se);
  void count_tasks(int tasks, int idle_tasks) {
    WRITE_ONCE(h_nr_running, h_nr_running + tasks);  // other CPUs look at it as a hint
    WRITE_ONCE(idle_h_nr_running, idle_h_nr_running + idle_tasks);
  }

  // ---- Answers ----------------------------------------------------------------------------------------------------
  sched_entity* leftmost() const { return entity(timeline.rb_leftmost); }
  sched_entity* pick();                         // F-25; null: nobody. Time is accounted already
  bool tick(u64 now);                           // F-23: true if curr must give way
  bool should_preempt(sched_entity* woken, u64 now, FairKind woken_kind, FairKind curr_kind);  // section 6.2
  u64 slice(sched_entity* se);                  // F-11, ns
  u64 vslice(sched_entity* se) { return calc_delta_fair(slice(se), *se); }
  u64 run_until(u64 now);                       // when curr's slice is over; ~0: it has no rival
  int wakeup_test(const sched_entity* a, sched_entity* b) const;  // F-24

  static bool is_idle(const sched_entity* se) {
    return se->my_q ? se->my_q->idle : se->load.weight == scale_load(kIdleWeight);
  }
  bool is_throttled() const { return READ_ONCE(throttle_count); }  // this one, or one above
  static bool before(const sched_entity* a, const sched_entity* b) {
    return static_cast<s64>(a->vruntime - b->vruntime) < 0;  // F-7: wraps harmlessly
  }
  static sched_entity* entity(rb_node* n) { return n ? container_of(n, sched_entity, run_node) : nullptr; }

 private:
  void update_min_vruntime();
  void place(sched_entity* se, u64 now, bool initial);
  sched_entity* pick_buddy(sched_entity* running, sched_entity* left);
  void insert(sched_entity* se);
  void erase(sched_entity* se);
  void account(sched_entity* se, int sign);
};

inline u64 cfs_rq::update_curr(u64 now) {
  sched_entity* c = curr;
  if (!c) return 0;
  u64 d = now - c->exec_start;
  if (static_cast<s64>(d) <= 0) return 0;
  c->exec_start = now;
  c->sum_exec_runtime += d;
  c->vruntime += calc_delta_fair(d, *c);
  trace_sched_stat_runtime(c, d);
  update_min_vruntime();
  if (runtime_enabled) [[unlikely]]
    runtime_remaining -= static_cast<s64>(d);  // F-53; whoever called looks whether it is spent
  return d;
}

inline void cfs_rq::update_min_vruntime() {
  u64 v = min_vruntime;
  sched_entity* left = leftmost();
  if (curr && curr->on_rq) {
    v = curr->vruntime;
    if (left && static_cast<s64>(left->vruntime - v) < 0) v = left->vruntime;
  } else if (left) {
    v = left->vruntime;
  }
  if (static_cast<s64>(v - min_vruntime) > 0) WRITE_ONCE(min_vruntime, v);
}

// A tree of one node is the common case of a machine that switches to and fro: no balancing, no calls.
inline void cfs_rq::insert(sched_entity* se) {
  rb_node **link = &timeline.rb_root.rb_node, *parent = nullptr;
  if (!*link) {
    rb_link_node(&se->run_node, nullptr, link);
    se->run_node.__rb_parent_color |= 1;  // the root is black
    timeline.rb_leftmost = &se->run_node;
    return;
  }
  bool leftmost_now = true;
  do {
    parent = *link;
    if (before(se, entity(parent))) {
      link = &parent->rb_left;
    } else {
      link = &parent->rb_right;
      leftmost_now = false;
    }
  } while (*link);
  rb_link_node(&se->run_node, parent, link);
  rb_insert_color_cached(&se->run_node, &timeline, leftmost_now);
}

inline void cfs_rq::erase(sched_entity* se) {
  rb_node* n = &se->run_node;
  if (timeline.rb_root.rb_node == n && !n->rb_left && !n->rb_right) {
    timeline.rb_root.rb_node = timeline.rb_leftmost = nullptr;
    return;
  }
  rb_erase_cached(n, &timeline);
}

inline void cfs_rq::account(sched_entity* se, int sign) {
  load_add(load, sign > 0 ? se->load.weight : 0ul - se->load.weight);
  nr_running += sign;
  const bool idle_one = is_idle(se);
  if (idle_one) idle_nr_running += sign;
  if (!se->my_q) count_tasks(sign, idle_one ? sign : 0);
}

// F-15 to F-17.
inline void cfs_rq::place(sched_entity* se, u64 now, bool initial) {
  u64 base = min_vruntime;
  if (initial)
    base += vslice(se);
  else
    base -= (is_idle(se) ? tun->min_granularity : tun->latency) >> 1;
  bool slept_ages = se->exec_start && static_cast<s64>(now - se->exec_start) > static_cast<s64>((1ull << 63) / 1024);
  if (slept_ages || static_cast<s64>(se->vruntime - base) < 0) se->vruntime = base;
}

inline void cfs_rq::enqueue(sched_entity* se, u64 now, int flags) {
  bool renorm = !(flags & ENQUEUE_WAKEUP) || (flags & ENQUEUE_MIGRATED);
  bool running = curr == se;
  if (renorm && running) se->vruntime += min_vruntime;
  update_curr(now);
  if (renorm && !running) se->vruntime += min_vruntime;
  account(se, +1);
  if (flags & ENQUEUE_WAKEUP) place(se, now, false);
  if (flags & ENQUEUE_MIGRATED) se->exec_start = 0;
  if (!running) insert(se);
  se->on_rq = 1;
}

inline void cfs_rq::clear_buddies(const sched_entity* se) {
  if (next == se) next = nullptr;
  if (last == se) last = nullptr;
  if (skip == se) skip = nullptr;
}

inline void cfs_rq::dequeue(sched_entity* se, u64 now, int flags) {
  update_curr(now);
  clear_buddies(se);
  if (se != curr) erase(se);
  se->on_rq = 0;
  account(se, -1);
  if (!(flags & DEQUEUE_SLEEP)) se->vruntime -= min_vruntime;  // F-21: between queues it is relative
  if ((flags & (DEQUEUE_SAVE | DEQUEUE_MOVE)) != DEQUEUE_SAVE) update_min_vruntime();
}

inline void cfs_rq::set_next(sched_entity* se, u64 now) {
  clear_buddies(se);
  if (se->on_rq) erase(se);
  se->exec_start = now;
  se->prev_sum_exec_runtime = se->sum_exec_runtime;
  curr = se;
}

inline void cfs_rq::put_prev(sched_entity* prev, u64 now) {
  if (prev->on_rq) {
    update_curr(now);
    insert(prev);
  }
  curr = nullptr;
}

inline void cfs_rq::switch_curr(sched_entity* prev, sched_entity* se, u64 now) {
  clear_buddies(se);
  erase(se);
  if (prev && prev->on_rq) insert(prev);
  se->exec_start = now;
  se->prev_sum_exec_runtime = se->sum_exec_runtime;
  curr = se;
}

inline int cfs_rq::wakeup_test(const sched_entity* a, sched_entity* b) const {
  s64 v = static_cast<s64>(a->vruntime - b->vruntime);
  if (v <= 0) return -1;
  return v > static_cast<s64>(calc_delta_fair(tun->wakeup_granularity, *b)) ? 1 : 0;
}

inline sched_entity* cfs_rq::pick() {
  sched_entity* running = curr && curr->on_rq ? curr : nullptr;
  sched_entity* left = leftmost();
  if (!left || (running && before(running, left))) left = running;
  // Mostly no buddy has anything to say, or the one that just woke up is leftmost anyway.
  if (skip != left && (next == left || (!next && !last))) [[likely]] return left;
  return pick_buddy(running, left);
}
