// FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI: a condition variable's waiters move to its PI mutex. Spec 60 F-39, F-40.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/futex/pi.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

long futex_wait_requeue_pi(u32* uaddr, unsigned flags, u32 val, const ktime_t* when, u32 bitset, u32* uaddr2) {
  if (uaddr == uaddr2 || !bitset) return -EINVAL;
  FutexDeadline deadline(when, flags & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC);
  Result<FutexKey> target = futex_key(uaddr2, flags);
  if (!target) return target.error().neg();
  Result<FutexKey> key = futex_key(uaddr, flags);
  if (!key) return key.error().neg();
  if (*key == *target) return -EINVAL;
  PiWaiter w{.q = {.task = current, .key = *key, .bitset = bitset, .prio = futex_queue_prio(), .pi = &w},
             .target = *target,
             .uaddr = uaddr2};
  if (long err = futex_wait_setup(uaddr, val, &w.q)) return err;
  const PiWaitResult r = futex_wait_for_pi(&w, deadline);
  if (r.error != -EINTR) return r.error;
  // Moved already: a second run would find another value in the first word, so it is told so at once.
  return r.what == PiWaitedFor::FirstWord ? -ERESTARTNOINTR : -EAGAIN;
}

namespace {

struct Requeue {
  FutexBucket *from, *to;
  FutexKey key, key2;
  u32* uaddr2;
  int nr_wake, nr_requeue;
  wake_q_head* woken;
};

bool suits(const FutexWaiter* w, const FutexKey& target) { return w->pi && !w->pi->pi_state && w->pi->target == target; }

// Both locked. The rest become waiters for the lock. The number of both, or -errno.
long move_waiters(const Requeue& q, futex_pi_state* s, long n) {
  FutexWaiter *w, *next;
  long error = 0;
  list_for_each_entry_safe(w, next, &q.from->chain, node) {
    if (n - q.nr_wake >= q.nr_requeue) break;
    if (w->key != q.key) continue;
    error = suits(w, q.key2) ? futex_attach_waiter(w->pi, s) : -EINVAL;
    if (error) break;
    futex_move(w, q.to, q.key2);
    n++;
  }
  return error ? error : n;
}

FutexWaiter* second_waiter(const Requeue& q, const FutexWaiter* first) {
  FutexWaiter* w;
  list_for_each_entry(w, &q.from->chain, node)
    if (w != first && w->key == q.key) return w;
  return nullptr;
}

// Both locked. The first waiter gets the lock, if it is free; then it is the one that is woken. Wait: *n is the answer.
PiLook requeue_locked(const Requeue& q, long* n) {
  *n = 0;
  FutexWaiter* first = futex_first_waiter(q.from, q.key);
  if (!first) return {.step = PiStep::Wait};
  if (!suits(first, q.key2)) return {.step = PiStep::Error, .error = EINVAL};
  PiLook look = futex_lock_pi_atomic(q.uaddr2, q.to, q.key2, first->task, q.nr_requeue ? PiWord::WithWaiters : PiWord::TidOnly);
  if (look.step == PiStep::Taken) {
    // Its state before it is let go: it could unlock, or die, at once.
    if (q.nr_requeue && second_waiter(q, first)) look.pi_state = futex_new_pi_state(first->task, q.key2);
    futex_wake_mark(q.woken, first);
    *n = 1;
    look.step = PiStep::Wait;
  }
  if (look.step != PiStep::Wait || !look.pi_state) return look;
  *n = move_waiters(q, look.pi_state, *n);
  futex_put_pi_state(look.pi_state);
  return look;
}

}  // namespace

long futex_cmp_requeue_pi(u32* uaddr, unsigned flags, u32* uaddr2, int nr_wake, int nr_requeue, u32 expected) {
  if (nr_wake != 1 || nr_requeue < 0 || uaddr == uaddr2) return -EINVAL;
  for (;;) {
    if (!refill_pi_state_cache()) return -ENOMEM;
    Result<FutexKey> key = futex_key(uaddr, flags);
    if (!key) return key.error().neg();
    Result<FutexKey> key2 = futex_key(uaddr2, flags);
    if (!key2) return key2.error().neg();
    if (*key == *key2) return -EINVAL;
    DEFINE_WAKE_Q(woken);
    const Requeue q{futex_bucket(*key), futex_bucket(*key2), *key, *key2, uaddr2, nr_wake, nr_requeue, &woken};
    long n = 0;
    PiLook look;
    u32 now;
    bool readable;
    {
      TwoBuckets both(q.from, q.to);
      readable = !futex_read_atomic(&now, uaddr);
      if (readable && now != expected) return -EAGAIN;
      if (readable) look = requeue_locked(q, &n);
    }
    wake_up_q(&woken);
    if (!readable) {
      if (get_user(now, uaddr)) return -EFAULT;
      continue;
    }
    if (look.step == PiStep::Wait) return n;
    if (long error; !futex_pi_retry(look, uaddr2, &error)) return error;
  }
}
