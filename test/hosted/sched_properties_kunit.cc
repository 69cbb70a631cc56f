// Workloads that lead the scheduler where its invariants are at stake: queues whose floors are far apart, throttling that must end,
// budgets that must come back. Most of what is looked at is looked at by kernel/sched/check*.cc meanwhile.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/wait.h>

#include "kernel/sched/params.hh"
#include "kernel/sched/task_group.hh"

namespace {

constexpr u64 kMs = 1'000'000;

struct Part {
  bool stop = false;
  u64 ran = 0;
  int wanted = 0, seen = 0;
  wait_queue_head_t wq;
};

// Spends virtual time, as a program would: in small pieces, so that the tick gets its turn.
void spend(u64 ns) {
  const u64 end = arch::clock_ns() + ns;
  while (arch::clock_ns() < end) cpu_relax();
}

int hog(void* d) {
  auto* p = static_cast<Part*>(d);
  while (!READ_ONCE(p->stop)) spend(kMs / 2);
  p->ran = current->se.sum_exec_runtime;
  return 0;
}

int sleeper(void* d) {
  auto* p = static_cast<Part*>(d);
  for (int i = 1; !READ_ONCE(p->stop); i++) {
    wait_event(p->wq, READ_ONCE(p->wanted) >= i || READ_ONCE(p->stop));
    WRITE_ONCE(p->seen, i);
  }
  return 0;
}

task_struct* start(kunit* test, int (*fn)(void*), Part* p, unsigned long cpus) {
  init_waitqueue_head(&p->wq);
  task_struct* t = kthread_create(fn, p, "part");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  get_task_struct(t);
  cpumask_t mask = {{cpus}};
  (void)set_cpus_allowed_ptr(t, &mask);
  wake_up_process(t);
  return t;
}
void finish(Part* p, task_struct* t) {
  WRITE_ONCE(p->stop, true);
  wake_up_all(&p->wq);
  while (READ_ONCE(t->__state) != TASK_DEAD) schedule_timeout_uninterruptible(1);
  put_task_struct(t);
}
void nap(unsigned ms) { schedule_timeout_uninterruptible(ms * HZ / 1000); }

s64 lead(task_struct* p) {
  TaskRqGuard g(p);
  return static_cast<s64>(p->se.vruntime - p->se.cfs_rq->min_vruntime);
}

// spec 31 F-21: a task that changes CPU keeps its distance from the floor, not its vruntime
void vruntime_is_kept_relative(kunit* test) {
  Part busy, light, moved;
  task_struct* a = start(test, hog, &busy, 0b0010);
  nap(400);  // CPU 1's floor is far ahead of CPU 2's
  task_struct* b = start(test, hog, &light, 0b0100);
  task_struct* m = start(test, sleeper, &moved, 0b0010);
  for (int i = 1; i <= 12; i++) {
    cpumask_t there = {{i % 2 ? 0b0100ul : 0b0010ul}};
    (void)set_cpus_allowed_ptr(m, &there);  // asleep: it goes there when it is woken
    WRITE_ONCE(moved.wanted, i);
    wake_up(&moved.wq);
    nap(40);
    KUNIT_EXPECT_EQ(test, READ_ONCE(moved.seen), i);
    KUNIT_EXPECT_LT(test, lead(m), s64{100 * kMs});
    KUNIT_EXPECT_GT(test, lead(m), -s64{500 * kMs});
  }
  finish(&moved, m);
  finish(&light, b);
  finish(&busy, a);
}

// spec 31 F-18, F-21: queued ones that are moved, and children
void queued_tasks_keep_their_place(kunit* test) {
  Part parts[5];
  task_struct* t[5];
  for (int i = 0; i < 2; i++) t[i] = start(test, hog, &parts[i], 0b0010);
  nap(300);
  for (int i = 2; i < 5; i++) t[i] = start(test, hog, &parts[i], 0b0100);
  for (int i = 0; i < 10; i++) {
    cpumask_t there = {{i % 2 ? 0b0100ul : 0b0010ul}};
    (void)set_cpus_allowed_ptr(t[2 + i % 3], &there);
    set_user_nice(t[i % 5], i % 3 * 3 - 3);
    nap(20);
    for (auto* p : t) KUNIT_EXPECT_LT(test, lead(p), s64{400 * kMs});
  }
  for (int i = 0; i < 5; i++) finish(&parts[i], t[i]);
  for (auto& p : parts) KUNIT_EXPECT_GT(test, p.ran, 20 * kMs);
}

// spec 31 F-54 to F-58: a throttled group comes back, on idle CPUs too
void throttled_groups_come_back(kunit* test) {
  auto group = sched_create_group(nullptr);
  KUNIT_ASSERT_TRUE(test, group.has_value());
  Part parts[3];
  task_struct* t[3];
  for (int i = 0; i < 3; i++) {
    t[i] = start(test, hog, &parts[i], i ? 0b0010 : 0b0100);
    sched_move_task(t[i], *group);
  }
  KUNIT_EXPECT_TRUE(test, sched_group_set_bandwidth(*group, 20 * kMs, 100 * kMs, 0).has_value());
  nap(1000);
  for (auto& p : parts) WRITE_ONCE(p.stop, true);
  u64 sum = 0;
  for (int i = 0; i < 3; i++) {
    finish(&parts[i], t[i]);
    sum += parts[i].ran;
  }
  KUNIT_EXPECT_GT(test, sum, 150 * kMs);
  KUNIT_EXPECT_LT(test, sum, 350 * kMs);  // and the slices in hand
  sched_destroy_group(*group);
}

// spec 32: real-time tasks are throttled, and come back
void realtime_is_throttled_and_comes_back(kunit* test) {
  Part rt, other;
  task_struct* a = start(test, hog, &other, 0b0010);
  task_struct* b = start(test, hog, &rt, 0b0010);
  (void)__sched_setscheduler(b, {.policy = SCHED_RR, .rt_priority = 10}, SchedCaller::Kernel);
  nap(3200);
  finish(&rt, b);
  finish(&other, a);
  KUNIT_EXPECT_GT(test, rt.ran, 2500 * kMs);
  KUNIT_EXPECT_GT(test, other.ran, 90 * kMs);
}

// spec 32 D-6, D-7, D-13: a deadline task gets its budget in each period, and no more
void deadline_budget_comes_back(kunit* test) {
  Part dl, other;
  task_struct* a = start(test, hog, &other, 0b0010);
  task_struct* b = start(test, hog, &dl, cpu_possible_mask->bits[0]);
  const SchedRequest q{.policy = SCHED_DEADLINE, .runtime = 10 * kMs, .deadline = 50 * kMs, .period = 50 * kMs};
  KUNIT_EXPECT_TRUE(test, __sched_setscheduler(b, q, SchedCaller::Kernel).has_value());
  nap(1000);
  finish(&dl, b);
  finish(&other, a);
  KUNIT_EXPECT_GT(test, dl.ran, 150 * kMs);
  KUNIT_EXPECT_LT(test, dl.ran, 350 * kMs);
}

// spec 31 section 8: tasks enter and leave nested groups while others of them run
void groups_are_counted(kunit* test) {
  auto outer = sched_create_group(nullptr);
  KUNIT_ASSERT_TRUE(test, outer.has_value());
  auto inner = sched_create_group(*outer);
  KUNIT_ASSERT_TRUE(test, inner.has_value());
  Part parts[4], moved;
  task_struct* t[4];
  for (int i = 0; i < 4; i++) {
    t[i] = start(test, hog, &parts[i], 0b0110);
    sched_move_task(t[i], i % 2 ? *inner : *outer);
  }
  task_struct* m = start(test, sleeper, &moved, 0b0110);
  sched_move_task(m, *inner);
  for (int i = 1; i <= 20; i++) {
    WRITE_ONCE(moved.wanted, i);
    wake_up(&moved.wq);
    sched_move_task(t[i % 4], i % 3 == 0 ? nullptr : i % 3 == 1 ? *inner : *outer);
    nap(10);
  }
  finish(&moved, m);
  for (int i = 0; i < 4; i++) finish(&parts[i], t[i]);
  sched_destroy_group(*inner);
  sched_destroy_group(*outer);
}

// spec 33 section 1, finish_wait: whoever stops waiting for another reason than a wake-up is off the queue all the same
void waiters_leave_nothing_behind(kunit* test) {
  wait_queue_head_t wq;
  init_waitqueue_head(&wq);
  KUNIT_EXPECT_EQ(test, wait_event_timeout(wq, false, 2), 0l);
  KUNIT_EXPECT_FALSE(test, waitqueue_active(&wq));
}

kunit_case cases[] = {
    KUNIT_CASE(vruntime_is_kept_relative), KUNIT_CASE(queued_tasks_keep_their_place), KUNIT_CASE(throttled_groups_come_back),
    KUNIT_CASE(realtime_is_throttled_and_comes_back), KUNIT_CASE(deadline_budget_comes_back), KUNIT_CASE(groups_are_counted),
    KUNIT_CASE(waiters_leave_nothing_behind), {},
};
kunit_suite suite = {.name = "sched_properties", .test_cases = cases, .world = {.cpus = 4, .seeds = 8}};

}  // namespace

kunit_test_suite(suite);
