// rt_mutexes: who gets them and in which order, what the owner inherits, and what is refused. Spec 30 section 11, 33 W-48.
// SPDX-License-Identifier: Apache-2.0
#include <linux/rtmutex.h>

#include "kernel/sched/params.hh"
#include "test/sync/threads.hh"

namespace {

struct Shared {
  struct rt_mutex a, b;
  int order[8];
  int n = 0;
  struct completion go, held;
  Shared() {
    rt_mutex_init(&a);
    rt_mutex_init(&b);
    init_completion(&go);
    init_completion(&held);
  }
  void note(int who) { order[n++] = who; }  // under a
};
struct Role {
  Shared* s;
  int id;
  int prio_inside = 0;
};

int owns_until_told(void* p) {
  auto* s = static_cast<Shared*>(p);
  rt_mutex_lock(&s->a);
  complete(&s->held);
  wait_for_completion(&s->go);
  rt_mutex_unlock(&s->a);
  return current->prio;
}
int takes_a(void* p) {
  auto* r = static_cast<Role*>(p);
  rt_mutex_lock(&r->s->a);
  r->s->note(r->id);
  r->prio_inside = current->prio;
  rt_mutex_unlock(&r->s->a);
  return 0;
}
// Owns b, then waits for a.
int takes_b_then_a(void* p) {
  auto* r = static_cast<Role*>(p);
  rt_mutex_lock(&r->s->b);
  complete(&r->s->held);
  int err = rt_mutex_lock_interruptible(&r->s->a);
  if (!err) rt_mutex_unlock(&r->s->a);
  rt_mutex_unlock(&r->s->b);
  return err;
}
int takes_b(void* p) {
  auto* r = static_cast<Role*>(p);
  rt_mutex_lock(&r->s->b);
  rt_mutex_unlock(&r->s->b);
  return 0;
}

void make_fifo(kunit* test, task_struct* t, unsigned prio) {
  auto r = __sched_setscheduler(t, {.policy = SCHED_FIFO, .rt_priority = prio}, SchedCaller::Kernel);
  KUNIT_ASSERT_TRUE(test, r.has_value());
}
void make_normal(kunit* test, task_struct* t, int nice = 0) {
  auto r = __sched_setscheduler(t, {.policy = SCHED_NORMAL, .nice = nice}, SchedCaller::Kernel);
  KUNIT_ASSERT_TRUE(test, r.has_value());
}
void make_deadline(kunit* test, task_struct* t, u64 runtime, u64 period) {
  auto r = __sched_setscheduler(t, {.policy = SCHED_DEADLINE, .runtime = runtime, .deadline = period}, SchedCaller::Kernel);
  KUNIT_ASSERT_TRUE(test, r.has_value());
}

// An owner of a, asleep.
struct Owner {
  Thread t;
  Owner(kunit* test, Shared& s) {
    t.start(test, owns_until_told, &s);
    wait_for_completion(&s.held);
  }
};

// spec 33 W-48
void trylock_takes_once(kunit* test) {
  Shared s;
  KUNIT_EXPECT_FALSE(test, rt_mutex_is_locked(&s.a));
  KUNIT_EXPECT_EQ(test, rt_mutex_trylock(&s.a), 1);
  KUNIT_EXPECT_EQ(test, rt_mutex_trylock(&s.a), 0);
  rt_mutex_unlock(&s.a);
  Owner o(test, s);
  KUNIT_EXPECT_EQ(test, rt_mutex_trylock(&s.a), 0);
  complete(&s.go);
  o.t.join();
  KUNIT_EXPECT_EQ(test, rt_mutex_trylock(&s.a), 1);
  rt_mutex_unlock(&s.a);
}

// spec 30 S-74: by priority; all that are not real-time count the same, in the order in which they came
void waiters_come_by_priority(kunit* test) {
  Shared s;
  Owner o(test, s);
  Thread t[5];
  Role r[5];
  const int fifo[5] = {0, 0, 10, 30, 10};
  for (int i = 0; i < 5; i++) {
    r[i] = {&s, i};
    t[i].start(test, takes_a, &r[i]);
    KUNIT_EXPECT_TRUE(test, t[i].wait_asleep());
    if (fifo[i]) make_fifo(test, t[i].task, static_cast<unsigned>(fifo[i]));
  }
  set_user_nice(t[1].task, -10);  // does not help
  complete(&s.go);
  o.t.join();
  for (Thread& each : t) each.join();
  const int expected[5] = {3, 2, 4, 0, 1};
  for (int i = 0; i < 5; i++) KUNIT_EXPECT_EQ(test, s.order[i], expected[i]);
}

// spec 30 S-73, S-75: the owner runs in the donor's class; policy, nice and rt_priority stay; unlock ends it
void the_owner_inherits_and_gives_back(kunit* test) {
  Shared s;
  Owner o(test, s);
  Thread t;
  Role r{&s, 0};
  t.start(test, takes_a, &r);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 120);
  make_fifo(test, t.task, 40);
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 59);
  KUNIT_EXPECT_PTR_EQ(test, o.t.task->sched_class, &rt_sched_class);
  KUNIT_EXPECT_EQ(test, o.t.task->policy, unsigned{SCHED_NORMAL});
  KUNIT_EXPECT_EQ(test, o.t.task->normal_prio, 120);
  KUNIT_EXPECT_EQ(test, o.t.task->static_prio, 120);
  KUNIT_EXPECT_EQ(test, o.t.task->rt_priority, 0u);
  KUNIT_EXPECT_PTR_EQ(test, o.t.task->pi_top_task, t.task);
  make_fifo(test, t.task, 20);  // the donor is lowered: so is the owner
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 79);
  complete(&s.go);
  KUNIT_EXPECT_EQ(test, o.t.join(), 120);
  t.join();
  KUNIT_EXPECT_EQ(test, r.prio_inside, 79);
}

