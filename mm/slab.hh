// Slab caches: what the rest of the kernel may ask about them. The allocating functions are linux/slab.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/slab.h>

#include "init/report.hh"

void slab_init();
void slab_exit(LeakReport& report);  // every cache must be destroyed and every kmalloc freed by then

struct SlabInfo {
  const char* name;
  unsigned long active_objects, total_objects;
  unsigned object_size, objects_per_slab, pages_per_slab;
  unsigned long slabs;
};
// Calls visit for each cache, under the lock of the list of caches: it must not allocate from new caches. May sleep.
void for_each_slab_cache(void (*visit)(const SlabInfo&, void*), void* context);
unsigned long kmem_cache_objects(kmem_cache* s);  // handed out now; exact only when nobody allocates
unsigned long nr_slab_pages();
