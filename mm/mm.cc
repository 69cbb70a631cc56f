// The life of address spaces: making, sharing, ending them (spec 22 section 4, 41 section 4), and mm's part in boot.
// SPDX-License-Identifier: Apache-2.0
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "init/params.hh"
#include "fs/vfs/vfs.hh"
#include "init/report.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/sched/rq.hh"
#include "mm/internal.hh"
#include "mm/pgtable.hh"
#include "mm/vma_tree.hh"

mm_struct init_mm;  // kernel threads' first address space: no areas, tables of the machine's choice
page* zero_page;

namespace {

constinit kmem_cache* mm_cachep;

void init_fields(mm_struct* mm) {
  atomic_set(&mm->mm_users, 1);
  atomic_set(&mm->mm_count, 1);
  init_rwsem(&mm->mmap_lock);
  spin_lock_init(&mm->page_table_lock);
  spin_lock_init(&mm->arg_lock);
  mm->user_ns = get_user_ns(current_user_ns());
  mm->task_size = kUserTop;
}

void free_mm(mm_struct* mm) {
  put_user_ns(mm->user_ns);
  kmem_cache_free(mm_cachep, mm);
}

// M-9. The last user is gone: nobody runs in the mappings, so pages need not wait for TLBs; tables do, since a lazy CPU
// may still have the top one loaded.
void exit_mmap(mm_struct* mm) {
  long unaccount = 0;
  down_write(&mm->mmap_lock);
  {
    TlbGather gather(mm, TlbGather::WholeMm);
    vm_area_struct* vma;
    for_each_vma_of(mm, vma) {
      vma_detach_file(vma);
      if (vma->vm_flags & VM_ACCOUNT) unaccount += vma_pages(vma);
      gather.zap(vma->vm_start, vma->vm_end);
    }
    for_each_vma_of(mm, vma)
      gather.free_tables(vma->vm_start, vma->vm_end, 0, vma->vm_next ? vma->vm_next->vm_start : ~0ul);
  }
  vm_area_struct* vma = mm->mmap;
  mm->mmap = mm->mmap_last = mm->vma_tree = mm->vma_cache = nullptr;
  mm->map_count = 0;
  up_write(&mm->mmap_lock);
  vm_unacct_memory(unaccount);
  while (vma) {
    vm_area_struct* next = vma->vm_next;
    remove_vma(vma);
    vma = next;
  }
}

void check_mm(const mm_struct* mm) {
  static const char* const names[] = {"MM_FILEPAGES", "MM_ANONPAGES", "MM_SWAPENTS", "MM_SHMEMPAGES"};
  for (int i = 0; i < NR_MM_COUNTERS; i++)
    if (long n = atomic_long_read(&mm->rss_stat[i])) pr_err("BUG: Bad rss-counter state mm:%p type:%s val:%ld\n", mm, names[i], n);
  if (long n = atomic_long_read(&mm->pgtables_bytes)) pr_err("BUG: non-zero pgtables_bytes on freeing mm: %ld\n", n);
}

}  // namespace

void set_dumpable(mm_struct* mm, int value) {
  unsigned long old = READ_ONCE(mm->flags);
  while (!try_cmpxchg(&mm->flags, &old, (old & ~MMF_DUMPABLE_MASK) | value)) {}
}

mm_struct* mm_alloc() {
  auto* mm = static_cast<mm_struct*>(kmem_cache_alloc(mm_cachep, GFP_KERNEL));
  if (!mm) return nullptr;
  memset(static_cast<void*>(mm), 0, sizeof(*mm));
  init_fields(mm);
  mm->tree_seed = get_random_u32();
  mm->flags = SUID_DUMP_USER | 0x33ul << MMF_DUMP_FILTER_SHIFT;
  if (task_struct* t = current; t->mm) mm->flags = READ_ONCE(t->mm->flags) & MMF_INIT_MASK;
  mm->pgd = pgd_alloc();
  if (mm->pgd) return mm;
  free_mm(mm);
  return nullptr;
}

void __mmdrop(mm_struct* mm) {
  BUG_ON(mm == &init_mm);
  check_mm(mm);
  if (!atomic_long_read(&mm->pgtables_bytes)) pgd_free(mm->pgd);  // else it is not empty: lost rather than used again
  free_mm(mm);
}

void mmput(mm_struct* mm) {
  might_sleep();
  if (!atomic_dec_and_test(&mm->mm_users)) return;
  exit_mmap(mm);
  if (mm->exe_file) {
    allow_write_access(file_inode(mm->exe_file));
    fput(mm->exe_file);
    mm->exe_file = nullptr;
  }
  mmdrop(mm);
}

mm_struct* get_task_mm(task_struct* t) {
  if (data_race(t->flags) & PF_KTHREAD) return nullptr;
  SpinGuard g(t->alloc_lock);
  mm_struct* mm = t->mm;
  if (mm) mmget(mm);
  return mm;
}

vm_area_struct* find_vma(mm_struct* mm, unsigned long addr) {
  vm_area_struct* vma = READ_ONCE(mm->vma_cache);
  if (vma && vma->vm_start <= addr && addr < vma->vm_end) return vma;
  vma = vma_tree_find(mm, addr);
  if (vma) WRITE_ONCE(mm->vma_cache, vma);
  return vma;
}

mm_struct* exec_mmap(mm_struct* mm) {
  task_struct* t = current;
  mm_struct *old = t->mm, *active = t->active_mm;
  mmgrab(mm);  // for active_mm's sake; dropped with it below
  {
    SpinGuard g(t->alloc_lock);
    IrqGuard irq;
    t->active_mm = mm;
    WRITE_ONCE(t->mm, mm);
    arch::switch_mm(active, mm);
  }
  mmdrop(mm);
  // A kernel thread that becomes a process gives its borrowed address space back.
  if (!old && active) mmdrop(active);
  return old;
}

// ---- Boot -----------------------------------------------------------------------------------------------------------

void mm_init() {
  void* kernel_tables = init_mm.pgd;  // the machine may have set it already
  memset(static_cast<void*>(&init_mm), 0, sizeof(init_mm));
  init_fields(&init_mm);
  init_mm.pgd = kernel_tables;
  atomic_inc(&init_mm.mm_count);  // the boot CPU's idle task borrows it from the start
  mm_settings = {};
  if (boot_param("norandmaps")) mm_settings.randomize_va_space = 0;
  pgtable_caches_init();
  mm_cachep = kmem_cache_create("mm_struct", sizeof(mm_struct), alignof(mm_struct), SLAB_HWCACHE_ALIGN, nullptr);
  zero_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
  if (!mm_cachep || !vma_caches_init() || !zero_page) panic("no memory for address spaces");
}

namespace {

// Each CPU's idle task may still borrow the address space of a process that ran there last.
void drop_borrowed_mms() {
  for (unsigned cpu = 0; cpu < arch::boot_info().nr_cpus; cpu++) {
    task_struct* idle = cpu_rq(cpu)->idle;
    mm_struct* mm = idle ? idle->active_mm : nullptr;
    if (!mm || mm == &init_mm) continue;
    if (cpu == arch::cpu_id()) arch::switch_mm(mm, &init_mm);
    idle->active_mm = &init_mm;
    mmgrab(&init_mm);
    mmdrop(mm);
  }
}

}  // namespace

void mm_exit(LeakReport& report) {
  drop_borrowed_mms();
  report.expect_zero("committed pages", vm_committed());
  pgtable_caches_drain();
  __free_page(zero_page);
  zero_page = nullptr;
  vma_caches_exit();
  kmem_cache_destroy(mm_cachep);
  mm_cachep = nullptr;
}