// spec 30 S-73: along the chain
void a_boost_travels_along_the_chain(kunit* test) {
  Shared s;
  Owner o(test, s);
  reinit_completion(&s.held);
  Role r{&s, 0};
  Thread middle, top;
  middle.start(test, takes_b_then_a, &r);
  wait_for_completion(&s.held);
  KUNIT_EXPECT_TRUE(test, middle.wait_asleep());
  top.start(test, takes_b, &r);
  KUNIT_EXPECT_TRUE(test, top.wait_asleep());
  make_fifo(test, top.task, 7);
  KUNIT_EXPECT_EQ(test, middle.task->prio, 92);
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 92);
  make_normal(test, top.task);
  KUNIT_EXPECT_EQ(test, middle.task->prio, 120);
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 120);
  complete(&s.go);
  o.t.join();
  KUNIT_EXPECT_EQ(test, middle.join(), 0);
  top.join();
}

// spec 30 S-73: the best over all the locks that it holds; W-48: -EINTR, which takes the boost back
void the_best_of_all_locks_counts(kunit* test) {
  Shared s;
  rt_mutex_lock(&s.a);
  rt_mutex_lock(&s.b);
  Role r{&s, 0};
  Thread on_a, on_b;
  on_a.start(test, takes_a, &r);
  on_b.start(test, takes_b, &r);
  KUNIT_EXPECT_TRUE(test, on_a.wait_asleep() && on_b.wait_asleep());
  make_fifo(test, on_a.task, 10);
  make_fifo(test, on_b.task, 20);
  KUNIT_EXPECT_EQ(test, current->prio, 79);
  rt_mutex_unlock(&s.b);
  KUNIT_EXPECT_EQ(test, current->prio, 89);
  rt_mutex_unlock(&s.a);
  KUNIT_EXPECT_EQ(test, current->prio, 120);
  KUNIT_EXPECT_NULL(test, current->pi_top_task);
  on_a.join();
  on_b.join();
}

int interrupted_on_a(void* p) {
  auto* r = static_cast<Role*>(p);
  int err = rt_mutex_lock_interruptible(&r->s->a);
  if (!err) rt_mutex_unlock(&r->s->a);
  return err;
}
// spec 33 W-48
void a_signal_ends_the_wait_and_the_boost(kunit* test) {
  Shared s;
  Owner o(test, s);
  Role r{&s, 0};
  Thread t;
  t.start(test, interrupted_on_a, &r);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  make_fifo(test, t.task, 50);
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 49);
  set_tsk_thread_flag(t.task, TIF_NOTIFY_SIGNAL);
  wake_up_process(t.task);
  KUNIT_EXPECT_EQ(test, t.join(), -EINTR);
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 120);
  complete(&s.go);
  o.t.join();
}

// spec 30 S-73: a cycle is -EDEADLK, whether of one lock or of two
void a_cycle_is_refused(kunit* test) {
  Shared s;
  rt_mutex_lock(&s.a);
  KUNIT_EXPECT_EQ(test, rt_mutex_lock_interruptible(&s.a), -EDEADLK);
  Role r{&s, 0};
  Thread other;
  other.start(test, takes_b_then_a, &r);  // owns b, waits for a
  wait_for_completion(&s.held);
  KUNIT_EXPECT_TRUE(test, other.wait_asleep());
  KUNIT_EXPECT_EQ(test, rt_mutex_lock_interruptible(&s.b), -EDEADLK);
  KUNIT_EXPECT_EQ(test, rt_mutex_lock_killable(&s.b), -EDEADLK);
  KUNIT_EXPECT_EQ(test, rt_mutex_trylock(&s.b), 0);
  rt_mutex_unlock(&s.a);
  KUNIT_EXPECT_EQ(test, other.join(), 0);
  KUNIT_EXPECT_EQ(test, rt_mutex_trylock(&s.b), 1);  // and nothing was left behind
  rt_mutex_unlock(&s.b);
}

