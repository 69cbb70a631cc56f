// Sending: from the decision whether a signal counts at all to the thread that is woken for it. Spec 21 sections 14, 16.
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>
#include <linux/wait.h>

#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/signal/multiprocess.hh"
#include "kernel/signal/queue.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"

// ---- Locking --------------------------------------------------------------------------------------------------------

// T-5: the struct stays a sighand_struct while we look, but may have become another task's: look again once locked.
sighand_struct* lock_task_sighand(task_struct* t, unsigned long* flags) {
  RcuReadGuard rcu;
  while (sighand_struct* s = rcu_dereference(t->sighand)) {
    spin_lock_irqsave(&s->siglock, *flags);
    if (s == READ_ONCE(t->sighand)) return s;
    spin_unlock_irqrestore(&s->siglock, *flags);
  }
  return nullptr;
}

void unlock_task_sighand(task_struct* t, unsigned long flags) { spin_unlock_irqrestore(&t->sighand->siglock, flags); }

// ---- Waking ---------------------------------------------------------------------------------------------------------

// S-23: a task that runs elsewhere enters the kernel and finds its flag.
void kick_process(task_struct* t) {
  PreemptGuard no_preempt;
  unsigned cpu = task_cpu(t);
  if (cpu != arch::cpu_id() && task_curr(t)) arch::send_ipi(cpu, arch::Ipi::Reschedule);
}

void signal_wake_up_state(task_struct* t, unsigned state) {
  set_tsk_thread_flag(t, TIF_SIGPENDING);
  if (t != current && !wake_up_state(t, state | TASK_INTERRUPTIBLE)) kick_process(t);
}

// A tracee that its tracer works on stays asleep; letting go, the tracer wakes it.
void signal_wake_up(task_struct* t, Wake how) {
  unsigned state = 0;
  if (how == Wake::Fatal && !(t->jobctl & JOBCTL_PTRACE_FROZEN)) {
    jobctl_clear(t, JOBCTL_STOPPED | JOBCTL_TRACED);
    state = TASK_WAKEKILL | __TASK_TRACED;
  }
  signal_wake_up_state(t, state);
}

// ---- Does it count? -------------------------------------------------------------------------------------------------

