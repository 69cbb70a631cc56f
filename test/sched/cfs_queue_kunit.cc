// The fair queue by the worked examples of spec 31.
// SPDX-License-Identifier: Apache-2.0
#include "test/sched/fair_sim.hh"

// ---- Tunables and slices ------------------------------------------------------------------------------------------

// spec 31 F-9
static void tunables_grow_with_the_logarithm_of_cpus(kunit* test) {
  static const struct {
    unsigned cpus;
    u64 factor;
  } rows[] = {{1, 1}, {2, 2}, {3, 2}, {4, 3}, {7, 3}, {8, 4}, {64, 4}};
  for (auto& r : rows) {
    CfsTunables t = CfsTunables::for_cpus(r.cpus);
    KUNIT_EXPECT_EQ_MSG(test, t.latency, 6 * kMs * r.factor, "%u CPUs", r.cpus);
    KUNIT_EXPECT_EQ(test, t.min_granularity, 750'000 * r.factor);
    KUNIT_EXPECT_EQ(test, t.wakeup_granularity, kMs * r.factor);
    KUNIT_EXPECT_EQ(test, t.idle_min_granularity, 750'000ull);
  }
}

// Checks slice and virtual slice of the first of n queued entities.
static void expect_slice(kunit* test, unsigned cpus, const int* nices, int n, u64 slice, u64 vslice) {
  CfsTunables tun = CfsTunables::for_cpus(cpus);
  cfs_rq q;
  q.tun = &tun;
  sched_entity se[16];
  for (int i = 0; i < n; i++) {
    se[i] = fair_entity(nices[i]);
    q.enqueue(&se[i], 0, 0);
  }
  KUNIT_EXPECT_EQ(test, q.slice(&se[0]), slice);
  KUNIT_EXPECT_EQ(test, q.vslice(&se[0]), vslice);
}

// spec 31 F-10, F-11, F-12: the table of section 4
static void slices_of_three_weights(kunit* test) {
  static const int zero[] = {0, 5, -5}, five[] = {5, 0, -5}, minus[] = {-5, 0, 5};
  expect_slice(test, 1, zero, 3, 1371428, 1371428);
  expect_slice(test, 1, five, 3, 750000, 2292537);
  expect_slice(test, 1, minus, 3, 4179910, 1371428);
  expect_slice(test, 4, zero, 3, 4114285, 4114285);
  expect_slice(test, 4, five, 3, 2250000, 6877611);
  expect_slice(test, 4, minus, 3, 12539731, 4114285);
  expect_slice(test, 8, zero, 3, 5485713, 5485713);
  expect_slice(test, 8, five, 3, 3000000, 9170149);
  expect_slice(test, 8, minus, 3, 16719641, 5485713);
}

// spec 31 F-11
static void slices_of_equals(kunit* test) {
  static const int zeros[9] = {};
  expect_slice(test, 1, zeros, 2, 2999998, 2999998);
  expect_slice(test, 1, zeros, 3, 1999999, 1999999);
  expect_slice(test, 1, zeros, 9, 750000, 750000);   // more than eight: the period grows
  expect_slice(test, 4, zeros, 9, 2250000, 2250000);
}

// spec 31 F-11
static void slices_of_unequals(kunit* test) {
  static const int zero_one[] = {0, 1}, one_zero[] = {1, 0}, zero_19[] = {0, 19}, n19_zero[] = {19, 0};
  expect_slice(test, 1, zero_one, 2, 3331885, 3331885);
  expect_slice(test, 1, one_zero, 2, 2668111, 3331884);
  expect_slice(test, 1, zero_19, 2, 5913378, 5913378);
  expect_slice(test, 1, n19_zero, 2, 750000, 51199999);
  static const int eleven[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10}, ten[] = {10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  expect_slice(test, 1, eleven, 11, 816230, 816230);
  expect_slice(test, 1, ten, 11, 750000, 6981818);
}

// ---- Placement ----------------------------------------------------------------------------------------------------

struct PlaceFixture {
  CfsTunables tun;
  cfs_rq q;
  explicit PlaceFixture(unsigned cpus) : tun(CfsTunables::for_cpus(cpus)) {
    q.tun = &tun;
    q.min_vruntime = 100 * kMs;
  }
  u64 wake(sched_entity se, u64 vruntime) {
    se.vruntime = vruntime;
    q.enqueue(&se, 0, ENQUEUE_WAKEUP);
    u64 placed = se.vruntime;
    q.dequeue(&se, 0, DEQUEUE_SLEEP | DEQUEUE_SAVE);  // SAVE: the floor stays where it was
    return placed;
  }
};

// spec 31 F-15, F-16
static void sleepers_get_half_a_latency(kunit* test) {
  PlaceFixture one(1), eight(8);
  KUNIT_EXPECT_EQ(test, one.wake(fair_entity(0), 20 * kMs), 97 * kMs);
  KUNIT_EXPECT_EQ(test, one.wake(fair_entity(0), 99 * kMs), 99 * kMs);
  KUNIT_EXPECT_EQ(test, one.wake(idle_entity(), 20 * kMs), 99'625'000ull);
  KUNIT_EXPECT_EQ(test, eight.wake(fair_entity(0), 20 * kMs), 88 * kMs);
}

// spec 31 F-15, F-18
static void children_start_one_slice_behind(kunit* test) {
  PlaceFixture f(1);
  sched_entity parent = fair_entity(0), child0 = fair_entity(0), child5 = fair_entity(5);
  f.q.enqueue(&parent, 0, 0);
  f.q.set_next(&parent, 0);
  KUNIT_EXPECT_EQ(test, parent.vruntime, 100 * kMs);
  f.q.place_new(&child0, 0);
  KUNIT_EXPECT_EQ(test, child0.vruntime, 2'999'998ull);  // relative: the floor is taken off
  f.q.place_new(&child5, 0);
  KUNIT_EXPECT_EQ(test, f.q.slice(&child5), 1'479'028ull);
  KUNIT_EXPECT_EQ(test, child5.vruntime, 4'520'969ull);
}

// spec 31 F-18
static void child_runs_first_swaps(kunit* test) {
  PlaceFixture f(1);
  f.tun.child_runs_first = true;
  sched_entity parent = fair_entity(0), child = fair_entity(0);
  f.q.enqueue(&parent, 0, 0);
  f.q.set_next(&parent, 0);
  f.q.place_new(&child, 0);
  KUNIT_EXPECT_EQ(test, child.vruntime, 0ull);
  KUNIT_EXPECT_EQ(test, parent.vruntime, 102'999'998ull);
}

// spec 31 F-17
static void a_sleep_of_ages_is_placed_without_comparison(kunit* test) {
  PlaceFixture f(1);
  sched_entity se = fair_entity(0);
  se.exec_start = 1;
  se.vruntime = f.q.min_vruntime + (1ull << 62);  // would win the signed comparison
  f.q.enqueue(&se, (1ull << 63) / 1024 + 2, ENQUEUE_WAKEUP);
  KUNIT_EXPECT_EQ(test, se.vruntime, 97 * kMs);
}

// spec 31 F-21
static void a_migrating_waker_is_renormalised(kunit* test) {
  CfsTunables tun;
  cfs_rq from, to;
  from.tun = to.tun = &tun;
  from.min_vruntime = 100 * kMs;
  to.min_vruntime = 900 * kMs;
  sched_entity se = fair_entity(0);
  se.vruntime = 103 * kMs;
  se.vruntime -= from.min_vruntime;  // what the class's migrate hook does
  KUNIT_EXPECT_EQ(test, se.vruntime, 3 * kMs);
  to.enqueue(&se, 0, ENQUEUE_WAKEUP | ENQUEUE_MIGRATED);
  KUNIT_EXPECT_EQ(test, se.vruntime, 903 * kMs);
  KUNIT_EXPECT_EQ(test, se.exec_start, 0ull);
}

// spec 31 F-21
static void a_transient_removal_changes_nothing(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  s.q.min_vruntime = 50 * kMs;
  s.add(&a);
  s.add(&b);
  u64 before = b.vruntime;
  s.q.dequeue(&b, 0, DEQUEUE_SAVE);
  KUNIT_EXPECT_EQ(test, b.vruntime, before - 50 * kMs);
  s.q.enqueue(&b, 0, ENQUEUE_RESTORE);
  KUNIT_EXPECT_EQ(test, b.vruntime, before);
}

// ---- Accounting ---------------------------------------------------------------------------------------------------

// spec 31 F-13
static void update_curr_accounts_weighted_time(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(5);
  s.add(&a);
  s.q.set_next(&a, 0);
  KUNIT_EXPECT_EQ(test, s.q.update_curr(4 * kMs), 4 * kMs);
  KUNIT_EXPECT_EQ(test, a.sum_exec_runtime, 4 * kMs);
  KUNIT_EXPECT_EQ(test, a.vruntime, 12'226'865ull);
  KUNIT_EXPECT_EQ(test, s.q.update_curr(4 * kMs), 0ull);
  KUNIT_EXPECT_EQ(test, s.q.update_curr(3 * kMs), 0ull);  // the clock never takes time back
  KUNIT_EXPECT_EQ(test, a.sum_exec_runtime, 4 * kMs);
}

// spec 31 F-14
static void the_floor_never_falls(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  s.add(&a);
  s.q.set_next(&a, 0);
  s.q.update_curr(10 * kMs);
  KUNIT_EXPECT_EQ(test, s.q.min_vruntime, 10 * kMs);
  b.vruntime = 4 * kMs;
  s.q.enqueue(&b, 10 * kMs, ENQUEUE_WAKEUP);  // placed at 7 ms, behind the floor
  KUNIT_EXPECT_EQ(test, b.vruntime, 7 * kMs);
  KUNIT_EXPECT_EQ(test, s.q.min_vruntime, 10 * kMs);
  s.q.update_curr(12 * kMs);
  KUNIT_EXPECT_EQ(test, s.q.min_vruntime, 10 * kMs);  // leftmost holds it
}

// spec 31 F-7
static void order_survives_the_wrap(kunit* test) {
  FairSim s;
  s.q.min_vruntime = 0ull - kMs;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  a.vruntime = 2 * kMs;  // + min: past zero
  b.vruntime = 0;        // + min: before zero
  s.add(&a);
  s.add(&b);
  KUNIT_EXPECT_PTR_EQ(test, s.q.pick(), &b);
}

// spec 31 section 2: equal keys are FIFO
static void equal_vruntimes_are_first_come_first_served(kunit* test) {
  FairSim s;
  sched_entity e[5];
  for (sched_entity& x : e) s.add(&(x = fair_entity(0)));
  for (sched_entity& x : e) {
    KUNIT_EXPECT_PTR_EQ(test, s.q.pick(), &x);
    s.q.dequeue(&x, 0, DEQUEUE_SLEEP);
  }
  KUNIT_EXPECT_NULL(test, s.q.pick());
  KUNIT_EXPECT_EQ(test, s.q.load.weight, 0ul);
  KUNIT_EXPECT_EQ(test, s.q.nr_running, 0u);
}

// spec 31 F-8
static void the_running_one_is_not_in_the_tree(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  s.add(&a);
  s.add(&b);
  s.q.set_next(&a, 0);
  KUNIT_EXPECT_PTR_EQ(test, s.q.leftmost(), &b);
  KUNIT_EXPECT_EQ(test, s.q.nr_running, 2u);
  s.q.put_prev(&a, kMs);
  KUNIT_EXPECT_PTR_EQ(test, cfs_rq::entity(rb_last(&s.q.timeline.rb_root)), &a);
}

// spec 31 F-49
static void reweighting_keeps_vruntime(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  s.add(&a);
  s.add(&b);
  b.vruntime = 5;
  s.q.reweight(&b, weight_of_nice(5), 0);
  KUNIT_EXPECT_EQ(test, b.vruntime, 5ull);
  KUNIT_EXPECT_EQ(test, s.q.load.weight, (1024ul + 335) << 10);
  s.q.reweight(&b, weight_of_idle(), 0);
  KUNIT_EXPECT_EQ(test, s.q.idle_nr_running, 1u);
}

// ---- Preemption ---------------------------------------------------------------------------------------------------

// spec 31 F-23: alone it goes on; beyond its share it gives way and loses its buddies; before the least granularity it does not, however far
// ahead; then it does if it is more than its share ahead of the leftmost
static void the_tick_decides(kunit* test) {
  struct {
    u64 ran;    // us
    s64 ahead;  // us, of the other one
    bool gives_way;
  } rows[] = {{3100, 100, true},   {2900, 100, false},  {700, 20'000, false}, {800, 20'000, true},
              {800, 2900, false},  {800, 3100, true},   {2900, -500, false},  {3100, -5000, true}};
  for (auto& row : rows) {
    FairSim sim;
    sched_entity a = fair_entity(0), b = fair_entity(0);
    a.vruntime = b.vruntime = 50 * kMs;
    sim.add(&a);
    sim.q.set_next(&a, 0);
    b.vruntime = static_cast<u64>(static_cast<s64>(50 * kMs + row.ran * 1000) - row.ahead * 1000);
    sim.add(&b);
    sim.q.next = &a;
    KUNIT_EXPECT_EQ_MSG(test, sim.q.tick(row.ran * 1000), row.gives_way, "%llu us, %lld ahead", row.ran, row.ahead);
    const bool used_up = row.ran > 3000;
    KUNIT_EXPECT_EQ(test, sim.q.next == nullptr, used_up);
  }
  FairSim alone;
  sched_entity a = fair_entity(0);
  alone.add(&a);
  alone.q.set_next(&a, 0);
  KUNIT_EXPECT_FALSE(test, alone.q.tick(100 * kMs));
  KUNIT_EXPECT_EQ(test, a.sum_exec_runtime, 100 * kMs);  // but is accounted
}

// spec 31 F-24
static void wakeup_test_needs_a_granularity(kunit* test) {
  FairSim s;
  static const struct {
    int nice;
    u64 gran;
  } rows[] = {{0, 1000000}, {5, 3056716}, {-5, 328099}, {19, 68266666}};
  for (auto& r : rows) {
    sched_entity a = fair_entity(0), b = fair_entity(r.nice);
    b.vruntime = kMs;
    a.vruntime = kMs + r.gran;
    KUNIT_EXPECT_EQ_MSG(test, s.q.wakeup_test(&a, &b), 0, "nice %d", r.nice);
    a.vruntime++;
    KUNIT_EXPECT_EQ(test, s.q.wakeup_test(&a, &b), 1);
    a.vruntime = kMs;
    KUNIT_EXPECT_EQ(test, s.q.wakeup_test(&a, &b), -1);
  }
}

// spec 31 section 6.2
static void a_long_sleeper_preempts_and_a_short_one_does_not(kunit* test) {
  static const u64 lags[] = {3 * kMs, 900'000};
  for (u64 lag : lags) {
    FairSim s;
    sched_entity a = fair_entity(0), b = fair_entity(0);
    s.q.min_vruntime = 100 * kMs;
    s.add(&a);
    s.q.set_next(&a, 0);
    b.vruntime = 100 * kMs - lag;
    s.q.enqueue(&b, 0, ENQUEUE_WAKEUP);
    bool want = lag > kMs;
    KUNIT_EXPECT_EQ(test, s.q.should_preempt(&b, 0, FairKind::Normal, FairKind::Normal), want);
    KUNIT_EXPECT_PTR_EQ(test, s.q.next, want ? &b : nullptr);
  }
}

// spec 31 section 12
static void policies_decide_before_vruntime(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  s.add(&a);
  s.q.set_next(&a, 0);
  s.q.enqueue(&b, 0, 0);
  b.vruntime = 0ull - 50 * kMs;
  KUNIT_EXPECT_FALSE(test, s.q.should_preempt(&b, 0, FairKind::Batch, FairKind::Normal));
  KUNIT_EXPECT_FALSE(test, s.q.should_preempt(&b, 0, FairKind::Idle, FairKind::Normal));
  b.vruntime = 50 * kMs;
  KUNIT_EXPECT_TRUE(test, s.q.should_preempt(&b, 0, FairKind::Normal, FairKind::Idle));
  KUNIT_EXPECT_TRUE(test, s.q.should_preempt(&b, 0, FairKind::Batch, FairKind::Idle));
  KUNIT_EXPECT_FALSE(test, s.q.should_preempt(&b, 0, FairKind::Idle, FairKind::Idle));
}

// spec 31 section 6.2: LAST_BUDDY only in a crowd
static void the_preempted_one_becomes_last_buddy_in_a_crowd(kunit* test) {
  FairSim s;
  sched_entity e[9];
  for (sched_entity& x : e) s.add(&(x = fair_entity(0)));
  s.q.set_next(&e[0], 0);
  e[0].vruntime = 10 * kMs;
  KUNIT_EXPECT_TRUE(test, s.q.should_preempt(&e[1], 0, FairKind::Normal, FairKind::Normal));
  KUNIT_EXPECT_PTR_EQ(test, s.q.last, &e[0]);
}

// spec 31 F-25
static void next_buddy_is_preferred_within_the_granularity(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  b.vruntime = 900'000;
  s.add(&a);
  s.add(&b);
  s.q.next = &b;
  KUNIT_EXPECT_PTR_EQ(test, s.q.pick(), &b);
  s.q.set_next(&b, 0);
  KUNIT_EXPECT_NULL(test, s.q.next);
  s.q.put_prev(&b, 0);
  s.q.dequeue(&b, 0, DEQUEUE_SLEEP);
  b.vruntime = 1'100'000;
  s.q.enqueue(&b, 0, ENQUEUE_WAKEUP);
  s.q.next = &b;
  KUNIT_EXPECT_PTR_EQ(test, s.q.pick(), &a);
}

// spec 31 F-25, F-27
static void yield_skips_once(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  b.vruntime = 500'000;
  s.add(&a);
  s.add(&b);
  s.q.set_next(&a, 0);
  KUNIT_EXPECT_PTR_EQ(test, s.q.pick(), &a);
  s.q.yield(0, FairKind::Normal);
  KUNIT_EXPECT_PTR_EQ(test, s.q.pick(), &b);
  s.q.put_prev(&a, 0);
  s.q.set_next(&b, 0);
  s.q.put_prev(&b, 0);
  s.q.set_next(&a, 0);
  KUNIT_EXPECT_NULL(test, s.q.skip);
}

// spec 31 F-27: too far behind, the yielding one goes on
static void yield_does_not_starve(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  b.vruntime = 2 * kMs;
  s.add(&a);
  s.add(&b);
  s.q.set_next(&a, 0);
  s.q.yield(0, FairKind::Normal);
  KUNIT_EXPECT_PTR_EQ(test, s.q.pick(), &a);
}

// spec 31 F-27
static void yield_alone_does_nothing(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0);
  s.add(&a);
  s.q.set_next(&a, 0);
  s.q.yield(0, FairKind::Normal);
  KUNIT_EXPECT_NULL(test, s.q.skip);
}

// spec 31 F-11: until when
static void run_until_is_the_end_of_the_slice(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  s.add(&a);
  s.q.set_next(&a, 0);
  KUNIT_EXPECT_EQ(test, s.q.run_until(kMs), ~0ull);
  s.q.enqueue(&b, kMs, 0);
  KUNIT_EXPECT_EQ(test, s.q.run_until(kMs), 2'999'998ull);
  KUNIT_EXPECT_EQ(test, s.q.run_until(5 * kMs), 5 * kMs);
}

// ---- Timelines of section 6.5 -------------------------------------------------------------------------------------

// spec 31 F-28
static void timeline_two_equals(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(0);
  s.add(&a);
  s.add(&b);
  s.run_until_ms(12);
  static const FairSim::Start want[] = {{0, 0}, {1, 3}, {0, 6}, {1, 9}};
  expect_starts(test, s, want, 4);
}

// spec 31 F-29
static void timeline_three_equals(kunit* test) {
  FairSim s;
  sched_entity e[3];
  for (sched_entity& x : e) s.add(&(x = fair_entity(0)));
  s.run_until_ms(12);
  static const FairSim::Start want[] = {{0, 0}, {1, 2}, {2, 4}, {0, 6}, {1, 8}, {2, 10}};
  expect_starts(test, s, want, 6);
}

// spec 31 F-30
static void timeline_three_weights(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(5), c = fair_entity(-5);
  s.add(&a);
  s.add(&b);
  s.add(&c);
  s.run_until_ms(44800);
  static const FairSim::Start want[] = {{0, 0},  {1, 2},  {2, 3},  {0, 10}, {2, 12}, {1, 17}, {2, 18},
                                        {0, 23}, {2, 25}, {0, 30}, {1, 32}, {2, 33}, {0, 38}};
  expect_starts(test, s, want, 13);
  KUNIT_EXPECT_EQ(test, a.sum_exec_runtime / kMs, 10240ull);
  KUNIT_EXPECT_EQ(test, b.sum_exec_runtime / kMs, 3350ull);
  KUNIT_EXPECT_EQ(test, c.sum_exec_runtime / kMs, 31210ull);
}

// spec 31 F-31
static void timeline_nice_19(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(19);
  s.add(&a);
  s.add(&b);
  s.run_until_ms(10390);
  static const FairSim::Start want[] = {{0, 0}, {1, 6}, {0, 7}, {1, 70}, {0, 71}, {1, 139}, {0, 140}};
  expect_starts(test, s, want, 7);
  KUNIT_EXPECT_EQ(test, a.sum_exec_runtime / kMs, 10240ull);
  KUNIT_EXPECT_EQ(test, b.sum_exec_runtime / kMs, 150ull);
}

// spec 31 F-32
static void timeline_nice_1(kunit* test) {
  FairSim s;
  sched_entity a = fair_entity(0), b = fair_entity(1);
  s.add(&a);
  s.add(&b);
  s.run_until_ms(18440);
  KUNIT_EXPECT_EQ(test, a.sum_exec_runtime / kMs, 10240ull);
  KUNIT_EXPECT_EQ(test, b.sum_exec_runtime / kMs, 8200ull);
}

static kunit_case cases[] = {
    KUNIT_CASE(tunables_grow_with_the_logarithm_of_cpus),
    KUNIT_CASE(slices_of_three_weights),
    KUNIT_CASE(slices_of_equals),
    KUNIT_CASE(slices_of_unequals),
    KUNIT_CASE(sleepers_get_half_a_latency),
    KUNIT_CASE(children_start_one_slice_behind),
    KUNIT_CASE(child_runs_first_swaps),
    KUNIT_CASE(a_sleep_of_ages_is_placed_without_comparison),
    KUNIT_CASE(a_migrating_waker_is_renormalised),
    KUNIT_CASE(a_transient_removal_changes_nothing),
    KUNIT_CASE(update_curr_accounts_weighted_time),
    KUNIT_CASE(the_floor_never_falls),
    KUNIT_CASE(order_survives_the_wrap),
    KUNIT_CASE(equal_vruntimes_are_first_come_first_served),
    KUNIT_CASE(the_running_one_is_not_in_the_tree),
    KUNIT_CASE(reweighting_keeps_vruntime),
    KUNIT_CASE(the_tick_decides),
    KUNIT_CASE(wakeup_test_needs_a_granularity),
    KUNIT_CASE(a_long_sleeper_preempts_and_a_short_one_does_not),
    KUNIT_CASE(policies_decide_before_vruntime),
    KUNIT_CASE(the_preempted_one_becomes_last_buddy_in_a_crowd),
    KUNIT_CASE(next_buddy_is_preferred_within_the_granularity),
    KUNIT_CASE(yield_skips_once),
    KUNIT_CASE(yield_does_not_starve),
    KUNIT_CASE(yield_alone_does_nothing),
    KUNIT_CASE(run_until_is_the_end_of_the_slice),
    KUNIT_CASE(timeline_two_equals),
    KUNIT_CASE(timeline_three_equals),
    KUNIT_CASE(timeline_three_weights),
    KUNIT_CASE(timeline_nice_19),
    KUNIT_CASE(timeline_nice_1),
    {},
};
static kunit_suite suite = {.name = "sched_cfs_queue", .test_cases = cases};
kunit_test_suite(suite);
