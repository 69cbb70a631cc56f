// semget(2), semop(2): sets of counters, changed several at a time. Spec 60 V-13..V-18.
// SPDX-License-Identifier: Apache-2.0
#include "ipc/sem.hh"

#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "ipc/sem_undo.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

// ---- Operations -----------------------------------------------------------------------------------------------------------

namespace {

void undo_first(SemArray* a, const SemWait* w, unsigned n) {
  while (n-- > 0) {
    const sembuf& op = w->ops[n];
    a->sems[op.sem_num].value -= op.sem_op;
    if (op.sem_op && (op.sem_flg & SEM_UNDO)) w->undo->adjust[op.sem_num] = static_cast<short>(w->undo->adjust[op.sem_num] + op.sem_op);
  }
}

// One operation: 0, 1 would wait, -ERANGE.
int apply(SemArray* a, const SemWait* w, const sembuf& op) {
  Semaphore& s = a->sems[op.sem_num];
  const int value = s.value + op.sem_op;
  if ((!op.sem_op && s.value) || value < 0) return 1;
  if (value > SEMVMX) return -ERANGE;
  if (op.sem_op && (op.sem_flg & SEM_UNDO)) {
    const int adjust = w->undo->adjust[op.sem_num] - op.sem_op;
    if (adjust < -SEMVMX - 1 || adjust > SEMVMX) return -ERANGE;
    w->undo->adjust[op.sem_num] = static_cast<short>(adjust);
  }
  s.value = value;
  return 0;
}

}  // namespace

// V-15, V-16.
int sem_try(SemArray* a, SemWait* w) {
  for (unsigned i = 0; i < w->n; i++) {
    int r = apply(a, w, w->ops[i]);
    if (!r) continue;
    undo_first(a, w, i);
    w->blocked_on = static_cast<int>(i);
    return r == 1 && (w->ops[i].sem_flg & IPC_NOWAIT) ? -EAGAIN : r;
  }
  for (unsigned i = 0; i < w->n; i++) {
    struct pid*& pid = a->sems[w->ops[i].sem_num].pid;
    if (pid != w->pid) put_pid(std::exchange(pid, get_pid(w->pid)));
  }
  a->otime = ktime_get_real_seconds();
  return 0;
}

namespace {

void finish(SemWait* w, int error) {
  list_del_init(&w->list);
  w->error = error;
  w->over = true;
  wake_up_process(w->task);  // it wants the lock before it looks
}

}  // namespace

// V-17. Who goes on may let others go on.
void sem_wake_waiters(SemArray* a) {
  for (bool again = true; again;) {
    again = false;
    SemWait *w, *next;
    list_for_each_entry_safe(w, next, &a->waiting, list) {
      int r = sem_try(a, w);
      if (r == 1) continue;
      finish(w, r);
      again |= !r;
    }
  }
}

// ---- Life -------------------------------------------------------------------------------------------------------------------

namespace {

Result<IpcObject*> make_sems(ipc_namespace* ns, unsigned long n) {
  if (!n || n > static_cast<unsigned long>(ns->sem_limits[0])) return fail(EINVAL);
  auto* a = static_cast<SemArray*>(kvzalloc(sizeof(SemArray) + n * sizeof(Semaphore), GFP_KERNEL));
  if (!a) return fail(ENOMEM);
  refcount_set(&a->ipc.refs, 1);
  a->n = static_cast<int>(n);
  a->ctime = ktime_get_real_seconds();
  INIT_LIST_HEAD(&a->waiting);
  INIT_LIST_HEAD(&a->undos);
  return &a->ipc;
}

Result<void> charge_sems(ipc_namespace* ns, const IpcObject* o) {
  const int n = container_of(o, SemArray, ipc)->n;
  if (ns->sems.used >= ns->sem_limits[3] || ns->used_sems > ns->sem_limits[1] - n) return fail(ENOSPC);
  ns->used_sems += n;
  return {};
}

Result<void> sems_fit(const IpcObject* o, unsigned long n) {
  if (n > static_cast<unsigned long>(container_of(o, SemArray, ipc)->n)) return fail(EINVAL);
  return {};
}

void free_sems(IpcObject* o) {
  SemArray* a = to_sems(o);
  for (int i = 0; i < a->n; i++) put_pid(a->sems[i].pid);
  kvfree(a);
}

}  // namespace

constinit const IpcKind kSemKind = {&ipc_namespace::sems, make_sems, charge_sems, sems_fit, free_sems};

SYSCALL_DEFINE3(semget, int, key, int, n, int, flags) {
  ipc_namespace* ns = current_ipc_ns();
  if (n < 0 || n > ns->sem_limits[0]) return -EINVAL;
  return to_abi(ipc_get(ns, kSemKind, key, flags, static_cast<unsigned long>(n)));
}

// Nobody may use it any more; sleepers are told. Lock held. The table's reference becomes the caller's.
void sem_remove(ipc_namespace* ns, SemArray* a) {
  ipc_unlink(&ns->sems, &a->ipc);
  ns->used_sems -= a->n;
  SemWait *w, *next;
  list_for_each_entry_safe(w, next, &a->waiting, list) finish(w, -EIDRM);
  SemUndo *u, *after;
  list_for_each_entry_safe(u, after, &a->undos, in_array) {
    list_del_init(&u->in_array);
    u->array = nullptr;  // its list frees it
  }
}