namespace {

// S-14.
bool is_ignored(const task_struct* t, int sig, bool force) {
  if (in_set(t->blocked.sig[0] | t->real_blocked.sig[0], sig)) return false;
  if (t->ptrace && sig != SIGKILL) return false;
  const k_sigaction& ka = t->sighand->action[sig - 1];
  const bool unkillable = t->signal->flags & SIGNAL_UNKILLABLE;  // a namespace's init, until it faults or the world ends
  if (unkillable && is_global_init(t) && in_set(kSigOnly, sig)) return true;
  if (unkillable && ka.sa.sa_handler == SIG_DFL && !(force && in_set(kSigOnly, sig))) return true;
  if ((data_race(t->flags) & PF_KTHREAD) && ka.sa.sa_handler == SIG_KTHREAD_KERNEL && !force) return true;
  return action_ignores(ka, sig);
}

// S-13. False: drop it.
bool prepare_signal(int sig, task_struct* p, bool force) {
  if (p->signal->flags & SIGNAL_GROUP_EXIT) return sig == SIGKILL && p->signal->core;  // ends a dump
  if (in_set(kSigStops, sig))
    flush_group_signals(p, sig_bit(SIGCONT));
  else if (sig == SIGCONT)
    continue_group(p);
  return !is_ignored(p, sig, force);
}

// S-20.
bool wants_signal(int sig, task_struct* t) {
  if (sigismember(&t->blocked, sig) || (data_race(t->flags) & PF_EXITING)) return false;
  if (sig == SIGKILL) return true;
  if (t->jobctl & (JOBCTL_STOPPED | JOBCTL_TRACED)) return false;
  return task_curr(t) || !test_tsk_thread_flag(t, TIF_SIGPENDING);
}

task_struct* choose_thread(int sig, task_struct* p, pid_type type) {
  if (wants_signal(sig, p)) return p;
  signal_struct* s = p->signal;
  if (type == PIDTYPE_PID || s->nr_threads == 1) return nullptr;
  task_struct* t = s->curr_target;
  do {
    if (wants_signal(sig, t)) return s->curr_target = t;
    t = list_is_last(&t->thread_node, &s->thread_head) ? list_first_entry(&s->thread_head, task_struct, thread_node)
                                                       : list_next_entry(t, thread_node);
  } while (t != s->curr_target);
  return nullptr;
}

// S-21: nobody will handle it, so all threads are told to die now.
void kill_group(signal_struct* s, task_struct* p, int sig) {
  start_group_exit(p, sig);
  task_struct* t;
  for_each_thread(p, t) {
    task_clear_jobctl_pending(t, JOBCTL_PENDING_MASK);
    sigaddset(&t->pending.signal, SIGKILL);
    signal_wake_up(t, Wake::Fatal);
  }
}

void complete_signal(int sig, task_struct* p, pid_type type) {
  task_struct* t = choose_thread(sig, p, type);
  if (!t) return;  // stays pending until somebody unblocks it
  signal_struct* s = p->signal;
  if (action_is_fatal(p->sighand->action[sig - 1], sig) && !in_set(kSigCore, sig) && (!(s->flags & SIGNAL_GROUP_EXIT) || s->core) &&
      !sigismember(&t->real_blocked, sig) && (sig == SIGKILL || !p->ptrace))
    return kill_group(s, p, sig);
  signal_wake_up(t, sig == SIGKILL ? Wake::Fatal : Wake::Normal);
}

// ---- The queue entry --------------------------------------------------------------------------------------------------

void fill_info(kernel_siginfo* to, int sig, const kernel_siginfo* from, task_struct* t) {
  if (!is_special(from)) {
    *to = *from;
    return;
  }
  *to = {};
  to->si_signo = sig;
  if (from == SEND_SIG_PRIV) {
    to->si_code = SI_KERNEL;
    return;
  }
  to->si_code = SI_USER;
  to->si_pid = task_pid_nr_ns(current, PIDTYPE_TGID, task_active_pid_ns(t));
  to->si_uid = from_kuid_munged(rcu_dereference(t->real_cred)->user_ns, current->cred->uid);
}

// 0, or -EAGAIN when a real-time signal's information would be lost (S-17).
int enqueue(int sig, const kernel_siginfo* info, task_struct* t, sigpending* pending) {
  if (sig == SIGKILL || (data_race(t->flags) & PF_KTHREAD)) return 0;  // S-16
  const bool override = sig < SIGRTMIN && (is_special(info) || info->si_code >= 0);
  if (sigqueue* q = new_queue_entry(t, override ? QueueLimit::Override : QueueLimit::Respect)) {
    fill_info(&q->info, sig, info, t);
    list_add_tail(&q->list, &pending->list);
    return 0;
  }
  return !is_special(info) && sig >= SIGRTMIN && info->si_code != SI_USER ? -EAGAIN : 0;
}

// 20 F-94: forks in progress in the target process keep it for their child.
void tell_forks(signal_struct* s, int sig) {
  MultiprocessSignals* m;
  hlist_for_each_entry(m, &s->multiprocess, node) {
    if (sig == SIGCONT) m->signal.sig[0] &= ~kSigStops;
    if (in_set(kSigStops, sig)) m->signal.sig[0] &= ~sig_bit(SIGCONT);
    sigaddset(&m->signal, sig);
  }
}

// Does it tell of a sender, whose ids the receiver is to see as its own namespaces number them?
bool names_sender(int sig, const kernel_siginfo* info) {
  const int code = info->si_code;
  if (code > SI_USER) return sig == SIGCHLD && code <= CLD_CONTINUED;
  return code != SI_TIMER && code != SI_SIGIO;
}

// S-12: a sender that the receiver cannot see is of a namespace above it, and may hit even its init.
bool is_invisible(task_struct* t) {
  pid_namespace* ns = task_active_pid_ns(t);
  return ns != task_active_pid_ns(current) && !task_pid_nr_ns(current, PIDTYPE_TGID, ns);
}

}  // namespace

// S-18: what a task sends is seen with the receiver's eyes. The caller's info may go to others too, and stays as it is.
int send_signal_locked(int sig, kernel_siginfo* info, task_struct* t, pid_type type) {
  const task_struct* self = current;
  if (info == SEND_SIG_PRIV) return send_translated_locked(sig, info, t, type, Force::Yes);
  if (t == self) return send_translated_locked(sig, info, t, type, Force::No);
  if (info != SEND_SIG_NOINFO && !names_sender(sig, info)) return send_translated_locked(sig, info, t, type, Force::No);
  const Force force = is_invisible(t) ? Force::Yes : Force::No;
  user_namespace *here = self->cred->user_ns, *there = rcu_dereference(t->real_cred)->user_ns;
  if (info == SEND_SIG_NOINFO || (here == there && force == Force::No))
    return send_translated_locked(sig, info, t, type, force);
  kernel_siginfo seen = *info;
  if (force == Force::Yes) seen.si_pid = 0;
  seen.si_uid = from_kuid_munged(there, make_kuid(here, info->si_uid));
  return send_translated_locked(sig, &seen, t, type, force);
}

int send_translated_locked(int sig, kernel_siginfo* info, task_struct* t, pid_type type, Force force) {
  if (!prepare_signal(sig, t, force == Force::Yes)) return 0;
  signal_struct* s = t->signal;
  sigpending* pending = type == PIDTYPE_PID ? &t->pending : &s->shared_pending;
  if (sig < SIGRTMIN && sigismember(&pending->signal, sig)) return 0;  // S-15
  if (int error = enqueue(sig, info, t, pending)) return error;
  sigaddset(&pending->signal, sig);
  if (waitqueue_active(&t->sighand->signalfd_wqh)) wake_up(&t->sighand->signalfd_wqh);
  if (type > PIDTYPE_TGID) tell_forks(s, sig);
  complete_signal(sig, t, type);
  return 0;
}

