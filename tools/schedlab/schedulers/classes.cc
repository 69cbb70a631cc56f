// Puts the historical schedulers in the fair class's place, as the workload asks.
// SPDX-License-Identifier: Apache-2.0
#include <new>

#include "tools/schedlab/lab_api.hh"
#include "tools/schedlab/schedulers/mlfq.hh"
#include "tools/schedlab/schedulers/o1.hh"

namespace {

using O1 = LabClass<o1::Queue>;
using Refined = LabClass<mlfq::Queue<mlfq::Variant::Refined>>;
using Basic = LabClass<mlfq::Queue<mlfq::Variant::Basic>>;

template <class L>
struct Storage {
  alignas(64) static inline unsigned char bytes[sizeof(typename L::State)];
};

// Anew in each world.
template <class L>
void renew() {
  L::state = ::new (static_cast<void*>(Storage<L>::bytes)) typename L::State;
}

constexpr sched_class kO1 = O1::make(), kRefined = Refined::make(), kBasic = Basic::make();

}  // namespace

template <>
const sched_class* O1::cls() { return &kO1; }
template <>
const sched_class* Refined::cls() { return &kRefined; }
template <>
const sched_class* Basic::cls() { return &kBasic; }

// Called by the kernel instead of taking the fair class (kernel/sched/rq.hh).
const sched_class* stand_in_for_fair() {
  switch (lab_workload->scheduler) {
    case LabScheduler::O1: return &kO1;
    case LabScheduler::Mlfq: return &kRefined;
    case LabScheduler::MlfqBasic: return &kBasic;
    case LabScheduler::Cfs: break;
  }
  return &fair_sched_class;
}

extern "C" void lab_renew_schedulers() {
  renew<O1>();
  renew<Refined>();
  renew<Basic>();
  for (auto& q : O1::state->queues) q.cpus = 1;
}
