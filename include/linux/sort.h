// Sorting in place: heap sort, O(n log n), no memory. swap_func NULL: bytes are exchanged.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SORT_H
#define _LINUX_SORT_H
#include <linux/types.h>
CF_C_BEGIN
void sort(void *base, size_t num, size_t size, int (*cmp)(const void *, const void *), void (*swap_func)(void *, void *, int))
	__asm__("cf_sort");
CF_C_END
#endif
