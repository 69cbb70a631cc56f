// Waits for bits and variables: 256 queues, found by hashing the address; a waker calls only the waiters of its key.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/wait_bit.h>

#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/wait/wait.hh"
#include "lib/late.hh"

namespace {

struct BitQueues {
  wait_queue_head queue[256];
};
constinit Late<BitQueues> queues;

wait_queue_head* queue_of(const void* word, int bit) {
  const u64 key = reinterpret_cast<u64>(word) * 64 + static_cast<u64>(bit);
  return &queues->queue[key * 0x9e3779b97f4a7c15ull >> 56];
}

bool test_and_set(unsigned long* word, int bit) {
  return __atomic_fetch_or(&word[bit / 64], 1ul << (bit % 64), __ATOMIC_SEQ_CST) >> (bit % 64) & 1;
}

void init_entry(wait_bit_queue_entry* e, void* word, int bit, unsigned long timeout) {
  init_wait_entry(&e->wq_entry, 0);
  e->wq_entry.func = wake_bit_function;
  e->key = {word, bit, timeout};
}

int wait_for_clear(void* word, int bit, wait_bit_action_f* action, unsigned mode, unsigned long timeout) {
  wait_queue_head* q = queue_of(word, bit);
  wait_bit_queue_entry e;
  init_entry(&e, word, bit, timeout);
  int r = 0;
  do {
    prepare_to_wait(q, &e.wq_entry, static_cast<int>(mode));
    if (cf_bit_set(static_cast<unsigned long*>(word), bit)) r = action(&e.key, static_cast<int>(mode));
  } while (!r && cf_bit_set(static_cast<unsigned long*>(word), bit));
  finish_wait(q, &e.wq_entry);
  return r;
}

int after_sleep(int mode) { return signal_pending_state(static_cast<unsigned>(mode), current) ? -EINTR : 0; }

}  // namespace

void wait_init() {
  BitQueues& q = queues.construct();
  for (wait_queue_head& h : q.queue) init_waitqueue_head(&h);
}
void wait_exit(LeakReport& report) {
  for (wait_queue_head& h : queues->queue) report.expect_zero("waiters for a bit", waitqueue_active(&h));
  queues.destroy();
}

extern "C" {

int wake_bit_function(wait_queue_entry* e, unsigned mode, int flags, void* arg) {
  auto* key = static_cast<wait_bit_key*>(arg);
  auto* w = container_of(e, wait_bit_queue_entry, wq_entry);
  if (w->key.flags != key->flags || w->key.bit_nr != key->bit_nr) return 0;
  if (key->bit_nr >= 0 && cf_bit_set(static_cast<unsigned long*>(key->flags), key->bit_nr)) return 0;
  return autoremove_wake_function(e, mode, flags, arg);
}

void wake_up_bit(void* word, int bit) {
  wait_queue_head* q = queue_of(word, bit);
  wait_bit_key key{word, bit, 0};
  if (waitqueue_active(q)) __wake_up(q, TASK_NORMAL, 1, &key);
}
void clear_and_wake_up_bit(int bit, unsigned long* word) {
  __atomic_fetch_and(&word[bit / 64], ~(1ul << (bit % 64)), __ATOMIC_RELEASE);
  smp_mb();  // before the look at the queue; pairs with the barrier of prepare_to_wait
  wake_up_bit(word, bit);
}

int bit_wait(wait_bit_key*, int mode) {
  schedule();
  return after_sleep(mode);
}
int bit_wait_io(wait_bit_key*, int mode) {
  io_schedule();
  return after_sleep(mode);
}
int bit_wait_timeout(wait_bit_key* key, int mode) {
  const long left = static_cast<long>(key->timeout - jiffies);
  if (left <= 0) return -EAGAIN;
  schedule_timeout(left);
  return after_sleep(mode);
}

int out_of_line_wait_on_bit(void* word, int bit, wait_bit_action_f* action, unsigned mode) {
  return wait_for_clear(word, bit, action, mode, 0);
}
int out_of_line_wait_on_bit_timeout(void* word, int bit, wait_bit_action_f* action, unsigned mode, unsigned long timeout) {
  return wait_for_clear(word, bit, action, mode, jiffies + timeout);
}
int out_of_line_wait_on_bit_lock(void* word, int bit, wait_bit_action_f* action, unsigned mode) {
  wait_queue_head* q = queue_of(word, bit);
  wait_bit_queue_entry e;
  init_entry(&e, word, bit, 0);
  for (;;) {
    prepare_to_wait_exclusive(q, &e.wq_entry, static_cast<int>(mode));
    int r = 0;
    if (cf_bit_set(static_cast<unsigned long*>(word), bit)) {
      r = action(&e.key, static_cast<int>(mode));
      // We leave without the bit: a wake-up that reached us must reach the next one.
      if (r) {
        const bool woken = list_empty_careful(&e.wq_entry.entry);
        finish_wait(q, &e.wq_entry);
        if (woken) wake_up_bit(word, bit);
        return r;
      }
    }
    if (!test_and_set(static_cast<unsigned long*>(word), bit)) break;
  }
  finish_wait(q, &e.wq_entry);
  return 0;
}

wait_queue_head* __var_waitqueue(void* var) { return queue_of(var, -1); }
void init_wait_var_entry(wait_bit_queue_entry* e, void* var, int flags) {
  init_entry(e, var, -1, 0);
  e->wq_entry.flags = static_cast<unsigned>(flags);
}
void wake_up_var(void* var) { wake_up_bit(var, -1); }

}  // extern "C"
