// PerCpu<T>: one T for each CPU, each on cache lines of its own.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/cpumask.h>

#include "arch/contract/arch.hh"

template <class T>
class PerCpu {
 public:
  constexpr PerCpu() = default;
  // Preemption or interrupts off, or the caller does not mind being moved.
  T& this_cpu() { return slots_[arch::cpu_id()].value; }
  T& on(unsigned cpu) { return slots_[cpu].value; }
  const T& on(unsigned cpu) const { return slots_[cpu].value; }
  // f(T&) for every possible CPU.
  template <class F>
  void for_each(F f) {
    unsigned cpu;
    for_each_possible_cpu(cpu) f(slots_[cpu].value);
  }

 private:
  struct alignas(64) Slot {
    T value{};
  };
  Slot slots_[NR_CPUS]{};
};
