// The stoppers' making and unmaking. What they are for is in linux/stop_machine.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/stop_machine.h>

#include "kernel/sched/rq.hh"

// For ParamChange and the stop class: the task, asleep and bound to the CPU, becomes its stopper; null: none any more.
void sched_set_stop_task(unsigned cpu, task_struct* stop);

Result<void> stopper_create(unsigned cpu);  // may sleep; ENOMEM. Not running works yet
void stopper_enable(unsigned cpu);          // from here on works are taken
void stopper_disable(unsigned cpu);         // in the stopper: works that are there are still run, then it parks
void stopper_destroy(unsigned cpu);         // may sleep
