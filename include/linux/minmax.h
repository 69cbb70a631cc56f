// min, max, clamp, swap: each argument evaluated once, both sides of one type.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_MINMAX_H
#define _LINUX_MINMAX_H
#include <linux/types.h>
#ifdef __cplusplus
/* Functions, so that std::min and members called min stay usable in C++. */
template <class A, class B> static constexpr inline auto cf_min(A a, B b) { return a < b ? a : b; }
template <class A, class B> static constexpr inline auto cf_max(A a, B b) { return a > b ? a : b; }
template <class T> static constexpr inline T min(T a, T b) { return b < a ? b : a; }
template <class T> static constexpr inline T max(T a, T b) { return a < b ? b : a; }
template <class T> static constexpr inline T min3(T a, T b, T c) { return min(min(a, b), c); }
template <class T> static constexpr inline T max3(T a, T b, T c) { return max(max(a, b), c); }
template <class T> static constexpr inline T clamp(T v, T lo, T hi) { return min(max(v, lo), hi); }
template <class T> static inline void swap(T &a, T &b) { T t = a; a = b; b = t; }
#define min_t(type, a, b) cf_min<type, type>((type)(a), (type)(b))
#define max_t(type, a, b) cf_max<type, type>((type)(a), (type)(b))
#define clamp_t(type, v, lo, hi) min_t(type, max_t(type, v, lo), hi)
#else
#define min(a, b) ({ __typeof__(a) __a = (a); __typeof__(b) __b = (b); (void)(&__a == &__b); __a < __b ? __a : __b; })
#define max(a, b) ({ __typeof__(a) __a = (a); __typeof__(b) __b = (b); (void)(&__a == &__b); __a > __b ? __a : __b; })
#define min3(a, b, c) min((__typeof__(a))min(a, b), c)
#define max3(a, b, c) max((__typeof__(a))max(a, b), c)
#define clamp(v, lo, hi) min((__typeof__(v))max(v, lo), hi)
#define min_t(type, a, b) ({ type __ta = (a), __tb = (b); __ta < __tb ? __ta : __tb; })
#define max_t(type, a, b) ({ type __ta = (a), __tb = (b); __ta > __tb ? __ta : __tb; })
#define clamp_t(type, v, lo, hi) min_t(type, max_t(type, v, lo), hi)
#define swap(a, b) do { __typeof__(a) __t = (a); (a) = (b); (b) = __t; } while (0)
#endif
#define clamp_val(v, lo, hi) clamp_t(__typeof__(v), v, lo, hi)
#define min_not_zero(x, y) ({ __typeof__(x) __x = (x); __typeof__(y) __y = (y); __x == 0 ? __y : (__y == 0 ? __x : min_t(__typeof__(x), __x, __y)); })
#endif
