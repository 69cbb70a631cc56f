// What we take from ACPI: CPUs and interrupt lines (MADT), how to switch off and reset (FADT, \_S5).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/cpumask.h>
#include <linux/types.h>

namespace x86 {

struct Acpi {
  u64 ioapic_phys = 0xfec00000;
  u32 ioapic_gsi_base = 0;
  u32 isa_gsi[16] = {2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};  // default override: IRQ 0 is GSI 2 (B-34)
  u32 isa_flags[16] = {};     // polarity and trigger bits of the redirection entry
  u8 cpu_apic_ids[NR_CPUS];   // as listed, the boot CPU included
  unsigned nr_cpus = 0;       // 0: no MADT
  u16 pm1a_control = 0, pm1b_control = 0;
  u8 s5_a = 0, s5_b = 0;
  bool s5_known = false;
  u16 reset_port = 0;
  u8 reset_value = 0;
};
extern Acpi acpi;

void acpi_read_tables(u64 rsdp);  // early boot, while low memory is mapped; rsdp 0: search

}  // namespace x86
