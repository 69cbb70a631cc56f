// PageX(), SetPageX(), ClearPageX(): the bits of page->flags, atomically.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_PAGE_FLAGS_H
#define _LINUX_PAGE_FLAGS_H
#include <linux/bitops.h>
#include <linux/mm_types.h>
#define CF_PAGEFLAG(Name, bit)                                                                            \
	static inline bool Page##Name(const struct page *p) { return test_bit(bit, &p->flags); }          \
	static inline void SetPage##Name(struct page *p) { set_bit(bit, &p->flags); }                     \
	static inline void ClearPage##Name(struct page *p) { clear_bit(bit, &p->flags); }                 \
	static inline bool TestSetPage##Name(struct page *p) { return test_and_set_bit(bit, &p->flags); } \
	static inline bool TestClearPage##Name(struct page *p) { return test_and_clear_bit(bit, &p->flags); }
CF_PAGEFLAG(Locked, PG_locked)
CF_PAGEFLAG(Referenced, PG_referenced)
CF_PAGEFLAG(Uptodate, PG_uptodate)
CF_PAGEFLAG(Dirty, PG_dirty)
CF_PAGEFLAG(LRU, PG_lru)
CF_PAGEFLAG(Active, PG_active)
CF_PAGEFLAG(Workingset, PG_workingset)
CF_PAGEFLAG(Error, PG_error)
CF_PAGEFLAG(Slab, PG_slab)
CF_PAGEFLAG(Reserved, PG_reserved)
CF_PAGEFLAG(Private, PG_private)
CF_PAGEFLAG(Writeback, PG_writeback)
CF_PAGEFLAG(SwapBacked, PG_swapbacked)
CF_PAGEFLAG(Unevictable, PG_unevictable)
CF_PAGEFLAG(Mlocked, PG_mlocked)
CF_PAGEFLAG(Anon, PG_anon)
CF_PAGEFLAG(Table, PG_table)
CF_PAGEFLAG(Buddy, PG_buddy)
CF_PAGEFLAG(Head, PG_head)
#undef CF_PAGEFLAG
#endif
