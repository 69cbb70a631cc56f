// The hosted machine's share of task_struct, and the size of a kernel stack there.
// SPDX-License-Identifier: Apache-2.0
#ifndef _ASM_PROCESSOR_H
#define _ASM_PROCESSOR_H
#include <linux/types.h>

/* Sanitizer reports, printf of the host and instrumented frames want more room than the x86 image's 16 KiB. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define THREAD_SIZE 131072
#else
#define THREAD_SIZE 32768
#endif

struct hosted_user; /* arch/hosted/user.cc: the fiber that plays user mode */

/* A context that can be switched to: a stack, where on it, and what the sanitizers know of it. */
struct hosted_fiber {
	unsigned long sp;        /* valid while it does not run */
	unsigned long stack_low; /* 0: not known yet */
	unsigned long stack_size;
	void *fake_stack; /* AddressSanitizer's */
	void *tsan;       /* ThreadSanitizer's */
};

struct thread_struct {
	struct hosted_fiber fiber; /* the kernel side */
	struct hosted_user *user;  /* the user side; NULL until user mode is entered for the first time */
	unsigned long fsbase;
	/* The last exception taken in user mode, as a signal frame reports it (spec 10 B-29). */
	unsigned long trap_nr, error_code, cr2;
};
#define INIT_THREAD {}

CF_C_BEGIN
void hosted_cpu_relax(void);
CF_C_END
static inline void cpu_relax(void) { hosted_cpu_relax(); }
#endif
