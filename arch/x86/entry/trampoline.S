// Where a started CPU begins: real mode, at physical TRAMPOLINE, on its way to x86_secondary_start (spec 10 section 6.3).
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/entry/offsets.h"
#define AT(label) ((label) - x86_trampoline + TRAMPOLINE)
#define HERE(label) ((label) - x86_trampoline)

	.section .rodata, "a"
	.balign	16
	.globl	x86_trampoline
x86_trampoline:
	.code16
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	HERE(gdt_pointer)
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$0x08, $AT(1f)
	.code32
1:	mov	$KERNEL_DS_SEL, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	$0x20, %eax
	mov	%eax, %cr4
	mov	AT(trampoline_cr3), %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx
	rdmsr
	or	AT(trampoline_efer), %eax
	wrmsr
	mov	$0x80050033, %eax
	mov	%eax, %cr0
	ljmp	$KERNEL_CS_SEL, $AT(1f)
	.code64
1:	mov	AT(trampoline_stack), %rsp
	mov	AT(trampoline_cpu), %rdi
	mov	AT(trampoline_entry), %rax
	xor	%ebp, %ebp
	push	%rbp
	jmp	*%rax

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
gdt_pointer:
	.word	31
	.long	AT(gdt)
	// struct TrampolineData in cpu/smp.cc
	.balign	8
	.globl	x86_trampoline_data
x86_trampoline_data:
trampoline_cr3:
	.quad	0
trampoline_efer:
	.quad	0
trampoline_stack:
	.quad	0
trampoline_cpu:
	.quad	0
trampoline_entry:
	.quad	0
	.globl	x86_trampoline_end
x86_trampoline_end:
	.section .note.GNU-stack, "", @progbits
