// `current`: the task that executes, one load through GS.
// SPDX-License-Identifier: Apache-2.0
#ifndef _ASM_X86_CURRENT_H
#define _ASM_X86_CURRENT_H
struct task_struct;
/* Not volatile: a task sees the same value wherever it runs, so the compiler may keep it over a switch. */
static inline __attribute__((always_inline)) struct task_struct *get_current(void)
{
	struct task_struct *t;
	__asm__("movq %%gs:8, %0" : "=r"(t));
	return t;
}
#ifdef __cplusplus
/* An object rather than a macro: the standard library has members of this name. Use it as a pointer. */
struct cf_current {
	__attribute__((always_inline)) operator struct task_struct *() const { return get_current(); }
	__attribute__((always_inline)) struct task_struct *operator->() const { return get_current(); }
};
static constexpr cf_current current{};
#else
#define current get_current()
#endif
#endif
