// First instructions of the kernel proper: the 32-bit, 64-bit and PVH entries, which converge on x86_start (B-9).
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/entry/offsets.h"
#define BASE 0xffffffff80000000
#define PHYS_START 0x1000000
#define PHYS(x) ((x) - BASE)

	.section .head.text, "ax"
	.code32
	.globl	startup_32
startup_32:
	// payload + 0: ESI = boot_params, flat segments (spec 10 section 2.3). We may be anywhere (B-7); boot_params has
	// a scratch word for the one push we need to find out where.
	cld
	cli
	mov	%esi, %ebx
	lea	0x1e8(%ebx), %esp
	call	1f
1:	pop	%esi
	sub	$(1b - startup_32), %esi
	xor	%ebp, %ebp			// kind: boot_params
	mov	$PHYS_START, %edi
	cmp	%edi, %esi
	je	2f
	mov	$PHYS(bss_start + 3) - PHYS_START, %ecx
	shr	$2, %ecx
	rep movsl
2:	mov	$PHYS(common32), %eax
	jmp	*%eax

	.org	0x200
	.code64
startup_64:
	// payload + 200: long mode, identity mapped, RSI = boot_params (spec 10 section 2.4).
	cld
	cli
	mov	%rsi, %rbx
	lea	startup_32(%rip), %rsi
	mov	$PHYS_START, %edi
	cmp	%rdi, %rsi
	je	1f
	mov	$PHYS(bss_start + 7) - PHYS_START, %ecx
	shr	$3, %ecx
	rep movsq
1:	mov	$PHYS(2f), %eax
	jmp	*%rax
2:	// Down to 32-bit mode without paging, so that there is one way up.
	lgdt	boot_gdt_pointer(%rip)
	ljmpl	*3f(%rip)
	.balign	8
3:	.long	PHYS(4f), 0x08
	.code32
4:	mov	$KERNEL_DS_SEL, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	mov	$0xc0000080, %ecx
	rdmsr
	and	$~0x100, %eax
	wrmsr
	xor	%ebp, %ebp
	jmp	common32

	// PVH: EBX = start info (spec 10 section 2.6). An ELF loader has put us where we are linked.
	.globl	startup_pvh
startup_pvh:
	cld
	cli
	mov	$1, %ebp

	// EBX = loader's data, EBP = its kind. Paging off, at the link address.
common32:
	mov	$PHYS(bss_start), %edi
	mov	$PHYS(bss_end), %ecx
	sub	%edi, %ecx
	shr	$2, %ecx
	xor	%eax, %eax
	rep stosl
	mov	$PHYS(init_stack + 16384), %esp
	lgdt	PHYS(boot_gdt_pointer)
	mov	$KERNEL_DS_SEL, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	lldt	%ax

	// 4 GiB in 2 MiB pages serve as identity map, as direct map and (the first GiB) as image map (B-15).
	mov	$PHYS(boot_pd), %edi
	mov	$0x83, %eax
	mov	$2048, %ecx
1:	mov	%eax, (%edi)
	add	$0x200000, %eax
	add	$8, %edi
	loop	1b
	mov	$PHYS(boot_pd) + 3, %eax
	mov	%eax, PHYS(boot_pdpt_high) + 510 * 8
	mov	$PHYS(boot_pdpt), %edi
	mov	$4, %ecx
1:	mov	%eax, (%edi)
	add	$4096, %eax
	add	$8, %edi
	loop	1b
	movl	$PHYS(boot_pdpt) + 3, PHYS(boot_pml4)
	movl	$PHYS(boot_pdpt) + 3, PHYS(boot_pml4) + 273 * 8
	movl	$PHYS(boot_pdpt_high) + 3, PHYS(boot_pml4) + 511 * 8

	// B-16. NX is switched on later, before the first entry that uses it. CR4 anew: the loader's may be anything.
	mov	$0x20, %eax
	mov	%eax, %cr4
	mov	$PHYS(boot_pml4), %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x100, %eax
	wrmsr
	mov	$0x80050033, %eax		// PG AM WP NE ET MP PE
	mov	%eax, %cr0
	ljmp	$KERNEL_CS_SEL, $PHYS(1f)
	.code64
1:	mov	$2f, %rax
	jmp	*%rax
2:	lgdt	boot_gdt_pointer_high(%rip)
	mov	$init_stack + 16384, %rsp
	mov	%ebx, %edi
	mov	%ebp, %esi
	xor	%ebp, %ebp
	push	%rbp				// end of the frame chain
	call	x86_start
	ud2

	.section .data, "aw"
	.balign	16
boot_gdt:
	.quad	0
	.quad	0x00cf9b000000ffff		// 08: 32-bit code
	.quad	0x00af9b000000ffff		// 10: 64-bit code
	.quad	0x00cf93000000ffff		// 18: data
boot_gdt_pointer:
	.word	31
	.quad	PHYS(boot_gdt)
boot_gdt_pointer_high:
	.word	31
	.quad	boot_gdt

	.section .bss.page_aligned, "aw", @nobits
	.balign	16384
	.globl	boot_pml4
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pdpt_high:
	.skip	4096
	.globl	init_stack_guard
init_stack_guard:			// unmapped in the final tables
	.skip	4096
	.globl	init_stack
init_stack:
	.skip	16384
boot_pd:
	.skip	4 * 4096

	.section .note.Xen, "a", @note
	.balign	4
	.long	4, 8, 18
	.asciz	"Xen"
	.quad	PHYS(startup_pvh)
	.section .note.GNU-stack, "", @progbits
