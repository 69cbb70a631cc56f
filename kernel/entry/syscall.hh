// SYSCALL_DEFINEn: an implementation function takes only pt_regs; the shim unpacks arguments in ABI order, casting
// through long so that 32-bit signed arguments are sign-extended and unsigned ones truncated (spec 10 E-19).
//
//   SYSCALL_DEFINE2(kill, pid_t, pid, int, sig) { return ...; }
//
// defines sys_kill; the table refers to it weakly, so a call that is linked in is implemented, others answer ENOSYS.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <linux/types.h>

using sys_call_ptr_t = long (*)(const pt_regs*);

#define SC_ARG_(type, reg) ((type)(long)(regs->reg))
#define SYSCALL_BEGIN_(name, decl, pass)                       \
  static long do_sys_##name decl;                              \
  extern "C" long sys_##name(const pt_regs* regs) {            \
    return do_sys_##name pass;                                 \
  }                                                            \
  static inline long do_sys_##name decl

#define SYSCALL_DEFINE0(name)                                  \
  static long do_sys_##name();                                 \
  extern "C" long sys_##name(const pt_regs*) { return do_sys_##name(); } \
  static inline long do_sys_##name()
#define SYSCALL_DEFINE1(name, t1, a1) SYSCALL_BEGIN_(name, (t1 a1), (SC_ARG_(t1, di)))
#define SYSCALL_DEFINE2(name, t1, a1, t2, a2) SYSCALL_BEGIN_(name, (t1 a1, t2 a2), (SC_ARG_(t1, di), SC_ARG_(t2, si)))
#define SYSCALL_DEFINE3(name, t1, a1, t2, a2, t3, a3) \
  SYSCALL_BEGIN_(name, (t1 a1, t2 a2, t3 a3), (SC_ARG_(t1, di), SC_ARG_(t2, si), SC_ARG_(t3, dx)))
#define SYSCALL_DEFINE4(name, t1, a1, t2, a2, t3, a3, t4, a4)   \
  SYSCALL_BEGIN_(name, (t1 a1, t2 a2, t3 a3, t4 a4),            \
                 (SC_ARG_(t1, di), SC_ARG_(t2, si), SC_ARG_(t3, dx), SC_ARG_(t4, r10)))
#define SYSCALL_DEFINE5(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
  SYSCALL_BEGIN_(name, (t1 a1, t2 a2, t3 a3, t4 a4, t5 a5),     \
                 (SC_ARG_(t1, di), SC_ARG_(t2, si), SC_ARG_(t3, dx), SC_ARG_(t4, r10), SC_ARG_(t5, r8)))
#define SYSCALL_DEFINE6(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6) \
  SYSCALL_BEGIN_(name, (t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6),            \
                 (SC_ARG_(t1, di), SC_ARG_(t2, si), SC_ARG_(t3, dx), SC_ARG_(t4, r10), SC_ARG_(t5, r8), SC_ARG_(t6, r9)))
