// The scheduler's promises to the rest of the kernel. Spec 30-32, 22.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

// wake flags
enum : int { WF_EXEC = 0x02, WF_FORK = 0x04, WF_TTWU = 0x08, WF_SYNC = 0x10, WF_MIGRATED = 0x20 };

int try_to_wake_up(task_struct* p, unsigned state, int wake_flags);  // any context; 1 if it woke p (spec 30, 33 W-9)
extern "C" int default_wake_function(wait_queue_entry* e, unsigned mode, int flags, void* key);
extern "C" void preempt_schedule();  // preempt count just became 0 with need-resched set, interrupts on
void preempt_schedule_irq();         // from the end of an interrupt; interrupts off on entry and return (C-91)
void schedule_idle();                // idle loop
void schedule_preempt_disabled();    // enters and returns with preemption disabled once
extern "C" void schedule_tail(task_struct* prev);  // C-61
void scheduler_tick();               // hard interrupt, each tick of a busy CPU
[[noreturn]] void do_task_dead();    // C-41: last act of a task
[[noreturn]] void cpu_startup_idle();  // the idle loop, preemption disabled
void resched_cpu(unsigned cpu);
void scheduler_ipi();
void sched_yield_current();           // sched_yield(2), S-64

// fork/exec/exit hooks (spec 20 12.3, S10, S27, S32, F-100)
Result<void> sched_fork(task_struct* child, u64 clone_flags);  // EAGAIN for deadline tasks
void sched_cgroup_fork(task_struct* child);
void sched_post_fork(task_struct* child);
void wake_up_new_task(task_struct* child);
void sched_exec();
void spawn_stoppers();  // after kthreadd and the CPUs; may sleep
void sched_init_smp();  // all CPUs are up; task context
void init_idle(task_struct* idle, unsigned cpu);

Result<void> set_cpus_allowed_ptr(task_struct* p, const cpumask_t* mask);  // may sleep; EINVAL, EBUSY
// The same, but p may still run where it may not when this returns: its CPU's stopper has been told. Any context.
Result<void> set_cpus_allowed_nowait(task_struct* p, const cpumask_t* mask);
// The mask is stored whatever CPUs are there; p, which runs nowhere, is not moved.
void do_set_cpus_allowed(task_struct* p, const cpumask_t* mask);
u64 task_sched_runtime(task_struct* p);  // ns, includes the running slice
// CPU time in ns: what the ticks saw, and the precise run time.
struct TaskTimes {
  u64 utime, stime, runtime;
};
TaskTimes thread_group_cputime(task_struct* p);  // the living and the dead of p's group. Any context
// Run time split by what the ticks saw; never steps back.
void task_cputime_adjusted(task_struct* p, u64* utime, u64* stime);
void thread_group_cputime_adjusted(task_struct* p, u64* utime, u64* stime);
enum class TickFrom : unsigned char { User, Kernel };
void account_process_tick(task_struct* p, TickFrom from);
void sched_cpu_times(unsigned cpu, u64* user, u64* system, u64* idle);  // ns since the CPU came up
bool task_curr(const task_struct* p);
char task_state_to_char(const task_struct* p);  // of "RSDTtXZPI"
unsigned long nr_running(), nr_iowait();
unsigned long long nr_context_switches();
void get_avenrun(unsigned long* loads, unsigned long offset, int shift);  // fixed point, 11 bits
void wait_task_inactive(task_struct* p, unsigned match_state);
