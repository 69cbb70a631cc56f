// The hierarchy: cgroups and their controllers' states come and go; boot and the end of the world.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "kernel/cgroup/internal.hh"
#include "kernel/cgroup/namespace.hh"
#include "kernel/pid/pid.hh"

DEFINE_MUTEX(cgroup_mutex);
constinit Late<CgroupState> cgroups;
cgroup_subsys* cgroup_subsys_table[CGROUP_SUBSYS_COUNT];
SubsysMask cgroup_offered, cgroup_threaded;

void init_css_set_early();
void init_css_set_online();
void init_css_set_replace(int id, cgroup_subsys_state* css);
void init_css_set_offline();
void cgroup_note_fork_hooks();

// ---- References -----------------------------------------------------------------------------------------------------------------
namespace {

void free_cgroup(struct cgroup* c) {
  kfree(c->name);
  atomic_long_dec(&cgroups->nr_cgroups);
  kmem_cache_free(cgroups->cgroup_cache, c);
}

void free_css(rcu_head* head) {
  cgroup_subsys_state* css = container_of(head, cgroup_subsys_state, rcu);
  cgroup_subsys_state* parent = css->parent;
  if (!css->ss) {
    free_cgroup(css->cgroup);
  } else {
    struct cgroup* c = css->cgroup;
    css->ss->css_free(css);
    atomic_long_dec(&cgroups->nr_csses);
    css_unpin(&c->self);
  }
  if (parent) css_unpin(parent);
}

// A removed cgroup counts as dying in those above it until nothing refers to it.
void count_dying(struct cgroup* c, int delta) {
  for (struct cgroup* up = cgroup_parent(c); up; up = cgroup_parent(up)) WRITE_ONCE(up->nr_dying_descendants, up->nr_dying_descendants + delta);
}

}  // namespace

void css_unpin(cgroup_subsys_state* css) {
  if (refcount_dec_and_test(&css->pins)) call_rcu(&css->rcu, free_css);
}

// With its last user a css lets go of what it used itself; up the tree without recursion.
void css_put(cgroup_subsys_state* css) {
  while (css && refcount_dec_and_test(&css->refcnt)) {
    if (!css->ss && (css->flags & CSS_DYING)) {
      IrqSpinGuard guard(css_set_lock);
      count_dying(css->cgroup, -1);
    }
    cgroup_subsys_state* parent = css->parent;
    if (css->ss) css_put(&css->cgroup->self);
    css_unpin(css);
    css = parent;
  }
}

// ---- Walking -----------------------------------------------------------------------------------------------------------------------
namespace {

struct cgroup* first_child(struct cgroup* c) {
  return list_empty(&c->self.children) ? nullptr : list_first_entry(&c->self.children, cgroup_subsys_state, sibling)->cgroup;
}
struct cgroup* next_sibling(struct cgroup* c) {
  struct cgroup* parent = cgroup_parent(c);
  return list_is_last(&c->self.sibling, &parent->self.children) ? nullptr : list_next_entry(&c->self, sibling)->cgroup;
}
struct cgroup* leftmost(struct cgroup* c) {
  while (struct cgroup* down = first_child(c)) c = down;
  return c;
}

}  // namespace

struct cgroup* cgroup_next_pre(struct cgroup* at, struct cgroup* top) {
  if (struct cgroup* down = first_child(at)) return down;
  for (; at != top; at = cgroup_parent(at))
    if (struct cgroup* next = next_sibling(at)) return next;
  return nullptr;
}
struct cgroup* cgroup_first_post(struct cgroup* top) { return leftmost(top); }
struct cgroup* cgroup_next_post(struct cgroup* at, struct cgroup* top) {
  if (at == top) return nullptr;
  struct cgroup* next = next_sibling(at);
  return next ? leftmost(next) : cgroup_parent(at);
}

// ---- Controllers' states -------------------------------------------------------------------------------------------------------------
namespace {

// Owns one that is not part of its cgroup yet.
void init_css(cgroup_subsys_state* css, cgroup_subsys* ss, struct cgroup* c, cgroup_subsys_state* parent) {
  css->cgroup = c;
  css->ss = ss;
  css->parent = parent;
  css->flags = 0;
  refcount_set(&css->refcnt, 1);
  refcount_set(&css->pins, 1);
  INIT_LIST_HEAD(&css->sibling);
  INIT_LIST_HEAD(&css->children);
  if (parent) {
    css_get(parent);
    css_pin(parent);
  }
  if (ss) {
    cgroup_get(c);
    css_pin(&c->self);
    atomic_long_inc(&cgroups->nr_csses);
  }
}

}  // namespace

