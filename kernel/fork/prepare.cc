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
#include "ipc/ipc_namespace.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/entry/rseq.hh"
#include "kernel/fork/init_task.hh"
#include "kernel/fork/new_task.hh"
#include "kernel/fork/task_memory.hh"
#include "kernel/futex/futex.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/pid/pidfd.hh"
#include "kernel/sched/autogroup.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/fault.hh"
#include "kernel/task/io_context.hh"
#include "kernel/kthread/kthread.hh"
#include "kernel/time/time.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

const NewTask::Stage NewTask::kStages[] = {
    {"S2", "task_struct and stack", &NewTask::take_task, &NewTask::give_task},
    {"S4", "credentials", &NewTask::take_creds, &NewTask::give_creds},
    {"S5", "limits", &NewTask::check_limits, nullptr},
    {"S7", "what is not inherited", &NewTask::reset_fields, nullptr},
    {"S8", "kthread", &NewTask::take_kthread, &NewTask::give_kthread},
    {"S10", "scheduler", &NewTask::take_sched, nullptr},
    {"S14", "semaphores to undo", &NewTask::take_semundo, &NewTask::give_semundo},
    {"S15", "files", &NewTask::take_files, &NewTask::give_files},
    {"S16", "directories", &NewTask::take_fs, &NewTask::give_fs},
    {"S17", "signal handlers", &NewTask::take_sighand, &NewTask::give_sighand},
    {"S18", "process", &NewTask::take_signal, &NewTask::give_signal},
    {"S19", "address space", &NewTask::take_mm, &NewTask::give_mm},
    {"S20", "namespaces", &NewTask::take_namespaces, &NewTask::give_namespaces},
    {"S21", "I/O context", &NewTask::take_io, &NewTask::give_io},
    {"S22", "machine state", &NewTask::take_thread, &NewTask::give_thread},
    {"S23", "pid", &NewTask::take_pid, &NewTask::give_pid},
    {"S24", "pidfd", &NewTask::take_pidfd, &NewTask::give_pidfd},
    {"S25", "identity", &NewTask::set_identity, nullptr},
    {"S26", "cgroup", &NewTask::take_cgroup, &NewTask::give_cgroup},
    {"S27", "run queue and start time", &NewTask::place, nullptr},
};

std::span<const NewTask::Stage> NewTask::stages() { return kStages; }

Result<void> NewTask::prepare() {
  for (const Stage& stage : kStages) {
    fault_stage(stage.id);
    TRY((this->*stage.take)());
    taken_++;
  }
  return {};
}

void NewTask::give_back_last() {
  const Stage& stage = kStages[--taken_];
  if (stage.give_back) (this->*stage.give_back)();
}

void NewTask::adopt_idle(task_struct* idle) {
  t_ = idle;
  pid_ = &init_struct_pid;
  taken_ = std::size(kStages);
}

// ---- S2: memory ------------------------------------------------------------------------------------------------------

Result<void> NewTask::take_task() {
  t_ = TRY(dup_task_struct(current));
  return {};
}

void NewTask::give_task() {
  WRITE_ONCE(t_->__state, TASK_DEAD);
  free_task(t_);
}

// ---- S4..S6: credentials and limits -------------------------------------------------------------------------------

// F-60: credentials never change once published, so a child shares its parent's until one of them gets others. The two
// references are one addition. F-62: the process is counted before the limit is looked at.
Result<void> NewTask::take_creds() {
  if (fault_here("creds")) return fail(ENOMEM);
  t_->ptracer_cred = nullptr;
  if (args_.flags & CLONE_NEWUSER) {
    struct cred* n;
    TRY(check_abi(unshare_userns(args_.flags, &n)));
    t_->cred = n;
    t_->real_cred = get_cred(n);
    charge_process(n->ucounts);
    return {};
  }
  auto* c = const_cast<struct cred*>(current->cred);
  atomic_add(2, &c->usage);
  t_->cred = t_->real_cred = c;
  charge_process(c->ucounts);
  return {};
}

void NewTask::give_creds() {
  uncharge_process(t_->real_cred->ucounts);
  put_cred(t_->cred);
  put_cred(t_->real_cred);
}

