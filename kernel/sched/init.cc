// Making and unmaking the scheduler's state, and small questions about tasks.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#include <new>

#include "init/report.hh"
#include "kernel/sched/autogroup.hh"
#include "kernel/sched/check.hh"
#include "kernel/sched/dl.hh"
#include "kernel/sched/loadavg.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/polling.hh"
#include "kernel/sched/preempt_mode.hh"
#include "kernel/sched/stats.hh"
#include "kernel/sched/stop.hh"
#include "kernel/sync/guards.hh"

constinit Late<SchedState> sched_state;

static rq* make_rq(unsigned cpu) {
  void* memory = kzalloc(sizeof(rq), GFP_NOWAIT);
  if (!memory) panic("no memory for the run queue of CPU %u", cpu);
  rq* r = ::new (memory) rq();
  r->cpu = cpu;
  r->rd = &sched_state->root_domains[0];
  raw_spin_lock_init(&r->stopper.lock);
  r->cfs.tun = &sched_state->tunables;
  r->cfs.cpu = cpu;
  r->max_idle_balance_cost = sched_state->migration_cost;
  r->avg_idle = 2 * sched_state->migration_cost;
  return r;
}

// The boot CPU's current task becomes its idle task. Interrupts off.
void sched_init() {
  SchedState& s = sched_state.construct();
  preempt_mode_boot();
  idle_boot();
  s.tunables = CfsTunables::for_cpus(nr_cpu_ids);
  s.rr_slice = s.rr_slice_largest = 100 * HZ / 1000;
  s.load_next = jiffies + kLoadFreq;
  raw_spin_lock_init(&s.load_lock);
  raw_spin_lock_init(&s.dl_lock);
  mutex_init(&s.groups_lock);
  mutex_init(&s.domains_lock);
  raw_spin_lock_init(&s.stop_order);
  mutex_init(&s.stop_cpus_mutex);
  autogroup_boot();
  s.root_domains[0].span = cpu_possible_mask->bits[0];  // until they are known
  s.root_domains[0].overload = single_cpu();  // nobody looks at it there
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    s.rqs[cpu] = make_rq(cpu);
    arch::cpu_block_of(cpu).rq = s.rqs[cpu];
  }
  cpumask_set_cpu(smp_processor_id(), &__cpu_active_mask);
  init_idle(current, smp_processor_id());
  sched_stats_boot();
  this_rq()->offline_since = 0;
  sched_check::begin();
}

// While timers still work: a throttled real-time queue waits for the end of its period.
void sched_quiesce() {
  dl_quiesce();
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    rq* r = cpu_rq(cpu);
    stopper_destroy(cpu);
    {
      IrqSpinGuard guard(r->lock);
      rt_rq_offline(r);
    }
    if (r->rt_period_timer.function) hrtimer_cancel(&r->rt_period_timer);
  }
}

void sched_exit(LeakReport& report) {
  sched_check::end(report);
  long uninterruptible = 0, iowait = 0;
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    rq* r = cpu_rq(cpu);
    report.expect_zero("tasks in a run queue", r->nr_running);
    report.expect_zero("deadline bandwidth of a CPU", static_cast<long>(r->dl.bw.this_bw | r->dl.bw.running_bw));
    if (!list_empty(&r->cfs_tasks)) report.finding("CPU %u: fair tasks on the list", cpu);
    if (!list_empty(&r->leaf_cfs_rqs)) report.finding("CPU %u: a group's queue is left", cpu);
    report.expect_zero("weight in a fair queue", static_cast<long>(r->cfs.load.weight));
    if (r->prev_mm) report.finding("CPU %u: an address space parked for dropping", cpu);  // C-95
    if (r->wake_list) report.finding("CPU %u: tasks on the list of remote wake-ups", cpu);
    if (!list_empty(&r->stopper.works)) report.finding("CPU %u: works of its stopper", cpu);
    if (r->nr_pinned) report.finding("CPU %u: tasks with migration disabled", cpu);
    uninterruptible += r->nr_uninterruptible;
    iowait += atomic_read(&r->nr_iowait);
  }
  report.expect_zero("admitted deadline bandwidth", static_cast<long>(dl_admitted_total()));
  if (!list_empty(&sched_state->groups)) report.finding("task groups are left");
  report.expect_zero("autogroups", atomic_long_read(&sched_state->nr_autogroups));
  report.expect_zero("uninterruptible sleepers", uninterruptible);
  report.expect_zero("tasks in I/O wait", iowait);
  for_each_possible_cpu(cpu) {
    arch::cpu_block_of(cpu).rq = nullptr;
    cpu_rq(cpu)->~rq();
    kfree(cpu_rq(cpu));
  }
  cpumask_clear(&__cpu_active_mask);
  free_domains(sched_state->domains);
  sched_state.destroy();
}

// The task becomes the CPU's idle task; it runs there, or will once the CPU starts.
void init_idle(task_struct* idle, unsigned cpu) {
  rq* r = cpu_rq(cpu);
  idle->__state = TASK_RUNNING;
  idle->se.exec_start = arch::clock_ns();
  idle->flags |= PF_IDLE | PF_KTHREAD | PF_NO_SETAFFINITY;
  idle->policy = SCHED_NORMAL;
  idle->prio = idle->normal_prio = idle->static_prio = DEFAULT_PRIO;  // S-4
  set_load_weight(idle);
  idle->sched_class = &idle_sched_class;
  INIT_LIST_HEAD(&idle->se.group_node);
  init_dl_task(idle);
  idle->se.cfs_rq = &r->cfs;
  cpumask_clear(&idle->cpus_mask);
  cpumask_set_cpu(cpu, &idle->cpus_mask);
  idle->cpus_ptr = &idle->cpus_mask;
  idle->nr_cpus_allowed = 1;
  __set_task_cpu(idle, cpu);
  r->idle = r->curr = idle;
  r->online_since = r->offline_since = arch::clock_ns();
  idle->on_rq = TASK_ON_RQ_QUEUED;  // S-22
  idle->on_cpu = 1;
}

bool task_curr(const task_struct* p) { return task_current(task_rq(p), p); }

char task_state_to_char(const task_struct* p) {
  unsigned state = READ_ONCE(p->__state);
  unsigned reported = (state | static_cast<unsigned>(READ_ONCE(p->exit_state))) & 0x7f;
  if ((state & TASK_IDLE) == TASK_IDLE) return 'I';
  if (state & TASK_FROZEN) reported = TASK_UNINTERRUPTIBLE;
  return "RSDTtXZP"[reported ? 32 - __builtin_clz(reported) : 0];
}