int do_send_sig_info(int sig, kernel_siginfo* info, task_struct* p, pid_type type) {
  unsigned long flags;
  if (!lock_task_sighand(p, &flags)) return -ESRCH;
  int error = send_signal_locked(sig, info, p, type);
  unlock_task_sighand(p, flags);
  return error;
}

int send_sig_info(int sig, kernel_siginfo* info, task_struct* p) {
  return valid_signal(static_cast<unsigned>(sig)) ? do_send_sig_info(sig, info, p, PIDTYPE_PID) : -EINVAL;
}

int send_sig(int sig, task_struct* p, int priv) { return send_sig_info(sig, priv ? SEND_SIG_PRIV : SEND_SIG_NOINFO, p); }

// 0 queued, 1 ignored. The entry is in a queue still: counts as an overrun.
int send_sigqueue(sigqueue* q, struct pid* pid, pid_type type) {
  RcuReadGuard rcu;
  task_struct* t = pid_task(pid, type);
  unsigned long flags;
  if (!t || !lock_task_sighand(t, &flags)) return -1;
  const int sig = q->info.si_signo;
  int result = 1;
  if (prepare_signal(sig, t, false)) {
    result = 0;
    if (!list_empty(&q->list)) {
      q->info.si_overrun++;
    } else {
      q->info.si_overrun = 0;
      sigpending* pending = type == PIDTYPE_PID ? &t->pending : &t->signal->shared_pending;
      list_add_tail(&q->list, &pending->list);
      sigaddset(&pending->signal, sig);
      if (waitqueue_active(&t->sighand->signalfd_wqh)) wake_up(&t->sighand->signalfd_wqh);
      complete_signal(sig, t, type);
    }
  }
  unlock_task_sighand(t, flags);
  return result;
}

// ---- Forced: what current did to itself (S-26) --------------------------------------------------------------------------

namespace {

enum class Handler : unsigned char { AsSet, Default };

void force_sig_info(kernel_siginfo* info, Handler handler) {
  task_struct* self = current;
  IrqSpinGuard guard(self->sighand->siglock);
  const int sig = info->si_signo;
  const k_sigaction& ka = self->sighand->action[sig - 1];
  const bool blocked = sigismember(&self->blocked, sig);
  if (blocked || ka.sa.sa_handler == SIG_IGN || handler == Handler::Default) {
    set_sighandler(self->sighand, sig, SIG_DFL);
    sigdelset(&self->blocked, sig);
  }
  // Even an init dies of its own fault.
  if (ka.sa.sa_handler == SIG_DFL && !self->ptrace) WRITE_ONCE(self->signal->flags, self->signal->flags & ~SIGNAL_UNKILLABLE);
  send_signal_locked(sig, info, self, PIDTYPE_PID);
  set_tsk_thread_flag(self, TIF_SIGPENDING);
}

kernel_siginfo kernel_info(int sig, int code) {
  kernel_siginfo info = {};
  info.si_signo = sig;
  info.si_code = code;
  return info;
}

}  // namespace

void force_sig(int sig) {
  kernel_siginfo info = kernel_info(sig, SI_KERNEL);
  force_sig_info(&info, Handler::AsSet);
}

void force_sig_fault(int sig, int code, void* addr) {
  kernel_siginfo info = kernel_info(sig, code);
  info.si_addr = addr;
  force_sig_info(&info, Handler::AsSet);
}

void force_fatal_sig(int sig) {
  kernel_siginfo info = kernel_info(sig, SI_KERNEL);
  force_sig_info(&info, Handler::Default);
}

// S-27: a frame could not be built for sig.
void force_sigsegv(int sig) {
  kernel_siginfo info = kernel_info(SIGSEGV, SI_KERNEL);
  force_sig_info(&info, sig == SIGSEGV ? Handler::Default : Handler::AsSet);
}

void start_group_exit(task_struct* p, int code) {
  signal_struct* s = p->signal;
  WRITE_ONCE(s->flags, SIGNAL_GROUP_EXIT);
  s->group_exit_code = code;
  s->group_stop_count = 0;
  task_clear_jobctl_pending(p, JOBCTL_STOP_PENDING);
}

// exit_group and exec: everybody but p's caller is to die. A stop under way goes on with who is left, which is p:
// after an exec it still has to stop (S-41). siglock held.
void zap_other_threads(task_struct* p) {
  p->signal->group_stop_count = p->jobctl & JOBCTL_STOP_CONSUME ? 1 : 0;
  task_struct* t;
  for_each_thread(p, t) {
    if (t == p) continue;
    task_clear_jobctl_pending(t, JOBCTL_PENDING_MASK);
    if (READ_ONCE(t->exit_state)) continue;
    sigaddset(&t->pending.signal, SIGKILL);
    signal_wake_up(t, Wake::Fatal);
  }
}
