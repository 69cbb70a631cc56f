// Bit operations on arrays of unsigned long. set_bit & co. are atomic, __set_bit & co. are not; test_and_* are full barriers.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_BITOPS_H
#define _LINUX_BITOPS_H
#include <linux/compiler.h>
#include <linux/types.h>
#define BITS_PER_LONG 64
#define BITS_PER_LONG_LONG 64
#define BITS_PER_BYTE 8
#define BITS_PER_TYPE(t) (sizeof(t) * BITS_PER_BYTE)
#define BITS_TO_LONGS(n) (((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define BITS_TO_BYTES(n) (((n) + 7) / 8)
#define BIT(n) (1ul << (n))
#define BIT_ULL(n) (1ull << (n))
#define BIT_MASK(n) (1ul << ((n) % BITS_PER_LONG))
#define BIT_WORD(n) ((n) / BITS_PER_LONG)
#define GENMASK(h, l) (((~0ul) << (l)) & (~0ul >> (BITS_PER_LONG - 1 - (h))))
#define GENMASK_ULL(h, l) GENMASK(h, l)
#define DECLARE_BITMAP(name, bits) unsigned long name[BITS_TO_LONGS(bits)]

static __always_inline void set_bit(long nr, unsigned long *p) { __atomic_fetch_or(p + BIT_WORD(nr), BIT_MASK(nr), __ATOMIC_RELAXED); }
static __always_inline void clear_bit(long nr, unsigned long *p) { __atomic_fetch_and(p + BIT_WORD(nr), ~BIT_MASK(nr), __ATOMIC_RELAXED); }
static __always_inline void change_bit(long nr, unsigned long *p) { __atomic_fetch_xor(p + BIT_WORD(nr), BIT_MASK(nr), __ATOMIC_RELAXED); }
static __always_inline void clear_bit_unlock(long nr, unsigned long *p) { __atomic_fetch_and(p + BIT_WORD(nr), ~BIT_MASK(nr), __ATOMIC_RELEASE); }
static __always_inline bool test_bit(long nr, const unsigned long *p) { return READ_ONCE(p[BIT_WORD(nr)]) >> (nr % BITS_PER_LONG) & 1; }
static __always_inline bool test_bit_acquire(long nr, const unsigned long *p) { return __atomic_load_n(p + BIT_WORD(nr), __ATOMIC_ACQUIRE) >> (nr % BITS_PER_LONG) & 1; }
static __always_inline bool test_and_set_bit(long nr, unsigned long *p) { return __atomic_fetch_or(p + BIT_WORD(nr), BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr); }
static __always_inline bool test_and_clear_bit(long nr, unsigned long *p) { return __atomic_fetch_and(p + BIT_WORD(nr), ~BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr); }
static __always_inline bool test_and_change_bit(long nr, unsigned long *p) { return __atomic_fetch_xor(p + BIT_WORD(nr), BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr); }
static __always_inline bool test_and_set_bit_lock(long nr, unsigned long *p) { return __atomic_fetch_or(p + BIT_WORD(nr), BIT_MASK(nr), __ATOMIC_ACQUIRE) & BIT_MASK(nr); }
static __always_inline void __set_bit(long nr, unsigned long *p) { p[BIT_WORD(nr)] |= BIT_MASK(nr); }
static __always_inline void __clear_bit(long nr, unsigned long *p) { p[BIT_WORD(nr)] &= ~BIT_MASK(nr); }
static __always_inline void __change_bit(long nr, unsigned long *p) { p[BIT_WORD(nr)] ^= BIT_MASK(nr); }
static __always_inline bool __test_and_set_bit(long nr, unsigned long *p)
{
	bool old = p[BIT_WORD(nr)] & BIT_MASK(nr);
	p[BIT_WORD(nr)] |= BIT_MASK(nr);
	return old;
}
static __always_inline bool __test_and_clear_bit(long nr, unsigned long *p)
{
	bool old = p[BIT_WORD(nr)] & BIT_MASK(nr);
	p[BIT_WORD(nr)] &= ~BIT_MASK(nr);
	return old;
}
static __always_inline void __assign_bit(long nr, unsigned long *p, bool v) { if (v) __set_bit(nr, p); else __clear_bit(nr, p); }
static __always_inline void assign_bit(long nr, unsigned long *p, bool v) { if (v) set_bit(nr, p); else clear_bit(nr, p); }

