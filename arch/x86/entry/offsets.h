// Numbers that assembly shares with C++; cpu/cpu.cc asserts that they are right.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#define CPU_CURRENT 8
#define CPU_STACK_TOP 16
#define CPU_USER_SP 24
#define CPU_LOOP_SP 128
#define CPU_FPU_OWNER 136
#define PT_R15 0x00
#define PT_R11 0x30
#define PT_AX 0x50
#define PT_CX 0x58
#define PT_DI 0x70
#define PT_ORIG_AX 0x78
#define PT_IP 0x80
#define PT_CS 0x88
#define PT_FLAGS 0x90
#define PT_SP 0x98
#define PT_SS 0xa0
#define PT_SIZE 0xa8
#define KERNEL_CS_SEL 0x10
#define KERNEL_DS_SEL 0x18
#define EXIT_EXCEPTION 2
#define EXIT_FAULT 1
#define EXIT_INTERRUPT 3
#define TRAMPOLINE 0x8000 /* physical; a page below 1 MiB */
