// Where a fair task goes when it wakes up, is forked, or executes a program. Spec 31 section 10.11. What is read of other CPUs
// here are hints, no lock but the task's pi_lock is held.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>

#include "kernel/sched/fair.hh"
#include "kernel/sched/lb_decision.hh"
#include "kernel/sched/stats.hh"

namespace {

unsigned long allowed_cpus(const task_struct* p) { return READ_ONCE(p->cpus_ptr->bits[0]) & READ_ONCE(cpu_active_mask->bits[0]); }
bool allows(const task_struct* p, unsigned cpu) { return allowed_cpus(p) >> cpu & 1; }
bool is_free(unsigned cpu) { return idle_cpu(cpu) || sched_idle_cpu(cpu); }

// ---- Waking (F-76 to F-78) --------------------------------------------------------------------------------------------

// Counts how often the waker turns to somebody else; halved each second.
void record_wakee(task_struct* p) {
  task_struct* me = current;
  if (time_after(jiffies, me->wakee_flip_decay_ts + HZ)) {
    WRITE_ONCE(me->wakee_flips, me->wakee_flips >> 1);
    me->wakee_flip_decay_ts = jiffies;
  }
  if (me->last_wakee == p) return;
  me->last_wakee = p;
  WRITE_ONCE(me->wakee_flips, me->wakee_flips + 1);
}

bool wakes_widely(const task_struct* p, unsigned here) {
  const DomainSet::PerCpu* d = domains_of(cpu_rq(here));
  const unsigned cache_cpus = d ? static_cast<unsigned>(__builtin_popcountl(d->cache_span)) : 1;
  return lb::is_wide(READ_ONCE(current->wakee_flips), READ_ONCE(p->wakee_flips), cache_cpus);
}

// F-77: this CPU, where the waker is, or the one the task ran on.
unsigned wake_affine(const sched_domain* sd, task_struct* p, unsigned here, unsigned prev, int flags) {
  const lb::WakeSync sync = flags & WF_SYNC ? lb::WakeSync::Yes : lb::WakeSync::No;
  if (idle_cpu(here) && shares_cache(here, prev)) return idle_cpu(prev) ? prev : here;
  if (sync == lb::WakeSync::Yes && READ_ONCE(cpu_rq(here)->nr_running) == 1) return here;
  if (idle_cpu(prev)) return prev;
  const lb::AffineLoads loads = {.here = cpu_load(cpu_rq(here)),
                                 .prev = cpu_load(cpu_rq(prev)),
                                 .task = task_h_load(p),
                                 .curr = sync == lb::WakeSync::Yes ? task_h_load(current) : 0,
                                 .here_capacity = READ_ONCE(cpu_rq(here)->capacity),
                                 .prev_capacity = READ_ONCE(cpu_rq(prev)->capacity)};
  return lb::weight_says_here(loads, sd->imbalance_pct, sync) ? here : prev;
}

unsigned long core_of(unsigned cpu) { return domains_of(cpu_rq(cpu))->core; }

// The first of `cpus` from after `start` on, around.
unsigned first_after(unsigned long cpus, unsigned start) {
  const unsigned long above = start + 1 < NR_CPUS ? cpus & (~0ul << (start + 1)) : 0;
  return static_cast<unsigned>(__builtin_ctzl(above ? above : cpus));
}

unsigned long truly_idle(unsigned long cpus) {
  unsigned long idle = 0;
  for (unsigned long left = cpus & READ_ONCE(sched_state->idle_cpus); left; left &= left - 1) {
    const auto cpu = static_cast<unsigned>(__builtin_ctzl(left));
    if (idle_cpu(cpu)) idle |= 1ul << cpu;
  }
  return idle;
}

unsigned long whole_idle_cores(unsigned long idle) {
  unsigned long whole = 0;
  for (unsigned long left = idle; left; left &= left - 1) {
    const auto cpu = static_cast<unsigned>(__builtin_ctzl(left));
    if (!(core_of(cpu) & ~idle)) whole |= 1ul << cpu;
  }
  return whole;
}

// The last two rows of F-78. -1: none.
int scan_cache(const task_struct* p, const DomainSet::PerCpu* d, unsigned prev, unsigned target) {
  const unsigned long idle = truly_idle(d->cache_span), allowed = allowed_cpus(p);
  if (!idle) return -1;
  const bool smt = d->core & (d->core - 1);
  const unsigned long whole = smt ? whole_idle_cores(idle) : 0;
  if (smt && !whole && shares_cache(prev, target))
    if (const unsigned long siblings = core_of(prev) & idle & allowed) return __builtin_ctzl(siblings);
  if (whole & allowed) return static_cast<int>(first_after(whole & allowed, target));
  if (!(idle & allowed)) return -1;
  const unsigned found = first_after(idle & allowed, target);
  if (whole) return static_cast<int>(found);
  // Every CPU between target and the one found has been looked at.
  const unsigned long upto = found + 1 < NR_CPUS ? (1ul << (found + 1)) - 1 : ~0ul;
  const unsigned long from = target + 1 < NR_CPUS ? ~0ul << (target + 1) : 0;
  const unsigned long looked_at = found > target ? from & upto : from | upto;
  const int n = __builtin_popcountl(looked_at & d->cache_span & allowed);
  return n <= READ_ONCE(d->cache->shared->nr_idle_scan) ? static_cast<int>(found) : -1;
}

// F-78, in its order.
unsigned select_idle_sibling(task_struct* p, unsigned prev, unsigned target) {
  if (allows(p, target) && is_free(target)) return target;
  const bool near = shares_cache(prev, target);
  if (prev != target && near && allows(p, prev) && is_free(prev)) return prev;
  if (in_task() && prev == smp_processor_id() && kthread_is_per_cpu(current) && READ_ONCE(this_rq()->nr_running) <= 1)
    return prev;
  const auto recent = static_cast<unsigned>(p->recent_used_cpu);
  p->recent_used_cpu = static_cast<int>(prev);
  if (recent != prev && recent != target && allows(p, recent) && shares_cache(recent, target) && is_free(recent)) return recent;
  const DomainSet::PerCpu* d = domains_of(cpu_rq(target));
  if (!d || !d->cache) return target;
  const int found = scan_cache(p, d, prev, target);
  return found >= 0 ? static_cast<unsigned>(found) : target;
}

// ---- Fork and exec (F-75) -----------------------------------------------------------------------------------------------

// What there would be without p, which runs there if it executes a program.
unsigned nr_running_without(const task_struct* p, unsigned cpu) {
  const unsigned n = READ_ONCE(cpu_rq(cpu)->nr_running);
  return p->on_rq && task_cpu(p) == cpu && n ? n - 1 : n;
}
unsigned long load_without(task_struct* p, unsigned cpu) {
  const unsigned long load = cpu_load(cpu_rq(cpu));
  if (!p->on_rq || task_cpu(p) != cpu) return load;
  const unsigned long own = task_h_load(p);
  return load > own ? load - own : 0;
}
bool idle_without(const task_struct* p, unsigned cpu) {
  if (nr_running_without(p, cpu)) return false;
  const task_struct* curr = cpu_curr(cpu);
  return !READ_ONCE(cpu_rq(cpu)->ttwu_pending) && (curr == p || curr == cpu_rq(cpu)->idle);
}

lb::GroupStats count_for_placing(const sched_domain* sd, const sched_group* g, task_struct* p) {
  lb::GroupStats s = {};
  for (unsigned long left = g->span & READ_ONCE(cpu_active_mask->bits[0]); left; left &= left - 1) {
    const auto cpu = static_cast<unsigned>(__builtin_ctzl(left));
    const rq* r = cpu_rq(cpu);
    const bool own = p->on_rq && task_cpu(p) == cpu;
    s.load += load_without(p, cpu);
    const unsigned long util = cpu_util(r), own_util = own ? p->se.avg.util_avg : 0;
    s.util += util > own_util ? util - own_util : 0;
    s.runnable += READ_ONCE(r->cfs.avg.runnable_avg);
    s.nr_running += nr_running_without(p, cpu);
    s.nr_fair += READ_ONCE(r->cfs.h_nr_running);
    if (idle_without(p, cpu)) s.idle_cpus++;
  }
  s.capacity = READ_ONCE(g->capacity);
  s.weight = g->weight;
  s.type = lb::classify(s, sd->imbalance_pct);
  if (s.type == lb::GroupType::FullyBusy || s.type == lb::GroupType::Overloaded) s.avg_load = lb::avg_load(s.load, s.capacity);
  return s;
}

// Null: the group that this CPU is in is as good as any.
const sched_group* find_idlest_group(const sched_domain* sd, task_struct* p, unsigned here) {
  const unsigned long allowed = allowed_cpus(p);
  const sched_group *g = sd->groups, *idlest = nullptr;
  lb::GroupStats local = {}, best = {};
  bool have_local = false;
  do {
    if (!(g->span & allowed)) continue;
    const lb::GroupStats s = count_for_placing(sd, g, p);
    if (g->span >> here & 1) {
      local = s;
      have_local = true;
    } else if (lb::idler(s, idlest ? &best : nullptr)) {
      idlest = g;
      best = s;
    }
  } while (g = g->next, g != sd->groups);
  if (!idlest || !have_local) return idlest;
  return lb::other_group_is_better(local, best, sd->imbalance_pct) ? idlest : nullptr;
}

// CPUs with nothing but SCHED_IDLE tasks first, then idle ones, of which the most recent, then the least loaded.
unsigned idlest_cpu_of(unsigned long cpus, task_struct* p, unsigned fallback) {
  unsigned least = fallback, idle = NR_CPUS;
  unsigned long least_load = ~0ul;
  u64 latest = 0;
  for (unsigned long left = cpus; left; left &= left - 1) {
    const auto cpu = static_cast<unsigned>(__builtin_ctzl(left));
    if (sched_idle_cpu(cpu)) return cpu;
    if (idle_without(p, cpu)) {
      const u64 stamp = READ_ONCE(cpu_rq(cpu)->idle_stamp);
      if (idle == NR_CPUS || stamp > latest) idle = cpu, latest = stamp;
    } else if (idle == NR_CPUS) {
      const unsigned long load = load_without(p, cpu);
      if (load < least_load) least = cpu, least_load = load;
    }
  }
  return idle != NR_CPUS ? idle : least;
}

sched_domain* narrower_domain(unsigned cpu, unsigned weight, unsigned flag) {
  sched_domain* found = nullptr;
  for (sched_domain* sd = lowest_domain(cpu); sd && sd->weight < weight; sd = sd->parent)
    if (sd->flags & flag) found = sd;
  return found;
}

unsigned find_idlest_cpu(sched_domain* sd, task_struct* p, unsigned cpu, unsigned flag) {
  if (!(sd->span & allowed_cpus(p))) return cpu;
  unsigned best = cpu;
  while (sd) {
    if (!(sd->flags & flag)) {
      sd = sd->child;
      continue;
    }
    const sched_group* g = find_idlest_group(sd, p, best);
    if (!g) {
      sd = sd->child;
      if (!sd) best = idlest_cpu_of(1ul << best & allowed_cpus(p), p, best);
      continue;
    }
    const unsigned to = idlest_cpu_of(g->span & allowed_cpus(p), p, best);
    sd = to == best ? sd->child : narrower_domain(to, sd->weight, flag);
    best = to;
  }
  return best;
}

}  // namespace

// S-50: pi_lock held.
unsigned select_task_rq_fair(task_struct* p, unsigned prev, int flags) {
  const unsigned here = smp_processor_id();
  const bool waking = flags & WF_TTWU;
  bool affine = false;
  if (waking) {
    record_wakee(p);
    affine = allows(p, here) && !wakes_widely(p, here);
  }
  const unsigned flag = waking ? SD_BALANCE_WAKE : flags & WF_FORK ? SD_BALANCE_FORK : SD_BALANCE_EXEC;
  sched_domain* slow = nullptr;
  unsigned target = prev;
  for (sched_domain* sd = lowest_domain(here); sd; sd = sd->parent) {
    if (affine && sd->flags & SD_WAKE_AFFINE && sd->span >> prev & 1) {
      if (here != prev) target = wake_affine(sd, p, here, prev, flags);
      if (here != prev && schedstat_enabled()) __schedstat_affine(sd, p, target == here);
      slow = nullptr;
      break;
    }
    if (sd->flags & flag)
      slow = sd;
    else if (!affine)
      break;
  }
  if (slow) return find_idlest_cpu(slow, p, here, flag);
  return waking ? select_idle_sibling(p, prev, target) : target;
}
