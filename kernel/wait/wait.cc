// Wait queues: insertion, the wake walk with its bookmark, prepare and finish (spec 33 section 1).
// SPDX-License-Identifier: Apache-2.0
#include <linux/kthread.h>
#include <linux/wait.h>

#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

inline constexpr int kCallsPerSection = 64;  // a bookmark goes in after one more than this (W-6)

struct WakeCall {
  unsigned mode;
  int nr_exclusive;  // left to wake; 0 at the start: no limit. Carries over between sections (W-7)
  int flags;
  void* key;
};

wait_queue_entry* entry_of(list_head* l) { return list_entry(l, wait_queue_entry, entry); }

// One lock section of the walk, from `from` on. Returns true when the walk is over; otherwise the bookmark, which must
// not be null then, stands before the entry to go on with. q->lock held.
bool wake_section(wait_queue_head* q, WakeCall& w, list_head* from, wait_queue_entry* bookmark) {
  int calls = 0;
  for (list_head *pos = from, *next; pos != &q->head; pos = next) {
    wait_queue_entry* e = entry_of(pos);
    next = pos->next;  // the callback may unlink e, and nothing else while we hold the lock
    const unsigned flags = READ_ONCE(e->flags);  // wait_woken changes it without the lock
    if (flags & WQ_FLAG_BOOKMARK) continue;
    const int r = e->func(e, w.mode, w.flags, w.key);
    if (r < 0) return true;
    if (r && (flags & WQ_FLAG_EXCLUSIVE) && --w.nr_exclusive == 0) return true;  // W-4
    if (bookmark && ++calls > kCallsPerSection && next != &q->head) {
      list_add_tail(&bookmark->entry, next);
      return false;
    }
  }
  return true;
}

void wake_up_common(wait_queue_head* q, WakeCall w) {
  wait_queue_entry bookmark;
  bookmark.flags = WQ_FLAG_BOOKMARK;
  unsigned long flags = _raw_spin_lock_irqsave(&q->lock);
  bool done = wake_section(q, w, q->head.next, &bookmark);
  while (!done) {
    _raw_spin_unlock_irqrestore(&q->lock, flags);
    flags = _raw_spin_lock_irqsave(&q->lock);
    list_head* from = bookmark.entry.next;
    list_del(&bookmark.entry);
    done = wake_section(q, w, from, &bookmark);
  }
  _raw_spin_unlock_irqrestore(&q->lock, flags);
}

}  // namespace

