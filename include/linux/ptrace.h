// The user registers as saved at the top of the kernel stack (spec 10 section 10.2). Both machines present the x86-64 ABI.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_PTRACE_H
#define _LINUX_PTRACE_H
#include <linux/types.h>
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax; /* system call number as given; (u32)-1: not in a system call */
	unsigned long ip, cs, flags, sp, ss;
};
#define USER_CS 0x33
#define USER_DS 0x2b
#define X86_EFLAGS_TF 0x100
#define X86_EFLAGS_IF 0x200
#define X86_EFLAGS_DF 0x400
#define X86_EFLAGS_RF 0x10000
#define X86_EFLAGS_AC 0x40000
static inline bool user_mode(const struct pt_regs *regs) { return (regs->cs & 3) != 0; }
#endif
