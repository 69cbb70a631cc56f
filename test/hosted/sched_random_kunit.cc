// Properties of the scheduler on 1 to 64 CPUs under workloads drawn from the world's seed: who gets how much, who waits how long, what a
// quota, a deadline and a priority are worth. Counts and orders are looked at by the self-checks at every switch meanwhile
// (kernel/sched/INVARIANTS.md). CF_SEEDS=1000 runs so many seeds of each case.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "test/hosted/hogs.hh"

namespace {

constexpr unsigned kMaxTasks = 208, kMaxGroups = 6;
constexpr u64 kTick = TICK_NSEC;

struct Dice {
  u64 state;
  u64 draw() {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
  }
  unsigned below(unsigned n) { return static_cast<unsigned>(draw() % n); }
  bool one_in(unsigned n) { return !below(n); }
};

enum class Kind : unsigned char { Hog, Sleeper, RealTime, Deadline };

struct Crowd;
struct Member {
  Crowd* crowd;
  task_struct* task;
  Kind kind;
  int nice;
  task_group* group;
  cpumask_t allowed;
  Dice dice;
  u64 period, work;         // ns: of real-time and deadline tasks
  u64 jobs = 0, missed = 0, latest = 0;  // deadline tasks: ns late
  bool stays = false;                    // real-time tasks: migration disabled while it works
};
struct Crowd {
  Member* members = static_cast<Member*>(kcalloc(kMaxTasks, sizeof(Member), GFP_KERNEL));
  unsigned n = 0;
  bool stop = false;
  Dice dice{arch::entropy() | 1};
  unsigned cpus = num_online_cpus();

