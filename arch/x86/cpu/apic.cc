// Local APIC: timer, inter-processor interrupts; IOAPIC: the one ISA line we use.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/cpu/apic.hh"

#include <linux/compiler.h>

#include "arch/x86/cpu/tsc.hh"
#include "arch/x86/dev/acpi.hh"
#include "arch/x86/mm/layout.hh"

void timer_interrupt(pt_regs* regs);  // kernel/time

namespace x86 {
namespace {

enum Reg : u32 {
  kId = 0x20, kTpr = 0x80, kEoi = 0xb0, kSvr = 0xf0, kEsr = 0x280, kIcrLow = 0x300, kIcrHigh = 0x310, kLvtTimer = 0x320,
  kLint0 = 0x350, kLint1 = 0x360, kLvtError = 0x370, kInitialCount = 0x380, kCurrentCount = 0x390, kDivide = 0x3e0,
};
constexpr u32 kMasked = 1u << 16, kDeadlineMode = 2u << 17, kIcrPending = 1u << 12;

volatile u32& reg(Reg r) { return *reinterpret_cast<volatile u32*>(kLapicPage + r); }

// Timer counts per nanosecond, 32.32 fixed point.
u64 ticks_per_ns;
constexpr u32 kMaxCount = 0xffffffff;

volatile u32& ioapic(u32 offset) { return *reinterpret_cast<volatile u32*>(kIoapicPage + (acpi.ioapic_phys & 0xfff) + offset); }
u32 ioapic_read(u32 index) {
  ioapic(0) = index;
  return ioapic(0x10);
}
void ioapic_write(u32 index, u32 v) {
  ioapic(0) = index;
  ioapic(0x10) = v;
}

// B-33: remapped so that a spurious interrupt is not taken for an exception, then masked.
void disable_pics() {
  const u8 words[][2] = {{0x20, 0x11}, {0xa0, 0x11}, {0x21, 0x30}, {0xa1, 0x38}, {0x21, 4}, {0xa1, 2},
                         {0x21, 1},    {0xa1, 1},    {0x21, 0xff}, {0xa1, 0xff}};
  for (auto& w : words) {
    outb(w[0], w[1]);
    outb(0x80, 0);
  }
}

void write_icr(u32 target, u32 low) {
  unsigned long flags = arch::irq_save();
  while (reg(kIcrLow) & kIcrPending) arch::cpu_relax();
  reg(kIcrHigh) = target << 24;
  reg(kIcrLow) = low;
  arch::irq_restore(flags);
}

void arm(u64 deadline) {
  if (features.tsc_deadline) {
    wrmsr(kMsrTscDeadline, tsc_of_ns(deadline));
    return;
  }
  u64 now = arch::clock_ns();
  u64 delta = deadline > now ? deadline - now : 1;
  unsigned __int128 count = (static_cast<unsigned __int128>(delta) * ticks_per_ns >> 32) + 1;
  reg(kInitialCount) = count > kMaxCount ? kMaxCount : static_cast<u32>(count);
}

}  // namespace

void apic_map() {
  u64 base = rdmsr(kMsrApicBase) & 0xffffff000;
  early_map(kLapicPage, base, kPtePresent | kPteWrite | kPteNoCache | kPteYoung | kPteDirty | nx_mask);
  early_map(kIoapicPage, acpi.ioapic_phys & ~0xfffull,
            kPtePresent | kPteWrite | kPteNoCache | kPteYoung | kPteDirty | nx_mask);
  disable_pics();
}

void apic_cpu_init() {
  wrmsr(kMsrApicBase, rdmsr(kMsrApicBase) | 1u << 11);
  reg(kTpr) = 0;
  reg(kLint0) = kMasked;
  reg(kLint1) = 4u << 8;  // NMI
  reg(kLvtError) = kVectorError;
  reg(kEsr) = 0;
  reg(kDivide) = 0xb;  // by 1
  reg(kLvtTimer) = kVectorTimer | (features.tsc_deadline ? kDeadlineMode : 0);
  reg(kSvr) = 0x100 | kVectorSpurious;
  this_cpu().apic_id = reg(kId) >> 24;
  this_cpu().timer_deadline = ~0ull;
}

u32 apic_id() { return reg(kId) >> 24; }
void apic_eoi() { reg(kEoi) = 0; }

void apic_timer_calibrate() {
  if (features.tsc_deadline) return;
  reg(kLvtTimer) = kVectorTimer | kMasked;
  reg(kInitialCount) = kMaxCount;
  u64 t0 = arch::clock_ns();
  u32 c0 = reg(kCurrentCount);
  while (arch::clock_ns() - t0 < 2'000'000) arch::cpu_relax();
  u32 c1 = reg(kCurrentCount);
  u64 t1 = arch::clock_ns();
  ticks_per_ns = static_cast<u64>((static_cast<unsigned __int128>(c0 - c1) << 32) / (t1 - t0));
  // Emulated ones count nanoseconds; a rate measured a little too low would make each interrupt come early once.
  constexpr u64 kOne = 1ull << 32;
  if (ticks_per_ns > kOne - (kOne >> 8) && ticks_per_ns < kOne + (kOne >> 8)) ticks_per_ns = kOne;
  reg(kInitialCount) = 0;
  reg(kLvtTimer) = kVectorTimer;
}

void ioapic_init() {
  u32 lines = (ioapic_read(1) >> 16 & 0xff) + 1;
  for (u32 i = 0; i < lines; i++) ioapic_write(0x10 + 2 * i, kMasked);
  u32 pin = acpi.isa_gsi[4] - acpi.ioapic_gsi_base;  // COM1
  if (pin >= lines) return;
  ioapic_write(0x11 + 2 * pin, this_cpu().apic_id << 24);
  ioapic_write(0x10 + 2 * pin, (kVectorIsa + 4) | acpi.isa_flags[4]);
}

void send_vector(unsigned cpu, u8 vector) { write_icr(cpus[cpu]->apic_id, vector); }
void stop_other_cpus() {
  if (cpus[1]) write_icr(0, 0xc0000u | kVectorStop);
}
void send_init(unsigned cpu) {
  write_icr(cpus[cpu]->apic_id, 0xc500);
  write_icr(cpus[cpu]->apic_id, 0x8500);
}
void send_startup(unsigned cpu, u8 page) { write_icr(cpus[cpu]->apic_id, 0x600u | page); }

// The counter may run out before the deadline when that was further away than it can count.
void apic_timer_interrupt(pt_regs* regs) {
  Cpu& cpu = this_cpu();
  if (cpu.timer_deadline == ~0ull) return;
  if (arch::clock_ns() < cpu.timer_deadline) {
    arm(cpu.timer_deadline);
    return;
  }
  cpu.timer_deadline = ~0ull;
  timer_interrupt(regs);
}

}  // namespace x86

namespace arch {
using namespace x86;

void timer_program(u64 deadline_ns) {
  Cpu& cpu = this_cpu();
  cpu.timer_deadline = deadline_ns;
  if (deadline_ns != ~0ull)
    arm(deadline_ns);
  else if (features.tsc_deadline)
    wrmsr(kMsrTscDeadline, 0);
  else
    reg(kInitialCount) = 0;
}

void send_ipi(unsigned cpu, Ipi what) {
  static constexpr u8 kVectors[] = {kVectorReschedule, kVectorCall, kVectorStop, 0xf7};
  send_vector(cpu, kVectors[static_cast<unsigned>(what)]);
}

}  // namespace arch
