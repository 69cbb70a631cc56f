// SCHED_DEADLINE with real tasks in virtual time, to a tick. Spec 32 part 2.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>

#include "kernel/sched/dl.hh"
#include "kernel/sched/params.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr u64 kMs = 1'000'000;
constexpr u64 kTick = 1000 / HZ;  // ms

Result<void> set_deadline(task_struct* p, u64 runtime, u64 deadline, u64 period = 0, unsigned flags = 0) {
  return __sched_setscheduler(p,
                              {.policy = SCHED_DEADLINE, .runtime = runtime * kMs, .deadline = deadline * kMs,
                               .period = period * kMs, .dl_flags = flags},
                              SchedCaller::Kernel);
}
Result<void> set_normal(task_struct* p) { return __sched_setscheduler(p, {.policy = SCHED_NORMAL}, SchedCaller::Kernel); }

struct Hog {
  task_struct* task = nullptr;
  volatile bool stop = false;
  volatile bool yield = false;
  completion gone;

  static int run(void* p) {
    auto* h = static_cast<Hog*>(p);
    while (!READ_ONCE(h->stop)) {
      if (READ_ONCE(h->yield)) {
        WRITE_ONCE(h->yield, false);
        sched_yield_current();
      }
      cpu_relax();
    }
    complete(&h->gone);
    return 0;
  }
  void start(kunit* test) {
    init_completion(&gone);
    task = kthread_create(run, this, "hog");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
    get_task_struct(task);
    wake_up_process(task);
  }
  u64 ran() const { return task_sched_runtime(task) / kMs; }
  void finish() {
    if (!task) return;
    (void)set_normal(task);
    WRITE_ONCE(stop, true);
    wait_for_completion(&gone);
    put_task_struct(task);
    task = nullptr;
  }
  ~Hog() { finish(); }
};

u64 let_run(unsigned ms) {
  const u64 before = arch::clock_ns();
  msleep(ms);
  return (arch::clock_ns() - before) / kMs;
}

void expect_near(kunit* test, u64 got, u64 want, u64 within, const char* what) {
  const u64 off = got > want ? got - want : want - got;
  KUNIT_EXPECT_TRUE_MSG(test, off <= within, "%s: %llu, not %llu +- %llu", what, got, want, within);
}

}  // namespace

// spec 32 D-6, D-7, D-14: a hog has its share, the rest goes to others
static void a_hog_is_held_to_its_budget(kunit* test) {
  Hog deadline, fair;
  deadline.start(test);
  fair.start(test);
  KUNIT_ASSERT_TRUE(test, set_deadline(deadline.task, 30, 100).has_value());
  const u64 d = deadline.ran(), f = fair.ran();
  const u64 t = let_run(2000);
  expect_near(test, deadline.ran() - d, t * 3 / 10, 30 + kTick, "the deadline hog");
  expect_near(test, fair.ran() - f, t * 7 / 10, 30 + 4 * kTick, "the fair one");
}

// spec 32 D-12
static void a_yield_gives_up_the_rest(kunit* test) {
  Hog h, fair;
  h.start(test);
  fair.start(test);
  KUNIT_ASSERT_TRUE(test, set_deadline(h.task, 50, 100).has_value());
  msleep(500);
  const u64 before = h.ran();
  u64 t = 0;
  for (int i = 0; i < 10; i++) {
    WRITE_ONCE(h.yield, true);
    t += let_run(100);
  }
  KUNIT_EXPECT_LT(test, h.ran() - before, t / 4);  // of the half that it might have had
}

// spec 32 D-2, S-5: before any real-time task
static void it_runs_before_real_time_tasks(kunit* test) {
  Hog fifo, deadline;
  fifo.start(test);
  deadline.start(test);
  (void)__sched_setscheduler(current, {.policy = SCHED_FIFO, .rt_priority = 99}, SchedCaller::Kernel);
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(fifo.task, {.policy = SCHED_FIFO, .rt_priority = 98}, SchedCaller::Kernel).has_value());
  KUNIT_ASSERT_TRUE(test, set_deadline(deadline.task, 40, 100).has_value());
  KUNIT_EXPECT_EQ(test, deadline.task->prio, -1);
  const u64 d = deadline.ran();
  const u64 t = let_run(800);
  expect_near(test, deadline.ran() - d, t * 2 / 5, 40 + kTick, "the deadline task");
}

