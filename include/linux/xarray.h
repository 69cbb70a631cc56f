// XArray: an array of pointers indexed by unsigned long, sparse. Also the tree below the IDR. Readers need rcu_read_lock or the
// array's lock; xa_* functions that store take the lock themselves, __xa_* are called with it held.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_XARRAY_H
#define _LINUX_XARRAY_H
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/limits.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#define XA_CHUNK_SHIFT 6
#define XA_CHUNK_SIZE (1ul << XA_CHUNK_SHIFT)
#define XA_FLAGS_ALLOC 4u   /* finds free indices: from 0 */
#define XA_FLAGS_ALLOC1 12u /* from 1 */
#define XA_FLAGS_LOCK_IRQ 1u
#define XA_FLAGS_LOCK_BH 2u
struct xa_node;
struct xarray {
	spinlock_t xa_lock;
	gfp_t xa_flags;
	struct xa_node *xa_head; /* NULL: empty. RCU */
};
struct xa_limit { u32 max, min; };
#define XA_LIMIT(lo, hi) ((struct xa_limit){ .max = (hi), .min = (lo) })
#define xa_limit_32b XA_LIMIT(0, ~0u)
#define xa_limit_31b XA_LIMIT(0, 0x7fffffff)
#define xa_limit_16b XA_LIMIT(0, 0xffff)
#define XARRAY_INIT(name, flags) { __SPIN_LOCK_UNLOCKED(name.xa_lock), (flags), NULL }
#define DEFINE_XARRAY_FLAGS(name, flags) struct xarray name = XARRAY_INIT(name, flags)
#define DEFINE_XARRAY(name) DEFINE_XARRAY_FLAGS(name, 0)
#define DEFINE_XARRAY_ALLOC(name) DEFINE_XARRAY_FLAGS(name, XA_FLAGS_ALLOC)
#define DEFINE_XARRAY_ALLOC1(name) DEFINE_XARRAY_FLAGS(name, XA_FLAGS_ALLOC1)
CF_C_BEGIN
void xa_init_flags(struct xarray *xa, gfp_t flags);
void *xa_load(struct xarray *xa, unsigned long index);                         /* RCU or lock */
/* What was there before, or an xa_err() pointer. Storing NULL erases. */
void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *__xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *xa_erase(struct xarray *xa, unsigned long index);
void *__xa_erase(struct xarray *xa, unsigned long index);
void *xa_cmpxchg(struct xarray *xa, unsigned long index, void *old, void *entry, gfp_t gfp);
void *__xa_cmpxchg(struct xarray *xa, unsigned long index, void *old, void *entry, gfp_t gfp);
int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp); /* -EBUSY if taken */
/* 0; -EBUSY: none free; -ENOMEM. cyclic: 1 after a wrap. */
int xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp);
int __xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp);
int xa_alloc_cyclic(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, u32 *next, gfp_t gfp);
/* First entry at or after *index (find) or after it (find_after), up to max; sets *index. */
void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, unsigned filter);
void *xa_find_after(struct xarray *xa, unsigned long *index, unsigned long max, unsigned filter);
void xa_destroy(struct xarray *xa); /* frees the tree, not the entries */
CF_C_END
static inline void xa_init(struct xarray *xa) { xa_init_flags(xa, 0); }
static inline bool xa_empty(const struct xarray *xa) { return xa->xa_head == NULL; }
#define XA_PRESENT 8u
#define xa_lock(xa) spin_lock(&(xa)->xa_lock)
#define xa_unlock(xa) spin_unlock(&(xa)->xa_lock)
#define xa_lock_irq(xa) spin_lock_irq(&(xa)->xa_lock)
#define xa_unlock_irq(xa) spin_unlock_irq(&(xa)->xa_lock)
#define xa_lock_irqsave(xa, flags) spin_lock_irqsave(&(xa)->xa_lock, flags)
#define xa_unlock_irqrestore(xa, flags) spin_unlock_irqrestore(&(xa)->xa_lock, flags)
/* Small integers in place of pointers. */
static inline void *xa_mk_value(unsigned long v) { return (void *)(v << 1 | 1); }
static inline unsigned long xa_to_value(const void *entry) { return (unsigned long)entry >> 1; }
static inline bool xa_is_value(const void *entry) { return (unsigned long)entry & 1; }
static inline int xa_err(void *entry) { return IS_ERR(entry) ? (int)PTR_ERR(entry) : 0; }
static inline bool xa_is_err(const void *entry) { return IS_ERR(entry); }
#ifdef __cplusplus
#define CF_XA_CAST(lhs) (__typeof__(lhs))
#else
#define CF_XA_CAST(lhs)
#endif
#define xa_for_each_range(xa, index, entry, start, last)                                        \
	for (index = (start), entry = CF_XA_CAST(entry) xa_find(xa, &index, last, XA_PRESENT); entry; \
	     entry = CF_XA_CAST(entry) xa_find_after(xa, &index, last, XA_PRESENT))
#define xa_for_each_start(xa, index, entry, start) xa_for_each_range(xa, index, entry, start, ~0ul)
#define xa_for_each(xa, index, entry) xa_for_each_start(xa, index, entry, 0)
#endif