// spec 30 S-77: the better of both
void setscheduler_of_a_boosted_task(kunit* test) {
  Shared s;
  Owner o(test, s);
  Role r{&s, 0};
  Thread t;
  t.start(test, takes_a, &r);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  make_fifo(test, t.task, 40);
  make_fifo(test, o.t.task, 10);
  KUNIT_EXPECT_EQ(test, o.t.task->normal_prio, 89);
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 59);
  make_fifo(test, o.t.task, 60);
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 39);
  make_normal(test, o.t.task, 5);
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 59);
  KUNIT_EXPECT_EQ(test, o.t.task->normal_prio, 125);
  set_user_nice(o.t.task, 3);  // S-2: boosted into real time, its priority stays
  KUNIT_EXPECT_EQ(test, o.t.task->prio, 59);
  KUNIT_EXPECT_EQ(test, o.t.task->normal_prio, 123);
  complete(&s.go);
  KUNIT_EXPECT_EQ(test, o.t.join(), 123);
  t.join();
}

// spec 30 S-76: its number rises, its share does not
void a_fair_donor_does_not_change_the_weight(kunit* test) {
  Shared s;
  Owner o(test, s);
  Role r{&s, 0};
  Thread t;
  const unsigned long weight = o.t.task->se.load.weight;
  t.start(test, takes_a, &r);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  make_normal(test, t.task, -10);
  // S-74 orders fair waiters alike, so that this change alone does not travel; the next waiter's arrival tells.
  KUNIT_EXPECT_EQ(test, o.t.task->se.load.weight, weight);
  KUNIT_EXPECT_PTR_EQ(test, o.t.task->sched_class, &fair_sched_class);
  complete(&s.go);
  o.t.join();
  t.join();
}

// spec 32 D-20, spec 30 S-75: by the donor's parameters, in its class, without bandwidth of its own
void a_deadline_donor_lends_its_parameters(kunit* test) {
  Shared s;
  Owner o(test, s);
  Role r{&s, 0};
  Thread t;
  t.start(test, takes_a, &r);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  make_deadline(test, t.task, 10'000'000, 100'000'000);
  task_struct* owner = o.t.task;
  KUNIT_EXPECT_EQ(test, owner->prio, -1);
  KUNIT_EXPECT_PTR_EQ(test, owner->sched_class, &dl_sched_class);
  KUNIT_EXPECT_EQ(test, owner->dl.dl_runtime, u64{10'000'000});
  KUNIT_EXPECT_EQ(test, owner->dl.dl_period, u64{100'000'000});
  KUNIT_EXPECT_EQ(test, owner->dl.dl_bw, u64{0});
  KUNIT_EXPECT_EQ(test, owner->dl.admitted_bw, u64{0});
  KUNIT_EXPECT_EQ(test, dl::own_params(owner->dl).runtime, u64{0});
  complete(&s.go);
  KUNIT_EXPECT_EQ(test, o.t.join(), 120);
  t.join();
}

// spec 30 S-74: deadline tasks by deadline, before all real-time ones
void deadline_waiters_come_first(kunit* test) {
  Shared s;
  Owner o(test, s);
  Thread t[3];
  Role r[3];
  for (int i = 0; i < 3; i++) {
    r[i] = {&s, i};
    t[i].start(test, takes_a, &r[i]);
    KUNIT_EXPECT_TRUE(test, t[i].wait_asleep());
  }
  make_fifo(test, t[0].task, 99);
  make_deadline(test, t[1].task, 10'000'000, 800'000'000);
  make_deadline(test, t[2].task, 10'000'000, 100'000'000);
  KUNIT_EXPECT_EQ(test, o.t.task->prio, -1);
  complete(&s.go);
  o.t.join();
  for (Thread& each : t) each.join();
  // Both have their first deadline only when they run, hence came in the order of becoming deadline tasks or by deadline.
  KUNIT_EXPECT_EQ(test, s.order[2], 0);
}

int forks_nothing_but_runs(void*) { return current->prio; }
// spec 30 S-53: a boost is not inherited
void a_child_does_not_inherit_the_boost(kunit* test) {
  Shared s;
  rt_mutex_lock(&s.a);
  Role r{&s, 0};
  Thread t, child;
  t.start(test, takes_a, &r);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  make_fifo(test, t.task, 40);
  KUNIT_EXPECT_EQ(test, current->prio, 59);
  child.start(test, forks_nothing_but_runs, nullptr);
  KUNIT_EXPECT_NULL(test, child.task->pi_top_task);
  rt_mutex_unlock(&s.a);
  KUNIT_EXPECT_EQ(test, child.join(), 120);
  t.join();
}

kunit_case cases[] = {
    KUNIT_CASE(trylock_takes_once),
    KUNIT_CASE(waiters_come_by_priority),
    KUNIT_CASE(the_owner_inherits_and_gives_back),
    KUNIT_CASE(a_boost_travels_along_the_chain),
    KUNIT_CASE(the_best_of_all_locks_counts),
    KUNIT_CASE(a_signal_ends_the_wait_and_the_boost),
    KUNIT_CASE(a_cycle_is_refused),
    KUNIT_CASE(setscheduler_of_a_boosted_task),
    KUNIT_CASE(a_fair_donor_does_not_change_the_weight),
    KUNIT_CASE(a_deadline_donor_lends_its_parameters),
    KUNIT_CASE(deadline_waiters_come_first),
    KUNIT_CASE(a_child_does_not_inherit_the_boost),
    {},
};
kunit_suite suite = {.name = "rt_mutex", .test_cases = cases};
}  // namespace
kunit_test_suite(suite);
