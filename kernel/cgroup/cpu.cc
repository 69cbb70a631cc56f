// The cpu controller: a group of fair tasks for each cgroup, and the files that say how it shares the CPUs. The scheduler's side
// is kernel/sched/task_group.hh; spec 31 sections 8 and 9. Texts and errnos asked of a real 6.1.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "kernel/cgroup/internal.hh"
#include "kernel/sched/autogroup.hh"
#include "kernel/sched/task_group.hh"
#include "kernel/sched/weights.hh"

namespace {

constexpr u64 kMinWeight = 1, kDefaultWeight = 100, kMaxWeight = 10000;
constexpr u64 kNsPerUs = 1000;
constexpr u64 kMaxBandwidthUs = (1ull << 44) - 1;

struct CpuCgroup {
  cgroup_subsys_state css;
  task_group* tg;        // null: the root's
  unsigned long shares;  // as written, not scaled; cgroup_mutex, like all below
  bool idle;
  u64 burst;             // ns; of no effect without a quota
};
CpuCgroup* cpu_of(cgroup_subsys_state* css) { return container_of(css, CpuCgroup, css); }

Result<cgroup_subsys_state*> cpu_alloc(cgroup_subsys_state* parent) {
  auto* c = static_cast<CpuCgroup*>(kzalloc(sizeof(CpuCgroup), GFP_KERNEL));
  if (!c) return fail(ENOMEM);
  c->shares = kDefaultShares;
  if (!parent) return &c->css;
  auto tg = sched_create_group(cpu_of(parent)->tg);
  if (!tg) {
    kfree(c);
    return std::unexpected(tg.error());
  }
  c->tg = *tg;
  return &c->css;
}

// Tasks that began to exit before a migration could take them along are still in the group: into the one above with them.
void evict_tasks(CpuCgroup* c, task_group* to) {
  IrqSpinGuard guard(css_set_lock);
  struct cgroup* d;
  for_each_descendant_pre(d, c->css.cgroup) for_each_task_in(d, [&](task_struct* t) {
    if (READ_ONCE(t->sched_task_group) == c->tg) sched_move_task(t, to);
  });
}

void cpu_offline(cgroup_subsys_state* css) {
  CpuCgroup* c = cpu_of(css);
  if (!c->tg) return;
  evict_tasks(c, css->parent ? cpu_of(css->parent)->tg : nullptr);
  sched_destroy_group(std::exchange(c->tg, nullptr));
}

// Of one that never came online, too.
void cpu_free(cgroup_subsys_state* css) { kfree(cpu_of(css)); }

// ---- Tasks -----------------------------------------------------------------------------------------------------------------------------

void cpu_attach(cgroup_taskset* tset) {
  task_struct* t;
  cgroup_subsys_state* dst;
  cgroup_taskset_for_each(t, dst, tset) {
    task_group* tg = cpu_of(dst)->tg;
    if (!tg) autogroup_prepare(t);
    sched_move_task(t, tg);
  }
}

// Before the child is placed on a run queue (spec 30 S-54).
Result<void> cpu_can_fork(task_struct* child, css_set* cset) {
  task_group* tg = cpu_of(cset->subsys[cpu_cgrp_id])->tg;
  if (!tg) autogroup_prepare(child);
  child->sched_task_group = autogroup_task_group(child, tg);
  return {};
}

// The rest of its way a task goes as one of the root's, so that its group need not outlive the cgroup.
void cpu_exit(task_struct* t) {
  if (t->sched_task_group) [[unlikely]]
    sched_move_task(t, nullptr);
}

// ---- Weight ----------------------------------------------------------------------------------------------------------------------------------

unsigned long closest(unsigned long n, unsigned long d) { return (n + d / 2) / d; }

Result<void> set_shares(CpuCgroup* c, unsigned long shares) {
  MutexGuard guard(cgroup_mutex);
  if (!c->tg) return fail(ENODEV);
  TRY(sched_group_set_shares(c->tg, shares));
  c->shares = shares;
  return {};
}

int show_weight(seq_file* m, cgroup_subsys_state* css) {
  const CpuCgroup* c = cpu_of(css);
  seq_printf(m, "%lu\n", READ_ONCE(c->idle) ? 0ul : closest(READ_ONCE(c->shares) * 100, 1024));
  return 0;
}
Result<void> write_weight(cgroup_subsys_state* css, char* text, const file*) {
  u64 weight;
  TRY(check_abi(kstrtou64(text, 0, &weight)));
  if (weight < kMinWeight || weight > kMaxWeight) return fail(ERANGE);
  return set_shares(cpu_of(css), closest(weight * 1024, kDefaultWeight));
}

// The nice value whose weight is nearest.
int nice_of(unsigned long shares) {
  int best = 0;
  auto off = [&](int i) { return shares > kPrioToWeight[i] ? shares - kPrioToWeight[i] : kPrioToWeight[i] - shares; };
  for (int i = 1; i < NICE_WIDTH; i++)
    if (off(i) < off(best)) best = i;
  return best + MIN_NICE;
}
int show_weight_nice(seq_file* m, cgroup_subsys_state* css) {
  const CpuCgroup* c = cpu_of(css);
  seq_printf(m, "%d\n", nice_of(READ_ONCE(c->idle) ? kIdleWeight : READ_ONCE(c->shares)));
  return 0;
}
Result<void> write_weight_nice(cgroup_subsys_state* css, char* text, const file*) {
  long long nice;
  TRY(check_abi(kstrtoll(text, 0, &nice)));
  if (nice < MIN_NICE || nice > MAX_NICE) return fail(ERANGE);
  return set_shares(cpu_of(css), kPrioToWeight[nice - MIN_NICE]);
}

int show_idle(seq_file* m, cgroup_subsys_state* css) {
  seq_printf(m, "%d\n", READ_ONCE(cpu_of(css)->idle));
  return 0;
}
Result<void> write_idle(cgroup_subsys_state* css, char* text, const file*) {
  long long idle;
  TRY(check_abi(kstrtoll(text, 0, &idle)));
  if (idle < 0 || idle > 1) return fail(EINVAL);
  CpuCgroup* c = cpu_of(css);
  MutexGuard guard(cgroup_mutex);
  if (!c->tg) return fail(ENODEV);
  TRY(sched_group_set_idle(c->tg, idle));
  if (c->idle && !idle) WRITE_ONCE(c->shares, kDefaultShares);
  WRITE_ONCE(c->idle, static_cast<bool>(idle));
  return {};
}

// ---- Bandwidth ---------------------------------------------------------------------------------------------------------------------------------

BandwidthPool pool_of(task_group* tg) {
  IrqSpinGuard guard(tg->bandwidth.lock);
  return tg->bandwidth.pool;
}

// cgroup_mutex held.
Result<void> set_bandwidth(CpuCgroup* c, u64 quota, u64 period, u64 burst) {
  TRY(sched_group_set_bandwidth(c->tg, quota, period, quota == kNoQuota ? 0 : burst));
  c->burst = burst;
  return {};
}

int show_max(seq_file* m, cgroup_subsys_state* css) {
  MutexGuard guard(cgroup_mutex);
  if (!cpu_of(css)->tg) return -ENODEV;
  const BandwidthPool pool = pool_of(cpu_of(css)->tg);
  if (pool.quota == kNoQuota)
    seq_puts(m, "max");
  else
    seq_printf(m, "%llu", pool.quota / kNsPerUs);
  seq_printf(m, " %llu\n", pool.period / kNsPerUs);
  return 0;
}

// Digits at the beginning of the text.
bool leading_number(const char* text, u64* n) {
  char* end;
  if (*text < '0' || *text > '9') return false;
  *n = simple_strtoull(text, &end, 10);
  return true;
}

// "QUOTA PERIOD", in microseconds. What follows is not looked at, and a period that is no number is the one that was.
Result<void> write_max(cgroup_subsys_state* css, char* text, const file*) {
  CpuCgroup* c = cpu_of(css);
  char* rest = text;
  const char* first = strsep(&rest, " ");
  u64 quota = kNoQuota, period;
  if (strcmp(first, "max") != 0) {
    if (!leading_number(first, &quota) || quota > kMaxBandwidthUs) return fail(EINVAL);
    quota *= kNsPerUs;
  }
  MutexGuard guard(cgroup_mutex);
  if (!c->tg) return fail(ENODEV);
  if (!rest || !leading_number(skip_spaces(rest), &period)) period = pool_of(c->tg).period / kNsPerUs;
  if (period > kMaxPeriod / kNsPerUs) return fail(EINVAL);
  return set_bandwidth(c, quota, period * kNsPerUs, c->burst);
}

int show_burst(seq_file* m, cgroup_subsys_state* css) {
  seq_printf(m, "%llu\n", READ_ONCE(cpu_of(css)->burst) / kNsPerUs);
  return 0;
}
Result<void> write_burst(cgroup_subsys_state* css, char* text, const file*) {
  CpuCgroup* c = cpu_of(css);
  u64 burst;
  TRY(check_abi(kstrtou64(text, 0, &burst)));
  if (burst > kMaxBandwidthUs) return fail(EINVAL);
  MutexGuard guard(cgroup_mutex);
  if (!c->tg) return fail(ENODEV);
  const BandwidthPool pool = pool_of(c->tg);
  return set_bandwidth(c, pool.quota, pool.period, burst * kNsPerUs);
}

constexpr cftype kFiles[] = {
    {"cpu.weight", CFTYPE_NOT_ON_ROOT | CFTYPE_NUMBER, show_weight, write_weight, nullptr},
    {"cpu.weight.nice", CFTYPE_NOT_ON_ROOT | CFTYPE_NUMBER, show_weight_nice, write_weight_nice, nullptr},
    {"cpu.idle", CFTYPE_NOT_ON_ROOT | CFTYPE_NUMBER, show_idle, write_idle, nullptr},
    {"cpu.max", CFTYPE_NOT_ON_ROOT, show_max, write_max, nullptr},
    {"cpu.max.burst", CFTYPE_NOT_ON_ROOT | CFTYPE_NUMBER, show_burst, write_burst, nullptr},
    {},
};

}  // namespace

// What the controller adds to cpu.stat. cgroup_mutex held.
void cpu_show_extra_stat(seq_file* m, cgroup_subsys_state* css) {
  task_group* tg = cpu_of(css)->tg;
  const BandwidthPool p = tg ? pool_of(tg) : BandwidthPool{};
  seq_printf(m, "nr_periods %llu\nnr_throttled %llu\nthrottled_usec %llu\nnr_bursts %llu\nburst_usec %llu\n", p.nr_periods,
             p.nr_throttled, p.throttled_time / kNsPerUs, p.nr_bursts, p.burst_time / kNsPerUs);
}

constinit cgroup_subsys cpu_cgrp_subsys = {
    .id = cpu_cgrp_id, .name = "cpu", .threaded = true, .css_alloc = cpu_alloc, .css_online = nullptr, .css_offline = cpu_offline,
    .css_free = cpu_free, .can_attach = nullptr, .cancel_attach = nullptr, .attach = cpu_attach, .can_fork = cpu_can_fork,
    .cancel_fork = nullptr, .fork = nullptr, .exit = cpu_exit, .release = nullptr, .files = kFiles,
};
