// The switch of stacks: callee-saved registers stay on the old stack, the rest is the caller's business (spec 22 C-33).
// SPDX-License-Identifier: Apache-2.0
	.text
// void hosted_swap(unsigned long *save_sp /* rdi */, unsigned long to_sp /* rsi */)
	.globl	hosted_swap
	.type	hosted_swap, @function
hosted_swap:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	.cfi_adjust_cfa_offset -8
	popq	%r14
	.cfi_adjust_cfa_offset -8
	popq	%r13
	.cfi_adjust_cfa_offset -8
	popq	%r12
	.cfi_adjust_cfa_offset -8
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	hosted_swap, .-hosted_swap

// Where a new fiber arrives: r12 function, r13 its argument. The end of its stack, for those who walk it.
	.globl	hosted_fiber_start
	.type	hosted_fiber_start, @function
hosted_fiber_start:
	.cfi_startproc
	.cfi_undefined rip
	xorl	%ebp, %ebp
	movq	%r13, %rdi
	call	*%r12
	ud2
	.cfi_endproc
	.size	hosted_fiber_start, .-hosted_fiber_start
	.section .note.GNU-stack,"",@progbits
