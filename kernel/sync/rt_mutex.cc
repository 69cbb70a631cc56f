// rt_mutexes and the graph of who waits for whom (spec 30 section 11, 33 W-48).
//
// The graph (the waiters of every lock, each task's donors, what a task waits for) is one structure under one lock, taken
// only where there is contention. So a walk from owner to owner sees one moment: a cycle is found if and only if there is
// one, no look-up has to be repeated, and no task or lock on the way can vanish. The graph never holds a cycle, since who
// would close one is not let in.
//
//   task --pi_blocked_on--> waiter --lock--> rt_mutex --owner--> task ...
//
// The uncontended lock and unlock are one compare-and-exchange of the owner word. Bit 0 of the word is set under the graph's
// lock before anybody queues, and sends the owner's unlock there too.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sync/rt_mutex.hh"

#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/rbtree.h>
#include <linux/sched/wake_q.h>

#include "kernel/sched/pi.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/sync/lockorder.hh"

namespace {

// Outside: futex buckets. Inside: pi_lock, run queues. Taken with interrupts off.
lock_class_key graph_key = {"pi graph"};
constinit raw_spinlock_t graph_lock = {{0}, &graph_key};

constexpr long kHasWaiters = 1;
constexpr int kMaxDepth = 1024;

// ---- The trees ----------------------------------------------------------------------------------------------------

task_struct* owner_of(const rt_mutex* l) {
  return reinterpret_cast<task_struct*>(atomic_long_read(&l->owner) & ~kHasWaiters);
}
bool has_waiters(const rt_mutex* l) { return l->waiters.rb_leftmost; }
rt_mutex_waiter* waiter_in(rb_node* n) { return n ? container_of(n, rt_mutex_waiter, tree_entry) : nullptr; }
rt_mutex_waiter* donor_in(rb_node* n) { return n ? container_of(n, rt_mutex_waiter, pi_tree_entry) : nullptr; }
rt_mutex_waiter* first_waiter(const rt_mutex* l) { return waiter_in(l->waiters.rb_leftmost); }
rt_mutex_waiter* first_donor(const task_struct* t) { return donor_in(t->pi_waiters.rb_leftmost); }

int waiting_prio(const task_struct* t) {
  int prio = READ_ONCE(t->prio);
  return prio < MAX_RT_PRIO ? prio : DEFAULT_PRIO;
}
u64 waiting_deadline(const task_struct* t) { return READ_ONCE(t->prio) < MAX_DL_PRIO ? READ_ONCE(t->dl.deadline) : 0; }

// S-74. Equal ones keep the order in which they came.
bool before(const rt_mutex_waiter* a, const rt_mutex_waiter* b) {
  if (a->prio != b->prio) return a->prio < b->prio;
  return a->prio < MAX_DL_PRIO && static_cast<s64>(a->deadline - b->deadline) < 0;
}
bool before_in_lock(rb_node* a, const rb_node* b) { return before(waiter_in(a), waiter_in(const_cast<rb_node*>(b))); }
bool before_in_task(rb_node* a, const rb_node* b) { return before(donor_in(a), donor_in(const_cast<rb_node*>(b))); }

void join_lock(rt_mutex_waiter* w) {
  w->prio = waiting_prio(w->task);
  w->deadline = waiting_deadline(w->task);
  rb_add_cached(&w->tree_entry, &w->lock->waiters, before_in_lock);
}
void leave_lock(rt_mutex_waiter* w) { rb_erase_cached(&w->tree_entry, &w->lock->waiters); }
void donate(rt_mutex_waiter* w, task_struct* owner) { rb_add_cached(&w->pi_tree_entry, &owner->pi_waiters, before_in_task); }
void withdraw(rt_mutex_waiter* w, task_struct* owner) { rb_erase_cached(&w->pi_tree_entry, &owner->pi_waiters); }

// ---- The walk -----------------------------------------------------------------------------------------------------

void set_prio_by_donors(task_struct* t) {
  rt_mutex_waiter* donor = first_donor(t);
  rt_mutex_setprio(t, donor ? donor->task : nullptr);
}

// Puts t's waiter where its priority now says. The owner whose donors that changed, or null.
task_struct* reposition(task_struct* t) {
  rt_mutex_waiter* w = t->pi_blocked_on;
  if (!w || (w->prio == waiting_prio(t) && w->deadline == waiting_deadline(t))) return nullptr;
  rt_mutex* lock = w->lock;
  task_struct* owner = owner_of(lock);
  rt_mutex_waiter* was = first_waiter(lock);
  leave_lock(w);
  join_lock(w);
  rt_mutex_waiter* now = first_waiter(lock);
  if (!owner) {  // it was released to `was`, who has not run since
    if (now != was) wake_up_process(now->task);
    return nullptr;
  }
  if (was == now && w != now) return nullptr;
  withdraw(was, owner);
  donate(now, owner);
  return owner;
}

// t's donors have changed: its priority follows, and so on along what it waits for (S-73).
void propagate(task_struct* t) {
  while (t) {
    set_prio_by_donors(t);
    t = reposition(t);
  }
}

// Would `task` wait for itself if it waited for lock? The chain ends, since the graph has no cycle.
bool closes_cycle(const rt_mutex* lock, const task_struct* task) {
  int depth = 0;
  for (const task_struct* t = owner_of(lock); t; t = owner_of(t->pi_blocked_on->lock)) {
    if (t == task) return true;
    if (++depth > kMaxDepth) {
      pr_warn_once("Maximum lock depth %d reached task: %s (%d)\n", kMaxDepth, task->comm, task->pid);
      return true;
    }
    if (!t->pi_blocked_on) return false;
  }
  return false;
}

// ---- Waiting and not waiting any more ---------------------------------------------------------------------------------

// The lock has an owner, or waiters to which it was released.
int start_waiting(rt_mutex* lock, rt_mutex_waiter* w, task_struct* task) {
  if (closes_cycle(lock, task)) return -EDEADLK;
  w->task = task;
  w->lock = lock;
  rt_mutex_waiter* was = first_waiter(lock);
  join_lock(w);
  WRITE_ONCE(task->pi_blocked_on, w);  // rt_mutex_adjust_pi() looks without the lock
  task_struct* owner = owner_of(lock);
  if (!owner || first_waiter(lock) != w) return 0;
  if (was) withdraw(was, owner);
  donate(w, owner);
  propagate(owner);
  return 0;
}

void fixup_waiters_bit(rt_mutex* lock) {
  if (!has_waiters(lock)) __atomic_fetch_and(&lock->owner.counter, ~kHasWaiters, __ATOMIC_RELAXED);
}

void stop_waiting(rt_mutex* lock, rt_mutex_waiter* w) {
  task_struct* owner = owner_of(lock);
  const bool was_first = first_waiter(lock) == w;
  leave_lock(w);
  WRITE_ONCE(w->task->pi_blocked_on, static_cast<rt_mutex_waiter*>(nullptr));
  rt_mutex_waiter* next = first_waiter(lock);
  if (was_first && owner) {
    withdraw(w, owner);
    if (next) donate(next, owner);
    propagate(owner);
  } else if (was_first && next) {
    wake_up_process(next->task);
  }
  fixup_waiters_bit(lock);
}

// The lock, whose waiters do not include task, becomes task's.
void become_owner(rt_mutex* lock, task_struct* task) {
  rt_mutex_waiter* first = first_waiter(lock);
  // Acquire pairs with the release in the unlock paths.
  __atomic_exchange_n(&lock->owner.counter, reinterpret_cast<long>(task) | (first ? kHasWaiters : 0), __ATOMIC_ACQUIRE);
  if (!first) return;
  donate(first, task);
  set_prio_by_donors(task);
}

// w: current's waiter if it is queued. Another may have been chosen; who is more urgent takes the lock all the same (W-48).
bool try_to_take(rt_mutex* lock, rt_mutex_waiter* w) {
  // From here on an unlock comes to the graph's lock.
  if (__atomic_fetch_or(&lock->owner.counter, kHasWaiters, __ATOMIC_ACQUIRE) & ~kHasWaiters) return false;
  rt_mutex_waiter* first = first_waiter(lock);
  if (w) {
    if (w != first && !before(w, first)) return false;
    leave_lock(w);
    WRITE_ONCE(current->pi_blocked_on, static_cast<rt_mutex_waiter*>(nullptr));
  } else if (first && waiting_prio(current) >= first->prio) {
    return false;
  }
  become_owner(lock, current);
  return true;
}

struct GraphGuard {
  GraphGuard() { raw_spin_lock_irqsave(&graph_lock, flags); }
  ~GraphGuard() { raw_spin_unlock_irqrestore(&graph_lock, flags); }
  GraphGuard(const GraphGuard&) = delete;
  void sleep() {
    raw_spin_unlock_irqrestore(&graph_lock, flags);
    schedule();
    raw_spin_lock_irqsave(&graph_lock, flags);
  }
  unsigned long flags;
};

int wait_until_taken(rt_mutex* lock, rt_mutex_waiter* w, unsigned state, GraphGuard& graph) {
  for (;;) {
    set_current_state(state);
    if (try_to_take(lock, w)) return 0;
    if (signal_pending_state(state, current)) return -EINTR;
    graph.sleep();
  }
}

int lock_slow(rt_mutex* lock, unsigned state) {
  rt_mutex_waiter w;
  GraphGuard graph;
  if (try_to_take(lock, nullptr)) return 0;
  int err = start_waiting(lock, &w, current);
  if (err) {
    fixup_waiters_bit(lock);
    return err;
  }
  err = wait_until_taken(lock, &w, state, graph);
  __set_current_state(TASK_RUNNING);
  if (err) stop_waiting(lock, &w);
  return err;
}

bool take_free(rt_mutex* lock) {
  s64 nobody = 0;
  return __atomic_compare_exchange_n(&lock->owner.counter, &nobody,
                                     reinterpret_cast<long>(static_cast<task_struct*>(current)), false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED);
}

// A trylock for the checker: a wait that would never end is an error here, not a wrong order.
void tell_checker(rt_mutex* lock) { lockorder_acquire(lock, lock->key, LockUse::Sleeping, LockHow::Try); }

int lock_state(rt_mutex* lock, unsigned state) {
  might_sleep();
  arch::yield_point(arch::PreemptPoint::Lock);
  int err = take_free(lock) ? 0 : lock_slow(lock, state);
  if (!err) tell_checker(lock);
  return err;
}

[[noreturn]] __cold void sleep_for_ever() {
  pr_err("rtmutex deadlock detected: %s/%d waits for itself\n", current->comm, current->pid);
  dump_stack();
  for (;;) {
    set_current_state(TASK_UNINTERRUPTIBLE);
    schedule();
  }
}

// S-77: current is at its own priority again before the next owner is woken, and is not preempted between.
void unlock_slow(rt_mutex* lock) {
  DEFINE_WAKE_Q(woken);
  preempt_disable();
  {
    GraphGuard graph;
    rt_mutex_waiter* first = first_waiter(lock);
    if (first) {
      withdraw(first, current);
      propagate(current);
      wake_q_add(&woken, first->task);
    }
    __atomic_store_n(&lock->owner.counter, first ? kHasWaiters : 0, __ATOMIC_RELEASE);
  }
  wake_up_q(&woken);
  preempt_enable();
}

}  // namespace

