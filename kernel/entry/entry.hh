// The way through the house: one loop per task that both machines share (spec 10 section 12).
//
//   task_entry -> schedule_tail -> [kernel function] -> user_loop:
//     for (;;) { exit_to_user_mode_loop; user_run -> system call | fault | exception | interrupt; handle }
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/contract/arch.hh"
#include "kernel/task/task.hh"

// First C++ code of a new task, on its own stack, interrupts off: prev is who ran before, fn null for a task that
// goes straight to user mode (spec 22 C-60). Called by the machine's switch code.
extern "C" [[noreturn]] void task_entry(task_struct* prev, int (*fn)(void*), void* arg);

[[noreturn]] void user_loop(pt_regs* regs);

// Work before user mode: reschedule, signals, task work; returns with interrupts off and nothing pending (E-22..E-25).
void exit_to_user_mode_loop(pt_regs* regs);

// Runs system call regs->orig_ax and stores the result in regs->ax (E-2, E-7, E-20, E-21).
void do_syscall(pt_regs* regs);
long syscall_enosys_count(unsigned nr);  // how often a number without implementation was asked for (/proc/cleanfork/enosys)

// An exception from user mode becomes a signal (spec 10 section 5.4).
void do_user_exception(pt_regs* regs, unsigned vector, unsigned error);

// A page fault from user mode: maps the page or sends SIGSEGV/SIGBUS. Interrupts on, may sleep.
void do_user_page_fault(pt_regs* regs, unsigned long address, unsigned error);

// The end of every interrupt that hit kernel mode with interrupts enabled: preempts if wanted (E-29). Interrupts off.
void irqentry_exit_to_kernel(pt_regs* regs);

void handle_ipi(arch::Ipi what);  // hard interrupt context
