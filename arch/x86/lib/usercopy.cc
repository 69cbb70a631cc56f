// User memory: the entry points of the contract, and the atomic operations futexes need.
// SPDX-License-Identifier: Apache-2.0
#include <linux/compiler.h>
#include <linux/errno.h>

#include "arch/contract/arch.hh"

extern "C" {
unsigned long x86_user_clear(unsigned long dst, unsigned long n);
long x86_user_strncpy(char* dst, unsigned long src, long max);
}

namespace arch {

unsigned long raw_clear_user(unsigned long dst, unsigned long n) { return x86_user_clear(dst, n); }
long raw_strncpy_from_user(char* dst, unsigned long src, long max) { return x86_user_strncpy(dst, src, max); }

long raw_cmpxchg_user_u32(unsigned long addr, u32 old, u32 desired, u32* found) {
  long err = 0;
  asm volatile(X86_STAC
               "1: lock cmpxchgl %3, %2\n"
               "2:\n" X86_CLAC
               ".pushsection .text.fixup, \"ax\"\n3: movq %4, %0\n jmp 2b\n.popsection\n"
               X86_EXTABLE("1b", "3b")
               : "+r"(err), "+a"(old), "+m"(*reinterpret_cast<u32*>(addr))
               : "r"(desired), "i"(-EFAULT)
               : "memory", "cc");
  *found = old;
  return err;
}

long raw_atomic_op_user_u32(unsigned long addr, int op, u32 arg, u32* old) {
  u32 seen;
  if (raw_copy_from_user(&seen, addr, sizeof seen)) return -EFAULT;
  for (;;) {
    u32 next;
    switch (op) {  // FUTEX_OP_*
      case 0: next = arg; break;
      case 1: next = seen + arg; break;
      case 2: next = seen | arg; break;
      case 3: next = seen & ~arg; break;
      case 4: next = seen ^ arg; break;
      default: return -ENOSYS;
    }
    u32 found;
    if (long err = raw_cmpxchg_user_u32(addr, seen, next, &found)) return err;
    if (found == seen) break;
    seen = found;
  }
  *old = seen;
  return 0;
}

}  // namespace arch
