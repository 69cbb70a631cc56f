// A kernel thread that borrows a user address space (spec 50 A7).
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/kthread.h>

#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

extern "C" {

// The reference taken here stays with active_mm, as that of a lazy user; the switch away gives it back.
void kthread_use_mm(mm_struct* mm) {
  WARN_ON_ONCE(!(current->flags & PF_KTHREAD) || current->mm);
  mmgrab(mm);
  mm_struct* before;
  {
    IrqGuard off;
    before = current->active_mm;
    current->active_mm = mm;
    current->mm = mm;
    arch::switch_mm(before, mm);
  }
  if (before) mmdrop(before);
}
void kthread_unuse_mm(mm_struct* mm) {
  WARN_ON_ONCE(!(current->flags & PF_KTHREAD) || current->mm != mm);
  IrqGuard off;
  current->mm = nullptr;
  arch::enter_lazy_tlb(mm);
}

}  // extern "C"
