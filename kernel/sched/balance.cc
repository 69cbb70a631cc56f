// Load balancing: one CPU pulls fair tasks from the busiest CPU of the busiest group of a domain. What is busiest, and how
// much is to move, is judged in lb_decision.hh. Spec 31 sections 10.2 to 10.7.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>

#include "kernel/sched/fair.hh"
#include "kernel/sched/lb_decision.hh"
#include "kernel/sched/stats.hh"
#include "kernel/sched/task_group.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr unsigned kBreak = 32;                   // tasks looked at before the lock is dropped for a moment
constexpr unsigned long kMaxPinnedInterval = 512;  // ms

struct Balance {
  sched_domain* sd;
  rq* dst;
  IdleType idle;
  unsigned long cpus;         // not tried in vain yet
  unsigned long local_span;   // of the group that dst is in
  rq* src = nullptr;
  lb::Decision want{};
  bool some_pinned = false, all_pinned = true, want_other_dst = false;
  unsigned other_dst = 0;     // one that somebody who may not run on dst may run on
  unsigned looked = 0, look_until = kBreak, look_max = 0;
  bool need_break = false;
  list_head moving{&moving, &moving};

  unsigned kind() const { return static_cast<unsigned>(idle); }
};

// ---- Who balances (F-69) --------------------------------------------------------------------------------------------

bool should_balance(const Balance& b) {
  const unsigned cpu = b.dst->cpu;
  if (!(b.cpus >> cpu & 1)) return false;
  if (b.idle == IdleType::NewlyIdle) return !READ_ONCE(b.dst->nr_running) && !READ_ONCE(b.dst->ttwu_pending);
  const unsigned long mine = b.sd->groups->span & b.cpus;
  for (unsigned long left = mine; left; left &= left - 1) {
    const auto first = static_cast<unsigned>(__builtin_ctzl(left));
    if (idle_cpu(first)) return first == cpu;
  }
  return mine && static_cast<unsigned>(__builtin_ctzl(mine)) == cpu;
}

// ---- Counting -------------------------------------------------------------------------------------------------------

// Of the group that cpu, which balances, is in.
void update_group_capacity(sched_domain* sd, unsigned cpu) {
  rq* r = cpu_rq(cpu);
  if (!sd->child) {
    WRITE_ONCE(r->capacity, lb::capacity_left(READ_ONCE(r->avg_rt.util_avg), READ_ONCE(r->avg_dl.util_avg), 0));
    WRITE_ONCE(sd->groups->capacity, READ_ONCE(r->capacity));
    return;
  }
  unsigned long sum = 0;
  const sched_group* g = sd->child->groups;
  do sum += READ_ONCE(g->capacity);
  while (g = g->next, g != sd->child->groups);
  WRITE_ONCE(sd->groups->capacity, sum);
}

bool has_one_task_and_less_capacity(const Balance& b, const rq* r) {
  return READ_ONCE(r->cfs.h_nr_running) == 1 && lb::capacity_is_reduced(READ_ONCE(r->capacity), b.sd->imbalance_pct);
}

struct DomainStats {
  lb::GroupStats local{}, busiest{};
  sched_group* busiest_group = nullptr;
  unsigned long load = 0, capacity = 0, util = 0;
  bool overload = false;
};

lb::GroupStats count_group(const Balance& b, const sched_group* g, bool local, bool* overload) {
  lb::GroupStats s = {};
  for (unsigned long left = g->span & b.cpus; left; left &= left - 1) {
    const auto cpu = static_cast<unsigned>(__builtin_ctzl(left));
    const rq* r = cpu_rq(cpu);
    const unsigned n = READ_ONCE(r->nr_running);
    s.load += cpu_load(r);
    s.util += cpu_util(r);
    s.runnable += READ_ONCE(r->cfs.avg.runnable_avg);
    s.nr_fair += READ_ONCE(r->cfs.h_nr_running);
    s.nr_running += n;
    if (n > 1) *overload = true;
    if (!n && idle_cpu(cpu)) {
      s.idle_cpus++;
      continue;
    }
    if (!local && b.idle != IdleType::NotIdle && has_one_task_and_less_capacity(b, r) && s.misfit_load < cpu_load(r))
      s.misfit_load = cpu_load(r);
  }
  s.capacity = READ_ONCE(g->capacity);
  s.weight = g->weight;
  s.imbalanced = READ_ONCE(g->imbalanced);
  s.type = lb::classify(s, b.sd->imbalance_pct);
  if (s.type == lb::GroupType::Overloaded) s.avg_load = lb::avg_load(s.load, s.capacity);
  return s;
}

