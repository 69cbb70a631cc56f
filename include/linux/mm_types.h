// struct page: one per page frame, 64 bytes. (mm_struct and vm_area_struct: mm/mm.hh.)
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_MM_TYPES_H
#define _LINUX_MM_TYPES_H
#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
struct address_space;
struct kmem_cache;

struct page {
	unsigned long flags; /* PG_ bits, atomically */
	union {
		struct { /* page cache, anonymous and other owners: yours while you own the page */
			struct list_head lru;
			struct address_space *mapping;
			unsigned long index;
			unsigned long private_;
		};
		struct { /* slab: cache's lock */
			struct list_head slab_list;
			struct kmem_cache *slab_cache;
			void *freelist;
			u16 inuse, objects;
			u32 slab_pad;
		};
		struct { /* page table: ptl protects the entries in this table; pt_mm: the owner */
			spinlock_t ptl;
			void *pt_mm;
			unsigned long pt_count;
		};
		struct rcu_head rcu_head; /* on the way out */
	};
	atomic_t _mapcount; /* page-table entries that map it, less 1 */
	atomic_t _refcount; /* 0: free. get_page and put_page alone change it */
	struct page *head;  /* compound: the first page; NULL: not compound */
};
#ifdef __cplusplus
static_assert(sizeof(struct page) == 64, "struct page grew");
#endif

/* Bit numbers of page->flags. */
enum pageflags {
	PG_locked, PG_referenced, PG_uptodate, PG_dirty, PG_lru, PG_active, PG_workingset, PG_error, PG_slab, PG_reserved,
	PG_private, PG_writeback, PG_swapbacked, PG_unevictable, PG_mlocked, PG_anon, PG_table, PG_buddy, PG_head, PG_owner_priv_1,
	PG_order_shift = 56, /* the top byte holds the order of a free or compound block, in its first page */
};
#endif
