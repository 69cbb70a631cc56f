// Queues of signals: entries are charged to the target's real user (spec 21 S-17).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/signal/queue.hh"

#include <linux/list.h>
#include <linux/slab.h>

#include "init/report.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"

namespace {

constinit kmem_cache* cache;

void uncharge(ucounts* u) { dec_rlimit_put_ucounts(u, UCOUNT_RLIMIT_SIGPENDING); }

}  // namespace

sigqueue* new_queue_entry(task_struct* t, QueueLimit limit) {
  ucounts* user;
  long pending;
  {
    RcuReadGuard rcu;
    user = rcu_dereference(t->real_cred)->ucounts;
    pending = inc_rlimit_get_ucounts(user, UCOUNT_RLIMIT_SIGPENDING);
  }
  sigqueue* q = nullptr;
  if (limit == QueueLimit::Override || static_cast<unsigned long>(pending) <= rlimit_of(t, RLIMIT_SIGPENDING))
    q = static_cast<sigqueue*>(kmem_cache_alloc(cache, GFP_ATOMIC));
  if (!q) {
    uncharge(user);
    return nullptr;
  }
  INIT_LIST_HEAD(&q->list);
  q->preallocated = false;
  q->ucounts = user;
  return q;
}

void free_queue_entry(sigqueue* q) {
  if (q->preallocated) return;  // its owner frees it
  uncharge(q->ucounts);
  kmem_cache_free(cache, q);
}

void flush_sigqueue(sigpending* pending) {
  WRITE_ONCE(pending->signal.sig[0], 0);
  while (!list_empty(&pending->list)) {
    sigqueue* q = list_first_entry(&pending->list, sigqueue, list);
    list_del_init(&q->list);
    free_queue_entry(q);
  }
}

void remove_signals(sigpending* pending, u64 mask) {
  if (!(pending->signal.sig[0] & mask)) return;
  WRITE_ONCE(pending->signal.sig[0], pending->signal.sig[0] & ~mask);
  sigqueue *q, *next;
  list_for_each_entry_safe(q, next, &pending->list, list) {
    if (!in_set(mask, q->info.si_signo)) continue;
    list_del_init(&q->list);
    free_queue_entry(q);
  }
}

// ---- Preallocated entries: a POSIX timer has one, and so its signal is never lost -------------------------------------

sigqueue* sigqueue_alloc() {
  sigqueue* q = new_queue_entry(current, QueueLimit::Respect);
  if (q) q->preallocated = true;
  return q;
}

kernel_siginfo* sigqueue_info(sigqueue* q) { return &q->info; }

// The owner gives it up. If it is queued still, the queue frees it at delivery.
void sigqueue_free(sigqueue* q) {
  unsigned long flags;
  // Queued in current's group or not at all; the lock orders us with delivery.
  sighand_struct* sighand = lock_task_sighand(current, &flags);
  q->preallocated = false;
  bool queued = !list_empty(&q->list);
  if (sighand) unlock_task_sighand(current, flags);
  if (!queued) free_queue_entry(q);
}

void signal_queue_init() {
  cache = kmem_cache_create("sigqueue", sizeof(sigqueue), 0, SLAB_PANIC, nullptr);
}

void signal_queue_exit(LeakReport&) { kmem_cache_destroy(cache); }
