// Reports of what went wrong in the kernel.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/ptrace.h>

namespace x86 {
// Says what happened, dumps registers and stack, and ends the task, or the system if there is no task to blame.
[[noreturn]] void oops(const char* what, pt_regs* regs, unsigned error);
// The same without anything that trusts the stack: always the end.
[[noreturn]] void fatal(const char* what, pt_regs* regs, unsigned error);
}  // namespace x86
