// FUTEX_LOCK_PI, LOCK_PI2, TRYLOCK_PI, UNLOCK_PI, and what becomes of PI futexes whose owner dies. Spec 60 F-32 to F-38,
// F-41 to F-44.
//
// A PI futex passes from hand to hand: the unlock chooses the first waiter, writes its TID into the word and makes it the
// owner of the rt_mutex, all under the bucket's lock. So the word, pi_state->owner and the rt_mutex never disagree, and a
// woken waiter has nothing to do. Only after a death is the word behind (`stale`): the dying task may not have the page
// mapped any more, hence the heir writes it.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/futex/pi.hh"

#include <linux/rbtree.h>
#include <linux/slab.h>

#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

// ---- The states -----------------------------------------------------------------------------------------------------

bool refill_pi_state_cache() {
  if (!current->pi_state_cache)
    current->pi_state_cache = static_cast<futex_pi_state*>(kzalloc(sizeof(futex_pi_state), GFP_KERNEL));
  return current->pi_state_cache;
}

futex_pi_state* futex_new_pi_state(task_struct* owner, const FutexKey& key) {
  futex_pi_state* s = current->pi_state_cache;
  current->pi_state_cache = nullptr;
  rt_mutex_init_proxy_locked(&s->pi_mutex, owner);
  s->owner = owner;
  s->key = key;
  s->waiters = 0;
  s->stale = false;
  IrqSpinGuard guard(owner->pi_lock);
  list_add(&s->list, &owner->pi_state_list);
  return s;
}

void futex_put_pi_state(futex_pi_state* s) {
  if (s->waiters) return;
  {
    IrqSpinGuard guard(s->owner->pi_lock);
    list_del(&s->list);
  }
  if (!current->pi_state_cache && READ_ONCE(current->futex_state) == FUTEX_STATE_OK)
    current->pi_state_cache = s;
  else
    kfree(s);
}

static void change_owner(futex_pi_state* s, task_struct* owner) {
  {
    IrqSpinGuard guard(s->owner->pi_lock);
    list_del(&s->list);
  }
  s->owner = owner;
  IrqSpinGuard guard(owner->pi_lock);
  list_add(&s->list, &owner->pi_state_list);
}

FutexWaiter* futex_first_waiter(FutexBucket* b, const FutexKey& key) {
  FutexWaiter* w;
  list_for_each_entry(w, &b->chain, node)
    if (w->key == key) return w;
  return nullptr;
}

int futex_attach_waiter(PiWaiter* w, futex_pi_state* s) {
  if (int err = rt_mutex_start_proxy_lock(&s->pi_mutex, &w->rt, w->q.task)) return err;
  w->pi_state = s;
  s->waiters++;
  return 0;
}

// b locked: w leaves the queue; from then on it may vanish.
static void leave(PiWaiter* w) {
  futex_pi_state* s = w->pi_state;
  futex_dequeue(&w->q);
  if (!s) return;
  s->waiters--;
  futex_put_pi_state(s);
}

// ---- Taking the word ------------------------------------------------------------------------------------------------

