// The switch: __schedule, what surrounds it, and who calls it. Spec 22, 30 sections 4 and 5.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/rcupdate.h>

#include "kernel/fork/fork.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/check.hh"
#include "kernel/sched/dl.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sched/hooks.hh"
#include "kernel/sched/polling.hh"
#include "kernel/sched/preempt_mode.hh"
#include "kernel/sched/stats.hh"
#include "kernel/signal/signal.hh"
#include "kernel/trace/trace.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

enum class Mode : unsigned char { Voluntary, Preempt };

// ---- Leaving ------------------------------------------------------------------------------------------------------

__cold noinline void report_atomic_schedule(task_struct* prev) {
  pr_err("BUG: scheduling while atomic: %s/%d/0x%08x\n", prev->comm, prev->pid, preempt_count());
  dump_stack();
  preempt_count_sub(preempt_count() - PREEMPT_OFFSET);
}

inline void schedule_debug(task_struct* prev) {
  if (*static_cast<const u64*>(prev->stack) != STACK_END_MAGIC) [[unlikely]]
    panic("corrupted stack end detected inside scheduler");
  if (preempt_count() != PREEMPT_OFFSET) [[unlikely]]
    report_atomic_schedule(prev);  // C-3
}

// C-5: prev called schedule() in `state`. rq lock held, prev queued.
void try_to_block(rq* r, task_struct* prev, unsigned state) {
  if (signal_pending_state(state, prev)) {
    WRITE_ONCE(prev->__state, TASK_RUNNING);
    return;
  }
  bool loads = (state & TASK_UNINTERRUPTIBLE) && !(state & (TASK_NOLOAD | TASK_FROZEN));
  prev->sched_contributes_to_load = loads;
  if (loads) WRITE_ONCE(r->nr_uninterruptible, r->nr_uninterruptible + 1);
  if (prev->in_iowait) atomic_inc(&r->nr_iowait);
  // From the store of on_rq on a waker may own prev's state (S-43): it is not read again here.
  deactivate_task(r, prev, DEQUEUE_SLEEP | DEQUEUE_NOCLOCK);
}

// ---- Choosing -----------------------------------------------------------------------------------------------------

task_struct* pick_from_classes(rq* r, task_struct* prev) {
  prev->sched_class->put_prev_task(r, prev);
  for (const sched_class* c : kSchedClasses) {
    if (c == &fair_sched_class && stand_in_for_fair) c = stand_in_for_fair();
    if (task_struct* p = c->pick_next_task(r)) return p;
  }
  BUG();  // the idle class always answers
}

// S-23, S-24.
inline task_struct* pick_next_task(rq* r, task_struct* prev) {
  bool only_fair = prev->sched_class->rank <= fair_sched_class.rank && r->nr_running == r->cfs.h_nr_running;
  if (only_fair && r->cfs.nr_running) [[likely]]
    if (task_struct* p = fair_pick(r, prev)) [[likely]]
      return p;
  if (!r->nr_running && newidle_balance(r)) return pick_next_task(r, prev);
  return pick_from_classes(r, prev);
}

// ---- The switch itself --------------------------------------------------------------------------------------------

// C-15 to C-18, the four-row table. rq lock held, interrupts off.
inline void switch_address_space(rq* r, task_struct* prev, task_struct* next) {
  if (!next->mm) {
    arch::enter_lazy_tlb(prev->active_mm);
    next->active_mm = prev->active_mm;
    if (prev->mm)
      mmgrab(prev->active_mm);
    else
      prev->active_mm = nullptr;
    return;
  }
  // The table load is the full barrier of C-17: rq->curr was stored before, user accesses come after.
  arch::switch_mm(prev->active_mm, next->mm);
  if (!prev->mm) {
    r->prev_mm = prev->active_mm;  // dropped in finish_task_switch: now it may still be loaded (C-16)
    prev->active_mm = nullptr;
  }
}

__cold noinline void report_switch_count() {
  pr_err("BUG: preempt count 0x%x at the end of a task switch\n", preempt_count());
  dump_stack();
  preempt_count_sub(preempt_count() - 2 * PREEMPT_OFFSET);
}

noinline void put_dead_task(task_struct* prev) {
  if (prev->sched_class->task_dead) prev->sched_class->task_dead(prev);
  put_task_stack(prev);
  put_task_struct_rcu_user(prev);  // C-40
}

// On next's stack; prev is who ran before. rq locked on entry, unlocked and interrupts on at return.
inline void finish_task_switch(task_struct* prev) {
  rq* r = this_rq();  // C-11
  if (preempt_count() != 2 * PREEMPT_OFFSET) [[unlikely]]
    report_switch_count();
  mm_struct* mm = r->prev_mm;
  r->prev_mm = nullptr;
  // Before on_cpu falls: afterwards prev may run elsewhere and even die there (spec 22 section 6 step 3).
  unsigned prev_state = READ_ONCE(prev->__state);
  bool rt_waits = r->rt.nr_running > 1 || r->dl.nr_running > 1 || (r->rt.nr_running && r->dl.nr_running);
  // Pairs with the acquire in try_to_wake_up: who sees 0 sees the whole saved context (C-36, S-44).
  smp_store_release(&prev->on_cpu, 0);
  raw_spin_unlock(&r->lock);
  if (rt_waits) [[unlikely]] {
    dl_kick(r);
    push_rt_tasks(r);
  }
  local_irq_enable();
  if (mm) mmdrop(mm);
  if (prev_state == TASK_DEAD) [[unlikely]]
    put_dead_task(prev);
}

