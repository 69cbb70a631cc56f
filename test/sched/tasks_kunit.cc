// Scheduling of real tasks: states, wake-ups, counters, policies. Runs on both machines.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>

#include "kernel/sched/params.hh"

namespace {

struct Worker {
  completion started, finished;
  task_struct* task;
  int state = TASK_UNINTERRUPTIBLE;
  int wakeups = 0;
  volatile bool stop = false;
};

// Sleeps in w->state until told to stop; counts how often it was woken.
int sleeper(void* p) {
  auto* w = static_cast<Worker*>(p);
  complete(&w->started);
  for (;;) {
    set_current_state(static_cast<unsigned>(w->state));
    if (READ_ONCE(w->stop)) break;
    schedule();
    w->wakeups++;
  }
  __set_current_state(TASK_RUNNING);
  complete(&w->finished);
  return 0;
}

void start(kunit* test, Worker* w, int (*fn)(void*)) {
  init_completion(&w->started);
  init_completion(&w->finished);
  w->task = kthread_create(fn, w, "worker");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w->task);
  get_task_struct(w->task);
}

void start_sleeper(kunit* test, Worker* w) {
  start(test, w, sleeper);
  wake_up_process(w->task);
  wait_for_completion(&w->started);
  wait_task_inactive(w->task, 0);
}

void finish(Worker* w) {
  WRITE_ONCE(w->stop, true);
  wake_up_state(w->task, TASK_NORMAL | TASK_WAKEKILL);
  wait_for_completion(&w->finished);
  put_task_struct(w->task);
}

SchedRequest fifo(unsigned priority) { return {.policy = SCHED_FIFO, .rt_priority = priority}; }
SchedRequest normal(int nice) { return {.policy = SCHED_NORMAL, .nice = nice}; }
bool set(task_struct* p, SchedRequest q) { return __sched_setscheduler(p, q, SchedCaller::Kernel).has_value(); }

}  // namespace

// ---- States and wake-ups --------------------------------------------------------------------------------------------

// spec 30 S-35
static void waking_a_running_task_does_nothing(kunit* test) {
  KUNIT_EXPECT_EQ(test, wake_up_process(current), 0);
  KUNIT_EXPECT_EQ(test, READ_ONCE(current->__state), unsigned{TASK_RUNNING});
}

// spec 30 section 6.2 rule 2
static void waking_oneself_undoes_the_preparation(kunit* test) {
  set_current_state(TASK_INTERRUPTIBLE);
  KUNIT_EXPECT_EQ(test, wake_up_state(current, TASK_UNINTERRUPTIBLE), 0);
  KUNIT_EXPECT_EQ(test, wake_up_process(current), 1);
  KUNIT_EXPECT_EQ(test, READ_ONCE(current->__state), unsigned{TASK_RUNNING});
}

// spec 30 S-36
static void the_mask_decides_who_is_woken(kunit* test) {
  Worker w;
  start_sleeper(test, &w);
  KUNIT_EXPECT_EQ(test, wake_up_state(w.task, TASK_INTERRUPTIBLE), 0);
  KUNIT_EXPECT_EQ(test, w.wakeups, 0);
  KUNIT_EXPECT_EQ(test, wake_up_state(w.task, TASK_UNINTERRUPTIBLE), 1);
  wait_task_inactive(w.task, 0);
  KUNIT_EXPECT_EQ(test, w.wakeups, 1);
  finish(&w);
}

// spec 30 S-36: a fatal signal's mask reaches killable sleepers
static void killable_sleepers_hear_wakekill(kunit* test) {
  Worker w;
  w.state = TASK_KILLABLE;
  start_sleeper(test, &w);
  KUNIT_EXPECT_EQ(test, wake_up_state(w.task, TASK_INTERRUPTIBLE), 0);
  KUNIT_EXPECT_EQ(test, wake_up_state(w.task, TASK_WAKEKILL), 1);
  wait_task_inactive(w.task, 0);
  KUNIT_EXPECT_EQ(test, w.wakeups, 1);
  finish(&w);
}

