// The walk of a user page table that a processor would do, in software.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/hosted/parallel.hh"

namespace hosted {

// Translates addr in the current task's address space for an access (arch::kFaultWrite, kFaultFetch, kFaultUser bits) and
// sets the young and dirty bits. Returns the kernel address of the byte, or null with the page-fault error bits in *error.
char* walk(unsigned long addr, unsigned access, unsigned* error);

// A walk of the kernel's own: while it lasts, what it has led to stays mapped (parallel.hh).
class Reach : parallel::Reach {
 public:
  // The same as walk(), letting the kernel resolve faults. Null: it could not, or page faults are disabled.
  char* to(unsigned long addr, unsigned access);
};

}  // namespace hosted
