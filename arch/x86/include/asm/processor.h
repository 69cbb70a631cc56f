// What a task keeps of the x86 CPU while it does not run.
// SPDX-License-Identifier: Apache-2.0
#ifndef _ASM_X86_PROCESSOR_H
#define _ASM_X86_PROCESSOR_H
#include <linux/types.h>

struct thread_struct {
	unsigned long sp; /* kernel stack pointer; the switch frame of spec 22 section 5.1 lies there */
	unsigned long fsbase, gsbase; /* truth while the matching selector is 0 (spec 22 C-54) */
	unsigned short fsindex, gsindex, ds, es;
	void *debug;     /* debug registers that a tracer has set (task/debug.cc); NULL: none */
	unsigned dr6;    /* of the last #DB in user mode, reserved bits turned over: 0 says nothing happened */
	int fpu_cpu;     /* CPU whose registers may still hold our FPU state; -1: none */
	void *fpu_state; /* XSAVE or FXSAVE image; NULL in kernel threads */
	/* The last exception taken in user mode, as a signal frame reports it (spec 10 B-29). */
	unsigned long trap_nr, error_code, cr2;
};
#define INIT_THREAD { .fpu_cpu = -1 }

/* Stops the program where it is (used by cpu_relax() of the C face). */
static inline void cpu_relax(void) { __asm__ volatile("pause" ::: "memory"); }
#endif
