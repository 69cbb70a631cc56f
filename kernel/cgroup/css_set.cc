// Sets of effective controller states: found by what they hold, shared by the tasks that have the same.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup/internal.hh"

DEFINE_SPINLOCK(css_set_lock);
css_set init_css_set;

// One that is being disabled is there until the tasks have left it.
cgroup_subsys_state* cgroup_e_css(struct cgroup* c, int id) {
  for (; cgroup_parent(c); c = cgroup_parent(c))
    if (c->subsys[id] && (cgroup_ss_mask(c) & subsys_bit(id))) return c->subsys[id];
  return c->subsys[id];
}

namespace {

struct Wanted {
  struct cgroup* cgrp;
  cgroup_subsys_state* subsys[CGROUP_SUBSYS_COUNT];
};

Wanted wanted_for(struct cgroup* c) {
  Wanted w{c, {}};
  for (int id = 0; id < CGROUP_SUBSYS_COUNT; id++) w.subsys[id] = cgroup_e_css(c, id);
  return w;
}

hlist_head* bucket_of(cgroup_subsys_state* const* subsys, const struct cgroup* c) {
  u64 key = reinterpret_cast<unsigned long>(c) / 64;
  for (int id = 0; id < CGROUP_SUBSYS_COUNT; id++) key = key * 31 + reinterpret_cast<unsigned long>(subsys[id]) / 16;
  return &cgroups->sets[(key * 0x61C8864680B583EBull) >> 57];
}

bool matches(const css_set* c, const Wanted& w) {
  if (c->dfl_cgrp != w.cgrp) return false;
  for (int id = 0; id < CGROUP_SUBSYS_COUNT; id++)
    if (c->subsys[id] != w.subsys[id]) return false;
  return true;
}

css_set* find_existing(const Wanted& w) {
  IrqSpinGuard guard(css_set_lock);
  css_set* c;
  hlist_for_each_entry(c, bucket_of(w.subsys, w.cgrp), hlist) {
    if (!matches(c, w)) continue;
    get_css_set(c);
    return c;
  }
  return nullptr;
}

void init_lists(css_set* c) {
  for (list_head* l : {&c->tasks, &c->mg_tasks, &c->dying_tasks, &c->cgrp_link, &c->mg_node}) INIT_LIST_HEAD(l);
  INIT_HLIST_NODE(&c->hlist);
}

void fill(css_set* c, const Wanted& w) {
  c->dfl_cgrp = w.cgrp;
  cgroup_get(w.cgrp);
  for (int id = 0; id < CGROUP_SUBSYS_COUNT; id++)
    if ((c->subsys[id] = w.subsys[id])) css_get(w.subsys[id]);
}

void make_findable(css_set* c) {
  IrqSpinGuard guard(css_set_lock);
  hlist_add_head(&c->hlist, bucket_of(c->subsys, c->dfl_cgrp));
  list_add_tail(&c->cgrp_link, &c->dfl_cgrp->csets);
}

// Nobody can find it any more. Its css references go after the grace period, too: readers go from the set to them.
void free_css_set(rcu_head* head) {
  css_set* c = container_of(head, css_set, rcu);
  for (cgroup_subsys_state* css : c->subsys)
    if (css) css_put(css);
  cgroup_put(c->dfl_cgrp);
  atomic_long_dec(&cgroups->nr_sets);
  kmem_cache_free(cgroups->set_cache, c);
}

}  // namespace

// cgroup_mutex makes us the only one who adds sets.
Result<css_set*> find_css_set(struct cgroup* cgrp) {
  const Wanted w = wanted_for(cgrp);
  if (css_set* c = find_existing(w)) return c;
  auto* c = static_cast<css_set*>(kmem_cache_zalloc(cgroups->set_cache, GFP_KERNEL));
  if (!c) return fail(ENOMEM);
  refcount_set(&c->refcount, 1);
  init_lists(c);
  fill(c, w);
  atomic_long_inc(&cgroups->nr_sets);
  make_findable(c);
  return c;
}

void put_css_set_locked(css_set* c) {
  if (!refcount_dec_and_test(&c->refcount)) return;
  hlist_del(&c->hlist);
  list_del(&c->cgrp_link);
  call_rcu(&c->rcu, free_css_set);
}

void put_css_set_slow(css_set* c) {
  IrqSpinGuard guard(css_set_lock);
  put_css_set_locked(c);
}

// The first set is where the idle tasks are, too, who hold no reference; its own keeps it for ever.
void init_css_set_early() {
  init_css_set = {};
  refcount_set(&init_css_set.refcount, 1);
  init_lists(&init_css_set);
}

void init_css_set_online() {
  fill(&init_css_set, wanted_for(cgroup_root()));
  make_findable(&init_css_set);
}

// A controller came or went while there is only the root: same set, other place in the table.
void init_css_set_replace(int id, cgroup_subsys_state* css) {
  IrqSpinGuard guard(css_set_lock);
  hlist_del(&init_css_set.hlist);
  WRITE_ONCE(init_css_set.subsys[id], css);
  hlist_add_head(&init_css_set.hlist, bucket_of(init_css_set.subsys, init_css_set.dfl_cgrp));
}

void init_css_set_offline() {
  IrqSpinGuard guard(css_set_lock);
  hlist_del(&init_css_set.hlist);
  list_del(&init_css_set.cgrp_link);
}

// ---- Populated ---------------------------------------------------------------------------------------------------------------

// A set of c became (1) or is no longer (-1) populated: c's event file tells, and each ancestor's for which that is news.
static void cgroup_update_populated(struct cgroup* c, int delta) {
  struct cgroup* child = nullptr;
  for (; c; child = c, c = cgroup_parent(c)) {
    const bool was = cgroup_is_populated(c);
    int& n = !child                     ? c->nr_populated_csets
             : cgroup_is_threaded(child) ? c->nr_populated_threaded_children
                                         : c->nr_populated_domain_children;
    WRITE_ONCE(n, n + delta);
    if (was == cgroup_is_populated(c)) return;
    if (c->events_file) cgroup_file_notify(c->events_file);
  }
}

void css_set_update_populated(css_set* c, int populated) { cgroup_update_populated(c->dfl_cgrp, populated ? 1 : -1); }

// Counting first the new set and then the old one, so that a cgroup which keeps a task does not blink.
void css_set_move_task(task_struct* t, css_set* from, css_set* to, list_head css_set::* list) {
  if (to && !to->nr_tasks++) css_set_update_populated(to, 1);
  if (from) {
    list_del_init(&t->cg_list);
    if (!--from->nr_tasks) css_set_update_populated(from, 0);
  }
  if (!to) return;
  rcu_assign_pointer(t->cgroups, to);
  list_add_tail(&t->cg_list, &(to->*list));
}
