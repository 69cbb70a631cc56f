// Into the kernel and out of it: system calls, exceptions, interrupts, user_run, the stack switch.
// SPDX-License-Identifier: Apache-2.0
//
// User mode is entered by x86_user_run(regs), a call. It leaves its stack pointer in the CPU block; whatever brings the
// CPU back from ring 3 saves the user's registers in pt_regs at the top of the task's stack, takes up that stack pointer
// and returns from the call with the reason in RAX:RDX (struct UserExit). Interrupts are off all the while.
#include "arch/x86/entry/offsets.h"

// clac, if the CPU has SMAP: three bytes of no-op that cpu.cc replaces.
.macro CLAC
771:	.byte	0x0f, 0x1f, 0x00
	.pushsection .smap_patch, "a"
	.quad	771b
	.quad	0xca010f
	.popsection
.endm

.macro PUSH_REGS_AFTER_DI ax=%rax
	push	%rsi
	push	%rdx
	push	%rcx
	push	\ax
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
.endm

.macro POP_REGS
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
.endm

	.section .entry.text, "ax"

// ---- User mode as a call ----------------------------------------------------------------------------------------
// RDI = pt_regs at the stack top, interrupts off. Clobbers every register but RSP and RBP.
	.globl	x86_user_run
	.type	x86_user_run, @function
	.balign	16
x86_user_run:
	push	%rbp
	mov	%rsp, %gs:CPU_LOOP_SP
	mov	%gs:CPU_CURRENT, %rax
	cmp	%rax, %gs:CPU_FPU_OWNER		// whose FPU state is in the registers (spec 22 C-45)
	jne	load_fpu
1:	mov	%rdi, %rsp
	// SYSRET only if it gives exactly what IRET would (E-9).
	mov	PT_CX(%rsp), %rcx
	cmp	%rcx, PT_IP(%rsp)
	jne	user_iret
	mov	PT_R11(%rsp), %r11
	cmp	%r11, PT_FLAGS(%rsp)
	jne	user_iret
	test	$0x10100, %r11d			// RF, TF
	jne	user_iret
	shr	$47, %rcx			// no user address is higher, so canonical
	jne	user_iret
	cmpq	$0x33, PT_CS(%rsp)
	jne	user_iret
	cmpq	$0x2b, PT_SS(%rsp)
	jne	user_iret
	POP_REGS				// RCX and R11 become ip and flags
	mov	PT_SP - PT_ORIG_AX(%rsp), %rsp
	swapgs
	sysretq
user_iret:
	POP_REGS
	add	$8, %rsp
	swapgs
	.globl	x86_user_iret_insn
x86_user_iret_insn:
	iretq
load_fpu:
	push	%rdi
	call	x86_fpu_load_current
	pop	%rdi
	jmp	1b
	.size	x86_user_run, . - x86_user_run

// SYSCALL (E-1, spec 10 section 10.3). UserExit{Syscall} is all zero.
	.globl	x86_syscall_entry
	.type	x86_syscall_entry, @function
	.balign	16
x86_syscall_entry:
	swapgs
	mov	%rsp, %gs:CPU_USER_SP
	mov	%gs:CPU_STACK_TOP, %rsp
	push	$0x2b
	push	%gs:CPU_USER_SP
	push	%r11
	push	$0x33
	push	%rcx
	push	%rax
	push	%rdi
	PUSH_REGS_AFTER_DI $-38			// ENOSYS until somebody knows better (E-7)
	xor	%eax, %eax
	mov	%gs:CPU_LOOP_SP, %rsp
	pop	%rbp
	ret
	.size	x86_syscall_entry, . - x86_syscall_entry

// SYSCALL from 32-bit code: no such table here (E-16). RCX and R11 hold what SYSRETL needs.
	.globl	x86_syscall32_entry
x86_syscall32_entry:
	mov	$-38, %eax
	sysretl

// ---- Exceptions and interrupts -----------------------------------------------------------------------------------
// Every stub leaves: error code in the orig_ax slot, user's RDI pushed, EDI = vector.
	.balign	16
common_entry:
	cld
	CLAC
	PUSH_REGS_AFTER_DI
	testb	$3, PT_CS(%rsp)
	jz	kernel_entry
	swapgs
from_user:
	mov	%rsp, %rsi
	mov	PT_ORIG_AX(%rsp), %rax
	movq	$-1, PT_ORIG_AX(%rsp)		// E-5
	mov	%gs:CPU_LOOP_SP, %rsp
	cmp	$0x0e, %edi
	jne	2f
	shl	$32, %rax
	mov	%cr2, %rdx
	add	$(EXIT_FAULT | 0x0e00), %rax
	pop	%rbp
	ret
2:	cmp	$0x20, %edi
	jae	1f
	push	%rdi
	push	%rdi
	mov	%eax, %esi
	call	x86_exception_status		// (vector, error): some vectors have their error code in registers
	pop	%rdi
	pop	%rdi
	shl	$32, %rax
	shl	$8, %edi
	lea	EXIT_EXCEPTION(%rax, %rdi), %rax
	xor	%edx, %edx
	pop	%rbp
	ret
1:	call	x86_handle_irq			// (vector, regs), on the loop's stack
	mov	$EXIT_INTERRUPT, %eax
	xor	%edx, %edx
	pop	%rbp
	ret

