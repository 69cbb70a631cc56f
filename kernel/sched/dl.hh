// The deadline class towards the rest of the scheduler. Spec 32 part 2.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/sched/rq.hh"

inline constexpr unsigned SCHED_FLAG_RECLAIM = 0x02, SCHED_FLAG_DL_OVERRUN = 0x04;

inline task_struct* task_of_dl(sched_dl_entity* e) { return container_of(e, task_struct, dl); }

void init_dl_task(task_struct* p);  // fork: no parameters, timers that do not run
// Asks for bandwidth, before the task is changed (D-3, D-4). rq lock held. EBUSY. new_bw 0: the task leaves the class; what it had
// is given back at its 0-lag time.
Result<void> dl_admit(task_struct* p, u64 new_bw);
// What the root domain admitted for it is free again. Interrupts off.
void dl_give_back_admission(sched_dl_entity* e);
// p, if it is a deadline task, is to be moved to where `mask` is: its bandwidth is counted there from now on. EBUSY. No lock held.
Result<void> dl_reserve(task_struct* p, const cpumask_t* mask);
bool dl_covers_root_domain(const task_struct* p);  // and that one admits anything at all. A hint without dl_lock
void dl_settle(task_struct* p);                  // it is counted where it may run. No rq lock held
root_domain* dl_root_domain(const task_struct* p);  // where it is; a hint without dl_lock
// EBUSY if a root domain that has some of `cpus` needs them for what it admitted, and kept only `rest` of them.
Result<void> dl_cpus_needed(unsigned long cpus, unsigned long rest);
Result<void> dl_limit_admission(u64 bw);         // per CPU; EBUSY if some have more already (D-4)
u64 dl_admitted_total();
// rq lock held, p off its queue: it runs by the parameters of donor, or by its own again (null). D-20, S-75.
void dl_inherit(task_struct* p, const task_struct* donor);
// Likewise. What counted by the old parameters counts by the new ones.
void dl_set_params(task_struct* p, u64 runtime, u64 deadline, u64 period, unsigned flags);
bool dl_refuses_affinity(const task_struct* p, const cpumask_t* mask);  // D-2
void dl_tick_signals(task_struct* p);  // D-6: SIGXCPU for an overrun. Interrupts off, no rq lock
void dl_quiesce();                     // at power-off: the timers of those that are gone
int find_later_cpu(const task_struct* p);  // D-16: where p would run before what runs there; -1: nowhere. A hint, no lock
void dl_pull(rq* r);                   // as rt_pull
void dl_kick(rq* r);                   // as rt_kick
