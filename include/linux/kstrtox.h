// Strings to numbers. kstrto*: 0, -EINVAL (not a number), -ERANGE; one trailing newline is accepted; base 0 detects 0x and 0.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_KSTRTOX_H
#define _LINUX_KSTRTOX_H
#include <linux/types.h>
CF_C_BEGIN
int __must_check kstrtoull(const char *s, unsigned base, unsigned long long *res);
int __must_check kstrtoll(const char *s, unsigned base, long long *res);
int __must_check kstrtoul(const char *s, unsigned base, unsigned long *res);
int __must_check kstrtol(const char *s, unsigned base, long *res);
int __must_check kstrtouint(const char *s, unsigned base, unsigned *res);
int __must_check kstrtoint(const char *s, unsigned base, int *res);
int __must_check kstrtou16(const char *s, unsigned base, u16 *res);
int __must_check kstrtos16(const char *s, unsigned base, s16 *res);
int __must_check kstrtou8(const char *s, unsigned base, u8 *res);
int __must_check kstrtos8(const char *s, unsigned base, s8 *res);
int __must_check kstrtobool(const char *s, bool *res); /* y Y 1 on t; n N 0 off f */
unsigned long long simple_strtoull(const char *s, char **end, unsigned base);
long long simple_strtoll(const char *s, char **end, unsigned base);
unsigned long simple_strtoul(const char *s, char **end, unsigned base);
long simple_strtol(const char *s, char **end, unsigned base);
CF_C_END
static inline int __must_check kstrtou64(const char *s, unsigned base, u64 *res) { return kstrtoull(s, base, res); }
static inline int __must_check kstrtos64(const char *s, unsigned base, s64 *res) { return kstrtoll(s, base, res); }
static inline int __must_check kstrtou32(const char *s, unsigned base, u32 *res) { return kstrtouint(s, base, res); }
static inline int __must_check kstrtos32(const char *s, unsigned base, s32 *res) { return kstrtoint(s, base, res); }
#endif
