// The idle CPU: who polls is not interrupted; a task that has not left its CPU yet is left to it. Spec 30 S-14, S-25, section 6.
// Both machines.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "kernel/printk/printk.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/pi.hh"
#include "kernel/sched/polling.hh"
#include "kernel/sync/guards.hh"
#include "kernel/trace/internal.hh"

namespace {

// current on one CPU, the sleeper alone on another.
struct Pair {
  cpumask_t before = current->cpus_mask;
  unsigned here, there;
  task_struct* task = nullptr;
  int turns = 0;
  bool stop = false;

  static int run(void* data) {
    auto* p = static_cast<Pair*>(data);
    for (;;) {
      set_current_state(TASK_UNINTERRUPTIBLE);
      if (READ_ONCE(p->stop)) break;
      schedule();
      WRITE_ONCE(p->turns, p->turns + 1);
    }
    __set_current_state(TASK_RUNNING);
    return 0;
  }
  explicit Pair(kunit* test) {
    here = cpumask_first(cpu_online_mask);
    there = cpumask_next(static_cast<int>(here), cpu_online_mask);
    const cpumask_t one = {{1ul << here}};
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &one).has_value());
    task = kthread_create(run, this, "sleeper");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
    get_task_struct(task);
    kthread_bind(task, there);
    wake_up_process(task);
    wait_task_inactive(task, 0);
  }
  ~Pair() {
    WRITE_ONCE(stop, true);
    wake_up_process(task);
    while (READ_ONCE(task->__state) != TASK_DEAD) msleep(1);
    put_task_struct(task);
    (void)set_cpus_allowed_ptr(current, &before);
  }
  // Until its CPU is idle and its idle task polls, or does not.
  bool settles(bool polling) const {
    for (int tries = 0; tries < 100'000; tries++) {
      const rq* r = cpu_rq(there);
      const bool idle = READ_ONCE(r->curr) == r->idle && !READ_ONCE(task->on_cpu) && READ_ONCE(task->__state) == TASK_UNINTERRUPTIBLE;
      const unsigned long flags = READ_ONCE(r->idle->thread_info.flags);
      if (idle && polling == (flags >> TIF_POLLING_NRFLAG & 1) && !(flags >> TIF_NEED_RESCHED & 1)) return true;
      if (tries % 100 == 99) msleep(1);
      cpu_relax();
    }
    return false;
  }
  // True: it has had its turn, and the wake-up said that it sent no interrupt.
  bool wakes_silently(kunit* test) {
    const int turn = READ_ONCE(turns);
    constexpr u32 kSilent = 1u << static_cast<unsigned>(TraceEvent::SchedWakeIdleWithoutIpi);
    KUNIT_EXPECT_TRUE(test, trace_enable_events(kSilent, ~kSilent).has_value());
    trace_clear(kAllCpus);
    wake_up_process(task);
    for (int tries = 0; tries < 2000 && READ_ONCE(turns) == turn; tries++) msleep(1);
    (void)trace_enable_events(0, kSilent);
    KUNIT_EXPECT_EQ(test, READ_ONCE(turns), turn + 1);
    auto* cursor = static_cast<TraceCursor*>(kunit_kzalloc(test, sizeof(TraceCursor), GFP_KERNEL));
    cursor->only_cpu = kAllCpus;
    bool told = false;
    for (; trace_cursor_load(cursor); trace_cursor_pass(cursor))
      told |= static_cast<unsigned>(reinterpret_cast<const IntEntry*>(cursor->entry)->value) == there;
    return told;
  }
};

constexpr int kRounds = 8;
struct Polling {
  Polling() { cpu_idle_poll_ctrl(true); }
  ~Polling() { cpu_idle_poll_ctrl(false); }
};

// spec 30 S-14, S-25, S-49; 22 C-80: a fair task by the list of remote wake-ups, an urgent one by its queue: both find the flag
void who_polls_is_not_interrupted(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  for (const SchedRequest how : {SchedRequest{}, SchedRequest{.policy = SCHED_FIFO, .rt_priority = 5}}) {
    Pair pair(test);
    KUNIT_EXPECT_TRUE(test, __sched_setscheduler(pair.task, how, SchedCaller::Kernel).has_value());
    int silent = 0;
    {
      Polling on;
      wake_up_process(pair.task);  // its CPU, which had halted, polls when it is idle again
      for (int i = 0; i < kRounds; i++) {
        KUNIT_ASSERT_TRUE(test, pair.settles(true));
        silent += pair.wakes_silently(test);
      }
    }
    // An interrupt of its own may take it out of the loop between our look and the wake-up; not each time.
    KUNIT_EXPECT_GT(test, silent, 0);
    wake_up_process(pair.task);
    silent = 0;
    for (int i = 0; i < kRounds; i++) {
      KUNIT_ASSERT_TRUE(test, pair.settles(false));
      silent += pair.wakes_silently(test);
    }
    KUNIT_EXPECT_LT(test, silent, kRounds);
  }
}

