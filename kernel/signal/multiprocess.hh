// Signals to many processes that arrive while fork is under way: the child must get them too (spec 20 F-53, F-94).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

// In signal_struct::multiprocess of the forking process; siglock.
struct MultiprocessSignals {
  sigset_t signal = {};
  hlist_node node = {};
};

// One fork's collector, from before the first acquisition until publication.
class ForkSignals {
 public:
  explicit ForkSignals(u64 clone_flags);  // links it unless CLONE_THREAD
  ~ForkSignals();
  ForkSignals(const ForkSignals&) = delete;
  bool interrupted() const { return interrupted_; }  // a signal was pending: the fork restarts (S1)
  sigset_t collected() const { return delayed_.signal; }  // siglock
  void unlink();                                          // siglock; publication

 private:
  MultiprocessSignals delayed_;
  bool interrupted_;
};