DomainStats count_domain(const Balance& b) {
  DomainStats d;
  sched_group* g = b.sd->groups;
  do {
    const bool local = g == b.sd->groups;
    if (local && b.idle != IdleType::NewlyIdle) update_group_capacity(b.sd, b.dst->cpu);
    const lb::GroupStats s = count_group(b, g, local, &d.overload);
    if (local) {
      d.local = s;
    } else if (lb::busier(s, d.busiest_group ? &d.busiest : nullptr)) {
      d.busiest = s;
      d.busiest_group = g;
    }
    d.load += s.load;
    d.capacity += s.capacity;
    d.util += s.util;
  } while (g = g->next, g != b.sd->groups);
  return d;
}

// F-79, and the root domain's mark of F-74.
void note_what_was_seen(const Balance& b, const DomainStats& d) {
  if (b.idle == IdleType::NewlyIdle && b.sd->shared)
    WRITE_ONCE(b.sd->shared->nr_idle_scan, lb::idle_scan(d.util, b.sd->weight, b.sd->imbalance_pct));
  if (b.sd->parent) return;
  root_domain* rd = READ_ONCE(cpu_rq(b.sd->groups->first())->rd);
  if (READ_ONCE(rd->overload) != d.overload) WRITE_ONCE(rd->overload, d.overload);
}

// Sets b.want. Null: balanced.
sched_group* find_busiest_group(Balance& b) {
  const DomainStats d = count_domain(b);
  note_what_was_seen(b, d);
  const lb::Asker by = {.idle = b.idle,
                        .pct = b.sd->imbalance_pct,
                        .prefer_sibling = b.sd->child && b.sd->child->flags & SD_PREFER_SIBLING,
                        .shares_cache = (b.sd->flags & SD_SHARE_PKG_RESOURCES) != 0,
                        .asym_capacity = (b.sd->flags & SD_ASYM_CPUCAPACITY) != 0,
                        .numa = (b.sd->flags & SD_NUMA) != 0,
                        .imb_numa_nr = static_cast<unsigned>(b.sd->imb_numa_nr),
                        .total_load = d.load,
                        .total_capacity = d.capacity};
  b.want = lb::decide(d.local, d.busiest_group ? &d.busiest : nullptr, by);
  return b.want.amount > 0 ? d.busiest_group : nullptr;
}

// How busy r is in terms of what is to be moved; 0: it has nothing to give.
unsigned long busyness(const Balance& b, const rq* r) {
  const unsigned tasks = READ_ONCE(r->cfs.h_nr_running);
  if (!tasks) return 0;
  switch (b.want.what) {
    case lb::Migrate::Task: return tasks;
    case lb::Migrate::Util: return tasks > 1 ? cpu_util(r) + 1 : 0;
    case lb::Migrate::Misfit: return cpu_load(r);
    case lb::Migrate::Load: break;
  }
  const unsigned long load = cpu_load(r), capacity = READ_ONCE(r->capacity);
  const bool reduced = lb::capacity_is_reduced(capacity, b.sd->imbalance_pct);
  if (READ_ONCE(r->nr_running) == 1 && load > static_cast<unsigned long>(b.want.amount) && !reduced) return 0;
  return load * kCpuCapacity / capacity + 1;
}

rq* find_busiest_queue(const Balance& b, const sched_group* g) {
  rq* busiest = nullptr;
  unsigned long most = 0;
  for (unsigned long left = g->span & b.cpus; left; left &= left - 1) {
    rq* r = cpu_rq(static_cast<unsigned>(__builtin_ctzl(left)));
    const unsigned long n = busyness(b, r);
    if (n > most) most = n, busiest = r;
  }
  return busiest == b.dst ? nullptr : busiest;
}

// ---- Taking tasks off (F-70, F-71). src locked. -------------------------------------------------------------------------

bool is_throttled_there(const task_struct* p, unsigned cpu) {
  return p->se.cfs_rq->is_throttled() || (p->sched_task_group && p->sched_task_group->cpu[cpu]->q.is_throttled());
}

