// Multiplicative hashing by the golden ratio.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_HASH_H
#define _LINUX_HASH_H
#include <linux/types.h>
#define GOLDEN_RATIO_32 0x61C88647u
#define GOLDEN_RATIO_64 0x61C8864680B583EBull
static inline u32 __hash_32(u32 val) { return val * GOLDEN_RATIO_32; }
#define __hash_32_generic __hash_32
static inline u32 hash_32(u32 val, unsigned bits) { return __hash_32(val) >> (32 - bits); }
static inline u32 hash_64(u64 val, unsigned bits) { return (u32)(val * GOLDEN_RATIO_64 >> (64 - bits)); }
#define hash_64_generic hash_64
#define hash_long(val, bits) hash_64(val, bits)
static inline u32 hash_ptr(const void *ptr, unsigned bits) { return hash_64((u64)(unsigned long)ptr, bits); }
static inline u32 hash32_ptr(const void *ptr) { unsigned long v = (unsigned long)ptr; return (u32)(v ^ v >> 32); }
#endif
