// Kernel threads and kthread_worker (spec 50 part A).
// SPDX-License-Identifier: Apache-2.0
#include <linux/slab.h>
#include <linux/string.h>

#include "test/sync/threads.hh"

namespace {

struct Probe {
  int runs = 0, wakes = 0, answer = 17;
  struct completion entered;
  Probe() { init_completion(&entered); }
};
int until_stopped(void* p) {
  auto* x = static_cast<Probe*>(p);
  WRITE_ONCE(x->runs, x->runs + 1);
  complete(&x->entered);
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (kthread_should_stop()) break;
    schedule();
    WRITE_ONCE(x->wakes, x->wakes + 1);
  }
  __set_current_state(TASK_RUNNING);
  return x->answer;
}

void stop_returns_the_result(kunit* test) {  // spec 50 K-8 K-13
  Probe x;
  task_struct* t = kthread_run(until_stopped, &x, "probe/%d", 5);
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  KUNIT_EXPECT_STREQ(test, t->comm, "probe/5");
  wait_for_completion(&x.entered);
  KUNIT_EXPECT_EQ(test, kthread_stop(t), 17);
  KUNIT_EXPECT_EQ(test, x.runs, 1);
}
void stopped_before_it_ran(kunit* test) {  // spec 50 K-8
  Probe x;
  task_struct* t = kthread_create(until_stopped, &x, "never");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  KUNIT_EXPECT_EQ(test, kthread_stop(t), -EINTR);
  KUNIT_EXPECT_EQ(test, x.runs, 0);
}
void created_threads_wait_for_their_wake_up(kunit* test) {  // spec 50 A3
  Probe x;
  task_struct* t = kthread_create(until_stopped, &x, "sleeper");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  settle();
  KUNIT_EXPECT_EQ(test, READ_ONCE(x.runs), 0);
  KUNIT_EXPECT_TRUE(test, t->flags & PF_KTHREAD);
  KUNIT_EXPECT_NULL(test, t->mm);
  KUNIT_EXPECT_EQ(test, t->real_parent->pid, 2);
  KUNIT_EXPECT_PTR_EQ(test, kthread_data(t), &x);
  KUNIT_EXPECT_PTR_EQ(test, kthread_func(t), (void*)until_stopped);
  wake_up_process(t);
  wait_for_completion(&x.entered);
  kthread_stop(t);
}
int answer_at_once(void* p) {
  complete(static_cast<completion*>(p));
  return 23;
}
void stop_after_it_ended(kunit* test) {  // spec 50 K-10
  DECLARE_COMPLETION_ONSTACK(c);
  task_struct* t = kthread_create(answer_at_once, &c, "short");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  get_task_struct(t);
  wake_up_process(t);
  wait_for_completion(&c);
  settle();
  KUNIT_EXPECT_EQ(test, kthread_stop(t), 23);
  put_task_struct(t);
}
void long_names_are_cut(kunit* test) {  // spec 50 A3.5
  Probe x;
  task_struct* t = kthread_create(until_stopped, &x, "a-name-of-more-than-%d-characters", 15);
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  KUNIT_EXPECT_STREQ(test, t->comm, "a-name-of-more-");
  kthread_stop(t);
}
int parks(void* p) {
  auto* x = static_cast<Probe*>(p);
  while (!kthread_should_stop()) {
    if (kthread_should_park()) kthread_parkme();
    WRITE_ONCE(x->runs, x->runs + 1);
    schedule_timeout_interruptible(1);
  }
  return x->answer;
}
void park_and_unpark(kunit* test) {  // spec 50 A5, K-15
  Probe x;
  task_struct* t = kthread_run(parks, &x, "parker");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  settle();
  KUNIT_EXPECT_EQ(test, kthread_park(t), 0);
  KUNIT_EXPECT_EQ(test, READ_ONCE(t->__state), (unsigned)TASK_PARKED);
  int runs = READ_ONCE(x.runs);
  wake_up_process(t);  // does not count
  settle();
  KUNIT_EXPECT_EQ(test, READ_ONCE(x.runs), runs);
  kthread_unpark(t);
  EXPECT_SOON(test, READ_ONCE(x.runs) > runs);
  KUNIT_EXPECT_EQ(test, kthread_stop(t), 17);
}
void park_before_the_first_wake(kunit* test) {  // spec 50 K-14
  Probe x;
  task_struct* t = kthread_create(until_stopped, &x, "early");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  KUNIT_EXPECT_EQ(test, kthread_park(t), 0);
  KUNIT_EXPECT_EQ(test, READ_ONCE(x.runs), 0);
  kthread_unpark(t);
  wait_for_completion(&x.entered);
  KUNIT_EXPECT_EQ(test, kthread_stop(t), 17);
}
void stop_while_parked(kunit* test) {  // spec 50 K-11
  Probe x;
  task_struct* t = kthread_run(parks, &x, "parked");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  KUNIT_EXPECT_EQ(test, kthread_park(t), 0);
  KUNIT_EXPECT_EQ(test, kthread_stop(t), 17);
}
void many_parks(kunit* test) {  // spec 50 K-16, in small
  Probe x;
  task_struct* t = kthread_run(parks, &x, "often");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  for (int i = 0; i < 100; i++) {
    KUNIT_EXPECT_EQ(test, kthread_park(t), 0);
    kthread_unpark(t);
  }
  KUNIT_EXPECT_EQ(test, kthread_stop(t), 17);
}
int which_cpu(void* p) {
  WRITE_ONCE(*static_cast<unsigned*>(p), smp_processor_id());
  while (!kthread_should_stop()) schedule_timeout_interruptible(2);
  return 0;
}
void bound_to_a_cpu(kunit* test) {  // spec 50 K-3
  unsigned cpu;
  for_each_online_cpu(cpu) {
    unsigned seen = 99;
    task_struct* t = kthread_run_on_cpu(which_cpu, &seen, cpu, "on/%u");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
    EXPECT_SOON(test, READ_ONCE(seen) == cpu);
    KUNIT_EXPECT_TRUE(test, t->flags & PF_NO_SETAFFINITY);
    KUNIT_EXPECT_TRUE(test, kthread_is_per_cpu(t));
    kthread_stop(t);
  }
}
int interruptible_sleep(void*) {
  const long left = schedule_timeout_interruptible(10000);
  while (!kthread_should_stop()) schedule_timeout_interruptible(1);
  return left > 0;
}
void stop_ends_interruptible_waits(kunit* test) {  // spec 50 A4
  task_struct* t = kthread_run(interruptible_sleep, nullptr, "sleeps");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  settle();
  KUNIT_EXPECT_EQ(test, kthread_stop(t), 1);
}
void no_zombies(kunit* test) {  // spec 50 K-1: and the leak check at the end
  for (int i = 0; i < 50; i++) {
    DECLARE_COMPLETION_ONSTACK(c);
    task_struct* t = kthread_run(answer_at_once, &c, "burst/%d", i);
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
    wait_for_completion(&c);
  }
}
int leave_with_completion(void* p) { kthread_complete_and_exit(static_cast<completion*>(p), 3); }
void complete_and_exit(kunit* test) {
  DECLARE_COMPLETION_ONSTACK(c);
  task_struct* t = kthread_create(leave_with_completion, &c, "leaver");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  get_task_struct(t);
  wake_up_process(t);
  wait_for_completion(&c);
  KUNIT_EXPECT_EQ(test, kthread_stop(t), 3);
  put_task_struct(t);
}