/* ffs/fls count from 1 (0: none); __ffs/__fls/ffz count from 0 and need a bit to find. */
#ifdef __cplusplus
static __always_inline int cf_ffs(int x) { return __builtin_ffs(x); }
#else
static __always_inline int cf_ffs(int x) { return __builtin_ffs(x); }
#endif
#define ffs(x) cf_ffs(x)
static __always_inline int fls(unsigned x) { return x ? 32 - __builtin_clz(x) : 0; }
static __always_inline int fls64(u64 x) { return x ? 64 - __builtin_clzll(x) : 0; }
static __always_inline unsigned fls_long(unsigned long x) { return (unsigned)fls64(x); }
static __always_inline unsigned long __ffs(unsigned long x) { return (unsigned long)__builtin_ctzl(x); }
static __always_inline unsigned long __ffs64(u64 x) { return (unsigned long)__builtin_ctzll(x); }
static __always_inline unsigned long __fls(unsigned long x) { return 63ul - (unsigned long)__builtin_clzl(x); }
static __always_inline unsigned long ffz(unsigned long x) { return __ffs(~x); }
static inline unsigned hweight64(u64 x)
{
	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (unsigned)(x * 0x0101010101010101ull >> 56);
}
static inline unsigned hweight32(u32 x) { return hweight64(x); }
static inline unsigned hweight16(u16 x) { return hweight64(x); }
static inline unsigned hweight8(u8 x) { return hweight64(x); }
static inline unsigned hweight_long(unsigned long x) { return hweight64(x); }
static inline u32 rol32(u32 w, unsigned s) { return w << (s & 31) | w >> (-s & 31); }
static inline u32 ror32(u32 w, unsigned s) { return w >> (s & 31) | w << (-s & 31); }
static inline u64 rol64(u64 w, unsigned s) { return w << (s & 63) | w >> (-s & 63); }
static inline u64 ror64(u64 w, unsigned s) { return w >> (s & 63) | w << (-s & 63); }
static inline s32 sign_extend32(u32 v, int index) { return (s32)(v << (31 - index)) >> (31 - index); }
static inline s64 sign_extend64(u64 v, int index) { return (s64)(v << (63 - index)) >> (63 - index); }

/* Return size if there is none. */
static inline unsigned long find_next_bit(const unsigned long *p, unsigned long size, unsigned long off)
{
	unsigned long w, word;
	if (off >= size)
		return size;
	w = off / BITS_PER_LONG;
	word = p[w] & (~0ul << (off % BITS_PER_LONG));
	while (!word) {
		if (++w * BITS_PER_LONG >= size)
			return size;
		word = p[w];
	}
	off = w * BITS_PER_LONG + __ffs(word);
	return off < size ? off : size;
}
static inline unsigned long find_next_zero_bit(const unsigned long *p, unsigned long size, unsigned long off)
{
	unsigned long w, word;
	if (off >= size)
		return size;
	w = off / BITS_PER_LONG;
	word = ~p[w] & (~0ul << (off % BITS_PER_LONG));
	while (!word) {
		if (++w * BITS_PER_LONG >= size)
			return size;
		word = ~p[w];
	}
	off = w * BITS_PER_LONG + __ffs(word);
	return off < size ? off : size;
}
static inline unsigned long find_first_bit(const unsigned long *p, unsigned long size) { return find_next_bit(p, size, 0); }
static inline unsigned long find_first_zero_bit(const unsigned long *p, unsigned long size) { return find_next_zero_bit(p, size, 0); }
static inline unsigned long find_last_bit(const unsigned long *p, unsigned long size)
{
	unsigned long i = size;
	while (i--)
		if (test_bit((long)i, p))
			return i;
	return size;
}
#define for_each_set_bit(bit, p, size) \
	for ((bit) = find_first_bit(p, size); (bit) < (size); (bit) = find_next_bit(p, size, (bit) + 1))
#define for_each_clear_bit(bit, p, size) \
	for ((bit) = find_first_zero_bit(p, size); (bit) < (size); (bit) = find_next_zero_bit(p, size, (bit) + 1))
#endif
