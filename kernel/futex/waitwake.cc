// FUTEX_WAIT and FUTEX_WAKE, with bitsets, and futex_waitv. Spec 60 F-6 to F-17, F-26, F-27.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/futex/internal.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "mm/uaccess.hh"

long futex_wait_setup(u32* uaddr, u32 val, FutexWaiter* w) {
  FutexBucket* b = futex_bucket(w->key);
  for (;;) {
    bucket_waiter_add(b);
    spin_lock(&b->lock);
    u32 now;
    long err = futex_read_atomic(&now, uaddr);
    if (!err && now == val) {
      set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
      futex_queue(w, b);
      spin_unlock(&b->lock);
      return 0;
    }
    bucket_waiter_sub(b);
    spin_unlock(&b->lock);
    if (!err) return -EAGAIN;
    if (get_user(now, uaddr)) return -EFAULT;  // brings the page in (F-7)
  }
}

namespace {

void sleep_while_queued(FutexWaiter* w, FutexDeadline& deadline) {
  deadline.start();
  if (READ_ONCE(w->bucket) && !deadline.passed()) schedule();
  __set_current_state(TASK_RUNNING);
}

long restart_wait(restart_block* r) {
  auto deadline = static_cast<ktime_t>(r->futex.time);
  return futex_wait(r->futex.uaddr, r->futex.flags, r->futex.val, &deadline, r->futex.bitset);
}

// With a timeout the call goes on with the same absolute deadline, whatever interrupted it (C-7).
long arm_restart(u32* uaddr, unsigned flags, u32 val, ktime_t deadline, u32 bitset) {
  restart_block& r = current->restart_block;
  r.fn = restart_wait;
  r.futex.uaddr = uaddr;
  r.futex.val = val;
  r.futex.flags = flags;
  r.futex.bitset = bitset;
  r.futex.time = static_cast<u64>(deadline);
  return -ERESTART_RESTARTBLOCK;
}

}  // namespace

long futex_wait(u32* uaddr, unsigned flags, u32 val, const ktime_t* when, u32 bitset) {
  if (!bitset) return -EINVAL;
  FutexDeadline deadline(when, flags & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC);
  for (;;) {
    Result<FutexKey> key = futex_key(uaddr, flags);
    if (!key) return key.error().neg();
    FutexWaiter w{.task = current, .key = *key, .bitset = bitset, .prio = futex_queue_prio()};
    if (long err = futex_wait_setup(uaddr, val, &w)) return err;
    sleep_while_queued(&w, deadline);
    if (!futex_unqueue(&w)) return 0;  // F-9: a waker was first, whatever else happened
    if (deadline.passed()) return -ETIMEDOUT;
    if (!signal_pending(current)) continue;
    return when ? arm_restart(uaddr, flags, val, *when, bitset) : -ERESTARTSYS;
  }
}

long futex_wake(u32* uaddr, unsigned flags, int nr, u32 bitset) {
  if (!bitset) return -EINVAL;
  Result<FutexKey> key = futex_key(uaddr, flags);
  if (!key) return key.error().neg();
  FutexBucket* b = futex_bucket(*key);
  // F-16: the caller's store to the word, then the counter. Pairs with bucket_waiter_add, then the waiter's read.
  smp_mb();
  if (!atomic_read(&b->waiters)) return 0;
  DEFINE_WAKE_Q(woken);
  long n = 0;
  spin_lock(&b->lock);
  FutexWaiter *w, *next;
  list_for_each_entry_safe(w, next, &b->chain, node) {
    if (w->key != *key) continue;
    if (w->pi) [[unlikely]] {  // F-14
      n = -EINVAL;
      break;
    }
    if (!(w->bitset & bitset)) continue;
    futex_wake_mark(&woken, w);
    if (++n >= nr) break;  // F-13: even 0 wakes one
  }
  spin_unlock(&b->lock);
  wake_up_q(&woken);
  return n;
}

// ---- futex_waitv ----------------------------------------------------------------------------------------------------

namespace {

// Takes the first n out again; the index of one that was woken meanwhile, or -1.
int unqueue_multiple(FutexWaiter* w, unsigned n) {
  int woken = -1;
  for (unsigned i = 0; i < n; i++)
    if (!futex_unqueue(&w[i])) woken = static_cast<int>(i);
  return woken;
}

long wait_multiple_setup(const futex_waitv* e, FutexWaiter* w, unsigned n, int* woken) {
  for (unsigned i = 0; i < n; i++) {
    auto* uaddr = reinterpret_cast<u32*>(e[i].uaddr);
    Result<FutexKey> key = futex_key(uaddr, e[i].flags);
    long err = key ? 0 : key.error().neg();
    if (key) {
      w[i] = {.task = current, .key = *key, .bitset = FUTEX_BITSET_MATCH_ANY, .prio = futex_queue_prio()};
      err = futex_wait_setup(uaddr, static_cast<u32>(e[i].val), &w[i]);
    }
    if (!err) continue;
    __set_current_state(TASK_RUNNING);
    *woken = unqueue_multiple(w, i);
    return err;
  }
  return 0;
}

}  // namespace

long futex_wait_multiple(futex_waitv* e, FutexWaiter* w, unsigned n, const ktime_t* when, int clock) {
  FutexDeadline deadline(when, clock);
  for (;;) {
    int woken = -1;
    if (long err = wait_multiple_setup(e, w, n, &woken)) return woken >= 0 ? woken : err;  // F-27
    deadline.start();
    bool all_queued = true;
    for (unsigned i = 0; i < n; i++) all_queued = all_queued && READ_ONCE(w[i].bucket);
    // A futex_wait_setup that had to fault a page in has slept, and left us RUNNING: the state is set once more, then tested.
    set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
    for (unsigned i = 0; i < n; i++) all_queued = all_queued && READ_ONCE(w[i].bucket);
    if (all_queued && !deadline.passed()) schedule();
    __set_current_state(TASK_RUNNING);
    woken = unqueue_multiple(w, n);
    if (woken >= 0) return woken;
    if (deadline.passed()) return -ETIMEDOUT;
    if (signal_pending(current)) return -ERESTARTSYS;
  }
}
