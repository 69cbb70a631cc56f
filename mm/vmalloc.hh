// vmalloc: boot, power-off, and what the C face (linux/vmalloc.h) has no name for.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/vmalloc.h>

#include "init/report.hh"

void vmalloc_init();
void vmalloc_exit(LeakReport& report);
// An area that begins at a multiple of align (a power of two), e.g. a kernel stack. Unmapped pages lie on both sides. May sleep.
void* vmalloc_aligned(unsigned long size, unsigned long align, gfp_t gfp);
unsigned long nr_vmalloc_pages();