namespace {

u32 tid_of(task_struct* t) { return static_cast<u32>(task_pid_vnr(t)); }
PiLook fails(int error) { return {.step = PiStep::Error, .error = error}; }

enum class Exchange : unsigned char { Done, Changed, Fault };
Exchange exchange(u32* uaddr, u32 old, u32 desired) {
  u32 found;
  if (arch::raw_cmpxchg_user_u32(reinterpret_cast<unsigned long>(uaddr), old, desired, &found)) return Exchange::Fault;
  return found == old ? Exchange::Done : Exchange::Changed;
}
PiStep step_of(Exchange e, PiStep done) {
  return e == Exchange::Done ? done : e == Exchange::Fault ? PiStep::Fault : PiStep::Again;
}

// Others wait already: the word must agree with what they wait for (F-34, last row).
PiLook join_waiters(u32 word, const FutexWaiter* top) {
  if (!top->pi || !top->pi->pi_state) return fails(EINVAL);
  futex_pi_state* s = top->pi->pi_state;
  const u32 tid = word & FUTEX_TID_MASK;
  // No TID, but a death: the owner's exit has walked its robust list and is about to pass the state on.
  const bool agrees = tid ? tid == tid_of(s->owner) : (word & FUTEX_OWNER_DIED) != 0;
  if (!agrees && !s->stale) return fails(EINVAL);
  return {.step = PiStep::Wait, .pi_state = s};
}

// The task that the word named is gone, or as good as. If its exit has changed the word meanwhile all is well.
PiLook owner_is_gone(u32* uaddr, u32 word) {
  u32 now;
  if (futex_read_atomic(&now, uaddr)) return {.step = PiStep::Fault};
  return now == word ? fails(ESRCH) : PiLook{.step = PiStep::Again};
}

// The first waiter: finds the owner by the word.
PiLook find_owner(u32* uaddr, u32 word, const FutexKey& key) {
  task_struct* owner = find_get_task_by_vpid(static_cast<int>(word & FUTEX_TID_MASK));
  if (!owner) return owner_is_gone(uaddr, word);
  PiLook look;
  if (data_race(owner->flags) & PF_KTHREAD) {
    look = fails(EPERM);
  } else {
    look = {.step = PiStep::Wait, .pi_state = futex_new_pi_state(owner, key)};
    // Pairs with the barrier at the begin of the owner's exit (robust.cc): it sees our state on the list, or we see that it has begun.
    smp_mb();
    const unsigned state = smp_load_acquire(&owner->futex_state);
    if (state != FUTEX_STATE_OK) {
      futex_put_pi_state(look.pi_state);
      look = state == FUTEX_STATE_EXITING ? PiLook{.step = PiStep::OwnerExiting} : owner_is_gone(uaddr, word);
    }
  }
  put_task_struct(owner);
  return look;
}

}  // namespace

PiLook futex_lock_pi_atomic(u32* uaddr, FutexBucket* b, const FutexKey& key, task_struct* task, PiWord free_word) {
  u32 word;
  if (futex_read_atomic(&word, uaddr)) return {.step = PiStep::Fault};
  if ((word & FUTEX_TID_MASK) == tid_of(task)) return fails(EDEADLK);  // F-32
  if (const FutexWaiter* top = futex_first_waiter(b, key)) return join_waiters(word, top);
  if (!(word & FUTEX_TID_MASK)) {  // F-33
    const u32 mine = (word & FUTEX_OWNER_DIED) | tid_of(task) | (free_word == PiWord::WithWaiters ? FUTEX_WAITERS : 0);
    return {.step = step_of(exchange(uaddr, word, mine), PiStep::Taken)};
  }
  const Exchange marked = exchange(uaddr, word, word | FUTEX_WAITERS);
  if (marked != Exchange::Done) return {.step = step_of(marked, PiStep::Again)};
  return find_owner(uaddr, word | FUTEX_WAITERS, key);
}

bool futex_pi_retry(const PiLook& look, u32* uaddr, long* error) {
  switch (look.step) {
    case PiStep::Fault:
      if (Result<void> r = fault_in_user_writeable(reinterpret_cast<unsigned long>(uaddr)); !r) {
        *error = r.error().neg();
        return false;
      }
      return true;
    case PiStep::Again: return true;
    case PiStep::OwnerExiting:  // an exit takes no lock for our sake; we look again soon
      schedule_timeout_uninterruptible(1);
      return true;
    default: *error = -look.error; return false;
  }
}

// ---- Passing it on --------------------------------------------------------------------------------------------------

