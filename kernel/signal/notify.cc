// Telling a parent that its child has ended. Spec 21 section 4.1.
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>
#include <linux/wait.h>

#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/fault_inject.hh"
#include "kernel/pid/pid.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/multiprocess.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr u64 kNsPerTick = 10'000'000;  // USER_HZ 100

// what the exit code word says.
void fill_exit_status(kernel_siginfo* info, int code) {
  info->si_status = code & 0x7f;
  if (code & 0x80) {
    info->si_code = CLD_DUMPED;
  } else if (code & 0x7f) {
    info->si_code = CLD_KILLED;
  } else {
    info->si_code = CLD_EXITED;
    info->si_status = code >> 8;
  }
}

}  // namespace

void fill_child_info(kernel_siginfo* info, task_struct* child, int sig, task_struct* parent) {
  *info = {};
  info->si_signo = sig;
  info->si_pid = task_pid_nr_ns(child, PIDTYPE_PID, task_active_pid_ns(parent));
  info->si_uid = from_kuid_munged(READ_ONCE(parent->real_cred)->user_ns, child->real_cred->uid);
  info->si_utime = static_cast<long>((child->signal->utime + child->utime) / kNsPerTick);
  info->si_stime = static_cast<long>((child->signal->stime + child->stime) / kNsPerTick);
}

void wake_up_parent(task_struct* child, task_struct* parent) {
  wait_queue_head_t* q = &parent->signal->wait_chldexit;
  // Unlocked look: waiters queue themselves before they look at their children under tasklist_lock, which we hold.
  if (waitqueue_active(q)) __wake_up_sync_key(q, TASK_INTERRUPTIBLE, child);
}

namespace {

// The init of a pid namespace that is coming to an end. It ignores SIGCHLD, but whoever shares its handlers may undo that.
bool is_ending_reaper(const task_struct* p) {
  const pid_namespace* ns = task_active_pid_ns(p);
  return !(data_race(ns->pid_allocated) & kPidAdding) && ns->child_reaper == p;
}

}  // namespace

bool do_notify_parent(task_struct* t, int sig) {
  task_struct* parent = t->parent;
  struct pid* pid = t->thread_pid;
  if (waitqueue_active(&pid->wait_pidfd)) wake_up_all(&pid->wait_pidfd);
  // a parent that is another program by now knows nothing of a signal that its predecessor chose.
  if (sig != SIGCHLD && t->parent_exec_id != parent->self_exec_id) sig = SIGCHLD;
  bool autoreap = parent == &init_task;  // the idle task never waits: init and kthreadd end only with the world
  {
    IrqSpinGuard guard(parent->sighand->siglock);
    const struct sigaction& sa = parent->sighand->action[SIGCHLD - 1].sa;
    bool send = sig > 0 && sig <= _NSIG;
    autoreap |= !t->ptrace && is_ending_reaper(parent);
    if (!t->ptrace && sig == SIGCHLD) {
      const bool ignored = sa.sa_handler == SIG_IGN;
      autoreap |= ignored || (sa.sa_flags & SA_NOCLDWAIT);
      send &= !ignored;
    }
    if (send) {
      kernel_siginfo info;
      fill_child_info(&info, t, sig, parent);
      fill_exit_status(&info, READ_ONCE(t->signal->flags) & SIGNAL_GROUP_EXIT ? t->signal->group_exit_code : t->exit_code);
      send_translated_locked(sig, &info, parent, PIDTYPE_TGID, Force::No);
    }
  }
  wake_up_parent(t, parent);
  return autoreap;
}

// ---- Fork (spec 20 S1) ------------------------------------------------------------------------------------------------

ForkSignals::ForkSignals(u64 clone_flags) {
  task_struct* self = current;
  IrqOffSpinGuard guard(self->sighand->siglock);
  if (!(clone_flags & CLONE_THREAD)) hlist_add_head(&delayed_.node, &self->signal->multiprocess);
  recalc_sigpending();
  // As if one had just been taken back by another thread: the flag brings the restart about.
  if (should_fail(FailPoint::Signal, "signal")) set_thread_flag(TIF_SIGPENDING);
  interrupted_ = signal_pending(self);
}

ForkSignals::~ForkSignals() {
  if (hlist_unhashed(&delayed_.node)) return;
  IrqOffSpinGuard guard(current->sighand->siglock);
  unlink();
}

void ForkSignals::unlink() { hlist_del_init(&delayed_.node); }
