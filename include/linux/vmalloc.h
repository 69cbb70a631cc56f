// Memory that is contiguous in addresses only, for what is too large for the page allocator. May sleep; an unmapped page follows
// each area.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_VMALLOC_H
#define _LINUX_VMALLOC_H
#include <linux/gfp.h>
#include <linux/types.h>
CF_C_BEGIN
void *vmalloc(unsigned long size);
void *vzalloc(unsigned long size);
void *__vmalloc(unsigned long size, gfp_t gfp);
void vfree(const void *addr); /* NULL is fine. Not from interrupts */
bool is_vmalloc_addr(const void *addr);
struct page *vmalloc_to_page(const void *addr);
/* Maps pages that stay the caller's; vunmap undoes it. */
void *vmap(struct page **pages, unsigned count, unsigned long flags, unsigned long prot);
void vunmap(const void *addr);
CF_C_END
#define __vmalloc_node(size, align, gfp, node, caller) __vmalloc((size), (gfp))
#define vmalloc_node(size, node) vmalloc(size)
#define vzalloc_node(size, node) vzalloc(size)
#define VM_MAP 0x4ul
#endif
