// The timer interrupt and the tick. The tick of a CPU is one more event beside its hrtimers: every TICK_NSEC while the
// CPU is busy. An idle CPU keeps it until the first interrupt that ends in idle, and gets it back when it leaves idle
// (spec 33 section 5.2, 22 C-80). All of this CPU's, interrupts off.
// SPDX-License-Identifier: Apache-2.0
#include <linux/hardirq.h>
#include <linux/jiffies.h>
#include <linux/sched.h>

#include "arch/contract/arch.hh"
#include "kernel/percpu.hh"
#include "kernel/rcu/rcu.hh"
#include "kernel/sched/sched.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/time.hh"

namespace {

inline constexpr u64 kNever = ~0ull;

struct TickCpu {
  u64 next;        // monotonic ns of the next tick; kNever while stopped
  u64 programmed;  // what the machine's timer is set to
  bool idle;       // between tick_nohz_idle_enter and _exit
  bool stopped;
};
constinit PerCpu<TickCpu> tick_cpus;  // tick_cpu_startup() makes each anew

u64 tick_after(u64 now) { return (now / TICK_NSEC + 1) * TICK_NSEC; }

void run_tick(TickCpu& t, u64 now, const pt_regs* regs) {
  t.next += TICK_NSEC;
  if (t.next <= now) t.next = tick_after(now);
  const TickFrom from = regs && user_mode(regs) ? TickFrom::User : TickFrom::Kernel;
  account_process_tick(current, from);
  run_local_timers();
  rcu_sched_clock_irq(from == TickFrom::User ? RcuTickFrom::User : RcuTickFrom::Kernel);
  scheduler_tick();
  run_posix_cpu_timers(current);
}

// When an idle CPU must wake up without a tick: wheel timers, in ns.
u64 wheel_deadline() {
  if (!timer_any_pending()) return kNever;
  // In this order: an update of jiffies in between makes us wake early, never late.
  const auto base = static_cast<u64>(ktime_get_coarse());
  smp_rmb();
  const long ticks = static_cast<long>(timer_next_expiry() - jiffies);
  return ticks <= 0 ? base : base + static_cast<u64>(ticks) * TICK_NSEC;
}

bool can_stop_tick() { return !arch::cpu_block().softirq_pending && !rcu_needs_cpu() && !need_resched(); }

void restart_tick(TickCpu& t) {
  const u64 now = arch::clock_ns();
  update_jiffies(now);
  t.stopped = false;
  t.next = tick_after(now);
  timer_reprogram();
}

}  // namespace

void timer_reprogram() {
  TickCpu& t = tick_cpus.this_cpu();
  u64 at = hrtimer_next_event();
  if (t.next < at) at = t.next;
  if (at == t.programmed) return;
  t.programmed = at;
  arch::timer_program(at);
}

void timer_interrupt(pt_regs* regs) {
  TickCpu& t = tick_cpus.this_cpu();
  t.programmed = kNever;  // one-shot: it has gone off
  const u64 now = arch::clock_ns();
  update_jiffies(now);
  hrtimer_run_expired(now);
  if (now >= t.next) run_tick(t, now, regs);
  if (t.stopped)
    t.next = kNever;  // irq_exit works out what comes next, with what the callbacks have armed
  else
    timer_reprogram();
}
void timer_interrupt() { timer_interrupt(arch::cpu_block().irq_regs); }

void tick_cpu_startup() {
  TickCpu& t = tick_cpus.this_cpu();
  t = {.next = tick_after(arch::clock_ns()), .programmed = kNever, .idle = false, .stopped = false};
  timer_reprogram();
}

void tick_cpu_dying() {
  TickCpu& t = tick_cpus.this_cpu();
  t.next = t.programmed = kNever;
  arch::timer_program(kNever);
}

void tick_nohz_idle_enter() {
  tick_cpus.this_cpu().idle = true;
  rcu_idle_enter();
}
void tick_nohz_idle_exit() {
  rcu_idle_exit();
  TickCpu& t = tick_cpus.this_cpu();
  t.idle = false;
  if (!t.stopped) return;
  IrqGuard off;
  restart_tick(t);
}
bool tick_nohz_tick_stopped() { return tick_cpus.this_cpu().stopped; }

void tick_irq_enter() {
  if (tick_cpus.this_cpu().stopped) update_jiffies(arch::clock_ns());
}
void tick_nohz_irq_exit() {
  TickCpu& t = tick_cpus.this_cpu();
  if (!t.idle) return;
  if (can_stop_tick()) {
    t.stopped = true;
    t.next = wheel_deadline();
    timer_reprogram();
  } else if (t.stopped) {
    restart_tick(t);
  }
}

void wake_up_nohz_cpu(unsigned cpu) {
  if (cpu != arch::cpu_id() && cpu_online(cpu)) arch::send_ipi(cpu, arch::Ipi::TimerBroadcast);
}
