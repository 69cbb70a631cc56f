// ioprio_set(2), ioprio_get(2) and what fork and exit do about I/O priorities.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/task/io_context.hh"

#include <linux/minmax.h>
#include <linux/slab.h>

#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sync/guards.hh"

namespace {

enum Which : int { IOPRIO_WHO_PROCESS = 1, IOPRIO_WHO_PGRP, IOPRIO_WHO_USER };
constexpr unsigned kLevels = 8, kNormalLevel = 4;

io_context* alloc_io_context(unsigned short ioprio) {
  auto* c = static_cast<io_context*>(kmalloc(sizeof(io_context), GFP_KERNEL));
  if (!c) return nullptr;
  refcount_set(&c->active, 1);
  c->ioprio = ioprio;
  return c;
}

void put_io_context(io_context* c) {
  if (c && refcount_dec_and_test(&c->active)) kfree(c);
}

// As set; 0 if never.
unsigned short raw_ioprio(task_struct* t) {
  SpinGuard guard(t->alloc_lock);
  return t->io_context ? t->io_context->ioprio : 0;
}

// What counts: without one of its own, a task's follows from its policy and nice value.
unsigned short effective_ioprio(task_struct* t) {
  const unsigned short own = raw_ioprio(t);
  if (ioprio_class(own) != IOPRIO_CLASS_NONE) return own;
  if (t->policy == SCHED_IDLE) return ioprio_value(IOPRIO_CLASS_IDLE, (static_cast<unsigned>(task_nice(t)) + 20) / 5);
  const bool rt = t->policy == SCHED_FIFO || t->policy == SCHED_RR;
  return ioprio_value(rt ? IOPRIO_CLASS_RT : IOPRIO_CLASS_BE, (static_cast<unsigned>(task_nice(t)) + 20) / 5);
}

// The class decides who may; levels matter to class NONE alone, which has none. Order and answers are those of a real 6.1.
int check_ioprio(int ioprio) {
  if (ioprio < 0) return EINVAL;
  switch (ioprio_class(static_cast<unsigned>(ioprio))) {
    case IOPRIO_CLASS_RT: return capable(CAP_SYS_ADMIN) || capable(CAP_SYS_NICE) ? 0 : EPERM;
    case IOPRIO_CLASS_BE:
    case IOPRIO_CLASS_IDLE: return 0;
    case IOPRIO_CLASS_NONE: return static_cast<unsigned>(ioprio) % kLevels ? EINVAL : 0;
    default: return EINVAL;
  }
}

long set_task_ioprio(task_struct* t, unsigned short ioprio) {
  const cred *mine = current_cred(), *theirs = READ_ONCE(t->real_cred);
  const bool owner = uid_eq(theirs->uid, mine->euid) || uid_eq(theirs->uid, mine->uid);
  if (!owner && !capable(CAP_SYS_NICE)) return -EPERM;
  io_context* fresh = alloc_io_context(ioprio);  // before the lock: it may sleep
  if (!fresh) return -ENOMEM;
  long result = 0;
  {
    SpinGuard guard(t->alloc_lock);
    if (t->io_context)
      WRITE_ONCE(t->io_context->ioprio, ioprio);
    else if (data_race(t->flags) & PF_EXITING)
      result = -ESRCH;
    else
      t->io_context = std::exchange(fresh, nullptr);
  }
  put_io_context(fresh);
  return result;
}

// Those meant by (which, who), each referenced while visited; visit answers 0 to go on. ESRCH if there was none.
template <class F>
long for_each_target(int which, int who, F&& visit) {
  if (which == IOPRIO_WHO_PROCESS) {
    task_struct* p = who ? find_get_task_by_vpid(who) : get_task_struct(current);
    if (!p) return -ESRCH;
    const long r = visit(p);
    put_task_struct(p);
    return r;
  }
  // One after the other in the order of their numbers: visiting may sleep, so no list can be held.
  const kuid_t uid = who ? make_kuid(current_user_ns(), static_cast<unsigned>(who)) : current_cred()->uid;
  long result = -ESRCH;
  for (int nr = 1;; nr++) {
    task_struct* p = nullptr;
    {
      RcuReadGuard rcu;
      struct pid* pid = find_ge_pid(nr, task_active_pid_ns(current));
      if (!pid) return result;
      nr = pid_vnr(pid);
      task_struct* t = pid_task(pid, PIDTYPE_PID);
      if (!t) continue;
      const bool meant = which == IOPRIO_WHO_PGRP
                             ? thread_group_leader(t) && (who ? task_pgrp(t) == find_vpid(who) : task_pgrp(t) == task_pgrp(current))
                             : uid_eq(READ_ONCE(t->real_cred)->uid, uid);
      if (meant) p = get_task_struct(t);
    }
    if (!p) continue;
    const long r = visit(p);
    put_task_struct(p);
    if (r < 0) return r;
    result = r;
  }
}

}  // namespace

Result<void> copy_io(u64 clone_flags, task_struct* child) {
  io_context* mine = current->io_context;
  child->io_context = nullptr;
  if (!mine) return {};
  if (clone_flags & CLONE_IO) {
    refcount_inc(&mine->active);
    child->io_context = mine;
    return {};
  }
  const unsigned short ioprio = READ_ONCE(mine->ioprio);
  if (ioprio_class(ioprio) == IOPRIO_CLASS_NONE) return {};
  child->io_context = alloc_io_context(ioprio);
  return child->io_context ? Result<void>{} : fail(ENOMEM);
}

void exit_io_context(task_struct* t) {
  if (!t->io_context) return;
  io_context* c;
  {
    SpinGuard guard(t->alloc_lock);
    c = std::exchange(t->io_context, nullptr);
  }
  put_io_context(c);
}

SYSCALL_DEFINE3(ioprio_set, int, which, int, who, int, ioprio) {
  if (int e = check_ioprio(ioprio)) return -e;
  if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER) return -EINVAL;
  return for_each_target(which, who, [&](task_struct* p) { return set_task_ioprio(p, static_cast<unsigned short>(ioprio)); });
}

// The highest of several: a smaller number is a better one.
SYSCALL_DEFINE2(ioprio_get, int, which, int, who) {
  if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER) return -EINVAL;
  if (which == IOPRIO_WHO_PROCESS) return for_each_target(which, who, [](task_struct* p) -> long { return raw_ioprio(p); });
  long best = 0xffff;
  return for_each_target(which, who, [&](task_struct* p) { return best = min<long>(best, effective_ioprio(p)); });
}
