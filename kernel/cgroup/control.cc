// Which controllers are enabled where, and which cgroups are threaded: the rules of cgroups(7), and carrying them out.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup/internal.hh"

// ---- Types -------------------------------------------------------------------------------------------------------------------

// Nobody may be told apart by domain controllers below it.
bool cgroup_can_be_thread_root(const struct cgroup* c) {
  if (cgroup_is_mixable(c)) return true;
  return !READ_ONCE(c->nr_populated_domain_children) && !(c->subtree_control & ~cgroup_threaded);
}

bool cgroup_is_thread_root(const struct cgroup* c) {
  if (cgroup_is_threaded(c)) return false;
  if (c->nr_threaded_children) return true;
  return cgroup_has_tasks(c) && (c->subtree_control & cgroup_threaded);
}

// A domain below a thread root, or below a threaded cgroup, is of no use until it is made threaded.
bool cgroup_is_valid_domain(const struct cgroup* c) {
  if (cgroup_is_threaded(c)) return false;
  for (const struct cgroup* up = cgroup_parent(c); up; up = cgroup_parent(up)) {
    if (!cgroup_is_mixable(up) && cgroup_is_thread_root(up)) return false;
    if (cgroup_is_threaded(up)) return false;
  }
  return true;
}

const char* cgroup_type_name(const struct cgroup* c) {
  if (cgroup_is_threaded(c)) return "threaded";
  if (!cgroup_is_valid_domain(c)) return "domain invalid";
  return cgroup_is_thread_root(c) ? "domain threaded" : "domain";
}

// ---- What is enabled ------------------------------------------------------------------------------------------------------------

SubsysMask cgroup_control(const struct cgroup* c) {
  const struct cgroup* up = cgroup_parent(c);
  const SubsysMask above = up ? up->subtree_control : cgroup_offered;
  return cgroup_is_threaded(c) ? above & cgroup_threaded : above;
}

SubsysMask cgroup_ss_mask(const struct cgroup* c) { return cgroup_control(c); }

Result<void> cgroup_apply_control_enable(struct cgroup* top) {
  struct cgroup* c;
  for_each_descendant_pre(c, top) {
    Result<void> r;
    for_each_subsys(cgroup_ss_mask(c), [&](cgroup_subsys& ss) {
      if (!r) return;
      if (!c->subsys[ss.id]) {
        if (auto css = css_create(c, &ss); !css) r = std::unexpected(css.error());
      }
      if (r) r = css_populate_dir(c->subsys[ss.id]);
    });
    TRY(r);
  }
  return {};
}

void cgroup_apply_control_disable(struct cgroup* top) {
  struct cgroup* c;
  for_each_descendant_post(c, top) {
    const unsigned keep = cgroup_ss_mask(c);
    for (cgroup_subsys_state* css : c->subsys)
      if (css && !(keep >> css->ss->id & 1)) kill_css(css);
  }
}

namespace {

// The states that are needed are made, tasks get them, and those that are not needed end. If something cannot be had the
// caller's change is undone (undo puts the fields back) and nothing has moved: a migration is all or nothing.
template <class Undo>
Result<void> apply_control(struct cgroup* top, Undo&& undo) {
  Result<void> r = cgroup_apply_control_enable(top);
  if (r) r = cgroup_update_csses(top);
  if (!r) undo();
  cgroup_apply_control_disable(top);
  return r;
}

// May c, given the tasks it has, hand out these controllers?
Result<void> vet_enable(struct cgroup* c, SubsysMask enable) {
  if (!enable || cgroup_is_mixable(c)) return {};
  if (!cgroup_is_valid_domain(c->dom_cgrp)) return fail(EOPNOTSUPP);
  if (!cgroup_is_threaded(c) && !cgroup_is_valid_domain(c)) return fail(EOPNOTSUPP);
  if (enable & ~cgroup_threaded) {
    if (cgroup_is_thread_root(c) || cgroup_is_threaded(c)) return fail(EOPNOTSUPP);
  } else if (cgroup_can_be_thread_root(c) || cgroup_is_threaded(c)) {
    return {};
  }
  return cgroup_has_tasks(c) ? fail(EBUSY) : Result<void>{};
}

}  // namespace

// cgroup.subtree_control was written. cgroup_mutex held.
Result<void> cgroup_set_control(struct cgroup* c, SubsysMask enable, SubsysMask disable) {
  enable &= ~c->subtree_control;
  disable &= c->subtree_control;
  if (enable & ~cgroup_control(c)) return fail(ENOENT);
  struct cgroup* child;
  for_each_child_cgroup(child, c) if (child->subtree_control & disable) return fail(EBUSY);
  if (!enable && !disable) return {};
  TRY(vet_enable(c, enable));
  const SubsysMask before = c->subtree_control;
  c->subtree_control = static_cast<SubsysMask>((before | enable) & ~disable);
  return apply_control(c, [&] { c->subtree_control = before; });
}

// "threaded" was written to cgroup.type. cgroup_mutex held.
Result<void> cgroup_enable_threaded(struct cgroup* c) {
  if (cgroup_is_threaded(c)) return {};
  struct cgroup* parent = cgroup_parent(c);
  struct cgroup* domain = parent->dom_cgrp;
  if (cgroup_is_populated(c) || (c->subtree_control & ~cgroup_threaded)) return fail(EOPNOTSUPP);
  if (!cgroup_is_valid_domain(domain) || !cgroup_can_be_thread_root(domain)) return fail(EOPNOTSUPP);
  // Its descendants that are threaded belong to c's domain, which is no longer c.
  auto set_domain = [c](struct cgroup* from, struct cgroup* to) {
    struct cgroup* d;
    for_each_descendant_pre(d, c) if (d->dom_cgrp == from) d->dom_cgrp = to;
  };
  set_domain(c, domain);
  parent->nr_threaded_children++;
  return apply_control(c, [&] {
    parent->nr_threaded_children--;
    struct cgroup* d;
    for_each_descendant_pre(d, c) if (d == c || cgroup_is_threaded(d)) d->dom_cgrp = c;
  });
}
