// For suites about groups of fair tasks: tasks that want a CPU all the time, groups that go with their scope, recounts.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>

#include "kernel/sched/fair.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/task_group.hh"
#include "kernel/sync/guards.hh"

inline constexpr u64 kMs = 1'000'000;

// Wants a CPU all the time.
struct Hog {
  task_struct* task = nullptr;
  volatile bool stop = false;
  completion gone;

  static int run(void* p) {
    auto* h = static_cast<Hog*>(p);
    while (!READ_ONCE(h->stop)) cpu_relax();
    complete(&h->gone);
    return 0;
  }
  void start(kunit* test, unsigned cpu, task_group* tg) {
    stop = false;
    init_completion(&gone);
    task = kthread_create(run, this, "hog");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
    get_task_struct(task);
    const cpumask_t mask = {{1ul << cpu}};
    KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(task, &mask).has_value());
    sched_move_task(task, tg);
    wake_up_process(task);
  }
  u64 ran() const { return task_sched_runtime(task) / kMs; }  // ms
  void finish() {
    if (!task) return;
    sched_move_task(task, nullptr);  // a throttled group would keep it
    WRITE_ONCE(stop, true);
    wait_for_completion(&gone);
    put_task_struct(task);
    task = nullptr;
  }
  ~Hog() { finish(); }
};

struct Group {
  task_group* tg = nullptr;
  explicit Group(kunit* test, task_group* parent = nullptr) {
    auto made = sched_create_group(parent);
    KUNIT_ASSERT_TRUE(test, made.has_value());
    tg = *made;
  }
  ~Group() { sched_destroy_group(tg); }
  Group(const Group&) = delete;
  operator task_group*() const { return tg; }
};

// Lets others run; how long it took, in ms: a long sleep ends late by a little.
inline u64 let_run(unsigned ms) {
  const u64 before = arch::clock_ns();
  msleep(ms);
  return (arch::clock_ns() - before) / kMs;
}

// The test itself stays out of the way: it sleeps at real-time priority.
inline void watch_from_above() {
  (void)__sched_setscheduler(current, {.policy = SCHED_FIFO, .rt_priority = 50}, SchedCaller::Kernel);
}

inline void expect_near(kunit* test, u64 got, u64 want, u64 within, const char* what) {
  const u64 off = got > want ? got - want : want - got;
  KUNIT_EXPECT_TRUE_MSG(test, off <= within, "%s: %llu, not %llu +- %llu", what, got, want, within);
}

// Recounts every queue of a CPU from what hangs in it.
inline void expect_counts(kunit* test, unsigned cpu) {
  rq* r = cpu_rq(cpu);
  IrqSpinGuard guard(r->lock);
  unsigned tasks = 0;
  sched_entity* se;
  list_for_each_entry(se, &r->cfs_tasks, group_node) {
    bool counted = true;
    for (sched_entity* e = se; e; e = e->parent) counted &= !e->cfs_rq->throttled;
    tasks += counted;
  }
  KUNIT_EXPECT_EQ(test, r->cfs.h_nr_running, tasks);
  KUNIT_EXPECT_EQ(test, r->nr_running, tasks + r->rt.nr_running + (r->stop && task_on_rq_queued(r->stop)));
}
