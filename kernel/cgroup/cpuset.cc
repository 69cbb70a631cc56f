// The cpuset controller: the CPUs on which a cgroup's tasks may run. cpuset(7), cgroups(7); texts and errnos asked of a real
// 6.1. One memory node.
//
// The effective CPUs of a cpuset are those asked for that its parent has too, or all of the parent's if there are none. A valid
// partition has those asked for to itself: its parent is without them (`taken`), and they are scheduling domains of their own, or
// none if it is isolated. All this is worked out when somebody asks; what is kept (`applied`) is what the tasks were last given.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup/cpuset.hh"

#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <span>

#include "kernel/cgroup/internal.hh"
#include "kernel/sched/dl.hh"
#include "kernel/sched/root_domain.hh"
#include "kernel/sched/sched.hh"
#include "lib/late.hh"

constinit unsigned long cpuset_taken_from_root;  // for fork, which has no time to look for the root's cpuset

namespace {

constexpr unsigned kNodes = 1024;  // that a list may name; only node 0 is there

enum class Part : unsigned char { Member, Root, Isolated };

struct Cpuset {
  cgroup_subsys_state css;
  cpumask_t cpus;      // asked for; empty: whatever the parent has. Written under cgroup_mutex
  cpumask_t applied;   // cgroup_mutex
  bool mems;           // asked for node 0. cgroup_mutex
  bool attach_changes; // between can_attach and attach
  // cgroup_mutex, as far as nothing else is said.
  Part part;
  bool exclusive;      // no sibling had any of its CPUs when it became a partition, or has come to have some since
  bool ousted;         // was valid, then had some in common with a sibling: not looked at again until its cpuset.cpus.partition is written
  const char* reason;  // why a partition is not valid; null: it is
  cpumask_t taken;     // CPUs of valid partitions among its children; read without the lock
};
Cpuset* cpuset_of(cgroup_subsys_state* css) { return container_of(css, Cpuset, css); }
Cpuset* root_cpuset() { return cpuset_of(cgroup_root()->subsys[cpuset_cgrp_id]); }

// Lock-free: css is referenced, or this is an RCU reader. Parents are referenced by their children.
bool is_partition(const Cpuset* c) { return READ_ONCE(c->part) != Part::Member && !READ_ONCE(c->reason); }
cpumask_t effective(const Cpuset* c);
// Of a partition, or the root: whether they are there now or not.
unsigned long owned(const Cpuset* c) {
  if (!c->css.parent) return cpu_possible_mask->bits[0];
  return READ_ONCE(c->cpus.bits[0]) & owned(cpuset_of(c->css.parent));
}
// Before its own partitions take theirs.
cpumask_t all_of(const Cpuset* c) {
  if (!c->css.parent || is_partition(c)) return {{owned(c) & READ_ONCE(cpu_active_mask->bits[0])}};
  const cpumask_t above = effective(cpuset_of(c->css.parent));
  const cpumask_t mask = {{READ_ONCE(c->cpus.bits[0]) & above.bits[0]}};
  return cpumask_empty(&mask) ? above : mask;
}
cpumask_t effective(const Cpuset* c) {
  const cpumask_t all = all_of(c);
  return {{all.bits[0] & ~READ_ONCE(c->taken.bits[0])}};
}
// For a task of c. Those of the root's are not asked for by anybody: all that may ever be there, but the partitions'.
cpumask_t allowed_by(const Cpuset* c) {
  return c->css.parent ? effective(c) : cpumask_t{{cpu_possible_mask->bits[0] & ~READ_ONCE(c->taken.bits[0])}};
}

struct Claims {
  SchedPartition of[NR_CPUS] = {};
  unsigned n = 0;
  bool operator==(const Claims& other) const {
    bool same = n == other.n;
    for (unsigned i = 0; same && i < n; i++) same = of[i].cpus == other.of[i].cpus && of[i].balances == other.of[i].balances;
    return same;
  }
};
constinit Claims told;  // what the scheduler heard last. cgroup_mutex

Result<cgroup_subsys_state*> cpuset_alloc(cgroup_subsys_state* parent) {
  if (!parent) {
    cpuset_taken_from_root = 0;
    told = {};
  }
  auto* c = static_cast<Cpuset*>(kzalloc(sizeof(Cpuset), GFP_KERNEL));
  if (!c) return fail(ENOMEM);
  return &c->css;
}
Result<void> cpuset_online(cgroup_subsys_state* css) {
  cpuset_of(css)->applied = effective(cpuset_of(css));
  return {};
}
void cpuset_free(cgroup_subsys_state* css) { kfree(cpuset_of(css)); }

// ---- Carrying it out ---------------------------------------------------------------------------------------------------

// Tasks whose cpuset is c: of its cgroup, and of those below where the controller is not enabled.
void apply_to_tasks(Cpuset* c, const cpumask_t* mask) {
  struct cgroup* d;
  for_each_descendant_pre(d, c->css.cgroup) {
    if (cgroup_e_css(d, cpuset_cgrp_id) != &c->css) continue;
    IrqSpinGuard guard(css_set_lock);
    for_each_task_in(d, [&](task_struct* t) { (void)set_cpus_allowed_nowait(t, mask); });
  }
}

// The root's tasks have their own affinity alone, until a partition takes CPUs, or gives them back.
void apply_to_root_tasks() {
  const cpumask_t mask = allowed_by(root_cpuset());
  struct cgroup* d;
  for_each_descendant_pre(d, cgroup_root()) {
    cgroup_subsys_state* css = cgroup_e_css(d, cpuset_cgrp_id);
    if (css->parent) continue;
    IrqSpinGuard guard(css_set_lock);
    for_each_task_in(d, [&](task_struct* t) {
      if (!(data_race(t->flags) & PF_NO_SETAFFINITY)) (void)set_cpus_allowed_nowait(t, &mask);
    });
  }
}

// top and all cpusets below it. cgroup_mutex held.
void apply_from(struct cgroup* top) {
  struct cgroup* d;
  for_each_descendant_pre(d, top) {
    cgroup_subsys_state* css = d->subsys[cpuset_cgrp_id];
    if (!css || !css->parent) continue;
    Cpuset* c = cpuset_of(css);
    const cpumask_t mask = effective(c);
    if (cpumask_equal(&mask, &c->applied) || cpumask_empty(&mask)) continue;  // nobody is where nothing is left
    c->applied = mask;
    apply_to_tasks(c, &mask);
  }
}

// ---- Partitions. cgroup_mutex held ----------------------------------------------------------------------------------------

template <class F>
void for_each_child(const Cpuset* c, F&& f) {
  struct cgroup* d;
  for_each_descendant_pre(d, c->css.cgroup) {
    cgroup_subsys_state* css = d->subsys[cpuset_cgrp_id];
    if (css && css->parent == &c->css && !css_is_dying(css)) f(cpuset_of(css));
  }
}
template <class F>
void for_each_sibling(const Cpuset* c, F&& f) {
  for_each_child(cpuset_of(c->css.parent), [&](Cpuset* s) {
    if (s != c) f(s);
  });
}

bool overlaps_a_sibling(const Cpuset* c) {
  bool any = false;
  for_each_sibling(c, [&](const Cpuset* s) { any |= cpumask_intersects(&c->cpus, &s->cpus); });
  return any;
}

// Tasks that use c's own CPUs: its own, and those of members below, but for `without` and what is below that.
bool is_populated(const Cpuset* c, const Cpuset* without = nullptr) {
  struct cgroup* d;
  for_each_descendant_pre(d, c->css.cgroup) {
    if (!cgroup_has_tasks(d)) continue;
    const Cpuset* of = cpuset_of(cgroup_e_css(d, cpuset_cgrp_id));
    while (of != c && of != without && !is_partition(of)) of = cpuset_of(of->css.parent);
    if (of == c) return true;
  }
  return false;
}

// Of parent's CPUs those that its valid partitions have, but for `without`.
unsigned long taken_by_children(const Cpuset* parent, const Cpuset* without = nullptr) {
  unsigned long taken = 0;
  for_each_child(parent, [&](const Cpuset* s) {
    if (s != without && is_partition(s)) taken |= owned(s);
  });
  return taken;
}
void count_taken(Cpuset* parent) {
  WRITE_ONCE(parent->taken.bits[0], taken_by_children(parent));
  if (!parent->css.parent) WRITE_ONCE(cpuset_taken_from_root, parent->taken.bits[0]);
}

constexpr const char* kNotExclusive = "Cpu list in cpuset.cpus not exclusive";
constexpr const char* kNothingLeft = "Parent unable to distribute cpu downstream";

enum class Why : unsigned char { Asked, OwnCpus, Above };  // somebody wants it, its list was written, or what is above changed

// As a real 6.1 words it; null: nothing stands in the way.
const char* why_no_partition(Cpuset* c, Why why) {
  if (cpumask_empty(&c->cpus)) return "cpuset.cpus is empty";
  if (why != Why::Above) c->exclusive = !overlaps_a_sibling(c);
  if (why == Why::Asked && !c->exclusive) return kNotExclusive;
  const Cpuset* parent = cpuset_of(c->css.parent);
  if (parent->css.parent && parent->part == Part::Member) return "Parent is not a partition root";
  if (parent->css.parent && !is_partition(parent)) return "Parent is an invalid partition root";
  const unsigned long here = owned(c), active = cpu_active_mask->bits[0];
  if (!here) return why == Why::Asked ? "Invalid cpu list in cpuset.cpus" : kNothingLeft;
  const unsigned long left = all_of(parent).bits[0] & ~taken_by_children(parent, c) & ~here;
  if (!left && is_populated(parent, c)) return kNothingLeft;
  if (!(here & active) && is_populated(c)) return "No cpu available due to hotplug";
  if (c->exclusive) return nullptr;
  if (c->reason) return c->reason;  // what was said before stays
  c->ousted = true;
  return kNotExclusive;
}

// c is to be a partition, or its CPUs or its parent changed: is it one? And those below?
void evaluate(Cpuset* c, Why why);
void evaluate_below(Cpuset* c) {
  for_each_child(c, [](Cpuset* s) {
    if (s->part != Part::Member) evaluate(s, Why::Above);
  });
}
void evaluate(Cpuset* c, Why why) {
  const bool look = why == Why::Asked || (why == Why::OwnCpus ? !c->ousted : c->exclusive);
  if (c->part != Part::Member && look) WRITE_ONCE(c->reason, why_no_partition(c, why));
  count_taken(cpuset_of(c->css.parent));
  evaluate_below(c);
}

// ---- What the scheduler is told -------------------------------------------------------------------------------------------

// Each valid partition's CPUs but for those that partitions below it took.
Claims claims() {
  Claims all = {};
  struct cgroup* d;
  for_each_descendant_pre(d, cgroup_root()) {
    cgroup_subsys_state* css = d->subsys[cpuset_cgrp_id];
    if (!css || !css->parent || css_is_dying(css)) continue;
    const Cpuset* c = cpuset_of(css);
    const unsigned long cpus = is_partition(c) ? owned(c) & ~c->taken.bits[0] : 0;
    if (cpus) all.of[all.n++] = {cpus, c->part == Part::Root};
  }
  return all;
}

// After whatever was changed: tasks and domains follow.
class Carry {
 public:
  Carry() : taken_(root_cpuset()->taken.bits[0]) {}
  Carry(const Carry&) = delete;
  ~Carry() {
    apply_from(cgroup_root());
    if (root_cpuset()->taken.bits[0] != taken_) apply_to_root_tasks();
    const Claims now = claims();
    if (now == told) return;
    if (rebuild_sched_partitions(std::span(now.of, now.n)))
      told = now;
    else
      pr_warn("cpuset: no memory for new scheduling domains\n");
  }

