// The scheduling system calls (sched(7)). Spec 30 sections 8.3, 8.4 and 9.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/entry/syscall.hh"

#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>

#include "kernel/cgroup/cpuset.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/dl.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/stats.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr u64 kFlagResetOnFork = 0x01, kFlagKeepPolicy = 0x08, kFlagKeepParams = 0x10, kFlagUtilClamp = 0x60,
              kFlagAll = 0x7f, kFlagSugov = 0x10000000;
constexpr size_t kAttrSizeVer0 = 48, kPageSize = 4096;

// A referenced task, or null.
class TaskRef {
 public:
  explicit TaskRef(pid_t pid) : task_(pid ? find_get_task_by_vpid(pid) : get_task_struct(current)) {}
  ~TaskRef() {
    if (task_) put_task_struct(task_);
  }
  TaskRef(const TaskRef&) = delete;
  explicit operator bool() const { return task_; }
  task_struct* get() const { return task_; }
  task_struct* operator->() const { return task_; }

 private:
  task_struct* task_;
};

long set_scheduler(pid_t pid, int policy, const sched_param* param) {
  if (!param || pid < 0) return -EINVAL;
  sched_param kparam;
  if (copy_from_user(&kparam, param, sizeof(kparam))) return -EFAULT;
  TaskRef p(pid);
  if (!p) return -ESRCH;
  SchedRequest q{.nice = task_nice(p.get()), .rt_priority = static_cast<unsigned>(kparam.sched_priority)};
  if (policy == -1) {
    q.policy = kKeepPolicy;
  } else {
    q.policy = policy & ~SCHED_RESET_ON_FORK;
    q.reset_on_fork = policy & SCHED_RESET_ON_FORK;
  }
  return to_abi(__sched_setscheduler(p.get(), q, SchedCaller::User));
}

// S-62: the user's tasks, a group's, or one.
template <class F>
void for_each_priority_target(int which, int who, F&& visit) {
  task_struct *g, *t;
  RcuReadGuard rcu;
  if (which == 0) {
    if (task_struct* p = who ? find_task_by_vpid(who) : current) visit(p);
    return;
  }
  ReadGuard relations(tasklist_lock);
  struct pid* group = which == 1 ? (who ? find_vpid(who) : task_pgrp(current)) : nullptr;
  kuid_t uid = which == 2 && who ? make_kuid(current_user_ns(), static_cast<unsigned>(who)) : current_cred()->uid;
  for_each_process_thread(g, t) {
    bool match = which == 1 ? task_pgrp(t) == group : uid_eq(READ_ONCE(t->real_cred)->uid, uid) && task_pid_vnr(t);
    if (match) visit(t);
  }
}

long set_one_priority(task_struct* p, int nice, long error) {
  const cred *mine = current_cred(), *theirs = READ_ONCE(p->real_cred);
  bool owner = uid_eq(theirs->uid, mine->euid) || uid_eq(theirs->euid, mine->euid);
  if (!owner && !ns_capable(theirs->user_ns, CAP_SYS_NICE)) return -EPERM;
  if (nice < task_nice(p) && !can_nice(p, nice)) return -EACCES;
  set_user_nice(p, nice);
  return error == -ESRCH ? 0 : error;
}

// Reads sched_attr as the size field says; E2BIG tells the caller our size (S-58 table).
long read_attr(const sched_attr* from, sched_attr* attr) {
  u32 size;
  if (get_user(size, &from->size)) return -EFAULT;
  if (!size) size = kAttrSizeVer0;
  long err = size < kAttrSizeVer0 || size > kPageSize ? -E2BIG : copy_struct_from_user(attr, sizeof(*attr), from, size);
  if (err == -E2BIG) (void)put_user(static_cast<u32>(sizeof(*attr)), &const_cast<sched_attr*>(from)->size);
  if (err) return err;
  if ((attr->sched_flags & kFlagUtilClamp) && size < sizeof(*attr)) return -EINVAL;
  attr->sched_nice = clamp(attr->sched_nice, MIN_NICE, MAX_NICE);
  return 0;
}

// SCHED_FLAG_KEEP_PARAMS: what p's policy has parameters of; the others stay as they were asked for.
void keep_params_of(const task_struct* p, SchedRequest* q) {
  if (p->policy == SCHED_DEADLINE) {
    const dl::Params own = dl::own_params(p->dl);
    q->runtime = own.runtime;
    q->deadline = own.deadline;
    q->period = own.period;
    q->dl_flags = p->dl.flags;
    q->rt_priority = 0;
  } else if (rt_policy(p->policy)) {
    q->rt_priority = p->rt_priority;
  } else {
    q->nice = task_nice(p);
  }
}

}  // namespace

