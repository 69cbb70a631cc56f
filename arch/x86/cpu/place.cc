// Which CPUs share a core, a cache, a package: the APIC numbers, cut where CPUID says. All CPUs are taken to be alike.
// SPDX-License-Identifier: Apache-2.0
#include <bit>

#include "arch/x86/cpu/cpu.hh"

namespace x86 {
namespace {

struct Shifts {
  unsigned core, cache, package;
};

unsigned bits_for(unsigned n) { return n < 2 ? 0 : static_cast<unsigned>(std::bit_width(n - 1)); }
bool is_amd() { return cpuid(0).ebx == 0x68747541; }

// Threads that share the last-level cache; 0: not told.
unsigned threads_of_cache() {
  u32 leaf = 4;
  if (is_amd()) leaf = cpuid(0x80000000).eax >= 0x8000001d ? 0x8000001d : 0;
  if (!leaf || cpuid(0).eax < 4) return 0;
  unsigned threads = 0, best = 0;
  for (u32 i = 0; i < 16; i++) {
    const u32 eax = cpuid(leaf, i).eax;
    if (!(eax & 0x1f)) break;
    if (const unsigned level = eax >> 5 & 7; level >= best) best = level, threads = (eax >> 14 & 0xfff) + 1;
  }
  return best >= 3 ? threads : 0;
}

Shifts from_leaf_1() {
  const CpuidRegs one = cpuid(1);
  const unsigned threads = one.edx >> 28 & 1 ? one.ebx >> 16 & 0xff : 1;
  unsigned cores = cpuid(0).eax >= 4 ? (cpuid(4).eax >> 26) + 1 : 1;
  if (is_amd()) cores = cpuid(0x80000000).eax >= 0x80000008 ? (cpuid(0x80000008).ecx & 0xff) + 1 : 1;
  const unsigned package = bits_for(threads), of_cores = bits_for(cores);
  return {package > of_cores ? package - of_cores : 0, 0, package};
}

Shifts read_shifts() {
  Shifts s = from_leaf_1();
  if (cpuid(0).eax >= 0xb && cpuid(0xb, 0).ebx) s = {cpuid(0xb, 0).eax & 0x1f, 0, cpuid(0xb, 1).eax & 0x1f};
  const unsigned threads = threads_of_cache();
  s.cache = threads ? bits_for(threads) : s.package;
  if (s.cache > s.package) s.cache = s.package;
  return s;
}

}  // namespace
}  // namespace x86

arch::CpuPlace arch::cpu_place(unsigned cpu) {
  const x86::Shifts s = x86::read_shifts();
  const u32 id = x86::cpus[cpu]->apic_id;
  return {id >> s.package, id >> s.cache, id >> s.core};
}
