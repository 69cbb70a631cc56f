// clear_page by 32-byte vectors where rep is slow, copy_page by quadwords.
// SPDX-License-Identifier: Apache-2.0
//
// YMM0 belongs to some task: it is saved here and put back with preemption off, so that no switch can save or load FPU
// state in between. Interrupts may come in; one that clears a page nests.
#define PREEMPT_COUNT %gs:32

	.section .text.page, "ax"
.macro PREEMPT_OFF
	incl	PREEMPT_COUNT
.endm
.macro PREEMPT_ON
	decl	PREEMPT_COUNT
	jz	preempt_and_return
.endm

// void arch::clear_page(void*)
	.balign	16
	.globl	_ZN4arch10clear_pageEPv
	.type	_ZN4arch10clear_pageEPv, @function
_ZN4arch10clear_pageEPv:
	cmpb	$0, x86_use_vectors(%rip)
	je	2f
	PREEMPT_OFF
	sub	$40, %rsp
	vmovdqu	%ymm0, (%rsp)
	vpxor	%xmm0, %xmm0, %xmm0
	mov	$4, %ecx
1:	.set	i, 0
	.rept	32
	vmovdqa	%ymm0, i(%rdi)
	.set	i, i + 32
	.endr
	add	$1024, %rdi
	dec	%ecx
	jnz	1b
	vmovdqu	(%rsp), %ymm0
	add	$40, %rsp
	PREEMPT_ON
	ret
2:	mov	$512, %ecx
	xor	%eax, %eax
	rep stosq
	ret
	.size	_ZN4arch10clear_pageEPv, . - _ZN4arch10clear_pageEPv

// void arch::copy_page(void* dst, const void* src)
// By quadwords: emulators load vectors at several times the cost of a rep step, though they count them as one.
	.balign	16
	.globl	_ZN4arch9copy_pageEPvPKv
	.type	_ZN4arch9copy_pageEPvPKv, @function
_ZN4arch9copy_pageEPvPKv:
	mov	$512, %ecx
	rep movsq
	ret
	.size	_ZN4arch9copy_pageEPvPKv, . - _ZN4arch9copy_pageEPvPKv

preempt_and_return:
	sub	$8, %rsp
	call	preempt_schedule
	add	$8, %rsp
	ret

	.section .note.GNU-stack, "", @progbits