inline void context_switch(rq* r, task_struct* prev, task_struct* next) {
  WRITE_ONCE(next->on_cpu, 1);  // under the rq lock, before next can be seen running (S-42)
  switch_address_space(r, prev, next);
  prev = arch::switch_to(prev, next);
  barrier();
  finish_task_switch(prev);
}

__cold noinline void note_switch(rq* r, Mode mode, task_struct* prev, unsigned prev_state, task_struct* next) {
  if (schedstat_enabled()) __schedstat_switch(r, prev, next);
  trace_sched_switch(mode == Mode::Preempt, prev, prev_state, next);
}

// Preemption disabled once. Interrupts are on at return.
void __schedule(Mode mode) {
  arch::yield_point(arch::PreemptPoint::Switch);
  local_irq_disable();
  rq* r = this_rq();
  task_struct* prev = r->curr;
  schedule_debug(prev);
  rcu_note_context_switch(mode == Mode::Preempt);
  raw_spin_lock(&r->lock);
  // C-4. Pairs with the barrier after pi_lock in try_to_wake_up (S-40), and orders user accesses before rq->curr.
  smp_mb();
  r->clock_update_flags <<= 1;
  update_rq_clock(r);
  sched_check_rq(r, sched_check::When::Enter, prev);

  unsigned long* switch_count = &prev->nivcsw;
  unsigned prev_state = mode == Mode::Voluntary ? READ_ONCE(prev->__state) : 0;
  if (prev_state) {
    try_to_block(r, prev, prev_state);
    switch_count = &prev->nvcsw;
  }
  if (READ_ONCE(sched_state->rt_overloaded) | READ_ONCE(sched_state->dl_overloaded)) [[unlikely]] {
    dl_pull(r);
    if (wants_rt_pull(r, prev)) rt_pull(r);
  }

  task_struct* next = pick_next_task(r, prev);
  clear_tsk_thread_flag(prev, TIF_NEED_RESCHED);
  clear_preempt_need_resched();
  if (next == prev) {
    if (schedstat_enabled()) schedstat_inc(r->sched_count);
    sched_check_rq(r, sched_check::When::Switch, prev);
    r->clock_update_flags = 0;
    raw_spin_unlock_irq(&r->lock);
    return;
  }
  WRITE_ONCE(r->nr_switches, r->nr_switches + 1);
  WRITE_ONCE(*switch_count, *switch_count + 1);
  __atomic_store_n(&r->curr, next, __ATOMIC_RELEASE);  // pairs with cpu_curr(): a new task is seen as its maker left it
  sched_check_rq(r, sched_check::When::Switch, prev);
  sched_info_switch(r, prev, next);
  constexpr u32 kSwitchWatched = 1u << static_cast<unsigned>(TraceEvent::SchedSwitch) | kSchedStatsLive;
  if (READ_ONCE(trace_events_live) & kSwitchWatched) [[unlikely]]
    note_switch(r, mode, prev, prev_state, next);
  r->clock_update_flags = 0;
  context_switch(r, prev, next);
}

}  // namespace

void preempt_schedule_common() {
  do {
    preempt_disable();
    __schedule(Mode::Preempt);
    preempt_enable_no_resched();
  } while (test_thread_flag(TIF_NEED_RESCHED));
}

// ---- Entry points -------------------------------------------------------------------------------------------------

void schedule() {
  do {
    preempt_disable();
    __schedule(Mode::Voluntary);
    preempt_enable_no_resched();
  } while (test_thread_flag(TIF_NEED_RESCHED));
}

void schedule_idle() {
  WARN_ON_ONCE(READ_ONCE(current->__state) != TASK_RUNNING);
  do {
    __schedule(Mode::Voluntary);
  } while (test_thread_flag(TIF_NEED_RESCHED));
}

void schedule_preempt_disabled() {
  preempt_enable_no_resched();
  schedule();
  preempt_disable();
}

extern "C" void preempt_schedule() {
  if (preempt_count() != 0 || preempt_mode != PreemptMode::Full || irqs_disabled()) return;
  preempt_schedule_common();
}

void preempt_schedule_irq() {
  do {
    preempt_disable();
    local_irq_enable();
    __schedule(Mode::Preempt);
    local_irq_disable();
    preempt_enable_no_resched();
  } while (test_thread_flag(TIF_NEED_RESCHED));
}

void io_schedule() {
  unsigned before = current->in_iowait;
  current->in_iowait = 1;
  schedule();
  current->in_iowait = before;
}

void yield() {
  set_current_state(TASK_RUNNING);
  sched_yield_current();
}