// spec 32 D-25: the earlier deadline first
static void the_earlier_deadline_runs_first(kunit* test) {
  Hog x, y;
  x.start(test);
  y.start(test);
  KUNIT_ASSERT_TRUE(test, set_deadline(x.task, 20, 100).has_value());
  KUNIT_ASSERT_TRUE(test, set_deadline(y.task, 30, 60, 100).has_value());
  const u64 dx = x.ran(), dy = y.ran();
  const u64 t = let_run(2000);
  expect_near(test, x.ran() - dx, t / 5, 20 + kTick, "X");
  expect_near(test, y.ran() - dy, t * 3 / 10, 30 + kTick, "Y");
}

// spec 32 D-3, D-4, D-26
static void admission_is_tested(kunit* test) {
  Hog h[4];
  for (Hog& each : h) each.start(test);
  for (int i = 0; i < 3; i++) KUNIT_EXPECT_TRUE(test, set_deadline(h[i].task, 30, 100).has_value());
  KUNIT_EXPECT_EQ(test, set_deadline(h[3].task, 10, 100).error().code(), EBUSY);
  KUNIT_EXPECT_EQ(test, h[3].task->policy, unsigned{SCHED_NORMAL});
  KUNIT_EXPECT_TRUE(test, set_deadline(h[0].task, 30, 100).has_value());  // the same again needs no test
  KUNIT_EXPECT_TRUE(test, set_deadline(h[3].task, 4, 100).has_value());
  KUNIT_EXPECT_EQ(test, dl_admitted_total(), 3 * dl::to_ratio(100, 30) + dl::to_ratio(100, 4));
}

// spec 32 D-4, D-18: what leaves the class keeps its share until its 0-lag time
static void bandwidth_is_free_after_the_zero_lag_time(kunit* test) {
  Hog h;
  h.start(test);
  KUNIT_ASSERT_TRUE(test, set_deadline(h.task, 20, 200).has_value());
  KUNIT_EXPECT_EQ(test, dl_admitted_total(), dl::to_ratio(200, 20));
  msleep(8);  // it has used some: its share is its own for ten times as long
  KUNIT_ASSERT_TRUE(test, set_normal(h.task).has_value());
  KUNIT_EXPECT_EQ(test, dl_admitted_total(), dl::to_ratio(200, 20));
  msleep(500);
  KUNIT_EXPECT_EQ(test, dl_admitted_total(), 0ull);
  KUNIT_ASSERT_TRUE(test, set_deadline(h.task, 20, 200).has_value());
  KUNIT_ASSERT_TRUE(test, set_normal(h.task).has_value());
  KUNIT_ASSERT_TRUE(test, set_deadline(h.task, 40, 200).has_value());  // back before it was given up
  KUNIT_EXPECT_EQ(test, dl_admitted_total(), dl::to_ratio(200, 40));
}

// spec 32 D-1, error table
static void bad_parameters_are_refused(kunit* test) {
  KUNIT_EXPECT_EQ(test, set_deadline(current, 10, 0).error().code(), EINVAL);
  KUNIT_EXPECT_EQ(test, set_deadline(current, 20, 10).error().code(), EINVAL);
  KUNIT_EXPECT_EQ(test, set_deadline(current, 0, 10).error().code(), EINVAL);
  Hog h;
  h.start(test);
  cpumask_t one = {{1}}, all = *cpu_possible_mask;
  KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(h.task, &one).has_value());
  KUNIT_EXPECT_EQ(test, set_deadline(h.task, 10, 100).error().code(), EPERM);  // D-2: not all of the root domain
  KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(h.task, &all).has_value());
  KUNIT_ASSERT_TRUE(test, set_deadline(h.task, 10, 100).has_value());
  KUNIT_EXPECT_EQ(test, set_cpus_allowed_ptr(h.task, &one).error().code(), EBUSY);
}

// spec 32 D-15, D-16: as many run as there are CPUs
static void they_spread_over_the_cpus(kunit* test) {
  Hog h[3];
  for (Hog& each : h) each.start(test);
  for (Hog& each : h) KUNIT_ASSERT_TRUE(test, set_deadline(each.task, 60, 100).has_value());
  u64 before[3];
  for (int i = 0; i < 3; i++) before[i] = h[i].ran();
  const u64 t = let_run(2000);
  for (int i = 0; i < 3; i++) expect_near(test, h[i].ran() - before[i], t * 6 / 10, t / 10, "one of three");
}

