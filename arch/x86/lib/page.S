// clear_page, copy_page and big user copies by 32-byte vectors, else by quadwords.
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
	.balign	16
	.globl	_ZN4arch9copy_pageEPvPKv
	.type	_ZN4arch9copy_pageEPvPKv, @function
_ZN4arch9copy_pageEPvPKv:
	cmpb	$0, x86_use_vectors(%rip)
	je	2f
	PREEMPT_OFF
	sub	$40, %rsp
	vmovdqu	%ymm0, (%rsp)
	mov	$8, %ecx
1:	.set	i, 0
	.rept	16
	vmovdqa	i(%rsi), %ymm0
	vmovdqa	%ymm0, i(%rdi)
	.set	i, i + 32
	.endr
	add	$512, %rsi
	add	$512, %rdi
	dec	%ecx
	jnz	1b
	vmovdqu	(%rsp), %ymm0
	add	$40, %rsp
	PREEMPT_ON
	ret
2:	mov	$512, %ecx
	rep movsq
	ret
	.size	_ZN4arch9copy_pageEPvPKv, . - _ZN4arch9copy_pageEPvPKv

preempt_and_return:
	sub	$8, %rsp
	call	preempt_schedule
	add	$8, %rsp
	ret

// x86_vector_user_copy(dst, src, n): n a multiple of 256, preemption off (so faults are not resolved but end the copy).
// Returns the bytes not copied, a multiple of 256; part of the block that failed may have been written.
	.balign	16
	.globl	x86_vector_user_copy
	.type	x86_vector_user_copy, @function
x86_vector_user_copy:
	sub	$40, %rsp
	vmovdqu	%ymm0, (%rsp)
771:	.byte	0x0f, 0x1f, 0x00	// stac, where there is one
	.pushsection .smap_patch, "a"
	.quad	771b, 0xcb010f
	.popsection
1:	.set	i, 0
	.rept	8
2:	vmovdqu	i(%rsi), %ymm0
3:	vmovdqu	%ymm0, i(%rdi)
	.pushsection __ex_table, "a"
	.long	2b - ., 4f - ., 3b - ., 4f - .
	.popsection
	.set	i, i + 32
	.endr
	add	$256, %rsi
	add	$256, %rdi
	sub	$256, %rdx
	jnz	1b
4:
772:	.byte	0x0f, 0x1f, 0x00	// clac
	.pushsection .smap_patch, "a"
	.quad	772b, 0xca010f
	.popsection
	vmovdqu	(%rsp), %ymm0
	add	$40, %rsp
	mov	%rdx, %rax
	ret
	.size	x86_vector_user_copy, . - x86_vector_user_copy
	.section .note.GNU-stack, "", @progbits