bool is_cache_hot(const Balance& b, const task_struct* p) {
  if (p->sched_class != &fair_sched_class || p->policy == SCHED_IDLE || b.sd->flags & SD_SHARE_CPUCAPACITY) return false;
  const cfs_rq* q = p->se.cfs_rq;
  if (READ_ONCE(b.dst->nr_running) && (q->next == &p->se || q->last == &p->se)) return true;
  const u64 cost = sched_state->migration_cost;
  if (cost == ~0ull) return true;
  return static_cast<s64>(b.src->clock - p->se.exec_start) < static_cast<s64>(cost);
}

// p may not run on dst: perhaps on another CPU of its group.
void note_pinned(Balance& b, const task_struct* p) {
  b.some_pinned = true;
  if (b.idle == IdleType::NewlyIdle || b.want_other_dst) return;
  for (unsigned long left = b.local_span & b.cpus; left; left &= left - 1) {
    const auto cpu = static_cast<unsigned>(__builtin_ctzl(left));
    if (!is_cpu_allowed(p, cpu)) continue;
    b.want_other_dst = true;
    b.other_dst = cpu;
    return;
  }
}

bool can_migrate(Balance& b, task_struct* p) {
  if (is_throttled_there(p, b.dst->cpu) || kthread_is_per_cpu(p) || is_migration_disabled(p)) return false;
  if (!is_cpu_allowed(p, b.dst->cpu)) {
    note_pinned(b, p);
    schedstat_count(p, &sched_statistics::nr_failed_migrations_affine);
    return false;
  }
  b.all_pinned = false;
  if (task_on_cpu(p)) {
    schedstat_count(p, &sched_statistics::nr_failed_migrations_running);
    return false;
  }
  if (!is_cache_hot(b, p)) return true;
  const bool forced = READ_ONCE(b.sd->nr_balance_failed) > b.sd->cache_nice_tries;
  if (forced) domain_stat(b.sd->stats.hot_gained[b.kind()]);
  schedstat_count(p, forced ? &sched_statistics::nr_forced_migrations : &sched_statistics::nr_failed_migrations_hot);
  return forced;
}

// False: too much. Else what is wanted is less by p.
bool fits(Balance& b, task_struct* p) {
  switch (b.want.what) {
    case lb::Migrate::Load: {
      const unsigned long load = max(task_h_load(p), 1ul);
      const unsigned shift = min(READ_ONCE(b.sd->nr_balance_failed), 63u);
      if (static_cast<long>(load >> shift) > b.want.amount) return false;
      b.want.amount -= static_cast<long>(load);
      return true;
    }
    case lb::Migrate::Util: {
      const auto util = static_cast<long>(max(p->se.avg.util_avg, static_cast<unsigned long>(pelt::estimated_util(p->se.avg))));
      if (util > b.want.amount) return false;
      b.want.amount -= util;
      return true;
    }
    case lb::Migrate::Task: b.want.amount--; return true;
    case lb::Migrate::Misfit: b.want.amount = 0; return true;
  }
  return false;
}

void detach(Balance& b, task_struct* p) {
  deactivate_task(b.src, p, DEQUEUE_NOCLOCK);
  set_task_cpu(p, b.dst->cpu);
  list_add(&p->se.group_node, &b.moving);
}

unsigned detach_tasks(Balance& b) {
  unsigned n = 0;
  b.need_break = false;
  if (b.want.amount <= 0) return 0;
  list_head* tasks = &b.src->cfs_tasks;
  while (!list_empty(tasks)) {
    if (b.idle != IdleType::NotIdle && b.src->nr_running <= 1) break;  // do not take it its last
    if (b.looked > b.look_max && !b.all_pinned) break;
    if (++b.looked > b.look_max && b.looked > b.src->nr_running) break;
    if (b.looked > b.look_until) {
      b.look_until += kBreak;
      b.need_break = true;
      break;
    }
    task_struct* p = task_of(list_entry(tasks->prev, sched_entity, group_node));
    if (!can_migrate(b, p) || !fits(b, p)) {
      list_move(&p->se.group_node, tasks);
      continue;
    }
    detach(b, p);
    n++;
    if (b.idle == IdleType::NewlyIdle || b.want.amount <= 0) break;
  }
  domain_stat(b.sd->stats.gained[b.kind()], n);
  return n;
}

void attach_tasks(Balance& b) {
  SpinGuard guard(b.dst->lock);
  update_rq_clock(b.dst);
  while (!list_empty(&b.moving)) {
    task_struct* p = task_of(list_first_entry(&b.moving, sched_entity, group_node));
    list_del_init(&p->se.group_node);
    activate_task(b.dst, p, ENQUEUE_NOCLOCK);
    check_preempt_curr(b.dst, p, 0);
  }
}