extern "C" {

void __init_waitqueue_head(wait_queue_head* q, const char*, lock_class_key* key) {
  __raw_spin_lock_init(&q->lock, key);
  INIT_LIST_HEAD(&q->head);
}

void add_wait_queue(wait_queue_head* q, wait_queue_entry* e) {  // W-1
  e->flags &= ~WQ_FLAG_EXCLUSIVE;
  IrqSpinGuard g(q->lock);
  __add_wait_queue(q, e);
}
void add_wait_queue_exclusive(wait_queue_head* q, wait_queue_entry* e) {  // W-2
  e->flags |= WQ_FLAG_EXCLUSIVE;
  IrqSpinGuard g(q->lock);
  __add_wait_queue_entry_tail(q, e);
}
void add_wait_queue_priority(wait_queue_head* q, wait_queue_entry* e) {  // W-3
  e->flags |= WQ_FLAG_EXCLUSIVE | WQ_FLAG_PRIORITY;
  IrqSpinGuard g(q->lock);
  __add_wait_queue(q, e);
}
void remove_wait_queue(wait_queue_head* q, wait_queue_entry* e) {
  IrqSpinGuard g(q->lock);
  __remove_wait_queue(q, e);
}

void __wake_up(wait_queue_head* q, unsigned mode, int nr_exclusive, void* key) {
  wake_up_common(q, {mode, nr_exclusive, 0, key});
}
void __wake_up_sync_key(wait_queue_head* q, unsigned mode, void* key) { wake_up_common(q, {mode, 1, WF_SYNC, key}); }
void __wake_up_sync(wait_queue_head* q, unsigned mode) { __wake_up_sync_key(q, mode, nullptr); }
void __wake_up_pollfree(wait_queue_head* q) {
  constexpr unsigned kPollHup = 0x0010, kPollFree = 0x4000;
  __wake_up(q, TASK_NORMAL, 0, poll_to_key(kPollHup | kPollFree));
}
void __wake_up_locked(wait_queue_head* q, unsigned mode, int nr) {
  WakeCall w{mode, nr, 0, nullptr};
  wake_section(q, w, q->head.next, nullptr);
}
void __wake_up_locked_key(wait_queue_head* q, unsigned mode, void* key) {
  WakeCall w{mode, 1, 0, key};
  wake_section(q, w, q->head.next, nullptr);
}
void __wake_up_locked_sync_key(wait_queue_head* q, unsigned mode, void* key) {
  WakeCall w{mode, 1, WF_SYNC, key};
  wake_section(q, w, q->head.next, nullptr);
}

void init_wait_entry(wait_queue_entry* e, int flags) {
  e->flags = static_cast<unsigned>(flags);
  e->private_ = static_cast<task_struct*>(current);
  e->func = autoremove_wake_function;
  INIT_LIST_HEAD(&e->entry);
}

// The state is stored, with a full barrier, inside the lock: the caller's test of its condition comes after it, and
// pairs with the barrier in try_to_wake_up (W-9).
void prepare_to_wait(wait_queue_head* q, wait_queue_entry* e, int state) {
  e->flags &= ~WQ_FLAG_EXCLUSIVE;
  IrqSpinGuard g(q->lock);
  if (list_empty(&e->entry)) __add_wait_queue(q, e);
  set_current_state(static_cast<unsigned>(state));
}
bool prepare_to_wait_exclusive(wait_queue_head* q, wait_queue_entry* e, int state) {
  e->flags |= WQ_FLAG_EXCLUSIVE;
  IrqSpinGuard g(q->lock);
  bool was_empty = false;
  if (list_empty(&e->entry)) {
    was_empty = list_empty(&q->head);
    __add_wait_queue_entry_tail(q, e);
  }
  set_current_state(static_cast<unsigned>(state));
  return was_empty;
}
// With a signal pending the entry leaves the queue, so that an exclusive wake-up cannot land on a task that is going
// away: either the waker found it before, and the condition is true, or the next waiter gets it (W-10).
long prepare_to_wait_event(wait_queue_head* q, wait_queue_entry* e, int state) {
  IrqSpinGuard g(q->lock);
  if (signal_pending_state(static_cast<unsigned>(state), current)) [[unlikely]] {
    list_del_init(&e->entry);
    return -ERESTARTSYS;
  }
  if (list_empty(&e->entry)) {
    if (e->flags & WQ_FLAG_EXCLUSIVE)
      __add_wait_queue_entry_tail(q, e);
    else
      __add_wait_queue(q, e);
  }
  set_current_state(static_cast<unsigned>(state));
  return 0;
}
void finish_wait(wait_queue_head* q, wait_queue_entry* e) {
  __set_current_state(TASK_RUNNING);
  // Pairs with list_del_init_careful in autoremove_wake_function: once unlinked, the waker is done with e.
  if (list_empty_careful(&e->entry)) return;
  IrqSpinGuard g(q->lock);
  list_del_init(&e->entry);
}

int autoremove_wake_function(wait_queue_entry* e, unsigned mode, int flags, void* key) {
  int r = default_wake_function(e, mode, flags, key);
  if (r) list_del_init_careful(&e->entry);
  return r;
}
int woken_wake_function(wait_queue_entry* e, unsigned mode, int flags, void* key) {
  smp_mb();  // the waker's condition before WOKEN; pairs with the barrier after its clearing in wait_woken
  __atomic_fetch_or(&e->flags, WQ_FLAG_WOKEN, __ATOMIC_RELAXED);
  return default_wake_function(e, mode, flags, key);
}

static bool kthread_must_go() {
  return (current->flags & PF_KTHREAD) && (kthread_should_stop() || kthread_should_park());
}

long wait_woken(wait_queue_entry* e, unsigned mode, long timeout) {  // W-14
  set_current_state(mode);  // full barrier: a waker either sees the state or has set WOKEN before we look
  if (!(READ_ONCE(e->flags) & WQ_FLAG_WOKEN) && !kthread_must_go()) timeout = schedule_timeout(timeout);
  __set_current_state(TASK_RUNNING);
  __atomic_fetch_and(&e->flags, ~static_cast<unsigned>(WQ_FLAG_WOKEN), __ATOMIC_SEQ_CST);
  smp_mb();  // pairs with the barrier in woken_wake_function: the condition of a wake we just cleared is visible
  return timeout;
}

int cf_wait_hrtimeout_start(hrtimer_sleeper* s, ktime_t timeout) {
  hrtimer_init_sleeper(s, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
  if (timeout == KTIME_MAX) return 0;
  hrtimer_set_expires_range_ns(&s->timer, timeout, current->timer_slack_ns);
  hrtimer_sleeper_start_expires(s, HRTIMER_MODE_REL);
  return 1;
}
void cf_wait_hrtimeout_end(hrtimer_sleeper* s) { hrtimer_cancel(&s->timer); }

}  // extern "C"
