// CPUs that come and go, for the scheduler. Spec 30 section 10.5.
// Nothing is asked at a switch: once the CPU is inactive, nobody is sent there, and whoever is there is pushed away by its stopper.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/cpu_hotplug.hh"

#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>

#include "kernel/cgroup/cpuset.hh"
#include "kernel/sched/bandwidth.hh"
#include "kernel/sched/dl.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sched/pelt.hh"
#include "kernel/sched/stop.hh"
#include "kernel/sync/guards.hh"

namespace {

void set_active(unsigned cpu, bool active) {
  if (active) {
    cpumask_clear_cpu(cpu, &__cpu_dying_mask);
    cpumask_set_cpu(cpu, &__cpu_active_mask);
  } else {
    cpumask_set_cpu(cpu, &__cpu_dying_mask);
    cpumask_clear_cpu(cpu, &__cpu_active_mask);
  }
}

// Leaves or joins the root domain.
void set_rq_online(unsigned cpu, bool online) {
  rq* r = cpu_rq(cpu);
  IrqSpinGuard guard(r->lock);
  update_rq_clock(r);
  WRITE_ONCE(r->online, online);  // ticks look at it without the lock
  update_cpupri(r);
  if (!online) rt_rq_offline(r);
  set_cfs_bandwidth_online(r, online);
}

struct Push {
  unsigned cpu;
  unsigned others = 0;  // that could not be sent away
};

// In the stopper. The tasks that are not in the list any more, being about to end, are counted too.
int push_tasks_stop(void* arg) {
  auto* push = static_cast<Push*>(arg);
  rq* r = this_rq();
  wake_list_interrupt(r);
  evict_from_this_cpu();
  unsigned own = 1;
  RcuReadGuard rcu;
  task_struct *p, *t;
  for_each_process_thread(p, t) {
    if (t == current || task_cpu(t) != r->cpu || !READ_ONCE(t->on_rq)) continue;
    if (kthread_is_per_cpu(t)) own++;
  }
  const unsigned n = READ_ONCE(r->nr_running);
  push->others = n > own ? n - own : 0;
  return 0;
}

bool is_empty(unsigned cpu) {
  Push push{cpu};
  stop_one_cpu(cpu, push_tasks_stop, &push);
  return !push.others && !READ_ONCE(cpu_rq(cpu)->nr_pinned);
}

}  // namespace

void sched_cpu_active_at_boot(unsigned cpu) {
  set_rq_online(cpu, true);
  set_active(cpu, true);
}

Result<void> sched_cpu_deactivate(unsigned cpu) {
  root_domain* rd = READ_ONCE(cpu_rq(cpu)->rd);
  TRY(dl_cpus_needed(1ul << cpu, 0));  // D-4
  set_active(cpu, false);
  synchronize_rcu();  // who has chosen it, with preemption off, has sent the task by now
  if (Result<void> r = update_sched_domains(); !r) {
    set_active(cpu, true);
    return r;
  }
  // Again: a deadline task may have been admitted before the CPU ceased to count.
  if (Result<void> r = dl_cpus_needed(READ_ONCE(rd->span), ~0ul); !r) {
    set_active(cpu, true);
    (void)update_sched_domains();
    return r;
  }
  set_rq_online(cpu, false);
  cpuset_update_active_cpus();
  return {};
}

Result<void> sched_cpu_activate(unsigned cpu) {
  set_rq_online(cpu, true);
  set_active(cpu, true);
  if (Result<void> r = update_sched_domains(); !r) {
    set_active(cpu, false);
    synchronize_rcu();  // as above
    set_rq_online(cpu, false);
    return r;
  }
  cpuset_update_active_cpus();
  return {};
}

void sched_cpu_wait_empty(unsigned cpu) {
  while (!is_empty(cpu)) schedule_timeout_uninterruptible(1);
}

void sched_cpu_starting() {
  rq* r = this_rq();
  r->online_since += arch::clock_ns() - r->offline_since;
  r->offline_since = 0;
  r->idle_stamp = 0;
  r->next_balance = jiffies;
}

void sched_cpu_dying() {
  rq* r = this_rq();
  wake_list_interrupt(r);
  evict_from_this_cpu();  // threads of this CPU's own that nobody has parked
  WARN_ONCE(r->nr_running != 1 || r->nr_pinned, "Dying CPU not properly vacated!");
  r->offline_since = arch::clock_ns();
}

void sched_cpu_dead(unsigned cpu) {
  rq* r = cpu_rq(cpu);
  __atomic_fetch_and(&sched_state->idle_cpus, ~(1ul << cpu), __ATOMIC_RELAXED);
  cpumask_clear_cpu(cpu, &__cpu_dying_mask);
  WRITE_ONCE(r->nohz_kick, false);
}
