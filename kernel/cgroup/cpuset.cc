// The cpuset controller: the CPUs on which a cgroup's tasks may run. cpuset(7), cgroups(7); texts and errnos asked of a real
// 6.1. One memory node; partitions other than "member" are not there.
//
// The effective CPUs of a cpuset are those asked for that its parent has too, or all of the parent's if there are none. They
// are worked out when somebody asks; what is kept (`applied`) is what the tasks were last given.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup/cpuset.hh"

#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "kernel/cgroup/internal.hh"
#include "kernel/sched/sched.hh"
#include "lib/late.hh"

namespace {

constexpr unsigned kNodes = 1024;  // that a list may name; only node 0 is there

struct Cpuset {
  cgroup_subsys_state css;
  cpumask_t cpus;      // asked for; empty: whatever the parent has. Written under cgroup_mutex
  cpumask_t applied;   // cgroup_mutex
  bool mems;           // asked for node 0. cgroup_mutex
  bool attach_changes; // between can_attach and attach
};
Cpuset* cpuset_of(cgroup_subsys_state* css) { return container_of(css, Cpuset, css); }

// Lock-free: css is referenced, or this is an RCU reader. Parents are referenced by their children.
cpumask_t effective(const Cpuset* c) {
  if (!c->css.parent) return *cpu_active_mask;
  const cpumask_t above = effective(cpuset_of(c->css.parent));
  cpumask_t mask;
  return cpumask_and(&mask, &c->cpus, &above) ? mask : above;
}

Result<cgroup_subsys_state*> cpuset_alloc(cgroup_subsys_state*) {
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
    for_each_task_in(d, [&](task_struct* t) { (void)set_cpus_allowed_nowait(t, mask); });  // EBUSY: a deadline task stays
  }
}

// top and all cpusets below it. cgroup_mutex held. The root's tasks have their own affinity alone.
void apply_from(struct cgroup* top) {
  struct cgroup* d;
  for_each_descendant_pre(d, top) {
    cgroup_subsys_state* css = d->subsys[cpuset_cgrp_id];
    if (!css || !css->parent) continue;
    Cpuset* c = cpuset_of(css);
    const cpumask_t mask = effective(c);
    if (cpumask_equal(&mask, &c->applied)) continue;
    c->applied = mask;
    apply_to_tasks(c, &mask);
  }
}

// Enabling the controller moves every task to a new css without any change: their own affinity stays then.
Result<void> cpuset_can_attach(cgroup_taskset* tset) {
  task_struct* t;
  cgroup_subsys_state* dst;
  cgroup_taskset_for_each(t, dst, tset) cpuset_of(dst)->attach_changes = false;
  cgroup_taskset_for_each(t, dst, tset) {
    if (t->flags & PF_NO_SETAFFINITY) return fail(EINVAL);
    const cpumask_t from = effective(cpuset_of(task_css(t, cpuset_cgrp_id))), to = effective(cpuset_of(dst));
    if (!cpumask_equal(&from, &to)) cpuset_of(dst)->attach_changes = true;
  }
  return {};
}
void cpuset_attach(cgroup_taskset* tset) {
  task_struct* t;
  cgroup_subsys_state* dst;
  cgroup_taskset_for_each(t, dst, tset) {
    if (!cpuset_of(dst)->attach_changes) continue;
    const cpumask_t mask = dst->parent ? effective(cpuset_of(dst)) : *cpu_possible_mask;
    (void)set_cpus_allowed_nowait(t, &mask);
  }
}

// The child copied its parent's affinity before it was in the cpuset's list, so a change may have missed it.
void cpuset_fork(task_struct* child) {
  cpumask_t mask;
  {
    RcuReadGuard rcu;
    Cpuset* c = cpuset_of(task_css(child, cpuset_cgrp_id));
    if (!c->css.parent) return;
    const cpumask_t all = effective(c);
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
  cpumask_copy(&c->cpus, &mask);
  apply_from(css->cgroup);
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

Result<void> write_partition(cgroup_subsys_state*, char* text, const file*) {
  if (strcmp(text, "member") != 0) return fail(EINVAL);
  return {};
}
int show_partition(seq_file* m, cgroup_subsys_state*) {
  seq_puts(m, "member\n");
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
    .css_offline = nullptr, .css_free = cpuset_free, .can_attach = cpuset_can_attach, .cancel_attach = nullptr,
    .attach = cpuset_attach, .can_fork = nullptr, .cancel_fork = nullptr, .fork = cpuset_fork, .exit = nullptr,
    .release = nullptr, .files = kFiles,
};

void cpuset_cpus_allowed(task_struct* p, cpumask_t* mask) {
  RcuReadGuard rcu;
  const css_set* set = task_css_set(p);
  cgroup_subsys_state* css = set ? set->subsys[cpuset_cgrp_id] : nullptr;
  // Those of the root's are not asked for by anybody: all that may ever be there.
  *mask = css && css->parent ? effective(cpuset_of(css)) : *cpu_possible_mask;
}

void cpuset_update_active_cpus() {
  MutexGuard guard(cgroup_mutex);
  apply_from(cgroup_root());
}
