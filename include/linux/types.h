// Fixed-width and kernel-wide scalar types, and the small structs nearly everything embeds.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_TYPES_H
#define _LINUX_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s8 __s8;
typedef s16 __s16;
typedef s32 __s32;
typedef s64 __s64;

typedef long __kernel_ssize_t;
#ifndef __ssize_t_defined
typedef __kernel_ssize_t ssize_t;
#define __ssize_t_defined
#endif
#ifndef __pid_t_defined
typedef int pid_t;
#define __pid_t_defined
#endif
/* long, as host headers that the C++ library drags in have it: one mangling everywhere. */
#ifndef __loff_t_defined
typedef long loff_t;
#define __loff_t_defined
#endif
typedef unsigned short umode_t;
typedef unsigned gfp_t;
typedef u64 phys_addr_t;
typedef u64 sector_t;
typedef s64 ktime_t; /* nanoseconds */
typedef s64 time64_t;
typedef u32 dev32_t;
typedef unsigned __bitwise_poll_t;
typedef unsigned __poll_t;

typedef struct { unsigned val; } kuid_t;
typedef struct { unsigned val; } kgid_t;

typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;
typedef atomic64_t atomic_long_t;

struct list_head { struct list_head *next, *prev; };
struct hlist_head { struct hlist_node *first; };
struct hlist_node { struct hlist_node *next, **pprev; };

/* Also rcu_head: a callback to run later. */
struct callback_head {
	struct callback_head *next;
	void (*func)(struct callback_head *head);
};
#define rcu_head callback_head

#define __user
#define __iomem
#define __rcu
#define __percpu
#define __force
#define __must_check __attribute__((warn_unused_result))

#ifdef __cplusplus
#define CF_C_BEGIN extern "C" {
#define CF_C_END }
#else
#define CF_C_BEGIN
#define CF_C_END
#endif

#endif