// spec 32 D-18: a sleeper counts until its 0-lag time, and not twice
static void running_bandwidth_follows_sleep(kunit* test) {
  KUNIT_ASSERT_TRUE(test, set_deadline(current, 10, 100).has_value());
  auto running = [] {
    u64 sum = 0;
    unsigned cpu;
    for_each_online_cpu(cpu) {
      IrqSpinGuard guard(cpu_rq(cpu)->lock);
      sum += cpu_rq(cpu)->dl.bw.running_bw;
    }
    return sum;
  };
  for (int i = 0; i < 20; i++) {
    KUNIT_EXPECT_EQ(test, running(), dl::to_ratio(100, 10));
    msleep(i * 13);
  }
  KUNIT_ASSERT_TRUE(test, set_normal(current).has_value());
  KUNIT_EXPECT_EQ(test, running(), 0ull);
}

// spec 32 D-18: who wakes before its 0-lag time keeps its share, also when that time comes while it runs
static void awake_again_before_the_zero_lag_time(kunit* test) {
  KUNIT_ASSERT_TRUE(test, set_deadline(current, 30, 100).has_value());
  const auto running = [] {
    PreemptGuard here;
    return this_rq()->dl.bw.running_bw;
  };
  for (int i = 0; i < 5; i++) {
    mdelay(3);
    usleep_range(2000, 2000);
    for (int ms = 0; ms < 22; ms++) {
      mdelay(1);
      KUNIT_EXPECT_EQ(test, running(), dl::to_ratio(100 * kMs, 30 * kMs));
    }
    msleep(150);
  }
  KUNIT_ASSERT_TRUE(test, set_normal(current).has_value());
}

// Interrupts are off past the end of the hog's period, so that its timer has not come when it is queued anew.
struct Changer {
  task_struct* hog;
  bool wanted_before, wanted_after, changed;
  completion done;
  static int run(void* p) {
    auto* c = static_cast<Changer*>(p);
    while (!data_race(c->hog->dl.throttled)) msleep(1);
    local_irq_disable();
    while (dl::before(arch::clock_ns(), dl::next_period(c->hog->dl))) cpu_relax();
    c->wanted_before = test_thread_flag(TIF_NEED_RESCHED);
    c->changed = set_deadline(c->hog, 10, 100, 100, SCHED_FLAG_DL_OVERRUN).has_value();
    c->wanted_after = test_thread_flag(TIF_NEED_RESCHED);
    local_irq_enable();
    complete(&c->done);
    return 0;
  }
};

// spec 32 D-22: a change of parameters may make it runnable, so it looks whom it preempts
static void a_change_asks_for_a_switch(kunit* test) {
  Hog h;
  h.start(test);
  KUNIT_ASSERT_TRUE(test, set_deadline(h.task, 10, 100).has_value());
  Changer c = {.hog = h.task};
  init_completion(&c.done);
  task_struct* t = kthread_create(Changer::run, &c, "changer");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  KUNIT_EXPECT_TRUE(test, __sched_setscheduler(t, {.policy = SCHED_FIFO, .rt_priority = 1}, SchedCaller::Kernel).has_value());
  wake_up_process(t);
  wait_for_completion(&c.done);
  KUNIT_EXPECT_TRUE(test, c.changed);
  KUNIT_EXPECT_FALSE(test, c.wanted_before);
  KUNIT_EXPECT_TRUE(test, c.wanted_after);
}

static kunit_case one_cpu[] = {
    KUNIT_CASE(a_hog_is_held_to_its_budget),
    KUNIT_CASE(a_yield_gives_up_the_rest),
    KUNIT_CASE(it_runs_before_real_time_tasks),
    KUNIT_CASE(the_earlier_deadline_runs_first),
    KUNIT_CASE(admission_is_tested),
    KUNIT_CASE(a_change_asks_for_a_switch),
    KUNIT_CASE(awake_again_before_the_zero_lag_time),
    {},
};
static kunit_suite one_cpu_suite = {.name = "sched_deadline_up", .test_cases = one_cpu, .world = {.cpus = 1}};
static kunit_case cases[] = {
    KUNIT_CASE(bandwidth_is_free_after_the_zero_lag_time),
    KUNIT_CASE(bad_parameters_are_refused),
    KUNIT_CASE(they_spread_over_the_cpus),
    KUNIT_CASE(running_bandwidth_follows_sleep),
    {},
};
static kunit_suite suite = {.name = "sched_deadline", .test_cases = cases, .world = {.cpus = 2, .seeds = 5}};
kunit_test_suites(&one_cpu_suite, &suite);
