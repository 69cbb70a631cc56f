// Completions and simple wait queues (spec 33 sections 2 and 3).
// SPDX-License-Identifier: Apache-2.0
#include <linux/swait.h>

#include "test/sync/threads.hh"

namespace {

int waiter(void* p) {
  wait_for_completion(static_cast<completion*>(p));
  return 1;
}
int interruptible_waiter(void* p) { return wait_for_completion_interruptible(static_cast<completion*>(p)); }

void counts(kunit* test) {  // spec 33 W-16
  DECLARE_COMPLETION_ONSTACK(c);
  KUNIT_EXPECT_FALSE(test, try_wait_for_completion(&c));
  KUNIT_EXPECT_FALSE(test, completion_done(&c));
  for (int i = 0; i < 3; i++) complete(&c);
  KUNIT_EXPECT_TRUE(test, completion_done(&c));
  for (int i = 0; i < 3; i++) wait_for_completion(&c);
  KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&c, 2), 0ul);  // the fourth sleeps
}
void complete_all_stays(kunit* test) {  // spec 33 W-16
  DECLARE_COMPLETION_ONSTACK(c);
  complete_all(&c);
  for (int i = 0; i < 5; i++) {
    wait_for_completion(&c);
    KUNIT_EXPECT_TRUE(test, try_wait_for_completion(&c));
  }
  reinit_completion(&c);
  KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&c, 1), 0ul);
}
void saturates(kunit* test) {  // spec 33 W-17
  DECLARE_COMPLETION_ONSTACK(c);
  c.done = ~0u - 1;
  complete(&c);
  KUNIT_EXPECT_EQ(test, c.done, ~0u);
  complete(&c);
  KUNIT_EXPECT_EQ(test, c.done, ~0u);
}
void complete_wakes_one(kunit* test) {  // spec 33 W-15
  DECLARE_COMPLETION_ONSTACK(c);
  Thread t[3];
  for (auto& x : t) {
    x.start(test, waiter, &c);
    KUNIT_EXPECT_TRUE(test, x.wait_asleep());
  }
  complete(&c);
  EXPECT_SOON(test, t[0].finished());  // the first that came
  KUNIT_EXPECT_FALSE(test, t[1].finished());
  KUNIT_EXPECT_FALSE(test, t[2].finished());
  complete_all(&c);
  // finished() consumed one of its own completions only; join waits once more for the others.
  KUNIT_EXPECT_EQ(test, t[1].join() + t[2].join(), 2);
  t[0].join();
}
void remaining_is_at_least_one(kunit* test) {  // spec 33 W-19
  DECLARE_COMPLETION_ONSTACK(c);
  complete(&c);
  KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&c, 0), 1ul);
  complete(&c);
  KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&c, 50), 50ul);
}
void interrupted(kunit* test) {  // spec 33 section 2, the table
  DECLARE_COMPLETION_ONSTACK(c);
  {
    PendingSignal pending;
    KUNIT_EXPECT_EQ(test, wait_for_completion_interruptible(&c), -ERESTARTSYS);
    KUNIT_EXPECT_EQ(test, wait_for_completion_interruptible_timeout(&c, 5), -ERESTARTSYS);
    KUNIT_EXPECT_EQ(test, wait_for_completion_killable_timeout(&c, 1), 0);
    complete(&c);
    KUNIT_EXPECT_EQ(test, wait_for_completion_interruptible(&c), 0);
  }
  Thread t;
  t.start(test, interruptible_waiter, &c);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep(TASK_INTERRUPTIBLE));
  set_tsk_thread_flag(t.task, TIF_NOTIFY_SIGNAL);
  wake_up_state(t.task, TASK_INTERRUPTIBLE);
  KUNIT_EXPECT_EQ(test, t.join(), -ERESTARTSYS);
  KUNIT_EXPECT_TRUE(test, list_empty(&c.wait.task_list));
}

struct Swait {
  swait_queue_head q;
  int units = 0;
  int woken = 0;
};
int swait_unit(void* p) {
  auto* s = static_cast<Swait*>(p);
  swait_event_exclusive(s->q, READ_ONCE(s->units) > 0);
  return atomic_inc_return(reinterpret_cast<atomic_t*>(&s->woken));
}
void swait_one_and_all(kunit* test) {  // spec 33 W-20
  Swait s;
  init_swait_queue_head(&s.q);
  Thread t[3];
  for (auto& x : t) {
    x.start(test, swait_unit, &s);
    KUNIT_EXPECT_TRUE(test, x.wait_asleep());
  }
  WRITE_ONCE(s.units, 1);
  swake_up_one(&s.q);
  EXPECT_SOON(test, READ_ONCE(s.woken) == 1);
  swake_up_all(&s.q);
  int first = t[0].join();
  t[1].join();
  t[2].join();
  KUNIT_EXPECT_EQ(test, first, 1);  // FIFO
  KUNIT_EXPECT_EQ(test, s.woken, 3);
  KUNIT_EXPECT_EQ(test, swait_event_timeout_exclusive(s.q, false, 2), 0);
  KUNIT_EXPECT_EQ(test, swait_event_timeout_exclusive(s.q, true, 0), 1);
  PendingSignal pending;
  KUNIT_EXPECT_EQ(test, swait_event_interruptible_exclusive(s.q, false), -ERESTARTSYS);
  KUNIT_EXPECT_FALSE(test, swait_active(&s.q));
}

kunit_case cases[] = {
    KUNIT_CASE(counts),       KUNIT_CASE(complete_all_stays), KUNIT_CASE(saturates),
    KUNIT_CASE(complete_wakes_one), KUNIT_CASE(remaining_is_at_least_one), KUNIT_CASE(interrupted),
    KUNIT_CASE(swait_one_and_all), {},
};
kunit_suite suite = {.name = "completion", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
