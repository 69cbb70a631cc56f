// The real-time queue: a hundred FIFO lists and a bitmap. Pure, as cfs_queue.hh. Spec 32 sections 1 and 2.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/list.h>
#include <linux/sched.h>

#include "kernel/sched/flags.hh"

struct rt_rq {
  u64 active[2]{};                     // bit per priority, 0 best
  list_head queue[MAX_RT_PRIO];
  unsigned nr_running = 0, rr_nr_running = 0;
  unsigned nr_migratory = 0;           // those that may run elsewhere too; kept by rt.cc

  rt_rq() {
    for (list_head& q : queue) INIT_LIST_HEAD(&q);
  }
  rt_rq(const rt_rq&) = delete;

  // Best queued priority, MAX_RT_PRIO when empty. As a hint, of any CPU.
  int best() const {
    const u64 high = READ_ONCE(active[0]);
    if (high) return __builtin_ctzll(high);
    const u64 low = READ_ONCE(active[1]);
    return low ? 64 + __builtin_ctzll(low) : MAX_RT_PRIO;
  }
  sched_rt_entity* first() const {  // R-6; null: empty
    int p = best();
    return p == MAX_RT_PRIO ? nullptr : list_first_entry(&queue[p], sched_rt_entity, run_list);
  }
  // SAVE without MOVE leaves the position in the list alone.
  void enqueue(sched_rt_entity* e, int prio, bool rr, int flags) {
    if (flags & ENQUEUE_WAKEUP) e->timeout = 0;
    if (!e->on_list) {
      if (flags & ENQUEUE_HEAD)
        list_add(&e->run_list, &queue[prio]);
      else
        list_add_tail(&e->run_list, &queue[prio]);
      WRITE_ONCE(active[prio / 64], active[prio / 64] | 1ull << prio % 64);
      e->on_list = 1;
    }
    e->on_rq = 1;
    nr_running++;
    rr_nr_running += rr;
  }
  void dequeue(sched_rt_entity* e, int prio, bool rr, int flags) {
    if ((flags & (DEQUEUE_SAVE | DEQUEUE_MOVE)) != DEQUEUE_SAVE) {
      list_del_init(&e->run_list);
      if (list_empty(&queue[prio])) WRITE_ONCE(active[prio / 64], active[prio / 64] & ~(1ull << prio % 64));
      e->on_list = 0;
    }
    e->on_rq = 0;
    nr_running--;
    rr_nr_running -= rr;
  }
  void requeue_tail(sched_rt_entity* e, int prio) { list_move_tail(&e->run_list, &queue[prio]); }
  void requeue_head(sched_rt_entity* e, int prio) { list_move(&e->run_list, &queue[prio]); }

  // one tick of a running RR entity; true if it must give way to another of its priority.
  bool rr_tick(sched_rt_entity* e, int prio, unsigned full_slice) {
    if (--e->time_slice) return false;
    e->time_slice = full_slice;
    if (list_is_singular(&queue[prio])) return false;
    requeue_tail(e, prio);
    return true;
  }
};