// b locked. The heir of a dead owner is woken to write the word; it stays queued until it has.
static void bequeath(futex_pi_state* s, wake_q_head* woken) {
  rt_mutex_waiter* heir = rt_mutex_top_waiter(&s->pi_mutex);
  rt_mutex_hand_over(&s->pi_mutex, heir);
  change_owner(s, heir->task);
  s->stale = true;
  WRITE_ONCE(container_of(heir, PiWaiter, rt)->owns, true);
  wake_q_add(woken, heir->task);
}

// F-41. b locked on entry, not at return. 0, or -EFAULT: the word cannot be written, and the next in line is to try.
static long take_over(PiWaiter* w, FutexBucket* b) {
  for (;;) {
    u32 word;
    Exchange e = Exchange::Fault;
    if (!futex_read_atomic(&word, w->uaddr)) e = exchange(w->uaddr, word, FUTEX_OWNER_DIED | FUTEX_WAITERS | tid_of(current));
    if (e == Exchange::Done) break;
    if (e == Exchange::Changed) continue;
    spin_unlock(&b->lock);
    const bool there = fault_in_user_writeable(reinterpret_cast<unsigned long>(w->uaddr)).has_value();
    spin_lock(&b->lock);
    if (there) continue;
    DEFINE_WAKE_Q(woken);
    if (rt_mutex_top_waiter(&w->pi_state->pi_mutex)) bequeath(w->pi_state, &woken);
    leave(w);
    spin_unlock(&b->lock);
    wake_up_q(&woken);
    return -EFAULT;
  }
  w->pi_state->stale = false;
  leave(w);
  spin_unlock(&b->lock);
  return 0;
}

// ---- Waiting ----------------------------------------------------------------------------------------------------------

// The bucket that w is in, locked; null: it has been taken out, and owns the lock.
static FutexBucket* lock_bucket_of(PiWaiter* w) {
  while (FutexBucket* b = smp_load_acquire(&w->q.bucket)) {
    spin_lock(&b->lock);
    if (READ_ONCE(w->q.bucket) == b) return b;
    spin_unlock(&b->lock);
  }
  return nullptr;
}

PiWaitResult futex_wait_for_pi(PiWaiter* w, FutexDeadline& deadline) {
  deadline.start();
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE | TASK_FREEZABLE);
    if (!READ_ONCE(w->q.bucket) || READ_ONCE(w->owns) || deadline.passed() || signal_pending(current)) break;
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  FutexBucket* b = lock_bucket_of(w);
  if (!b) return {0, PiWaitedFor::Lock};
  if (w->owns) return {take_over(w, b), PiWaitedFor::Lock};
  const PiWaitedFor what = w->pi_state ? PiWaitedFor::Lock : PiWaitedFor::FirstWord;
  if (w->pi_state) rt_mutex_cleanup_proxy_lock(&w->pi_state->pi_mutex, &w->rt);
  leave(w);
  spin_unlock(&b->lock);
  return {deadline.passed() ? -ETIMEDOUT : -EINTR, what};
}

// b locked. A state that was made for us and is not wanted is freed again.
static PiLook lock_or_queue(PiWaiter* w, FutexBucket* b, PiBlock block) {
  PiLook look = futex_lock_pi_atomic(w->uaddr, b, w->q.key, current, PiWord::TidOnly);
  if (look.step != PiStep::Wait) return look;
  int error = block == PiBlock::Try ? -EAGAIN : futex_attach_waiter(w, look.pi_state);
  if (error) {
    futex_put_pi_state(look.pi_state);
    return fails(-error);
  }
  futex_queue(&w->q, b);
  return look;
}