unsigned move_once(Balance& b) {
  IrqGuard off;
  raw_spin_lock(&b.src->lock);
  update_rq_clock(b.src);
  const unsigned n = detach_tasks(b);
  raw_spin_unlock(&b.src->lock);
  if (n) attach_tasks(b);
  return n;
}

unsigned move_tasks(Balance& b) {
  unsigned moved = 0;
  b.look_max = min(sched_state->nr_migrate, READ_ONCE(b.src->nr_running));
  for (;;) {
    moved += move_once(b);
    if (b.need_break) continue;
    if (!b.want_other_dst || b.want.amount <= 0) break;
    b.cpus &= ~(1ul << b.dst->cpu);  // not this one again
    b.dst = cpu_rq(b.other_dst);
    b.want_other_dst = false;
    b.looked = 0;
    b.look_until = kBreak;
  }
  if (sched_domain* parent = b.sd->parent; parent && b.some_pinned && b.want.amount > 0) WRITE_ONCE(parent->groups->imbalanced, true);
  return moved;
}

// ---- When nothing could be moved ----------------------------------------------------------------------------------------

bool wants_active_balance(const Balance& b) {
  if (b.want.what == lb::Migrate::Misfit) return true;
  if (b.want.what == lb::Migrate::Task && READ_ONCE(b.sd->nr_balance_failed) > b.sd->cache_nice_tries + 2) return true;
  if (b.idle == IdleType::NotIdle || READ_ONCE(b.src->cfs.h_nr_running) != 1) return false;
  return lb::capacity_is_reduced(READ_ONCE(b.src->capacity), b.sd->imbalance_pct) &&
         READ_ONCE(b.src->capacity) * b.sd->imbalance_pct < READ_ONCE(b.dst->capacity) * 100;
}

enum class Active : unsigned char { Pinned, Busy, Started };

// On the CPU that is to give up its task, which is only queued now that the stopper runs. Cache-hot or not.
task_struct* detach_one(rq* src, rq* dst) {
  IrqSpinGuard guard(src->lock);
  src->active_balance = false;
  if (!cpu_active(src->cpu) || src->nr_running <= 1) return nullptr;  // it has gone, or this CPU is going
  update_rq_clock(src);
  for (list_head* at = src->cfs_tasks.prev; at != &src->cfs_tasks; at = at->prev) {
    task_struct* p = task_of(list_entry(at, sched_entity, group_node));
    if (is_throttled_there(p, dst->cpu) || kthread_is_per_cpu(p) || is_migration_disabled(p) || !is_cpu_allowed(p, dst->cpu)) continue;
    deactivate_task(src, p, DEQUEUE_NOCLOCK);
    set_task_cpu(p, dst->cpu);
    return p;
  }
  return nullptr;
}

int active_load_balance_cpu_stop(void* arg) {
  rq* src = static_cast<rq*>(arg);
  rq* dst = cpu_rq(static_cast<unsigned>(src->push_cpu));
  sched_domain* sd = lowest_domain(src->cpu);
  while (sd && !(sd->span >> dst->cpu & 1)) sd = sd->parent;
  IrqGuard off;
  task_struct* p = detach_one(src, dst);
  if (sd) domain_stat(p ? sd->stats.alb_pushed : sd->stats.alb_failed);
  if (!p) return 0;
  SpinGuard guard(dst->lock);
  update_rq_clock(dst);
  activate_task(dst, p, ENQUEUE_NOCLOCK);
  check_preempt_curr(dst, p, 0);
  return 0;
}

// The task that runs on src is to come over.
Active start_active_balance(const Balance& b) {
  rq* src = b.src;
  PreemptGuard no_preemption;  // until the work that we have promised is queued
  {
    IrqSpinGuard guard(src->lock);
    const task_struct* curr = src->curr;
    if (curr->sched_class != &fair_sched_class || !is_cpu_allowed(curr, b.dst->cpu)) return Active::Pinned;
    if (src->active_balance) return Active::Busy;
    src->active_balance = true;
    src->push_cpu = static_cast<int>(b.dst->cpu);
  }
  if (stop_one_cpu_nowait(src->cpu, active_load_balance_cpu_stop, src, &src->active_balance_work)) return Active::Started;
  IrqSpinGuard guard(src->lock);
  src->active_balance = false;
  return Active::Pinned;
}

