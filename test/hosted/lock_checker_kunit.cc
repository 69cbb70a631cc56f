// The lock-order checker finds what it is for (spec 33 W-40 and the hosted rule of the design).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/timer.h>

#include <string_view>

#include "kernel/printk/printk.hh"
#include "kernel/sync/guards.hh"
#include "kernel/sync/lockorder.hh"
#include "kernel/sync/sync.hh"
#include "test/sync/threads.hh"

namespace {

struct Locks {
  spinlock_t a, b, c;
  struct mutex m, n;
  timer_list timer;
  Locks() {
    spin_lock_init(&a);
    spin_lock_init(&b);
    spin_lock_init(&c);
    mutex_init(&m);
    mutex_init(&n);
  }
};

void inverted_order(kunit* test) {
  Locks l;
  {
    SpinGuard first(l.a);
    SpinGuard second(l.b);
  }
  lockorder_expect_begin();
  {
    SpinGuard first(l.b);
    SpinGuard second(l.a);
  }
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 1u);
  // Both chains are in the report.
  KUNIT_EXPECT_NOT_NULL(test, strstr(lockorder_last_report(), "inverted order: &a"));
  KUNIT_EXPECT_NOT_NULL(test, strstr(lockorder_last_report(), "held now: &b"));
  KUNIT_EXPECT_NOT_NULL(test, strstr(lockorder_last_report(), "seen before: holding &a then &b"));
}
void inversion_over_three(kunit* test) {
  Locks l;
  {
    SpinGuard first(l.a);
    SpinGuard second(l.b);
  }
  {
    SpinGuard first(l.b);
    SpinGuard second(l.c);
  }
  lockorder_expect_begin();
  {
    SpinGuard first(l.c);
    SpinGuard second(l.a);
  }
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 1u);
}
void mutexes_too(kunit* test) {
  Locks l;
  {
    MutexGuard first(l.m);
    MutexGuard second(l.n);
  }
  lockorder_expect_begin();
  {
    MutexGuard first(l.n);
    MutexGuard second(l.m);
  }
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 1u);
}
void init_one(spinlock_t* l) { spin_lock_init(l); }
void two_of_one_class(kunit* test) {
  spinlock_t x, y;
  init_one(&x);
  init_one(&y);
  lockorder_expect_begin();
  spin_lock(&x);
  spin_lock(&y);
  spin_unlock(&y);
  spin_unlock(&x);
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 1u);
  lockorder_expect_begin();
  spin_lock(&x);
  spin_lock_nested(&y, SINGLE_DEPTH_NESTING);  // an order was stated
  spin_unlock(&y);
  spin_unlock(&x);
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 0u);
}
void trylocks_close_no_cycle(kunit* test) {
  Locks l;
  {
    SpinGuard first(l.a);
    SpinGuard second(l.b);
  }
  lockorder_expect_begin();
  spin_lock(&l.b);
  if (spin_trylock(&l.a)) spin_unlock(&l.a);
  spin_unlock(&l.b);
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 0u);
}
void take_a(timer_list* t) {
  Locks* l = from_timer(l, t, timer);
  SpinGuard g(l->a);
}
void softirq_and_task(kunit* test) {  // W-40: others disable bottom halves at least
  Locks l;
  timer_setup(&l.timer, take_a, 0);
  mod_timer(&l.timer, jiffies + 1);
  msleep(20);
  lockorder_expect_begin();
  {
    SpinGuard g(l.a);
  }
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 1u);
  del_timer_sync(&l.timer);
}
void softirq_and_task_with_bh_off(kunit* test) {
  Locks l;
  timer_setup(&l.timer, take_a, 0);
  mod_timer(&l.timer, jiffies + 1);
  msleep(20);
  lockorder_expect_begin();
  {
    BhSpinGuard g(l.a);
  }
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 0u);
  del_timer_sync(&l.timer);
}
void assertions(kunit* test) {
  Locks l;
  lockorder_expect_begin();
  lockdep_assert_held(&l.a);
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 1u);
  lockorder_expect_begin();
  {
    SpinGuard g(l.a);
    lockdep_assert_held(&l.a);
  }
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 0u);
}

