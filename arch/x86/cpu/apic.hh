// Local APIC, IOAPIC and the old PICs (spec 10 section 6.1).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/x86/cpu/cpu.hh"

namespace x86 {

inline constexpr u8 kVectorTlb = 0xfa;

void apic_map();       // early boot: device pages and the PICs' masks
void apic_cpu_init();  // each CPU
void apic_timer_calibrate();  // boot CPU, interrupts off; needs the TSC's rate
void ioapic_init();    // boot CPU: everything masked but the serial port
void apic_eoi();
u32 apic_id();
void send_vector(unsigned cpu, u8 vector);
void stop_other_cpus();  // for good
void send_init(unsigned cpu);
void send_startup(unsigned cpu, u8 page);
void apic_timer_interrupt(pt_regs* regs);

}  // namespace x86
