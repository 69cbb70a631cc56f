// The freezer: who is to freeze, how a task freezes itself or is frozen where it sleeps, and thawing. Spec 33 section 10.
//
// A frozen task is in state TASK_FROZEN, which no wake-up but the thawing one reaches; whoever is thawed looks again at what it waited
// for. FreezerState::lock orders a task that goes into the refrigerator with one that asks whether it is there, and is taken before
// siglock and pi_lock.
// SPDX-License-Identifier: Apache-2.0
#include <linux/delay.h>
#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>

#include "init/report.hh"
#include "kernel/exit/exit.hh"
#include "kernel/sched/rq.hh"
#include "kernel/signal/internal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/task.hh"
#include "lib/late.hh"

constinit unsigned freezer_active = 0;
constinit unsigned freeze_timeout_msecs = 20'000;

namespace {

struct FreezerState {
  spinlock_t lock;
  bool users = false;    // the phases: user tasks are to freeze...
  bool kthreads = false;  // ...kernel threads that may, too
  unsigned wakeups = 0;  // atomic: events that end a freeze
};
constinit Late<FreezerState> freezer;

bool is_kthread(const task_struct* p) { return data_race(p->flags) & PF_KTHREAD; }
constexpr unsigned kStopped = __TASK_STOPPED | __TASK_TRACED;

// W-56: p sleeps in a state that stands a spurious wake-up, or is stopped, and is neither queued nor on a CPU: it need not run.
bool freeze_where_it_sleeps(task_struct* p) {
  TaskRqGuard g(p);
  const unsigned state = READ_ONCE(p->__state);
  if (READ_ONCE(p->on_rq) || task_current(g.r, p) || !(state & (TASK_FREEZABLE | kStopped))) return false;
  WARN_ON_ONCE(!(state & (TASK_NORMAL | kStopped)));
  if (p->sched_contributes_to_load) {  // W-58: not while it is frozen
    p->sched_contributes_to_load = 0;
    WRITE_ONCE(g.r->nr_uninterruptible, g.r->nr_uninterruptible - 1);
  }
  WRITE_ONCE(p->__state, TASK_FROZEN);
  return true;
}

// As if a signal had come: p goes through get_signal(), finds nothing but the wish to freeze, and its system call goes on later.
void send_fake_signal(task_struct* p) {
  unsigned long flags;
  if (!lock_task_sighand(p, &flags)) return;
  signal_wake_up(p, Wake::Normal);
  unlock_task_sighand(p, flags);
}

// W-58: what was stopped, and is so still by its job control, is put back. False: it is to be woken.
bool back_into_its_stop(task_struct* p) {
  unsigned long flags;
  if (!lock_task_sighand(p, &flags)) return false;
  const unsigned long jobctl = p->jobctl;
  const unsigned state = jobctl & JOBCTL_TRACED ? TASK_TRACED : jobctl & JOBCTL_STOPPED ? TASK_STOPPED : 0;
  bool put_back = false;
  if (state) {
    RawSpinGuard guard(p->pi_lock);
    put_back = READ_ONCE(p->__state) == TASK_FROZEN;
    if (put_back) WRITE_ONCE(p->__state, state);
  }
  unlock_task_sighand(p, flags);
  return put_back;
}

// ---- All of them ------------------------------------------------------------------------------------------------------

template <class F>
void for_each_task(F&& f) {
  ReadGuard tasklist(tasklist_lock);
  task_struct *p, *t;
  for_each_process_thread(p, t) f(t);
}

unsigned ask_all() {
  unsigned refuse = 0;
  for_each_task([&](task_struct* t) { refuse += t != current && freeze_task(t); });
  return refuse;
}

void name_those_who_refuse(unsigned n, unsigned long began) {
  pr_err("Freezing of tasks failed after %u ms (%u tasks refusing to freeze):\n", jiffies_to_msecs(jiffies - began), n);
  for_each_task([](task_struct* t) {
    if (t == current || !freezing(t) || frozen(t)) return;
    pr_err("task %s/%d, state %x\n", t->comm, t->pid, READ_ONCE(t->__state));
  });
}

// Asks again and again until all are frozen.
int freeze_all() {
  const unsigned long began = jiffies, end = began + msecs_to_jiffies(freeze_timeout_msecs);
  for (unsigned long pause_us = 1000;; pause_us = min(pause_us * 2, 8000ul)) {
    const unsigned refuse = ask_all();
    if (!refuse) return 0;
    if (READ_ONCE(freezer->wakeups)) return -EBUSY;
    if (time_after(jiffies, end)) {
      name_those_who_refuse(refuse, began);
      return -EBUSY;
    }
    usleep_range(pause_us / 2, pause_us);
  }
}

enum class Whom : unsigned char { All, KernelThreads };
void thaw_all(Whom whom) {
  for_each_task([whom](task_struct* t) {
    if (whom == Whom::All || is_kthread(t)) __thaw_task(t);
  });
  schedule();
}

}  // namespace

