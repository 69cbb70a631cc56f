// Where each CPU sits: package, cache, core. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/cpumask.h>

#include <string_view>

#include "arch/contract/arch.hh"

// "2x4" or "2x2x4": packages, cores in each, threads in each core (1 if left out). A package has one last-level cache.
struct TopologyText {
  unsigned packages = 0, cores = 0, threads = 1;
  constexpr bool valid() const { return packages && cores && threads; }

  static constexpr TopologyText parse(std::string_view text) {
    unsigned n[3] = {0, 0, 1}, count = 0;
    while (count < 3) {
      const size_t x = text.find('x');
      const std::string_view word = text.substr(0, x);
      unsigned value = 0;
      for (char c : word) {
        if (c < '0' || c > '9') return {};
        value = value * 10 + static_cast<unsigned>(c - '0');
        if (value > NR_CPUS) return {};
      }
      n[count++] = value;
      if (x == text.npos) return count < 2 ? TopologyText{} : TopologyText{n[0], n[1], n[2]};
      text.remove_prefix(x + 1);
    }
    return {};
  }
  // CPUs are numbered thread by thread, core by core; those beyond make up further packages.
  constexpr arch::CpuPlace place(unsigned cpu) const {
    const unsigned package = cpu / (cores * threads);
    return {package, package, cpu / threads};
  }
};

// What level's span `cpu` is in, among `cpus`.
struct CpuPlaces {
  arch::CpuPlace of[NR_CPUS];

  template <class Same>
  unsigned long span(unsigned cpu, unsigned long cpus, Same same) const {
    unsigned long span = 0;
    for (unsigned long left = cpus; left; left &= left - 1) {
      const auto other = static_cast<unsigned>(__builtin_ctzl(left));
      if (same(of[cpu], of[other])) span |= 1ul << other;
    }
    return span;
  }
  unsigned long core(unsigned cpu, unsigned long cpus) const {
    return span(cpu, cpus, [](auto& a, auto& b) { return a.core == b.core && a.package == b.package; });
  }
  unsigned long cache(unsigned cpu, unsigned long cpus) const {
    return span(cpu, cpus, [](auto& a, auto& b) { return a.cache == b.cache; });
  }
  unsigned long package(unsigned cpu, unsigned long cpus) const {
    return span(cpu, cpus, [](auto& a, auto& b) { return a.package == b.package; });
  }
};
