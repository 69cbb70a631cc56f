// Limits of the integer types. Macros only: host headers include this file too.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_LIMITS_H
#define _LINUX_LIMITS_H
#ifndef INT_MAX
#define INT_MAX 0x7fffffff
#define INT_MIN (-INT_MAX - 1)
#define UINT_MAX 0xffffffffu
#define LONG_MAX 0x7fffffffffffffffl
#define LONG_MIN (-LONG_MAX - 1)
#define ULONG_MAX (~0ul)
#define USHRT_MAX 0xffff
#define SHRT_MAX 0x7fff
#define SHRT_MIN (-SHRT_MAX - 1)
#endif
#ifndef LLONG_MAX
#define LLONG_MAX 0x7fffffffffffffffll
#define LLONG_MIN (-LLONG_MAX - 1)
#define ULLONG_MAX (~0ull)
#endif
#define U8_MAX 0xffu
#define S8_MAX 0x7f
#define S8_MIN (-S8_MAX - 1)
#define U16_MAX 0xffffu
#define S16_MAX 0x7fff
#define S16_MIN (-S16_MAX - 1)
#define U32_MAX 0xffffffffu
#define S32_MAX 0x7fffffff
#define S32_MIN (-S32_MAX - 1)
#define U64_MAX 0xffffffffffffffffull
#define S64_MAX 0x7fffffffffffffffll
#define S64_MIN (-S64_MAX - 1)
#ifndef SIZE_MAX
#define SIZE_MAX (~0ul)
#endif
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif
#define PHYS_ADDR_MAX U64_MAX
#define PATH_MAX 4096
#define NAME_MAX 255
#endif
