// wait4(2) and waitid(2). Spec 21 part B.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/exit/wait.hh"

#include <linux/list.h>
#include <linux/wait.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/wait.h>

#include <climits>

#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/exit/exit.hh"
#include "kernel/pid/pid.hh"
#include "kernel/pid/pidfd.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/sync/guards.hh"
#include "kernel/sys/rusage.hh"
#include "kernel/trace/trace.hh"
#include "mm/uaccess.hh"

namespace {

// One call in progress.
struct Wait {
  const WaitFor* what;
  WaitEvent* event;
  task_struct* self;
  int notask;
  wait_queue_entry entry;
};

struct pid* pid_in_role(task_struct* p, pid_type type) {
  return type == PIDTYPE_PID ? p->thread_pid : p->signal->pids[type];
}

bool matches_pid(const WaitFor& w, task_struct* p) { return w.type == PIDTYPE_MAX || pid_in_role(p, w.type) == w.pid; }

// As what a task is looked at: a child, or what the caller traces.
enum class As : unsigned char { Child, Tracee };

// W-6: a "clone child" is one whose exit signal is not SIGCHLD.
bool eligible(const WaitFor& w, task_struct* p, As as) {
  if (!matches_pid(w, p)) return false;
  if (as == As::Tracee || (w.options & __WALL)) return true;
  return (p->exit_signal == SIGCHLD) != !!(w.options & __WCLONE);
}

// W-12.
int child_wait_callback(wait_queue_entry* e, unsigned mode, int flags, void* key) {
  auto* w = container_of(e, Wait, entry);
  auto* p = static_cast<task_struct*>(key);
  if (!matches_pid(*w->what, p)) return 0;
  if ((w->what->options & __WNOTHREAD) && w->self != p->parent) return 0;
  return default_wake_function(e, mode, flags, nullptr);
}

void describe(WaitEvent* e, task_struct* p) {
  e->pid = task_pid_vnr(p);
  RcuReadGuard rcu;  // one that goes on may change its credentials
  e->uid = from_kuid_munged(current->cred->user_ns, rcu_dereference(p->real_cred)->uid);
}

void set_exit_event(WaitEvent* e, int status) {
  e->status = status;
  if (status & 0x7f) {
    e->code = status & 0x80 ? CLD_DUMPED : CLD_KILLED;
    e->cause = status & 0x7f;
  } else {
    e->code = CLD_EXITED;
    e->cause = status >> 8;
  }
}

int exit_status(const task_struct* p) {
  return READ_ONCE(p->signal->flags) & SIGNAL_GROUP_EXIT ? p->signal->group_exit_code : p->exit_code;
}

// W-15. siglock of the waiting process.
void add_to_waiter(signal_struct* mine, task_struct* p) {
  signal_struct* s = p->signal;
  u64 utime, stime;
  thread_group_cputime_adjusted(p, &utime, &stime);
  mine->cutime += utime + s->cutime;
  mine->cstime += stime + s->cstime;
  mine->cmin_flt += data_race(p->min_flt) + s->min_flt + s->cmin_flt;
  mine->cmaj_flt += data_race(p->maj_flt) + s->maj_flt + s->cmaj_flt;
  mine->cnvcsw += data_race(p->nvcsw) + s->nvcsw + s->cnvcsw;
  mine->cnivcsw += data_race(p->nivcsw) + s->nivcsw + s->cnivcsw;
  mine->cinblock += s->inblock + s->cinblock;
  mine->coublock += s->oublock + s->coublock;
  const unsigned long peak = s->maxrss > s->cmaxrss ? s->maxrss : s->cmaxrss;
  if (mine->cmaxrss < peak) mine->cmaxrss = peak;
}

// Each of the following returns the pid it reports, having dropped tasklist_lock, or 0 with the lock still held.

// The same for all: the task is pinned, the lock dropped, usage taken. Its number is read first: once the lock is dropped another
// may reap it, and 0 would tell the caller that the lock is held.
int report(Wait* w, task_struct* p) {
  describe(w->event, p);
  get_task_struct(p);
  read_unlock(&tasklist_lock);
  if (w->event->usage) getrusage_of(p, RUSAGE_BOTH, w->event->usage);
  put_task_struct(p);
  return w->event->pid;
}

// W-16: the tracer of another process's child has had its report; now it is the real parent's.
void hand_to_parent(task_struct* p) {
  {
    IrqOffWriteGuard guard(tasklist_lock);
    ptrace_unlink(p);
    const bool unwanted = do_notify_parent(p, p->exit_signal);
    WRITE_ONCE(p->exit_state, unwanted ? EXIT_DEAD : EXIT_ZOMBIE);
    if (!unwanted) return;
  }
  release_task(p);
}

// Section 10.1.
int wait_zombie(Wait* w, task_struct* p) {
  if (!(w->what->options & WEXITED)) return 0;
  if (w->what->options & WNOWAIT) {
    set_exit_event(w->event, exit_status(p));
    return report(w, p);
  }
  const bool leader = thread_group_leader(p);
  const int state = p->ptrace && ptrace_reparented(p) && leader ? EXIT_TRACE : EXIT_DEAD;
  int zombie = EXIT_ZOMBIE;
  if (!try_cmpxchg(&p->exit_state, &zombie, state)) return 0;  // W-14: somebody else has it
  if (state == EXIT_DEAD && leader) {
    IrqOffSpinGuard guard(current->sighand->siglock);
    add_to_waiter(current->signal, p);
  }
  read_unlock(&tasklist_lock);  // nobody else touches a dead task
  describe(w->event, p);
  set_exit_event(w->event, exit_status(p));
  if (w->event->usage) getrusage_of(p, RUSAGE_BOTH, w->event->usage);
  if (state == EXIT_TRACE)
    hand_to_parent(p);
  else
    release_task(p);
  return w->event->pid;
}

// Where the code of the stop is that is to be told, null: p is in none. A tracer is told of each thread's.
int* stop_code(task_struct* p, As as) {
  if (as == As::Tracee) {
    const unsigned long jobctl = READ_ONCE(p->jobctl);
    return (jobctl & JOBCTL_TRACED) && !(jobctl & JOBCTL_LISTENING) ? &p->exit_code : nullptr;
  }
  return data_race(p->signal->flags) & SIGNAL_STOP_STOPPED ? &p->signal->group_exit_code : nullptr;
}

// W-17.
int wait_stopped(Wait* w, task_struct* p, As as) {
  if ((as == As::Child && !(w->what->options & WUNTRACED)) || !stop_code(p, as)) return 0;
  int sig;
  {
    IrqOffSpinGuard guard(p->sighand->siglock);
    int* code = stop_code(p, as);
    if (!code || !(sig = *code)) return 0;
    if (!(w->what->options & WNOWAIT)) WRITE_ONCE(*code, 0);
  }
  w->event->code = as == As::Tracee ? CLD_TRAPPED : CLD_STOPPED;
  w->event->status = sig << 8 | 0x7f;
  w->event->cause = sig;
  return report(w, p);
}

// W-18.
int wait_continued(Wait* w, task_struct* p) {
  signal_struct* s = p->signal;
  if (!(w->what->options & WCONTINUED) || !(READ_ONCE(s->flags) & SIGNAL_STOP_CONTINUED)) return 0;
  {
    IrqOffSpinGuard guard(p->sighand->siglock);
    if (!(s->flags & SIGNAL_STOP_CONTINUED)) return 0;
    if (!(w->what->options & WNOWAIT)) WRITE_ONCE(s->flags, s->flags & ~SIGNAL_STOP_CONTINUED);
  }
  w->event->code = CLD_CONTINUED;
  w->event->status = 0xffff;
  w->event->cause = SIGCONT;
  return report(w, p);
}

int consider(Wait* w, task_struct* p, As as) {
  const int exit_state = READ_ONCE(p->exit_state);
  if (exit_state == EXIT_DEAD || !eligible(*w->what, p, as)) return 0;
  if (exit_state == EXIT_TRACE) [[unlikely]] {  // W-7
    if (as == As::Child) w->notask = 0;
    return 0;
  }
  if (as == As::Child && data_race(p->ptrace) && !ptrace_reparented(p)) as = As::Tracee;  // W-8
  const bool delayed_leader = exit_state && thread_group_leader(p) && !thread_group_empty(p);  // W-9
  if (exit_state && !delayed_leader) {
    if (as == As::Tracee || !p->ptrace) return wait_zombie(w, p);
    w->notask = 0;  // the tracer has to see it first
    return 0;
  }
  // A tracer has nothing more to hear of a dead leader, but its end.
  if (!delayed_leader || as == As::Child || (w->what->options & (WCONTINUED | WEXITED))) w->notask = 0;
  if (int pid = wait_stopped(w, p, as)) return pid;
  return wait_continued(w, p);
}

// Its children, then its tracees (W-5).
int scan_children(Wait* w, task_struct* parent) {
  task_struct* p;
  list_for_each_entry(p, &parent->children, sibling) if (int pid = consider(w, p, As::Child)) return pid;
  list_for_each_entry(p, &parent->ptraced, ptrace_entry) if (int pid = consider(w, p, As::Tracee)) return pid;
  return 0;
}

bool belongs_to_waiter(const Wait* w, const task_struct* parent) {
  return parent == w->self || (!(w->what->options & __WNOTHREAD) && same_thread_group(parent, w->self));
}

// One number: a process as a child, a thread as a tracee.
int scan_pid(Wait* w) {
  task_struct* p = pid_task(w->what->pid, PIDTYPE_TGID);
  if (p && belongs_to_waiter(w, p->real_parent)) {
    if (int pid = consider(w, p, As::Child)) return pid;
  }
  p = pid_task(w->what->pid, PIDTYPE_PID);
  return p && p->ptrace && belongs_to_waiter(w, p->parent) ? consider(w, p, As::Tracee) : 0;
}

// W-5.
int scan(Wait* w) {
  if (w->what->type == PIDTYPE_PID) return scan_pid(w);
  if (int pid = scan_children(w, w->self)) return pid;
  if ((w->what->options & __WNOTHREAD) || w->self->signal->nr_threads == 1) return 0;
  task_struct* t;
  for_each_thread(w->self, t) {
    if (t == w->self) continue;
    if (int pid = scan_children(w, t)) return pid;
  }
  return 0;
}

bool target_exists(const WaitFor& w) {
  if (w.type == PIDTYPE_MAX) return true;
  return w.pid && !hlist_empty(&w.pid->tasks[w.type]);
}

// One round of section 10. >0: done; 0: something may come; <0: nothing to wait for.
int look(Wait* w) {
  w->notask = -ECHILD;
  if (!target_exists(*w->what)) return -ECHILD;
  set_current_state(TASK_INTERRUPTIBLE);
  read_lock(&tasklist_lock);
  if (int pid = scan(w)) return pid;
  read_unlock(&tasklist_lock);
  return w->notask;
}

}  // namespace

