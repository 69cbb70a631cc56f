// The schedulers that schedlab compares with: O(1) and the multi-level feedback queue, as pure queues. Spec 32 part 4.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/slab.h>

#include <new>

#include "tools/schedlab/schedulers/mlfq.hh"
#include "tools/schedlab/schedulers/o1.hh"

namespace {

constexpr u64 kMs = 1'000'000;

// spec 32 H-3, H-7, H-10: the tables
void o1_tables(kunit* test) {
  constexpr int kNice[] = {-20, -15, -10, -5, -1, 0, 1, 5, 10, 15, 19};
  constexpr u64 kSlice[] = {800, 700, 600, 500, 420, 100, 95, 75, 50, 25, 5};
  for (size_t k = 0; k < std::size(kNice); k++) KUNIT_EXPECT_EQ(test, o1::timeslice(120 + kNice[k]), kSlice[k] * kMs);
  constexpr int kDeltaNice[] = {-20, -10, -5, 0, 5, 10, 15, 19}, kDelta[] = {-3, -1, 0, 2, 3, 4, 5, 6};
  constexpr u64 kNeeds[] = {200, 400, 500, 700, 800, 900, 1000};
  for (size_t k = 0; k < std::size(kDeltaNice); k++) KUNIT_EXPECT_EQ(test, o1::delta(kDeltaNice[k]), kDelta[k]);
  for (size_t k = 0; k < std::size(kNeeds); k++) {
    KUNIT_EXPECT_TRUE(test, o1::interactive(120 + kDeltaNice[k], kNeeds[k] * kMs));
    KUNIT_EXPECT_FALSE(test, o1::interactive(120 + kDeltaNice[k], kNeeds[k] * kMs - 1));
  }
  KUNIT_EXPECT_FALSE(test, o1::interactive(139, 1000 * kMs));
  constexpr u64 kGranularity[] = {160, 80, 40, 20, 10, 10};
  for (u64 b = 5; b <= 10; b++) KUNIT_EXPECT_EQ(test, o1::granularity(b * 100 * kMs, 1), kGranularity[b - 5] * kMs);
}

// spec 32 H-5, H-6
void o1_sleep_earns_priority(kunit* test) {
  KUNIT_EXPECT_EQ(test, o1::dynamic_prio(120, 0), 125);
  KUNIT_EXPECT_EQ(test, o1::dynamic_prio(120, 500 * kMs), 120);
  KUNIT_EXPECT_EQ(test, o1::dynamic_prio(120, 1000 * kMs), 115);
  KUNIT_EXPECT_EQ(test, o1::dynamic_prio(100, 1000 * kMs), 100);
  KUNIT_EXPECT_EQ(test, o1::dynamic_prio(139, 0), 139);
  KUNIT_EXPECT_EQ(test, o1::slept(120, 0, 10 * kMs, false), 100 * kMs);
  KUNIT_EXPECT_EQ(test, o1::slept(120, 0, 800 * kMs, false), 900 * kMs);   // longer than 799 ms: an idle one
  KUNIT_EXPECT_EQ(test, o1::slept(120, 0, 900 * kMs, true), 799 * kMs);    // waiting for a disk is not sleeping
  KUNIT_EXPECT_EQ(test, o1::slept(120, 990 * kMs, 500 * kMs, false), 1000 * kMs);
  KUNIT_EXPECT_EQ(test, o1::after_running(500 * kMs, 50 * kMs), 490 * kMs);
  KUNIT_EXPECT_EQ(test, o1::after_running(50 * kMs, 100 * kMs), 0u);
}

template <class Queue>
struct Sim {  // one CPU, ticks of 1 ms; times in ms
  using Task = typename Queue::Task;
  explicit Sim(kunit* test) : queue(*new (kunit_kzalloc(test, sizeof(Queue), GFP_KERNEL)) Queue) {}
  void give_way() {
    queue.stop(*running, ran * kMs, true, now * kMs);
    queue.add(*running, Added::Preempted, now * kMs);
    running = nullptr;
  }
  void wake(Task& t, Added why) {
    t.slept = (now - asleep_since) * kMs;
    queue.add(t, why, now * kMs);
    if (running && queue.preempts(t, *running)) give_way();
  }
  void sleep() {
    queue.stop(*running, ran * kMs, false, now * kMs);
    asleep_since = now;
    running = nullptr;
  }
  void one_ms() {
    if (!running && (running = queue.pick())) {
      queue.remove(*running, false, now * kMs);
      queue.start(*running, now * kMs);
      ran = 0;
    }
    now++;
    if (!running) return;
    ran++;
    if (queue.tick(*running, ran * kMs, now * kMs)) give_way();
  }
  Queue& queue;
  Task* running = nullptr;
  u64 now = 0, ran = 0, asleep_since = 0;
};

// spec 32 H-1, H-8 and its example: two hogs of nice 0 and 5 share 4 to 3
void o1_hogs_share_by_slices(kunit* test) {
  Sim<o1::Queue> sim(test);
  o1::Task a, b;
  b.set_nice(5);
  sim.wake(a, Added::New);
  sim.wake(b, Added::New);
  u64 ran_a = 0, ran_b = 0;
  for (int ms = 0; ms < 7000; ms++) {
    sim.one_ms();
    // after the tick running may be gone; who ran is whose slice was charged
    ran_a += sim.running == &a;
    ran_b += sim.running == &b;
  }
  KUNIT_EXPECT_GT(test, ran_a * 3, ran_b * 4 * 97 / 100);
  KUNIT_EXPECT_LT(test, ran_a * 3, ran_b * 4 * 103 / 100);
  if (sim.running) sim.sleep();
}

// spec 32 H-2: a woken task goes to the active array and preempts a less urgent one, not an equal
void o1_wakeup(kunit* test) {
  auto& q = *new (kunit_kzalloc(test, sizeof(o1::Queue), GFP_KERNEL)) o1::Queue;
  o1::Task runs, woken;
  runs.prio = 120;
  woken.sleep_avg = 500 * kMs;
  q.add(woken, Added::Woken, kMs);
  KUNIT_EXPECT_EQ(test, woken.where, q.active);
  KUNIT_EXPECT_EQ(test, q.arrays[q.active].count, 1u);
  KUNIT_EXPECT_EQ(test, woken.prio, 120);
  KUNIT_EXPECT_FALSE(test, q.preempts(woken, runs));
  runs.prio = 121;
  KUNIT_EXPECT_TRUE(test, q.preempts(woken, runs));
  runs.prio = 119;
  KUNIT_EXPECT_FALSE(test, q.preempts(woken, runs));
  q.remove(woken, true, kMs);
}

// spec 32 H-9: an interactive task expires too, once the expired ones have waited a second each, or a better one is among them
void o1_starvation(kunit* test) {
  auto& q = *new (kunit_kzalloc(test, sizeof(o1::Queue), GFP_KERNEL)) o1::Queue;
  o1::Task waits, t;
  t.sleep_avg = 1000 * kMs;
  q.expire(t, 10 * kMs, 1);
  KUNIT_EXPECT_FALSE(test, t.to_expired);  // nobody waits
  waits.to_expired = true;
  waits.static_prio = 130;
  q.add(waits, Added::Preempted, 10 * kMs);
  q.expire(t, 10 * kMs + 2000 * kMs, 1);  // two are there: 2 s, and a tick
  KUNIT_EXPECT_FALSE(test, t.to_expired);
  q.expire(t, 10 * kMs + 2004 * kMs, 1);
  KUNIT_EXPECT_TRUE(test, t.to_expired);
  t.to_expired = false;
  q.best_expired = 119;
  q.expire(t, 20 * kMs, 1);
  KUNIT_EXPECT_TRUE(test, t.to_expired);
  t.to_expired = false;
  q.best_expired = 120;
  q.expire(t, 20 * kMs, 1);
  KUNIT_EXPECT_FALSE(test, t.to_expired);
  q.remove(waits, true, 20 * kMs);
}

// spec 32 H-4
void o1_fork_halves_the_slice(kunit* test) {
  o1::Task parent, child;
  parent.slice = 75 * static_cast<s64>(kMs) + 1;
  parent.sleep_avg = 1000 * kMs;
  o1::Queue::fork(parent, child);
  KUNIT_EXPECT_EQ(test, child.slice, (75 * static_cast<s64>(kMs) + 2) / 2);
  KUNIT_EXPECT_EQ(test, child.slice + parent.slice, 75 * static_cast<s64>(kMs) + 1);
  KUNIT_EXPECT_EQ(test, child.sleep_avg, 900 * kMs);  // 95 % in bonus steps
}

// A hog from the start, and from 100 on one that runs 1 ms in 10. Levels at the times that matter.
template <mlfq::Variant kVariant>
void hog_and_sleeper(kunit* test, bool refined) {
  Sim<mlfq::Queue<kVariant>> sim(test);
  mlfq::Task hog, b;
  sim.wake(hog, Added::New);
  bool b_awake = false;
  for (int ms = 0; ms < 1100; ms++) {
    if (ms >= 100 && ms % 10 == 0 && !b_awake) {
      sim.wake(b, ms == 100 ? Added::New : Added::Woken);
      b_awake = true;
    }
    sim.one_ms();
    if (b_awake && sim.running == &b) {
      sim.sleep();
      b_awake = false;
    } else if (b_awake && b.charged >= kMs && !sim.running) {  // gave way at the very end of its burst
      sim.queue.remove(b, true, sim.now * kMs);
      b_awake = false;
    }
    const u64 t = sim.now;
    if (t == 9) KUNIT_EXPECT_EQ(test, hog.level, 0u);
    if (t == 10 || t == 29) KUNIT_EXPECT_EQ(test, hog.level, 1u);
    if (t == 30 || t == 900) KUNIT_EXPECT_EQ(test, hog.level, 2u);
    if (t == 190) KUNIT_EXPECT_EQ(test, b.level, 0u);
    if (t == 191) KUNIT_EXPECT_EQ(test, b.level, refined ? 1u : 0u);
    if (t == 380) KUNIT_EXPECT_EQ(test, b.level, refined ? 1u : 0u);
    if (t == 450) KUNIT_EXPECT_EQ(test, b.level, refined ? 2u : 0u);
    if (t == 1002) KUNIT_EXPECT_EQ(test, hog.level, refined ? 0u : 2u);
    if (t == 1002) KUNIT_EXPECT_EQ(test, b.level, 0u);
  }
  if (sim.running) sim.sleep();
  for (mlfq::Task* t : {&hog, &b})
    if (t->queued()) sim.queue.remove(*t, true, 0);
}
// spec 32 H-11, H-13, H-14, H-15, H-16
void mlfq_refined_timeline(kunit* test) { hog_and_sleeper<mlfq::Variant::Refined>(test, true); }
// spec 32 H-12: sleeping just before the quantum ends keeps level 0 for ever
void mlfq_basic_can_be_gamed(kunit* test) { hog_and_sleeper<mlfq::Variant::Basic>(test, false); }

}  // namespace

static kunit_case cases[] = {
    KUNIT_CASE(o1_tables),           KUNIT_CASE(o1_sleep_earns_priority), KUNIT_CASE(o1_hogs_share_by_slices),
    KUNIT_CASE(o1_wakeup), KUNIT_CASE(o1_starvation), KUNIT_CASE(o1_fork_halves_the_slice), KUNIT_CASE(mlfq_refined_timeline), KUNIT_CASE(mlfq_basic_can_be_gamed),
    {},
};
static kunit_suite suite = {.name = "sched_historical", .test_cases = cases};
kunit_test_suite(suite);
