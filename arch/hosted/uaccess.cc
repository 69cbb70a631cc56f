// User memory as the kernel reaches it. Pages belong to user programs, whose races are their own: the user side of each
// copy is done without ThreadSanitizer's instrumentation, the kernel side is reported to it.
// SPDX-License-Identifier: Apache-2.0
#include <linux/preempt.h>
#include <linux/sched.h>

#include <arch/pgtable.hh>
#include <arch/sanitize.hh>

#include "arch/hosted/fiber.hh"
#include "arch/hosted/walk.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

extern "C" {
void __tsan_read_range(void* p, size_t n) __attribute__((weak));
void __tsan_write_range(void* p, size_t n) __attribute__((weak));
void __asan_loadN(const void* p, size_t n) __attribute__((weak));
void __asan_storeN(void* p, size_t n) __attribute__((weak));
}

namespace hosted {
namespace {

HOSTED_ENGINE pte_t load(const pte_t* e) { return {__atomic_load_n(&e->val, __ATOMIC_ACQUIRE)}; }

// Sets bits as the hardware does: only if the entry is still what was checked.
HOSTED_ENGINE bool mark_used(pte_t* slot, pte_t seen, bool write) {
  pte_t want = pte_mkyoung(write ? pte_mkdirty(seen) : seen);
  if (want == seen) return true;
  return __atomic_compare_exchange_n(&slot->val, &seen.val, want.val, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

HOSTED_ENGINE pte_t* leaf_slot(const mm_struct* mm, unsigned long addr) {
  auto* table = static_cast<pte_t*>(mm->pgd);
  for (int level = 3; level > 0; level--) {
    pte_t e = load(&table[table_index(addr, level)]);
    if (!pte_present(e)) return nullptr;
    table = static_cast<pte_t*>(arch::phys_to_virt(pte_phys(e)));
  }
  return &table[table_index(addr, 0)];
}

// Moves n bytes without telling anybody. Never inlined into instrumented code.
HOSTED_ENGINE __attribute__((__noinline__, no_sanitize("address"))) void move_bytes(char* dst, const char* src, size_t n) {
  asm volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
}

HOSTED_ENGINE void check_kernel_side(const void* p, size_t n, bool kernel_writes) {
  void* q = const_cast<void*>(p);
  if (kernel_writes) {
    if (__tsan_write_range) __tsan_write_range(q, n);
    if (__asan_storeN) __asan_storeN(q, n);
  } else {
    if (__tsan_read_range) __tsan_read_range(q, n);
    if (__asan_loadN) __asan_loadN(q, n);
  }
}

// A fault may sleep: not where preemption or interrupts are off, which is what pagefault_disable() comes to as well.
inline bool may_fault() { return preempt_count() == 0 && !arch::irqs_disabled(); }

inline unsigned long chunk(unsigned long addr, unsigned long n) {
  unsigned long room = 4096 - (addr & 4095);
  return n < room ? n : room;
}

}  // namespace

HOSTED_ENGINE char* walk(unsigned long addr, unsigned access, unsigned* error) {
  const mm_struct* mm = hosted_current()->mm;
  *error = access;
  if (!mm || addr >= kUserTop) return nullptr;
  for (;;) {
    pte_t* slot = leaf_slot(mm, addr);
    if (!slot) return nullptr;
    pte_t e = load(slot);
    if (!pte_present(e)) return nullptr;
    bool write = access & arch::kFaultWrite;
    if (!pte_user(e) || (write && !pte_write(e)) || ((access & arch::kFaultFetch) && !pte_exec(e))) {
      *error = access | arch::kFaultPresent;
      return nullptr;
    }
    if (mark_used(slot, e, write)) return static_cast<char*>(arch::phys_to_virt(pte_phys(e))) + (addr & 4095);
  }
}

char* Reach::to(unsigned long addr, unsigned access) {
  for (;;) {
    unsigned error;
    if (char* p = walk(addr, access, &error)) return p;
    if (!may_fault() || !current->mm || addr >= kUserTop) return nullptr;
    close();
    FaultInfo info;
    const bool handled = handle_user_fault(addr, error, &info).has_value();
    open();
    if (!handled) return nullptr;
  }
}

}  // namespace hosted

#ifdef __SANITIZE_THREAD__
HOSTED_ENGINE void memcpy_racy(void* dst, const void* src, size_t n) {
  hosted::move_bytes(static_cast<char*>(dst), static_cast<const char*>(src), n);
}
#endif

namespace arch {

using hosted::chunk;
using hosted::Reach;

unsigned long raw_copy_from_user(void* dst, unsigned long src, unsigned long n) {
  auto* to = static_cast<char*>(dst);
  while (n) {
    unsigned long part = chunk(src, n);
    Reach reach;
    const char* from = reach.to(src, 0);
    if (!from) return n;
    hosted::check_kernel_side(to, part, true);
    hosted::move_bytes(to, from, part);
    to += part, src += part, n -= part;
  }
  return 0;
}

unsigned long raw_copy_to_user(unsigned long dst, const void* src, unsigned long n) {
  auto* from = static_cast<const char*>(src);
  while (n) {
    unsigned long part = chunk(dst, n);
    Reach reach;
    char* to = reach.to(dst, kFaultWrite);
    if (!to) return n;
    hosted::check_kernel_side(from, part, false);
    hosted::move_bytes(to, from, part);
    from += part, dst += part, n -= part;
  }
  return 0;
}

unsigned long raw_clear_user(unsigned long dst, unsigned long n) {
  static constexpr char kZeroes[256] = {};
  while (n) {
    unsigned long part = chunk(dst, n);
    if (part > sizeof kZeroes) part = sizeof kZeroes;
    Reach reach;
    char* to = reach.to(dst, kFaultWrite);
    if (!to) return n;
    hosted::move_bytes(to, kZeroes, part);
    dst += part, n -= part;
  }
  return 0;
}

long raw_strncpy_from_user(char* dst, unsigned long src, long max) {
  for (long done = 0; done < max;) {
    unsigned long part = chunk(src, static_cast<unsigned long>(max - done));
    Reach reach;
    const char* from = reach.to(src, 0);
    if (!from) return -EFAULT;
    for (unsigned long i = 0; i < part; i++, done++) {
      hosted::move_bytes(&dst[done], &from[i], 1);
      if (!dst[done]) return done;
    }
    src += part;
  }
  return max;
}

// The word itself is shared with user code, by design: atomics only.
long raw_cmpxchg_user_u32(unsigned long addr, u32 old, u32 desired, u32* found) {
  if (addr & 3) return -EFAULT;
  Reach reach;
  auto* p = reinterpret_cast<u32*>(reach.to(addr, kFaultWrite));
  if (!p) return -EFAULT;
  __atomic_compare_exchange_n(p, &old, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  *found = old;
  return 0;
}

long raw_atomic_op_user_u32(unsigned long addr, int op, u32 arg, u32* old) {
  if (addr & 3) return -EFAULT;
  Reach reach;
  auto* p = reinterpret_cast<u32*>(reach.to(addr, kFaultWrite));
  if (!p) return -EFAULT;
  switch (op) {
    case 0: *old = __atomic_exchange_n(p, arg, __ATOMIC_SEQ_CST); return 0;
    case 1: *old = __atomic_fetch_add(p, arg, __ATOMIC_SEQ_CST); return 0;
    case 2: *old = __atomic_fetch_or(p, arg, __ATOMIC_SEQ_CST); return 0;
    case 3: *old = __atomic_fetch_and(p, ~arg, __ATOMIC_SEQ_CST); return 0;
    case 4: *old = __atomic_fetch_xor(p, arg, __ATOMIC_SEQ_CST); return 0;
  }
  return -ENOSYS;
}

// User programs here are host functions, whose floating point lives in the host's registers: there is nothing to save.
size_t fpu_frame_size() { return 0; }
long fpu_save_to_user(unsigned long) { return 0; }
long fpu_restore_from_user(unsigned long) { return 0; }

// What any x86-64 has (FPU, TSC, CX8, MMX, FXSR, SSE, SSE2 ...); the same on every host.
unsigned long elf_hwcap() { return 0x0789fbff; }

}  // namespace arch