// spec 30 S-34: a second wake-up finds it running
static void one_sleep_one_wakeup(kunit* test) {
  Worker w;
  start_sleeper(test, &w);
  preempt_disable();  // on one CPU it cannot run in between
  int first = wake_up_process(w.task), second = wake_up_process(w.task);
  preempt_enable();
  KUNIT_EXPECT_EQ(test, first, 1);
  if (nr_cpu_ids == 1) KUNIT_EXPECT_EQ(test, second, 0);
  finish(&w);
}

// spec 30 S-17, spec 22 C-6
static void a_preempted_preparer_goes_on(kunit* test) {
  set_current_state(TASK_UNINTERRUPTIBLE);
  preempt_disable();
  set_thread_flag(TIF_NEED_RESCHED);
  local_irq_disable();
  set_preempt_need_resched();
  local_irq_enable();
  preempt_enable();  // switches if there is anybody; nobody will ever wake us
  KUNIT_EXPECT_EQ(test, READ_ONCE(current->__state), unsigned{TASK_UNINTERRUPTIBLE});
  __set_current_state(TASK_RUNNING);
}

// spec 30 S-38
static void schedule_in_state_running_returns(kunit* test) {
  set_current_state(TASK_UNINTERRUPTIBLE);
  wake_up_process(current);
  schedule();
  KUNIT_SUCCEED(test);
}

// spec 30 S-18, spec 22 C-9
static void a_sleep_counts_as_voluntary(kunit* test) {
  unsigned long before = current->nvcsw;
  msleep(2);
  KUNIT_EXPECT_EQ(test, current->nvcsw, before + 1);
}

// spec 30 S-18, S-64
static void a_yield_counts_as_involuntary(kunit* test) {
  unsigned long voluntary = current->nvcsw;
  sched_yield_current();
  KUNIT_EXPECT_EQ(test, current->nvcsw, voluntary);
}

// spec 22 C-8
static void no_switch_no_count(kunit* test) {
  unsigned long sum = current->nvcsw + current->nivcsw;
  Worker w;
  start(test, &w, sleeper);  // a kernel thread more or less does not matter here
  wake_up_process(w.task);
  wait_for_completion(&w.started);
  finish(&w);
  msleep(1);  // on another CPU it may have been over before we would have waited for it
  KUNIT_EXPECT_GT(test, current->nvcsw + current->nivcsw, sum);
}

// spec 22 section 15.1
static void the_preempt_count_is_back_after_schedule(kunit* test) {
  KUNIT_EXPECT_EQ(test, preempt_count(), 0);
  msleep(1);
  KUNIT_EXPECT_EQ(test, preempt_count(), 0);
  KUNIT_EXPECT_FALSE(test, irqs_disabled());
}

// spec 22 C-94
static void a_sleeping_kernel_thread_borrows_no_tables(kunit* test) {
  Worker w;
  start_sleeper(test, &w);
  KUNIT_EXPECT_NULL(test, w.task->mm);
  KUNIT_EXPECT_NULL(test, w.task->active_mm);
  KUNIT_EXPECT_NOT_NULL(test, current->active_mm);  // spec 22 C-93
  finish(&w);
}

// spec 30 S-22
static void the_idle_task_is_always_queued(kunit* test) {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    KUNIT_EXPECT_EQ(test, cpu_rq(cpu)->idle->on_rq, TASK_ON_RQ_QUEUED);
    KUNIT_EXPECT_EQ(test, cpu_rq(cpu)->idle->prio, DEFAULT_PRIO);  // S-4
  }
}

// spec 30 S-86: the letters
static void states_have_letters(kunit* test) {
  Worker w;
  start_sleeper(test, &w);
  KUNIT_EXPECT_EQ(test, task_state_to_char(current), 'R');
  KUNIT_EXPECT_EQ(test, task_state_to_char(w.task), 'D');
  finish(&w);
  Worker idle;
  idle.state = TASK_IDLE;
  start_sleeper(test, &idle);
  KUNIT_EXPECT_EQ(test, task_state_to_char(idle.task), 'I');
  finish(&idle);
}

