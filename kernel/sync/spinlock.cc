// Spin locks and reader-writer locks when somebody else has them.
// SPDX-License-Identifier: Apache-2.0
#include <linux/spinlock.h>

namespace {
constexpr u32 kHeld = 0xff, kHeadShift = 8, kTailShift = 20, kTicketMask = 0xfff;
constexpr u32 head_of(u32 v) { return v >> kHeadShift & kTicketMask; }
constexpr u32 tail_of(u32 v) { return v >> kTailShift; }
}  // namespace

// Draws a ticket and waits for its turn. The word is not 0 from the draw on, so nobody comes in by the fast path. The
// last waiter to get the lock puts both ticket counters back to 0, which opens the fast path again.
void spin_lock_contended(raw_spinlock_t* l) {
  const u32 mine = tail_of(__atomic_fetch_add(&l->val, 1u << kTailShift, __ATOMIC_RELAXED));
  u32 v = __atomic_load_n(&l->val, __ATOMIC_RELAXED);
  for (;;) {
    if ((v & kHeld) || head_of(v) != mine) {
      arch::cpu_relax();
      v = __atomic_load_n(&l->val, __ATOMIC_RELAXED);
      continue;
    }
    const u32 next = (mine + 1) & kTicketMask;
    const u32 taken = tail_of(v) == next ? 1 : (tail_of(v) << kTailShift | next << kHeadShift | 1);
    // Acquire pairs with the release store in arch_spin_unlock.
    if (__atomic_compare_exchange_n(&l->val, &v, taken, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  }
}

// Our count is in already. An interrupt may not wait behind a writer that only waits, since that writer may wait for
// the very reader it interrupted; a task gives its count back and queues up behind.
void read_lock_contended(rwlock_t* l) {
  if (in_interrupt()) {
    while (__atomic_load_n(&l->wlocked, __ATOMIC_ACQUIRE)) arch::cpu_relax();
    return;
  }
  do {
    __atomic_fetch_sub(&l->cnts, kReader, __ATOMIC_RELAXED);
    while (__atomic_load_n(&l->cnts, __ATOMIC_RELAXED) & (kReader - 1)) arch::cpu_relax();
  } while (__atomic_fetch_add(&l->cnts, kReader, __ATOMIC_ACQUIRE) & (kReader - 1));
}

void write_lock_contended(rwlock_t* l) {
  for (;;) {
    u32 v = __atomic_fetch_or(&l->cnts, kWriterWaits, __ATOMIC_RELAXED) | kWriterWaits;
    while (v != kWriterWaits) {
      arch::cpu_relax();
      v = __atomic_load_n(&l->cnts, __ATOMIC_RELAXED);
      if (!(v & kWriterWaits)) break;  // another waiting writer got in and took the mark with it
    }
    if (v == kWriterWaits &&
        __atomic_compare_exchange_n(&l->cnts, &v, kWriterHolds, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return;
  }
}
