// CPUs taken down and up: what is on them goes elsewhere and goes on. Spec 30 section 10.5.
// SPDX-License-Identifier: Apache-2.0
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/stop_machine.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "kernel/cpu/hotplug.hh"
#include "kernel/fault_inject.hh"
#include "kernel/sched/dl.hh"
#include "kernel/sched/params.hh"
#include "kernel/softirq/softirq.hh"
#include "test/sync/threads.hh"

namespace {

#define SKIP_ON_ONE_CPU(test) \
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU")

unsigned last_cpu() { return nr_cpu_ids - 1; }
cpumask_t only(unsigned cpu) { return {{1ul << cpu}}; }
void bind(task_struct* p, unsigned cpu) {
  cpumask_t one = only(cpu);
  (void)set_cpus_allowed_ptr(p, &one);
}
void unbind(task_struct* p) {
  cpumask_t all = *cpu_possible_mask;
  (void)set_cpus_allowed_ptr(p, &all);
}

// Runs f on that CPU, in a thread's context.
template <class F>
void on_cpu(unsigned cpu, F&& f) {
  bind(current, cpu);
  f();
  unbind(current);
}

void expect_gone(kunit* test, unsigned cpu) {
  const rq* r = cpu_rq(cpu);
  KUNIT_EXPECT_FALSE(test, cpu_online(cpu));
  KUNIT_EXPECT_FALSE(test, cpu_active(cpu));
  KUNIT_EXPECT_FALSE(test, r->online);
  KUNIT_EXPECT_EQ(test, READ_ONCE(r->nr_running), 0u);
  KUNIT_EXPECT_PTR_EQ(test, READ_ONCE(r->curr), r->idle);
  KUNIT_EXPECT_NULL(test, READ_ONCE(r->wake_list));
  KUNIT_EXPECT_EQ(test, r->nr_pinned, 0u);
  KUNIT_EXPECT_EQ(test, READ_ONCE(sched_state->idle_cpus) >> cpu & 1, 0ul);
  KUNIT_EXPECT_EQ(test, sched_state->domains->cpus >> cpu & 1, 0ul);
}
void expect_there(kunit* test, unsigned cpu) {
  KUNIT_EXPECT_TRUE(test, cpu_online(cpu));
  KUNIT_EXPECT_TRUE(test, cpu_active(cpu));
  KUNIT_EXPECT_TRUE(test, cpu_rq(cpu)->online);
  KUNIT_EXPECT_EQ(test, sched_state->domains->cpus >> cpu & 1, 1ul);
  on_cpu(cpu, [&] { KUNIT_EXPECT_EQ(test, raw_smp_processor_id(), cpu); });
}
void take_down(kunit* test, unsigned cpu) { KUNIT_EXPECT_TRUE(test, cpu_down(cpu).has_value()); }
void bring_up(kunit* test, unsigned cpu) { KUNIT_EXPECT_TRUE(test, cpu_up(cpu).has_value()); }

int spin(void* p) {
  while (!READ_ONCE(*static_cast<bool*>(p))) {
    cond_resched();  // for all modes but preempt=full
    arch::cpu_relax();
  }
  return 0;
}
int wait_for(void* p) {
  wait_for_completion(static_cast<completion*>(p));
  return static_cast<int>(task_cpu(current));
}
int nothing(void*) { return 0; }

}  // namespace

// spec 30 S-71: -ENOENT where there is nobody
static void down_and_up(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  for (unsigned cpu = 1; cpu < nr_cpu_ids; cpu++) {
    take_down(test, cpu);
    expect_gone(test, cpu);
    KUNIT_EXPECT_EQ(test, num_online_cpus(), nr_cpu_ids - 1);
    KUNIT_EXPECT_EQ(test, stop_one_cpu(cpu, nothing, nullptr), -ENOENT);
    KUNIT_EXPECT_EQ(test, stop_two_cpus(0, cpu, nothing, nullptr), -ENOENT);
    cpu_stop_work work;
    KUNIT_EXPECT_FALSE(test, stop_one_cpu_nowait(cpu, nothing, nullptr, &work));
    KUNIT_EXPECT_EQ(test, stop_machine(nothing, nullptr, nullptr), 0);
    bring_up(test, cpu);
    expect_there(test, cpu);
  }
}

