// What the scheduler calls in other subsystems that have no header of their own for it.
// SPDX-License-Identifier: Apache-2.0
#pragma once
struct task_struct;

// kernel/time: the idle task of this CPU stops looking for work, or begins again. Preemption off, interrupts on.
void tick_nohz_idle_enter();
void tick_nohz_idle_exit();

// kernel/rcu: this CPU passes through __schedule, hence is in no reader. Interrupts off, no lock held.
void rcu_note_context_switch(bool preempt);

// kernel/task: the last switch away from a dead task gives back its stack and one of the two rcu_users (spec 22 C-40).
void put_task_stack(task_struct* t);
void put_task_struct_rcu_user(task_struct* t);