void sched_yield_current() {
  unsigned long flags;
  local_irq_save(flags);
  rq* r = this_rq();
  raw_spin_lock(&r->lock);
  update_rq_clock(r);
  if (schedstat_enabled()) schedstat_inc(r->yld_count);
  r->curr->sched_class->yield_task(r);
  preempt_disable();
  raw_spin_unlock(&r->lock);
  preempt_enable_no_resched();
  local_irq_restore(flags);
  schedule();
}

namespace {

// Both queues locked, if they are two.
int yield_to_locked(rq* r, rq* other, task_struct* p, bool preempt) {
  const sched_class* mine = r->curr->sched_class;
  if (!mine->yield_to_task || mine != p->sched_class) return 0;
  if (task_on_cpu(p) || READ_ONCE(p->__state) != TASK_RUNNING) return 0;
  if (!mine->yield_to_task(r, p)) return 0;
  if (preempt && r != other) resched_curr(other);
  return 1;
}

}  // namespace

// S-65. Where p is may change until its queue is locked.
int yield_to(task_struct* p, bool preempt) {
  int yielded = -ESRCH;
  {
    IrqGuard off;
    rq* r = this_rq();
    for (bool settled = false; !settled;) {
      rq* other = task_rq(p);
      if (r->nr_running == 1 && READ_ONCE(other->nr_running) == 1) break;
      raw_spin_lock(&r->lock);
      if (other != r) double_lock_rq(r, other);
      settled = task_rq(p) == other && !task_on_rq_migrating(p);
      if (settled) {
        update_rq_clock(r);
        yielded = yield_to_locked(r, other, p, preempt);
      }
      if (other != r) raw_spin_unlock(&other->lock);
      raw_spin_unlock(&r->lock);
    }
  }
  if (yielded > 0) schedule();
  return yielded;
}

SYSCALL_DEFINE0(sched_yield) {
  sched_yield_current();
  return 0;
}

SYSCALL_DEFINE3(sched_setscheduler, pid_t, pid, int, policy, const sched_param*, param) {
  return policy < 0 ? -EINVAL : set_scheduler(pid, policy, param);
}

SYSCALL_DEFINE2(sched_setparam, pid_t, pid, const sched_param*, param) { return set_scheduler(pid, -1, param); }

SYSCALL_DEFINE3(sched_setattr, pid_t, pid, sched_attr*, uattr, unsigned, flags) {
  if (!uattr || pid < 0 || flags) return -EINVAL;
  sched_attr attr = {};
  if (long err = read_attr(uattr, &attr)) return err;
  if (static_cast<int>(attr.sched_policy) < 0) return -EINVAL;
  TaskRef p(pid);
  if (!p) return -ESRCH;
  if (attr.sched_flags & ~(kFlagAll | kFlagSugov)) return -EINVAL;
  SchedRequest q{.policy = attr.sched_flags & kFlagKeepPolicy ? kKeepPolicy : attr.sched_policy,
                 .nice = attr.sched_nice,
                 .rt_priority = attr.sched_priority,
                 .reset_on_fork = (attr.sched_flags & kFlagResetOnFork) != 0,
                 .runtime = attr.sched_runtime,
                 .deadline = attr.sched_deadline,
                 .period = attr.sched_period,
                 .dl_flags = static_cast<unsigned>(attr.sched_flags) & (SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN),
                 .util_clamp = (attr.sched_flags & kFlagUtilClamp) != 0,
                 .sugov = (attr.sched_flags & kFlagSugov) != 0};
  if (attr.sched_flags & kFlagKeepParams) {
    q.keep_params = true;
    keep_params_of(p.get(), &q);
  }
  return to_abi(__sched_setscheduler(p.get(), q, SchedCaller::User));
}

SYSCALL_DEFINE1(sched_getscheduler, pid_t, pid) {
  if (pid < 0) return -EINVAL;
  TaskRef p(pid);
  if (!p) return -ESRCH;
  return p->policy | (data_race(p->sched_reset_on_fork) ? SCHED_RESET_ON_FORK : 0);
}

SYSCALL_DEFINE2(sched_getparam, pid_t, pid, sched_param*, param) {
  if (!param || pid < 0) return -EINVAL;
  TaskRef p(pid);
  if (!p) return -ESRCH;
  sched_param out{rt_policy(p->policy) ? static_cast<int>(p->rt_priority) : 0};
  return copy_to_user(param, &out, sizeof(out)) ? -EFAULT : 0;
}

