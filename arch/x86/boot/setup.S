// The 16-bit half of bzImage: setup header, memory map, A20, protected mode (spec 10 sections 2 and 3).
// SPDX-License-Identifier: Apache-2.0
//
// One section, no relocation: mkbzimage.py takes the bytes of .text as they are and patches the header. Everything is
// addressed relative to DS, whose base is where byte 0 of this file was loaded (B-8).

	.code16
	.section .text, "ax"
setup_start:
#define AT(label) ((label) - setup_start)
#define BOOT_PARAMS 0x3000		/* offset in our segment, 4 KiB; mkbzimage.py checks that the code ends below */
#define HEADER_OFFSET 0x1f1
#define E820_MAX 128

	// Legacy boot sector: says that it is not one.
	push	%cs
	pop	%ds
	mov	$(AT(direct_message)) + 0x7c00, %si
1:	lodsb
	test	%al, %al
	jz	2f
	mov	$0x0e, %ah
	mov	$7, %bx
	int	$0x10
	jmp	1b
2:	hlt
	jmp	2b
direct_message:
	.asciz	"Use a boot loader.\r\n"

	.org	0x1f1
	.byte	0		// setup_sects: patched
	.word	1		// root_flags: read-only
	.long	0		// syssize: patched
	.word	0		// ram_size
	.word	0xffff		// vid_mode: normal
	.word	0		// root_dev
	.word	0xaa55		// boot_flag
	.byte	0xeb, AT(header_end) - 0x202	// jmp start_of_setup
	.ascii	"HdrS"
	.word	0x020f		// protocol 2.15
	.long	0		// realmode_swtch
	.word	0x1000		// start_sys_seg
	.word	AT(kernel_version) - 0x200
	.byte	0		// type_of_loader
loadflags:
	.byte	0x01		// LOADED_HIGH
	.word	0		// setup_move_size
code32_start:
	.long	0x100000
	.long	0, 0		// ramdisk
	.long	0		// bootsect_kludge
heap_end_ptr:
	.word	0
	.byte	0, 0		// ext_loader
	.long	0		// cmd_line_ptr
	.long	0x7fffffff	// initrd_addr_max
	.long	0x200000	// kernel_alignment
	.byte	0		// relocatable_kernel: tables are linked for pref_address
	.byte	0x15		// min_alignment
	.word	0x0001		// xloadflags: KERNEL_64
	.long	2047		// cmdline_size
	.long	0		// hardware_subarch
	.quad	0
	.long	0, 0		// payload: not compressed
	.quad	0		// setup_data
	.quad	0x1000000	// pref_address
	.long	0		// init_size: patched
	.long	0		// handover_offset
	.long	0		// kernel_info_offset
header_end:

start_of_setup:
	// The loader leaves CS = DS + 0x20. Some loaders put the command line at 0x9000 of our segment; the stack stays below.
	cli
	cld
	mov	%ds, %ax
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7ff0, %esp
	push	%ds
	push	$AT(1f)
	lretw			// CS = DS from here, so that labels count from byte 0
1:	cmpl	$0x5a5aaa55, AT(signature)
	mov	$AT(short_load), %si
	jne	die

	// boot_params: zero, then the header (spec 10 section 3 step 2).
	xor	%eax, %eax
	mov	$BOOT_PARAMS, %di
	mov	$1024, %cx
	rep stosl
	mov	$HEADER_OFFSET, %si
	mov	$BOOT_PARAMS + HEADER_OFFSET, %di
	mov	$AT(header_end) - HEADER_OFFSET, %cx
	rep movsb

	// CPU: long mode, and what every such CPU has.
	mov	$AT(no_long_mode), %si
	mov	$0x80000000, %eax
	cpuid
	cmp	$0x80000001, %eax
	jb	die
	mov	$0x80000001, %eax
	cpuid
	bt	$29, %edx
	jnc	die
	mov	$1, %eax
	cpuid
	mov	$0x07008160, %eax	// SSE2 SSE FXSR CMOV CX8 PAE MSR
	and	%eax, %edx
	cmp	%eax, %edx
	jne	die

	sti
	// E820 (B-14: a BIOS without it must not hang us).
	xor	%ebx, %ebx
	mov	$BOOT_PARAMS + 0x2d0, %di
	xor	%bp, %bp
e820_next:
	mov	$0xe820, %eax
	mov	$20, %ecx
	mov	$0x534d4150, %edx
	push	%bp
	push	%di
	int	$0x15
	pop	%di
	pop	%bp
	jc	e820_done
	cmp	$0x534d4150, %eax
	jne	e820_done
	add	$20, %di
	inc	%bp
	cmp	$E820_MAX, %bp
	jae	e820_done
	test	%ebx, %ebx
	jnz	e820_next
