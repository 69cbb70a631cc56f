// Sleepable RCU. Readers count themselves under the index of the time; a grace period lets the other index run dry, turns
// new readers to it, and lets the old one run dry. All counters are full barriers.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/sched.h>
#include <linux/srcu.h>

#include "kernel/sync/guards.hh"

namespace {

// A reader that has read idx but not yet counted itself may still count itself under the old index: it reads nothing
// that the caller removed before, or is seen by the second look at that index.
void wait_until_dry(srcu_struct* s, unsigned idx) {
  while (atomic_fetch_add(0, &s->readers[idx]) > 0) schedule_timeout_uninterruptible(1);
}

}  // namespace

extern "C" {

void cf_init_srcu_struct(srcu_struct* s, lock_class_key* key) {
  atomic_set(&s->readers[0], 0);
  atomic_set(&s->readers[1], 0);
  s->idx = 0;
  __mutex_init(&s->mutex, "srcu", key);
}
void cleanup_srcu_struct(srcu_struct* s) { WARN_ON(atomic_read(&s->readers[0]) || atomic_read(&s->readers[1])); }

int srcu_read_lock(srcu_struct* s) {
  const unsigned idx = READ_ONCE(s->idx) & 1;
  atomic_fetch_add(1, &s->readers[idx]);
  return static_cast<int>(idx);
}
void srcu_read_unlock(srcu_struct* s, int idx) { atomic_fetch_sub(1, &s->readers[idx & 1]); }

void synchronize_srcu(srcu_struct* s) {
  might_sleep();
  MutexGuard one_at_a_time(s->mutex);
  for (int turn = 0; turn < 2; turn++) {
    const unsigned old = s->idx & 1;
    wait_until_dry(s, old ^ 1);
    __atomic_store_n(&s->idx, s->idx + 1, __ATOMIC_SEQ_CST);
    wait_until_dry(s, old);
  }
}

}  // extern "C"
