// Between the files of kernel/ptrace.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/ptrace/ptrace.hh"

Result<void> ptrace_traceme();
Result<void> ptrace_attach(task_struct* t, long request, unsigned long addr, unsigned long options);  // may sleep
Result<void> ptrace_detach(task_struct* t, unsigned long sig);
void ptrace_disable(task_struct* t);  // no single-stepping, no stops at system calls

// Registers of a stopped tracee (regs.cc). 0 or -errno.
long peek_user(task_struct* t, unsigned long offset, unsigned long* value);
long poke_user(task_struct* t, unsigned long offset, unsigned long value);
long get_regs(task_struct* t, unsigned long to);
long set_regs(task_struct* t, unsigned long from);
long get_fp_regs(task_struct* t, unsigned long to);
long set_fp_regs(task_struct* t, unsigned long from);
enum class Direction : unsigned char { Get, Set };
long regset(task_struct* t, unsigned long type, unsigned long uiov, Direction way);
long arch_prctl_of(task_struct* t, unsigned long option, unsigned long arg);
long get_syscall_info(task_struct* t, unsigned long size, unsigned long to);

// siglock. resume: out of its stop too, if it is in one.
void ptrace_signal_wake_up(task_struct* t, bool resume);