e820_done:
	mov	%bp, %ax
	mov	%al, BOOT_PARAMS + 0x1e8
	test	%ax, %ax
	jnz	memory_known
	// E801: AX/CX KiB from 1 to 16 MiB, BX/DX 64 KiB units above.
	xor	%cx, %cx
	xor	%dx, %dx
	mov	$0xe801, %ax
	int	$0x15
	jc	e88
	test	%cx, %cx
	jz	1f
	mov	%cx, %ax
	mov	%dx, %bx
1:	movzwl	%bx, %ebx
	shl	$6, %ebx
	movzwl	%ax, %eax
	add	%ebx, %eax
	jmp	2f
e88:	mov	$0x88, %ah
	int	$0x15
	movzwl	%ax, %eax
2:	mov	%eax, BOOT_PARAMS + 0x1e0
memory_known:

	cli
	mov	$0x80, %al		// mask NMI
	out	%al, $0x70
	call	enable_a20
	xor	%al, %al
	out	%al, $0xf0		// coprocessor reset
	out	%al, $0xf1
	mov	$0xff, %al		// both PICs masked
	out	%al, $0xa1
	out	%al, $0x21

	// Flat protected mode (spec 10 section 2.3).
	xor	%eax, %eax
	mov	%ds, %ax
	shl	$4, %eax
	mov	%eax, %ebx		// linear base of this segment
	add	$AT(gdt), %eax
	mov	%eax, AT(gdt_pointer) + 2
	lidtl	AT(idt_pointer)
	lgdtl	AT(gdt_pointer)
	lea	BOOT_PARAMS(%ebx), %esi
	mov	AT(code32_start), %ecx
	lea	AT(in_pm)(%ebx), %eax
	mov	%eax, AT(pm_jump) + 2
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	jmp	1f
1:
pm_jump:
	.byte	0x66, 0xea		// ljmpl $0x10, $in_pm
	.long	0
	.word	0x10
	.code32
in_pm:
	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%eax, %ss
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%edi, %edi
	jmp	*%ecx
	.code16

// A20: test, BIOS, keyboard controller, port 92; each followed by a test.
enable_a20:
	call	a20_on
	jnz	3f
	mov	$0x2401, %ax
	int	$0x15
	cli
	call	a20_on
	jnz	3f
	call	kbd_wait
	mov	$0xd1, %al
	out	%al, $0x64
	call	kbd_wait
	mov	$0xdf, %al
	out	%al, $0x60
	call	kbd_wait
	call	a20_on
	jnz	3f
	in	$0x92, %al
	or	$2, %al
	and	$0xfe, %al
	out	%al, $0x92
	mov	$0xffff, %cx
2:	call	a20_on
	jnz	3f
	loop	2b
	mov	$AT(no_a20), %si
	jmp	die
3:	ret

kbd_wait:
	mov	$0xffff, %cx
1:	in	$0x64, %al
	test	$2, %al
	loopnz	1b
	ret

// ZF clear if 0:200 and ffff:210 are different memory.
a20_on:
	push	%fs
	push	%gs
	push	%cx
	xor	%ax, %ax
	mov	%ax, %fs
	dec	%ax
	mov	%ax, %gs
	mov	$32, %cx
	mov	%fs:0x200, %ax
	push	%ax
1:	inc	%ax
	mov	%ax, %fs:0x200
	out	%al, $0x80		// delay
	cmp	%gs:0x210, %ax
	loope	1b
	pop	%ax
	mov	%ax, %fs:0x200		// mov keeps the flags of cmp
	pop	%cx
	pop	%gs
	pop	%fs
	ret

// Prints the string at SI on the screen and the first serial port, and stops.
die:
	lodsb
	test	%al, %al
	jz	2f
	mov	$0x3f8, %dx
	out	%al, %dx
	mov	$0x0e, %ah
	mov	$7, %bx
	int	$0x10
	jmp	die
2:	cli
	hlt
	jmp	2b

short_load:
	.asciz	"setup: image loaded incompletely\r\n"
no_long_mode:
	.asciz	"setup: this CPU has no 64-bit mode\r\n"
no_a20:
	.asciz	"setup: A20 cannot be enabled\r\n"
kernel_version:
	.asciz	"6.1.0-cleanfork"

	.balign	8
gdt:
	.quad	0, 0
	.quad	0x00cf9b000000ffff	// 10: flat code
	.quad	0x00cf93000000ffff	// 18: flat data
gdt_pointer:
	.word	31
	.long	0
idt_pointer:
	.word	0
	.long	0
	.balign	4
signature:
	.long	0x5a5aaa55
	.section .note.GNU-stack, "", @progbits
