// KUnit resources: what a case acquires and the harness gives back after it, in reverse order, even if an ASSERT ended it.
// SPDX-License-Identifier: Apache-2.0
#ifndef _KUNIT_RESOURCE_H
#define _KUNIT_RESOURCE_H
#include <linux/atomic.h>
#include <linux/types.h>

struct kunit;
struct kunit_resource;

typedef int (*kunit_resource_init_t)(struct kunit_resource *res, void *context);
typedef void (*kunit_resource_free_t)(struct kunit_resource *res);
typedef bool (*kunit_resource_match_t)(struct kunit *test, struct kunit_resource *res, void *match_data);
typedef void (kunit_action_t)(void *ctx);

struct kunit_resource {
	void *data;
	const char *name;
	kunit_resource_free_t free; /* called when the last reference goes */
	/* private */
	refcount_t refcount;
	struct list_head node;
	bool should_kfree;
};

CF_C_BEGIN
/* Null when there is no memory or init fails; `free` is not called then. May sleep if gfp lets it. */
struct kunit_resource *kunit_alloc_and_get_resource(struct kunit *test, kunit_resource_init_t init,
						    kunit_resource_free_t free, gfp_t gfp, void *context);
/* The same without a reference for the caller; returns the resource's data, as init set it. */
void *kunit_alloc_resource(struct kunit *test, kunit_resource_init_t init, kunit_resource_free_t free, gfp_t gfp,
			   void *context);
/* The caller's own struct, static or in its state. */
int kunit_add_resource(struct kunit *test, kunit_resource_init_t init, kunit_resource_free_t free,
		       struct kunit_resource *res, void *data);
int kunit_add_named_resource(struct kunit *test, kunit_resource_init_t init, kunit_resource_free_t free,
			     struct kunit_resource *res, const char *name, void *data);
/* The youngest that matches, with a reference; or null. */
struct kunit_resource *kunit_find_resource(struct kunit *test, kunit_resource_match_t match, void *match_data);
struct kunit_resource *kunit_find_named_resource(struct kunit *test, const char *name);
void kunit_get_resource(struct kunit_resource *res);
void kunit_put_resource(struct kunit_resource *res);
void kunit_remove_resource(struct kunit *test, struct kunit_resource *res);
int kunit_destroy_resource(struct kunit *test, kunit_resource_match_t match, void *match_data); /* 0 or -ENOENT */

void *kunit_kmalloc_array(struct kunit *test, size_t n, size_t size, gfp_t gfp);
void *kunit_kcalloc(struct kunit *test, size_t n, size_t size, gfp_t gfp);
void *kunit_kmalloc(struct kunit *test, size_t size, gfp_t gfp);
void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp);
void kunit_kfree(struct kunit *test, const void *ptr);

/* Deferred calls: run at the end of the case. */
int kunit_add_action(struct kunit *test, kunit_action_t *action, void *ctx);          /* 0 or -ENOMEM */
int kunit_add_action_or_reset(struct kunit *test, kunit_action_t *action, void *ctx); /* runs it when it fails */
void kunit_remove_action(struct kunit *test, kunit_action_t *action, void *ctx);
void kunit_release_action(struct kunit *test, kunit_action_t *action, void *ctx); /* runs it now */
CF_C_END
#endif
