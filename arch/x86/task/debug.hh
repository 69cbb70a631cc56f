// Debug registers of user programs, set by tracers.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/sched.h>

namespace x86 {
void free_debug_registers(task_struct* t);      // t never runs again
void note_debug_exception(unsigned long dr6);   // current, #DB from user mode, interrupts off
}
