// Address-space switch and TLB flushing. No PCID: each CR3 load drops all user entries.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/mm/tlb.hh"

#include <linux/compiler.h>
#include <linux/cpumask.h>

#include "arch/x86/cpu/apic.hh"
#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/mm/layout.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

namespace x86 {
namespace {

constexpr unsigned long kMaxSinglePages = 32;  // above, one full flush is cheaper

struct Range {
  unsigned long start, end;
  bool kernel;  // global entries too
};

void flush_here(const Range& r) {
  if (r.end - r.start <= kMaxSinglePages * 4096) {
    for (unsigned long a = r.start; a < r.end; a += 4096) invlpg(a);
  } else if (r.kernel && features.pge) {
    write_cr4(features.cr4 & ~0x80ul);  // toggling PGE drops global entries
    write_cr4(features.cr4);
  } else {
    write_cr3(read_cr3());
  }
}

// One shoot-down at a time. The initiator waits until every target has cleared its bit.
constinit raw_spinlock_t shootdown_lock = __SPIN_LOCK_UNLOCKED(shootdown_lock);
Range shootdown_range;
unsigned long shootdown_pending;  // bit per CPU; its release pairs with the initiator's acquire

void flush_others(unsigned long targets, const Range& r) {
  if (!targets) return;
  // Taken with interrupts as they are and while answering others' requests, or two initiators would wait for each other.
  while (!raw_spin_trylock(&shootdown_lock)) {
    tlb_interrupt();
    arch::cpu_relax();
  }
  shootdown_range = r;
  __atomic_store_n(&shootdown_pending, targets, __ATOMIC_RELEASE);
  for (unsigned long left = targets; left; left &= left - 1)
    send_vector(static_cast<unsigned>(__builtin_ctzl(left)), kVectorTlb);
  // One that is stopped meanwhile, at power-off, does not answer, and has no use for its TLB.
  while (__atomic_load_n(&shootdown_pending, __ATOMIC_ACQUIRE) & READ_ONCE(cpu_online_mask->bits[0])) arch::cpu_relax();
  raw_spin_unlock(&shootdown_lock);
}

void flush_user(mm_struct* mm, const Range& r) {
  PreemptGuard no_preempt;
  // Full barrier between the change of the entries and the read of the mask: pairs with switch_mm's set (C-20).
  smp_mb();
  Cpu& cpu = this_cpu();
  if (cpu.loaded_mm == mm) flush_here(r);
  // A stopped CPU stays in the mask of what it had loaded.
  flush_others(READ_ONCE(mm->cpu_bitmap.bits[0]) & cpu_online_mask->bits[0] & ~(1ul << cpu.block.cpu), r);
}

}  // namespace

void tlb_interrupt() {
  unsigned long me = 1ul << arch::cpu_id();
  if (!(__atomic_load_n(&shootdown_pending, __ATOMIC_ACQUIRE) & me)) return;
  flush_here(shootdown_range);
  __atomic_fetch_and(&shootdown_pending, ~me, __ATOMIC_RELEASE);
}

void flush_tlb_kernel_range(unsigned long start, unsigned long end) {
  PreemptGuard no_preempt;
  Range r{start, end, true};
  smp_mb();
  flush_here(r);
  flush_others(cpu_online_mask->bits[0] & ~(1ul << arch::cpu_id()), r);
}

}  // namespace x86

namespace arch {
using namespace x86;

// A CPU stays in the mask of the mm whose tables it has loaded, lazily or not, so shoot-downs always reach it and there
// is nothing to catch up with on the way back to a user task (the simple form of spec 22 section 3.1).
void switch_mm(mm_struct*, mm_struct* next) {
  Cpu& cpu = this_cpu();
  mm_struct* old = cpu.loaded_mm;
  if (old == next) return;
  if (old && old != &init_mm) cpumask_clear_cpu(cpu.block.cpu, &old->cpu_bitmap);
  cpu.loaded_mm = next;
  if (next == &init_mm) {
    write_cr3(virt_to_phys(kernel_pgd));
    return;
  }
  cpumask_set_cpu(cpu.block.cpu, &next->cpu_bitmap);
  write_cr3(virt_to_phys(next->pgd));
}

void enter_lazy_tlb(mm_struct*) {}

void flush_tlb_mm(mm_struct* mm) { flush_user(mm, {0, kUserTop, false}); }
void flush_tlb_range(mm_struct* mm, unsigned long start, unsigned long end) { flush_user(mm, {start, end, false}); }

}  // namespace arch
