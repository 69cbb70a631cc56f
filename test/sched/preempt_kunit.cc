// Where the kernel gives way: the count, the marks, and the three modes of preempt=. Spec 30 section 5. Both machines.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/timer.h>

#include <initializer_list>

#include "kernel/sched/params.hh"
#include "kernel/sched/preempt_mode.hh"

namespace {

// The mode for as long as it lives.
struct Mode {
  PreemptMode before = preempt_mode;
  explicit Mode(PreemptMode m) { WRITE_ONCE(preempt_mode, m); }
  ~Mode() { WRITE_ONCE(preempt_mode, before); }
};
constexpr PreemptMode kModes[] = {PreemptMode::None, PreemptMode::Voluntary, PreemptMode::Full};

// A more urgent thread, asleep on this CPU, which the case does not leave meanwhile.
struct Urgent {
  cpumask_t before = current->cpus_mask, one{};
  task_struct* task = nullptr;
  completion gone;
  int turns = 0;
  bool stop = false;

  static int run(void* data) {
    auto* u = static_cast<Urgent*>(data);
    for (;;) {
      set_current_state(TASK_UNINTERRUPTIBLE);
      if (READ_ONCE(u->stop)) break;
      schedule();
      WRITE_ONCE(u->turns, u->turns + 1);
    }
    __set_current_state(TASK_RUNNING);
    complete(&u->gone);
    return 0;
  }
  explicit Urgent(kunit* test) {
    cpumask_set_cpu(0, &one);
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &one).has_value());
    init_completion(&gone);
    task = kthread_create(run, this, "urgent");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
    get_task_struct(task);
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(task, &one).has_value());
    KUNIT_EXPECT_TRUE(test, __sched_setscheduler(task, {.policy = SCHED_FIFO, .rt_priority = 50}, SchedCaller::Kernel).has_value());
    wake_up_process(task);
    wait_task_inactive(task, 0);
    turns = 0;
  }
  ~Urgent() {
    WRITE_ONCE(stop, true);
    wake_up_process(task);
    wait_for_completion(&gone);
    wait_task_inactive(task, 0);
    put_task_struct(task);
    (void)set_cpus_allowed_ptr(current, &before);
  }
  // Wakes it with preemption off, so that the reschedule is wanted afterwards.
  void wake() {
    preempt_disable();
    wake_up_process(task);
    preempt_enable_no_resched();
  }
  int seen() const { return READ_ONCE(turns); }
};

// spec 30 S-26
void what_the_count_tells(kunit* test) {
  const auto count = [] { return static_cast<unsigned>(preempt_count()); };
  KUNIT_EXPECT_EQ(test, count(), 0u);
  KUNIT_EXPECT_TRUE(test, in_task() && !in_atomic() && preemptible());
  raw_spinlock_t lock;
  raw_spin_lock_init(&lock);
  raw_spin_lock(&lock);
  const unsigned with_lock = count();
  const bool atomic = in_atomic(), task = in_task(), may = preemptible();
  raw_spin_unlock(&lock);
  KUNIT_EXPECT_EQ(test, with_lock, 1u);
  KUNIT_EXPECT_TRUE(test, atomic && task && !may);
  local_bh_disable();
  const unsigned no_bh = count();
  const bool soft = in_softirq(), serving = in_serving_softirq(), still_task = in_task();
  raw_spin_lock(&lock);
  const unsigned both = count();
  raw_spin_unlock(&lock);
  local_bh_enable();
  KUNIT_EXPECT_EQ(test, no_bh, 0x200u);
  KUNIT_EXPECT_EQ(test, both, 0x201u);
  KUNIT_EXPECT_TRUE(test, soft && !serving && still_task);
  local_irq_disable();
  const bool irqs_off = preemptible();
  local_irq_enable();
  KUNIT_EXPECT_FALSE(test, irqs_off);
}

