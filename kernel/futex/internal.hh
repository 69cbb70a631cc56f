// Keys, buckets and waiters: private to kernel/futex.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/sched/wake_q.h>
#include <linux/spinlock.h>

#include "kernel/futex/futex.hh"
#include "lib/late.hh"

struct FutexKey {
  const void* object = nullptr;  // mm, or what the page belongs to
  unsigned long word = 0;        // address, or page index and offset; bits 0-1: kind
  bool operator==(const FutexKey&) const = default;
};
inline constexpr unsigned long kKeyPrivate = 0, kKeyAnonymous = 1, kKeyShared = 2;  // F-28: kinds never meet

struct alignas(64) FutexBucket {
  atomic_t waiters;  // incremented before the word is read; a waker that sees 0 goes home (F-16)
  spinlock_t lock;
  list_head chain;   // FutexWaiter::node, by priority, equal ones FIFO (F-8)
};

struct PiWaiter;
struct FutexWaiter {
  list_head node;
  task_struct* task;
  FutexKey key;
  u32 bitset;
  int prio;
  PiWaiter* pi;         // null: an ordinary waiter. See pi.hh
  FutexBucket* bucket;  // changed by requeue under both locks. Null, by a release store: dequeued; may vanish then (F-17)
};

struct FutexState {
  FutexBucket* buckets;
  unsigned shift;  // of the hash
};
extern Late<FutexState> futex_state;

// EINVAL misaligned, EFAULT. May sleep unless flags has FUTEX_PRIVATE_FLAG.
Result<FutexKey> futex_key(u32* uaddr, unsigned flags);

inline FutexBucket* futex_bucket(const FutexKey& k) {
  u64 h = reinterpret_cast<u64>(k.object) + k.word * 0x9e3779b97f4a7c15ull;
  h ^= h >> 29;
  return &futex_state->buckets[h * 0xbf58476d1ce4e5b9ull >> futex_state->shift];
}

// Counted first, then locked: pairs with the barrier in futex_wake before it reads the counter.
inline void bucket_waiter_add(FutexBucket* b) { __atomic_fetch_add(&b->waiters.counter, 1, __ATOMIC_SEQ_CST); }
inline void bucket_waiter_sub(FutexBucket* b) { __atomic_fetch_sub(&b->waiters.counter, 1, __ATOMIC_RELEASE); }

// b locked. The waiter goes into the chain; the task's state is set already.
void futex_queue(FutexWaiter* w, FutexBucket* b);
// b locked: takes w out and marks it so; its task, if it is to be woken, must have been referenced before.
void futex_dequeue(FutexWaiter* w);
// True: it was still queued and is not any more. False: a waker was first.
bool futex_unqueue(FutexWaiter* w);
void futex_wake_mark(wake_q_head* q, FutexWaiter* w);  // b locked

// Both buckets locked: w waits for another word from now on.
void futex_move(FutexWaiter* w, FutexBucket* to, const FutexKey& key);

class TwoBuckets {  // both locked, by address; one if equal
 public:
  TwoBuckets(FutexBucket* a, FutexBucket* b);
  ~TwoBuckets();
  TwoBuckets(const TwoBuckets&) = delete;

 private:
  FutexBucket *first_, *second_;
};

// A deadline that wakes the task that made it.
class FutexDeadline {
 public:
  FutexDeadline(const ktime_t* when, int clock) : armed_(when != nullptr) {
    if (!armed_) return;
    hrtimer_init_sleeper(&sleeper_, clock, HRTIMER_MODE_ABS);
    hrtimer_set_expires_range_ns(&sleeper_.timer, *when, current->timer_slack_ns);
  }
  ~FutexDeadline() {
    if (armed_) hrtimer_cancel(&sleeper_.timer);
  }
  FutexDeadline(const FutexDeadline&) = delete;
  void start() {
    if (armed_) hrtimer_sleeper_start_expires(&sleeper_, HRTIMER_MODE_ABS);
  }
  bool passed() const { return armed_ && !READ_ONCE(sleeper_.task); }

 private:
  hrtimer_sleeper sleeper_;
  bool armed_;
};

inline int futex_queue_prio() { return current->normal_prio < MAX_RT_PRIO ? current->normal_prio : MAX_RT_PRIO; }

// Locks the word's bucket, compares, and queues w with the task's state set. 0: queued. -EAGAIN: another value. -EFAULT.
long futex_wait_setup(u32* uaddr, u32 val, FutexWaiter* w);

// Reads the word with page faults off: -EFAULT means "touch it with no lock held and try again".
long futex_read_atomic(u32* value, u32* uaddr);

long futex_wait(u32* uaddr, unsigned flags, u32 val, const ktime_t* deadline, u32 bitset);
long futex_requeue(u32* uaddr, unsigned flags, u32* uaddr2, int nr_wake, int nr_requeue, const u32* expected);
long futex_wake_op(u32* uaddr, unsigned flags, u32* uaddr2, int nr_wake, int nr_wake2, u32 op);
// Index of a woken one, or -errno. waiters: room for n.
long futex_wait_multiple(futex_waitv* entries, FutexWaiter* waiters, unsigned n, const ktime_t* deadline, int clock);
