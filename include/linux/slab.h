// Small objects: caches and kmalloc. kfree and kmem_cache_free: any context.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SLAB_H
#define _LINUX_SLAB_H
#include <linux/gfp.h>
#include <linux/overflow.h>
#include <linux/types.h>
#define SLAB_CONSISTENCY_CHECKS 0x00000100u
#define SLAB_RED_ZONE 0x00000400u
#define SLAB_POISON 0x00000800u
#define SLAB_HWCACHE_ALIGN 0x00002000u
#define SLAB_STORE_USER 0x00010000u
#define SLAB_RECLAIM_ACCOUNT 0x00020000u
#define SLAB_PANIC 0x00040000u
#define SLAB_TYPESAFE_BY_RCU 0x00080000u /* an object may be reused at once; its memory stays of this type for a grace period */
#define SLAB_MEM_SPREAD 0x00100000u
#define SLAB_NO_MERGE 0x01000000u
#define SLAB_ACCOUNT 0x04000000u
typedef unsigned slab_flags_t;
#define ZERO_SIZE_PTR ((void *)16)
#define ZERO_OR_NULL_PTR(p) ((unsigned long)(p) <= (unsigned long)ZERO_SIZE_PTR)
#define ARCH_KMALLOC_MINALIGN 8
#define KMALLOC_SHIFT_MAX 22
#define KMALLOC_MAX_SIZE (1ul << KMALLOC_SHIFT_MAX)
#define KMALLOC_MAX_CACHE_SIZE 8192
struct kmem_cache;
CF_C_BEGIN
/* ctor runs once for each object when its slab is made; an object is given back as constructed. NULL on failure. May sleep. */
struct kmem_cache *kmem_cache_create(const char *name, unsigned size, unsigned align, slab_flags_t flags, void (*ctor)(void *));
void kmem_cache_destroy(struct kmem_cache *s); /* warns and leaks if objects are left. May sleep */
int kmem_cache_shrink(struct kmem_cache *s);
void *kmem_cache_alloc(struct kmem_cache *s, gfp_t gfp);
void kmem_cache_free(struct kmem_cache *s, void *obj);
unsigned kmem_cache_size(struct kmem_cache *s);
int kmem_cache_alloc_bulk(struct kmem_cache *s, gfp_t gfp, size_t n, void **objs);
void kmem_cache_free_bulk(struct kmem_cache *s, size_t n, void **objs);

void *__kmalloc(size_t size, gfp_t gfp);
void *__kmalloc_index(unsigned index, size_t size, gfp_t gfp);
void *krealloc(const void *p, size_t size, gfp_t gfp);
void kfree(const void *p);
void kfree_sensitive(const void *p);
size_t ksize(const void *p);
void *kvmalloc(size_t size, gfp_t gfp);
unsigned long slab_pages_in_use(void); /* of all caches and large kmallocs */
void *kvrealloc(const void *p, size_t oldsize, size_t newsize, gfp_t gfp);
void kvfree(const void *p);
CF_C_END
#define kmem_cache_zalloc(s, gfp) kmem_cache_alloc((s), (gfp) | __GFP_ZERO)
#define kmem_cache_alloc_node(s, gfp, node) kmem_cache_alloc((s), (gfp))
#define KMEM_CACHE(name, flags) kmem_cache_create(#name, sizeof(struct name), __alignof__(struct name), (flags), NULL)

/* Classes 8 16 32 64 96 128 192 256 512 1k 2k 4k 8k; -1: too large for one (or zero). */
static inline __attribute__((always_inline)) int kmalloc_index(size_t size)
{
	if (size == 0 || size > KMALLOC_MAX_CACHE_SIZE) return -1;
	if (size <= 8) return 0;
	if (size <= 16) return 1;
	if (size <= 32) return 2;
	if (size <= 64) return 3;
	if (size <= 96) return 4;
	if (size <= 128) return 5;
	if (size <= 192) return 6;
	if (size <= 256) return 7;
	if (size <= 512) return 8;
	if (size <= 1024) return 9;
	if (size <= 2048) return 10;
	if (size <= 4096) return 11;
	return 12;
}
#define KMALLOC_CLASSES 13
static inline __attribute__((always_inline)) void *kmalloc(size_t size, gfp_t gfp)
{
	if (__builtin_constant_p(size) && size > 0 && size <= KMALLOC_MAX_CACHE_SIZE)
		return __kmalloc_index((unsigned)kmalloc_index(size), size, gfp);
	return __kmalloc(size, gfp);
}
static inline __attribute__((always_inline)) void *kzalloc(size_t size, gfp_t gfp) { return kmalloc(size, gfp | __GFP_ZERO); }
static inline void *kmalloc_array(size_t n, size_t size, gfp_t gfp) { return __kmalloc(size_mul(n, size), gfp); }
static inline void *kcalloc(size_t n, size_t size, gfp_t gfp) { return kmalloc_array(n, size, gfp | __GFP_ZERO); }
static inline void *krealloc_array(void *p, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes = size_mul(n, size);
	return bytes == SIZE_MAX ? NULL : krealloc(p, bytes, gfp);
}
static inline void *kvzalloc(size_t size, gfp_t gfp) { return kvmalloc(size, gfp | __GFP_ZERO); }
static inline void *kvmalloc_array(size_t n, size_t size, gfp_t gfp) { return kvmalloc(size_mul(n, size), gfp); }
static inline void *kvcalloc(size_t n, size_t size, gfp_t gfp) { return kvmalloc_array(n, size, gfp | __GFP_ZERO); }
#define kmalloc_node(size, gfp, node) kmalloc((size), (gfp))
#define kzalloc_node(size, gfp, node) kzalloc((size), (gfp))
#define kvmalloc_node(size, gfp, node) kvmalloc((size), (gfp))
#define kvzalloc_node(size, gfp, node) kvzalloc((size), (gfp))
#endif
