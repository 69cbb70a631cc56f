// Policy, priority and nice of a task, and what fork makes of them. Spec 30 sections 1, 7 and 8.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/params.hh"

#include <linux/kernel.h>
#include <linux/minmax.h>

#include "kernel/cred/cred.hh"
#include "kernel/sched/dl.hh"
#include "kernel/sched/fair_load.hh"
#include "kernel/sched/pi.hh"
#include "kernel/sched/stats.hh"
#include "kernel/sync/guards.hh"
#include "kernel/sync/rt_mutex.hh"
#include "kernel/trace/trace.hh"

// S-1.
int normal_prio(const task_struct* p) {
  if (p->policy == SCHED_DEADLINE) return MAX_DL_PRIO - 1;
  return rt_policy(p->policy) ? MAX_RT_PRIO - 1 - static_cast<int>(p->rt_priority) : p->static_prio;
}
const sched_class* class_of_prio(int prio) {
  if (dl_prio(prio)) return &dl_sched_class;
  if (rt_prio(prio)) return &rt_sched_class;
  return stand_in_for_fair ? stand_in_for_fair() : &fair_sched_class;
}

static load_weight weight_of(const task_struct* p) {
  return p->policy == SCHED_IDLE ? weight_of_idle() : weight_of_nice(task_nice(p));
}
// The dead are taken off the books without a lock, after their last switch (put_dead_task), by the class and the weight that they had. pi_lock
// held: who is not dead yet will be after us.
static bool is_gone(const task_struct* p) { return READ_ONCE(p->__state) == TASK_DEAD && !READ_ONCE(p->on_rq); }

// p is off its queue, but its load may still be part of the queue's.
void set_load_weight(task_struct* p) {
  if (is_gone(p)) return;
  const load_weight w = weight_of(p);
  if (p->se.avg.last_update_time && p->sched_class == &fair_sched_class)
    reweight_entity(p->se.cfs_rq, &p->se, w, task_rq(p)->clock);
  else
    p->se.load = w;
}

// ---- New tasks ----------------------------------------------------------------------------------------------------

static void reset_on_fork(task_struct* child) {
  if (rt_policy(child->policy) || child->policy == SCHED_DEADLINE) {
    child->policy = SCHED_NORMAL;
    child->static_prio = DEFAULT_PRIO;
    child->rt_priority = 0;
  } else if (task_nice(child) < 0) {
    child->static_prio = DEFAULT_PRIO;
  }
  child->prio = child->normal_prio = child->static_prio;
  set_load_weight(child);
  child->sched_reset_on_fork = 0;
}

// S-53. child is a copy of current, known to nobody.
Result<void> sched_fork(task_struct* child, u64) {
  child->__state = TASK_NEW;  // cannot be woken or run
  child->on_rq = 0;
  child->on_cpu = 0;
  u64 load = child->se.load.weight;
  u32 inverse = child->se.load.inv_weight;
  child->se = {};
  child->se.load = {load, inverse};
  INIT_LIST_HEAD(&child->se.group_node);
  init_dl_task(child);
  child->rt = {};
  INIT_LIST_HEAD(&child->rt.run_list);
  child->rt.time_slice = sched_state->rr_slice;
  child->migration_disabled = child->sched_must_leave = 0;
  child->affinity_waiters = nullptr;
  if (current->flags & PF_IDLE) [[unlikely]] {  // pid 1 and kthreadd: not tied to the CPU of the idle task that made them
    cpumask_copy(&child->cpus_mask, cpu_possible_mask);
    child->nr_cpus_allowed = num_possible_cpus();
  }
  child->run_delay = 0;
  child->sched_contributes_to_load = 0;
  child->wake_q_next = nullptr;
  rt_mutex_init_task(child);
  child->prio = READ_ONCE(current->normal_prio);  // a boost is not inherited
  if (child->sched_reset_on_fork) [[unlikely]]
    reset_on_fork(child);
  if (dl_prio(child->prio)) return fail(EAGAIN);  // D-2
  sched_stats_fork(child);
  child->sched_class = class_of_prio(child->prio);
  return {};
}

// S-54.
void sched_cgroup_fork(task_struct* child) {
  unsigned long flags;
  local_irq_save(flags);
  rq* r = this_rq();
  raw_spin_lock(&r->lock);
  update_rq_clock(r);
  __set_task_cpu(child, r->cpu);
  child->sched_class->task_fork(r, child);
  raw_spin_unlock(&r->lock);
  local_irq_restore(flags);
}

void sched_post_fork(task_struct*) {}

// ---- Changing -----------------------------------------------------------------------------------------------------

// What p would run at if `prio` were its own. pi_lock held.
static int effective_prio(const task_struct* p, int prio) {
  const task_struct* donor = p->pi_top_task;
  return donor ? min(prio, READ_ONCE(donor->prio)) : prio;
}