 private:
  unsigned long taken_;
};

void set_partition(Cpuset* c, Part part) {
  c->ousted = false;
  if (part == c->part) return;
  Carry carry;
  const bool label_only = part != Part::Member && c->part != Part::Member;  // valid or not, it stays so
  WRITE_ONCE(c->part, part);
  if (label_only) return;
  if (part == Part::Member) {
    WRITE_ONCE(c->reason, nullptr);
    c->exclusive = false;
  }
  evaluate(c, Why::Asked);
}

// Its CPUs are others now. Siblings that have some of them cease to be partitions.
void cpus_changed(Cpuset* c) {
  for_each_sibling(c, [c](Cpuset* s) {
    if (!is_partition(s) || !cpumask_intersects(&s->cpus, &c->cpus)) return;
    s->exclusive = false;
    s->ousted = true;
    WRITE_ONCE(s->reason, kNotExclusive);
    evaluate_below(s);
  });
  evaluate(c, Why::OwnCpus);
}

// Dying already: its parent does not count it any more.
void cpuset_offline(cgroup_subsys_state* css) {
  Cpuset* c = cpuset_of(css);
  if (c->part != Part::Member) set_partition(c, Part::Member);
}

// Enabling the controller moves every task to a new css without any change: their own affinity stays then.
Result<void> may_attach(cgroup_taskset* tset) {
  task_struct* t;
  cgroup_subsys_state* dst;
  cgroup_taskset_for_each(t, dst, tset) {
    if (t->flags & PF_NO_SETAFFINITY) return fail(EINVAL);
    const cpumask_t from = effective(cpuset_of(task_css(t, cpuset_cgrp_id))), to = effective(cpuset_of(dst));
    if (cpumask_empty(&to)) return fail(ENOSPC);
    TRY(dl_reserve(t, &to));
    if (!cpumask_equal(&from, &to)) cpuset_of(dst)->attach_changes = true;
  }
  return {};
}
// What deadline tasks reserved in another partition is free again: they stay.
void cpuset_cancel_attach(cgroup_taskset* tset) {
  task_struct* t;
  cgroup_subsys_state* dst;
  cgroup_taskset_for_each(t, dst, tset) dl_settle(t);
}
Result<void> cpuset_can_attach(cgroup_taskset* tset) {
  task_struct* t;
  cgroup_subsys_state* dst;
  cgroup_taskset_for_each(t, dst, tset) cpuset_of(dst)->attach_changes = false;
  Result<void> r = may_attach(tset);
  if (!r) cpuset_cancel_attach(tset);
  return r;
}
void cpuset_attach(cgroup_taskset* tset) {
  task_struct* t;
  cgroup_subsys_state* dst;
  cgroup_taskset_for_each(t, dst, tset) {
    if (!cpuset_of(dst)->attach_changes) continue;
    const cpumask_t mask = allowed_by(cpuset_of(dst));
    (void)set_cpus_allowed_nowait(t, &mask);
  }
}

// The child copied its parent's affinity before it was in the cpuset's list, so a change may have missed it.
void cpuset_fork(task_struct* child) {
  cpumask_t mask;
  {
    RcuReadGuard rcu;
    Cpuset* c = cpuset_of(task_css(child, cpuset_cgrp_id));
    if (!c->css.parent && !READ_ONCE(c->taken.bits[0])) return;
    const cpumask_t all = allowed_by(c);
    const bool elsewhere = task_css(current, cpuset_cgrp_id) != &c->css;  // CLONE_INTO_CGROUP
    if (elsewhere || !cpumask_and(&mask, &all, current->cpus_ptr)) mask = all;
  }
  (void)set_cpus_allowed_nowait(child, &mask);
}

// ---- Files -------------------------------------------------------------------------------------------------------------

// "0-3,5": numbers below limit (else ERANGE). Mask of those below 64; anything else that is named sets *beyond.
Result<unsigned long> parse_list(const char* s, unsigned limit, bool* beyond) {
  unsigned long mask = 0;
  auto number = [&](unsigned long* n) {
    if (!isdigit(*s)) return false;
    for (*n = 0; isdigit(*s); s++)
      if (*n < 1'000'000) *n = *n * 10 + static_cast<unsigned long>(*s - '0');
    return true;
  };
  for (;;) {
    while (*s == ',' || isspace(*s)) s++;
    if (!*s) return mask;
    unsigned long first, last;
    if (!number(&first)) return fail(EINVAL);
    last = first;
    if (*s == '-' && (s++, !number(&last))) return fail(EINVAL);
    if (*s && *s != ',' && !isspace(*s)) return fail(EINVAL);
    if (first > last) return fail(EINVAL);
    if (last >= limit) return fail(ERANGE);
    for (unsigned long n = first; n <= last; n++)
      if (n < 64)
        mask |= 1ul << n;
      else
        *beyond = true;
  }
}

bool has_tasks(const Cpuset* c) {
  struct cgroup* d;
  for_each_descendant_pre(d, c->css.cgroup)
    if (cgroup_e_css(d, cpuset_cgrp_id) == &c->css && cgroup_has_tasks(d)) return true;
  return false;
}

Result<void> write_cpus(cgroup_subsys_state* css, char* text, const file*) {
  bool beyond = false;
  const cpumask_t mask = {{TRY(parse_list(text, nr_cpu_ids, &beyond))}};
  if (!cpumask_subset(&mask, cpu_possible_mask)) return fail(EINVAL);
  MutexGuard guard(cgroup_mutex);
  if (css_is_dying(css)) return fail(ENODEV);
  Cpuset* c = cpuset_of(css);
  if (cpumask_empty(&mask) && !cpumask_empty(&c->cpus) && has_tasks(c)) return fail(ENOSPC);
  if (is_partition(c)) TRY(dl_cpus_needed(effective(c).bits[0], mask.bits[0]));  // spec 32 D-4
  Carry carry;
  WRITE_ONCE(c->cpus.bits[0], mask.bits[0]);
  cpus_changed(c);
  return {};
}
int show_cpus(seq_file* m, cgroup_subsys_state* css) {
  seq_print_list(m, READ_ONCE(cpuset_of(css)->cpus.bits[0]));
  seq_puts(m, "\n");
  return 0;
}
int show_effective_cpus(seq_file* m, cgroup_subsys_state* css) {
  seq_print_list(m, effective(cpuset_of(css)).bits[0]);
  seq_puts(m, "\n");
  return 0;
}

Result<void> write_mems(cgroup_subsys_state* css, char* text, const file*) {
  bool beyond = false;
  const unsigned long nodes = TRY(parse_list(text, kNodes, &beyond));
  if (beyond || nodes > 1) return fail(EINVAL);
  MutexGuard guard(cgroup_mutex);
  if (css_is_dying(css)) return fail(ENODEV);
  Cpuset* c = cpuset_of(css);
  if (!nodes && c->mems && has_tasks(c)) return fail(ENOSPC);
  c->mems = nodes;
  return {};
}
int show_mems(seq_file* m, cgroup_subsys_state* css) {
  seq_puts(m, READ_ONCE(cpuset_of(css)->mems) ? "0\n" : "\n");
  return 0;
}
int show_effective_mems(seq_file* m, cgroup_subsys_state*) {
  seq_puts(m, "0\n");
  return 0;
}

Result<void> write_partition(cgroup_subsys_state* css, char* text, const file*) {
  Part part;
  if (!strcmp(text, "member"))
    part = Part::Member;
  else if (!strcmp(text, "root"))
    part = Part::Root;
  else if (!strcmp(text, "isolated"))
    part = Part::Isolated;
  else
    return fail(EINVAL);
  MutexGuard guard(cgroup_mutex);
  if (css_is_dying(css)) return fail(ENODEV);
  set_partition(cpuset_of(css), part);
  return {};
}
int show_partition(seq_file* m, cgroup_subsys_state* css) {
  static constexpr const char* kNames[] = {"member", "root", "isolated"};
  const Cpuset* c = cpuset_of(css);
  const Part part = READ_ONCE(c->part);
  seq_puts(m, kNames[static_cast<unsigned>(part)]);
  if (const char* reason = READ_ONCE(c->reason); reason && part != Part::Member) seq_printf(m, " invalid (%s)", reason);
  seq_puts(m, "\n");
  return 0;
}

constexpr cftype kFiles[] = {
    {"cpuset.cpus", CFTYPE_NOT_ON_ROOT, show_cpus, write_cpus},
    {"cpuset.mems", CFTYPE_NOT_ON_ROOT, show_mems, write_mems},
    {"cpuset.cpus.effective", 0, show_effective_cpus, nullptr},
    {"cpuset.mems.effective", 0, show_effective_mems, nullptr},
    {"cpuset.cpus.partition", CFTYPE_NOT_ON_ROOT, show_partition, write_partition},
    {},
};

}  // namespace

constinit cgroup_subsys cpuset_cgrp_subsys = {
    .id = cpuset_cgrp_id, .name = "cpuset", .threaded = true, .css_alloc = cpuset_alloc, .css_online = cpuset_online,
    .css_offline = cpuset_offline, .css_free = cpuset_free, .can_attach = cpuset_can_attach, .cancel_attach = cpuset_cancel_attach,
    .attach = cpuset_attach, .can_fork = nullptr, .cancel_fork = nullptr, .fork = cpuset_fork, .exit = nullptr,
    .release = nullptr, .files = kFiles,
};

void cpuset_cpus_allowed(task_struct* p, cpumask_t* mask) {
  RcuReadGuard rcu;
  const css_set* set = task_css_set(p);
  cgroup_subsys_state* css = set ? set->subsys[cpuset_cgrp_id] : nullptr;
  *mask = css ? allowed_by(cpuset_of(css)) : *cpu_possible_mask;
}

void cpuset_update_active_cpus() {
  MutexGuard guard(cgroup_mutex);
  Carry carry;
  evaluate_below(root_cpuset());
}

void cpuset_fork_in_root(task_struct* child) { cpuset_fork(child); }