  Member& add(kunit* test, Kind kind, unsigned long allowed, int nice = 0, task_group* group = nullptr, u64 period = 0, u64 work = 0);
  void start() {
    for (unsigned i = 0; i < n; i++) wake_up_process(members[i].task);
  }
  ~Crowd() {
    WRITE_ONCE(stop, true);
    for (unsigned i = 0; i < n; i++) {
      if (members[i].group) sched_move_task(members[i].task, nullptr);
      while (READ_ONCE(members[i].task->__state) != TASK_DEAD) {
        wake_up_process(members[i].task);
        schedule_timeout_uninterruptible(1);
      }
      put_task_struct(members[i].task);
    }
    kfree(members);
  }
};

void work_for(const Crowd* c, u64 ns) {
  const u64 done = data_race(current->se.sum_exec_runtime) + ns;  // of the CPU, however often it is taken away
  for (;;) {
    u64 ran;
    {
      PreemptGuard no_preempt;
      rq* r = this_rq();
      IrqSpinGuard guard(r->lock);
      update_rq_clock(r);
      current->sched_class->update_curr(r);
      ran = current->se.sum_exec_runtime;
    }
    if (ran >= done || READ_ONCE(c->stop)) return;
    const u64 until = arch::clock_ns() + min(done - ran, u64{500'000});
    while (arch::clock_ns() < until) cpu_relax();
  }
}
void sleep_until(u64 ns) {
  ktime_t at = static_cast<ktime_t>(ns);
  set_current_state(TASK_UNINTERRUPTIBLE);
  schedule_hrtimeout_range(&at, 0, HRTIMER_MODE_ABS);
}

int lives(void* p) {
  auto* m = static_cast<Member*>(p);
  const Crowd* c = m->crowd;
  u64 release = arch::clock_ns();
  while (!READ_ONCE(c->stop)) {
    switch (m->kind) {
      case Kind::Hog: cpu_relax(); break;
      case Kind::Sleeper:
        work_for(c, (1 + m->dice.below(6)) * kMs / 2);
        sleep_until(arch::clock_ns() + (1 + m->dice.below(12)) * kMs / 2);
        break;
      case Kind::RealTime:
      case Kind::Deadline:
        if (m->stays) migrate_disable();
        work_for(c, m->work);
        if (m->stays) migrate_enable();
        WRITE_ONCE(m->jobs, m->jobs + 1);
        if (const u64 now = arch::clock_ns(); m->kind == Kind::Deadline && now > release + m->period) {
          WRITE_ONCE(m->missed, m->missed + 1);
          WRITE_ONCE(m->latest, max(m->latest, now - release - m->period));
        }
        release = max(release + m->period, arch::clock_ns());
        sleep_until(release);
        break;
    }
  }
  return 0;
}

Member& Crowd::add(kunit* test, Kind kind, unsigned long allowed, int nice, task_group* group, u64 period, u64 work) {
  Member& m = members[n];
  m = {this, nullptr, kind, nice, group, {{allowed}}, {dice.draw() | 1}, period, work};
  m.task = kthread_create(lives, &m, "m/%u", n);
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m.task);
  get_task_struct(m.task);
  n++;
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(m.task, &m.allowed).has_value());
  SchedRequest how{.nice = nice};
  if (kind == Kind::RealTime) how = {.policy = dice.one_in(2) ? unsigned{SCHED_FIFO} : unsigned{SCHED_RR}, .rt_priority = 1 + dice.below(60)};
  if (kind == Kind::Deadline) how = {.policy = SCHED_DEADLINE, .runtime = 2 * work, .deadline = period, .period = period};
  KUNIT_EXPECT_TRUE(test, __sched_setscheduler(m.task, how, SchedCaller::Kernel).has_value());
  if (group) sched_move_task(m.task, group);
  return m;
}

void watch_from_the_top() {
  (void)__sched_setscheduler(current, {.policy = SCHED_FIFO, .rt_priority = 99}, SchedCaller::Kernel);
}

// ---- Shares ----------------------------------------------------------------------------------------------------------------

// Hogs of random nice values, bound to CPUs: over ten seconds each gets what its weight is of its CPU's, to one part in a hundred.
void shares_are_kept(kunit* test) {
  watch_from_the_top();
  Crowd crowd;
  u64 weight[NR_CPUS] = {};
  for (unsigned cpu = 0; cpu < crowd.cpus; cpu++) {
    const unsigned here = crowd.cpus > 16 ? 2 : 1 + crowd.dice.below(5);
    for (unsigned i = 0; i < here; i++) {
      const int nice = static_cast<int>(crowd.dice.below(21)) - 10;
      crowd.add(test, Kind::Hog, 1ul << cpu, nice);
      weight[cpu] += weight_of_nice(nice).weight;
    }
  }
  crowd.start();
  msleep(100);
  u64 before[kMaxTasks];
  for (unsigned i = 0; i < crowd.n; i++) before[i] = task_sched_runtime(crowd.members[i].task);
  const u64 from = arch::clock_ns();
  msleep(10'000);
  const u64 passed = arch::clock_ns() - from;
  for (unsigned i = 0; i < crowd.n; i++) {
    const Member& m = crowd.members[i];
    const unsigned cpu = static_cast<unsigned>(__builtin_ctzl(m.allowed.bits[0]));
    const u64 got = task_sched_runtime(m.task) - before[i], want = passed * (m.task->se.load.weight >> 10) / (weight[cpu] >> 10);
    const u64 off = got > want ? got - want : want - got;
    KUNIT_EXPECT_TRUE_MSG(test, off <= passed / 100, "CPU %u, nice %d: %llu us, not %llu", cpu, m.nice, got / 1000, want / 1000);
  }
}

// ---- Everything at once ------------------------------------------------------------------------------------------------------

struct Quota {
  task_group* tg = nullptr;
  u64 quota = 0, period = 0;
  u64 used_by_the_gone = 0;
};

// The furthest that a queued entity may be ahead of its queue's floor: what it may have been given at once, and have run beyond it. Derived:
// a task is preempted at a tick once it ran longer than its slice, which is at most S = max(latency, n * least granularity), so it is at most
// S and a tick ahead of the leftmost when it stops; a new one starts one such slice behind, which was reckoned with the weight that it had
// then, of nice 0 here.
s64 furthest(const cfs_rq& q, sched_entity& se, unsigned tasks) {
  const u64 s = max(q.tun->latency, tasks * q.tun->min_granularity);
  return static_cast<s64>(calc_delta_fair(2 * s + 2 * kTick, se) + s);
}

void look_at_vruntimes(kunit* test, unsigned tasks) {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    rq* r = cpu_rq(cpu);
    IrqSpinGuard guard(r->lock);
    for (rb_node* node = rb_first_cached(&r->cfs.timeline); node; node = rb_next(node)) {
      sched_entity* se = cfs_rq::entity(node);
      const s64 ahead = static_cast<s64>(se->vruntime - r->cfs.min_vruntime);
      if (se->my_q) continue;  // a group's weight changes while it is ahead (spec 31 F-49 leaves its vruntime)
      KUNIT_EXPECT_TRUE_MSG(test, ahead <= furthest(r->cfs, *se, tasks), "CPU %u, task %d: %lld ns ahead, bound %lld", cpu, task_of(se)->pid,
                            ahead, furthest(r->cfs, *se, tasks));
    }
  }
}

// Somebody real-time waits although a CPU that it may use does something less urgent. Not so: the only real-time task of a CPU, behind a
// deadline task. Overload, which others pull by and which has somebody pushed, is more than one real-time task (spec 32, section 5).
bool a_realtime_task_is_passed_over(const Crowd& c) {
  for (unsigned i = 0; i < c.n; i++) {
    const task_struct* p = c.members[i].task;
    if (c.members[i].kind != Kind::RealTime || !task_on_rq_queued(p) || task_on_cpu(p) || READ_ONCE(p->__state) != TASK_RUNNING) continue;
    const rq* r = cpu_rq(task_cpu(p));
    if (data_race(r->rt_bandwidth.throttled) || (data_race(r->rt.nr_running) == 1 && READ_ONCE(r->curr)->prio < 0)) continue;
    for (unsigned cpu = 0; cpu < c.cpus; cpu++)
      if (c.members[i].allowed.bits[0] >> cpu & 1 && !data_race(cpu_rq(cpu)->rt_bandwidth.throttled) && READ_ONCE(cpu_rq(cpu)->curr)->prio > p->prio)
        return true;
  }
  return false;
}

// One look finds whom this case itself has just taken a CPU from, and who is on the way. Nobody is passed over for 200 us.
bool a_realtime_task_stays_passed_over(const Crowd& c) {
  const u64 until = arch::clock_ns() + 200'000;
  while (a_realtime_task_is_passed_over(c)) {
    if (arch::clock_ns() > until) return true;
    cpu_relax();
  }
  return false;
}

void everything_at_once(kunit* test) {
  watch_from_the_top();
  Group* groups[kMaxGroups] = {};
  Quota quotas[kMaxGroups];
  u64 used[kMaxGroups] = {};
  {
    Crowd crowd;
    Dice& d = crowd.dice;
    const unsigned cpus = crowd.cpus, nr_groups = d.below(min(kMaxGroups, cpus + 1) + 1);
    const unsigned long all = cpu_possible_mask->bits[0];
    for (unsigned g = 0; g < nr_groups; g++) {
      groups[g] = new (kmalloc(sizeof(Group), GFP_KERNEL)) Group(test);
      if (d.one_in(3)) continue;
      quotas[g] = {groups[g]->tg, (5 + d.below(40 * min(cpus, 4u))) * kMs, (50 + d.below(100)) * kMs};
      KUNIT_EXPECT_TRUE(test, sched_group_set_bandwidth(quotas[g].tg, quotas[g].quota, quotas[g].period, 0).has_value());
    }
    unsigned long total_weight = 0;
    const unsigned fair = min(cpus + d.below(2 * cpus + 2), 150u);
    for (unsigned i = 0; i < fair; i++) {
      unsigned long where = d.one_in(3) ? d.draw() & all : all;
      if (!where) where = all;
      const int nice = static_cast<int>(d.below(21)) - 10;
      task_group* tg = nr_groups && d.one_in(2) ? groups[d.below(nr_groups)]->tg : nullptr;
      crowd.add(test, d.one_in(2) ? Kind::Hog : Kind::Sleeper, where, nice, tg);
      total_weight += weight_of_nice(nice).weight >> 10;
    }
    // Real-time and deadline tasks want a third of the machine at most, and no one more than a fifth of a CPU: global EDF keeps all
    // deadlines then (total <= M (1 - u) + u).
    for (unsigned i = d.below(cpus + 1); i; i--) crowd.add(test, Kind::RealTime, all, 0, nullptr, (20 + d.below(40)) * kMs, (1 + d.below(3)) * kMs);
    for (unsigned i = d.below(cpus / 2 + 2); i; i--) {
      const u64 period = (40 + d.below(60)) * kMs;
      crowd.add(test, Kind::Deadline, all, 0, nullptr, period, period / 20);
    }
    crowd.start();
    const u64 began = arch::clock_ns();
    const unsigned rounds = cpus > 16 ? 40 : 300;
    unsigned passed_over = 0;
    for (unsigned i = 0; i < rounds; i++) {
      schedule_timeout_uninterruptible(1);
      if (i % 8 == 0) look_at_vruntimes(test, crowd.n);
      passed_over += a_realtime_task_stays_passed_over(crowd);
    }
    const u64 passed = arch::clock_ns() - began;
    KUNIT_EXPECT_EQ(test, passed_over, 0u);  // spec 32 R-24
    for (unsigned i = 0; i < crowd.n; i++) {
      const Member& m = crowd.members[i];
      const u64 ran = task_sched_runtime(m.task);
      if (m.kind == Kind::Hog && !m.group) {
        // Starved: less than half of what it would get if everybody were on one CPU with it, beside what real-time and deadline tasks take.
        const u64 least = passed / 2 * (weight_of_nice(m.nice).weight >> 10) / (total_weight + 1024 * nr_groups) / 2;
        if (least > 4 * kTick)
          KUNIT_EXPECT_TRUE_MSG(test, ran >= least, "task %u, nice %d: ran %llu us, least %llu", i, m.nice, ran / 1000, least / 1000);
      }
      if (m.kind == Kind::Deadline) {
        const u64 missed = READ_ONCE(m.missed), jobs = READ_ONCE(m.jobs), latest = READ_ONCE(m.latest);
        KUNIT_EXPECT_TRUE_MSG(test, !missed, "task %u: %llu of %llu deadlines missed, by %llu us at most", i, missed, jobs, latest / 1000);
        if (passed > 3 * m.period) KUNIT_EXPECT_GT(test, jobs, passed / m.period / 2);
      }
      for (unsigned g = 0; g < nr_groups; g++)
        if (m.group && m.group == groups[g]->tg) used[g] += ran;
    }
    // F-53, F-57, F-64: what was given out since the beginning, and a slice or a tick's overrun per CPU.
    for (unsigned g = 0; g < nr_groups; g++)
      if (quotas[g].tg) {
        const u64 most = (passed / quotas[g].period + 2) * quotas[g].quota + cpus * max(u64{5 * kMs}, kTick);
        KUNIT_EXPECT_TRUE_MSG(test, used[g] <= most, "group %u: used %llu us, at most %llu", g, used[g] / 1000, most / 1000);
      }
  }
  for (Group* g : groups)
    if (g) {
      g->~Group();
      kfree(g);
    }
}

// ---- Urgent work alone -----------------------------------------------------------------------------------------------------------

// Twice as many real-time tasks as CPUs, some bound, some with migration disabled while they work, deadline tasks among them, and somebody who
// changes priorities and places: nobody is passed over (the self-checks look at every switch), and everybody goes on in the end.
void meddle(kunit* test, Crowd& c, unsigned realtime) {
  Member& m = c.members[c.dice.below(realtime)];
  const unsigned long all = cpu_possible_mask->bits[0];
  if (c.dice.one_in(2)) {
    SchedRequest how{.policy = c.dice.one_in(2) ? unsigned{SCHED_FIFO} : unsigned{SCHED_RR}, .rt_priority = 1 + c.dice.below(60)};
    if (c.dice.one_in(8)) how = {};
    KUNIT_EXPECT_TRUE(test, __sched_setscheduler(m.task, how, SchedCaller::Kernel).has_value());
  } else {
    const cpumask_t where = {{c.dice.one_in(2) ? all : (c.dice.draw() & all) | 1ul << c.dice.below(c.cpus)}};
    m.allowed = where;
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(m.task, &where).has_value());
  }
}