// spec 30 S-46: the two ends of the handshake. Who finds the bit has set the flag; who does not is to send the interrupt
void the_handshake(kunit* test) {
  auto* p = static_cast<task_struct*>(kunit_kzalloc(test, sizeof(task_struct), GFP_KERNEL));
  unsigned long& flags = p->thread_info.flags;
  constexpr unsigned long kPolls = 1ul << TIF_POLLING_NRFLAG, kWanted = 1ul << TIF_NEED_RESCHED;
  KUNIT_EXPECT_FALSE(test, set_nr_if_polling(p));
  KUNIT_EXPECT_EQ(test, flags, 0ul);
  KUNIT_EXPECT_TRUE(test, set_nr_and_not_polling(p));
  KUNIT_EXPECT_EQ(test, flags, kWanted);
  flags = kPolls;
  KUNIT_EXPECT_FALSE(test, set_nr_and_not_polling(p));
  KUNIT_EXPECT_EQ(test, flags, kPolls | kWanted);
  KUNIT_EXPECT_TRUE(test, set_nr_if_polling(p));  // it is on its way out already
  flags = kPolls;
  KUNIT_EXPECT_TRUE(test, set_nr_if_polling(p));
  KUNIT_EXPECT_EQ(test, flags, kPolls | kWanted);
}

// spec 30 S-78
void an_idle_task_is_not_boosted(kunit* test) {
  task_struct* idle = cpu_rq(cpumask_first(cpu_online_mask))->idle;
  const int before = warn_count();
  rt_mutex_setprio(idle, current);
  const int told = warn_count() - before;
  expect_warnings(told);
  KUNIT_EXPECT_EQ(test, idle->prio, DEFAULT_PRIO);
  KUNIT_EXPECT_NULL(test, idle->pi_top_task);
  KUNIT_EXPECT_PTR_EQ(test, idle->sched_class, &idle_sched_class);
  KUNIT_EXPECT_EQ(test, told, 1);
}

// ---- exec ----------------------------------------------------------------------------------------------------------------------

struct Busy {
  bool stop = false;
  completion gone;
  static int run(void* d) {
    auto* b = static_cast<Busy*>(d);
    while (!READ_ONCE(b->stop)) {
      cond_resched();
      cpu_relax();
    }
    complete(&b->gone);
    return 0;
  }
};
unsigned where() {
  PreemptGuard no_preemption;
  return smp_processor_id();
}
// spec 30 S-72: alone on its CPU it stays; beside another task it goes to an idle CPU, if it may
void exec_is_a_moment_to_move(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  const cpumask_t before = current->cpus_mask, one = {{1ul << cpumask_first(cpu_online_mask)}};
  const unsigned here = cpumask_first(&one);
  KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(current, &one).has_value());
  sched_exec();
  KUNIT_EXPECT_EQ(test, where(), here);
  Busy busy;
  init_completion(&busy.gone);
  task_struct* t = kthread_create(Busy::run, &busy, "busy");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  kthread_bind(t, here);
  wake_up_process(t);
  sched_exec();
  KUNIT_EXPECT_EQ(test, where(), here);  // it may not
  bool moved = false;
  for (int i = 0; i < 50 && !moved; i++) {  // another CPU may have something to do just then
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &one).has_value());
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, cpu_possible_mask).has_value());
    sched_exec();
    moved = where() != here;
  }
  KUNIT_EXPECT_TRUE(test, moved);
  WRITE_ONCE(busy.stop, true);
  wait_for_completion(&busy.gone);
  const unsigned alone = where();
  sched_exec();
  KUNIT_EXPECT_EQ(test, where(), alone);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &before).has_value());
}

kunit_case cases[] = {
    KUNIT_CASE(who_polls_is_not_interrupted), KUNIT_CASE(the_handshake), KUNIT_CASE(an_idle_task_is_not_boosted),
    KUNIT_CASE(exec_is_a_moment_to_move), {},
};
kunit_suite suite = {.name = "sched_idle", .test_cases = cases, .world = {.cpus = 2, .seeds = 5}};
kunit_test_suite(suite);

// The same with every idle CPU polling from boot on.
kunit_case polled_cases[] = {KUNIT_CASE(exec_is_a_moment_to_move), {}};
kunit_suite polled = {.name = "sched_idle_poll", .test_cases = polled_cases, .world = {.cpus = 2, .cmdline = "idle=poll", .seeds = 5}};
kunit_test_suite(polled);

}  // namespace