static void what_is_refused(kunit* test) {
  KUNIT_EXPECT_EQ(test, cpu_down(nr_cpu_ids).error().code(), EINVAL);
  KUNIT_EXPECT_EQ(test, cpu_up(NR_CPUS + 3).error().code(), EINVAL);
  KUNIT_EXPECT_EQ(test, cpu_down(0).error().code(), EBUSY);
  KUNIT_EXPECT_FALSE(test, cpu_is_hotpluggable(0));
  KUNIT_EXPECT_TRUE(test, cpu_up(0).has_value());
  SKIP_ON_ONE_CPU(test);
  cpu_hotplug_disable();
  KUNIT_EXPECT_EQ(test, remove_cpu(1), -EBUSY);
  KUNIT_EXPECT_EQ(test, add_cpu(1), -EBUSY);
  cpu_hotplug_enable();
  KUNIT_EXPECT_EQ(test, remove_cpu(1), 0);
  KUNIT_EXPECT_EQ(test, remove_cpu(1), 0);
  KUNIT_EXPECT_EQ(test, add_cpu(1), 0);
}

static void all_but_one(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  for (unsigned cpu = 1; cpu < nr_cpu_ids; cpu++) take_down(test, cpu);
  KUNIT_EXPECT_EQ(test, num_online_cpus(), 1u);
  synchronize_rcu();
  msleep(3);
  for (unsigned cpu = last_cpu(); cpu > 0; cpu--) bring_up(test, cpu);
  for (unsigned cpu = 1; cpu < nr_cpu_ids; cpu++) expect_there(test, cpu);
}

// spec 30 S-52: its mask gives way; sections 6.5 and 10.2
static void a_bound_spinner_goes_on_elsewhere(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  bool stop = false;
  Thread t;
  t.start(test, spin, &stop);
  bind(t.task, last_cpu());
  KUNIT_EXPECT_EQ(test, task_cpu(t.task), last_cpu());
  take_down(test, last_cpu());
  KUNIT_EXPECT_NE(test, task_cpu(t.task), last_cpu());
  KUNIT_EXPECT_TRUE(test, cpumask_equal(&t.task->cpus_mask, cpu_possible_mask));
  cpumask_t gone = only(last_cpu());
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(t.task, &gone).error().code() == EINVAL);
  bring_up(test, last_cpu());
  bind(t.task, last_cpu());
  KUNIT_EXPECT_EQ(test, task_cpu(t.task), last_cpu());
  WRITE_ONCE(stop, true);
  t.join();
}

// spec 30 S-50, S-52: a sleeper's mask stays until it is woken while its CPU is away
static void a_bound_sleeper(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  completion go[2];
  Thread t[2];
  for (int i = 0; i < 2; i++) {
    init_completion(&go[i]);
    t[i].start(test, wait_for, &go[i]);
    KUNIT_EXPECT_TRUE(test, t[i].wait_asleep());
    bind(t[i].task, last_cpu());
  }
  take_down(test, last_cpu());
  const cpumask_t one = only(last_cpu());
  KUNIT_EXPECT_TRUE(test, cpumask_equal(&t[0].task->cpus_mask, &one));
  complete(&go[0]);
  KUNIT_EXPECT_NE(test, t[0].join(), static_cast<int>(last_cpu()));
  bring_up(test, last_cpu());
  KUNIT_EXPECT_TRUE(test, cpumask_equal(&t[1].task->cpus_mask, &one));
  complete(&go[1]);
  KUNIT_EXPECT_EQ(test, t[1].join(), static_cast<int>(last_cpu()));
}

namespace {
struct Pinned {
  completion pinned, go;
};
int sleep_pinned(void* p) {
  auto* s = static_cast<Pinned*>(p);
  migrate_disable();
  complete(&s->pinned);
  wait_for_completion(&s->go);
  const auto there = static_cast<int>(task_cpu(current));
  migrate_enable();
  return there;
}
int take_last_down(void*) { return cpu_down(last_cpu()).has_value(); }
}  // namespace

// spec 30 S-70: who may not migrate is waited for
static void pinned_tasks_are_waited_for(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  Pinned s;
  init_completion(&s.pinned);
  init_completion(&s.go);
  Thread t, down;
  init_completion(&t.done);
  t.fn = sleep_pinned;
  t.data = &s;
  t.task = kthread_create(Thread::main, &t, "pinned");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t.task);
  get_task_struct(t.task);
  bind(t.task, last_cpu());
  wake_up_process(t.task);
  wait_for_completion(&s.pinned);
  KUNIT_EXPECT_EQ(test, task_cpu(t.task), last_cpu());
  down.start(test, take_last_down, nullptr);
  settle();
  KUNIT_EXPECT_FALSE(test, down.finished());
  KUNIT_EXPECT_TRUE(test, cpu_online(last_cpu()));
  KUNIT_EXPECT_FALSE(test, cpu_active(last_cpu()));
  complete(&s.go);
  KUNIT_EXPECT_EQ(test, t.join(), static_cast<int>(last_cpu()));
  KUNIT_EXPECT_EQ(test, down.join(), 1);
  expect_gone(test, last_cpu());
  bring_up(test, last_cpu());
}

