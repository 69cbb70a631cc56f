// Exceptions in kernel mode and the fixup table.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/ptrace.h>

namespace x86 {
extern bool boot_done;  // printk may be used
void extable_init();  // early boot: sorts the fixup table
bool is_mapped(unsigned long kernel_address);  // by the kernel's own tables
}
