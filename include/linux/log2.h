// Powers of two.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_LOG2_H
#define _LINUX_LOG2_H
#include <linux/types.h>
static inline __attribute__((const)) int cf_ilog2(u64 n) { return 63 - __builtin_clzll(n); }
#define ilog2(n) (__builtin_constant_p(n) ? ((n) < 2 ? 0 : 63 - __builtin_clzll(n)) : cf_ilog2(n))
static inline __attribute__((const)) bool is_power_of_2(unsigned long n) { return n != 0 && (n & (n - 1)) == 0; }
static inline __attribute__((const)) unsigned long __roundup_pow_of_two(unsigned long n) { return n <= 1 ? 1 : 1ul << (64 - __builtin_clzl(n - 1)); }
static inline __attribute__((const)) unsigned long __rounddown_pow_of_two(unsigned long n) { return 1ul << (63 - __builtin_clzl(n)); }
#define roundup_pow_of_two(n) __roundup_pow_of_two(n)
#define rounddown_pow_of_two(n) __rounddown_pow_of_two(n)
static inline __attribute__((const)) int order_base_2(unsigned long n) { return n <= 1 ? 0 : 64 - __builtin_clzl(n - 1); }
/* The order of the page block that holds size bytes. */
static inline __attribute__((const)) int get_order(unsigned long size) { return size <= 4096 ? 0 : 64 - __builtin_clzl((size - 1) >> 12); }
#endif
