// The catalogue of failable steps that were visited: each by its stage, what it would acquire, and who asks for it.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/fault_inject.hh"

struct kunit;

class Catalogue {
 public:
  struct Step {
    FaultVisit visit;
    unsigned long times;
    char callers[200];  // innermost first
  };

  Catalogue();
  ~Catalogue();
  Catalogue(const Catalogue&) = delete;

  // To be given to FaultInjection. Chains are followed up to the frame of who calls this.
  FaultObserver observer();  // not inline
  unsigned size() const { return n_; }
  unsigned long visits() const { return visits_; }
  bool visited(const char* stage) const;  // at least one step of this stage
  void print(kunit* test) const;

 private:
  static constexpr unsigned kMax = 1000;
  static void visit(void* self, const FaultVisit& visit);
  void note(const FaultVisit& visit, const unsigned long* frame);
  unsigned step_of(const FaultVisit& visit);

  // Chains of return addresses that were named already, so that each costs the unwinder once. Several may be one step.
  struct Chain {
    u64 key;
    const char* stage;
    unsigned step;
  };
  Step* steps_;
  Chain* chains_;
  unsigned n_ = 0, nr_chains_ = 0;
  unsigned long visits_ = 0, top_ = 0;
};
