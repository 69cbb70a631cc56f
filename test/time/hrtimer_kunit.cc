// High-resolution timers and clocks (spec 33 section 6).
// SPDX-License-Identifier: Apache-2.0
#include <linux/hrtimer.h>
#include <linux/interrupt.h>

#include "test/sync/threads.hh"

namespace {

struct Probe {
  hrtimer timer;
  int calls = 0, periods = 1;
  ktime_t at = 0, interval = 0;
  bool hard = false, soft = false, irqs_off = false;
};
enum hrtimer_restart fire(hrtimer* t) {
  Probe* p = container_of(t, Probe, timer);
  p->at = ktime_get();
  p->hard = in_hardirq();
  p->soft = in_serving_softirq();
  p->irqs_off = irqs_disabled();
  WRITE_ONCE(p->calls, p->calls + 1);
  if (p->calls >= p->periods) return HRTIMER_NORESTART;
  hrtimer_forward_now(t, p->interval);
  return HRTIMER_RESTART;
}
void setup(Probe* p, hrtimer_mode mode, int clock = CLOCK_MONOTONIC) {
  hrtimer_init(&p->timer, clock, mode);
  p->timer.function = fire;
}

struct ForwardRow {
  ktime_t expires, now, interval;
  u64 count;
  ktime_t then;
};
constexpr ForwardRow kRows[] = {  // spec 33 W-33
    {100, 99, 10, 0, 100}, {100, 100, 10, 1, 110}, {100, 105, 10, 1, 110},
    {100, 110, 10, 2, 120}, {100, 135, 10, 4, 140}, {0, 1000, 300, 4, 1200},
};
void forward(kunit* test) {
  Probe p;
  setup(&p, HRTIMER_MODE_ABS);
  for (const ForwardRow& r : kRows) {
    hrtimer_set_expires(&p.timer, r.expires);
    KUNIT_EXPECT_EQ(test, hrtimer_forward(&p.timer, r.now, r.interval), r.count);
    KUNIT_EXPECT_EQ(test, hrtimer_get_expires(&p.timer), r.then);
  }
  hrtimer_set_expires(&p.timer, 100);
  KUNIT_EXPECT_EQ(test, hrtimer_forward(&p.timer, 102, 0), 3ul);  // below the resolution of 1 ns
}
void fires_hard(kunit* test) {  // spec 33 W-32 W-34
  Probe p;
  setup(&p, HRTIMER_MODE_REL);
  ktime_t begin = ktime_get();
  {
    IrqGuard guard;  // on a slow machine it would have fired by now
    hrtimer_start(&p.timer, 2 * NSEC_PER_MSEC, HRTIMER_MODE_REL);
    KUNIT_EXPECT_TRUE(test, hrtimer_active(&p.timer));
  }
  msleep(20);
  KUNIT_EXPECT_EQ(test, p.calls, 1);
  KUNIT_EXPECT_GE(test, p.at - begin, 2 * NSEC_PER_MSEC);
  KUNIT_EXPECT_TRUE(test, p.hard && p.irqs_off);
  KUNIT_EXPECT_FALSE(test, hrtimer_active(&p.timer));
}
void fires_soft(kunit* test) {  // spec 33 W-32
  Probe p;
  setup(&p, HRTIMER_MODE_REL_SOFT);
  hrtimer_start(&p.timer, NSEC_PER_MSEC, HRTIMER_MODE_REL_SOFT);
  msleep(20);
  KUNIT_EXPECT_EQ(test, p.calls, 1);
  KUNIT_EXPECT_TRUE(test, p.soft && !p.hard && !p.irqs_off);
}
void past_expiry_fires_at_once(kunit* test) {  // spec 33 W-34
  Probe p;
  setup(&p, HRTIMER_MODE_ABS);
  hrtimer_start(&p.timer, 1, HRTIMER_MODE_ABS);
  msleep(5);
  KUNIT_EXPECT_EQ(test, p.calls, 1);
}
void cancel(kunit* test) {
  Probe p;
  setup(&p, HRTIMER_MODE_REL);
  KUNIT_EXPECT_EQ(test, hrtimer_try_to_cancel(&p.timer), 0);
  hrtimer_start(&p.timer, 50 * NSEC_PER_MSEC, HRTIMER_MODE_REL);
  KUNIT_EXPECT_GT(test, hrtimer_get_remaining(&p.timer), 0);
  KUNIT_EXPECT_EQ(test, hrtimer_cancel(&p.timer), 1);
  KUNIT_EXPECT_EQ(test, hrtimer_cancel(&p.timer), 0);
  msleep(60);
  KUNIT_EXPECT_EQ(test, p.calls, 0);
}
void start_replaces(kunit* test) {
  Probe p;
  setup(&p, HRTIMER_MODE_REL);
  hrtimer_start(&p.timer, NSEC_PER_SEC, HRTIMER_MODE_REL);
  hrtimer_start(&p.timer, NSEC_PER_MSEC, HRTIMER_MODE_REL);
  msleep(20);
  KUNIT_EXPECT_EQ(test, p.calls, 1);
  KUNIT_EXPECT_FALSE(test, hrtimer_active(&p.timer));
}
void periodic(kunit* test) {  // spec 33 W-32
  Probe p;
  p.periods = 5;
  p.interval = 2 * NSEC_PER_MSEC;
  setup(&p, HRTIMER_MODE_REL);
  hrtimer_start(&p.timer, p.interval, HRTIMER_MODE_REL);
  msleep(60);
  KUNIT_EXPECT_EQ(test, p.calls, 5);
  KUNIT_EXPECT_EQ(test, hrtimer_cancel(&p.timer), 0);
}
void saturating_start(kunit* test) {  // spec 33 W-34
  Probe p;
  setup(&p, HRTIMER_MODE_REL);
  hrtimer_start(&p.timer, KTIME_MAX, HRTIMER_MODE_REL);
  KUNIT_EXPECT_EQ(test, hrtimer_get_expires(&p.timer), KTIME_MAX);
  KUNIT_EXPECT_EQ(test, hrtimer_cancel(&p.timer), 1);
}
int sleep_hr(void*) {
  set_current_state(TASK_INTERRUPTIBLE);
  ktime_t t = NSEC_PER_SEC;
  return schedule_hrtimeout(&t, HRTIMER_MODE_REL);
}
void hrtimeout(kunit* test) {  // spec 33 section 4
  ktime_t t = 3 * NSEC_PER_MSEC, begin = ktime_get();
  set_current_state(TASK_UNINTERRUPTIBLE);
  KUNIT_EXPECT_EQ(test, schedule_hrtimeout(&t, HRTIMER_MODE_REL), 0);
  KUNIT_EXPECT_GE(test, ktime_get() - begin, 3 * NSEC_PER_MSEC);
  t = 0;
  set_current_state(TASK_UNINTERRUPTIBLE);
  KUNIT_EXPECT_EQ(test, schedule_hrtimeout(&t, HRTIMER_MODE_REL), 0);
  KUNIT_EXPECT_EQ(test, READ_ONCE(current->__state), (unsigned)TASK_RUNNING);
  Thread th;
  th.start(test, sleep_hr, nullptr);
  KUNIT_EXPECT_TRUE(test, th.wait_asleep());
  wake_up_process(th.task);
  KUNIT_EXPECT_EQ(test, th.join(), -EINTR);
}
void setting_the_clock_moves_absolute_timers(kunit* test) {
  Probe p;
  setup(&p, HRTIMER_MODE_ABS, CLOCK_REALTIME);
  const ktime_t real = ktime_get_real();
  hrtimer_start(&p.timer, real + 3600 * NSEC_PER_SEC, HRTIMER_MODE_ABS);
  msleep(5);
  KUNIT_EXPECT_EQ(test, p.calls, 0);
  timespec64 later = ns_to_timespec64(real + 3601 * NSEC_PER_SEC);
  KUNIT_EXPECT_EQ(test, do_settimeofday64(&later), 0);
  KUNIT_EXPECT_GE(test, ktime_get_real(), real + 3600 * NSEC_PER_SEC);
  msleep(5);
  KUNIT_EXPECT_EQ(test, p.calls, 1);
  timespec64 before_boot = {0, 0}, wrong = {5, 1000000000};
  if (ktime_get() > 0) KUNIT_EXPECT_EQ(test, do_settimeofday64(&before_boot), -EINVAL);
  KUNIT_EXPECT_EQ(test, do_settimeofday64(&wrong), -EINVAL);
  timespec64 back = ns_to_timespec64(real + 1000 * NSEC_PER_MSEC);
  KUNIT_EXPECT_EQ(test, do_settimeofday64(&back), 0);
}
void clocks_agree(kunit* test) {
  const ktime_t a = ktime_get(), b = ktime_get();
  KUNIT_EXPECT_LE(test, a, b);
  KUNIT_EXPECT_LE(test, ktime_get_coarse(), ktime_get());
  KUNIT_EXPECT_LT(test, ktime_get() - ktime_get_coarse(), 100 * NSEC_PER_MSEC);
  const ktime_t offset = ktime_get_real() - ktime_get();
  KUNIT_EXPECT_LT(test, ktime_get_coarse_real() - ktime_get_coarse() - offset, NSEC_PER_MSEC);
  timespec64 ts = ns_to_timespec64(-1);
  KUNIT_EXPECT_EQ(test, ts.tv_sec, -1);
  KUNIT_EXPECT_EQ(test, ts.tv_nsec, 999999999);
  KUNIT_EXPECT_EQ(test, ktime_add_safe(KTIME_MAX - 1, 5), KTIME_MAX);
  KUNIT_EXPECT_EQ(test, ktime_set(KTIME_SEC_MAX, 0), KTIME_MAX);
}

kunit_case cases[] = {
    KUNIT_CASE(forward),  KUNIT_CASE(fires_hard),       KUNIT_CASE(fires_soft), KUNIT_CASE(past_expiry_fires_at_once),
    KUNIT_CASE(cancel),   KUNIT_CASE(start_replaces),   KUNIT_CASE(periodic),   KUNIT_CASE(saturating_start),
    KUNIT_CASE(hrtimeout), KUNIT_CASE(setting_the_clock_moves_absolute_timers), KUNIT_CASE(clocks_agree), {},
};
kunit_suite suite = {.name = "hrtimer", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
