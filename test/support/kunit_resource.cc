// KUnit resources and deferred actions: a list per case, freed youngest first.
// SPDX-License-Identifier: Apache-2.0
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "kernel/sync/guards.hh"
#include "test/support/kunit_internal.hh"

namespace {

// Takes one reference for the list.
int add(kunit* test, kunit_resource_init_t init, kunit_resource_free_t free, kunit_resource* res, void* data) {
  res->free = free;
  refcount_set(&res->refcount, 1);
  if (init) {
    if (int err = init(res, data)) return err;
  } else {
    res->data = data;
  }
  IrqSpinGuard guard(test->lock);
  list_add_tail(&res->node, &test->resources);
  return 0;
}

void drop(kunit_resource* res) {
  bool ours = res->should_kfree;
  if (res->free) res->free(res);
  if (ours) kfree(res);
}

struct Match {
  kunit_resource_free_t free;
  const void* data;
};
bool is_same(kunit*, kunit_resource* res, void* p) {
  auto* m = static_cast<Match*>(p);
  return res->free == m->free && res->data == m->data;
}

void free_memory(kunit_resource* res) { kfree(res->data); }

struct Action {
  kunit_resource res;
  kunit_action_t* call;
  void* ctx;
};
void run_action(kunit_resource* res) {
  auto* a = container_of(res, Action, res);
  a->call(a->ctx);
  kfree(a);
}
bool is_action(kunit*, kunit_resource* res, void* p) {
  if (res->free != run_action) return false;
  auto *a = container_of(res, Action, res), *wanted = static_cast<Action*>(p);
  return a->call == wanted->call && a->ctx == wanted->ctx;
}

// Off the list; the caller gets the list's reference.
kunit_resource* take(kunit* test, kunit_resource_match_t match, void* data) {
  IrqSpinGuard guard(test->lock);
  kunit_resource* res;
  list_for_each_entry_reverse(res, &test->resources, node) {
    if (!match(test, res, data)) continue;
    list_del(&res->node);
    return res;
  }
  return nullptr;
}
bool any_resource(kunit*, kunit_resource*, void*) { return true; }
bool has_name(kunit*, kunit_resource* res, void* name) {
  return res->name && !strcmp(res->name, static_cast<const char*>(name));
}

}  // namespace

void kunit_free_resources(kunit* test) {
  while (kunit_resource* res = take(test, any_resource, nullptr)) kunit_put_resource(res);
}

extern "C" {

kunit_resource* kunit_alloc_and_get_resource(kunit* test, kunit_resource_init_t init, kunit_resource_free_t free, gfp_t gfp,
                                             void* context) {
  auto* res = static_cast<kunit_resource*>(kzalloc(sizeof(kunit_resource), gfp));
  if (!res) return nullptr;
  res->should_kfree = true;
  if (add(test, init, free, res, context)) {
    kfree(res);
    return nullptr;
  }
  kunit_get_resource(res);
  return res;
}

void* kunit_alloc_resource(kunit* test, kunit_resource_init_t init, kunit_resource_free_t free, gfp_t gfp, void* context) {
  kunit_resource* res = kunit_alloc_and_get_resource(test, init, free, gfp, context);
  if (!res) return nullptr;
  void* data = res->data;
  kunit_put_resource(res);
  return data;
}

int kunit_add_resource(kunit* test, kunit_resource_init_t init, kunit_resource_free_t free, kunit_resource* res, void* data) {
  res->should_kfree = false;
  res->name = nullptr;
  return add(test, init, free, res, data);
}

int kunit_add_named_resource(kunit* test, kunit_resource_init_t init, kunit_resource_free_t free, kunit_resource* res,
                             const char* name, void* data) {
  if (kunit_resource* old = kunit_find_named_resource(test, name)) {
    kunit_put_resource(old);
    return -EEXIST;
  }
  res->should_kfree = false;
  res->name = name;
  return add(test, init, free, res, data);
}

kunit_resource* kunit_find_resource(kunit* test, kunit_resource_match_t match, void* data) {
  IrqSpinGuard guard(test->lock);
  kunit_resource* res;
  list_for_each_entry_reverse(res, &test->resources, node) {
    if (!match(test, res, data)) continue;
    kunit_get_resource(res);
    return res;
  }
  return nullptr;
}

kunit_resource* kunit_find_named_resource(kunit* test, const char* name) {
  return kunit_find_resource(test, has_name, const_cast<char*>(name));
}

void kunit_get_resource(kunit_resource* res) { refcount_inc(&res->refcount); }
void kunit_put_resource(kunit_resource* res) {
  if (refcount_dec_and_test(&res->refcount)) drop(res);
}

void kunit_remove_resource(kunit* test, kunit_resource* res) {
  {
    IrqSpinGuard guard(test->lock);
    list_del(&res->node);
  }
  kunit_put_resource(res);
}

int kunit_destroy_resource(kunit* test, kunit_resource_match_t match, void* data) {
  kunit_resource* res = take(test, match, data);
  if (!res) return -ENOENT;
  kunit_put_resource(res);
  return 0;
}

void* kunit_kmalloc_array(kunit* test, size_t n, size_t size, gfp_t gfp) {
  void* p = kmalloc_array(n, size, gfp);
  if (!p) return nullptr;
  if (!kunit_alloc_resource(test, nullptr, free_memory, GFP_KERNEL, p)) {
    kfree(p);
    return nullptr;
  }
  return p;
}
void* kunit_kcalloc(kunit* test, size_t n, size_t size, gfp_t gfp) { return kunit_kmalloc_array(test, n, size, gfp | __GFP_ZERO); }
void* kunit_kmalloc(kunit* test, size_t size, gfp_t gfp) { return kunit_kmalloc_array(test, 1, size, gfp); }
void* kunit_kzalloc(kunit* test, size_t size, gfp_t gfp) { return kunit_kmalloc(test, size, gfp | __GFP_ZERO); }
void kunit_kfree(kunit* test, const void* ptr) {
  Match m{free_memory, ptr};
  if (ptr) kunit_destroy_resource(test, is_same, &m);
}

int kunit_add_action(kunit* test, kunit_action_t* action, void* ctx) {
  auto* a = static_cast<Action*>(kzalloc(sizeof(Action), GFP_KERNEL));
  if (!a) return -ENOMEM;
  a->call = action;
  a->ctx = ctx;
  return kunit_add_resource(test, nullptr, run_action, &a->res, nullptr);
}

int kunit_add_action_or_reset(kunit* test, kunit_action_t* action, void* ctx) {
  int err = kunit_add_action(test, action, ctx);
  if (err) action(ctx);
  return err;
}

void kunit_remove_action(kunit* test, kunit_action_t* action, void* ctx) {
  Action wanted{{}, action, ctx};
  if (kunit_resource* res = take(test, is_action, &wanted)) kfree(container_of(res, Action, res));
}

void kunit_release_action(kunit* test, kunit_action_t* action, void* ctx) {
  Action wanted{{}, action, ctx};
  kunit_destroy_resource(test, is_action, &wanted);
}

}  // extern "C"