ParamChange::ParamChange(ParamLock& locked, int new_prio)
    : guard_(locked), old_prio_(locked.task->prio), old_class_(locked.task->sched_class) {
  take_off(effective_prio(locked.task, new_prio));
}

ParamChange::ParamChange(ParamLock& locked, Nice nice)
    : guard_(locked), old_prio_(locked.task->prio), old_class_(locked.task->sched_class) {
  take_off(rt_prio(old_prio_) ? old_prio_ : NICE_TO_PRIO(nice.value));  // S-2
}

// S-73, S-75.
ParamChange::ParamChange(ParamLock& locked, Donor donor)
    : guard_(locked), old_prio_(locked.task->prio), old_class_(locked.task->sched_class) {
  task_struct* p = locked.task;
  WRITE_ONCE(p->pi_top_task, donor.task);
  const int prio = effective_prio(p, p->normal_prio);
  if (prio == old_prio_ && !dl_prio(prio)) {
    new_prio_ = prio;
    queued_ = running_ = false;
    return;
  }
  take_off(prio);
  trace_sched_pi_setprio(p, prio);
}

void ParamChange::take_off(int new_prio) {
  task_struct* p = guard_.task;
  if (is_gone(p)) new_prio = old_prio_;
  new_prio_ = new_prio;
  rq* r = guard_.r;
  update_rq_clock(r);
  queued_ = task_on_rq_queued(p);
  running_ = task_current(r, p);
  int move = old_prio_ == new_prio ? 0 : DEQUEUE_MOVE;
  flags_ = DEQUEUE_SAVE | DEQUEUE_NOCLOCK | move;
  if (queued_) p->sched_class->dequeue_task(r, p, flags_);
  if (running_) p->sched_class->put_prev_task(r, p);
}

PushAfter::~PushAfter() {
  if (!from) [[likely]] return;
  IrqGuard off;
  push_rt_tasks(from);
}

ParamChange::~ParamChange() {
  task_struct* p = guard_.task;
  rq* r = guard_.r;
  WRITE_ONCE(p->prio, new_prio_);  // other CPUs look for the least urgent one
  if (const sched_class* now = class_of_prio(new_prio_); now != p->sched_class) p->sched_class = now;
  if (rt_prio(old_prio_) && !rt_prio(new_prio_)) p->rt.timeout = 0;  // S-75
  if (p->pi_top_task || p->dl.boosted) dl_inherit(p, p->pi_top_task);
  if (queued_) p->sched_class->enqueue_task(r, p, flags_ | (old_prio_ < new_prio_ ? ENQUEUE_HEAD : 0));  // S-57
  if (running_) p->sched_class->set_next_task(r, p);
  if (old_class_ != p->sched_class) {
    old_class_->switched_from(r, p);
    p->sched_class->switched_to(r, p);
  } else if (old_prio_ != new_prio_ || dl_prio(new_prio_)) {  // all of deadline's have one priority: its parameters say who goes first
    p->sched_class->prio_changed(r, p, old_prio_);
  }
  if (r->rt.nr_running > 1) guard_.from = r;
}

// S-2, S-63.
void set_user_nice(task_struct* p, long nice) {
  if (task_nice(p) == nice || nice < MIN_NICE || nice > MAX_NICE) return;
  ParamLock locked(p);
  ParamChange change(locked, ParamChange::Nice{static_cast<int>(nice)});
  WRITE_ONCE(p->static_prio, NICE_TO_PRIO(static_cast<int>(nice)));  // task_nice() looks without the lock
  if (!fair_policy(p->policy)) return;  // known for certain under the lock only
  WRITE_ONCE(p->normal_prio, normal_prio(p));  // fork looks at its parent's without the lock
  set_load_weight(p);
}

bool can_nice(const task_struct* p, int nice) {
  unsigned long wanted = 20 - nice;
  return wanted <= rlimit_of(p, RLIMIT_NICE) || capable(CAP_SYS_NICE);
}

static bool same_owner(const task_struct* p) {
  const cred *mine = current_cred(), *theirs = READ_ONCE(p->real_cred);
  return uid_eq(mine->euid, theirs->euid) || uid_eq(mine->euid, theirs->uid);
}

// SCHED_IDLE leaves the nice value as it is, whatever is asked for.
static bool sets_nice(unsigned policy) { return policy == SCHED_NORMAL || policy == SCHED_BATCH; }

// Spec 30 section 8.2: what a caller without CAP_SYS_NICE may not do.
static bool needs_privilege(const task_struct* p, const SchedRequest& q) {
  if (sets_nice(q.policy) && q.nice < task_nice(p) && 20 - q.nice > static_cast<long>(rlimit_of(p, RLIMIT_NICE)))
    return true;
  if (rt_policy(q.policy)) {
    unsigned long limit = rlimit_of(p, RLIMIT_RTPRIO);
    if (q.policy != p->policy && !limit) return true;
    if (q.rt_priority > p->rt_priority && q.rt_priority > limit) return true;
  }
  if (q.policy == SCHED_DEADLINE) return true;
  if (p->policy == SCHED_IDLE && q.policy != SCHED_IDLE &&
      20 - task_nice(p) > static_cast<long>(rlimit_of(p, RLIMIT_NICE)))
    return true;
  if (!same_owner(p)) return true;
  return data_race(p->sched_reset_on_fork) && !q.reset_on_fork;  // its neighbours change under the rq lock
}