// spec 33 W-45: only the owner unlocks, and nobody ends as an owner
int unlocks_anothers(void* p) {
  mutex_unlock(static_cast<struct mutex*>(p));
  return 0;
}
void a_mutex_unlocked_by_another(kunit* test) {
  Locks l;
  Thread t;
  mutex_lock(&l.m);
  lockorder_expect_begin();
  t.start(test, unlocks_anothers, &l.m);
  t.join();
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 1u);
  KUNIT_EXPECT_NOT_NULL(test, strstr(lockorder_last_report(), "should be held, is not: &m"));
}
int keeps_it(void* p) {
  mutex_lock(static_cast<struct mutex*>(p));
  return 0;
}
void a_mutex_held_at_exit(kunit* test) {
  Locks l;
  Thread t;
  lockorder_expect_begin();
  t.start(test, keeps_it, &l.m);
  t.join();
  settle();
  KUNIT_EXPECT_EQ(test, lockorder_expect_end(), 1u);
  KUNIT_EXPECT_NOT_NULL(test, strstr(lockorder_last_report(), "still held at exit: &m"));
}

kunit_case cases[] = {
    KUNIT_CASE(inverted_order), KUNIT_CASE(inversion_over_three), KUNIT_CASE(mutexes_too), KUNIT_CASE(two_of_one_class),
    KUNIT_CASE(trylocks_close_no_cycle), KUNIT_CASE(softirq_and_task), KUNIT_CASE(softirq_and_task_with_bh_off),
    KUNIT_CASE(assertions), KUNIT_CASE(a_mutex_unlocked_by_another), KUNIT_CASE(a_mutex_held_at_exit), {},
};
kunit_suite suite = {.name = "lock_checker", .test_cases = cases};
kunit_test_suite(suite);

// How often the log says `what` from `seq` on.
unsigned logged(u64 seq, std::string_view what) {
  LogRecord record;
  char text[200];
  size_t n;
  unsigned times = 0;
  for (; log_read(&seq, &record, text, &n); seq++) times += std::string_view(text, n).contains(what);
  return times;
}
// spec 30 S-32: reported with the place and the context, but not for ever; then it goes on. Not where one may sleep
void might_sleep_reports(kunit* test) {
  const u64 before = log_next_seq();
  atomic_sleep_expect_begin();
  might_sleep();
  KUNIT_EXPECT_EQ(test, logged(before, "sleeping function"), 0u);
  local_irq_disable();
  might_sleep();
  local_irq_enable();
  KUNIT_EXPECT_EQ(test, logged(before, "BUG: sleeping function called from invalid context at test/hosted/lock_checker_kunit.cc:"), 1u);
  KUNIT_EXPECT_EQ(test, logged(before, "in_atomic(): 0, irqs_disabled(): 1, non_block: 0, pid: "), 1u);
  preempt_disable();
  for (int i = 0; i < 30; i++) might_sleep();
  preempt_enable();
  KUNIT_EXPECT_EQ(test, logged(before, "in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: "), 9u);
  KUNIT_EXPECT_EQ(test, atomic_sleep_expect_end(), 31);
}
kunit_case sleep_cases[] = {KUNIT_CASE(might_sleep_reports), {}};
kunit_suite sleeping = {.name = "might_sleep", .test_cases = sleep_cases};
kunit_test_suite(sleeping);

void sleeps_under_a_spinlock(kunit*) {  // spec 33 section 11.1
  Locks l;
  SpinGuard g(l.a);
  mutex_lock(&l.m);
}
constexpr const char* kLastWords = "sleeping function called from invalid context";
kunit_case deadly_cases[] = {KUNIT_CASE(sleeps_under_a_spinlock), {}};
kunit_suite deadly = {
    .name = "lock_checker_deadly", .test_cases = deadly_cases,
    .world = {.dies_plain = kLastWords, .dies_asan = kLastWords, .dies_tsan = kLastWords}};
kunit_test_suite(deadly);

}  // namespace