extern "C" {

void __rt_mutex_init(rt_mutex* lock, const char*, lock_class_key* key) {
  *lock = {};
  lock->key = key;
}
void rt_mutex_destroy(rt_mutex* lock) { WARN_ON(rt_mutex_is_locked(lock)); }

void rt_mutex_lock(rt_mutex* lock) {
  if (lock_state(lock, TASK_UNINTERRUPTIBLE)) sleep_for_ever();
}
int rt_mutex_lock_interruptible(rt_mutex* lock) { return lock_state(lock, TASK_INTERRUPTIBLE); }
int rt_mutex_lock_killable(rt_mutex* lock) { return lock_state(lock, TASK_KILLABLE); }

int rt_mutex_trylock(rt_mutex* lock) {
  bool taken = take_free(lock);
  if (!taken && !owner_of(lock)) {
    GraphGuard graph;
    taken = try_to_take(lock, nullptr);
    if (!taken) fixup_waiters_bit(lock);
  }
  if (taken) tell_checker(lock);
  return taken;
}

void rt_mutex_unlock(rt_mutex* lock) {
  lockorder_release(lock, lock->key);
  s64 me = reinterpret_cast<long>(static_cast<task_struct*>(current));
  if (!__atomic_compare_exchange_n(&lock->owner.counter, &me, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    unlock_slow(lock);
  arch::yield_point(arch::PreemptPoint::Unlock);
}

}  // extern "C"

void rt_mutex_init_task(task_struct* child) {
  child->pi_waiters = {};
  child->pi_top_task = nullptr;
  child->pi_blocked_on = nullptr;
}

void rt_mutex_adjust_pi(task_struct* p) {
  if (!READ_ONCE(p->pi_blocked_on)) return;
  GraphGuard graph;
  propagate(reposition(p));
}

void rt_mutex_init_proxy_locked(rt_mutex* lock, task_struct* owner) {
  *lock = {};
  atomic_long_set(&lock->owner, reinterpret_cast<long>(owner));
}

int rt_mutex_start_proxy_lock(rt_mutex* lock, rt_mutex_waiter* w, task_struct* task) {
  GraphGuard graph;
  return start_waiting(lock, w, task);
}

void rt_mutex_cleanup_proxy_lock(rt_mutex* lock, rt_mutex_waiter* w) {
  GraphGuard graph;
  stop_waiting(lock, w);
}

rt_mutex_waiter* rt_mutex_top_waiter(const rt_mutex* lock) {
  GraphGuard graph;
  return first_waiter(lock);
}

void rt_mutex_hand_over(rt_mutex* lock, rt_mutex_waiter* w) {
  GraphGuard graph;
  task_struct* from = owner_of(lock);
  withdraw(first_waiter(lock), from);
  leave_lock(w);
  WRITE_ONCE(w->task->pi_blocked_on, static_cast<rt_mutex_waiter*>(nullptr));
  propagate(from);
  become_owner(lock, w->task);
}
