// The pids controller: how many tasks a cgroup and its descendants may have. cgroups(7); texts and errnos asked of a real 6.1.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "kernel/cgroup/internal.hh"

namespace {

constexpr s64 kNoLimit = 4194304 + 1;  // one more than there can be pids

struct PidsCgroup {
  cgroup_subsys_state css;
  atomic64_t counter;  // tasks here and below, zombies included
  atomic64_t limit;    // kNoLimit: max
  s64 watermark;       // the highest counter was; racy by design
  atomic64_t events_limit;  // forks refused to tasks of this cgroup
  CgroupInode* events_file;
};
PidsCgroup* pids_of(cgroup_subsys_state* css) { return container_of(css, PidsCgroup, css); }
// Null for the root, which has no limit and is not counted.
PidsCgroup* parent_of(PidsCgroup* p) { return p->css.parent ? pids_of(p->css.parent) : nullptr; }

Result<cgroup_subsys_state*> pids_alloc(cgroup_subsys_state*) {
  auto* p = static_cast<PidsCgroup*>(kzalloc(sizeof(PidsCgroup), GFP_KERNEL));
  if (!p) return fail(ENOMEM);
  atomic64_set(&p->limit, kNoLimit);
  return &p->css;
}

void pids_free(cgroup_subsys_state* css) { kfree(pids_of(css)); }

void raise_watermark(PidsCgroup* p, s64 now) {
  if (now > READ_ONCE(p->watermark)) WRITE_ONCE(p->watermark, now);
}

void uncharge(PidsCgroup* p, s64 n) {
  for (PidsCgroup* up; (up = parent_of(p)); p = up) atomic64_sub(n, &p->counter);
}

// Whatever the limits are: moving tasks is always allowed.
void charge(PidsCgroup* p, s64 n) {
  for (PidsCgroup* up; (up = parent_of(p)); p = up) raise_watermark(p, atomic64_add_return(n, &p->counter));
}

bool try_charge(PidsCgroup* first) {
  for (PidsCgroup *p = first, *up; (up = parent_of(p)); p = up) {
    const s64 now = atomic64_add_return(1, &p->counter);
    if (now > atomic64_read(&p->limit)) {
      for (PidsCgroup* undo = first;; undo = parent_of(undo)) {
        atomic64_sub(1, &undo->counter);
        if (undo == p) return false;
      }
    }
    raise_watermark(p, now);
  }
  return true;
}

// ---- Fork and its end ------------------------------------------------------------------------------------------------------------

// Counted where the task that wanted to fork is, whichever limit it was. The first time in a cgroup is worth a line.
void note_refusal(PidsCgroup* p) {
  if (atomic64_add_return(1, &p->events_limit) == 1) {
    char path[256];
    auto text = cgroup_path_from(p->css.cgroup, cgroup_root(), path, sizeof(path));
    pr_info("cgroup: fork rejected by pids controller in %s\n", text ? *text : p->css.cgroup->name);
  }
  IrqSpinGuard guard(css_set_lock);
  if (p->events_file) cgroup_file_notify(p->events_file);
}

Result<void> pids_can_fork(task_struct*, css_set* cset) {
  PidsCgroup* p = pids_of(cset->subsys[pids_cgrp_id]);
  if (try_charge(p)) [[likely]]
    return {};
  note_refusal(p);
  return fail(EAGAIN);
}
void pids_cancel_fork(task_struct*, css_set* cset) { uncharge(pids_of(cset->subsys[pids_cgrp_id]), 1); }
void pids_release(task_struct* t) { uncharge(pids_of(task_css(t, pids_cgrp_id)), 1); }

// ---- Migration ---------------------------------------------------------------------------------------------------------------------

// Charged before the task is in its new set, so that a fork of it finds the new place counted already.
Result<void> pids_can_attach(cgroup_taskset* tset) {
  task_struct* t;
  cgroup_subsys_state* dst;
  cgroup_taskset_for_each(t, dst, tset) {
    charge(pids_of(dst), 1);
    uncharge(pids_of(task_css(t, pids_cgrp_id)), 1);
  }
  return {};
}
void pids_cancel_attach(cgroup_taskset* tset) {
  task_struct* t;
  cgroup_subsys_state* dst;
  cgroup_taskset_for_each(t, dst, tset) {
    charge(pids_of(task_css(t, pids_cgrp_id)), 1);
    uncharge(pids_of(dst), 1);
  }
}

// ---- Files ---------------------------------------------------------------------------------------------------------------------------

int show_max(seq_file* m, cgroup_subsys_state* css) {
  const s64 limit = atomic64_read(&pids_of(css)->limit);
  if (limit >= kNoLimit)
    seq_puts(m, "max\n");
  else
    seq_printf(m, "%lld\n", static_cast<long long>(limit));
  return 0;
}

// May be set below what there is: nothing is killed, but nobody forks until enough have ended.
Result<void> write_max(cgroup_subsys_state* css, char* text, const file*) {
  long long limit = kNoLimit;
  if (strcmp(text, "max") != 0) {
    TRY(check_abi(kstrtoll(text, 0, &limit)));
    if (limit < 0 || limit >= kNoLimit) return fail(EINVAL);
  }
  atomic64_set(&pids_of(css)->limit, limit);
  return {};
}

int show_current(seq_file* m, cgroup_subsys_state* css) {
  seq_printf(m, "%lld\n", static_cast<long long>(atomic64_read(&pids_of(css)->counter)));
  return 0;
}
int show_peak(seq_file* m, cgroup_subsys_state* css) {
  seq_printf(m, "%lld\n", static_cast<long long>(READ_ONCE(pids_of(css)->watermark)));
  return 0;
}
int show_events(seq_file* m, cgroup_subsys_state* css) {
  seq_printf(m, "max %lld\n", static_cast<long long>(atomic64_read(&pids_of(css)->events_limit)));
  return 0;
}
void keep_events_file(cgroup_subsys_state* css, CgroupInode* f) { pids_of(css)->events_file = f; }

constexpr cftype kFiles[] = {
    {"pids.max", CFTYPE_NOT_ON_ROOT, show_max, write_max},
    {"pids.current", CFTYPE_NOT_ON_ROOT, show_current, nullptr},
    {"pids.peak", CFTYPE_NOT_ON_ROOT, show_peak, nullptr},
    {"pids.events", CFTYPE_NOT_ON_ROOT, show_events, nullptr, keep_events_file},
    {},
};

}  // namespace

constinit cgroup_subsys pids_cgrp_subsys = {
    .id = pids_cgrp_id, .name = "pids", .threaded = true, .css_alloc = pids_alloc, .css_online = nullptr,
    .css_offline = nullptr, .css_free = pids_free, .can_attach = pids_can_attach, .cancel_attach = pids_cancel_attach,
    .attach = nullptr, .can_fork = pids_can_fork, .cancel_fork = pids_cancel_fork, .fork = nullptr, .exit = nullptr,
    .release = pids_release, .files = kFiles,
};
