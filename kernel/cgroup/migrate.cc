// Moving tasks: all of a move or nothing. cgroup_mutex and the write side of the thread-group lock are held, so nobody forks,
// execs or begins to exit meanwhile; readers of a task's set see the old or the new one.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>

#include "kernel/cgroup/internal.hh"

// ---- What controllers walk -----------------------------------------------------------------------------------------------------
task_struct* cgroup_taskset_first(cgroup_taskset* tset, cgroup_subsys_state** dst) {
  tset->cur_cset = list_first_entry(tset->csets, css_set, mg_node);
  tset->cur_task = nullptr;
  return cgroup_taskset_next(tset, dst);
}

task_struct* cgroup_taskset_next(cgroup_taskset* tset, cgroup_subsys_state** dst) {
  css_set* c = tset->cur_cset;
  task_struct* t = tset->cur_task;
  while (&c->mg_node != tset->csets) {
    t = t ? list_next_entry(t, cg_list) : list_first_entry(&c->mg_tasks, task_struct, cg_list);
    if (&t->cg_list != &c->mg_tasks) {
      tset->cur_cset = c;
      tset->cur_task = t;
      // Before the move the sets are the sources, afterwards the destinations.
      *dst = (c->mg_dst ? c->mg_dst : c)->subsys[tset->ssid];
      return t;
    }
    c = list_next_entry(c, mg_node);
    t = nullptr;
  }
  return nullptr;
}

namespace {

// One move: which sets tasks come from, and where each goes. Sources and destinations are referenced.
class Migration {
 public:
  Migration() {
    INIT_LIST_HEAD(&sources_);
    INIT_LIST_HEAD(&tset_.src_csets);
    INIT_LIST_HEAD(&tset_.dst_csets);
    tset_.csets = &tset_.src_csets;
  }
  ~Migration();
  Migration(const Migration&) = delete;

  void add_source(css_set* src);                // css_set_lock
  Result<void> prepare(struct cgroup* to);      // null: each set's own cgroup, with what is effective there now
  void add_task(task_struct* t);                // css_set_lock
  void add_all_tasks();                         // of the sources; css_set_lock
  Result<void> run();

 private:
  Result<void> may_attach(SubsysMask* asked);
  void cancel(SubsysMask asked);
  void commit();
  void attach();
  static void splice_back(list_head* sets);

  list_head sources_;       // css_set::mg_node, before their tasks are added
  cgroup_taskset tset_{};
  SubsysMask changed_ = 0;  // controllers for which something changes
};

Migration::~Migration() {
  IrqSpinGuard guard(css_set_lock);
  auto drop = [](list_head* sets) {
    while (!list_empty(sets)) {
      css_set* c = list_first_entry(sets, css_set, mg_node);
      list_del_init(&c->mg_node);
      if (c->mg_dst) put_css_set_locked(std::exchange(c->mg_dst, nullptr));
      put_css_set_locked(c);
    }
  };
  drop(&sources_);
  drop(&tset_.src_csets);
  drop(&tset_.dst_csets);
}

void Migration::add_source(css_set* src) {
  if (!list_empty(&src->mg_node)) return;
  get_css_set(src);
  list_add_tail(&src->mg_node, &sources_);
}

// A set that stays what it is drops out.
Result<void> Migration::prepare(struct cgroup* to) {
  css_set *src, *next;
  list_for_each_entry_safe(src, next, &sources_, mg_node) {
    css_set* dst = TRY(find_css_set(to ? to : src->dfl_cgrp));
    if (dst == src) {
      list_del_init(&src->mg_node);
      put_css_set(dst);
      put_css_set(src);
      continue;
    }
    src->mg_dst = dst;
    for (int id = 0; id < CGROUP_SUBSYS_COUNT; id++)
      if (src->subsys[id] != dst->subsys[id]) changed_ |= subsys_bit(id);
  }
  return {};
}

void Migration::add_task(task_struct* t) {
  if ((data_race(t->flags) & PF_EXITING) || list_empty(&t->cg_list)) return;
  css_set* src = t->cgroups;
  if (!src->mg_dst) return;
  list_move_tail(&t->cg_list, &src->mg_tasks);
  list_move_tail(&src->mg_node, &tset_.src_csets);
  // The destination's place among the destinations; if it is a source as well it cannot be: no task is moved twice.
  css_set* dst = src->mg_dst;
  if (!list_empty(&dst->mg_node)) return;
  get_css_set(dst);
  list_add_tail(&dst->mg_node, &tset_.dst_csets);
}

void Migration::add_all_tasks() {
  css_set *src, *next;
  list_for_each_entry_safe(src, next, &sources_, mg_node) {
    task_struct *t, *after;
    list_for_each_entry_safe(t, after, &src->tasks, cg_list) add_task(t);
  }
}

Result<void> Migration::may_attach(SubsysMask* asked) {
  Result<void> r;
  for_each_subsys(changed_, [&](cgroup_subsys& ss) {
    if (!r || !ss.can_attach) return;
    tset_.ssid = ss.id;
    r = ss.can_attach(&tset_);
    if (r) *asked |= subsys_bit(ss.id);
  });
  return r;
}

void Migration::cancel(SubsysMask asked) {
  for_each_subsys(asked, [&](cgroup_subsys& ss) {
    if (!ss.cancel_attach) return;
    tset_.ssid = ss.id;
    ss.cancel_attach(&tset_);
  });
  splice_back(&tset_.src_csets);
}

// The tasks of sets that have been walked are ordinary ones again.
void Migration::splice_back(list_head* sets) {
  IrqSpinGuard guard(css_set_lock);
  css_set* c;
  list_for_each_entry(c, sets, mg_node) list_splice_tail_init(&c->mg_tasks, &c->tasks);
}

void Migration::commit() {
  IrqSpinGuard guard(css_set_lock);
  css_set* from;
  list_for_each_entry(from, &tset_.src_csets, mg_node) {
    css_set* to = from->mg_dst;
    task_struct *t, *next;
    list_for_each_entry_safe(t, next, &from->mg_tasks, cg_list) {
      get_css_set(to);
      if (from->dfl_cgrp != to->dfl_cgrp) {
        cgroup_leave_times(t, from->dfl_cgrp);
        cgroup_begin_times(t);
      }
      css_set_move_task(t, from, to, &css_set::mg_tasks);
      cgroup_freezer_migrate_task(t, from->dfl_cgrp, to->dfl_cgrp);
      put_css_set_locked(from);
    }
  }
}

void Migration::attach() {
  tset_.csets = &tset_.dst_csets;
  for_each_subsys(changed_, [&](cgroup_subsys& ss) {
    if (!ss.attach) return;
    tset_.ssid = ss.id;
    ss.attach(&tset_);
  });
  splice_back(&tset_.dst_csets);
}

Result<void> Migration::run() {
  if (list_empty(&tset_.src_csets)) return {};
  SubsysMask asked = 0;
  if (auto r = may_attach(&asked); !r) {
    cancel(asked);
    return r;
  }
  commit();
  attach();
  return {};
}

template <class F>
void for_each_moving(task_struct* leader, Move what, F&& f) {
  if (what == Move::Thread) return f(leader);
  RcuReadGuard rcu;
  task_struct* t;
  for_each_thread(leader, t) f(t);
}

}  // namespace