// ---- semop(2) -----------------------------------------------------------------------------------------------------------------

namespace {

constexpr unsigned kFewOps = 8;

struct Call {
  ipc_namespace* ns;
  int id;
  const sembuf* ops;
  unsigned n;
  int highest = 0;
  bool alters = false, undoes = false;
};

void survey(Call* c) {
  for (unsigned i = 0; i < c->n; i++) {
    const sembuf& op = c->ops[i];
    if (op.sem_num > c->highest) c->highest = op.sem_num;
    c->alters |= op.sem_op != 0;
    c->undoes |= op.sem_op && (op.sem_flg & SEM_UNDO);
  }
}

// Sleeps until somebody answers w, a signal comes or the time is over; null: never. Lock held on entry and on return.
int sleep_on(IpcIds* ids, SemArray* a, SemWait* w, ktime_t* deadline) REQUIRES(ids->lock) {
  list_add_tail(&w->list, &a->waiting);
  for (bool in_time = true;;) {
    __set_current_state(TASK_INTERRUPTIBLE);  // the lock orders it before the waker's look
    spin_unlock(&ids->lock);
    if (!signal_pending(current)) in_time = schedule_hrtimeout(deadline, HRTIMER_MODE_ABS) != 0;
    __set_current_state(TASK_RUNNING);
    spin_lock(&ids->lock);
    if (w->over) return w->error;
    if (!signal_pending(current) && in_time) continue;
    list_del_init(&w->list);
    return in_time ? -EINTR : -EAGAIN;
  }
}

Result<SemArray*> array_for(const Call& c) {
  SemArray* a = to_sems(TRY(ipc_find(&c.ns->sems, c.id)));
  if (c.highest >= a->n) return fail(EFBIG);
  TRY(ipc_permission(c.ns, &a->ipc, c.alters ? 0222 : 0444));
  return a;
}

int do_ops(const Call& c, ktime_t* deadline) {
  if (c.undoes) {
    auto made = sem_make_undo(c.ns, c.id);
    if (!made) return static_cast<int>(made.error().neg());
  }
  IpcIds* ids = &c.ns->sems;
  SpinGuard guard(ids->lock);
  auto found = array_for(c);
  if (!found) return static_cast<int>(found.error().neg());
  SemArray* a = *found;
  SemUndo* undo = c.undoes ? sem_find_undo(a) : nullptr;
  if (c.undoes && !undo) return -EIDRM;  // removed, and made again, while we looked
  SemWait w{{}, current, c.ops, c.n, undo, task_tgid(current), 0, false, 0};
  int r = sem_try(a, &w);
  if (!r && c.alters) sem_wake_waiters(a);
  if (r != 1) return r;
  ipc_hold(&a->ipc);
  r = sleep_on(ids, a, &w, deadline);
  guard.unlock();
  ipc_put(kSemKind, &a->ipc);
  return r;
}

long semtimedop(int id, const sembuf __user* user, unsigned n, const __kernel_timespec __user* user_timeout) {
  ipc_namespace* ns = current_ipc_ns();
  if (!n) return -EINVAL;
  if (n > static_cast<unsigned>(ns->sem_limits[2])) return -E2BIG;
  ktime_t deadline = 0;
  if (user_timeout) {
    __kernel_timespec ts;
    if (copy_from_user(&ts, user_timeout, sizeof(ts))) return -EFAULT;
    timespec64 t{ts.tv_sec, static_cast<long>(ts.tv_nsec)};
    if (!timespec64_valid(&t)) return -EINVAL;
    deadline = ktime_add_safe(ktime_get(), timespec64_to_ktime(t));
  }
  sembuf few[kFewOps];
  sembuf* ops = n <= kFewOps ? few : static_cast<sembuf*>(kvmalloc(n * sizeof(sembuf), GFP_KERNEL));
  if (!ops) return -ENOMEM;
  Call call{ns, id, ops, n};
  long r = copy_from_user(ops, user, n * sizeof(sembuf)) ? -EFAULT : 0;
  if (!r) {
    survey(&call);
    r = do_ops(call, user_timeout ? &deadline : nullptr);
  }
  if (ops != few) kvfree(ops);
  return r;
}

}  // namespace

SYSCALL_DEFINE3(semop, int, id, sembuf __user*, ops, unsigned, n) { return semtimedop(id, ops, n, nullptr); }
SYSCALL_DEFINE4(semtimedop, int, id, sembuf __user*, ops, unsigned, n, const __kernel_timespec __user*, timeout) {
  return semtimedop(id, ops, n, timeout);
}

void sem_init_ns(ipc_namespace* ns) {
  ns->sems = {};
  ns->used_sems = 0;
  spin_lock_init(&ns->sems.lock);
  constexpr int kLimits[] = {32000, 1024000000, 500, 32000};
  for (int i = 0; i < 4; i++) ns->sem_limits[i] = kLimits[i];
}

// N-7: nobody is in it any more.
void sem_exit_ns(ipc_namespace* ns) {
  for (int i = 0; i < ns->sems.size; i++) {
    IpcObject* o;
    {
      SpinGuard guard(ns->sems.lock);
      o = ns->sems.slots[i];
      if (o) sem_remove(ns, to_sems(o));
    }
    if (o) ipc_put(kSemKind, o);
  }
  kfree(ns->sems.slots);
  ns->sems.slots = nullptr;
  ns->sems.size = 0;
}
