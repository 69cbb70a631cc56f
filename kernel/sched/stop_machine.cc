// The stoppers: a thread per CPU in the stop class that runs short functions, in the order in which they were asked for (S-71).
// Works for several CPUs at a time are queued on all of them under one lock, so that no two of them wait for each other.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/kernel.h>
#include <linux/kthread.h>

#include "kernel/cpu/hotplug.hh"
#include "kernel/sched/stop.hh"
#include "kernel/sync/guards.hh"

struct cpu_stop_done {
  explicit cpu_stop_done(unsigned n) : todo(n) { init_completion(&all); }
  unsigned todo;  // atomic
  int ret = 0;    // of the last that failed
  completion all;
};

namespace {

// ---- Queueing -----------------------------------------------------------------------------------------------------

// Preemption off: the stopper of this CPU may run only when all of a group are queued.
bool queue_work(unsigned cpu, cpu_stop_work* work) {
  CpuStopper& s = cpu_rq(cpu)->stopper;
  IrqSpinGuard guard(s.lock);
  if (!s.enabled) return false;
  list_add_tail(&work->list, &s.works);
  return true;
}
void wake_stopper(unsigned cpu) { wake_up_process(cpu_rq(cpu)->stopper.thread); }

bool queue_one(unsigned cpu, cpu_stop_work* work) {
  PreemptGuard no_preemption;
  if (!queue_work(cpu, work)) return false;
  wake_stopper(cpu);
  return true;
}

// ---- The thread -----------------------------------------------------------------------------------------------------

cpu_stop_work* take(CpuStopper& s) {
  IrqOffSpinGuard guard(s.lock);
  if (list_empty(&s.works)) return nullptr;
  cpu_stop_work* w = list_first_entry(&s.works, cpu_stop_work, list);
  list_del_init(&w->list);
  return w;
}

// The work may be used again, by fn or by whoever waits, as soon as fn begins or ends.
void run(const cpu_stop_work* work) {
  const cpu_stop_fn_t fn = work->fn;
  cpu_stop_done* done = work->done;
  preempt_disable();
  const int ret = fn(work->arg);
  preempt_enable_no_resched();  // what could preempt a stopper?
  WARN_ON_ONCE(preempt_count());
  if (!done) return;
  if (ret) WRITE_ONCE(done->ret, ret);
  if (__atomic_sub_fetch(&done->todo, 1, __ATOMIC_ACQ_REL) == 0) complete(&done->all);
}

int stopper_main(void* arg) {
  CpuStopper& s = *static_cast<CpuStopper*>(arg);
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    cpu_stop_work* work = take(s);
    if (work) {
      __set_current_state(TASK_RUNNING);
      run(work);
    } else if (kthread_should_stop()) {
      break;
    } else if (kthread_should_park()) {
      __set_current_state(TASK_RUNNING);
      kthread_parkme();
    } else {
      schedule();
    }
  }
  __set_current_state(TASK_RUNNING);
  return 0;
}

// ---- Several CPUs at a time -----------------------------------------------------------------------------------------

enum Step : unsigned char { kGather, kDisableIrqs, kRun, kExit };
struct Together {
  cpu_stop_fn_t fn;
  void* data;
  unsigned long active;  // CPUs that call fn
  unsigned n;
  unsigned left;  // CPUs that have not done the current step; atomic
  unsigned char step;  // a Step, atomic; advanced by the last CPU to have done it
};

void advance(Together& t, Step done) {
  if (__atomic_sub_fetch(&t.left, 1, __ATOMIC_ACQ_REL)) return;
  __atomic_store_n(&t.left, t.n, __ATOMIC_RELAXED);
  __atomic_store_n(&t.step, static_cast<unsigned char>(done + 1), __ATOMIC_RELEASE);
}

int stop_together(void* arg) {
  Together& t = *static_cast<Together*>(arg);
  const bool active = t.active >> smp_processor_id() & 1;
  int ret = 0;
  for (Step mine = kGather; mine != kExit;) {
    if (mine == kDisableIrqs) arch::irq_disable();
    if (mine == kRun && active) ret = t.fn(t.data);
    advance(t, mine);
    mine = static_cast<Step>(mine + 1);
    while (__atomic_load_n(&t.step, __ATOMIC_ACQUIRE) < mine) arch::cpu_relax();
  }
  arch::irq_enable();
  return ret;
}