int do_wait(const WaitFor& what, WaitEvent* event) {
  task_struct* self = current;
  trace_sched_process_wait(what.pid ? pid_nr_ns(what.pid, &init_pid_ns) : 0);
  Wait w{&what, event, self, 0, {}};
  init_waitqueue_func_entry(&w.entry, child_wait_callback);
  w.entry.private_ = self;
  wait_queue_head_t* q = &self->signal->wait_chldexit;
  add_wait_queue(q, &w.entry);
  int result;
  while (!(result = look(&w)) && !(what.options & WNOHANG)) {
    if (signal_pending(self)) {
      result = -ERESTARTSYS;
      break;
    }
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  remove_wait_queue(q, &w.entry);
  return result;
}

// ---- System calls -----------------------------------------------------------------------------------------------------

namespace {

constexpr unsigned kWait4Options = WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE;
constexpr unsigned kWaitidOptions = WNOHANG | WSTOPPED | WEXITED | WCONTINUED | WNOWAIT | __WNOTHREAD | __WALL | __WCLONE;

struct Target {
  pid_type type;
  struct pid* pid;  // referenced
};

Target wait4_target(pid_t upid) {
  if (upid == -1) return {PIDTYPE_MAX, nullptr};
  if (upid < 0) return {PIDTYPE_PGID, find_get_pid(-upid)};
  if (!upid) return {PIDTYPE_PGID, get_task_pid(current, PIDTYPE_PGID)};
  return {PIDTYPE_PID, find_get_pid(upid)};
}

Result<Target> waitid_target(int which, pid_t id, unsigned* pidfd_flags) {
  switch (which) {
    case P_ALL: return Target{PIDTYPE_MAX, nullptr};
    case P_PID:
      if (id <= 0) return fail(EINVAL);
      return Target{PIDTYPE_PID, find_get_pid(id)};
    case P_PGID:
      if (id < 0) return fail(EINVAL);
      return Target{PIDTYPE_PGID, id ? find_get_pid(id) : get_task_pid(current, PIDTYPE_PGID)};
    case P_PIDFD:
      if (id < 0) return fail(EINVAL);
      return Target{PIDTYPE_PID, TRY(pidfd_get_pid(id, pidfd_flags))};
    default: return fail(EINVAL);
  }
}

Result<int> kernel_waitid(int which, pid_t id, unsigned options, WaitEvent* event) {
  if ((options & ~kWaitidOptions) || !(options & (WEXITED | WSTOPPED | WCONTINUED))) return fail(EINVAL);
  unsigned pidfd_flags = 0;
  Target t = TRY(waitid_target(which, id, &pidfd_flags));
  PidHold hold(t.pid);
  const bool polls = pidfd_flags & O_NONBLOCK;  // W-3
  int r = do_wait({t.type, t.pid, polls ? options | WNOHANG : options}, event);
  if (!r && polls && !(options & WNOHANG)) return fail(EAGAIN);
  if (r < 0) return fail(-r);
  return r;
}

}  // namespace

SYSCALL_DEFINE4(wait4, pid_t, upid, int __user*, ustatus, unsigned, options, rusage __user*, uru) {
  if (options & ~kWait4Options) return -EINVAL;
  if (upid == INT_MIN) return -ESRCH;
  rusage ru;
  WaitEvent event;
  event.usage = uru ? &ru : nullptr;
  const Target t = wait4_target(upid);
  const int r = do_wait({t.type, t.pid, options | WEXITED}, &event);
  put_pid(t.pid);
  if (r <= 0) return r;
  if (ustatus && put_user(event.status, ustatus)) return -EFAULT;  // W-2
  return uru && put_user(ru, uru) ? -EFAULT : r;
}

namespace {

// W-1: six fields in two groups, and nothing between or behind them. Zeroes if there is nothing to tell.
long put_child_info(siginfo_t __user* to, const WaitEvent* e) {
  struct What {
    int signo, error, code;
  } what{};
  struct Who {
    int pid, uid, status;
  } who{};
  if (e) {
    what = {SIGCHLD, 0, e->code};
    who = {e->pid, static_cast<int>(e->uid), e->cause};
  }
  char __user* p = reinterpret_cast<char*>(to);
  return copy_to_user(p, &what, sizeof(what)) || copy_to_user(p + offsetof(kernel_siginfo, _f), &who, sizeof(who)) ? -EFAULT : 0;
}

}  // namespace

SYSCALL_DEFINE5(waitid, int, which, pid_t, id, siginfo_t __user*, uinfo, unsigned, options, rusage __user*, uru) {
  rusage ru;
  WaitEvent event;
  event.usage = uru ? &ru : nullptr;
  Result<int> r = kernel_waitid(which, id, options, &event);
  const bool found = r && *r > 0;
  if (found && uru && put_user(ru, uru)) return -EFAULT;
  if (uinfo && put_child_info(uinfo, found ? &event : nullptr)) return -EFAULT;
  return r ? 0 : r.error().neg();
}
