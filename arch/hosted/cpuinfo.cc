// /proc/cpuinfo of a CPU that is a turn of the engine.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>

#include "arch/contract/arch.hh"

namespace arch {
void show_cpuinfo(unsigned cpu, void (*emit)(void* to, const char* text), void* to) {
  char line[64];
  snprintf(line, sizeof(line), "processor\t: %u\nmodel name\t: hosted\n\n", cpu);
  emit(to, line);
}
}  // namespace arch