// ENOENT: one of them is offline, nothing was run. works: one per CPU, by its number.
int run_together(unsigned long cpus, Together& t, cpu_stop_work* works) {
  cpu_stop_done done(t.n);
  {
    PreemptGuard no_preemption;
    {
      SpinGuard order(sched_state->stop_order);
      for (unsigned long left = cpus; left; left &= left - 1)
        if (!READ_ONCE(cpu_rq(static_cast<unsigned>(__builtin_ctzl(left)))->stopper.enabled)) return -ENOENT;
      unsigned i = 0;
      for (unsigned long left = cpus; left; left &= left - 1, i++) {
        works[i] = {.list = {}, .fn = stop_together, .arg = &t, .done = &done};
        BUG_ON(!queue_work(static_cast<unsigned>(__builtin_ctzl(left)), &works[i]));  // it is disabled by such a work alone
      }
    }
    for (unsigned long left = cpus; left; left &= left - 1) wake_stopper(static_cast<unsigned>(__builtin_ctzl(left)));
  }
  wait_for_completion(&done.all);
  return done.ret;
}

Together together(cpu_stop_fn_t fn, void* data, unsigned long active, unsigned long cpus) {
  const auto n = static_cast<unsigned>(__builtin_popcountl(cpus));
  return {.fn = fn, .data = data, .active = active, .n = n, .left = n, .step = kGather};
}

}  // namespace

extern "C" {

int stop_one_cpu(unsigned cpu, cpu_stop_fn_t fn, void* arg) {
  might_sleep();
  cpu_stop_done done(1);
  cpu_stop_work work = {.list = {}, .fn = fn, .arg = arg, .done = &done};
  if (!queue_one(cpu, &work)) return -ENOENT;
  wait_for_completion(&done.all);
  return done.ret;
}

bool stop_one_cpu_nowait(unsigned cpu, cpu_stop_fn_t fn, void* arg, cpu_stop_work* work) {
  *work = {.list = {}, .fn = fn, .arg = arg, .done = nullptr};
  return queue_one(cpu, work);
}

int stop_two_cpus(unsigned cpu1, unsigned cpu2, cpu_stop_fn_t fn, void* arg) {
  might_sleep();
  const unsigned long cpus = 1ul << cpu1 | 1ul << cpu2;
  Together t = together(fn, arg, 1ul << cpu1, cpus);
  cpu_stop_work works[2];
  return run_together(cpus, t, works);
}

int stop_machine_cpuslocked(cpu_stop_fn_t fn, void* data, const cpumask* cpus) {
  const unsigned long online = READ_ONCE(cpu_online_mask->bits[0]);
  const unsigned long active = cpus ? READ_ONCE(cpus->bits[0]) & online : online & -online;
  Together t = together(fn, data, active, online);
  MutexGuard one_at_a_time(sched_state->stop_cpus_mutex);  // for the works, which are too large for a stack
  return run_together(online, t, sched_state->stop_works);
}
int stop_machine(cpu_stop_fn_t fn, void* data, const cpumask* cpus) {
  might_sleep();
  CpusReadGuard guard;
  return stop_machine_cpuslocked(fn, data, cpus);
}

}  // extern "C"

// ---- Making, unmaking -----------------------------------------------------------------------------------------------

Result<void> stopper_create(unsigned cpu) {
  CpuStopper& s = cpu_rq(cpu)->stopper;
  if (s.thread) return {};
  task_struct* t = kthread_create_on_cpu(stopper_main, &s, cpu, "migration/%u");
  if (IS_ERR(t)) return fail(static_cast<int>(-PTR_ERR(t)));
  sched_set_stop_task(cpu, t);
  s.thread = t;
  return {};
}

void stopper_enable(unsigned cpu) {
  CpuStopper& s = cpu_rq(cpu)->stopper;
  kthread_unpark(s.thread);
  wake_up_process(s.thread);  // or it has never run
  IrqSpinGuard guard(s.lock);
  s.enabled = true;
}

void stopper_disable(unsigned cpu) {
  CpuStopper& s = cpu_rq(cpu)->stopper;
  IrqSpinGuard guard(s.lock);
  s.enabled = false;
  kthread_park(s.thread);  // we are it: it parks once the works are done
}

void stopper_destroy(unsigned cpu) {
  CpuStopper& s = cpu_rq(cpu)->stopper;
  if (!s.thread) return;
  {
    IrqSpinGuard guard(s.lock);
    s.enabled = false;
  }
  sched_set_stop_task(cpu, nullptr);
  kthread_stop(s.thread);
  s.thread = nullptr;
}

void spawn_stoppers() {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    if (!stopper_create(cpu)) panic("cannot make migration/%u", cpu);
    stopper_enable(cpu);
  }
}
