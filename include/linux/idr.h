// IDR: small integers to pointers; IDA: small integers alone. The caller's lock serialises changes; idr_find and the walks may
// run under rcu_read_lock alone.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_IDR_H
#define _LINUX_IDR_H
#include <linux/xarray.h>
struct idr {
	struct xarray idr_rt; /* its lock is not used */
	unsigned idr_base, idr_next;
};
#define IDR_INIT(name) { XARRAY_INIT(name.idr_rt, XA_FLAGS_ALLOC), 0, 0 }
#define DEFINE_IDR(name) struct idr name = IDR_INIT(name)
CF_C_BEGIN
void idr_init(struct idr *idr);
/* The lowest free id in [start, end) (end <= 0: INT_MAX + 1), or -ENOMEM, -ENOSPC. The pointer may be NULL: the id is then taken. */
int idr_alloc(struct idr *idr, void *ptr, int start, int end, gfp_t gfp);
/* From the one after the last handed out, wrapping. */
int idr_alloc_cyclic(struct idr *idr, void *ptr, int start, int end, gfp_t gfp);
int idr_alloc_u32(struct idr *idr, void *ptr, u32 *id, unsigned long max, gfp_t gfp);
void *idr_remove(struct idr *idr, unsigned long id);
void *idr_find(const struct idr *idr, unsigned long id);
void *idr_replace(struct idr *idr, void *ptr, unsigned long id); /* the old one, or ERR_PTR(-ENOENT) */
void *idr_get_next(struct idr *idr, int *id);                    /* first with an id >= *id whose pointer is not NULL */
void *idr_get_next_ul(struct idr *idr, unsigned long *id);
int idr_for_each(const struct idr *idr, int (*fn)(int id, void *p, void *data), void *data);
void idr_destroy(struct idr *idr);
bool idr_is_empty(const struct idr *idr);
/* Between preload (may sleep) and preload_end (preemption is off) idr_alloc(..., GFP_NOWAIT) does not fail for want of memory. */
void idr_preload(gfp_t gfp);
void idr_preload_end(void);
CF_C_END
static inline void idr_init_base(struct idr *idr, int base) { idr_init(idr); idr->idr_base = (unsigned)base; }
static inline void idr_set_cursor(struct idr *idr, unsigned v) { WRITE_ONCE(idr->idr_next, v); }
static inline unsigned idr_get_cursor(const struct idr *idr) { return READ_ONCE(idr->idr_next); }
#define idr_for_each_entry(idr, entry, id) \
	for (id = 0; ((entry) = CF_XA_CAST(entry) idr_get_next(idr, &(id))) != NULL; id += 1)
#define idr_for_each_entry_continue(idr, entry, id) \
	for ((entry) = CF_XA_CAST(entry) idr_get_next((idr), &(id)); (entry); ++id, (entry) = CF_XA_CAST(entry) idr_get_next((idr), &(id)))

#define IDA_BITMAP_BITS 1024
struct ida { struct xarray xa; }; /* its lock, with interrupts off: any context */
#define IDA_INIT(name) { XARRAY_INIT(name.xa, XA_FLAGS_ALLOC) }
#define DEFINE_IDA(name) struct ida name = IDA_INIT(name)
CF_C_BEGIN
void ida_init(struct ida *ida);
int ida_alloc_range(struct ida *ida, unsigned min, unsigned max, gfp_t gfp); /* -ENOSPC, -ENOMEM */
void ida_free(struct ida *ida, unsigned id);
void ida_destroy(struct ida *ida);
CF_C_END
static inline int ida_alloc(struct ida *ida, gfp_t gfp) { return ida_alloc_range(ida, 0, ~0u, gfp); }
static inline int ida_alloc_min(struct ida *ida, unsigned min, gfp_t gfp) { return ida_alloc_range(ida, min, ~0u, gfp); }
static inline int ida_alloc_max(struct ida *ida, unsigned max, gfp_t gfp) { return ida_alloc_range(ida, 0, max, gfp); }
static inline bool ida_is_empty(const struct ida *ida) { return xa_empty(&ida->xa); }
#endif
