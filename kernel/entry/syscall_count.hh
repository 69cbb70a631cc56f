// What was asked of the system call table and is not there; for /proc/cleanfork/enosys.
// SPDX-License-Identifier: Apache-2.0
#pragma once

unsigned syscall_table_size();
const char* syscall_name(unsigned nr);  // null: no such number
void syscall_counts_reset();            // at boot