Result<cgroup_subsys_state*> css_create(struct cgroup* c, cgroup_subsys* ss) {
  struct cgroup* up = cgroup_parent(c);
  cgroup_subsys_state* parent = up ? cgroup_e_css(up, ss->id) : nullptr;
  cgroup_subsys_state* css = TRY(ss->css_alloc(parent));
  init_css(css, ss, c, parent);
  if (ss->css_online) {
    if (auto r = ss->css_online(css); !r) {
      css_put(css);
      return std::unexpected(r.error());
    }
  }
  css->flags = CSS_ONLINE;
  rcu_assign_pointer(c->subsys[ss->id], css);
  return css;
}

void kill_css(cgroup_subsys_state* css) {
  if (css->flags & CSS_DYING) return;
  css_clear_dir(css);
  WRITE_ONCE(css->flags, CSS_DYING);
  if (css->ss->css_offline) css->ss->css_offline(css);
  rcu_assign_pointer(css->cgroup->subsys[css->ss->id], nullptr);
  css_put(css);
}

// ---- Cgroups -----------------------------------------------------------------------------------------------------------------------------
namespace {

void init_cgroup(struct cgroup* c, struct cgroup* parent) {
  c->self.cgroup = c;
  init_css(&c->self, nullptr, c, parent ? &parent->self : nullptr);
  c->level = parent ? parent->level + 1 : 0;
  c->max_depth = c->max_descendants = INT_MAX;
  c->dom_cgrp = c;
  INIT_LIST_HEAD(&c->csets);
}

// cgroup.max.depth and cgroup.max.descendants of all above.
bool limits_allow_child(const struct cgroup* parent) {
  int level = 1;
  for (const struct cgroup* c = parent; c; c = cgroup_parent(c), level++)
    if (READ_ONCE(c->nr_descendants) >= c->max_descendants || level > c->max_depth) return false;
  return true;
}

}  // namespace

Result<struct cgroup*> cgroup_create(struct cgroup* parent, std::string_view name) {
  if (!limits_allow_child(parent)) return fail(EAGAIN);
  auto* c = static_cast<struct cgroup*>(kmem_cache_zalloc(cgroups->cgroup_cache, GFP_KERNEL));
  if (!c) return fail(ENOMEM);
  char* text = static_cast<char*>(kmalloc(name.size() + 1, GFP_KERNEL));
  if (!text) {
    kmem_cache_free(cgroups->cgroup_cache, c);
    return fail(ENOMEM);
  }
  memcpy(text, name.data(), name.size());
  text[name.size()] = 0;
  c->name = text;
  atomic_long_inc(&cgroups->nr_cgroups);
  init_cgroup(c, parent);
  c->self.flags = CSS_ONLINE;
  Result<void> r;
  for_each_subsys(cgroup_ss_mask(c), [&](cgroup_subsys& ss) {
    if (r)
      if (auto css = css_create(c, &ss); !css) r = std::unexpected(css.error());
  });
  if (r) return c;
  cgroup_abandon(c);
  return std::unexpected(r.error());
}

void cgroup_abandon(struct cgroup* c) {
  for (cgroup_subsys_state* css : c->subsys)
    if (css) kill_css(css);
  c->self.flags = 0;
  css_put(&c->self);
}

void cgroup_publish(struct cgroup* c) {
  struct cgroup* parent = cgroup_parent(c);
  list_add_tail(&c->self.sibling, &parent->self.children);
  cgroup_freezer_online(c);  // counts it
}

// cgroup_mutex held. A zombie does not keep a cgroup, a task that exits and has not come to cgroup_exit() yet does.
Result<void> cgroup_destroy(struct cgroup* c) {
  if (cgroup_is_populated(c) || !list_empty(&c->self.children)) return fail(EBUSY);
  for (cgroup_subsys_state* css : c->subsys)
    if (css) kill_css(css);
  css_clear_dir(&c->self);
  cgroup_forget_dir(c);
  cgroup_freezer_offline(c);
  if (cgroup_is_threaded(c)) cgroup_parent(c)->nr_threaded_children--;
  {
    IrqSpinGuard guard(css_set_lock);
    count_dying(c, 1);
    cgroup_inherit_times(c);
    WRITE_ONCE(c->self.flags, CSS_DYING);
  }
  list_del(&c->self.sibling);
  css_put(&c->self);
  return {};
}

// ---- World -----------------------------------------------------------------------------------------------------------------------------------

