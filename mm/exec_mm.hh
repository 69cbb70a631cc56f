// What exec asks of mm beyond the general calls.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

#include "mm/mm_struct.hh"

// Makes the first stack of current->mm, which has nothing mapped near `top` yet: [top - size, top), grows-down, with the given
// pages as its highest. The pages' references go along if it succeeds. extra_flags: VM_EXEC or 0. ENOMEM.
Result<void> install_exec_stack(unsigned long top, unsigned long size, std::span<page* const> pages, unsigned long extra_flags);

// Where mappings will be placed (spec 41 M-1, M-2); before the first one.
void pick_mmap_layout(mm_struct* mm, unsigned long stack_limit);

// kernel.randomize_va_space: 0 none, 1 all but the heap, 2 all.
int randomize_va_space();
