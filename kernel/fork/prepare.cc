// The middle of fork: one function per part of a task. Spec 20 section 11, S2..S28.
// SPDX-License-Identifier: Apache-2.0
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

#include "arch/contract/arch.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/rseq.hh"
#include "kernel/fork/init_task.hh"
#include "kernel/kthread/kthread.hh"
#include "kernel/time/time.hh"
#include "kernel/fork/new_task.hh"
#include "kernel/fork/task_memory.hh"
#include "kernel/futex/futex.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/pid/pidfd.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/fault.hh"
#include "kernel/kthread/kthread.hh"
#include "kernel/time/time.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

// ---- S4..S6: credentials and limits -------------------------------------------------------------------------------

// F-60: credentials never change once published, so a child shares its parent's until one of them gets others. The two
// references are one addition. F-62: the process is counted before the limit is looked at.
Result<void> NewTask::copy_creds() {
  if (fault_here("creds")) return fail(ENOMEM);
  auto* c = const_cast<struct cred*>(current->cred);
  atomic_add(2, &c->usage);
  t_->cred = t_->real_cred = c;
  t_->ptracer_cred = nullptr;
  atomic_long_inc(&c->user->processes);
  owns(Stage::Creds);
  return {};
}

namespace {

bool over_process_limit(const struct cred* c) {
  if (static_cast<unsigned long>(atomic_long_read(&c->user->processes)) <= rlimit(RLIMIT_NPROC)) return false;
  return c->user != &root_user && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

}  // namespace

Result<void> NewTask::check_limits() {
  if (over_process_limit(t_->real_cred)) return fail(EAGAIN);
  current->flags &= ~PF_NPROC_EXCEEDED;
  if (data_race(nr_threads) >= max_threads) return fail(EAGAIN);
  return {};
}

// ---- S3, S7, S25: what a child does not inherit (spec 20 section 18) ------------------------------------------------

void NewTask::reset_fields() {
  task_struct* t = t_;
  const u64 flags = args_.flags;
  t->flags = (t->flags & ~(PF_KTHREAD | PF_SUPERPRIV | PF_WQ_WORKER | PF_IDLE | PF_NO_SETAFFINITY | PF_EXITING)) | PF_FORKNOEXEC;
  if (args_.kthread) t->flags |= PF_KTHREAD;
  t->set_child_tid = flags & CLONE_CHILD_SETTID ? args_.child_tid : nullptr;
  t->clear_child_tid = flags & CLONE_CHILD_CLEARTID ? args_.child_tid : nullptr;
  t->exit_state = t->exit_code = t->pdeath_signal = 0;
  t->ptrace = 0;
  t->jobctl = 0;
  t->vfork_done = nullptr;
  t->task_works = nullptr;
  t->default_timer_slack_ns = t->timer_slack_ns;
  t->utime = t->stime = t->gtime = 0;
  t->nvcsw = t->nivcsw = t->min_flt = t->maj_flt = 0;
  t->restore_sigmask = t->in_execve = t->in_iowait = 0;
  INIT_LIST_HEAD(&t->children);
  INIT_LIST_HEAD(&t->sibling);
  INIT_LIST_HEAD(&t->ptraced);
  INIT_LIST_HEAD(&t->ptrace_entry);
  INIT_LIST_HEAD(&t->pending.list);
  t->pending.signal = {};
  t->last_siginfo = nullptr;
  spin_lock_init(&t->alloc_lock);
  raw_spin_lock_init(&t->pi_lock);
  futex_init_task(t);
  t->mm = t->active_mm = nullptr;
  if ((flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM) {
    t->sas_ss_sp = t->sas_ss_size = 0;
    t->sas_ss_flags = SS_DISABLE;
  }
  rseq_fork(t, flags);
}

// ---- S8..S22 -------------------------------------------------------------------------------------------------------

Result<void> NewTask::copy_kthread() {
  if (!args_.kthread) return {};
  if (!set_kthread_struct(t_)) return fail(EAGAIN);
  owns(Stage::Kthread);
  return {};
}

Result<void> NewTask::copy_sighand() {
  sighand_struct* parent = current->sighand;
  if (args_.flags & CLONE_SIGHAND) {
    refcount_inc(&parent->count);
    owns(Stage::Sighand);
    return {};
  }
  sighand_struct* s = alloc_sighand();
  if (!s) return fail(ENOMEM);
  {
    IrqOffSpinGuard guard(parent->siglock);
    copy_actions(s, parent);
  }
  if (args_.flags & CLONE_CLEAR_SIGHAND) clear_sighand(s);
  t_->sighand = s;
  owns(Stage::Sighand);
  return {};
}

// 12.5. The memory is zero.
void init_signal_struct(signal_struct* s, task_struct* leader) {
  s->nr_threads = s->quick_threads = 1;
  atomic_set(&s->live, 1);
  refcount_set(&s->sigcnt, 1);
  INIT_LIST_HEAD(&s->thread_head);
  init_waitqueue_head(&s->wait_chldexit);
  s->curr_target = leader;
  INIT_LIST_HEAD(&s->shared_pending.list);
  INIT_LIST_HEAD(&s->posix_timers);
  mutex_init(&s->cred_guard_mutex);
  init_rwsem(&s->exec_update_lock);
}

Result<void> NewTask::copy_signal() {
  if (args_.flags & CLONE_THREAD) return {};
  signal_struct* s = alloc_signal_struct();
  if (!s) return fail(ENOMEM);
  const signal_struct* parent = current->signal;
  init_signal_struct(s, t_);
  hrtimer_init(&s->real_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
  s->real_timer.function = it_real_fn;
  {
    SpinGuard guard(current->group_leader->alloc_lock);
    memcpy(s->rlim, parent->rlim, sizeof(s->rlim));
  }
  s->oom_score_adj = parent->oom_score_adj;
  s->oom_score_adj_min = parent->oom_score_adj_min;
  t_->signal = s;
  owns(Stage::Signal);
  return {};
}

// F-80.
Result<void> NewTask::copy_mm() {
  mm_struct* mm = current->mm;
  if (!mm) return {};
  if (args_.flags & CLONE_VM) {
    mmget(mm);
  } else {
    mm = TRY(dup_mm(t_, mm));
  }
  t_->mm = t_->active_mm = mm;
  owns(Stage::Mm);
  return {};
}

// Section 14. regs: the caller's for a task that goes to user mode by itself, else nothing but zeroes.
Result<void> NewTask::copy_thread() {
  pt_regs* regs = task_pt_regs(t_);
  if (args_.kthread) {
    *regs = {};
  } else {
    *regs = *task_pt_regs(current);
    regs->ax = 0;
    if (args_.stack) regs->sp = args_.stack;
    if (args_.fn) regs->ip = regs->sp = 0;
  }
  if (fault_here("thread")) return fail(ENOMEM);
  owns(Stage::Thread);  // exit_thread takes a half-made one
  return arch::copy_thread(t_, current, args_);
}

Result<void> NewTask::copy_resources() {
  TRY(copy_kthread());
  TRY(sched_fork(t_, args_.flags));
  if (fault_here("files")) return fail(ENOMEM);
  TRY(copy_files(args_.flags, t_));
  owns(Stage::Files);
  if (fault_here("fs")) return fail(ENOMEM);
  TRY(copy_fs(args_.flags, t_));
  owns(Stage::Fs);
  TRY(copy_sighand());
  TRY(copy_signal());
  TRY(copy_mm());
  t_->nsproxy = TRY(copy_namespaces(args_.flags, current->nsproxy));
  owns(Stage::Namespaces);
  return copy_thread();
}

// ---- S23, S24 ------------------------------------------------------------------------------------------------------

Result<void> NewTask::take_pid() {
  if (args_.idle) {
    pid_ = &init_struct_pid;
    return {};
  }
  pid_ = TRY(alloc_pid(t_->nsproxy->pid_ns_for_children, args_.set_tid, args_.set_tid_size));
  owns(Stage::Pid);
  return {};
}

Result<void> NewTask::take_pidfd() {
  if (!(args_.flags & CLONE_PIDFD)) return {};
  PidfdTicket ticket = TRY(pidfd_prepare(pid_, 0));
  pidfd_ = ticket.fd;
  pidfd_file_ = ticket.file;
  owns(Stage::Pidfd);
  return put_user(pidfd_, args_.pidfd) ? fail(EFAULT) : Result<void>{};
}

// ---- S25..S28 ------------------------------------------------------------------------------------------------------

void NewTask::set_identity() {
  task_struct* t = t_;
  t->thread_pid = pid_;
  t->pid = pid_->numbers[0].nr;
  if (args_.flags & CLONE_THREAD) {
    t->group_leader = current->group_leader;
    t->tgid = current->tgid;
  } else {
    t->group_leader = t;
    t->tgid = t->pid;
  }
  sched_cgroup_fork(t);
  t->start_time = ktime_get_ns();
  t->start_boottime = t->start_time;  // no suspend: both clocks are one
}

Result<void> NewTask::prepare() {
  t_ = TRY(dup_task_struct(current));
  owns(Stage::Task);
  TRY(copy_creds());
  TRY(check_limits());
  reset_fields();
  TRY(copy_resources());
  TRY(take_pid());
  TRY(take_pidfd());
  set_identity();
  return {};
}

// ---- Undo ----------------------------------------------------------------------------------------------------------

namespace {

void undo_creds(task_struct* t) {
  atomic_long_dec(&t->real_cred->user->processes);
  put_cred(t->cred);
  put_cred(t->real_cred);
}

// The part of another thread's group is not ours to free.
void undo_signal(task_struct* t) { free_signal_struct(t->signal); }

void undo_mm(task_struct* t) { mmput(std::exchange(t->mm, nullptr)); }

}  // namespace

void NewTask::undo() {
  task_struct* t = t_;
  auto owned = [this](Stage s) { return done_ >> static_cast<unsigned>(s) & 1; };
  if (owned(Stage::Pidfd)) pidfd_abandon({pidfd_, pidfd_file_});
  if (owned(Stage::Pid)) free_pid(pid_);
  if (owned(Stage::Thread)) arch::exit_thread(t);
  if (owned(Stage::Namespaces)) put_nsproxy(t->nsproxy);
  if (owned(Stage::Mm)) undo_mm(t);
  if (owned(Stage::Signal)) undo_signal(t);
  if (owned(Stage::Sighand)) __cleanup_sighand(t->sighand);
  if (owned(Stage::Fs)) exit_fs(t);
  if (owned(Stage::Files)) exit_files(t);
  if (owned(Stage::Kthread)) free_kthread_struct(t);
  if (owned(Stage::Creds)) undo_creds(t);
  WRITE_ONCE(t->__state, TASK_DEAD);
  free_task(t);
}
