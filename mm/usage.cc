// Adding up what memory is used for.
// SPDX-License-Identifier: Apache-2.0
#include "mm/usage.hh"

#include <linux/slab.h>

#include "mm/filemap.hh"
#include "mm/internal.hh"

MemoryUse memory_use() {
  CachedPages cached = cached_pages();
  MemoryUse use{};
  use.file = cached.file;
  use.shmem = cached.shmem;
  use.slab = slab_pages_in_use();
  use.stacks = static_cast<unsigned long>(READ_ONCE(nr_threads)) * (THREAD_SIZE >> 12);
  use.committed = static_cast<unsigned long>(vm_committed());
  use.commit_limit = vm_commit_limit();
  RcuReadGuard rcu;
  task_struct* p;
  for_each_process(p) {
    SpinGuard guard(p->alloc_lock);
    const mm_struct* mm = p->mm;
    if (!mm) continue;
    use.anon += get_mm_counter(mm, MM_ANONPAGES);
    use.mapped += get_mm_counter(mm, MM_FILEPAGES) + get_mm_counter(mm, MM_SHMEMPAGES);
    use.page_tables += static_cast<unsigned long>(atomic_long_read(&mm->pgtables_bytes)) >> 12;
  }
  return use;
}