void freezer_init() {
  freezer_active = 0;
  freeze_timeout_msecs = 20'000;
  spin_lock_init(&freezer.construct().lock);
}
void freezer_exit(LeakReport& report) {
  report.expect_zero("freezes that were not undone", freezer_active);
  freezer.destroy();
}

extern "C" {

// W-54, in its order. There is no freezer of cgroups version 1; that of version 2 is job control (kernel/cgroup/freezer.cc).
bool freezing_slow_path(task_struct* p) {
  if (data_race(p->flags) & (PF_NOFREEZE | PF_SUSPEND_TASK)) return false;
  if (test_tsk_thread_flag(p, TIF_MEMDIE)) return false;
  if (READ_ONCE(freezer->kthreads)) return true;
  return READ_ONCE(freezer->users) && !is_kthread(p);
}

bool frozen(task_struct* p) { return READ_ONCE(p->__state) & TASK_FROZEN; }

// W-57. The state first, then the look: who changes its mind afterwards finds us frozen and wakes us.
bool __refrigerator(bool check_kthr_stop) {
  might_sleep();
  bool was_frozen = false;
  for (;;) {
    set_special_state(current, TASK_FROZEN);
    bool stay;
    {
      IrqOffSpinGuard guard(freezer->lock);
      stay = freezing(current) && !(check_kthr_stop && kthread_should_stop());
    }
    if (!stay) break;
    was_frozen = true;
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  return was_frozen;
}

// W-55.
bool freeze_task(task_struct* p) {
  IrqSpinGuard guard(freezer->lock);
  if (!freezing(p) || frozen(p) || freeze_where_it_sleeps(p)) return false;
  if (is_kthread(p))
    wake_up_state(p, TASK_NORMAL);
  else
    send_fake_signal(p);
  return true;
}

void __thaw_task(task_struct* p) {
  IrqSpinGuard guard(freezer->lock);
  if (!frozen(p) || freezing(p)) return;
  if (!back_into_its_stop(p)) wake_up_state(p, TASK_FROZEN);
}

bool set_freezable() {
  {
    IrqOffSpinGuard guard(freezer->lock);
    WRITE_ONCE(current->flags, current->flags & ~PF_NOFREEZE);
  }
  return try_to_freeze();
}

int freeze_processes() {
  WRITE_ONCE(current->flags, current->flags | PF_SUSPEND_TASK);
  WRITE_ONCE(freezer->wakeups, 0u);
  WRITE_ONCE(freezer->users, true);
  WRITE_ONCE(freezer_active, 1u);
  const int error = freeze_all();
  if (error) thaw_processes();
  return error;
}

int freeze_kernel_threads() {
  WRITE_ONCE(freezer->kthreads, true);
  const int error = freeze_all();
  if (error) thaw_kernel_threads();
  return error;
}

void thaw_kernel_threads() {
  WRITE_ONCE(freezer->kthreads, false);
  thaw_all(Whom::KernelThreads);
}

void thaw_processes() {
  WRITE_ONCE(freezer->users, false);
  WRITE_ONCE(freezer->kthreads, false);
  WRITE_ONCE(freezer_active, 0u);
  thaw_all(Whom::All);
  WRITE_ONCE(current->flags, current->flags & ~PF_SUSPEND_TASK);
}

void pm_system_wakeup() { __atomic_fetch_add(&freezer->wakeups, 1, __ATOMIC_SEQ_CST); }

}  // extern "C"