void widen_interval(const Balance& b) {
  if (b.idle == IdleType::NewlyIdle) return;
  const unsigned long interval = READ_ONCE(b.sd->balance_interval);
  const bool pinned = b.all_pinned && b.src && interval < kMaxPinnedInterval;
  if (pinned || interval < b.sd->max_interval) WRITE_ONCE(b.sd->balance_interval, interval * 2);
}

int balanced(Balance& b) {
  if (b.sd->parent && !(b.all_pinned && b.src) && READ_ONCE(b.sd->parent->groups->imbalanced))
    WRITE_ONCE(b.sd->parent->groups->imbalanced, false);
  domain_stat(b.sd->stats.balanced[b.kind()]);
  WRITE_ONCE(b.sd->nr_balance_failed, 0);
  widen_interval(b);
  return 0;
}

void nothing_moved(Balance& b) {
  domain_stat(b.sd->stats.failed[b.kind()]);
  if (b.idle != IdleType::NewlyIdle) bump(b.sd->nr_balance_failed);
  bool started = false;
  if (wants_active_balance(b)) {
    const Active a = start_active_balance(b);
    if (a == Active::Pinned) return widen_interval(b);
    started = a == Active::Started;
    if (started) domain_stat(b.sd->stats.alb_count);
  }
  if (!started || wants_active_balance(b)) WRITE_ONCE(b.sd->balance_interval, b.sd->min_interval);
}

// False: nothing is to be had from anybody.
bool find_source(Balance& b) {
  const sched_group* g = find_busiest_group(b);
  if (!g) {
    domain_stat(b.sd->stats.nobusyg[b.kind()]);
    return false;
  }
  rq* busiest = find_busiest_queue(b, g);
  if (!busiest) {
    domain_stat(b.sd->stats.nobusyq[b.kind()]);
    return false;
  }
  b.src = busiest;
  domain_stat(b.sd->stats.imbalance[b.kind()], static_cast<unsigned>(b.want.amount));
  return true;
}

}  // namespace

// F-69 to F-71.
int load_balance(rq* r, sched_domain* sd, IdleType idle, bool* go_on) {
  Balance b{.sd = sd, .dst = r, .idle = idle, .cpus = sd->span & READ_ONCE(cpu_active_mask->bits[0]),
            .local_span = sd->groups->span};
  domain_stat(sd->stats.count[b.kind()]);
  for (;;) {
    if (!should_balance(b)) {
      *go_on = false;
      return balanced(b);
    }
    b.src = nullptr;
    if (!find_source(b)) return balanced(b);
    b.all_pinned = true;
    if (READ_ONCE(b.src->nr_running) > 1) {
      const unsigned moved = move_tasks(b);
      if (moved) {
        WRITE_ONCE(sd->nr_balance_failed, 0);
        WRITE_ONCE(sd->balance_interval, sd->min_interval);
        return static_cast<int>(moved);
      }
      if (b.all_pinned) {  // nobody there may come: is anybody else as busy?
        b.cpus &= ~(1ul << b.src->cpu);
        if (!(b.cpus & ~b.local_span)) return balanced(b);
        b.looked = 0;
        b.look_until = kBreak;
        continue;
      }
    }
    nothing_moved(b);
    return 0;
  }
}

// ---- Load of a task in the hierarchy (section 10.2) ---------------------------------------------------------------------

// Top down, once per jiffy. The way down is remembered on the way up.
static void update_h_load(cfs_rq* q) {
  const unsigned long now = jiffies;
  if (READ_ONCE(q->last_h_load_update) == now) return;
  if (!q->owner) {
    WRITE_ONCE(q->h_load, READ_ONCE(q->avg.load_avg));
  } else {
    cfs_rq* above = q->owner->cfs_rq;
    update_h_load(above);
    WRITE_ONCE(q->h_load, READ_ONCE(above->h_load) * READ_ONCE(q->owner->avg.load_avg) / (READ_ONCE(above->avg.load_avg) + 1));
  }
  WRITE_ONCE(q->last_h_load_update, now);
}

unsigned long task_h_load(task_struct* p) {
  cfs_rq* q = p->se.cfs_rq;
  update_h_load(q);
  return READ_ONCE(p->se.avg.load_avg) * READ_ONCE(q->h_load) / (READ_ONCE(q->avg.load_avg) + 1);
}
