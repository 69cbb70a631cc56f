// Copies between kernel and user memory that survive faults (spec 10 B-30). Each returns the bytes not copied.
// SPDX-License-Identifier: Apache-2.0
.macro STAC
771:	.byte	0x0f, 0x1f, 0x00
	.pushsection .smap_patch, "a"
	.quad	771b
	.quad	0xcb010f
	.popsection
.endm
.macro CLAC
771:	.byte	0x0f, 0x1f, 0x00
	.pushsection .smap_patch, "a"
	.quad	771b
	.quad	0xca010f
	.popsection
.endm
.macro EXTABLE fault, fixup
	.pushsection __ex_table, "a"
	.long	\fault - ., \fixup - .
	.popsection
.endm

	.section .text.usercopy, "ax"
// x86_user_copy(dst, src, n): either side may be the user's.
	.balign	16
	.globl	x86_user_copy
	.type	x86_user_copy, @function
x86_user_copy:
	mov	%rdx, %rcx
	shr	$3, %rcx
	and	$7, %edx
	STAC
1:	rep movsq
2:	mov	%edx, %ecx
	test	%edx, %edx
	jz	4f
3:	rep movsb
4:	CLAC
	mov	%rcx, %rax
	ret
5:	lea	(%rdx, %rcx, 8), %rcx	// stopped at a quadword: go on by bytes up to the very end of what can be reached
	jmp	3b
	EXTABLE	1b, 5b
	EXTABLE	3b, 4b
	.size	x86_user_copy, . - x86_user_copy

// x86_user_clear(dst, n)
	.balign	16
	.globl	x86_user_clear
	.type	x86_user_clear, @function
x86_user_clear:
	mov	%rsi, %rcx
	shr	$3, %rcx
	and	$7, %esi
	xor	%eax, %eax
	STAC
1:	rep stosq
	mov	%esi, %ecx
2:	rep stosb
3:	CLAC
	mov	%rcx, %rax
	ret
4:	lea	(%rsi, %rcx, 8), %rcx
	jmp	2b
	EXTABLE	1b, 4b
	EXTABLE	2b, 3b
	.size	x86_user_clear, . - x86_user_clear

// long x86_user_strncpy(char* dst, user src, long max): length without NUL, max, or -EFAULT.
// Eight bytes at a time; a load that faults because it reaches beyond the string's page is retried by bytes.
	.balign	16
	.globl	x86_user_strncpy
	.type	x86_user_strncpy, @function
x86_user_strncpy:
	mov	%rdx, %r11		// max
	mov	$0x0101010101010101, %r8
	mov	%r8, %r9
	shl	$7, %r9
	xor	%eax, %eax		// length so far
	STAC
1:	sub	$8, %rdx
	js	4f
2:	mov	(%rsi, %rax), %rcx
	mov	%rcx, (%rdi, %rax)
	mov	%rcx, %r10
	sub	%r8, %rcx
	not	%r10
	and	%r10, %rcx
	and	%r9, %rcx		// top bit of the first zero byte, and perhaps of later ones
	jnz	3f
	add	$8, %rax
	jmp	1b
3:	bsf	%rcx, %rcx
	shr	$3, %ecx
	add	%rcx, %rax
	CLAC
	ret
4:	cmp	%r11, %rax
	jae	6f
5:	movzbl	(%rsi, %rax), %ecx
	mov	%cl, (%rdi, %rax)
	test	%cl, %cl
	jz	6f
	inc	%rax
	jmp	4b
6:	CLAC
	ret
7:	mov	$-14, %rax
	jmp	6b
	EXTABLE	2b, 4b
	EXTABLE	5b, 7b
	.size	x86_user_strncpy, . - x86_user_strncpy
	.section .note.GNU-stack, "", @progbits