void urgent_work_spreads(kunit* test) {
  watch_from_the_top();
  Crowd crowd;
  Dice& d = crowd.dice;
  const unsigned cpus = crowd.cpus, realtime = min(2 * cpus + d.below(2 * cpus), 150u);
  const unsigned long all = cpu_possible_mask->bits[0];
  for (unsigned i = 0; i < realtime; i++) {
    const unsigned long where = d.one_in(4) ? (d.draw() & all) | 1ul << d.below(cpus) : all;
    Member& m = crowd.add(test, Kind::RealTime, where, 0, nullptr, (4 + d.below(24)) * kMs, (100 + d.below(3000)) * 1000);
    m.stays = d.one_in(5);
  }
  for (unsigned i = d.below(cpus / 2 + 2); i; i--) {
    const u64 period = (20 + d.below(60)) * kMs;
    crowd.add(test, Kind::Deadline, all, 0, nullptr, period, period / 20);
  }
  crowd.start();
  const unsigned rounds = cpus > 16 ? 40 : 200;
  for (unsigned i = 0; i < rounds; i++) {
    schedule_timeout_uninterruptible(1);
    if (d.one_in(3)) meddle(test, crowd, realtime);
  }
}

kunit_case small_cases[] = {KUNIT_CASE(shares_are_kept), KUNIT_CASE(everything_at_once), KUNIT_CASE(urgent_work_spreads), {}};

