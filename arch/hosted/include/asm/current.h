// current: the task that runs on this CPU.
// SPDX-License-Identifier: Apache-2.0
#ifndef _ASM_CURRENT_H
#define _ASM_CURRENT_H
#include <linux/types.h>
struct task_struct;
CF_C_BEGIN
/* const: to the code of one task the answer never changes, wherever it is moved. Never inlined: see arch/machine.hh. */
__attribute__((const)) struct task_struct *hosted_current(void);
CF_C_END
static inline struct task_struct *get_current(void) { return hosted_current(); }
#ifdef __cplusplus
/* An object rather than a macro: the standard library has members of this name. Use it as a pointer. */
struct cf_current {
	operator struct task_struct *() const { return hosted_current(); }
	struct task_struct *operator->() const { return hosted_current(); }
};
static constexpr cf_current current{};
#else
#define current get_current()
#endif
#endif
