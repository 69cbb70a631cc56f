// memcpy, memmove, memset, memcmp, memchr, strlen. Quadwords: an emulator counts every step of a rep.
// SPDX-License-Identifier: Apache-2.0
	.text
.macro FUNC name
	.section .text.\name, "ax"
	.balign	16
	.globl	\name
	.type	\name, @function
\name:
.endm
.macro END name
	.size	\name, . - \name
.endm

FUNC memcpy
	mov	%rdi, %rax
	cmp	$16, %rdx
	jb	2f
	cmp	$32, %rdx
	ja	1f
	mov	(%rsi), %rcx
	mov	8(%rsi), %r8
	mov	-16(%rsi, %rdx), %r9
	mov	-8(%rsi, %rdx), %r10
	mov	%rcx, (%rdi)
	mov	%r8, 8(%rdi)
	mov	%r9, -16(%rdi, %rdx)
	mov	%r10, -8(%rdi, %rdx)
	ret
1:	mov	-8(%rsi, %rdx), %r8	// the last 8 bytes overlap what the loop copies
	lea	-8(%rdi, %rdx), %r9
	lea	-1(%rdx), %rcx
	shr	$3, %rcx
	rep movsq
	mov	%r8, (%r9)
	ret
2:	cmp	$8, %edx
	jb	3f
	mov	(%rsi), %rcx
	mov	-8(%rsi, %rdx), %r8
	mov	%rcx, (%rdi)
	mov	%r8, -8(%rdi, %rdx)
	ret
3:	cmp	$4, %edx
	jb	4f
	mov	(%rsi), %ecx
	mov	-4(%rsi, %rdx), %r8d
	mov	%ecx, (%rdi)
	mov	%r8d, -4(%rdi, %rdx)
	ret
4:	test	%edx, %edx
	jz	5f
	movzbl	(%rsi), %ecx
	movzbl	-1(%rsi, %rdx), %r8d
	lea	-1(%rdi, %rdx), %r10
	shr	$1, %edx
	movzbl	(%rsi, %rdx), %r9d
	mov	%r9b, (%rdi, %rdx)
	mov	%cl, (%rdi)
	mov	%r8b, (%r10)
5:	ret
END memcpy

FUNC memmove
	cmp	$32, %rdx
	jbe	memcpy			// loads all before it stores
	mov	%rdi, %rcx
	sub	%rsi, %rcx
	cmp	%rdx, %rcx
	jae	memcpy			// forwards is right: no overlap, or the destination is lower
	mov	%rdi, %rax
	mov	(%rsi), %r8		// the first 8 bytes overlap what the loop copies
	mov	%rdi, %r9
	lea	-8(%rsi, %rdx), %rsi
	lea	-8(%rdi, %rdx), %rdi
	lea	-1(%rdx), %rcx
	shr	$3, %rcx
	std
	rep movsq
	cld
	mov	%r8, (%r9)
	ret
END memmove

FUNC memset
	mov	%rdi, %r8
	movzbl	%sil, %eax
	mov	$0x0101010101010101, %rcx
	imul	%rcx, %rax
	cmp	$16, %rdx
	jb	1f
	mov	%rax, -8(%rdi, %rdx)
	lea	-1(%rdx), %rcx
	shr	$3, %rcx
	rep stosq
	mov	%r8, %rax
	ret
1:	cmp	$8, %edx
	jb	2f
	mov	%rax, (%rdi)
	mov	%rax, -8(%rdi, %rdx)
	mov	%r8, %rax
	ret
2:	cmp	$4, %edx
	jb	3f
	mov	%eax, (%rdi)
	mov	%eax, -4(%rdi, %rdx)
	mov	%r8, %rax
	ret
3:	test	%edx, %edx
	jz	4f
	mov	%al, (%rdi)
	mov	%al, -1(%rdi, %rdx)
	shr	$1, %edx
	mov	%al, (%rdi, %rdx)
4:	mov	%r8, %rax
	ret
END memset

FUNC memcmp
	cmp	$8, %rdx
	jb	2f
1:	mov	(%rdi), %rax
	mov	(%rsi), %rcx
	cmp	%rcx, %rax
	jne	4f
	add	$8, %rdi
	add	$8, %rsi
	sub	$8, %rdx
	cmp	$8, %rdx
	jae	1b
2:	test	%rdx, %rdx
	jz	3f
	movzbl	(%rdi), %eax
	movzbl	(%rsi), %ecx
	inc	%rdi
	inc	%rsi
	dec	%rdx
	sub	%ecx, %eax
	jz	2b
	ret
3:	xor	%eax, %eax
	ret
4:	bswap	%rax			// the first differing byte decides
	bswap	%rcx
	cmp	%rcx, %rax
	sbb	%eax, %eax
	or	$1, %eax
	ret
END memcmp

FUNC strlen
	mov	%rdi, %rax
1:	cmpb	$0, (%rax)
	je	2f
	inc	%rax
	jmp	1b
2:	sub	%rdi, %rax
	ret
END strlen

FUNC memchr
	lea	(%rdi, %rdx), %rdx
1:	cmp	%rdx, %rdi
	je	2f
	cmp	%sil, (%rdi)
	je	3f
	inc	%rdi
	jmp	1b
2:	xor	%edi, %edi
3:	mov	%rdi, %rax
	ret
END memchr

	.section .note.GNU-stack, "", @progbits
