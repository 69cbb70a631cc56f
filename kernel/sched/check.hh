// Self-checks of the scheduler: every name in INVARIANTS.md is looked after by a require() in check*.cc. Compiled only where the
// machine says so (arch::kSelfChecks: the hosted one); run where the boot parameter sched_check is given, as in all hosted tests.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/sched/rq.hh"

struct LeakReport;

namespace sched_check {

// Where the check is made from. rq lock held in all of them.
enum class When : unsigned char {
  Enter,   // __schedule begins: until its end the CPU's state is in flux
  Switch,  // __schedule has chosen: rq->curr is the next task, which is not on the CPU yet
  Tick, Wake, Change,
};

// A real-time task that waits, and a CPU that does something less urgent meanwhile (RT-passed-over).
struct PassedOver {
  const task_struct* task;
  unsigned cpu;
  u64 switches;  // of that CPU
  u64 since;
};

struct State {
  bool on = false;
  bool exact = false;  // no time passes and no other CPU acts within an update: not so with sched_check=loose (the parallel engine)
  PassedOver passed_over[NR_CPUS] = {};  // what the last check of each CPU saw; its rq lock
};
extern State state;

// The whole catalogue for one CPU. prev: who ran so far (Enter, Switch).
void check_rq(rq* r, When when, task_struct* prev);

void begin();                     // world begins: reads the boot parameter
void end(LeakReport& report);     // what was found is the world's failure
void print_findings();            // for a world that does not come to its end

// ---- For check*.cc ---------------------------------------------------------------------------------------------------
struct Where {
  rq* r;
  When when;
  task_struct* prev;
  bool in_schedule;  // this CPU is within __schedule: somebody else took the rq lock that it dropped
};
// Notes a violation of invariant `name`.
void fail(const rq* r, const char* name, long found, long expected);
inline void require(const Where& w, bool holds, const char* name, long found = 0, long expected = 0) {
  if (!holds) [[unlikely]]
    fail(w.r, name, found, expected);
}
// For what time or another CPU may change between two instructions of this one.
inline void require_if_exact(const Where& w, bool holds, const char* name, long found = 0, long expected = 0) {
  if (state.exact) require(w, holds, name, found, expected);
}
inline void require_equal(const Where& w, const char* name, auto found, auto expected) {
  require(w, static_cast<long>(found) == static_cast<long>(expected), name, static_cast<long>(found), static_cast<long>(expected));
}
void check_fair(const Where& w);
void check_bandwidth(const Where& w, cfs_rq* q);
void check_rt(const Where& w);
void check_dl(const Where& w);
void check_tasks(const Where& w);
// Red-black rules, order by `before`, parent links; returns the number of nodes.
unsigned check_tree(const Where& w, const rb_root_cached& root, bool (*before)(const rb_node*, const rb_node*), const char* order,
                    const char* leftmost, const char* shape);

}  // namespace sched_check

// The hook. A test of one word where checks are compiled, nothing elsewhere.
inline void sched_check_rq(rq* r, sched_check::When when, task_struct* prev = nullptr) {
  if constexpr (arch::kSelfChecks)
    if (READ_ONCE(sched_check::state.on)) [[unlikely]]
      sched_check::check_rq(r, when, prev);
}
