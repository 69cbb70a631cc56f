// What memory is used for: /proc/meminfo and the OOM report.
// SPDX-License-Identifier: Apache-2.0
#pragma once

struct MemoryUse {
  // Pages. anon, mapped and page_tables are summed over the processes.
  unsigned long file, shmem, anon, mapped, slab, stacks, page_tables, committed, commit_limit;
};
MemoryUse memory_use();  // process context; an estimate while others run
