// Interrupt entry and exit, softirqs and ksoftirqd (spec 33 section 7, 10 E-28). The pending bits of a CPU are in its
// CpuBlock and change on that CPU with interrupts off.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/softirq/softirq.hh"

#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/sched.h>

#include "kernel/percpu.hh"
#include "kernel/rcu/rcu.hh"
#include "kernel/sched/sched.hh"
#include "kernel/softirq/tasklet.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/time.hh"
#include "lib/late.hh"

namespace {

inline constexpr int kMaxRounds = 10;
inline constexpr u64 kMaxNs = 2 * NSEC_PER_MSEC;
// What an interrupt runs itself even while ksoftirqd is about to run (W-35).
inline constexpr unsigned kNotLeftToThread = 1u << HI_SOFTIRQ | 1u << TASKLET_SOFTIRQ;

struct SoftirqState {
  softirq_action action[NR_SOFTIRQS]{};
  PerCpu<task_struct*> thread;  // null before spawn_ksoftirqd and after softirq_quiesce
};
constinit Late<SoftirqState> softirqs;

unsigned& pending() { return arch::cpu_block().softirq_pending; }
task_struct* ksoftirqd() { return READ_ONCE(softirqs->thread.this_cpu()); }

void wake_ksoftirqd() {
  if (task_struct* t = ksoftirqd()) wake_up_process(t);
}
bool ksoftirqd_has_it() {
  const task_struct* t = ksoftirqd();
  return t && READ_ONCE(t->__state) == TASK_RUNNING && !(pending() & kNotLeftToThread);
}

void run_one(unsigned nr) {
  const int count = preempt_count();
  __atomic_load_n(&softirqs->action[nr].action, __ATOMIC_ACQUIRE)(&softirqs->action[nr]);
  if (preempt_count() == count) return;
  pr_err("softirq %u: preempt_count %08x on entry, %08x on exit\n", nr, static_cast<unsigned>(count),
         static_cast<unsigned>(preempt_count()));
  preempt_count_add(count - preempt_count());
}

// Interrupts off on entry and return, on while handlers run; bottom halves counted as being served. The lowest number
// first; what is raised meanwhile is handled in the next round.
void run_pending() {
  preempt_count_add(SOFTIRQ_OFFSET);
  u64 until = 0;  // read the clock only if there is a second round
  for (int round = 1;; round++) {
    unsigned bits = pending();
    pending() = 0;
    arch::irq_enable();
    for (; bits; bits &= bits - 1) run_one(static_cast<unsigned>(__builtin_ctz(bits)));
    arch::irq_disable();
    if (!pending()) break;
    const u64 now = arch::clock_ns();
    if (!until) until = now + kMaxNs;
    if (round < kMaxRounds && now < until && !need_resched()) continue;
    wake_ksoftirqd();
    break;
  }
  preempt_count_sub(SOFTIRQ_OFFSET);
}

void invoke_softirq() {
  if (ksoftirqd_has_it()) return;
  run_pending();
}

int ksoftirqd_main(void*) {
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (kthread_should_stop()) break;
    if (kthread_should_park()) [[unlikely]] {
      __set_current_state(TASK_RUNNING);
      kthread_parkme();
      continue;
    }
    arch::irq_disable();
    if (!pending()) {
      arch::irq_enable();
      schedule();
      continue;
    }
    __set_current_state(TASK_RUNNING);
    run_pending();
    arch::irq_enable();
    cond_resched();
  }
  __set_current_state(TASK_RUNNING);
  return 0;
}

bool interrupted_idle() { return (current->flags & PF_IDLE) && !in_interrupt(); }

}  // namespace

extern "C" {

void irq_enter() {
  if (interrupted_idle()) {
    rcu_irq_enter();
    tick_irq_enter();
  }
  preempt_count_add(HARDIRQ_OFFSET);
}
void irq_exit() {
  preempt_count_sub(HARDIRQ_OFFSET);
  if (in_interrupt()) return;
  if (pending()) invoke_softirq();
  if (!(current->flags & PF_IDLE)) return;
  tick_nohz_irq_exit();
  rcu_irq_exit();
}

void open_softirq(int nr, void (*action)(softirq_action*)) {
  if (!softirqs) softirqs.construct();  // timers come up before us
  // Pairs with run_one's acquire: other CPUs may be up.
  __atomic_store_n(&softirqs->action[nr].action, action, __ATOMIC_RELEASE);
}
void __raise_softirq_irqoff(unsigned nr) { pending() |= 1u << nr; }
void raise_softirq_irqoff(unsigned nr) {
  __raise_softirq_irqoff(nr);
  if (!in_interrupt()) wake_ksoftirqd();
}
void raise_softirq(unsigned nr) {
  IrqGuard off;
  raise_softirq_irqoff(nr);
}
void do_softirq() {
  if (in_interrupt()) return;
  IrqGuard off;
  if (pending()) run_pending();
}

// count: what local_bh_disable (0x200) or a _bh lock (0x201) has added. Pending softirqs run before the preemption check
// (W-37); while they do, preemption stays off by 1.
void __local_bh_enable_ip(unsigned count) {
  WARN_ON_ONCE(in_hardirq() || (irqs_disabled() && pending()));
  preempt_count_sub(static_cast<int>(count) - 1);
  if (pending() && !in_interrupt() && !irqs_disabled()) [[unlikely]] do_softirq();
  preempt_enable();
}

void synchronize_irq(unsigned) { synchronize_rcu(); }

}  // extern "C"

void softirq_init() {
  if (!softirqs) softirqs.construct();
  tasklets_init();
}
void spawn_ksoftirqd() {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    if (softirqs->thread.on(cpu)) continue;
    task_struct* t = kthread_run_on_cpu(ksoftirqd_main, nullptr, cpu, "ksoftirqd/%u");
    if (IS_ERR(t)) panic("cannot make ksoftirqd");
    WRITE_ONCE(softirqs->thread.on(cpu), t);
  }
}
Result<void> ksoftirqd_create(unsigned cpu) {
  if (softirqs->thread.on(cpu)) return {};
  task_struct* t = kthread_create_on_cpu(ksoftirqd_main, nullptr, cpu, "ksoftirqd/%u");
  if (IS_ERR(t)) return fail(static_cast<int>(-PTR_ERR(t)));
  kthread_park(t);
  WRITE_ONCE(softirqs->thread.on(cpu), t);
  return {};
}
void ksoftirqd_park(unsigned cpu) { kthread_park(softirqs->thread.on(cpu)); }
void ksoftirqd_unpark(unsigned cpu) { kthread_unpark(softirqs->thread.on(cpu)); }
void softirqs_dead_cpu(unsigned dead) {
  tasklets_dead_cpu(dead);
  WRITE_ONCE(arch::cpu_block_of(dead).softirq_pending, 0u);  // for lists that somebody else has now
}
void softirq_quiesce() {
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    task_struct* t = xchg(&softirqs->thread.on(cpu), static_cast<task_struct*>(nullptr));
    if (t) kthread_stop(t);
  }
}
void softirq_exit(LeakReport& report) {
  tasklets_exit(report);
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    CpuBlock& b = arch::cpu_block_of(cpu);
    if (!READ_ONCE(b.softirq_pending)) continue;
    report.finding("softirqs left on CPU %u: %x", cpu, READ_ONCE(b.softirq_pending));
    WRITE_ONCE(b.softirq_pending, 0);
  }
  softirqs.destroy();
}