kernel_entry:
	mov	%rsp, %rsi
	mov	PT_ORIG_AX(%rsp), %rdx
	movq	$-1, PT_ORIG_AX(%rsp)
	push	PT_IP(%rsp)			// a frame, so that stack dumps walk on into what was interrupted
	push	%rbp
	mov	%rsp, %rbp
	and	$~15, %rsp
	cmp	$0x20, %edi
	jae	1f
	call	x86_kernel_exception		// (vector, regs, error)
	jmp	2f
1:	call	x86_kernel_irq			// (vector, regs)
2:	lea	16(%rbp), %rsp
	POP_REGS
	add	$8, %rsp
	iretq

// #NP, #SS, #GP: also what a bad IRET frame gives, with the user's GS and registers in place already (E-11). The frame
// that IRET refused is still at the stack top; rebuild pt_regs around it and report the fault as the user's.
	.balign	16
fault_of_iret_entry:
	cmpq	$x86_user_iret_insn, 16(%rsp)
	jne	common_entry
	cld
	CLAC
	swapgs
	push	%rax
	mov	16(%rsp), %eax			// error code
	mov	%eax, %gs:CPU_USER_SP
	mov	%edi, %gs:CPU_USER_SP + 4
	pop	%rax
	pop	%rdi
	mov	%gs:CPU_STACK_TOP, %rsp
	sub	$40, %rsp
	pushq	$0
	push	%rdi
	PUSH_REGS_AFTER_DI
	mov	%gs:CPU_USER_SP, %eax
	mov	%rax, PT_ORIG_AX(%rsp)
	mov	%gs:CPU_USER_SP + 4, %edi
	jmp	from_user

// NMI, #DF, #MC, #DB: own stacks; GS may be anybody's when they hit the kernel (E-8, B-59).
	.balign	16
paranoid_entry:
	cld
	CLAC
	PUSH_REGS_AFTER_DI
	testb	$3, PT_CS(%rsp)
	jnz	paranoid_from_user
	mov	$0xc0000101, %ecx
	rdmsr
	xor	%ebx, %ebx
	test	%edx, %edx
	js	1f				// a kernel address: ours, as users cannot set one (FSGSBASE is off)
	swapgs
	inc	%ebx
1:	mov	%rsp, %rsi
	mov	PT_ORIG_AX(%rsp), %rdx
	movq	$-1, PT_ORIG_AX(%rsp)
	mov	%rsp, %r12
	and	$~15, %rsp
	call	x86_paranoid_exception		// (vector, regs, error)
	mov	%r12, %rsp
	test	%ebx, %ebx
	jz	2f
	swapgs
2:	POP_REGS
	add	$8, %rsp
	iretq
paranoid_from_user:
	swapgs
	cmp	$1, %edi
	jne	3f
	// A user's #DB goes on as any exception: move the registers to the task's stack.
	mov	%rsp, %rsi
	mov	%edi, %eax
	mov	%gs:CPU_STACK_TOP, %rdi
	sub	$PT_SIZE, %rdi
	mov	%rdi, %rdx
	mov	$PT_SIZE / 8, %ecx
	rep movsq
	mov	%rdx, %rsp
	mov	%eax, %edi
	jmp	from_user
3:	mov	%rsp, %rsi
	mov	PT_ORIG_AX(%rsp), %rdx
	movq	$-1, PT_ORIG_AX(%rsp)
	mov	%rsp, %r12
	and	$~15, %rsp
	call	x86_paranoid_exception
	mov	%r12, %rsp
	POP_REGS
	add	$8, %rsp
	swapgs
	iretq

.macro STUB vector, error, target
	.balign	16
	.if	\error == 0
	push	$0
	.endif
	push	%rdi
	mov	$\vector, %edi
	jmp	\target
.endm

	// 256 stubs of 16 bytes.
	.globl	x86_idt_stubs
	.balign	16
x86_idt_stubs:
	.set	v, 0
	.rept	256
	.if	v == 1 || v == 2 || v == 18
	STUB	v, 0, paranoid_entry
	.elseif	v == 8
	STUB	v, 1, paranoid_entry
	.elseif	v == 11 || v == 12 || v == 13
	STUB	v, 1, fault_of_iret_entry
	.elseif	v == 10 || v == 14 || v == 17 || v == 21 || v == 29 || v == 30
	STUB	v, 1, common_entry
	.else
	STUB	v, 0, common_entry
	.endif
	.set	v, v + 1
	.endr

// ---- Tasks -------------------------------------------------------------------------------------------------------
// task_struct* x86_switch_stack(task_struct* prev, task_struct* next, ulong* prev_sp, ulong next_sp) (C-31)
	.globl	x86_switch_stack
	.type	x86_switch_stack, @function
	.balign	16
x86_switch_stack:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdx)
	mov	%rcx, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	jmp	x86_switch_finish		// (prev, next), returns prev to whoever waits on this stack
	.size	x86_switch_stack, . - x86_switch_stack

// First instructions of a new task: RAX = who ran before, RBX = function or null, R12 = its argument (C-60).
	.globl	x86_ret_from_fork
	.type	x86_ret_from_fork, @function
x86_ret_from_fork:
	mov	%rax, %rdi
	mov	%rbx, %rsi
	mov	%r12, %rdx
	xor	%ebp, %ebp
	push	%rbp
	push	%rbp				// end of the frame chain
	call	task_entry
	ud2
	.size	x86_ret_from_fork, . - x86_ret_from_fork
	.section .note.GNU-stack, "", @progbits
