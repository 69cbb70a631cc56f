// Random numbers. Not cryptographic: a counter-mode mix keyed by the machine's entropy at boot.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_RANDOM_H
#define _LINUX_RANDOM_H
#include <linux/types.h>
CF_C_BEGIN
u64 get_random_u64(void); /* any context */
void get_random_bytes(void *buf, size_t n);
CF_C_END
static inline u32 get_random_u32(void) { return (u32)(get_random_u64() >> 32); }
static inline u16 get_random_u16(void) { return (u16)(get_random_u64() >> 48); }
static inline u8 get_random_u8(void) { return (u8)(get_random_u64() >> 56); }
static inline unsigned long get_random_long(void) { return get_random_u64(); }
static inline unsigned int get_random_int(void) { return get_random_u32(); }
static inline u32 prandom_u32(void) { return get_random_u32(); }
/* [0, ceil); ceil > 0 */
static inline u32 prandom_u32_max(u32 ceil) { return (u32)((u64)get_random_u32() * ceil >> 32); }
#endif
