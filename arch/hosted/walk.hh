// The walk of a user page table that a processor would do, in software.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/contract/arch.hh"

namespace hosted {

// Translates addr in the current task's address space for an access (arch::kFaultWrite, kFaultFetch, kFaultUser bits) and
// sets the young and dirty bits. Returns the kernel address of the byte, or null with the page-fault error bits in *error.
char* walk(unsigned long addr, unsigned access, unsigned* error);

// The same, letting the kernel resolve faults. Null: it could not, or page faults are disabled.
char* walk_faulting(unsigned long addr, unsigned access);

}  // namespace hosted
