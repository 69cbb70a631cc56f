// Keys and the hash of waiters.
// SPDX-License-Identifier: Apache-2.0
#include <linux/log2.h>
#include <linux/slab.h>

#include "init/report.hh"
#include "kernel/futex/internal.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

constinit Late<FutexState> futex_state;

static unsigned bucket_count() { return roundup_pow_of_two(256ul * num_possible_cpus()); }

void futex_init() {
  FutexState& s = futex_state.construct();
  unsigned n = bucket_count();
  s.shift = 64 - ilog2(n);
  s.buckets = static_cast<FutexBucket*>(kvcalloc(n, sizeof(FutexBucket), GFP_KERNEL));
  if (!s.buckets) panic("no memory for the futex hash");
  for (unsigned i = 0; i < n; i++) {
    spin_lock_init(&s.buckets[i].lock);
    INIT_LIST_HEAD(&s.buckets[i].chain);
  }
}

void futex_exit(LeakReport& report) {
  long waiters = 0;
  for (unsigned i = 0, n = bucket_count(); i < n; i++) waiters += atomic_read(&futex_state->buckets[i].waiters);
  report.expect_zero("futex waiters", waiters);
  kvfree(futex_state->buckets);
  futex_state.destroy();
}

// Spec 60 section 2, F-5, F-11.
Result<FutexKey> futex_key(u32* uaddr, unsigned flags) {
  auto addr = reinterpret_cast<unsigned long>(uaddr);
  if (addr % sizeof(u32)) return fail(EINVAL);
  if (!access_ok(uaddr, sizeof(u32))) return fail(EFAULT);
  if (flags & FUTEX_PRIVATE_FLAG) return FutexKey{current->mm, addr | kKeyPrivate};
  MemoryIdentity id = TRY(memory_identity(addr));
  if (!id.shared) return FutexKey{current->mm, addr | kKeyAnonymous};
  return FutexKey{id.object, (id.index << 12) | (addr & 0xfff) | kKeyShared};
}

long futex_read_atomic(u32* value, u32* uaddr) {
  // The bucket lock is held, hence no fault is resolved here (F-7).
  return arch::raw_copy_from_user(value, reinterpret_cast<unsigned long>(uaddr), sizeof(u32)) ? -EFAULT : 0;
}

void futex_queue(FutexWaiter* w, FutexBucket* b) {
  WRITE_ONCE(w->bucket, b);
  list_head* before = &b->chain;
  // Ordinary tasks, all of one priority, go to the end at once; a real-time one looks for its place (F-8).
  if (w->prio < MAX_RT_PRIO) {
    FutexWaiter* other;
    list_for_each_entry(other, &b->chain, node) {
      if (other->prio <= w->prio) continue;
      before = &other->node;
      break;
    }
  }
  list_add_tail(&w->node, before);
}

void futex_dequeue(FutexWaiter* w) {
  FutexBucket* b = w->bucket;
  __list_del_entry(&w->node);
  bucket_waiter_sub(b);
  // Pairs with the acquire in futex_unqueue. From here on w may be gone.
  smp_store_release(&w->bucket, nullptr);
}

void futex_wake_mark(wake_q_head* q, FutexWaiter* w) {
  task_struct* t = get_task_struct(w->task);
  futex_dequeue(w);
  wake_q_add_safe(q, t);
}

bool futex_unqueue(FutexWaiter* w) {
  // A requeue may move w between the look and the lock.
  while (FutexBucket* b = smp_load_acquire(&w->bucket)) {
    spin_lock(&b->lock);
    bool still_there = READ_ONCE(w->bucket) == b;
    if (still_there) futex_dequeue(w);
    spin_unlock(&b->lock);
    if (still_there) return true;
  }
  return false;
}

TwoBuckets::TwoBuckets(FutexBucket* a, FutexBucket* b) : first_(a < b ? a : b), second_(a < b ? b : a) {
  spin_lock(&first_->lock);
  if (first_ != second_) spin_lock_nested(&second_->lock, 1);
}
TwoBuckets::~TwoBuckets() {
  if (first_ != second_) spin_unlock(&second_->lock);
  spin_unlock(&first_->lock);
}
