// Reader-writer semaphores under contention (spec 33 section 8.3). wait_lock guards the FIFO and the waiters bit. Who is
// woken owns the lock already: the waker adds its share to the count first, so nobody starves and no hand-off flag is
// needed. A reader that comes by while somebody waits queues up, so writers are not starved either.
// SPDX-License-Identifier: Apache-2.0
#include <linux/rwsem.h>
#include <linux/sched.h>

#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

enum class Side : unsigned char { Reader, Writer };
struct RwsemWaiter {
  list_head list;
  task_struct* task;
  Side side;
  bool granted;  // release/acquire: set by the waker after the count is right; the frame may be gone after that
};
inline constexpr int kReadersPerWake = 256;

s64 count_add(rw_semaphore* s, s64 n) { return __atomic_add_fetch(&s->count.counter, n, __ATOMIC_SEQ_CST); }
bool only_waiters(s64 count) { return (count & ~kRwsemWaiters) == 0; }

void grant(RwsemWaiter* w) {
  task_struct* t = get_task_struct(w->task);
  __atomic_store_n(&w->granted, true, __ATOMIC_RELEASE);
  wake_up_process(t);
  put_task_struct(t);
}

void grant_writer(rw_semaphore* s, RwsemWaiter* w) {
  const s64 more = list_is_singular(&s->wait_list) ? 0 : kRwsemWaiters;
  s64 c = atomic_long_read(&s->count);
  do {
    if (!only_waiters(c)) return;  // held, or a reader is about to take its count back and will look again
  } while (!__atomic_compare_exchange_n(&s->count.counter, &c, kRwsemWriter | more, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED));
  list_del(&w->list);
  grant(w);
}

// All readers that wait, past the writers between them, up to a limit (W-46). No writer can slip in: the waiters bit
// keeps the word from being 0.
void grant_readers(rw_semaphore* s) {
  if (atomic_long_read(&s->count) & kRwsemWriter) return;
  LIST_HEAD(chosen);
  int n = 0;
  RwsemWaiter *w, *next;
  list_for_each_entry_safe(w, next, &s->wait_list, list) {
    if (w->side == Side::Writer) continue;
    list_move_tail(&w->list, &chosen);
    if (++n == kReadersPerWake) break;
  }
  count_add(s, n * kRwsemReader - (list_empty(&s->wait_list) ? kRwsemWaiters : 0));
  list_for_each_entry_safe(w, next, &chosen, list) grant(w);
}

void wake_first(rw_semaphore* s) {  // wait_lock held
  if (list_empty(&s->wait_list)) return;
  RwsemWaiter* w = list_first_entry(&s->wait_list, RwsemWaiter, list);
  if (w->side == Side::Writer)
    grant_writer(s, w);
  else
    grant_readers(s);
}

// w leaves because of a signal; those behind it may be able to go now. False: it has been granted the lock meanwhile.
bool give_up(rw_semaphore* s, RwsemWaiter* w) {
  IrqSpinGuard g(s->wait_lock);
  if (w->granted) return false;
  list_del(&w->list);
  if (list_empty(&s->wait_list))
    count_add(s, -kRwsemWaiters);
  else
    wake_first(s);
  return true;
}