kunit_suite one = {.name = "sched_random_1", .test_cases = small_cases, .world = {.cpus = 1, .memory_mb = 64, .seeds = 6}};
kunit_suite two = {.name = "sched_random_2", .test_cases = small_cases, .world = {.cpus = 2, .memory_mb = 64, .seeds = 4}};
kunit_suite three = {.name = "sched_random_3", .test_cases = small_cases, .world = {.cpus = 3, .memory_mb = 64, .seeds = 2}};
kunit_suite four = {.name = "sched_random_4", .test_cases = small_cases, .world = {.cpus = 4, .memory_mb = 64, .seeds = 4}};
kunit_suite eight = {.name = "sched_random_8", .test_cases = small_cases, .world = {.cpus = 8, .memory_mb = 256, .cmdline = "topology=2x2x2", .seeds = 2}};
kunit_suite sixteen = {.name = "sched_random_16", .test_cases = small_cases, .world = {.cpus = 16, .memory_mb = 512, .cmdline = "topology=4x4", .seeds = 1}};
kunit_case large_cases[] = {KUNIT_CASE(everything_at_once), KUNIT_CASE(urgent_work_spreads), {}};
kunit_suite many = {.name = "sched_random_32", .test_cases = large_cases, .world = {.cpus = 32, .memory_mb = 512, .cmdline = "topology=2x8x2", .seeds = 1}};
kunit_suite most = {.name = "sched_random_64", .test_cases = large_cases, .world = {.cpus = 64, .memory_mb = 1024, .cmdline = "topology=4x8x2", .seeds = 1}};

}  // namespace

kunit_test_suite(one);
kunit_test_suite(two);
kunit_test_suite(three);
kunit_test_suite(four);
kunit_test_suite(eight);
kunit_test_suite(sixteen);
kunit_test_suite(many);
kunit_test_suite(most);
