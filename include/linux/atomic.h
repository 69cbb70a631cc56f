// atomic_t and atomic64_t with Linux's names and orderings: value-returning operations are full barriers, others are relaxed.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_ATOMIC_H
#define _LINUX_ATOMIC_H
#include <linux/compiler.h>
#include <linux/types.h>

#define ATOMIC_INIT(i) { (i) }
#define ATOMIC64_INIT(i) { (i) }
#define ATOMIC_LONG_INIT(i) { (i) }

#define CF_ATOMIC_OPS(pfx, type, T)                                                                              \
	static inline T pfx##_read(const type *v) { return __atomic_load_n(&v->counter, __ATOMIC_RELAXED); }     \
	static inline T pfx##_read_acquire(const type *v) { return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE); } \
	static inline void pfx##_set(type *v, T i) { __atomic_store_n(&v->counter, i, __ATOMIC_RELAXED); }       \
	static inline void pfx##_set_release(type *v, T i) { __atomic_store_n(&v->counter, i, __ATOMIC_RELEASE); } \
	static inline void pfx##_add(T i, type *v) { __atomic_fetch_add(&v->counter, i, __ATOMIC_RELAXED); }     \
	static inline void pfx##_sub(T i, type *v) { __atomic_fetch_sub(&v->counter, i, __ATOMIC_RELAXED); }     \
	static inline void pfx##_inc(type *v) { __atomic_fetch_add(&v->counter, 1, __ATOMIC_RELAXED); }          \
	static inline void pfx##_dec(type *v) { __atomic_fetch_sub(&v->counter, 1, __ATOMIC_RELAXED); }          \
	static inline void pfx##_or(T i, type *v) { __atomic_fetch_or(&v->counter, i, __ATOMIC_RELAXED); }       \
	static inline void pfx##_and(T i, type *v) { __atomic_fetch_and(&v->counter, i, __ATOMIC_RELAXED); }     \
	static inline void pfx##_andnot(T i, type *v) { __atomic_fetch_and(&v->counter, ~i, __ATOMIC_RELAXED); } \
	static inline T pfx##_add_return(T i, type *v) { return __atomic_add_fetch(&v->counter, i, __ATOMIC_SEQ_CST); } \
	static inline T pfx##_sub_return(T i, type *v) { return __atomic_sub_fetch(&v->counter, i, __ATOMIC_SEQ_CST); } \
	static inline T pfx##_inc_return(type *v) { return pfx##_add_return(1, v); }                             \
	static inline T pfx##_dec_return(type *v) { return pfx##_sub_return(1, v); }                             \
	static inline T pfx##_fetch_add(T i, type *v) { return __atomic_fetch_add(&v->counter, i, __ATOMIC_SEQ_CST); } \
	static inline T pfx##_fetch_sub(T i, type *v) { return __atomic_fetch_sub(&v->counter, i, __ATOMIC_SEQ_CST); } \
	static inline T pfx##_fetch_or(T i, type *v) { return __atomic_fetch_or(&v->counter, i, __ATOMIC_SEQ_CST); } \
	static inline T pfx##_fetch_and(T i, type *v) { return __atomic_fetch_and(&v->counter, i, __ATOMIC_SEQ_CST); } \
	static inline T pfx##_xchg(type *v, T n) { return __atomic_exchange_n(&v->counter, n, __ATOMIC_SEQ_CST); } \
	static inline T pfx##_cmpxchg(type *v, T old, T n)                                                       \
	{                                                                                                        \
		__atomic_compare_exchange_n(&v->counter, &old, n, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);    \
		return old;                                                                                      \
	}                                                                                                        \
	static inline bool pfx##_try_cmpxchg(type *v, T *old, T n)                                               \
	{                                                                                                        \
		return __atomic_compare_exchange_n(&v->counter, old, n, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED); \
	}                                                                                                        \
	static inline bool pfx##_dec_and_test(type *v) { return pfx##_dec_return(v) == 0; }                      \
	static inline bool pfx##_inc_and_test(type *v) { return pfx##_inc_return(v) == 0; }                      \
	static inline bool pfx##_sub_and_test(T i, type *v) { return pfx##_sub_return(i, v) == 0; }              \
	static inline bool pfx##_add_negative(T i, type *v) { return pfx##_add_return(i, v) < 0; }               \
	static inline bool pfx##_add_unless(type *v, T a, T u)                                                   \
	{                                                                                                        \
		T c = pfx##_read(v);                                                                             \
		while (c != u)                                                                                   \
			if (pfx##_try_cmpxchg(v, &c, c + a))                                                     \
				return true;                                                                     \
		return false;                                                                                    \
	}                                                                                                        \
	static inline bool pfx##_inc_not_zero(type *v) { return pfx##_add_unless(v, 1, 0); }

CF_ATOMIC_OPS(atomic, atomic_t, int)
CF_ATOMIC_OPS(atomic64, atomic64_t, s64)
CF_ATOMIC_OPS(atomic_long, atomic64_t, s64)
#undef CF_ATOMIC_OPS

#define smp_mb__before_atomic() smp_mb()
#define smp_mb__after_atomic() smp_mb()
#define xchg(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define cmpxchg(p, o, n)                                                                              \
	({ __typeof__(*(p)) __o = (o);                                                                \
	   __atomic_compare_exchange_n((p), &__o, (n), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED); __o; })
#define try_cmpxchg(p, po, n) __atomic_compare_exchange_n((p), (po), (n), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

/* refcount_t: saturates instead of wrapping; 0 is final. */
typedef struct { atomic_t refs; } refcount_t;
#define REFCOUNT_INIT(n) { .refs = ATOMIC_INIT(n) }
#define REFCOUNT_SATURATED ((int)0xc0000000)
static inline void refcount_set(refcount_t *r, int n) { atomic_set(&r->refs, n); }
static inline unsigned refcount_read(const refcount_t *r) { return (unsigned)atomic_read(&r->refs); }
static inline void refcount_add(int i, refcount_t *r)
{
	int old = __atomic_fetch_add(&r->refs.counter, i, __ATOMIC_RELAXED);
	if (unlikely(old <= 0))
		atomic_set(&r->refs, REFCOUNT_SATURATED); /* revived or overflown: leak rather than use after free */
}
static inline void refcount_inc(refcount_t *r) { refcount_add(1, r); }
static inline __must_check bool refcount_inc_not_zero(refcount_t *r) { return atomic_inc_not_zero(&r->refs); }
static inline __must_check bool refcount_sub_and_test(int i, refcount_t *r)
{
	return __atomic_fetch_sub(&r->refs.counter, i, __ATOMIC_ACQ_REL) == i;
}
static inline __must_check bool refcount_dec_and_test(refcount_t *r) { return refcount_sub_and_test(1, r); }
static inline __must_check bool refcount_dec_not_one(refcount_t *r) /* false: it is 1, and stays so */
{
	int n = __atomic_load_n(&r->refs.counter, __ATOMIC_RELAXED);
	while (n != 1)
		if (__atomic_compare_exchange_n(&r->refs.counter, &n, n - 1, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return true;
	return false;
}
static inline void refcount_dec(refcount_t *r) { atomic_dec(&r->refs); }
#endif
