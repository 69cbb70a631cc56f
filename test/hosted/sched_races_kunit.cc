// Wake-ups and migrations on four CPUs, two hundred interleavings each.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/wait.h>

#include "kernel/sched/params.hh"

namespace {

constexpr int kRounds = 12;

cpumask_t all_cpus() { return *cpu_possible_mask; }

// Runs n threads of fn(i) and waits for all. The wait is what a lost wake-up would hang in.
struct Crew {
  completion done;
  atomic_t left;
  void (*fn)(Crew*, int);
  void* data;
  struct Member {
    Crew* crew;
    int index;
    task_struct* task;
  } members[8];

  static int run(void* p) {
    auto* m = static_cast<Member*>(p);
    m->crew->fn(m->crew, m->index);
    if (atomic_dec_and_test(&m->crew->left)) complete(&m->crew->done);
    return 0;
  }
  void go(kunit* test, int n, void (*f)(Crew*, int), void* d) {
    init_completion(&done);
    atomic_set(&left, n);
    fn = f;
    data = d;
    for (int i = 0; i < n; i++) {
      members[i] = {this, i, nullptr};
      members[i].task = kthread_create(run, &members[i], "crew/%d", i);
      KUNIT_ASSERT_NOT_ERR_OR_NULL(test, members[i].task);
      get_task_struct(members[i].task);
    }
    for (int i = 0; i < n; i++) wake_up_process(members[i].task);
    wait_for_completion(&done);
    for (int i = 0; i < n; i++) put_task_struct(members[i].task);
  }
};

// S-90 at a quiet moment: the counts of the queues are what is queued.
void expect_consistent(kunit* test) {
  preempt_disable();
  unsigned cpu;
  for_each_online_cpu(cpu) {
    unsigned long flags;
    rq* r = cpu_rq(cpu);
    raw_spin_lock_irqsave(&r->lock, flags);
    unsigned n = r->cfs.curr && r->cfs.curr->on_rq;
    for (rb_node* node = rb_first_cached(&r->cfs.timeline); node; node = rb_next(node)) n++;
    KUNIT_EXPECT_EQ(test, n, r->cfs.nr_running);
    KUNIT_EXPECT_EQ(test, r->cfs.nr_running + r->rt.nr_running + (r->stop && task_on_rq_queued(r->stop)), r->nr_running);
    if (!r->cfs.nr_running) KUNIT_EXPECT_EQ(test, r->cfs.load.weight, 0ul);
    raw_spin_unlock_irqrestore(&r->lock, flags);
  }
  preempt_enable();
}

}  // namespace

// ---- spec 30 S-91: no lost wake-up ------------------------------------------------------------------------------------

struct PingPong {
  wait_queue_head_t wq;
  int turn = 0;
};
static void ping_pong_loses_no_wakeup(kunit* test) {
  PingPong pp;
  init_waitqueue_head(&pp.wq);
  Crew crew;
  crew.go(test, 2, [](Crew* c, int me) {
    auto* p = static_cast<PingPong*>(c->data);
    for (int i = 0; i < kRounds; i++) {
      wait_event(p->wq, READ_ONCE(p->turn) == me);
      WRITE_ONCE(p->turn, 1 - me);
      wake_up(&p->wq);
    }
  }, &pp);
  KUNIT_EXPECT_EQ(test, pp.turn, 0);
  expect_consistent(test);
}

// spec 30 S-39, spec 20 T-10: the bare protocol, without a wait queue's lock to help
struct Bare {
  task_struct* sleeper = nullptr;
  int posted = 0, seen = 0;
};
static void state_then_condition_against_condition_then_wakeup(kunit* test) {
  Bare b;
  Crew crew;
  crew.go(test, 2, [](Crew* c, int me) {
    auto* b = static_cast<Bare*>(c->data);
    if (me == 0) {
      WRITE_ONCE(b->sleeper, current);
      for (int i = 1; i <= kRounds; i++) {
        for (;;) {
          set_current_state(TASK_UNINTERRUPTIBLE);
          if (READ_ONCE(b->posted) >= i) break;
          schedule();
        }
        __set_current_state(TASK_RUNNING);
        WRITE_ONCE(b->seen, i);
      }
      return;
    }
    while (!READ_ONCE(b->sleeper)) sched_yield_current();
    for (int i = 1; i <= kRounds; i++) {
      WRITE_ONCE(b->posted, i);
      wake_up_process(READ_ONCE(b->sleeper));
      while (READ_ONCE(b->seen) < i) sched_yield_current();
    }
  }, &b);
  KUNIT_EXPECT_EQ(test, b.seen, kRounds);
  expect_consistent(test);
}