static bool changes_nothing(const task_struct* p, const SchedRequest& q) {
  if (q.policy != p->policy) return false;
  if (sets_nice(q.policy)) return q.nice == task_nice(p);
  if (q.policy == SCHED_DEADLINE)
    return dl::own_params(p->dl) == dl::Params{q.runtime, q.deadline, q.period ? q.period : q.deadline} && q.dl_flags == p->dl.flags;
  return q.rt_priority == p->rt_priority;
}

void rt_mutex_setprio(task_struct* p, task_struct* donor) {
  if (WARN_ON_ONCE(data_race(p->flags) & PF_IDLE)) return;  // S-78
  if (!donor && !p->pi_top_task) return;         // changed under the lock that the callers hold
  ParamLock locked(p);
  ParamChange change(locked, ParamChange::Donor{donor});
}

// Rows 1 to 4 of spec 30 section 8.1.
static Result<void> check_values(const SchedRequest& q) {
  const bool deadline = q.policy == SCHED_DEADLINE;
  if (!fair_policy(q.policy) && !rt_policy(q.policy) && !deadline) return fail(EINVAL);
  if (q.rt_priority > MAX_RT_PRIO - 1) return fail(EINVAL);
  if (deadline && !dl::valid(q.runtime, q.deadline, q.period)) return fail(EINVAL);
  if (rt_policy(q.policy) != (q.rt_priority != 0)) return fail(EINVAL);
  return {};
}

static int prio_of(const task_struct* p, const SchedRequest& q) {
  if (q.policy == SCHED_DEADLINE) return MAX_DL_PRIO - 1;
  return rt_policy(q.policy) ? MAX_RT_PRIO - 1 - static_cast<int>(q.rt_priority) : sets_nice(q.policy) ? NICE_TO_PRIO(q.nice) : p->static_prio;
}

static void store_params(ParamLock& locked, const SchedRequest& q) {
  task_struct* p = locked.task;
  ParamChange change(locked, prio_of(p, q));
  if (q.policy == SCHED_DEADLINE) dl_set_params(p, q.runtime, q.deadline, q.period, q.dl_flags);
  p->sched_reset_on_fork = q.reset_on_fork;
  WRITE_ONCE(p->policy, q.policy);
  if (sets_nice(q.policy)) WRITE_ONCE(p->static_prio, NICE_TO_PRIO(q.nice));
  WRITE_ONCE(p->rt_priority, q.rt_priority);
  WRITE_ONCE(p->normal_prio, normal_prio(p));  // fork looks at its parent's without the lock
  set_load_weight(p);
}

// Rows 8 to 13, and the change: one step with p's queue locked, so that what was admitted for p is what p has. False: p's policy,
// which was to be kept, is another one by now.
static Result<bool> change_locked(task_struct* p, const SchedRequest& q, bool keep_policy) {
  ParamLock locked(p);
  const bool deadline = q.policy == SCHED_DEADLINE;
  if (p->sched_class == &stop_sched_class) return fail(EINVAL);
  if (is_gone(p)) return true;  // nothing of it is scheduled, or admitted, any more
  if (q.keep_params || changes_nothing(p, q)) {
    p->sched_reset_on_fork = q.reset_on_fork;
    return true;
  }
  if (deadline && !dl_covers_root_domain(p)) return fail(EPERM);  // D-2
  if (keep_policy && p->policy != q.policy) return false;
  TRY(dl_admit(p, deadline ? dl::to_ratio(q.period ? q.period : q.deadline, q.runtime) : 0));
  store_params(locked, q);
  return true;
}

static Result<void> change_policy(task_struct* p, SchedRequest q, SchedCaller caller) {
  const bool keep_policy = q.policy == kKeepPolicy;
  for (bool done = false; !done;) {
    if (keep_policy) {
      q.policy = READ_ONCE(p->policy);
      q.reset_on_fork = data_race(p->sched_reset_on_fork);  // its neighbours change under the rq lock
    }
    TRY(check_values(q));
    if (caller == SchedCaller::User && needs_privilege(p, q) && !capable(CAP_SYS_NICE)) return fail(EPERM);
    if (q.sugov && caller == SchedCaller::User) return fail(EINVAL);  // row 6
    if (q.util_clamp) return fail(EOPNOTSUPP);                        // row 7
    done = TRY(change_locked(p, q, keep_policy));
  }
  return {};
}

Result<void> __sched_setscheduler(task_struct* p, SchedRequest q, SchedCaller caller) {
  TRY(change_policy(p, q, caller));
  rt_mutex_adjust_pi(p);
  return {};
}
