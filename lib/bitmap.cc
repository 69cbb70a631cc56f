// Bitmaps of any length.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bitmap.h>

#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>

namespace {
// The bits of word w that belong to a map of nbits.
unsigned long word_mask(unsigned w, unsigned nbits) {
  unsigned left = nbits - w * BITS_PER_LONG;
  return left >= BITS_PER_LONG ? ~0ul : (1ul << left) - 1;
}
// True if f(word index, mask) is for all words.
template <class F>
bool all_words(unsigned nbits, F f) {
  for (unsigned w = 0; w < BITS_TO_LONGS(nbits); w++)
    if (!f(w, word_mask(w, nbits))) return false;
  return true;
}
// f(word pointer, mask of the bits in [start, start + n)).
template <class F>
void for_range(unsigned long* map, unsigned start, unsigned n, F f) {
  while (n) {
    unsigned bit = start % BITS_PER_LONG, here = BITS_PER_LONG - bit;
    if (here > n) here = n;
    f(map + start / BITS_PER_LONG, (here == 64 ? ~0ul : (1ul << here) - 1) << bit);
    start += here;
    n -= here;
  }
}
template <class F>
bool combine(unsigned long* dst, const unsigned long* a, const unsigned long* b, unsigned nbits, F f) {
  unsigned long any = 0;
  for (unsigned w = 0; w < BITS_TO_LONGS(nbits); w++) any |= (dst[w] = f(a[w], b[w])) & word_mask(w, nbits);
  return any != 0;
}
}  // namespace

extern "C" {

void bitmap_zero(unsigned long* dst, unsigned nbits) { memset(dst, 0, BITS_TO_LONGS(nbits) * sizeof(long)); }
void bitmap_fill(unsigned long* dst, unsigned nbits) { memset(dst, 0xff, BITS_TO_LONGS(nbits) * sizeof(long)); }
void bitmap_copy(unsigned long* dst, const unsigned long* src, unsigned nbits) {
  memcpy(dst, src, BITS_TO_LONGS(nbits) * sizeof(long));
}
void bitmap_set(unsigned long* map, unsigned start, unsigned n) {
  for_range(map, start, n, [](unsigned long* w, unsigned long mask) { *w |= mask; });
}
void bitmap_clear(unsigned long* map, unsigned start, unsigned n) {
  for_range(map, start, n, [](unsigned long* w, unsigned long mask) { *w &= ~mask; });
}
bool bitmap_equal(const unsigned long* a, const unsigned long* b, unsigned nbits) {
  return all_words(nbits, [=](unsigned w, unsigned long m) { return !((a[w] ^ b[w]) & m); });
}
bool bitmap_subset(const unsigned long* a, const unsigned long* b, unsigned nbits) {
  return all_words(nbits, [=](unsigned w, unsigned long m) { return !(a[w] & ~b[w] & m); });
}
bool bitmap_intersects(const unsigned long* a, const unsigned long* b, unsigned nbits) {
  return !all_words(nbits, [=](unsigned w, unsigned long m) { return !(a[w] & b[w] & m); });
}
bool bitmap_empty(const unsigned long* src, unsigned nbits) {
  return all_words(nbits, [=](unsigned w, unsigned long m) { return !(src[w] & m); });
}
bool bitmap_full(const unsigned long* src, unsigned nbits) {
  return all_words(nbits, [=](unsigned w, unsigned long m) { return !(~src[w] & m); });
}
unsigned bitmap_weight(const unsigned long* src, unsigned nbits) {
  unsigned n = 0;
  for (unsigned w = 0; w < BITS_TO_LONGS(nbits); w++) n += hweight_long(src[w] & word_mask(w, nbits));
  return n;
}
bool bitmap_and(unsigned long* dst, const unsigned long* a, const unsigned long* b, unsigned nbits) {
  return combine(dst, a, b, nbits, [](unsigned long x, unsigned long y) { return x & y; });
}
bool bitmap_andnot(unsigned long* dst, const unsigned long* a, const unsigned long* b, unsigned nbits) {
  return combine(dst, a, b, nbits, [](unsigned long x, unsigned long y) { return x & ~y; });
}
void bitmap_or(unsigned long* dst, const unsigned long* a, const unsigned long* b, unsigned nbits) {
  combine(dst, a, b, nbits, [](unsigned long x, unsigned long y) { return x | y; });
}
void bitmap_xor(unsigned long* dst, const unsigned long* a, const unsigned long* b, unsigned nbits) {
  combine(dst, a, b, nbits, [](unsigned long x, unsigned long y) { return x ^ y; });
}
void bitmap_complement(unsigned long* dst, const unsigned long* src, unsigned nbits) {
  combine(dst, src, src, nbits, [](unsigned long x, unsigned long) { return ~x; });
}

unsigned long bitmap_find_next_zero_area(const unsigned long* map, unsigned long size, unsigned long start, unsigned nr,
                                         unsigned long align_mask) {
  for (;;) {
    unsigned long at = (find_next_zero_bit(map, size, start) + align_mask) & ~align_mask;
    if (at + nr > size) return size;
    unsigned long taken = find_next_bit(map, at + nr, at);
    if (taken >= at + nr) return at;
    start = taken + 1;
  }
}

int bitmap_parselist(const char* s, unsigned long* map, int nbits) {
  auto number = [&s](unsigned* v) {
    if (!isdigit(*s)) return false;
    for (*v = 0; isdigit(*s) && *v < 1u << 28; s++) *v = *v * 10 + static_cast<unsigned>(*s - '0');
    return true;
  };
  bitmap_zero(map, static_cast<unsigned>(nbits));
  s = skip_spaces(s);
  while (*s) {
    unsigned lo, hi;
    if (!number(&lo)) return -EINVAL;
    hi = lo;
    if (*s == '-' && (s++, !number(&hi))) return -EINVAL;
    if (hi < lo) return -EINVAL;
    if (hi >= static_cast<unsigned>(nbits)) return -ERANGE;
    bitmap_set(map, lo, hi - lo + 1);
    s = skip_spaces(s);
    if (*s == ',') s = skip_spaces(s + 1);
    else if (*s) return -EINVAL;
  }
  return 0;
}

unsigned long* bitmap_alloc(unsigned nbits, gfp_t flags) {
  return static_cast<unsigned long*>(kmalloc_array(BITS_TO_LONGS(nbits), sizeof(long), flags));
}
unsigned long* bitmap_zalloc(unsigned nbits, gfp_t flags) { return bitmap_alloc(nbits, flags | __GFP_ZERO); }
void bitmap_free(const unsigned long* map) { kfree(map); }

}  // extern "C"