// spec 30 S-34
struct OneSleep {
  task_struct* sleeper = nullptr;
  int released = 0;
  atomic_t winners{};
  bool ready = false;
};
static void exactly_one_waker_wins(kunit* test) {
  OneSleep s;
  Crew crew;
  crew.go(test, 4, [](Crew* c, int me) {
    auto* s = static_cast<OneSleep*>(c->data);
    if (me == 0) {
      set_current_state(TASK_UNINTERRUPTIBLE);
      smp_store_release(&s->ready, true);
      schedule();
      return;
    }
    while (!smp_load_acquire(&s->ready)) sched_yield_current();
    if (wake_up_process(c->members[0].task)) atomic_inc(&s->winners);
  }, &s);
  KUNIT_EXPECT_EQ(test, atomic_read(&s.winners), 1);
  expect_consistent(test);
}

// spec 30 S-47, spec 22 C-36: a task keeps its own writes, wherever it is woken
struct Mover {
  wait_queue_head_t wq;
  int tokens = 0;
};
static void wakeups_carry_the_context_along(kunit* test) {
  Mover m;
  init_waitqueue_head(&m.wq);
  Crew crew;
  crew.go(test, 4, [](Crew* c, int me) {
    auto* m = static_cast<Mover*>(c->data);
    volatile unsigned local[16];
    for (unsigned i = 0; i < 16; i++) local[i] = i * 7 + static_cast<unsigned>(me);
    for (int round = 0; round < kRounds; round++) {
      cpumask_t one = {{1ul << ((me + round) % 4)}};
      (void)set_cpus_allowed_ptr(current, &one);
      wait_event(m->wq, READ_ONCE(m->tokens) >= round * 4 || me == 0);
      __atomic_fetch_add(&m->tokens, 1, __ATOMIC_SEQ_CST);
      wake_up_all(&m->wq);
    }
    for (unsigned i = 0; i < 16; i++)
      if (local[i] != i * 7 + static_cast<unsigned>(me)) __atomic_fetch_add(&m->tokens, 1000, __ATOMIC_SEQ_CST);
  }, &m);
  KUNIT_EXPECT_EQ(test, m.tokens, 4 * kRounds);
  expect_consistent(test);
}

// ---- Migration --------------------------------------------------------------------------------------------------------

struct Chased {
  bool stop = false;
  atomic_t wrong{};
};
static int chase_victim(void* p) {
  auto* c = static_cast<Chased*>(p);
  while (!READ_ONCE(c->stop)) {
    preempt_disable();
    if (!cpumask_test_cpu(smp_processor_id(), current->cpus_ptr) && !data_race(current->sched_must_leave)) atomic_inc(&c->wrong);
    preempt_enable();
    sched_yield_current();
  }
  return 0;
}
// spec 30 S-66: a running task is where it may be when the call returns
static void affinity_moves_a_running_task(kunit* test) {
  Chased c;
  task_struct* victim = kthread_run(chase_victim, &c, "victim");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, victim);
  get_task_struct(victim);
  for (int i = 0; i < kRounds; i++) {
    cpumask_t one = {{1ul << (i * 3 % 4)}};
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(victim, &one).has_value());
    KUNIT_EXPECT_TRUE(test, cpumask_test_cpu(task_cpu(victim), &one));
  }
  cpumask_t all = all_cpus();
  (void)set_cpus_allowed_ptr(victim, &all);
  WRITE_ONCE(c.stop, true);
  while (READ_ONCE(victim->__state) != TASK_DEAD) schedule_timeout_uninterruptible(1);
  put_task_struct(victim);
  KUNIT_EXPECT_EQ(test, atomic_read(&c.wrong), 0);
  expect_consistent(test);
}