[[noreturn]] void do_task_dead() {
  if (preempt_count() == 0) preempt_disable();
  unsigned long flags;
  // Under pi_lock, so that a late wake-up of an earlier sleep cannot turn it back (C-41).
  raw_spin_lock_irqsave(&current->pi_lock, flags);
  WRITE_ONCE(current->__state, TASK_DEAD);
  raw_spin_unlock_irqrestore(&current->pi_lock, flags);
  WRITE_ONCE(current->flags, current->flags | PF_NOFREEZE);
  __schedule(Mode::Voluntary);
  BUG();
}

// Signals may have been queued while the task was NEW and could not be told.
static void calculate_sigpending(task_struct* me) {
  if (data_race(!me->pending.signal.sig[0] && !me->signal->shared_pending.signal.sig[0] && !me->jobctl)) return;
  spin_lock_irq(&me->sighand->siglock);
  set_thread_flag(TIF_SIGPENDING);
  recalc_sigpending();
  spin_unlock_irq(&me->sighand->siglock);
}

extern "C" void schedule_tail(task_struct* prev) {
  finish_task_switch(prev);
  preempt_enable();
  task_struct* me = current;
  if (me->set_child_tid) (void)put_user(task_pid_vnr(me), me->set_child_tid);  // C-63; a fault is the child's own loss
  calculate_sigpending(me);
}

// ---- Marking ------------------------------------------------------------------------------------------------------

// S-14. rq lock held, interrupts off.
void resched_curr(rq* r) {
  task_struct* curr = r->curr;
  if (test_tsk_thread_flag(curr, TIF_NEED_RESCHED)) return;
  if (r->cpu == smp_processor_id()) {
    set_tsk_thread_flag(curr, TIF_NEED_RESCHED);
    set_preempt_need_resched();
  } else if (set_nr_and_not_polling(curr)) {
    arch::send_ipi(r->cpu, arch::Ipi::Reschedule);
  } else {
    trace_sched_wake_idle_without_ipi(r->cpu);
  }
}

void resched_cpu(unsigned cpu) {
  unsigned long flags;
  rq* r = cpu_rq(cpu);
  raw_spin_lock_irqsave(&r->lock, flags);
  resched_curr(r);
  raw_spin_unlock_irqrestore(&r->lock, flags);
}

// The sender has set the thread flag; here it is folded into this CPU's count (S-28).
void scheduler_ipi() {
  rq* r = this_rq();
  if (READ_ONCE(r->wake_list)) wake_list_interrupt(r);
  if (READ_ONCE(r->nohz_kick)) balance_ipi(r);
  if (test_thread_flag(TIF_NEED_RESCHED)) set_preempt_need_resched();
}

// ---- Queues and classes -------------------------------------------------------------------------------------------

// S-11. As in deactivate_task, the clock is brought up to date here unless the caller says that it is (S-10).
void activate_task(rq* r, task_struct* p, int flags) {
  if (!(flags & ENQUEUE_NOCLOCK)) update_rq_clock(r);
  if (task_on_rq_migrating(p)) flags |= ENQUEUE_MIGRATED;
  sched_info_queued(r, p);
  if (schedstat_enabled()) __schedstat_enqueue(r, p, flags);
  if (p->sched_class == &fair_sched_class) [[likely]]
    fair_enqueue(r, p, flags);
  else
    p->sched_class->enqueue_task(r, p, flags);
  WRITE_ONCE(p->on_rq, TASK_ON_RQ_QUEUED);
  note_overload(r);
}

// S-12: the store comes first, wakers rely on it.
void deactivate_task(rq* r, task_struct* p, int flags) {
  if (!(flags & DEQUEUE_NOCLOCK)) update_rq_clock(r);
  if (!(flags & DEQUEUE_SLEEP) && r->curr != p) sched_info_dequeued(r, p);
  smp_store_release(&p->on_rq, flags & DEQUEUE_SLEEP ? 0 : TASK_ON_RQ_MIGRATING);  // pairs with leave_to_its_cpu()
  if (schedstat_enabled()) __schedstat_dequeue(r, p, flags);
  if (p->sched_class == &fair_sched_class) [[likely]]
    fair_dequeue(r, p, flags);
  else
    p->sched_class->dequeue_task(r, p, flags);
}

// S-13, but that the clock is read again at the switch: what the waker does until then is its own time (docs/spec-notes.md).
void check_preempt_curr(rq* r, task_struct* p, int wake_flags) {
  const sched_class *mine = p->sched_class, *running = r->curr->sched_class;
  if (mine == running)
    mine->check_preempt_curr(r, p, wake_flags);
  else if (mine->rank > running->rank)
    resched_curr(r);
}

void scheduler_tick() {
  rq* r = this_rq();
  raw_spin_lock(&r->lock);
  update_rq_clock(r);
  r->curr->sched_class->task_tick(r, r->curr);
  sched_check_rq(r, sched_check::When::Tick);
  raw_spin_unlock(&r->lock);
  dl_tick_signals(r->curr);
  load_average_tick();
  balance_tick(r);
}