// ---- Per-CPU queues -----------------------------------------------------------------------------------------------------

namespace {
struct Pending {
  timer_list wheel;
  hrtimer high, soft;
  tasklet_struct tasklet;
  rcu_head rcu;
  int fired = 0;  // atomic
};
void count(int* n) { __atomic_fetch_add(n, 1, __ATOMIC_SEQ_CST); }
void wheel_fires(timer_list* t) { count(&container_of(t, Pending, wheel)->fired); }
enum hrtimer_restart high_fires(hrtimer* t) {
  count(&container_of(t, Pending, high)->fired);
  return HRTIMER_NORESTART;
}
enum hrtimer_restart soft_fires(hrtimer* t) {
  count(&container_of(t, Pending, soft)->fired);
  return HRTIMER_NORESTART;
}
void callback_runs(rcu_head* h) { count(&container_of(h, Pending, rcu)->fired); }
void tasklet_runs(tasklet_struct* t) { count(&container_of(t, Pending, tasklet)->fired); }
}  // namespace

static void timers_and_callbacks_go_elsewhere(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  Pending late;
  timer_setup(&late.wheel, wheel_fires, 0);
  hrtimer_init(&late.high, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
  late.high.function = high_fires;
  hrtimer_init(&late.soft, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
  late.soft.function = soft_fires;
  tasklet_setup(&late.tasklet, tasklet_runs);
  on_cpu(last_cpu(), [&] {
    mod_timer(&late.wheel, jiffies + 30);
    hrtimer_start(&late.high, 100'000'000, HRTIMER_MODE_REL_HARD);
    hrtimer_start(&late.soft, 110'000'000, HRTIMER_MODE_REL_SOFT);
    call_rcu(&late.rcu, callback_runs);
  });
  take_down(test, last_cpu());
  EXPECT_SOON(test, READ_ONCE(late.fired) == 4);
  tasklet_schedule(&late.tasklet);
  EXPECT_SOON(test, READ_ONCE(late.fired) == 5);
  rcu_barrier();
  bring_up(test, last_cpu());
  on_cpu(last_cpu(), [&] { mod_timer(&late.wheel, jiffies + 2); });
  EXPECT_SOON(test, READ_ONCE(late.fired) == 6);
  del_timer_sync(&late.wheel);
  hrtimer_cancel(&late.high);
  hrtimer_cancel(&late.soft);
}

// ---- Urgent tasks -------------------------------------------------------------------------------------------------------

namespace {
bool set(task_struct* p, const SchedRequest& q) { return __sched_setscheduler(p, q, SchedCaller::Kernel).has_value(); }
constexpr SchedRequest kFifo = {.policy = SCHED_FIFO, .rt_priority = 20};
constexpr SchedRequest deadline(u64 runtime_ms) {
  return {.policy = SCHED_DEADLINE, .runtime = runtime_ms * 1'000'000, .deadline = 100'000'000, .period = 100'000'000};
}
}  // namespace

// spec 30 S-52, spec 32 R-24: a real-time task, running where it was, runs elsewhere
static void real_time_tasks_leave(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  bool stop = false;
  Thread t;
  t.start(test, spin, &stop);
  bind(t.task, last_cpu());
  KUNIT_EXPECT_TRUE(test, set(t.task, kFifo));
  take_down(test, last_cpu());
  KUNIT_EXPECT_NE(test, task_cpu(t.task), last_cpu());
  KUNIT_EXPECT_EQ(test, t.task->policy, static_cast<unsigned>(SCHED_FIFO));
  KUNIT_EXPECT_TRUE(test, set(t.task, {}));
  WRITE_ONCE(stop, true);
  t.join();
  bring_up(test, last_cpu());
}

// spec 32 D-4: what was promised must fit on the CPUs that stay
static void admitted_bandwidth_keeps_cpus(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  completion go;
  init_completion(&go);
  Thread t[4];
  const unsigned n = min(nr_cpu_ids, 4u);
  if (n != nr_cpu_ids) kunit_skip(test, "many CPUs");
  for (unsigned i = 0; i < n; i++) {
    t[i].start(test, wait_for, &go);
    KUNIT_EXPECT_TRUE(test, t[i].wait_asleep());
    KUNIT_EXPECT_TRUE(test, set(t[i].task, deadline(80)));
  }
  KUNIT_EXPECT_EQ(test, cpu_down(last_cpu()).error().code(), EBUSY);  // 0.8 n, and room for 0.95 (n - 1)
  expect_there(test, last_cpu());
  for (unsigned i = 0; i < n; i++) KUNIT_EXPECT_TRUE(test, set(t[i].task, {}));
  complete_all(&go);
  for (unsigned i = 0; i < n; i++) t[i].join();
  for (int tries = 0; dl_admitted_total() && tries < 1000; tries++) msleep(1);  // until the 0-lag time
  take_down(test, last_cpu());
  bring_up(test, last_cpu());
}

static bool is_throttled(task_struct* p) {
  TaskRqGuard g(p);
  return p->dl.throttled;
}

// spec 32 D-13: a deadline task that waits for its next period when its CPU goes has it elsewhere
static void a_throttled_deadline_task_leaves(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  bool stop = false;
  Thread t;
  t.start(test, spin, &stop);
  KUNIT_EXPECT_TRUE(test, set(t.task, deadline(20)));
  for (int i = 0; i < 3; i++) {
    for (int tries = 0; !is_throttled(t.task) && tries < 500; tries++) msleep(1);
    const unsigned cpu = task_cpu(t.task);
    if (cpu == 0) {
      msleep(30);
      continue;
    }
    take_down(test, cpu);
    const u64 before = task_sched_runtime(t.task);
    for (int tries = 0; task_sched_runtime(t.task) == before && tries < 1000; tries++) msleep(1);
    KUNIT_EXPECT_GT(test, task_sched_runtime(t.task), before);
    KUNIT_EXPECT_NE(test, task_cpu(t.task), cpu);
    bring_up(test, cpu);
  }
  KUNIT_EXPECT_TRUE(test, set(t.task, {}));
  WRITE_ONCE(stop, true);
  t.join();
  for (int tries = 0; dl_admitted_total() && tries < 1000; tries++) msleep(1);
}

// ---- When something is not to be had --------------------------------------------------------------------------------------

static void failures_leave_no_trace(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  for (long nth = 1; nth < 40; nth++) {
    bool fired;
    Result<void> r;
    {
      FaultInjection armed(current, nth);
      r = cpu_down(last_cpu());
      fired = armed.fired();
    }
    if (!r) {
      KUNIT_EXPECT_EQ(test, r.error().code(), ENOMEM);
      expect_there(test, last_cpu());
      continue;
    }
    expect_gone(test, last_cpu());
    bring_up(test, last_cpu());
    if (!fired) break;
  }
  expect_there(test, last_cpu());
}

// ---- A hundred times, with everything going on --------------------------------------------------------------------------

namespace {

struct Load {
  bool stop = false;
  wait_queue_head_t wq;
  int ball = 0;
  int ticks = 0;
  hrtimer beat;
};
int player(Load* l, int me) {
  int n = 0;
  while (!READ_ONCE(l->stop)) {
    wait_event_timeout(l->wq, READ_ONCE(l->ball) % 2 == me || READ_ONCE(l->stop), 5);
    if (READ_ONCE(l->ball) % 2 == me) {
      __atomic_fetch_add(&l->ball, 1, __ATOMIC_SEQ_CST);
      n++;
    }
    wake_up_all(&l->wq);
    if (n % 4 == 3) schedule_timeout_uninterruptible(1);  // on the hosted machine time passes when nothing else does
  }
  return n;
}
int play_0(void* p) { return player(static_cast<Load*>(p), 0); }
int play_1(void* p) { return player(static_cast<Load*>(p), 1); }
int wander(void* p) {
  auto* l = static_cast<Load*>(p);
  int n = 0;
  for (unsigned i = 0; !READ_ONCE(l->stop); i++, n++) {
    cpumask_t one = only(i % nr_cpu_ids);
    (void)set_cpus_allowed_ptr(current, &one);  // EINVAL if it is not there
    if (i % 2 == 0) schedule_timeout_uninterruptible(1);
  }
  return n;
}
int breed(void* p) {
  auto* l = static_cast<Load*>(p);
  int n = 0;
  for (; !READ_ONCE(l->stop); n++) {
    task_struct* t = kthread_run(nothing, nullptr, "brief");
    if (IS_ERR(t)) return -1;
    schedule_timeout_uninterruptible(1);
  }
  return n;
}
int stop_at_random(void* p) {
  auto* l = static_cast<Load*>(p);
  int n = 0;
  for (unsigned i = 0; !READ_ONCE(l->stop); i++, n++) {
    (void)stop_one_cpu(i % nr_cpu_ids, nothing, nullptr);
    (void)stop_two_cpus(0, i % (nr_cpu_ids - 1) + 1, nothing, nullptr);
    schedule_timeout_uninterruptible(1);
  }
  return n;
}
enum hrtimer_restart beat(hrtimer* t) {
  count(&container_of(t, Load, beat)->ticks);
  hrtimer_forward(t, hrtimer_cb_get_time(t), 1'000'000);
  return HRTIMER_RESTART;
}

}  // namespace

// spec 30 S-48, S-49, S-50, S-69, S-90: no wake-up, timer or task is lost
static void a_hundred_times_under_load(kunit* test) {
  SKIP_ON_ONE_CPU(test);
  Load l;
  init_waitqueue_head(&l.wq);
  hrtimer_init(&l.beat, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
  l.beat.function = beat;
  hrtimer_start(&l.beat, 1'000'000, HRTIMER_MODE_REL_HARD);
  int (*const what[])(void*) = {play_0, play_1, wander, wander, breed, stop_at_random};
  Thread t[8];
  for (int i = 0; i < 6; i++) t[i].start(test, what[i], &l);
  for (int i = 6; i < 8; i++) t[i].start(test, spin, &l.stop);
  Thread urgent;
  urgent.start(test, play_0, &l);
  (void)set(urgent.task, kFifo);
  for (unsigned round = 0; round < 100; round++) {
    const unsigned cpu = 1 + round % (nr_cpu_ids - 1);
    const int before = READ_ONCE(l.ball);
    take_down(test, cpu);
    if (cpu_online(cpu)) break;
    if (round % 5 == 0) EXPECT_SOON(test, READ_ONCE(l.ball) > before + 2);
    bring_up(test, cpu);
  }
  WRITE_ONCE(l.stop, true);
  wake_up_all(&l.wq);
  KUNIT_EXPECT_GT(test, READ_ONCE(l.ticks), 0);
  hrtimer_cancel(&l.beat);
  for (int i = 0; i < 6; i++) KUNIT_EXPECT_GT(test, t[i].join(), 0);
  for (int i = 6; i < 8; i++) t[i].join();
  urgent.join();
  for (unsigned cpu = 1; cpu < nr_cpu_ids; cpu++) expect_there(test, cpu);
}

static kunit_case cases[] = {
    KUNIT_CASE(down_and_up),
    KUNIT_CASE(what_is_refused),
    KUNIT_CASE(all_but_one),
    KUNIT_CASE(a_bound_spinner_goes_on_elsewhere),
    KUNIT_CASE(a_bound_sleeper),
    KUNIT_CASE(pinned_tasks_are_waited_for),
    KUNIT_CASE(timers_and_callbacks_go_elsewhere),
    KUNIT_CASE(real_time_tasks_leave),
    KUNIT_CASE(admitted_bandwidth_keeps_cpus),
    KUNIT_CASE(a_throttled_deadline_task_leaves),
    KUNIT_CASE(failures_leave_no_trace),
    KUNIT_CASE(a_hundred_times_under_load),
    {},
};
static kunit_suite suite = {.name = "cpu_hotplug", .test_cases = cases};

// CPUs that boot left alone (maxcpus=) have all that the others have once they are asked for. spec 10 B-39; spec 30 S-71
static void those_that_boot_left_out(kunit* test) {
  if (num_online_cpus() == nr_cpu_ids) kunit_skip(test, "all came up at boot");
  for (unsigned cpu = num_online_cpus(); cpu < nr_cpu_ids; cpu++) {
    KUNIT_EXPECT_FALSE(test, cpu_online(cpu));
    for (long nth = 1;; nth++) {
      FaultInjection armed(current, nth);
      const Result<void> r = cpu_up(cpu);
      if (r) break;
      KUNIT_EXPECT_EQ(test, r.error().code(), ENOMEM);
      KUNIT_EXPECT_FALSE(test, cpu_online(cpu));
    }
    expect_there(test, cpu);
    KUNIT_EXPECT_EQ(test, stop_one_cpu(cpu, [](void*) { return static_cast<int>(raw_smp_processor_id()); }, nullptr), static_cast<int>(cpu));
    take_down(test, cpu);
    expect_gone(test, cpu);
    bring_up(test, cpu);
  }
}
static kunit_case late_cases[] = {KUNIT_CASE(those_that_boot_left_out), {}};
static kunit_suite late_suite = {.name = "cpu_hotplug_late", .test_cases = late_cases, .world = {.cpus = 4, .cmdline = "maxcpus=2"}};
kunit_test_suites(&suite, &late_suite);
