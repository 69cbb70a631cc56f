// How fast the TSC runs: what CPUID says, else measured against the PIT.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/cpu/tsc.hh"

#include <linux/compiler.h>

#include "arch/x86/cpu/cpu.hh"

namespace x86 {
namespace {

constexpr u64 kPitHz = 1193182;

u64 tsc_hz, tsc_base;
u64 ns_per_tick, ticks_per_ns;  // 32.32 fixed point

u64 muldiv(u64 a, u64 b, unsigned shift) { return static_cast<u64>(static_cast<unsigned __int128>(a) * b >> shift); }

u64 hz_from_cpuid() {
  if (features.hypervisor && cpuid(0x40000000).eax >= 0x40000010)
    if (u32 khz = cpuid(0x40000010).eax) return u64{khz} * 1000;
  if (cpuid(0).eax >= 0x15) {
    CpuidRegs r = cpuid(0x15);
    if (r.eax && r.ebx && r.ecx) return u64{r.ecx} * r.ebx / r.eax;
  }
  return 0;
}

struct Sample {
  u64 tsc, width;
  u32 count;
};
// Both clocks as near to each other as a few tries give: being preempted by the host in between costs a try, not accuracy.
Sample sample_pit() {
  Sample best{0, ~0ull, 0};
  for (int i = 0; i < 8; i++) {
    u64 before = rdtsc();
    outb(0x43, 0x80);  // latch channel 2
    u32 low = inb(0x42), high = inb(0x42);
    u64 after = rdtsc();
    if (after - before < best.width) best = {before + (after - before) / 2, after - before, high << 8 | low};
  }
  return best;
}

// Channel 2 counts down from 65535, 55 ms; we look at 12 ms of it.
u64 hz_from_pit() {
  outb(0x61, static_cast<u8>((inb(0x61) & ~2) | 1));  // gate on, speaker off
  outb(0x43, 0xb0);                                   // channel 2, both bytes, mode 0
  outb(0x42, 0xff);
  outb(0x42, 0xff);
  u64 t0 = rdtsc();
  while (rdtsc() - t0 < 1000) arch::cpu_relax();
  Sample a = sample_pit(), b = a;
  constexpr u32 kCounts = kPitHz * 12 / 1000;
  // A dead PIT must not hang the boot: the fastest CPU does 10^10 ticks in a second.
  while (a.count - b.count < kCounts && b.tsc - a.tsc < 10'000'000'000) {
    b = sample_pit();
    if (b.count > a.count) return 0;  // wrapped: we were away for 55 ms
  }
  u32 counts = a.count - b.count;
  return counts < kCounts ? 0 : static_cast<u64>(static_cast<unsigned __int128>(b.tsc - a.tsc) * kPitHz / counts);
}

}  // namespace

void tsc_calibrate() {
  tsc_hz = hz_from_cpuid();
  for (int tries = 0; !tsc_hz && tries < 10; tries++) tsc_hz = hz_from_pit();
  if (!tsc_hz) tsc_hz = 1'000'000'000;
  // QEMU's instruction counter ticks at exactly 1 GHz; the PIT's granularity must not make it 1.0001.
  if (tsc_hz > 999'000'000 && tsc_hz < 1'001'000'000) tsc_hz = 1'000'000'000;
  ns_per_tick = static_cast<u64>((static_cast<unsigned __int128>(1'000'000'000) << 32) / tsc_hz);
  ticks_per_ns = static_cast<u64>((static_cast<unsigned __int128>(tsc_hz) << 32) / 1'000'000'000);
  tsc_base = rdtsc();
}

u64 tsc_of_ns(u64 ns) { return tsc_base + muldiv(ns, ticks_per_ns, 32) + 1; }
TscScale tsc_scale() { return {tsc_base, ns_per_tick}; }
u64 tsc_khz() { return tsc_hz / 1000; }

void udelay_early(unsigned us) {
  u64 end = arch::clock_ns() + u64{us} * 1000;
  while (arch::clock_ns() < end) arch::cpu_relax();
}

}  // namespace x86

namespace arch {
u64 clock_ns() { return x86::muldiv(x86::rdtsc() - x86::tsc_base, x86::ns_per_tick, 32); }
}  // namespace arch
