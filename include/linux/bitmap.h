// Bitmaps of any length. Bits past nbits in the last word are not defined; operations neither read nor promise them.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_BITMAP_H
#define _LINUX_BITMAP_H
#include <linux/bitops.h>
#include <linux/gfp.h>
#define BITMAP_FIRST_WORD_MASK(start) (~0ul << ((start) & (BITS_PER_LONG - 1)))
#define BITMAP_LAST_WORD_MASK(nbits) (~0ul >> (-(nbits) & (BITS_PER_LONG - 1)))
#define BITMAP_FROM_U64(n) (n)
CF_C_BEGIN
void bitmap_zero(unsigned long *dst, unsigned nbits);
void bitmap_fill(unsigned long *dst, unsigned nbits);
void bitmap_copy(unsigned long *dst, const unsigned long *src, unsigned nbits);
void bitmap_set(unsigned long *map, unsigned start, unsigned n);
void bitmap_clear(unsigned long *map, unsigned start, unsigned n);
bool bitmap_equal(const unsigned long *a, const unsigned long *b, unsigned nbits);
bool bitmap_subset(const unsigned long *a, const unsigned long *b, unsigned nbits);
bool bitmap_intersects(const unsigned long *a, const unsigned long *b, unsigned nbits);
bool bitmap_and(unsigned long *dst, const unsigned long *a, const unsigned long *b, unsigned nbits);
void bitmap_or(unsigned long *dst, const unsigned long *a, const unsigned long *b, unsigned nbits);
void bitmap_xor(unsigned long *dst, const unsigned long *a, const unsigned long *b, unsigned nbits);
bool bitmap_andnot(unsigned long *dst, const unsigned long *a, const unsigned long *b, unsigned nbits);
void bitmap_complement(unsigned long *dst, const unsigned long *src, unsigned nbits);
bool bitmap_empty(const unsigned long *src, unsigned nbits);
bool bitmap_full(const unsigned long *src, unsigned nbits);
unsigned bitmap_weight(const unsigned long *src, unsigned nbits);
/* First run of nr zero bits at or after start, beginning at a multiple of align_mask+1; size if none. */
unsigned long bitmap_find_next_zero_area(const unsigned long *map, unsigned long size, unsigned long start, unsigned nr, unsigned long align_mask);
/* "0-3,7,9-12"; 0, -EINVAL or -ERANGE */
int bitmap_parselist(const char *buf, unsigned long *map, int nbits);
unsigned long *bitmap_alloc(unsigned nbits, gfp_t flags);
unsigned long *bitmap_zalloc(unsigned nbits, gfp_t flags);
void bitmap_free(const unsigned long *map);
CF_C_END
#endif