namespace {

bool over_process_limit(const struct cred* c) {
  if (!is_rlimit_overlimit(c->ucounts, UCOUNT_RLIMIT_NPROC, rlimit(RLIMIT_NPROC))) return false;
  return c->user != &root_user && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

}  // namespace

Result<void> NewTask::check_limits() {
  if (over_process_limit(t_->real_cred) || should_fail(FailPoint::Charge, "process limit")) return fail(EAGAIN);
  current->flags &= ~PF_NPROC_EXCEEDED;
  if (data_race(nr_threads) >= max_threads || should_fail(FailPoint::Charge, "thread limit")) return fail(EAGAIN);
  return {};
}

// ---- S3, S7, S25: what a child does not inherit (spec 20 section 18) ------------------------------------------------

Result<void> NewTask::reset_fields() {
  task_struct* t = t_;
  const u64 flags = args_.flags;
  t->flags = (t->flags & ~(PF_KTHREAD | PF_SUPERPRIV | PF_WQ_WORKER | PF_IDLE | PF_NO_SETAFFINITY | PF_SUSPEND_TASK | PF_EXITING)) | PF_FORKNOEXEC;
  if (args_.kthread) t->flags |= PF_KTHREAD;
  t->set_child_tid = flags & CLONE_CHILD_SETTID ? args_.child_tid : nullptr;
  t->clear_child_tid = flags & CLONE_CHILD_CLEARTID ? args_.child_tid : nullptr;
  t->exit_state = t->exit_code = t->pdeath_signal = 0;
  t->ptrace = 0;
  t->jobctl = 0;
  t->vfork_done = nullptr;
  t->task_works = nullptr;
  t->default_timer_slack_ns = t->timer_slack_ns;
  t->utime = t->stime = t->gtime = t->prev_utime = t->prev_stime = 0;
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
  cgroup_fork(t);
  t->mm = t->active_mm = nullptr;
  if ((flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM) {
    t->sas_ss_sp = t->sas_ss_size = 0;
    t->sas_ss_flags = SS_DISABLE;
  }
  rseq_fork(t, flags);
  return {};
}

// ---- S8..S22 -------------------------------------------------------------------------------------------------------

Result<void> NewTask::take_kthread() {
  if (!args_.kthread) return {};
  return set_kthread_struct(t_) ? Result<void>{} : fail(EAGAIN);
}

void NewTask::give_kthread() {
  if (args_.kthread) free_kthread_struct(t_);
}

Result<void> NewTask::take_sched() {
  if (fault_here("scheduler")) return fail(EAGAIN);
  return sched_fork(t_, args_.flags);
}

Result<void> NewTask::take_semundo() { return copy_semundo(args_.flags, t_); }
void NewTask::give_semundo() { exit_sem(t_); }

Result<void> NewTask::take_files() {
  if (fault_here("files")) return fail(ENOMEM);
  return copy_files(args_.flags, t_);
}

void NewTask::give_files() { exit_files(t_); }

Result<void> NewTask::take_fs() {
  if (fault_here("fs")) return fail(ENOMEM);
  return copy_fs(args_.flags, t_);
}

void NewTask::give_fs() { exit_fs(t_); }

Result<void> NewTask::take_sighand() {
  sighand_struct* parent = current->sighand;
  if (args_.flags & CLONE_SIGHAND) {
    refcount_inc(&parent->count);
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
  return {};
}

void NewTask::give_sighand() { __cleanup_sighand(t_->sighand); }

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

Result<void> NewTask::take_signal() {
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
  sched_autogroup_fork(s, parent);
  t_->signal = s;
  return {};
}

void NewTask::give_signal() {
  if (args_.flags & CLONE_THREAD) return;
  sched_autogroup_exit(t_->signal);
  free_signal_struct(t_->signal);
}

// F-80.
Result<void> NewTask::take_mm() {
  mm_struct* mm = current->mm;
  if (!mm) return {};
  if (args_.flags & CLONE_VM) {
    mmget(mm);
  } else {
    mm = TRY(dup_mm(t_, mm));
  }
  t_->mm = t_->active_mm = mm;
  return {};
}

void NewTask::give_mm() {
  if (t_->mm) mmput(std::exchange(t_->mm, nullptr));
}

Result<void> NewTask::take_namespaces() {
  return copy_namespaces(args_.flags, t_);
}

void NewTask::give_namespaces() { put_nsproxy(t_->nsproxy); }

Result<void> NewTask::take_io() { return copy_io(args_.flags, t_); }
void NewTask::give_io() { exit_io_context(t_); }

// Section 14. regs: the caller's for a task that goes to user mode by itself, else nothing but zeroes.
Result<void> NewTask::take_thread() {
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
  Result<void> done = arch::copy_thread(t_, current, args_);
  if (!done) arch::exit_thread(t_);  // takes a half-made one
  return done;
}

void NewTask::give_thread() { arch::exit_thread(t_); }

// ---- S23, S24 ------------------------------------------------------------------------------------------------------

Result<void> NewTask::take_pid() {
  pid_ = args_.idle ? &init_struct_pid : TRY(alloc_pid(t_->nsproxy->pid_ns_for_children, args_.set_tid, args_.set_tid_size));
  return {};
}

void NewTask::give_pid() {
  if (!args_.idle) free_pid(pid_);
}

Result<void> NewTask::take_pidfd() {
  if (!(args_.flags & CLONE_PIDFD)) return {};
  PidfdTicket ticket = TRY(pidfd_prepare(pid_, 0));
  pidfd_ = ticket.fd;
  pidfd_file_ = ticket.file;
  if (!should_fail(FailPoint::UserCopy, "pidfd store") && !put_user(pidfd_, args_.pidfd)) return {};
  give_pidfd();
  return fail(EFAULT);
}

void NewTask::give_pidfd() {
  if (pidfd_file_) pidfd_abandon({pidfd_, pidfd_file_});
}

// ---- S25..S28 ------------------------------------------------------------------------------------------------------

Result<void> NewTask::set_identity() {
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
  return {};
}

Result<void> NewTask::take_cgroup() { return cgroup_can_fork(t_, args_, &cgroup_); }

void NewTask::give_cgroup() { cgroup_cancel_fork(t_, &cgroup_); }

Result<void> NewTask::place() {
  task_struct* t = t_;
  sched_cgroup_fork(t);
  t->start_time = ktime_get_ns();
  t->start_boottime = t->start_time;  // no suspend: both clocks are one
  return {};
}
