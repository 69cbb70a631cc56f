// PI futexes: private to kernel/futex. Spec 60 section 3.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/futex/internal.hh"
#include "kernel/sync/rt_mutex.hh"

// What the kernel knows of a PI futex that somebody waits for; at most one for a key. Guarded by the lock of the key's bucket.
struct futex_pi_state {
  rt_mutex pi_mutex;   // carries the waiters' priority to the owner. Never free: it goes from hand to hand
  task_struct* owner;  // whom the word names, unless stale. Lives: its exit passes the state on first
  list_head list;      // in owner->pi_state_list; the owner's pi_lock
  FutexKey key;
  unsigned waiters;    // queued PiWaiters that point here; the last takes the state with it
  bool stale;          // the owner before died; the new one is about to write itself into the word
};

// On the stack of who waits in LOCK_PI or WAIT_REQUEUE_PI. Guarded by the lock of its bucket.
struct PiWaiter {
  FutexWaiter q;
  rt_mutex_waiter rt;
  futex_pi_state* pi_state;  // null: it waits for the first word of WAIT_REQUEUE_PI still
  FutexKey target;           // what WAIT_REQUEUE_PI is to be moved to
  bool owns;                 // the dead owner's lock is its own, and it must write the word before it leaves the queue
  u32* uaddr;                // the PI word, in its own address space
};

// One state set aside before any lock is taken, so that nothing fails half-way (F-44). False: no memory.
[[nodiscard]] bool refill_pi_state_cache();

// What the word allows. b locked, page faults off.
enum class PiStep : unsigned char {
  Taken,         // the word names the task now
  Wait,          // pi_state is the owner's, new or old
  Fault,         // bring the word in, with no lock held, and try again
  Again,         // the word changed meanwhile
  OwnerExiting,  // its owner is on its way out: wait for that
  Error,
};
struct PiLook {
  PiStep step;
  futex_pi_state* pi_state = nullptr;
  int error = 0;
};
enum class PiWord : unsigned char { TidOnly, WithWaiters };  // what to write if the word is free
PiLook futex_lock_pi_atomic(u32* uaddr, FutexBucket* b, const FutexKey& key, task_struct* task, PiWord word);
// After the locks were dropped: true: try again. Else *error.
bool futex_pi_retry(const PiLook& look, u32* uaddr, long* error);

futex_pi_state* futex_new_pi_state(task_struct* owner, const FutexKey& key);  // from the cache. b locked; owner cannot exit
void futex_put_pi_state(futex_pi_state* s);  // b locked: frees it if nobody waits
FutexWaiter* futex_first_waiter(FutexBucket* b, const FutexKey& key);  // b locked
int futex_attach_waiter(PiWaiter* w, futex_pi_state* s);  // b locked: w waits for s's owner. -EDEADLK

// Sleeps until the lock is w's (0), the deadline (-ETIMEDOUT) or a signal (-EINTR). w is in no queue afterwards.
enum class PiWaitedFor : unsigned char { FirstWord, Lock };
struct PiWaitResult {
  long error;
  PiWaitedFor what;  // at the end
};
PiWaitResult futex_wait_for_pi(PiWaiter* w, FutexDeadline& deadline);

enum class PiBlock : unsigned char { Try, Sleep };
long futex_lock_pi(u32* uaddr, unsigned flags, const ktime_t* when, PiBlock block);
long futex_unlock_pi(u32* uaddr, unsigned flags);
long futex_wait_requeue_pi(u32* uaddr, unsigned flags, u32 val, const ktime_t* when, u32 bitset, u32* uaddr2);
long futex_cmp_requeue_pi(u32* uaddr, unsigned flags, u32* uaddr2, int nr_wake, int nr_requeue, u32 expected);
void exit_pi_state_list(task_struct* t);  // t is current: what it owns passes on (F-41)

enum : unsigned { FUTEX_STATE_OK, FUTEX_STATE_EXITING, FUTEX_STATE_DEAD };