SYSCALL_DEFINE4(sched_getattr, pid_t, pid, sched_attr*, uattr, unsigned, usize, unsigned, flags) {
  if (!uattr || pid < 0 || usize < kAttrSizeVer0 || usize > kPageSize || flags) return -EINVAL;
  TaskRef p(pid);
  if (!p) return -ESRCH;
  sched_attr attr = {.size = min_t(u32, usize, sizeof(attr)), .sched_policy = p->policy};
  if (data_race(p->sched_reset_on_fork)) attr.sched_flags |= kFlagResetOnFork;
  if (p->policy == SCHED_DEADLINE) {
    attr.sched_flags |= p->dl.flags;
    const dl::Params own = dl::own_params(p->dl);
    attr.sched_runtime = own.runtime;
    attr.sched_deadline = own.deadline;
    attr.sched_period = own.period;
  } else if (rt_policy(p->policy))
    attr.sched_priority = p->rt_priority;
  else
    attr.sched_nice = task_nice(p.get());
  attr.sched_util_max = 1024;
  return copy_to_user(uattr, &attr, attr.size) ? -EFAULT : 0;
}

SYSCALL_DEFINE1(sched_get_priority_max, int, policy) {
  if (policy == SCHED_FIFO || policy == SCHED_RR) return MAX_RT_PRIO - 1;
  return fair_policy(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

SYSCALL_DEFINE1(sched_get_priority_min, int, policy) {
  if (policy == SCHED_FIFO || policy == SCHED_RR) return 1;
  return fair_policy(policy) || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

SYSCALL_DEFINE2(sched_rr_get_interval, pid_t, pid, __kernel_timespec*, interval) {
  if (pid < 0) return -EINVAL;
  TaskRef p(pid);
  if (!p) return -ESRCH;
  u64 ns;
  {
    TaskRqGuard g(p.get());
    ns = p->sched_class->get_rr_interval(g.r, p.get()) * (NSEC_PER_SEC / HZ);
  }
  __kernel_timespec out{static_cast<s64>(ns / NSEC_PER_SEC), static_cast<long long>(ns % NSEC_PER_SEC)};
  return copy_to_user(interval, &out, sizeof(out)) ? -EFAULT : 0;
}

// S-61.
SYSCALL_DEFINE3(setpriority, int, which, int, who, int, nice) {
  if (which < 0 || which > 2) return -EINVAL;
  nice = clamp(nice, MIN_NICE, MAX_NICE);
  long error = -ESRCH;
  for_each_priority_target(which, who, [&](task_struct* p) { error = set_one_priority(p, nice, error); });
  return error;
}

SYSCALL_DEFINE2(getpriority, int, which, int, who) {
  if (which < 0 || which > 2) return -EINVAL;
  long best = -ESRCH;
  for_each_priority_target(which, who, [&](task_struct* p) { best = max_t(long, best, 20 - task_nice(p)); });
  return best;
}

// S-66.
SYSCALL_DEFINE3(sched_setaffinity, pid_t, pid, unsigned, len, const unsigned long*, user_mask) {
  cpumask_t mask = {};
  if (copy_from_user(&mask, user_mask, min_t(size_t, len, sizeof(mask)))) return -EFAULT;
  TaskRef p(pid);
  if (!p) return -ESRCH;
  if (data_race(p->flags) & PF_NO_SETAFFINITY) return -EINVAL;
  const cred *mine = current_cred(), *theirs = READ_ONCE(p->real_cred);
  bool owner = uid_eq(mine->euid, theirs->euid) || uid_eq(mine->euid, theirs->uid);
  if (!owner && !ns_capable(theirs->user_ns, CAP_SYS_NICE)) return -EPERM;
  cpumask_t allowed, wanted;
  for (;;) {
    cpuset_cpus_allowed(p.get(), &allowed);
    cpumask_and(&allowed, &allowed, cpu_online_mask);  // one that comes later is not asked for
    cpumask_and(&wanted, &mask, &allowed);
    if (long err = to_abi(set_cpus_allowed_ptr(p.get(), &wanted))) return err;
    // Its cpuset may have changed before our mask was there to be changed with it.
    cpuset_cpus_allowed(p.get(), &allowed);
    if (cpumask_subset(&wanted, &allowed)) return 0;
    if (!cpumask_intersects(&wanted, &allowed)) cpumask_copy(&mask, &allowed);
  }
}

// S-67.
SYSCALL_DEFINE3(sched_getaffinity, pid_t, pid, unsigned, len, unsigned long*, user_mask) {
  if (len * 8ul < nr_cpu_ids || len % sizeof(unsigned long)) return -EINVAL;
  TaskRef p(pid);
  if (!p) return -ESRCH;
  cpumask_t mask;
  {
    TaskRqGuard g(p.get());
    cpumask_and(&mask, &p->cpus_mask, cpu_active_mask);
  }
  size_t n = min_t(size_t, len, sizeof(mask));
  return copy_to_user(user_mask, &mask, n) ? -EFAULT : static_cast<long>(n);
}