// spec 30 S-82
static void uninterruptible_sleepers_count_as_load(kunit* test) {
  Worker w, idle;
  start_sleeper(test, &w);
  KUNIT_EXPECT_TRUE(test, w.task->sched_contributes_to_load);
  idle.state = TASK_IDLE;
  start_sleeper(test, &idle);
  KUNIT_EXPECT_FALSE(test, idle.task->sched_contributes_to_load);
  finish(&idle);
  finish(&w);
}

// ---- Time -----------------------------------------------------------------------------------------------------------

static void run_time_grows_while_running_only(kunit* test) {
  Worker w;
  start_sleeper(test, &w);
  u64 asleep = task_sched_runtime(w.task), mine = task_sched_runtime(current);
  for (int i = 0; i < 1000; i++) cpu_relax();
  msleep(4);
  KUNIT_EXPECT_EQ(test, task_sched_runtime(w.task), asleep);
  KUNIT_EXPECT_GE(test, task_sched_runtime(current), mine);
  finish(&w);
}

static void user_and_system_time_add_up(kunit* test) {
  u64 u, s;
  msleep(4);
  task_cputime_adjusted(current, &u, &s);
  KUNIT_EXPECT_LE(test, u + s, task_sched_runtime(current));
}

// ---- Priorities -----------------------------------------------------------------------------------------------------

// spec 30 S-1
static void priorities_convert(kunit* test) {
  KUNIT_EXPECT_EQ(test, NICE_TO_PRIO(0), 120);
  KUNIT_EXPECT_EQ(test, NICE_TO_PRIO(-20), 100);
  KUNIT_EXPECT_EQ(test, NICE_TO_PRIO(19), 139);
  Worker w;
  start_sleeper(test, &w);
  static const struct {
    unsigned rt;
    int prio;
  } rows[] = {{1, 98}, {50, 49}, {99, 0}};
  for (auto& r : rows) {
    KUNIT_EXPECT_TRUE(test, set(w.task, fifo(r.rt)));
    KUNIT_EXPECT_EQ(test, w.task->prio, r.prio);
    KUNIT_EXPECT_EQ(test, w.task->normal_prio, r.prio);
    KUNIT_EXPECT_EQ(test, w.task->static_prio, DEFAULT_PRIO);  // kept for the way back
    KUNIT_EXPECT_PTR_EQ(test, w.task->sched_class, &rt_sched_class);
  }
  KUNIT_EXPECT_TRUE(test, set(w.task, normal(5)));
  KUNIT_EXPECT_EQ(test, w.task->prio, 125);
  KUNIT_EXPECT_EQ(test, w.task->rt_priority, 0u);
  KUNIT_EXPECT_PTR_EQ(test, w.task->sched_class, &fair_sched_class);
  finish(&w);
}

// spec 30 S-58, section 8.1
static void bad_requests_are_refused(kunit* test) {
  static const SchedRequest bad[] = {
      {.policy = SCHED_NORMAL, .rt_priority = 1}, {.policy = SCHED_BATCH, .rt_priority = 1},
      {.policy = SCHED_IDLE, .rt_priority = 1},   {.policy = SCHED_FIFO},
      {.policy = SCHED_RR},                       {.policy = SCHED_FIFO, .rt_priority = 100},
      {.policy = 4},                              {.policy = 7},
      {.policy = SCHED_DEADLINE}};
  for (const SchedRequest& q : bad) {
    Result<void> r = __sched_setscheduler(current, q, SchedCaller::Kernel);
    KUNIT_EXPECT_FALSE(test, r.has_value());
    if (!r) KUNIT_EXPECT_EQ(test, r.error().code(), EINVAL);
  }
}

// spec 30 S-63
static void nice_of_a_realtime_task_waits(kunit* test) {
  Worker w;
  start_sleeper(test, &w);
  set(w.task, fifo(10));
  set_user_nice(w.task, 7);
  KUNIT_EXPECT_EQ(test, w.task->prio, 89);
  KUNIT_EXPECT_EQ(test, task_nice(w.task), 7);
  finish(&w);
}

