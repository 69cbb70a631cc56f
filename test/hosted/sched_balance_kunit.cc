// Load balance on 1 to 64 CPUs of several topologies, under seeded random workloads. Spec 31 section 10.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "arch/contract/arch.hh"
#include "kernel/sched/fair.hh"
#include "kernel/sched/params.hh"

namespace {

constexpr unsigned kMaxWorkers = 160;

// What a worker does, drawn from the world's seed.
struct Worker {
  struct Crowd* crowd;
  task_struct* task;
  cpumask_t allowed;
  u64 dice;
  bool hog;
  u64 where;  // CPUs it was seen on by itself
};
struct Crowd {
  Worker workers[kMaxWorkers];
  unsigned n = 0;
  bool stop = false;
  atomic_t outside{};  // a worker was where it may not be

  u64 draw(u64& dice) {
    dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
    return dice;
  }
  void add(kunit* test, cpumask_t allowed, bool hog);
  void end() {
    WRITE_ONCE(stop, true);
    for (unsigned i = 0; i < n; i++) {
      wake_up_process(workers[i].task);
      while (READ_ONCE(workers[i].task->__state) != TASK_DEAD) schedule_timeout_uninterruptible(1);
      put_task_struct(workers[i].task);
    }
  }
};

void look_around(Worker* w) {
  preempt_disable();
  const unsigned cpu = smp_processor_id();
  w->where |= 1ul << cpu;
  if (!cpumask_test_cpu(cpu, &w->allowed)) atomic_inc(&w->crowd->outside);
  preempt_enable();
}

// Nothing but cpu_relax() between the looks at the clock: so time passes in long steps.
void burn(const Crowd* crowd, unsigned long ticks) {
  const unsigned long until = jiffies + ticks;
  while (time_before(jiffies, until) && !READ_ONCE(crowd->stop)) cpu_relax();
}

int work(void* p) {
  auto* w = static_cast<Worker*>(p);
  while (!READ_ONCE(w->crowd->stop)) {
    look_around(w);
    const u64 what = w->crowd->draw(w->dice);
    if (w->hog || what % 4)
      burn(w->crowd, what / 4 % 3 + 1);
    else
      schedule_timeout_uninterruptible(static_cast<long>(what / 4 % 5 + 1));
  }
  return 0;
}

void Crowd::add(kunit* test, cpumask_t allowed, bool hog) {
  Worker& w = workers[n];
  w = {this, nullptr, allowed, arch::entropy() | 1, hog, 0};
  w.task = kthread_create(work, &w, "worker/%u", n);
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w.task);
  get_task_struct(w.task);
  if (!cpumask_equal(&allowed, cpu_possible_mask))
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(w.task, &w.allowed).has_value());
  n++;
  wake_up_process(w.task);
}

cpumask_t all() { return *cpu_possible_mask; }

// Fair tasks of r that wait and may run on cpu. r locked.
unsigned waiting_for(rq* r, unsigned cpu) {
  unsigned n = 0;
  sched_entity* se;
  list_for_each_entry(se, &r->cfs_tasks, group_node) {
    task_struct* p = task_of(se);
    n += !task_on_cpu(p) && is_cpu_allowed(p, cpu) && !kthread_is_per_cpu(p);
  }
  return n;
}

// An idle CPU beside one where somebody waits who could have it. The case's own CPU counts as busy.
bool idle_beside_work() {
  bool found = false;
  preempt_disable();
  unsigned cpu, idler;
  for_each_online_cpu(cpu) {
    unsigned long flags;
    rq* r = cpu_rq(cpu);
    raw_spin_lock_irqsave(&r->lock, flags);
    for_each_online_cpu(idler)
      if (idler != cpu && idle_cpu(idler) && r->nr_running >= 2 && waiting_for(r, idler)) found = true;
    raw_spin_unlock_irqrestore(&r->lock, flags);
  }
  preempt_enable();
  return found;
}

// Longest time, in jiffies, that a CPU may idle beside work: each domain is balanced at its interval, which may have doubled
// once per level, and the one who balances for idle CPUs is kicked by a tick.
unsigned long patience() {
  unsigned long sum = 4;
  for (sched_domain* sd = lowest_domain(smp_processor_id()); sd; sd = sd->parent)
    sum += (sd->cache_nice_tries + 4) * balance_interval_jiffies(2 * sd->max_interval, sd->busy_factor, false, HZ, num_online_cpus());
  return sum;
}

void expect_no_cpu_idles_long(kunit* test, unsigned long jiffies_to_watch) {
  unsigned long in_a_row = 0, longest = 0;
  for (unsigned long i = 0; i < jiffies_to_watch; i++) {
    in_a_row = idle_beside_work() ? in_a_row + 1 : 0;
    longest = max(longest, in_a_row);
    schedule_timeout_uninterruptible(1);
  }
  KUNIT_EXPECT_LE(test, longest, patience());
}

