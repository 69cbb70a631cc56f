// Counting what tasks wait for, sleep on and are woken by. Spec 30 sections 6.6 and 14.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/stats.hh"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "init/params.hh"
#include "kernel/fork/fork.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sync/guards.hh"

namespace {

void add(u64& sum, u64 ns) { WRITE_ONCE(sum, sum + ns); }
void raise(u64& most, u64 ns) {
  if (ns > most) WRITE_ONCE(most, ns);
}
// What has passed since `start`, which another CPU's clock may have given; it is over now.
u64 take_span(u64& start, u64 now) {
  const u64 since = start;
  WRITE_ONCE(start, 0);
  return static_cast<s64>(now - since) > 0 ? now - since : 0;
}

void wait_starts(const rq* r, sched_statistics* s) { WRITE_ONCE(s->wait_start, r->clock - s->wait_start); }

// The mark is missing if the switch was turned on while p waited.
void wait_ends(const rq* r, task_struct* p, sched_statistics* s) {
  if (!s->wait_start) return;
  const u64 waited = take_span(s->wait_start, r->clock);
  if (task_on_rq_migrating(p)) {  // it goes on waiting elsewhere
    WRITE_ONCE(s->wait_start, waited);
    return;
  }
  trace_sched_stat_wait(p, waited);
  raise(s->wait_max, waited);
  schedstat_inc(s->wait_count);
  add(s->wait_sum, waited);
}

void sleep_ends(const rq* r, task_struct* p, sched_statistics* s) {
  if (s->sleep_start) {
    const u64 slept = take_span(s->sleep_start, r->clock);
    raise(s->sleep_max, slept);
    add(s->sum_sleep_runtime, slept);
    trace_sched_stat_sleep(p, slept);
  }
  if (!s->block_start) return;
  const u64 blocked = take_span(s->block_start, r->clock);
  raise(s->block_max, blocked);
  add(s->sum_sleep_runtime, blocked);
  add(s->sum_block_runtime, blocked);
  if (data_race(p->in_iowait)) {
    add(s->iowait_sum, blocked);
    schedstat_inc(s->iowait_count);
    trace_sched_stat_iowait(p, blocked);
  }
  trace_sched_stat_blocked(p, blocked);
}

// The lowest domain of this CPU that reaches `cpu`. Preemption off.
sched_domain* domain_reaching(unsigned cpu) {
  sched_domain* sd = lowest_domain(smp_processor_id());
  while (sd && !(sd->span >> cpu & 1)) sd = sd->parent;
  return sd;
}

Result<void> give_statistics(task_struct* p) {
  if (READ_ONCE(p->stats)) return {};
  void* fresh = kzalloc(sizeof(sched_statistics), GFP_ATOMIC);
  if (!fresh) return fail(ENOMEM);
  sched_statistics* none = nullptr;
  if (!__atomic_compare_exchange_n(&p->stats, &none, static_cast<sched_statistics*>(fresh), false, __ATOMIC_RELEASE,
                                   __ATOMIC_RELAXED))
    kfree(fresh);
  return {};
}

Result<void> give_statistics_to_all() {
  ReadGuard relations(tasklist_lock);
  task_struct *g, *t;
  for_each_process_thread(g, t) TRY(give_statistics(t));
  return {};
}

}  // namespace

u64 sched_info_pcount(const task_struct* p) { return READ_ONCE(p->nvcsw) + READ_ONCE(p->nivcsw) + task_on_cpu(p); }

void __schedstat_enqueue(rq* r, task_struct* p, int flags) {
  sched_statistics* s = statistics_of(p);
  if (!s) return;
  if (r->curr != p) wait_starts(r, s);
  if (flags & ENQUEUE_WAKEUP) sleep_ends(r, p, s);
}

void __schedstat_dequeue(rq* r, task_struct* p, int flags) {
  sched_statistics* s = statistics_of(p);
  if (!s) return;
  if (r->curr != p) wait_ends(r, p, s);
  if (!(flags & DEQUEUE_SLEEP)) return;
  const unsigned state = READ_ONCE(p->__state);
  if (state & TASK_INTERRUPTIBLE) WRITE_ONCE(s->sleep_start, r->clock);
  if (state & TASK_UNINTERRUPTIBLE) WRITE_ONCE(s->block_start, r->clock);
}

void __schedstat_switch(rq* r, task_struct* prev, task_struct* next) {
  schedstat_inc(r->sched_count);
  sched_statistics* s = statistics_of(prev);
  if (s && prev != r->idle && task_on_rq_queued(prev)) {
    WRITE_ONCE(s->wait_start, 0);
    wait_starts(r, s);
  }
  s = statistics_of(next);
  if (!s || next == r->idle) return;
  wait_ends(r, next, s);
  // A whole slice is one that was had beside others; the stretch before this one is it.
  if (next->sched_class == &fair_sched_class && next->se.cfs_rq->load.weight >= 2 * next->se.load.weight)
    raise(s->slice_max, next->se.sum_exec_runtime - next->se.prev_sum_exec_runtime);
}

void __schedstat_ran(task_struct* p, u64 ns) {
  if (sched_statistics* s = statistics_of(p)) raise(s->exec_max, ns);
}

void __schedstat_wakeup(task_struct* p, unsigned cpu, int wake_flags) {
  PreemptGuard here;
  rq* mine = this_rq();
  const bool local = cpu == mine->cpu;
  schedstat_inc(mine->ttwu_count);
  if (local) {
    schedstat_inc(mine->ttwu_local);
  } else if (sched_domain* sd = domain_reaching(cpu)) {
    WRITE_ONCE(sd->stats.ttwu_wake_remote, sd->stats.ttwu_wake_remote + 1);
  }
  sched_statistics* s = statistics_of(p);
  if (!s) return;
  schedstat_inc(local ? s->nr_wakeups_local : s->nr_wakeups_remote);
  if (wake_flags & WF_MIGRATED) schedstat_inc(s->nr_wakeups_migrate);
  schedstat_inc(s->nr_wakeups);
  if (wake_flags & WF_SYNC) schedstat_inc(s->nr_wakeups_sync);
}

void __schedstat_affine(sched_domain* sd, task_struct* p, bool came) {
  sched_statistics* s = statistics_of(p);
  if (s) schedstat_inc(s->nr_wakeups_affine_attempts);
  if (!came) return;
  WRITE_ONCE(sd->stats.ttwu_move_affine, sd->stats.ttwu_move_affine + 1);
  if (s) schedstat_inc(s->nr_wakeups_affine);
}

bool sched_schedstats() { return schedstat_enabled(); }

Result<void> set_sched_schedstats(bool on) {
  if (on == sched_schedstats()) return {};
  // First the switch, then those that are there: who is forked meanwhile gets its own.
  trace_set_schedstats(on);
  if (!on) return {};
  Result<void> given = give_statistics_to_all();
  if (!given) trace_set_schedstats(false);
  return given;
}

void sched_stats_boot() {
  std::string_view text;
  if (!boot_param("schedstats", &text)) return;
  if (text == "enable")
    (void)set_sched_schedstats(true);
  else if (text == "disable")
    (void)set_sched_schedstats(false);
  else
    pr_warn("Unable to parse schedstats=\n");
}

void __sched_stats_fork(task_struct* child) { (void)give_statistics(child); }  // no memory: it is not counted
