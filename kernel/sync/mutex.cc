// Mutexes under contention (spec 33 section 8.2). The owner word changes by compare-and-exchange; its flag bits and the
// FIFO of waiters change under wait_lock only. An unlock wakes the first waiter without giving it the lock, so another
// may take it first; a waiter to which that happened asks for hand-off, and the next unlock stores it as owner with
// PICKUP set, for nobody else to take.
// SPDX-License-Identifier: Apache-2.0
#include <linux/mutex.h>
#include <linux/sched.h>

#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

struct MutexWaiter {
  list_head list;
  task_struct* task;
};
enum class OnFailure : unsigned char { Nothing, AskForHandoff };

// Takes the mutex if nobody owns it or if it was handed to us.
bool try_take(mutex* m, OnFailure on_failure) {
  const s64 me = mutex_self();
  s64 o = atomic_long_read(&m->owner);
  for (;;) {
    const s64 owner = o & ~kMutexFlags;
    s64 wanted;
    if (!owner || (owner == me && (o & kMutexPickup)))
      wanted = me | (o & kMutexWaiters);
    else if (on_failure == OnFailure::AskForHandoff && !(o & (kMutexHandoff | kMutexPickup)))
      wanted = o | kMutexHandoff;
    else
      return false;
    // Acquire pairs with the release in the unlock paths.
    if (__atomic_compare_exchange_n(&m->owner.counter, &o, wanted, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return (wanted & ~kMutexFlags) == me && !(wanted & kMutexHandoff);
  }
}

void leave_queue(mutex* m, MutexWaiter* w) {
  list_del(&w->list);
  if (list_empty(&m->wait_list))
    __atomic_fetch_and(&m->owner.counter, ~(kMutexWaiters | kMutexHandoff), __ATOMIC_RELAXED);
}

// 0, or -EINTR for a signal that `state` accepts.
int lock_slow(mutex* m, unsigned state) {
  SpinGuard g(m->wait_lock);
  if (try_take(m, OnFailure::Nothing)) return 0;
  MutexWaiter w{{}, current};
  list_add_tail(&w.list, &m->wait_list);
  __atomic_fetch_or(&m->owner.counter, kMutexWaiters, __ATOMIC_SEQ_CST);
  OnFailure on_failure = OnFailure::Nothing;
  int result = 0;
  set_current_state(state);
  while (!try_take(m, on_failure)) {
    if (signal_pending_state(state, current)) {
      result = -EINTR;
      break;
    }
    _raw_spin_unlock(&m->wait_lock);
    schedule();
    _raw_spin_lock(&m->wait_lock);
    set_current_state(state);
    // We were woken as the first in the queue and somebody else was faster: bounded by hand-off (W-43).
    if (list_is_first(&w.list, &m->wait_list)) on_failure = OnFailure::AskForHandoff;
  }
  __set_current_state(TASK_RUNNING);
  leave_queue(m, &w);
  return result;
}

int lock_state(mutex* m, unsigned state) {
  might_sleep();
  arch::yield_point(arch::PreemptPoint::Lock);
  lockorder_acquire(m, m->key, LockUse::Sleeping);
  s64 nobody = 0;
  if (__atomic_compare_exchange_n(&m->owner.counter, &nobody, mutex_self(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    return 0;
  int r = lock_slow(m, state);
  if (r) lockorder_release(m, m->key);
  return r;
}

}  // namespace

extern "C" {

void __mutex_init(mutex* m, const char*, lock_class_key* key) {
  atomic_long_set(&m->owner, 0);
  raw_spin_lock_init(&m->wait_lock);
  INIT_LIST_HEAD(&m->wait_list);
  m->key = key;
}

void __mutex_lock_slowpath(mutex* m) { lock_slow(m, TASK_UNINTERRUPTIBLE); }
int mutex_lock_interruptible(mutex* m) { return lock_state(m, TASK_INTERRUPTIBLE); }
int mutex_lock_killable(mutex* m) { return lock_state(m, TASK_KILLABLE); }
void mutex_lock_io(mutex* m) NO_THREAD_SAFETY_ANALYSIS {
  const unsigned was = current->in_iowait;
  current->in_iowait = 1;
  mutex_lock(m);
  current->in_iowait = was;
}

void __mutex_unlock_slowpath(mutex* m) {
  s64 o = atomic_long_read(&m->owner);
  if constexpr (arch::kCheckLocks)
    if ((o & ~kMutexFlags) != mutex_self()) lockorder_not_held(m, m->key);  // W-45
  while (!(o & kMutexHandoff)) {
    if (!__atomic_compare_exchange_n(&m->owner.counter, &o, o & kMutexWaiters, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
      continue;
    if (!(o & kMutexWaiters)) return;
    break;
  }
  SpinGuard g(m->wait_lock);
  MutexWaiter* first = list_empty(&m->wait_list) ? nullptr : list_first_entry(&m->wait_list, MutexWaiter, list);
  if (o & kMutexHandoff) {
    // Nobody else changes the word: it has an owner, and the flags are under wait_lock.
    s64 next = first ? reinterpret_cast<s64>(first->task) | kMutexWaiters | kMutexPickup : 0;
    __atomic_store_n(&m->owner.counter, next, __ATOMIC_RELEASE);
  }
  if (first) wake_up_process(first->task);  // its frame stays: it leaves the queue under wait_lock
}

int mutex_trylock(mutex* m) {
  if (!try_take(m, OnFailure::Nothing)) return 0;
  lockorder_acquire(m, m->key, LockUse::Sleeping, LockHow::Try);
  return 1;
}
void mutex_destroy(mutex*) {}

int atomic_dec_and_mutex_lock(atomic_t* cnt, mutex* m) NO_THREAD_SAFETY_ANALYSIS {
  if (atomic_add_unless(cnt, -1, 1)) return 0;
  mutex_lock(m);
  if (atomic_dec_and_test(cnt)) return 1;
  mutex_unlock(m);
  return 0;
}

}  // extern "C"