Result<void> cgroup_attach_task(struct cgroup* dst, task_struct* leader, Move what) {
  ThreadgroupWriteGuard still;
  Migration m;
  {
    IrqSpinGuard guard(css_set_lock);
    for_each_moving(leader, what, [&](task_struct* t) {
      if (!list_empty(&t->cg_list) && !(data_race(t->flags) & PF_EXITING)) m.add_source(t->cgroups);
    });
  }
  TRY(m.prepare(dst));
  {
    IrqSpinGuard guard(css_set_lock);
    for_each_moving(leader, what, [&](task_struct* t) { m.add_task(t); });
  }
  return m.run();
}

static Result<void> move_sets(struct cgroup* top, struct cgroup* to) {
  ThreadgroupWriteGuard still;
  Migration m;
  {
    IrqSpinGuard guard(css_set_lock);
    struct cgroup* c;
    for_each_descendant_pre(c, top) {
      css_set* set;
      list_for_each_entry(set, &c->csets, cgrp_link) if (set->nr_tasks) m.add_source(set);
      if (to) break;
    }
  }
  TRY(m.prepare(to));
  {
    IrqSpinGuard guard(css_set_lock);
    m.add_all_tasks();
  }
  return m.run();
}

Result<void> cgroup_migrate_all(struct cgroup* from, struct cgroup* to) { return move_sets(from, to); }
Result<void> cgroup_update_csses(struct cgroup* top) { return move_sets(top, nullptr); }

// ---- May they? -----------------------------------------------------------------------------------------------------------------------

Result<void> cgroup_may_write(struct cgroup* c) {
  if (!c->procs_file) return fail(ENODEV);
  return inode_permission(nullptr, &c->procs_file->vfs, MAY_WRITE);
}

namespace {

struct cgroup* common_ancestor(struct cgroup* a, struct cgroup* b) {
  while (!cgroup_is_descendant(a, b)) b = cgroup_parent(b);
  return b;
}

// Whoever moves a task must be allowed to write where both ends meet (delegation, cgroups(7)).
Result<void> may_move(struct cgroup* src, struct cgroup* dst, const AttachCaller& who) {
  if (src == dst) return {};
  TRY(cgroup_may_write(common_ancestor(src, dst)));
  if (!cgroups->nsdelegate || !who.ns_root) return {};
  if (!cgroup_is_descendant(src, who.ns_root) || !cgroup_is_descendant(dst, who.ns_root)) return fail(ENOENT);
  return {};
}

// The rule of no internal processes, and the types.
Result<void> vet_destination(struct cgroup* dst) {
  if (!cgroup_is_valid_domain(dst->dom_cgrp) || (!cgroup_is_threaded(dst) && !cgroup_is_valid_domain(dst))) return fail(EOPNOTSUPP);
  if (cgroup_is_threaded(dst) || cgroup_can_be_thread_root(dst)) return {};
  return dst->subtree_control ? fail(EBUSY) : Result<void>{};
}

}  // namespace

Result<void> cgroup_attach_permissions(struct cgroup* src, struct cgroup* dst, Move what, const AttachCaller& who) {
  TRY(may_move(src, dst, who));
  TRY(vet_destination(dst));
  if (what == Move::Thread && src->dom_cgrp != dst->dom_cgrp) return fail(EOPNOTSUPP);
  return {};
}