// spec 30 S-26: a timer in hard interrupt, and the softirq that runs at the end of one
struct InTimer {
  hrtimer hard;
  timer_list soft;
  unsigned hard_count = 0, soft_count = 0;
  bool hardirq = false, task_there = true, serving = false, task_here = true;
  completion done;
};
void what_the_count_tells_in_interrupts(kunit* test) {
  InTimer t;
  init_completion(&t.done);
  hrtimer_init(&t.hard, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
  t.hard.function = [](hrtimer* h) {
    auto* t = container_of(h, InTimer, hard);
    t->hard_count = static_cast<unsigned>(preempt_count()) & 0xf0000;  // it may have come during a softirq
    t->hardirq = in_hardirq();
    t->task_there = in_task();
    return HRTIMER_NORESTART;
  };
  timer_setup(&t.soft, [](timer_list* l) {
    auto* t = container_of(l, InTimer, soft);
    t->soft_count = static_cast<unsigned>(preempt_count()) & 0xff00;
    t->serving = in_serving_softirq();
    t->task_here = in_task();
    complete(&t->done);
  }, 0);
  hrtimer_start(&t.hard, 1'000'000, HRTIMER_MODE_REL_HARD);
  mod_timer(&t.soft, jiffies + 3);
  wait_for_completion(&t.done);
  hrtimer_cancel(&t.hard);
  del_timer_sync(&t.soft);
  KUNIT_EXPECT_EQ(test, t.hard_count, 0x10000u);
  KUNIT_EXPECT_TRUE(test, t.hardirq && !t.task_there);
  KUNIT_EXPECT_EQ(test, t.soft_count, 0x100u);
  KUNIT_EXPECT_TRUE(test, t.serving && !t.task_here);
}

// spec 30 S-27: the outermost enable gives way, in full; the others, and the form without, only count
void preempt_enable_in_each_mode(kunit* test) {
  Urgent u(test);
  for (const PreemptMode m : kModes) {
    Mode mode(m);
    const int before = u.seen();
    preempt_disable();
    preempt_disable();
    wake_up_process(u.task);
    preempt_enable();
    KUNIT_EXPECT_EQ(test, u.seen(), before);
    preempt_enable_no_resched();
    KUNIT_EXPECT_EQ(test, u.seen(), before);
    KUNIT_EXPECT_TRUE(test, should_resched(0));
    preempt_disable();
    preempt_enable();
    KUNIT_EXPECT_EQ(test, u.seen(), before + (m == PreemptMode::Full));
    schedule();
    KUNIT_EXPECT_EQ(test, u.seen(), before + 1);
  }
}

// spec 30 S-31: cond_resched in none and voluntary; in full it is nothing
void cond_resched_in_each_mode(kunit* test) {
  Urgent u(test);
  for (const PreemptMode m : kModes) {
    Mode mode(m);
    const int before = u.seen();
    KUNIT_EXPECT_EQ(test, cond_resched(), 0);  // nobody wants the CPU
    u.wake();
    preempt_disable();
    const int held = cond_resched();
    preempt_enable_no_resched();
    KUNIT_EXPECT_EQ(test, held, 0);  // not with the count up
    const bool active = m != PreemptMode::Full;
    const int said = cond_resched();
    KUNIT_EXPECT_EQ(test, said, active ? 1 : 0);
    KUNIT_EXPECT_EQ(test, u.seen(), before + active);
    schedule();
    KUNIT_EXPECT_EQ(test, u.seen(), before + 1);
  }
}

// spec 30 S-31: might_sleep is a place to give way in voluntary alone
void might_sleep_in_each_mode(kunit* test) {
  Urgent u(test);
  for (const PreemptMode m : kModes) {
    Mode mode(m);
    const int before = u.seen();
    u.wake();
    might_sleep();
    KUNIT_EXPECT_EQ(test, u.seen(), before + (m == PreemptMode::Voluntary));
    schedule();
    KUNIT_EXPECT_EQ(test, u.seen(), before + 1);
  }
}

// spec 30 S-31: what comes to a lock's holder from cond_resched_lock
void cond_resched_lock_in_each_mode(kunit* test) {
  Urgent u(test);
  raw_spinlock_t lock;
  raw_spin_lock_init(&lock);
  for (const PreemptMode m : kModes) {
    Mode mode(m);
    raw_spin_lock(&lock);
    const int idle = cond_resched_lock(&lock);
    raw_spin_unlock(&lock);
    KUNIT_EXPECT_EQ(test, idle, 0);
    const int before = u.seen();
    u.wake();
    local_irq_disable();  // the lock's own level shall be the first that could give way
    raw_spin_lock(&lock);
    local_irq_enable();
    const int said = cond_resched_lock(&lock), then = u.seen();
    local_irq_disable();
    raw_spin_unlock(&lock);
    local_irq_enable();
    const bool active = m != PreemptMode::Full;
    KUNIT_EXPECT_EQ(test, said, active ? 1 : 0);
    KUNIT_EXPECT_EQ(test, then, before + active);
    schedule();
    KUNIT_EXPECT_EQ(test, u.seen(), before + 1);
  }
}

// spec 30 S-29, S-33, S-31: an interrupt wakes, and marks; the switch is at its end in full alone
struct Waker {
  hrtimer timer;
  Urgent* u;
  bool fired = false, marked = false;
  int turns_inside = -1;
};
void the_end_of_an_interrupt_in_each_mode(kunit* test) {
  Urgent u(test);
  for (const PreemptMode m : kModes) {
    Mode mode(m);
    const int before = u.seen();
    Waker w{.timer = {}, .u = &u};
    hrtimer_init(&w.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
    w.timer.function = [](hrtimer* t) {
      auto* w = container_of(t, Waker, timer);
      wake_up_process(w->u->task);
      w->marked = test_thread_flag(TIF_NEED_RESCHED);
      w->turns_inside = w->u->seen();
      WRITE_ONCE(w->fired, true);
      return HRTIMER_NORESTART;
    };
    hrtimer_start(&w.timer, 500'000, HRTIMER_MODE_REL_PINNED_HARD);
    for (int i = 0; i < 200 && !READ_ONCE(w.fired); i++) udelay(50);
    KUNIT_ASSERT_TRUE(test, w.fired);
    KUNIT_EXPECT_TRUE(test, w.marked);
    KUNIT_EXPECT_EQ(test, w.turns_inside, before);
    KUNIT_EXPECT_EQ(test, u.seen(), before + (m == PreemptMode::Full));
    hrtimer_cancel(&w.timer);
    schedule();
    KUNIT_EXPECT_EQ(test, u.seen(), before + 1);
  }
}

// spec 30 S-16: whoever is preempted stays runnable, whatever its state says
void a_preempted_one_stays_runnable(kunit* test) {
  Urgent u(test);
  for (const PreemptMode m : {PreemptMode::Voluntary, PreemptMode::Full}) {
    Mode mode(m);
    const int before = u.seen();
    u.wake();
    set_current_state(TASK_UNINTERRUPTIBLE);
    if (m == PreemptMode::Full) {
      preempt_disable();
      preempt_enable();
    } else {
      cond_resched();
    }
    const unsigned state = READ_ONCE(current->__state);  // nobody woke us
    __set_current_state(TASK_RUNNING);
    KUNIT_EXPECT_EQ(test, u.seen(), before + 1);
    KUNIT_EXPECT_EQ(test, state, unsigned{TASK_UNINTERRUPTIBLE});
  }
}

// spec 30 S-28: the mark is the thread's flag and, on its own CPU, the folded bit; a remote one is folded by the interrupt
void the_mark_is_twofold(kunit* test) {
  Urgent u(test);
  preempt_disable();
  wake_up_process(u.task);
  const bool flag = test_thread_flag(TIF_NEED_RESCHED), folded = test_preempt_need_resched();
  preempt_enable_no_resched();
  KUNIT_EXPECT_TRUE(test, flag && folded);
  schedule();
  KUNIT_EXPECT_FALSE(test, test_preempt_need_resched());
  local_irq_disable();
  set_thread_flag(TIF_NEED_RESCHED);  // as another CPU does
  const bool before = test_preempt_need_resched();
  scheduler_ipi();
  const bool after = test_preempt_need_resched();
  local_irq_enable();
  KUNIT_EXPECT_FALSE(test, before);
  KUNIT_EXPECT_TRUE(test, after);
  schedule();
}

// spec 30 S-30: no switch while preemption, interrupts or bottom halves are off
void no_switch_where_there_may_be_none(kunit* test) {
  Mode full(PreemptMode::Full);
  Urgent u(test);
  const int before = u.seen();
  preempt_disable();
  wake_up_process(u.task);
  mdelay(3);  // ticks come and go
  const int in_preempt_off = u.seen();
  local_irq_disable();
  preempt_enable();
  const int in_irqs_off = u.seen();
  local_bh_disable();
  local_irq_enable();
  mdelay(3);
  const int in_bh_off = u.seen();
  local_bh_enable();
  KUNIT_EXPECT_EQ(test, in_preempt_off, before);
  KUNIT_EXPECT_EQ(test, in_irqs_off, before);
  KUNIT_EXPECT_EQ(test, in_bh_off, before);
  KUNIT_EXPECT_EQ(test, u.seen(), before + 1);
}

// spec 30 S-33: a tick that ends the slice of a task marks it and no more
void the_tick_only_marks(kunit* test) {
  Urgent u(test);
  Mode none(PreemptMode::None);
  const unsigned long switches = current->nivcsw;
  u.wake();
  const unsigned long start = jiffies;
  for (int i = 0; i < 1000 && time_before(jiffies, start + 3); i++) udelay(100);
  KUNIT_EXPECT_EQ(test, u.seen(), 0);
  KUNIT_EXPECT_EQ(test, current->nivcsw, switches);
  schedule();
  KUNIT_EXPECT_EQ(test, u.seen(), 1);
}

kunit_case cases[] = {
    KUNIT_CASE(what_the_count_tells), KUNIT_CASE(what_the_count_tells_in_interrupts), KUNIT_CASE(preempt_enable_in_each_mode),
    KUNIT_CASE(cond_resched_in_each_mode), KUNIT_CASE(might_sleep_in_each_mode), KUNIT_CASE(cond_resched_lock_in_each_mode),
    KUNIT_CASE(the_end_of_an_interrupt_in_each_mode), KUNIT_CASE(a_preempted_one_stays_runnable), KUNIT_CASE(the_mark_is_twofold),
    KUNIT_CASE(no_switch_where_there_may_be_none), KUNIT_CASE(the_tick_only_marks), {},
};
kunit_suite suite = {.name = "preempt_modes", .test_cases = cases};

}  // namespace
kunit_test_suite(suite);
