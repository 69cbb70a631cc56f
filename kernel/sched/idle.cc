// The idle class and the idle loop (spec 22 section 13, 30 S-25). The idle task is in no queue and never sleeps.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>

#include "kernel/cpu/smp.hh"
#include "init/init.hh"
#include "init/params.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sched/hooks.hh"
#include "kernel/sched/polling.hh"
#include "kernel/sched/stats.hh"
#include "kernel/sync/guards.hh"

namespace {

void no_enqueue(rq*, task_struct*, int) { BUG(); }
void dequeue_task_idle(rq* r, task_struct* p, int) {
  pr_err("bad: scheduling from the idle thread!\n");
  dump_stack();
  (void)r;
  (void)p;
}
void no_yield(rq*) {}
void check_preempt_curr_idle(rq* r, task_struct*, int) { resched_curr(r); }
task_struct* pick_next_task_idle(rq* r) {
  mark_idle(r);
  r->idle->last_queued = r->clock;  // it has not been kept waiting
  if (r->curr != r->idle) r->idle_switches++;
  if (schedstat_enabled()) schedstat_inc(r->sched_goidle);
  return r->idle;
}
void put_prev_task_idle(rq* r, task_struct*) { unmark_idle(r); }
void set_next_task_idle(rq* r, task_struct*) { mark_idle(r); }
unsigned select_task_rq_idle(task_struct* p, unsigned, int) { return task_cpu(p); }
void no_tick(rq*, task_struct*) {}
void no_fork(rq*, task_struct*) {}
void no_migrate(task_struct*, unsigned) {}
void no_switch(rq*, task_struct*) {}
void no_prio_change(rq*, task_struct*, int) {}
unsigned no_interval(rq*, task_struct*) { return 0; }
void no_update(rq*) {}

}  // namespace

const sched_class idle_sched_class = {
    .rank = 0,
    .enqueue_task = no_enqueue,
    .dequeue_task = dequeue_task_idle,
    .yield_task = no_yield,
    .check_preempt_curr = check_preempt_curr_idle,
    .pick_next_task = pick_next_task_idle,
    .put_prev_task = put_prev_task_idle,
    .set_next_task = set_next_task_idle,
    .select_task_rq = select_task_rq_idle,
    .task_tick = no_tick,
    .task_fork = no_fork,
    .migrate_task_rq = no_migrate,
    .switched_from = no_switch,
    .switched_to = no_switch,
    .prio_changed = no_prio_change,
    .get_rr_interval = no_interval,
    .update_curr = no_update,
};

// Linux's: idle CPUs poll while this has been asked for more often than taken back. One that has halted is told at its next interrupt.
extern "C" void cpu_idle_poll_ctrl(bool enable) { atomic_add(enable ? 1 : -1, &sched_state->idle_polls); }

// idle=poll: as Linux's.
void idle_boot() {
  std::string_view how;
  if (boot_param("idle", &how) && how == "poll") cpu_idle_poll_ctrl(true);
}

// S-25. The test of NEED_RESCHED and the beginning of the wait are one step against interrupts (C-80), so that an interrupt that
// wakes somebody in between ends the wait. From other CPUs it comes only to an idle task that does not poll: hence the test once
// more, after it has said that it does not.
static void halt_unless_wanted() {
  local_irq_disable();
  stop_polling();
  if (test_thread_flag(TIF_NEED_RESCHED))
    local_irq_enable();
  else
    arch::idle_wait();
  start_polling();
}

static void idle_until_wanted() {
  start_polling();
  tick_nohz_idle_enter();
  while (!test_thread_flag(TIF_NEED_RESCHED)) {
    if (smp_processor_id() == 0)
      idle_check_shutdown();
    else
      smp_idle_check_stop();
    if (atomic_read(&sched_state->idle_polls)) [[unlikely]]
      arch::cpu_relax();
    else
      halt_unless_wanted();
  }
  tick_nohz_idle_exit();
  stop_polling();
  // Who found us polling sent no interrupt. What is pushed from here on does.
  if (READ_ONCE(this_rq()->wake_list)) wake_list_interrupt(this_rq());
}

[[noreturn]] void cpu_startup_idle() {
  if (smp_processor_id() == 0) {  // the others: when they come up (cpu_hotplug.cc)
    IrqSpinGuard guard(this_rq()->lock);
    this_rq()->online = true;
    update_cpupri(this_rq());
  }
  for (;;) {
    idle_until_wanted();
    schedule_idle();
  }
}
