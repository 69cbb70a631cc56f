// What fork, exit and signals ask of subsystems whose public headers do not say it (yet).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/hrtimer.h>

#include "kernel/task/task.hh"

// kernel/time
enum hrtimer_restart it_real_fn(hrtimer* t);   // ITIMER_REAL expires: SIGALRM to the process that has it
void exit_itimers(task_struct* t);             // deletes the POSIX timers of current's process
void posixtimer_rearm(kernel_siginfo* info);   // a POSIX timer's signal was taken
void timer_interrupt();
// kernel/kthread
bool set_kthread_struct(task_struct* t);       // false: no memory
void free_kthread_struct(task_struct* t);
// fs/tty
tty_struct* tty_kref_get(tty_struct* tty);     // null is fine
void tty_kref_put(tty_struct* tty);
void disassociate_ctty(int on_exit);           // a session leader leaves its terminal
// kernel/sched
void smp_call_function_interrupt();
