// Autogroups: made by setsid, inherited by fork, dropped when a process is reaped. Spec 31 F-51; what that leaves open was asked
// of a real 6.1 (docs/spec-notes.md).
//
// A group is little more than a number and a nice value until a task is to run in it; the queues on each CPU are made then. So
// setsid costs next to nothing while the switch is off.
//
// No task may be left in a group that its process has left, since nothing else keeps the group. For the caller of setsid that is
// easy if it is alone in its process. If not, siblings may be forking, and the child be in no list yet, or exiting: the
// thread-group lock keeps them from either. Whoever moves a task decides under its rq lock where to.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sched/autogroup.hh"

#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <utility>

#include "fs/proc/proc.hh"
#include "kernel/cgroup/cgroup.hh"
#include "kernel/cred/cred.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/task_group.hh"
#include "kernel/sched/weights.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/fault.hh"

struct Autogroup {
  refcount_t refs;
  int nice;         // autogroup_lock
  long id;
  task_group* tg;   // null: not needed so far. Set once, under autogroup_lock
  rcu_head rcu;
};

namespace {

bool enabled() { return READ_ONCE(sched_state->autogroup_enabled); }

void warn_no_memory() { printk_ratelimited(KERN_WARNING "autogroup: no memory for a session's group\n"); }

Autogroup* make() {
  if (fault_here("autogroup")) return nullptr;
  auto* ag = static_cast<Autogroup*>(kzalloc(sizeof(Autogroup), GFP_KERNEL));
  if (!ag) return nullptr;
  refcount_set(&ag->refs, 1);
  ag->id = atomic_long_inc_return(&sched_state->autogroup_last_id);
  atomic_long_inc(&sched_state->nr_autogroups);
  return ag;
}

void free_rcu(rcu_head* head) { kfree(container_of(head, Autogroup, rcu)); }

// autogroup_lock held.
void weigh(const Autogroup* ag) {
  if (ag->tg) (void)sched_group_set_shares(ag->tg, kPrioToWeight[ag->nice - MIN_NICE]);
}

// False: no memory.
bool make_task_group(Autogroup* ag) {
  MutexGuard guard(sched_state->autogroup_lock);
  if (ag->tg) return true;
  if (fault_here("a task group")) return false;  // free objects in caches would hide it
  auto tg = sched_create_group(nullptr);
  if (!tg) return false;
  (*tg)->session = true;
  __atomic_store_n(&ag->tg, *tg, __ATOMIC_RELEASE);  // with the acquire of who looks without the lock: the queues are made
  if (ag->nice) weigh(ag);
  return true;
}

// All of current's threads into the group that its process is in now. See above.
void move_threads() {
  if (!autogroup_ever()) return;
  if (thread_group_empty(current)) return sched_move_session_task(current);
  RcuReadGuard rcu;
  task_struct* t;
  for_each_thread(current, t) sched_move_session_task(t);
}

void attach(Autogroup* ag) {
  Autogroup* old = xchg(&current->signal->autogroup, ag);
  move_threads();
  if (old) autogroup_put(old);
}

class GroupRef {
 public:
  explicit GroupRef(const signal_struct* s) : ag_(autogroup_get_slow(s)) {}
  ~GroupRef() {
    if (ag_) autogroup_put(ag_);
  }
  GroupRef(const GroupRef&) = delete;
  Autogroup* get() const { return ag_; }
  Autogroup* operator->() const { return ag_; }

 private:
  Autogroup* ag_;
};

}  // namespace

// As on Linux, setsid never fails for want of memory: the session then is in no group.
void sched_autogroup_create_attach() {
  Autogroup* ag = make();
  if (ag && enabled() && !make_task_group(ag)) autogroup_put(std::exchange(ag, nullptr));
  if (!ag) warn_no_memory();
  if (thread_group_empty(current)) return attach(ag);
  ThreadgroupsStill still;
  attach(ag);
}

Autogroup* autogroup_get_slow(const signal_struct* s) {
  RcuReadGuard rcu;
  for (;;) {
    Autogroup* ag = rcu_dereference(s->autogroup);
    if (!ag || refcount_inc_not_zero(&ag->refs)) return ag;
  }
}

void autogroup_put(Autogroup* ag) {
  if (!refcount_dec_and_test(&ag->refs)) return;
  if (ag->tg) sched_destroy_group(ag->tg);
  atomic_long_dec(&sched_state->nr_autogroups);
  call_rcu(&ag->rcu, free_rcu);
}

// ---- Which task_group a task is in ------------------------------------------------------------------------------------------

task_group* autogroup_task_group(const task_struct* p, task_group* tg) {
  if (tg || !enabled() || (data_race(p->flags) & PF_EXITING)) return tg;
  RcuReadGuard rcu;
  const Autogroup* ag = rcu_dereference(p->signal->autogroup);
  return ag ? __atomic_load_n(&ag->tg, __ATOMIC_ACQUIRE) : nullptr;
}

void autogroup_prepare(const task_struct* p) {
  if (!enabled()) return;
  const GroupRef ag(p->signal);
  if (ag.get() && !READ_ONCE(ag->tg) && !make_task_group(ag.get())) warn_no_memory();
}

// ---- Files --------------------------------------------------------------------------------------------------------------------

int sched_autogroup_enabled() { return enabled(); }
void set_sched_autogroup_enabled(bool on) {
  if (on) WRITE_ONCE(sched_state->autogroup_ever, true);
  smp_wmb();  // who sees it on and puts a task into a group has been told; pairs with the lock under which that is done
  WRITE_ONCE(sched_state->autogroup_enabled, on);
}

// Nothing of a process that never was in a session of its own making or its forebears'.
int show_pid_autogroup(seq_file* m, task_struct* p) {
  const GroupRef ag(p->signal);
  if (ag.get()) seq_printf(m, "/autogroup-%ld nice %d\n", ag->id, READ_ONCE(ag->nice));
  return 0;
}

static Result<void> may_set_nice(int nice) {
  if (nice < MIN_NICE || nice > MAX_NICE) return fail(EINVAL);
  if (nice < 0 && !can_nice(current, nice)) return fail(EPERM);
  // It takes every CPU's lock in turn, so not everybody may do it all the time.
  unsigned long& next = sched_state->autogroup_next_write;
  if (!capable(CAP_SYS_ADMIN) && time_before(jiffies, READ_ONCE(next))) return fail(EAGAIN);
  WRITE_ONCE(next, jiffies + HZ / 10);
  return {};
}

long write_pid_autogroup(file*, task_struct* p, char* text, size_t n, loff_t) {
  constexpr size_t kMostText = 12;  // more is cut off
  n = min(n, kMostText);
  text[n] = 0;
  int nice;
  if (kstrtoint(strim(text), 0, &nice)) return -EINVAL;
  TRY_ABI(may_set_nice(nice));
  const GroupRef ag(p->signal);
  if (!ag.get()) return -EINVAL;
  MutexGuard guard(sched_state->autogroup_lock);
  WRITE_ONCE(ag->nice, nice);
  weigh(ag.get());
  return static_cast<long>(n);
}

// Off unless it is switched on, as Debian has it.
void autogroup_boot() {
  mutex_init(&sched_state->autogroup_lock);
  sched_state->autogroup_next_write = jiffies;
}
