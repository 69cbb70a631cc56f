// The vDSO's pages and their place in every program (vdso(7)). Nothing on a machine without one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

struct LeakReport;

// Maps it into current->mm, at a place of its own choice but `above` (the stack's top) if there is room. May sleep. The
// address of the ELF image, for AT_SYSINFO_EHDR; 0: none.
unsigned long map_vdso(unsigned long above);
// mm's next look at a clock asks which time namespace the reader is in. May sleep.
void vdso_forget_clock(struct mm_struct* mm);
// The wall clock was set. Any context.
void vdso_update_clock();

void vdso_init();
void vdso_exit(LeakReport& r);
