// 64-bit division and scaled multiplication.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_MATH64_H
#define _LINUX_MATH64_H
#include <linux/types.h>
static inline u64 div_u64_rem(u64 n, u32 d, u32 *rem) { *rem = (u32)(n % d); return n / d; }
static inline s64 div_s64_rem(s64 n, s32 d, s32 *rem) { *rem = (s32)(n % d); return n / d; }
static inline u64 div64_u64_rem(u64 n, u64 d, u64 *rem) { *rem = n % d; return n / d; }
static inline u64 div64_u64(u64 n, u64 d) { return n / d; }
static inline s64 div64_s64(s64 n, s64 d) { return n / d; }
static inline u64 div_u64(u64 n, u32 d) { return n / d; }
static inline s64 div_s64(s64 n, s32 d) { return n / d; }
static inline u64 mul_u32_u32(u32 a, u32 b) { return (u64)a * b; }
static inline u64 mul_u64_u32_shr(u64 a, u32 m, unsigned shift) { return (u64)(((unsigned __int128)a * m) >> shift); }
static inline u64 mul_u64_u64_shr(u64 a, u64 m, unsigned shift) { return (u64)(((unsigned __int128)a * m) >> shift); }
/* a*m/d with a 128-bit intermediate; saturates if the quotient does not fit. */
static inline u64 mul_u64_u64_div_u64(u64 a, u64 m, u64 d)
{
	u64 hi = (u64)(((unsigned __int128)a * m) >> 64), lo = a * m, quot = 0;
	int i;

	if (!hi)
		return lo / d;
	if (hi >= d)
		return ~0ull;
	for (i = 0; i < 64; i++) { /* long division: no 128-bit divide without a run-time library */
		bool carry = hi >> 63;

		hi = hi << 1 | lo >> 63;
		lo <<= 1;
		quot <<= 1;
		if (carry || hi >= d) {
			hi -= d;
			quot |= 1;
		}
	}
	return quot;
}
#define do_div(n, base)                                  \
	({                                               \
		u32 __base = (base);                     \
		u32 __rem = (u32)((u64)(n) % __base);    \
		(n) = (u64)(n) / __base;                 \
		__rem;                                   \
	})
#endif
