// Time inside the kernel: the timer interrupt, the tick and its stopping, clocks, boot steps. Spec 33 sections 4-6.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/hrtimer.h>
#include <linux/ptrace.h>
#include <linux/timekeeping.h>

#include "init/report.hh"
#include "lib/result.hh"

struct task_struct;

// The machine's timer went off on this CPU, or another CPU changed what it must wake up for (Ipi::TimerBroadcast):
// expired hrtimers, the tick if it is due, the next event. Hard interrupt context, between irq_enter and irq_exit.
// regs: what was interrupted; without: CpuBlock::irq_regs.
void timer_interrupt(pt_regs* regs);
void timer_interrupt();
void tick_cpu_startup();  // first thing of a CPU that comes up, interrupts off: starts its tick
void tick_cpu_dying();    // on a CPU that goes, interrupts off: no tick any more
void timers_dead_cpu(unsigned dead);    // its timers become this CPU's. It executes nothing. Task context
void hrtimers_dead_cpu(unsigned dead);  // likewise

// Idle loop, preemption off. Between the two the CPU may stop its tick and is no RCU reader: the idle task reads
// nothing that RCU protects there. The tick is stopped by the first interrupt that ends in idle, so that short idling
// costs nothing.
void tick_nohz_idle_enter();
void tick_nohz_idle_exit();
bool tick_nohz_tick_stopped();
// From irq_enter and irq_exit when they interrupt the idle task.
void tick_irq_enter();
void tick_nohz_irq_exit();

// Sends the CPU's next-event calculation to a CPU that may sleep without a tick. Any context.
void wake_up_nohz_cpu(unsigned cpu);

// CLOCK_REALTIME = monotonic + this.
s64 timekeeping_real_offset();
s64 timekeeping_tai_offset();
ktime_t clock_now(int clock);  // of the four hrtimer clocks
void update_jiffies(u64 now_ns);

// hrtimers, for the tick code. Interrupts off, this CPU.
void hrtimer_run_expired(u64 now_ns);
u64 hrtimer_next_event();  // monotonic ns; ~0 none
void timer_reprogram();    // the earliest of hrtimers and tick
void clock_was_set();      // CLOCK_REALTIME jumped
// The wheel. Interrupts off, this CPU.
void run_local_timers();
unsigned long timer_next_expiry();      // jiffies, of timers that may end idling; only with timer_any_pending()
bool timer_any_pending();
void run_posix_cpu_timers(task_struct* t);  // from the tick: all that goes by t's CPU time, RLIMIT_CPU and RLIMIT_RTTIME too
struct TaskTimes;
struct signal_struct;
bool process_itimers_armed(const signal_struct* s);  // ITIMER_VIRTUAL, ITIMER_PROF, RLIMIT_CPU. No lock
void run_process_itimers(task_struct* t, const TaskTimes& times);

void timekeeping_init();
void timekeeping_exit(LeakReport& report);
void timers_init();
void timers_exit(LeakReport& report);
void hrtimers_init();
void hrtimers_exit(LeakReport& report);

// How a sleep of `clock` goes and is restarted; nanosleep, clock_nanosleep.
long hrtimer_nanosleep(ktime_t time, hrtimer_mode mode, int clock);

// Interval timers of a process that goes away or executes a program (kernel/exit, kernel/exec).
void exit_itimers(task_struct* leader);  // POSIX timers of the group; task context
// ITIMER_REAL's callback, for fork to set up signal->real_timer with.
enum hrtimer_restart it_real_fn(hrtimer* t);
