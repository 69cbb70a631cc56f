// A scenario: a few threads on chosen CPUs that race for something, and what must be so afterwards. It runs alone in a world of its
// own; from the moment that its threads are all there the explorer decides who goes on.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/sched.h>

#include "arch/contract/arch.hh"

namespace explore {

inline constexpr unsigned kMaxActors = 5;
struct Run;
using Part = void (*)(Run&);

struct Scenario {
  const char* name;
  unsigned cpus;
  const char* about;
  void (*body)(Run&);
};
// In the order of declaration; null: there are no more.
const Scenario* scenario(unsigned i);

struct Actor {
  Run* run;
  Part part;
  unsigned cpu;
  bool waits_for_start;
  task_struct* task;
};

// What a scenario has to work with. Two words and a queue for its own use.
struct Run {
  Actor actors[kMaxActors];
  unsigned n = 0;
  atomic_t left{}, expected{};
  completion done;
  int go = 0;
  bool failed = false;
  const char* what = "";

  int word = 0, word2 = 0;
  atomic_t count{};
  wait_queue_head_t wq;
  completion event;
  void* data = nullptr;

  // A thread that may run on `cpu` only. All such start together, one on each CPU.
  Run& on(unsigned cpu, Part part);
  // A thread that begins before the start and is at its first sleep by then, or not.
  Run& early(unsigned cpu, Part part);
  // Runs them all, returns when they have all ended, or never, which is a finding.
  void go_and_wait();
  void check(bool holds, const char* text);
  task_struct* task(unsigned i) { return actors[i].task; }
};

// Here another CPU may act.
inline void race() { arch::yield_point(arch::PreemptPoint::Atomic); }

}  // namespace explore