struct Storm {
  wait_queue_head_t wq;
  int value = 0;
};
// spec 30 S-45, S-90: sleep, wake, migrate and renice all at once
static void storm_of_parameter_changes(kunit* test) {
  Storm s;
  init_waitqueue_head(&s.wq);
  Crew crew;
  crew.go(test, 5, [](Crew* c, int me) {
    auto* s = static_cast<Storm*>(c->data);
    for (int i = 0; i < kRounds; i++) {
      task_struct* other = c->members[(me + 1 + i) % 5].task;
      if (me == 0) {
        cpumask_t some = {{1ul << (i % 4) | 1ul << ((i + 1) % 4)}};
        (void)set_cpus_allowed_ptr(other, &some);
      } else if (me == 1) {
        set_user_nice(other, i % 2 ? 5 : 0);
      } else if (me == 2) {
        (void)__sched_setscheduler(other, i % 2 ? SchedRequest{.policy = SCHED_RR, .rt_priority = 3} : SchedRequest{},
                                   SchedCaller::Kernel);
      } else {
        wait_event_timeout(s->wq, READ_ONCE(s->value) > i, 1);
      }
      __atomic_fetch_add(&s->value, 1, __ATOMIC_SEQ_CST);
      wake_up_all(&s->wq);
    }
  }, &s);
  expect_consistent(test);
}

// spec 31 section 10.9: four busy threads end up on four CPUs
struct Spread {
  bool stop = false;
};
static void busy_threads_spread(kunit* test) {
  Spread s;
  task_struct* t[4];
  for (auto& p : t) {
    p = kthread_run([](void* d) {
      while (!READ_ONCE(static_cast<Spread*>(d)->stop)) cpu_relax();
      return 0;
    }, &s, "busy");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
    get_task_struct(p);
  }
  unsigned long used = 0;
  for (int tries = 0; tries < 50 && used != 0xf; tries++) {
    schedule_timeout_uninterruptible(1);
    used = 0;
    for (auto* p : t) used |= 1ul << task_cpu(p);
  }
  WRITE_ONCE(s.stop, true);
  for (auto* p : t) {
    while (READ_ONCE(p->__state) != TASK_DEAD) schedule_timeout_uninterruptible(1);
    put_task_struct(p);
  }
  KUNIT_EXPECT_EQ(test, used, 0xful);
}

// spec 32 R-24: of six real-time tasks on four CPUs the four most urgent run, and the next one as soon as one of them ends
struct Urgent {
  bool stop[6] = {};
  u64 turns[6] = {};
};
struct UrgentOne {
  Urgent* all;
  int i;
};
static int urgent(void* d) {
  auto* one = static_cast<UrgentOne*>(d);
  while (!READ_ONCE(one->all->stop[one->i])) {
    WRITE_ONCE(one->all->turns[one->i], one->all->turns[one->i] + 1);
    cpu_relax();
  }
  return 0;
}
static void the_most_urgent_run(kunit* test) {
  Urgent u;
  UrgentOne one[6];
  task_struct* t[6];
  // The case itself is the most urgent of all, but sleeps.
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(current, {.policy = SCHED_FIFO, .rt_priority = 90}, SchedCaller::Kernel).has_value());
  for (int i = 0; i < 6; i++) {
    one[i] = {&u, i};
    t[i] = kthread_create(urgent, &one[i], "urgent/%d", i);
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t[i]);
    get_task_struct(t[i]);
  }
  for (int i = 0; i < 6; i++) {  // only now: busy real-time tasks leave kthreadd no CPU
    unsigned priority = static_cast<unsigned>(i % 2 ? 40 - i : 10 + i);  // in no particular order: 10 39 12 37 14 35
    KUNIT_ASSERT_TRUE(test, __sched_setscheduler(t[i], {.policy = SCHED_FIFO, .rt_priority = priority}, SchedCaller::Kernel).has_value());
    wake_up_process(t[i]);
  }
  auto running = [&] {
    unsigned set = 0;
    for (int i = 0; i < 6; i++) set |= task_curr(t[i]) ? 1u << i : 0;
    return set;
  };
  schedule_timeout_uninterruptible(3);
  // One of the four makes room for this case while it looks: the fourth of them may be off its CPU, nobody else on one.
  KUNIT_EXPECT_EQ(test, running() & ~(1u << 1 | 1u << 3 | 1u << 5 | 1u << 4), 0u);
  KUNIT_EXPECT_GE(test, __builtin_popcount(running()), 3);
  u64 before = READ_ONCE(u.turns[2]);
  WRITE_ONCE(u.stop[1], true);
  schedule_timeout_uninterruptible(3);
  KUNIT_EXPECT_GT(test, READ_ONCE(u.turns[2]), before);  // the fifth had its turn
  for (bool& s : u.stop) WRITE_ONCE(s, true);
  for (auto* p : t) {
    while (READ_ONCE(p->__state) != TASK_DEAD) schedule_timeout_uninterruptible(1);
    put_task_struct(p);
  }
  expect_consistent(test);
}

