// The CPU masks (spec 10 section 7 row 4).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cpu/cpu.hh"

#include "arch/contract/arch.hh"

unsigned int nr_cpu_ids = 1;
struct cpumask __cpu_possible_mask, __cpu_online_mask, __cpu_active_mask, __cpu_present_mask, __cpu_dying_mask;

void cpu_init() {
  unsigned n = arch::boot_info().nr_cpus;
  nr_cpu_ids = n < 1 ? 1 : n > NR_CPUS ? NR_CPUS : n;
  cpumask_clear(&__cpu_possible_mask);
  for (unsigned cpu = 0; cpu < nr_cpu_ids; cpu++) cpumask_set_cpu(cpu, &__cpu_possible_mask);
  cpumask_copy(&__cpu_present_mask, &__cpu_possible_mask);
  cpumask_clear(&__cpu_online_mask);
  cpumask_clear(&__cpu_active_mask);
  cpumask_clear(&__cpu_dying_mask);
  set_cpu_online(0, true);
}