// spec 30 S-2, spec 31 F-49
static void nice_changes_the_weight(kunit* test) {
  unsigned long before = current->se.load.weight;
  set_user_nice(current, 5);
  KUNIT_EXPECT_EQ(test, current->se.load.weight, 335ul << 10);
  KUNIT_EXPECT_EQ(test, current->prio, 125);
  preempt_disable();
  KUNIT_EXPECT_GE(test, this_rq()->cfs.load.weight, 335ul << 10);
  preempt_enable();
  set_user_nice(current, 0);
  KUNIT_EXPECT_EQ(test, current->se.load.weight, before);
}

// spec 31 F-2
static void idle_policy_changes_the_weight(kunit* test) {
  KUNIT_EXPECT_TRUE(test, set(current, {.policy = SCHED_IDLE}));
  KUNIT_EXPECT_EQ(test, current->se.load.weight, 3ul << 10);
  KUNIT_EXPECT_TRUE(test, set(current, normal(0)));
  KUNIT_EXPECT_EQ(test, current->se.load.weight, 1024ul << 10);
}

// spec 30 S-92: a real-time task runs before a fair one can go on
static void realtime_preempts_at_once(kunit* test) {
  Worker w;
  start_sleeper(test, &w);
  cpumask_t here = {{1ul << 0}}, all = *cpu_possible_mask;
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &here).has_value());
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(w.task, &here).has_value());
  set(w.task, fifo(1));
  wake_up_process(w.task);  // with preempt=full it preempts us before this returns
  cond_resched();
  KUNIT_EXPECT_EQ(test, w.wakeups, 1);
  (void)set_cpus_allowed_ptr(current, &all);
  finish(&w);
}

// ---- Affinity -------------------------------------------------------------------------------------------------------

// spec 30 S-66, section 10.2
static void a_task_moves_itself(kunit* test) {
  cpumask_t all = *cpu_possible_mask;
  unsigned cpu;
  for_each_online_cpu(cpu) {
    cpumask_t one = {{1ul << cpu}};
    KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(current, &one).has_value());
    KUNIT_EXPECT_EQ(test, raw_smp_processor_id(), cpu);
    KUNIT_EXPECT_EQ(test, task_cpu(current), cpu);
  }
  (void)set_cpus_allowed_ptr(current, &all);
}

static void no_cpu_left_is_refused(kunit* test) {
  cpumask_t none = {};
  Result<void> r = set_cpus_allowed_ptr(current, &none);
  KUNIT_ASSERT_FALSE(test, r.has_value());
  KUNIT_EXPECT_EQ(test, r.error().code(), EINVAL);
}

static kunit_case cases[] = {
    KUNIT_CASE(waking_a_running_task_does_nothing),
    KUNIT_CASE(waking_oneself_undoes_the_preparation),
    KUNIT_CASE(the_mask_decides_who_is_woken),
    KUNIT_CASE(killable_sleepers_hear_wakekill),
    KUNIT_CASE(one_sleep_one_wakeup),
    KUNIT_CASE(a_preempted_preparer_goes_on),
    KUNIT_CASE(schedule_in_state_running_returns),
    KUNIT_CASE(a_sleep_counts_as_voluntary),
    KUNIT_CASE(a_yield_counts_as_involuntary),
    KUNIT_CASE(no_switch_no_count),
    KUNIT_CASE(the_preempt_count_is_back_after_schedule),
    KUNIT_CASE(a_sleeping_kernel_thread_borrows_no_tables),
    KUNIT_CASE(the_idle_task_is_always_queued),
    KUNIT_CASE(states_have_letters),
    KUNIT_CASE(uninterruptible_sleepers_count_as_load),
    KUNIT_CASE(run_time_grows_while_running_only),
    KUNIT_CASE(user_and_system_time_add_up),
    KUNIT_CASE(priorities_convert),
    KUNIT_CASE(bad_requests_are_refused),
    KUNIT_CASE(nice_of_a_realtime_task_waits),
    KUNIT_CASE(nice_changes_the_weight),
    KUNIT_CASE(idle_policy_changes_the_weight),
    KUNIT_CASE(realtime_preempts_at_once),
    KUNIT_CASE(a_task_moves_itself),
    KUNIT_CASE(no_cpu_left_is_refused),
    {},
};
static kunit_suite suite = {.name = "sched_tasks", .test_cases = cases};
kunit_test_suite(suite);