// spec 32 R-24: the most urgent of those that wait on CPU 1 has no place; the next one has, CPU 2. From where it may go there on it does
static void pushed_past_one_without_a_place(kunit* test) {
  Urgent u;
  UrgentOne one[4];
  task_struct* t[4];
  constexpr unsigned kPriority[] = {35, 40, 30, 20};
  constexpr unsigned kOn[] = {0, 1, 1, 1};
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(current, {.policy = SCHED_FIFO, .rt_priority = 90}, SchedCaller::Kernel).has_value());
  const cpumask_t last = {{8}}, first_two = {{3}}, next_two = {{6}};
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &last).has_value());
  for (int i = 0; i < 4; i++) {
    one[i] = {&u, i};
    t[i] = kthread_create(urgent, &one[i], "urgent/%d", i);
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t[i]);
    get_task_struct(t[i]);
  }
  for (int i = 0; i < 4; i++) {
    const cpumask_t there = {{1ul << kOn[i]}};
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(t[i], &there).has_value());
    KUNIT_ASSERT_TRUE(test, __sched_setscheduler(t[i], {.policy = SCHED_FIFO, .rt_priority = kPriority[i]}, SchedCaller::Kernel).has_value());
    wake_up_process(t[i]);
  }
  schedule_timeout_uninterruptible(2);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(t[2], &first_two).has_value());
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(t[3], &next_two).has_value());
  KUNIT_EXPECT_EQ(test, task_cpu(t[2]), 1u);
  KUNIT_EXPECT_EQ(test, task_cpu(t[3]), 2u);
  for (bool& s : u.stop) WRITE_ONCE(s, true);
  for (auto* p : t) {
    while (READ_ONCE(p->__state) != TASK_DEAD) schedule_timeout_uninterruptible(1);
    put_task_struct(p);
  }
}

static kunit_case cases[] = {
    KUNIT_CASE(ping_pong_loses_no_wakeup),
    KUNIT_CASE(state_then_condition_against_condition_then_wakeup),
    KUNIT_CASE(exactly_one_waker_wins),
    KUNIT_CASE(wakeups_carry_the_context_along),
    KUNIT_CASE(affinity_moves_a_running_task),
    KUNIT_CASE(storm_of_parameter_changes),
    {},
};
static kunit_suite suite = {.name = "sched_races", .test_cases = cases, .world = {.cpus = 4, .seeds = 200}};
static kunit_case spread_cases[] = {KUNIT_CASE(busy_threads_spread), KUNIT_CASE(the_most_urgent_run), KUNIT_CASE(pushed_past_one_without_a_place), {}};
static kunit_suite spread = {.name = "sched_spread", .test_cases = spread_cases, .world = {.cpus = 4, .seeds = 10}};
kunit_test_suites(&suite, &spread);