Result<void> cgroup_register_subsys(cgroup_subsys* ss) {
  MutexGuard guard(cgroup_mutex);
  cgroup_subsys_table[ss->id] = ss;
  auto css = css_create(cgroup_root(), ss);
  if (!css) {
    cgroup_subsys_table[ss->id] = nullptr;
    return std::unexpected(css.error());
  }
  css_get(*css);  // the first set's
  init_css_set_replace(ss->id, *css);
  cgroup_offered |= subsys_bit(ss->id);
  if (ss->threaded) cgroup_threaded |= subsys_bit(ss->id);
  cgroup_note_fork_hooks();
  return css_populate_dir(*css);
}

void cgroup_unregister_subsys(cgroup_subsys* ss) {
  MutexGuard guard(cgroup_mutex);
  cgroup_subsys_state* css = cgroup_root()->subsys[ss->id];
  init_css_set_replace(ss->id, nullptr);
  cgroup_offered &= ~subsys_bit(ss->id);
  cgroup_threaded &= ~subsys_bit(ss->id);
  cgroup_note_fork_hooks();
  kill_css(css);
  css_put(css);
  rcu_barrier();  // css_free has run
  cgroup_subsys_table[ss->id] = nullptr;
}

// Controllers that are offered.
static cgroup_subsys* const kBuiltIn[] = {&cpuset_cgrp_subsys, &cpu_cgrp_subsys, &pids_cgrp_subsys};

void cgroup_early_init() {
  init_css_set_early();
  threadgroup_lock_init();
}

void cgroup_init() {
  CgroupState& s = cgroups.construct();
  memset(static_cast<void*>(&s), 0, sizeof(s));
  s.set_cache = kmem_cache_create("css_set", sizeof(css_set), 0, SLAB_PANIC, nullptr);
  s.cgroup_cache = kmem_cache_create("cgroup", sizeof(struct cgroup), 0, SLAB_PANIC, nullptr);
  memset(cgroup_subsys_table, 0, sizeof(cgroup_subsys_table));
  cgroup_offered = cgroup_threaded = 0;
  cgroup_note_fork_hooks();
  init_cgroup(&s.root, nullptr);
  s.root.self.flags = CSS_ONLINE;
  s.root.name = "";
  init_css_set_online();
  cgroup_ns_init();
  cgroupfs_init();
  for (cgroup_subsys* ss : kBuiltIn) BUG_ON(!cgroup_register_subsys(ss));
}

namespace {

// What users made is not a leak: it goes with the world. Only kernel threads can still be in it.
void remove_all_cgroups() {
  MutexGuard guard(cgroup_mutex);
  while (!list_empty(&cgroup_root()->self.children)) {
    struct cgroup* c = cgroup_first_post(cgroup_root());
    if (cgroup_is_populated(c)) BUG_ON(!cgroup_migrate_all(c, cgroup_root()));
    BUG_ON(!cgroup_destroy(c));
  }
}

}  // namespace

void cgroup_quiesce() {
  remove_all_cgroups();
  cgroupfs_quiesce();
}

void cgroup_exit(LeakReport& report) {
  report.expect_zero("cgroups", atomic_long_read(&cgroups->nr_cgroups));
  report.expect_zero("css_sets", atomic_long_read(&cgroups->nr_sets));
  report.expect_zero("tasks in the root cgroup", init_css_set.nr_tasks);
  int offered = 0;
  for_each_subsys(cgroup_offered, [&](cgroup_subsys& ss) {
    offered++;
    cgroup_subsys_state* css = cgroup_root()->subsys[ss.id];
    report.expect_zero("references on a root css", static_cast<long>(refcount_read(&css->refcnt)) - 2);
    if (refcount_read(&css->refcnt) == 2 && refcount_read(&css->pins) == 1) {
      cgroup_put(css->cgroup);
      css_unpin(&css->cgroup->self);
      ss.css_free(css);
    }
  });
  report.expect_zero("controllers' states", atomic_long_read(&cgroups->nr_csses) - offered);
  cgroup_ns_exit(report);
  report.expect_zero("references on the root cgroup", static_cast<long>(refcount_read(&cgroup_root()->self.refcnt)) - 2);
  report.expect_zero("pins of the root cgroup", static_cast<long>(refcount_read(&cgroup_root()->self.pins)) - 1);
  init_css_set_offline();
  kmem_cache_destroy(cgroups->set_cache);
  kmem_cache_destroy(cgroups->cgroup_cache);
  kmem_cache_destroy(cgroups->inode_cache);
  cgroups.destroy();
}