// ---- Workers ---------------------------------------------------------------------------------------------------------
struct Work {
  kthread_work w;
  kthread_delayed_work dw;
  int id, runs, again, nap;
};
constinit struct {
  int order[32];
  int n;
} log_;
void run_work(kthread_work* w) {
  Work* x = container_of(w, Work, w);
  if (log_.n < 32) log_.order[log_.n] = x->id;
  log_.n++;
  WRITE_ONCE(x->runs, x->runs + 1);
  if (x->nap) msleep(static_cast<unsigned>(x->nap));
  if (x->again) {
    x->again--;
    kthread_queue_work(w->worker, w);
  }
}
void run_delayed(kthread_work* w) {
  Work* x = container_of(w, Work, dw.work);
  WRITE_ONCE(x->runs, x->runs + 1);
}
void make(Work* x, int id) {
  *x = {};
  x->id = id;
  kthread_init_work(&x->w, run_work);
  kthread_init_delayed_work(&x->dw, run_delayed);
}
struct WorkerTest {
  kthread_worker* worker;
  Work w[4];
};
WorkerTest* worker_test(kunit* test) {
  log_ = {};
  auto* x = static_cast<WorkerTest*>(kzalloc(sizeof(WorkerTest), GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, x);
  for (int i = 0; i < 4; i++) make(&x->w[i], i);
  x->worker = kthread_create_worker(0, "worker");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, x->worker);
  return x;
}
void end(WorkerTest* x) {
  kthread_destroy_worker(x->worker);
  kfree(x);
}
void worker_runs_in_order(kunit* test) {  // spec 50 K-17
  WorkerTest* x = worker_test(test);
  x->w[0].nap = 10;
  for (auto& w : x->w) KUNIT_EXPECT_TRUE(test, kthread_queue_work(x->worker, &w.w));
  KUNIT_EXPECT_FALSE(test, kthread_queue_work(x->worker, &x->w[3].w));
  kthread_flush_worker(x->worker);
  KUNIT_EXPECT_EQ(test, log_.n, 4);
  for (int i = 0; i < 4; i++) KUNIT_EXPECT_EQ(test, log_.order[i], i);
  end(x);
}
void work_requeues_itself(kunit* test) {  // spec 50 K-18
  WorkerTest* x = worker_test(test);
  x->w[0].again = 3;
  kthread_queue_work(x->worker, &x->w[0].w);
  settle();
  kthread_flush_worker(x->worker);
  KUNIT_EXPECT_EQ(test, x->w[0].runs, 4);
  end(x);
}
void flush_waits_for_the_running_instance(kunit* test) {  // spec 50 A6
  WorkerTest* x = worker_test(test);
  x->w[0].nap = 30;
  kthread_queue_work(x->worker, &x->w[0].w);
  settle();
  ktime_t begin = ktime_get();
  kthread_flush_work(&x->w[0].w);
  KUNIT_EXPECT_EQ(test, x->w[0].runs, 1);
  KUNIT_EXPECT_GE(test, ktime_get() - begin, NSEC_PER_MSEC);
  end(x);
}
void cancel_work(kunit* test) {  // spec 50 A6
  WorkerTest* x = worker_test(test);
  KUNIT_EXPECT_FALSE(test, kthread_cancel_work_sync(&x->w[1].w));
  x->w[0].nap = 30;
  kthread_queue_work(x->worker, &x->w[0].w);
  kthread_queue_work(x->worker, &x->w[1].w);
  settle();
  KUNIT_EXPECT_TRUE(test, kthread_cancel_work_sync(&x->w[1].w));
  KUNIT_EXPECT_FALSE(test, kthread_cancel_work_sync(&x->w[0].w));  // runs: waited for
  kthread_flush_worker(x->worker);
  KUNIT_EXPECT_EQ(test, x->w[1].runs, 0);
  KUNIT_EXPECT_EQ(test, x->w[0].runs, 1);
  end(x);
}
void delayed_work(kunit* test) {  // spec 50 A6
  WorkerTest* x = worker_test(test);
  Work& a = x->w[0];
  KUNIT_EXPECT_TRUE(test, kthread_queue_delayed_work(x->worker, &a.dw, 5));
  KUNIT_EXPECT_FALSE(test, kthread_queue_delayed_work(x->worker, &a.dw, 5));
  KUNIT_EXPECT_EQ(test, READ_ONCE(a.runs), 0);
  for (int i = 0; i < 40 && !READ_ONCE(a.runs); i++) msleep(60);  // once, on a slow host, too
  KUNIT_EXPECT_EQ(test, READ_ONCE(a.runs), 1);
  KUNIT_EXPECT_FALSE(test, kthread_mod_delayed_work(x->worker, &a.dw, 1000));
  KUNIT_EXPECT_TRUE(test, kthread_mod_delayed_work(x->worker, &a.dw, 2));
  for (int i = 0; i < 40 && READ_ONCE(a.runs) < 2; i++) msleep(40);
  KUNIT_EXPECT_EQ(test, READ_ONCE(a.runs), 2);
  kthread_queue_delayed_work(x->worker, &a.dw, 1000);
  KUNIT_EXPECT_TRUE(test, kthread_cancel_delayed_work_sync(&a.dw));
  KUNIT_EXPECT_FALSE(test, kthread_cancel_delayed_work_sync(&a.dw));
  KUNIT_EXPECT_EQ(test, READ_ONCE(a.runs), 2);
  end(x);
}

kunit_case cases[] = {
    KUNIT_CASE(stop_returns_the_result),
    KUNIT_CASE(stopped_before_it_ran),
    KUNIT_CASE(created_threads_wait_for_their_wake_up),
    KUNIT_CASE(stop_after_it_ended),
    KUNIT_CASE(long_names_are_cut),
    KUNIT_CASE(park_and_unpark),
    KUNIT_CASE(park_before_the_first_wake),
    KUNIT_CASE(stop_while_parked),
    KUNIT_CASE(many_parks),
    KUNIT_CASE(bound_to_a_cpu),
    KUNIT_CASE(stop_ends_interruptible_waits),
    KUNIT_CASE(no_zombies),
    KUNIT_CASE(complete_and_exit),
    KUNIT_CASE(worker_runs_in_order),
    KUNIT_CASE(work_requeues_itself),
    KUNIT_CASE(flush_waits_for_the_running_instance),
    KUNIT_CASE(cancel_work),
    KUNIT_CASE(delayed_work),
    {},
};
kunit_suite suite = {.name = "kthread", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
