// References to pages, and the way between a page, its frame number and its address.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_PAGE_REF_H
#define _LINUX_PAGE_REF_H
#include <linux/compiler.h>
#include <linux/mm_types.h>
#define PAGE_SHIFT 12
#define PAGE_SIZE (1ul << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)
#define PAGE_ALIGNED(x) (((unsigned long)(x) & ~PAGE_MASK) == 0)
#define offset_in_page(p) ((unsigned long)(p) & ~PAGE_MASK)
#define PFN_UP(x) (((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_DOWN(x) ((x) >> PAGE_SHIFT)
#define PFN_PHYS(x) ((phys_addr_t)(x) << PAGE_SHIFT)
CF_C_BEGIN
extern unsigned long mem_map_biased; /* address of the struct page that frame 0 would have */
extern unsigned long min_pfn, max_pfn; /* frames that have a struct page: [min, max) */
void __put_page(struct page *page); /* the last reference is gone: head of its block */
#ifndef __cplusplus
void *page_address(const struct page *page);
struct page *virt_to_page(const void *addr);
#endif
CF_C_END
static inline struct page *pfn_to_page(unsigned long pfn) { return (struct page *)(mem_map_biased + pfn * sizeof(struct page)); }
static inline unsigned long page_to_pfn(const struct page *page) { return ((unsigned long)page - mem_map_biased) / sizeof(struct page); }
static inline phys_addr_t page_to_phys(const struct page *page) { return PFN_PHYS(page_to_pfn(page)); }
static inline struct page *phys_to_page(phys_addr_t phys) { return pfn_to_page((unsigned long)(phys >> PAGE_SHIFT)); }
#ifdef __cplusplus
#include "mm/page_address.hh"
#endif
static inline bool pfn_valid(unsigned long pfn) { return pfn >= min_pfn && pfn < max_pfn; }
static inline struct page *compound_head(struct page *page) { return page->head ? page->head : page; }
/* Of the block whose first page this is; 0 if single. */
static inline unsigned compound_order(const struct page *head) { return head->head == head ? (unsigned)(head->flags >> PG_order_shift) : 0; }
static inline bool PageCompound(const struct page *page) { return page->head != 0; }
static inline struct page *virt_to_head_page(const void *addr) { return compound_head(virt_to_page(addr)); }
static inline int page_count(struct page *page) { return atomic_read(&compound_head(page)->_refcount); }
static inline void get_page(struct page *page)
{
	/* Relaxed: who takes a further reference has one, or holds what keeps the page. */
	__atomic_fetch_add(&compound_head(page)->_refcount.counter, 1, __ATOMIC_RELAXED);
}
static inline bool get_page_unless_zero(struct page *page) { return atomic_inc_not_zero(&page->_refcount); }
static inline void put_page(struct page *page)
{
	struct page *h = compound_head(page);
	if (__atomic_fetch_sub(&h->_refcount.counter, 1, __ATOMIC_ACQ_REL) == 1)
		__put_page(h);
}
static inline int page_mapcount(const struct page *page) { return atomic_read(&page->_mapcount) + 1; }
static inline bool page_mapped(const struct page *page) { return page_mapcount(page) > 0; }
#endif