long futex_lock_pi(u32* uaddr, unsigned flags, const ktime_t* when, PiBlock block) {
  if (!refill_pi_state_cache()) return -ENOMEM;
  FutexDeadline deadline(when, flags & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC);
  PiWaiter w{.q = {.task = current, .bitset = FUTEX_BITSET_MATCH_ANY, .prio = futex_queue_prio(), .pi = &w}, .uaddr = uaddr};
  for (;;) {
    Result<FutexKey> key = futex_key(uaddr, flags);
    if (!key) return key.error().neg();
    w.q.key = *key;
    FutexBucket* b = futex_bucket(*key);
    bucket_waiter_add(b);
    spin_lock(&b->lock);
    const PiLook look = lock_or_queue(&w, b, block);
    if (look.step != PiStep::Wait) bucket_waiter_sub(b);
    spin_unlock(&b->lock);
    if (look.step == PiStep::Taken) return 0;
    if (look.step == PiStep::Wait) break;
    if (long error; !futex_pi_retry(look, uaddr, &error)) return error;
    if (signal_pending(current)) return -ERESTARTNOINTR;
  }
  const long error = futex_wait_for_pi(&w, deadline).error;
  return error == -EINTR ? -ERESTARTNOINTR : error;  // F-35
}

// ---- Unlocking --------------------------------------------------------------------------------------------------------

// b locked; word is what current saw, and names it. F-38, F-43.
static PiLook unlock_locked(u32* uaddr, FutexBucket* b, const FutexKey& key, u32 word, wake_q_head* woken) {
  FutexWaiter* top = futex_first_waiter(b, key);
  if (!top) return {.step = step_of(exchange(uaddr, word, 0), PiStep::Taken)};
  futex_pi_state* s = top->pi ? top->pi->pi_state : nullptr;
  if (!s || s->owner != current) return fails(EINVAL);
  rt_mutex_waiter* heir = rt_mutex_top_waiter(&s->pi_mutex);
  const Exchange e = exchange(uaddr, word, FUTEX_WAITERS | tid_of(heir->task));
  if (e != Exchange::Done) return {.step = step_of(e, PiStep::Taken)};
  rt_mutex_hand_over(&s->pi_mutex, heir);
  change_owner(s, heir->task);
  futex_wake_mark(woken, &container_of(heir, PiWaiter, rt)->q);  // its waiter may be gone from here on
  s->waiters--;
  futex_put_pi_state(s);
  return {.step = PiStep::Taken};
}

long futex_unlock_pi(u32* uaddr, unsigned flags) {
  for (;;) {
    u32 word;
    if (get_user(word, uaddr)) return -EFAULT;
    if ((word & FUTEX_TID_MASK) != tid_of(current)) return -EPERM;
    Result<FutexKey> key = futex_key(uaddr, flags);
    if (!key) return key.error().neg();
    FutexBucket* b = futex_bucket(*key);
    DEFINE_WAKE_Q(woken);
    PiLook look;
    {
      PreemptGuard together;  // who was boosted until now is not preempted before the next owner is awake (S-77)
      SpinGuard guard(b->lock);
      look = unlock_locked(uaddr, b, *key, word, &woken);
      guard.unlock();
      wake_up_q(&woken);
    }
    if (look.step == PiStep::Taken) return 0;
    if (long error; !futex_pi_retry(look, uaddr, &error)) return error;
  }
}

// ---- Dying ------------------------------------------------------------------------------------------------------------

// No new state is put on t's list any more; those that are there pass to their first waiters. A state cannot go away while
// its bucket is locked, but until then it can: hence the second look.
void exit_pi_state_list(task_struct* t) {
  for (;;) {
    FutexKey key;
    futex_pi_state* s;
    {
      IrqSpinGuard guard(t->pi_lock);
      if (list_empty(&t->pi_state_list)) return;
      s = list_first_entry(&t->pi_state_list, futex_pi_state, list);
      key = s->key;
    }
    DEFINE_WAKE_Q(woken);
    FutexBucket* b = futex_bucket(key);
    {
      SpinGuard guard(b->lock);
      bool still_there = false;
      {
        IrqSpinGuard list(t->pi_lock);
        futex_pi_state* other;
        list_for_each_entry(other, &t->pi_state_list, list)
          still_there |= other == s && s->key == key;
      }
      if (still_there) bequeath(s, &woken);
    }
    wake_up_q(&woken);
  }
}
