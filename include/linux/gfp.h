// Pages: allocating and giving back. Zeroed only with __GFP_ZERO. Freeing is allowed in any context.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_GFP_H
#define _LINUX_GFP_H
#include <linux/gfp_types.h>
#include <linux/types.h>
#define MAX_ORDER 11 /* orders 0..10 */
#define PAGE_ALLOC_COSTLY_ORDER 3
struct page;
CF_C_BEGIN
/* NULL if there is none. Sleeps only with __GFP_DIRECT_RECLAIM. A block of order > 0 is one object: with __GFP_COMP its
 * pages know their head and put_page on any of them counts; without, the head alone is counted. */
struct page *alloc_pages(gfp_t gfp, unsigned order);
void __free_pages(struct page *page, unsigned order); /* drops one reference; frees at zero */
unsigned long __get_free_pages(gfp_t gfp, unsigned order); /* address in the direct map, or 0 */
void free_pages(unsigned long addr, unsigned order);
void *alloc_pages_exact(size_t size, gfp_t gfp);
void free_pages_exact(void *addr, size_t size);
void split_page(struct page *page, unsigned order); /* not compound: afterwards 2^order single pages */
CF_C_END
#define alloc_page(gfp) alloc_pages(gfp, 0)
#define __free_page(page) __free_pages((page), 0)
#define __get_free_page(gfp) __get_free_pages((gfp), 0)
#define free_page(addr) free_pages((addr), 0)
static inline unsigned long get_zeroed_page(gfp_t gfp) { return __get_free_pages(gfp | __GFP_ZERO, 0); }
#endif