// Every count is what a recount gives; a task that is queued or runs is where it may be.
void expect_recounts(kunit* test) {
  preempt_disable();
  unsigned cpu;
  for_each_online_cpu(cpu) {
    unsigned long flags;
    rq* r = cpu_rq(cpu);
    raw_spin_lock_irqsave(&r->lock, flags);
    unsigned listed = 0;
    unsigned long weight = 0;
    sched_entity* se;
    list_for_each_entry(se, &r->cfs_tasks, group_node) {
      listed++;
      weight += se->load.weight;
      KUNIT_EXPECT_EQ(test, task_cpu(task_of(se)), cpu);
    }
    KUNIT_EXPECT_EQ(test, listed, r->cfs.h_nr_running);
    KUNIT_EXPECT_EQ(test, weight, r->cfs.load.weight);
    KUNIT_EXPECT_EQ(test, r->nr_running, r->cfs.h_nr_running + r->rt.nr_running + r->dl.nr_running + (r->stop && task_on_rq_queued(r->stop)));
    raw_spin_unlock_irqrestore(&r->lock, flags);
  }
  preempt_enable();
}

}  // namespace

// spec 31 F-68, F-74: as many hogs as CPUs, begun all on one, come to have a CPU each
static void hogs_spread_over_all_cpus(kunit* test) {
  auto* crowd = new (kzalloc(sizeof(Crowd), GFP_KERNEL)) Crowd();
  const unsigned cpus = num_online_cpus();
  for (unsigned i = 0; i + 1 < cpus; i++) crowd->add(test, cpumask_t{{1ul << (cpus - 1)}}, true);
  for (unsigned i = 0; i < crowd->n; i++) {
    const cpumask_t everywhere = all();
    WRITE_ONCE(crowd->workers[i].allowed.bits[0], everywhere.bits[0]);
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(crowd->workers[i].task, &everywhere).has_value());
  }
  unsigned long used = 0;
  for (unsigned long tries = 0; tries < patience() * cpus; tries++) {
    schedule_timeout_uninterruptible(1);
    used = 0;
    for (unsigned i = 0; i < crowd->n; i++) used |= 1ul << task_cpu(crowd->workers[i].task);
    if (static_cast<unsigned>(__builtin_popcountl(used)) >= crowd->n) break;
  }
  KUNIT_EXPECT_EQ(test, static_cast<unsigned>(__builtin_popcountl(used)), crowd->n);
  expect_recounts(test);
  crowd->end();
  KUNIT_EXPECT_EQ(test, atomic_read(&crowd->outside), 0);
  kfree(crowd);
}

// spec 31 F-69, F-70, F-72: no CPU idles beside one where two could run, for longer than the intervals allow
static void no_cpu_idles_beside_work(kunit* test) {
  auto* crowd = new (kzalloc(sizeof(Crowd), GFP_KERNEL)) Crowd();
  const unsigned cpus = num_online_cpus();
  u64 dice = arch::entropy() | 1;
  const unsigned n = min(cpus * 2, kMaxWorkers) - static_cast<unsigned>(crowd->draw(dice) % cpus);
  for (unsigned i = 0; i < n; i++) crowd->add(test, all(), crowd->draw(dice) % 3 == 0);
  expect_no_cpu_idles_long(test, 60);
  expect_recounts(test);
  crowd->end();
  kfree(crowd);
}

// spec 31 F-71, spec 30 S-51: balancing never takes a task where it may not run, and changes of affinity hold at once
static void affinity_holds_under_balance(kunit* test) {
  auto* crowd = new (kzalloc(sizeof(Crowd), GFP_KERNEL)) Crowd();
  const unsigned cpus = num_online_cpus();
  u64 dice = arch::entropy() | 1;
  for (unsigned i = 0; i < min(cpus + 2, 24u); i++) {
    cpumask_t some = {{crowd->draw(dice) & cpu_possible_mask->bits[0]}};
    if (!some.bits[0]) some = all();
    crowd->add(test, some, crowd->draw(dice) % 2);
  }
  schedule_timeout_uninterruptible(40);
  expect_recounts(test);
  crowd->end();
  KUNIT_EXPECT_EQ(test, atomic_read(&crowd->outside), 0);
  for (unsigned i = 0; i < crowd->n; i++)
    KUNIT_EXPECT_EQ(test, crowd->workers[i].where & ~crowd->workers[i].allowed.bits[0], 0ul);
  kfree(crowd);
}

static kunit_case cases[] = {
    KUNIT_CASE(hogs_spread_over_all_cpus), KUNIT_CASE(no_cpu_idles_beside_work), KUNIT_CASE(affinity_holds_under_balance), {},
};
static kunit_case affinity_cases[] = {KUNIT_CASE(affinity_holds_under_balance), {}};
static kunit_case large_cases[] = {
    KUNIT_CASE(no_cpu_idles_beside_work), KUNIT_CASE(affinity_holds_under_balance), {},
};

static kunit_suite one_core = {.name = "sched_balance_1", .test_cases = large_cases, .world = {.cpus = 1, .seeds = 10}};
kunit_test_suite(one_core);
static kunit_suite cores = {.name = "sched_balance_4", .test_cases = cases, .world = {.cpus = 4, .seeds = 30}};
kunit_test_suite(cores);
static kunit_suite threads = {.name = "sched_balance_8",
                              .test_cases = cases,
                              .world = {.cpus = 8, .cmdline = "topology=2x2x2", .seeds = 15}};
kunit_test_suite(threads);
static kunit_suite packages = {.name = "sched_balance_16",
                               .test_cases = cases,
                               .world = {.cpus = 16, .cmdline = "topology=4x4", .seeds = 6}};
kunit_test_suite(packages);
static kunit_suite large = {.name = "sched_balance_32",
                            .test_cases = affinity_cases,
                            .world = {.cpus = 32, .cmdline = "topology=2x8x2", .seeds = 1}};
kunit_test_suite(large);