int wait_for_grant(rw_semaphore* s, RwsemWaiter* w, unsigned state) {
  int result = 0;
  for (;;) {
    set_current_state(state);
    if (__atomic_load_n(&w->granted, __ATOMIC_ACQUIRE)) break;
    if (signal_pending_state(state, current)) {
      if (give_up(s, w)) result = -EINTR;
      break;
    }
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  return result;
}

// Queues w; `delta` is what its side has to take back from the count. Whoever makes the lock free without the waiters
// bit in sight has not woken anybody, so look once more.
void queue(rw_semaphore* s, RwsemWaiter* w, s64 delta) {
  const bool first = list_empty(&s->wait_list);
  list_add_tail(&w->list, &s->wait_list);
  s64 c = count_add(s, delta + (first ? kRwsemWaiters : 0));
  if (only_waiters(c)) wake_first(s);
}

int down_read_slow(rw_semaphore* s, unsigned state) {  // our reader's share is in the count
  RwsemWaiter w{{}, current, Side::Reader, false};
  {
    IrqSpinGuard g(s->wait_lock);
    // Acquire: pairs with the release of the writer that left meanwhile.
    if (list_empty(&s->wait_list) && !(atomic_long_read_acquire(&s->count) & kRwsemWriter)) return 0;
    queue(s, &w, -kRwsemReader);
  }
  return wait_for_grant(s, &w, state);
}

int down_write_slow(rw_semaphore* s, unsigned state) {
  RwsemWaiter w{{}, current, Side::Writer, false};
  {
    IrqSpinGuard g(s->wait_lock);
    queue(s, &w, 0);
  }
  return wait_for_grant(s, &w, state);
}

int down_read_state(rw_semaphore* s, unsigned state) {
  might_sleep();
  lockorder_acquire(s, s->key, LockUse::SleepingShared);
  if (!(__atomic_fetch_add(&s->count.counter, kRwsemReader, __ATOMIC_ACQUIRE) & (kRwsemWriter | kRwsemWaiters))) return 0;
  int r = down_read_slow(s, state);
  if (r) lockorder_release(s, s->key);
  return r;
}

}  // namespace

extern "C" {

void __init_rwsem(rw_semaphore* s, const char*, lock_class_key* key) {
  atomic_long_set(&s->count, 0);
  atomic_long_set(&s->owner, 0);
  raw_spin_lock_init(&s->wait_lock);
  INIT_LIST_HEAD(&s->wait_list);
  s->key = key;
}

void __down_read_slowpath(rw_semaphore* s) { down_read_slow(s, TASK_UNINTERRUPTIBLE); }
void __down_write_slowpath(rw_semaphore* s) { down_write_slow(s, TASK_UNINTERRUPTIBLE); }
void __rwsem_wake(rw_semaphore* s) {
  IrqSpinGuard g(s->wait_lock);
  wake_first(s);
}
int down_read_interruptible(rw_semaphore* s) { return down_read_state(s, TASK_INTERRUPTIBLE); }
int down_read_killable(rw_semaphore* s) { return down_read_state(s, TASK_KILLABLE); }
int down_write_killable(rw_semaphore* s) {
  might_sleep();
  lockorder_acquire(s, s->key, LockUse::Sleeping);
  s64 unlocked = 0;
  if (!__atomic_compare_exchange_n(&s->count.counter, &unlocked, kRwsemWriter, false, __ATOMIC_ACQUIRE,
                                   __ATOMIC_RELAXED)) {
    if (int r = down_write_slow(s, TASK_KILLABLE)) {
      lockorder_release(s, s->key);
      return r;
    }
  }
  atomic_long_set(&s->owner, mutex_self());
  return 0;
}
int down_read_trylock(rw_semaphore* s) {
  s64 c = atomic_long_read(&s->count);
  while (!(c & (kRwsemWriter | kRwsemWaiters))) {
    if (!__atomic_compare_exchange_n(&s->count.counter, &c, c + kRwsemReader, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      continue;
    lockorder_acquire(s, s->key, LockUse::SleepingShared, LockHow::Try);
    return 1;
  }
  return 0;
}
int down_write_trylock(rw_semaphore* s) {
  s64 unlocked = 0;
  if (!__atomic_compare_exchange_n(&s->count.counter, &unlocked, kRwsemWriter, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    return 0;
  lockorder_acquire(s, s->key, LockUse::Sleeping, LockHow::Try);
  atomic_long_set(&s->owner, mutex_self());
  return 1;
}
void downgrade_write(rw_semaphore* s) {
  lockorder_release(s, s->key);
  lockorder_acquire(s, s->key, LockUse::SleepingShared, LockHow::Try);
  atomic_long_set(&s->owner, 0);
  if (count_add(s, kRwsemReader - kRwsemWriter) & kRwsemWaiters) __rwsem_wake(s);  // a writer at the front stays there
}

}  // extern "C"
