// The vDSO: clocks without a system call. An ELF shared object of one page, written out by hand so that the build needs
// no second link; exec maps it, its data page right below, and passes its address as AT_SYSINFO_EHDR (vdso(7)).
// SPDX-License-Identifier: Apache-2.0
#define AT(label) ((label) - vdso)
// struct VdsoData of vdso.cc
#define DATA(offset) vdso - 4096 + offset
#define SEQ 0
#define NO_CLOCK 4
#define TSC_BASE 8
#define NS_PER_TICK 16
#define WALL_OFFSET 24

	.section .rodata.vdso, "a"
	.balign	4096
	.globl	x86_vdso
x86_vdso:
vdso:
	// ELF header
	.byte	0x7f, 'E', 'L', 'F', 2, 1, 1, 0
	.quad	0
	.short	3, 62			// ET_DYN, x86-64
	.long	1
	.quad	0, AT(phdrs), 0		// no entry point, no sections
	.long	0
	.short	64, 56, 2, 0, 0, 0
phdrs:
	.long	1, 5			// PT_LOAD, R X
	.quad	0, 0, 0, AT(vdso_end), AT(vdso_end), 4096
	.long	2, 4			// PT_DYNAMIC, R
	.quad	AT(dynamic), AT(dynamic), AT(dynamic), AT(dynamic_end) - AT(dynamic), AT(dynamic_end) - AT(dynamic), 8
dynamic:
	.quad	14, soname - strings	// DT_SONAME
	.quad	4, AT(hash)
	.quad	5, AT(strings)
	.quad	6, AT(symbols)
	.quad	10, strings_end - strings
	.quad	11, 24			// DT_SYMENT
	.quad	0x6ffffffc, AT(verdef)
	.quad	0x6ffffffd, 2		// DT_VERDEFNUM
	.quad	0x6ffffff0, AT(versym)
	.quad	0, 0
dynamic_end:

strings:
	.byte	0
soname:
	.asciz	"linux-vdso.so.1"
version_name:
	.asciz	"LINUX_2.6"
name1:	.asciz	"__vdso_clock_gettime"
name2:	.asciz	"__vdso_gettimeofday"
name3:	.asciz	"__vdso_time"
name4:	.asciz	"__vdso_getcpu"
name5:	.asciz	"__vdso_clock_getres"
name6:	.asciz	"clock_gettime"
name7:	.asciz	"gettimeofday"
name8:	.asciz	"time"
name9:	.asciz	"getcpu"
name10:	.asciz	"clock_getres"
strings_end:

	.balign	8
symbols:
	.zero	24
.macro SYMBOL name, code, code_end, binding
	.long	\name - strings
	.byte	(\binding << 4) | 2, 0	// function
	.short	1			// any section: not undefined
	.quad	AT(\code), \code_end - \code
.endm
	SYMBOL	name1, v_clock_gettime, v_clock_gettime_end, 1
	SYMBOL	name2, v_gettimeofday, v_gettimeofday_end, 1
	SYMBOL	name3, v_time, v_time_end, 1
	SYMBOL	name4, v_getcpu, v_getcpu_end, 1
	SYMBOL	name5, v_clock_getres, v_clock_getres_end, 1
	SYMBOL	name6, v_clock_gettime, v_clock_gettime_end, 2
	SYMBOL	name7, v_gettimeofday, v_gettimeofday_end, 2
	SYMBOL	name8, v_time, v_time_end, 2
	SYMBOL	name9, v_getcpu, v_getcpu_end, 2
	SYMBOL	name10, v_clock_getres, v_clock_getres_end, 2

	// One bucket: with ten names a chain is as good as a table.
hash:
	.long	1, 11, 10
	.long	0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
versym:
	.short	0
	.rept	10
	.short	2
	.endr
	.balign	8
verdef:
	.short	1, 1, 1, 1		// version 1: the object itself
	.long	0x0deebfa1, 20, 28
	.long	soname - strings, 0
	.short	1, 0, 2, 1		// version 2: LINUX_2.6
	.long	0x03ae75f6, 20, 0
	.long	version_name - strings, 0

	.balign	16
// int clock_gettime(clockid, timespec*): REALTIME, MONOTONIC, MONOTONIC_RAW, the two coarse ones and BOOTTIME.
v_clock_gettime:
	cmp	$7, %edi
	ja	3f
	mov	$0xf3, %ecx		// bits 0 1 4 5 6 7
	bt	%edi, %ecx
	jnc	3f
	mov	$0x21, %ecx		// of these, 0 and 5 are wall clocks
	xor	%r9d, %r9d
	bt	%edi, %ecx
	jnc	1f
	lea	DATA(WALL_OFFSET)(%rip), %r9
1:	mov	DATA(SEQ)(%rip), %r8d
	test	$1, %r8b
	jnz	2f
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	sub	DATA(TSC_BASE)(%rip), %rax
	mulq	DATA(NS_PER_TICK)(%rip)
	shrd	$32, %rdx, %rax
	test	%r9, %r9
	jz	4f
	add	(%r9), %rax
4:	cmp	%r8d, DATA(SEQ)(%rip)
	jne	1b
	xor	%edx, %edx
	mov	$1000000000, %ecx
	div	%rcx
	mov	%rax, (%rsi)
	mov	%rdx, 8(%rsi)
	xor	%eax, %eax
	ret
2:	cmpl	$0, DATA(NO_CLOCK)(%rip)
	jne	3f
	pause
	jmp	1b
3:	mov	$228, %eax
	syscall
	ret
v_clock_gettime_end:

// int gettimeofday(timeval*, timezone*)
v_gettimeofday:
	test	%rsi, %rsi
	jnz	3f
	test	%rdi, %rdi
	jz	3f
1:	mov	DATA(SEQ)(%rip), %r8d
	test	$1, %r8b
	jnz	2f
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	sub	DATA(TSC_BASE)(%rip), %rax
	mulq	DATA(NS_PER_TICK)(%rip)
	shrd	$32, %rdx, %rax
	add	DATA(WALL_OFFSET)(%rip), %rax
	cmp	%r8d, DATA(SEQ)(%rip)
	jne	1b
	xor	%edx, %edx
	mov	$1000000000, %ecx
	div	%rcx
	mov	%rax, (%rdi)
	mov	%rdx, %rax
	xor	%edx, %edx
	mov	$1000, %ecx
	div	%rcx
	mov	%rax, 8(%rdi)
	xor	%eax, %eax
	ret
2:	cmpl	$0, DATA(NO_CLOCK)(%rip)
	jne	3f
	pause
	jmp	1b
3:	mov	$96, %eax
	syscall
	ret
v_gettimeofday_end:

v_time:
	mov	$201, %eax
	syscall
	ret
v_time_end:

v_clock_getres:
	mov	$229, %eax
	syscall
	ret
v_clock_getres_end:

// int getcpu(unsigned* cpu, unsigned* node, void*): the number is the limit of a segment of each CPU's own (spec 10 5.1)
v_getcpu:
	mov	$0x7b, %eax
	lsl	%eax, %eax
	mov	%eax, %ecx
	and	$0xfff, %eax
	shr	$12, %ecx
	test	%rdi, %rdi
	jz	1f
	mov	%eax, (%rdi)
1:	test	%rsi, %rsi
	jz	2f
	mov	%ecx, (%rsi)
2:	xor	%eax, %eax
	ret
v_getcpu_end:
vdso_end:
	.balign	4096
	.section .note.GNU-stack, "", @progbits
