// Real-time and deadline tasks as they run: who gets which CPU, who makes room, what is counted. Spec 32. Both machines; what
// needs two CPUs is skipped on one.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/rtmutex.h>
#include <linux/timer.h>

#include <initializer_list>

#include "kernel/sched/dl.hh"
#include "kernel/sched/knobs.hh"
#include "kernel/sched/params.hh"
#include "kernel/sync/guards.hh"

namespace {

bool set(task_struct* p, SchedRequest q) { return __sched_setscheduler(p, q, SchedCaller::Kernel).has_value(); }
SchedRequest fifo(unsigned priority) { return {.policy = SCHED_FIFO, .rt_priority = priority}; }
constexpr cpumask_t only(unsigned cpu) { return {{1ul << cpu}}; }
constexpr cpumask_t kFirstTwo = {{3}};
// May run on two CPUs, of which only this one is there: it waits here, and counts as one that could go elsewhere.
cpumask_t here_or_nowhere(unsigned cpu) { return {{1ul << cpu | 1ul << (NR_CPUS - 1)}}; }

// Unless preempt=full, kernel code that goes on and on has to offer its CPU by itself.
void work(unsigned us) {
  udelay(us);
  cond_resched();
}

// By a timer of the interrupt's own: the wheel's may be left to ksoftirqd on a slow machine, which does not run beside spinners.
void let_run(unsigned ticks = 4) { usleep_range(ticks * (USEC_PER_SEC / HZ), ticks * (USEC_PER_SEC / HZ)); }

// Counts as long as it runs; sleeps when asked to.
struct Spinner {
  task_struct* task = nullptr;
  u64 turns = 0;
  bool stop = false, sleep = false;
  bool stays = false;  // migration disabled

  static int run(void* data) {
    auto* s = static_cast<Spinner*>(data);
    if (s->stays) migrate_disable();
    while (!READ_ONCE(s->stop)) {
      if (READ_ONCE(s->sleep)) {
        set_current_state(TASK_UNINTERRUPTIBLE);
        if (READ_ONCE(s->sleep) && !READ_ONCE(s->stop)) schedule();
        __set_current_state(TASK_RUNNING);
        continue;
      }
      WRITE_ONCE(s->turns, s->turns + 1);
      work(20);
    }
    if (s->stays) migrate_enable();
    return 0;
  }
  void create(kunit* test) {
    task = kthread_create(run, this, "spinner");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
    get_task_struct(task);
  }
  void start(kunit* test, SchedRequest how, cpumask_t mask) {
    if (!task) create(test);
    if (how.policy != SCHED_DEADLINE) KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(task, &mask).has_value());
    KUNIT_ASSERT_TRUE(test, set(task, how));
    wake_up_process(task);
  }
  void rest() { WRITE_ONCE(sleep, true); }
  void go_on() {
    WRITE_ONCE(sleep, false);
    wake_up_process(task);
  }
  void end() {
    WRITE_ONCE(stop, true);
    wake_up_process(task);
    while (READ_ONCE(task->__state) != TASK_DEAD) let_run(1);
    put_task_struct(task);
  }
  u64 seen() const { return READ_ONCE(turns); }
};

// Before the first of them runs: busy real-time tasks leave kthreadd no CPU.
template <class... S>
void create(kunit* test, S&... s) {
  (s.create(test), ...);
}

// All are told first: one that waits behind another ends only after it.
template <class... S>
void end(S&... s) {
  (WRITE_ONCE(s.stop, true), ...);
  (s.end(), ...);
}

// The case is more urgent than all it starts, and on CPU 0; it sleeps for them to run.
struct Observer {
  cpumask_t before = current->cpus_mask;
  RtLimits limits = sched_rt_limits();
  explicit Observer(kunit* test, unsigned priority = 95) {
    const cpumask_t zero = only(0);
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &zero).has_value());
    KUNIT_EXPECT_TRUE(test, set(current, fifo(priority)));
    KUNIT_EXPECT_TRUE(test, set_sched_rt_limits({1'000'000, -1}).has_value());  // nobody is throttled meanwhile
  }
  ~Observer() {
    (void)set_sched_rt_limits(limits);
    (void)set(current, {});
    (void)set_cpus_allowed_ptr(current, &before);
  }
};
template <class... S>
unsigned who_ran(unsigned ticks, S&... s) {  // bit per spinner
  const u64 before[] = {s.seen()...};
  let_run(ticks);
  const u64 after[] = {s.seen()...};
  unsigned set = 0;
  for (size_t i = 0; i < sizeof...(s); i++)
    if (after[i] > before[i] + 2) set |= 1u << i;
  return set;
}

// ---- One CPU --------------------------------------------------------------------------------------------------------------

// spec 32 R-5: the one that runs stays on its list, and is nobody that could be pushed
void the_running_one_stays_on_its_list(kunit* test) {
  Observer o(test, 40);
  unsigned long flags;
  local_irq_save(flags);
  rq* r = this_rq();
  raw_spin_lock(&r->lock);
  const bool on_list = current->rt.on_list && current->rt.on_rq;
  const int best = r->rt.best();
  bool found = false;
  sched_rt_entity* e;
  list_for_each_entry(e, &r->rt.queue[current->prio], run_list) found |= e == &current->rt;
  const unsigned n = r->rt.nr_running;
  raw_spin_unlock(&r->lock);
  local_irq_restore(flags);
  KUNIT_EXPECT_TRUE(test, on_list && found);
  KUNIT_EXPECT_EQ(test, best, current->prio);
  KUNIT_EXPECT_GE(test, n, 1u);
}

// Who stands where on the list of FIFO `priority` of CPU 0: bit-wise by fours, the first lowest; 1 is s[0].
template <size_t n>
unsigned order(const Spinner (&s)[n], unsigned priority) {
  IrqSpinGuard guard(cpu_rq(0)->lock);
  unsigned found = 0, shift = 0;
  sched_rt_entity* e;
  list_for_each_entry(e, &cpu_rq(0)->rt.queue[MAX_RT_PRIO - 1 - priority], run_list)
    for (unsigned i = 0; i < n; i++)
      if (&s[i].task->rt == e) found |= (i + 1) << shift, shift += 4;
  return found;
}

// spec 30 S-57: raised goes to the tail of the new list, lowered to the head, the same stays
void where_a_change_puts_it(kunit* test) {
  Observer o(test);
  Spinner s[4];
  create(test, s[0], s[1], s[2], s[3]);
  s[0].start(test, fifo(20), only(0));
  s[1].start(test, fifo(20), only(0));
  s[2].start(test, fifo(10), only(0));
  s[3].start(test, fifo(30), only(0));
  KUNIT_EXPECT_EQ(test, order(s, 20), 0x21u);
  KUNIT_EXPECT_TRUE(test, set(s[2].task, fifo(20)));
  KUNIT_EXPECT_EQ(test, order(s, 20), 0x321u);
  KUNIT_EXPECT_TRUE(test, set(s[3].task, fifo(20)));
  KUNIT_EXPECT_EQ(test, order(s, 20), 0x3214u);
  KUNIT_EXPECT_TRUE(test, set(s[0].task, {.policy = SCHED_RR, .rt_priority = 20}));
  KUNIT_EXPECT_EQ(test, order(s, 20), 0x3214u);
  end(s[0], s[1], s[2], s[3]);
}

// spec 32: ticks account the time of one that never gives way, its share of the period, and the round robin's slice
void ticks_account(kunit* test) {
  Observer o(test, 40);
  KUNIT_EXPECT_TRUE(test, set_sched_rt_limits({1'000'000, 950'000}).has_value());
  KUNIT_EXPECT_TRUE(test, set(current, {.policy = SCHED_RR, .rt_priority = 40}));
  rq* r = cpu_rq(0);
  const u64 ran = current->se.sum_exec_runtime, used = r->rt_bandwidth.used;
  const unsigned long timeout = current->rt.timeout;
  const unsigned slice = current->rt.time_slice;
  const unsigned long start = jiffies;
  // One late tick may stand for several jiffies.
  for (int i = 0; i < 5000 && (time_before(jiffies, start + 5) || current->rt.timeout < timeout + 3); i++) work(100);
  const u64 d = current->se.sum_exec_runtime - ran, of_period = r->rt_bandwidth.used - used;
  KUNIT_EXPECT_GE(test, d, u64{3} * (NSEC_PER_SEC / HZ));
  KUNIT_EXPECT_GE(test, of_period, u64{3} * (NSEC_PER_SEC / HZ));
  KUNIT_EXPECT_GE(test, current->rt.timeout, timeout + 3);
  KUNIT_EXPECT_LE(test, current->rt.time_slice, slice - 3);
  KUNIT_EXPECT_GT(test, r->avg_rt.util_sum, 0u);
}

// spec 32: two that never sleep leave the fair ones of their CPUs 50 ms of each second
void throttled_for_the_others(kunit* test) {
  const cpumask_t before = current->cpus_mask, zero = only(0);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &zero).has_value());
  const unsigned cpus = num_online_cpus() > 1 ? 2 : 1;
  Spinner hog[2], fair[2];
  create(test, hog[0], hog[1], fair[0], fair[1]);
  if (cpus == 2) {
    fair[1].start(test, {}, only(1));
    hog[1].start(test, fifo(99), only(1));
  }
  hog[0].start(test, fifo(99), only(0));
  const u64 ran = current->se.sum_exec_runtime;
  const u64 other = cpus == 2 ? task_sched_runtime(fair[1].task) : 0;
  const u64 start = arch::clock_ns();
  bool throttled = false, counted = false, on_list = false;
  while (arch::clock_ns() - start < 2'500'000'000ull) {  // we run only while it may not
    preempt_disable();
    rq* r = this_rq();
    unsigned long flags;
    raw_spin_lock_irqsave(&r->lock, flags);
    if (r->rt_bandwidth.throttled) {
      throttled = true;
      counted = r->nr_running > r->cfs.h_nr_running;  // it has left the count
      on_list = hog[0].task->rt.on_list;
    }
    raw_spin_unlock_irqrestore(&r->lock, flags);
    preempt_enable();
    work(200);
  }
  const u64 mine = current->se.sum_exec_runtime - ran;
  KUNIT_EXPECT_TRUE(test, throttled);
  KUNIT_EXPECT_FALSE(test, counted);
  KUNIT_EXPECT_TRUE(test, on_list);
  // Once 50 ms at least, wherever in its period the queue was when it began.
  KUNIT_EXPECT_GE(test, mine, 40'000'000ull);
  KUNIT_EXPECT_LE(test, mine, 250'000'000ull);
  if (cpus == 2) {
    const u64 d = task_sched_runtime(fair[1].task) - other;
    KUNIT_EXPECT_GE(test, d, 40'000'000ull);
    KUNIT_EXPECT_LE(test, d, 250'000'000ull);
  }
  end(hog[0], hog[1], fair[1], fair[0]);
  (void)set_cpus_allowed_ptr(current, &before);
}

// spec 32 R-13: who ran meanwhile, a deadline task say, settles a period that has ended; the queue's tasks count again at once
void a_period_ends_before_its_timer(kunit* test) {
  const cpumask_t before = current->cpus_mask, zero = only(0);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &zero).has_value());
  Spinner hog;
  create(test, hog);
  hog.start(test, fifo(99), zero);
  bool met = false;
  for (const u64 start = arch::clock_ns(); !met && arch::clock_ns() - start < 2'500'000'000ull; work(200)) {
    IrqGuard off;
    rq* r = this_rq();
    SpinGuard guard(r->lock);
    if (!r->rt_bandwidth.throttled) continue;
    met = true;
    while (arch::clock_ns() <= r->rt_bandwidth.next_period()) cpu_relax();
    update_rq_clock(r);
    rt_charge(r, 1);
    KUNIT_EXPECT_FALSE(test, r->rt_bandwidth.throttled);
    KUNIT_EXPECT_EQ(test, r->nr_running, r->cfs.h_nr_running + r->rt.nr_running + r->dl.nr_running);
  }
  KUNIT_EXPECT_TRUE(test, met);
  end(hog);
  (void)set_cpus_allowed_ptr(current, &before);
}

// spec 32 R-32: SCHED_IDLE has the CPU whenever nobody else wants it, and before the idle task
void sched_idle_is_above_idle(kunit* test) {
  Observer o(test);
  Spinner idler, urgent;
  create(test, idler, urgent);
  idler.start(test, {.policy = SCHED_IDLE}, only(0));
  let_run(1);
  const u64 picks = READ_ONCE(cpu_rq(0)->idle_switches);
  KUNIT_EXPECT_EQ(test, who_ran(4, idler), 1u);
  KUNIT_EXPECT_EQ(test, READ_ONCE(cpu_rq(0)->idle_switches), picks);
  urgent.start(test, fifo(10), only(0));
  let_run(1);
  KUNIT_EXPECT_EQ(test, who_ran(4, idler, urgent), 2u);
  end(urgent, idler);
}

// spec 32 R-27: the holder of a lock runs at the priority of who waits for it; with a plain mutex the waiter waits for the hog too
struct Inversion {
  rt_mutex pi;
  mutex plain;
  bool boosts;
  completion held, over;
  char order[8] = {};
  atomic_t at, left;

  void lock() NO_THREAD_SAFETY_ANALYSIS { boosts ? rt_mutex_lock(&pi) : mutex_lock(&plain); }
  void unlock() NO_THREAD_SAFETY_ANALYSIS {
    boosts ? rt_mutex_unlock(&pi) : mutex_unlock(&plain);
    cond_resched();
  }
  void note(char c) { order[atomic_inc_return(&at) - 1] = c; }
  void gone() {
    if (atomic_dec_and_test(&left)) complete(&over);
  }
};
int holds(void* d) {
  auto* v = static_cast<Inversion*>(d);
  v->lock();
  complete(&v->held);
  for (int i = 0; i < 40; i++) work(100);
  v->unlock();
  v->note('l');
  v->gone();
  return 0;
}
int hogs(void* d) {
  auto* v = static_cast<Inversion*>(d);
  for (int i = 0; i < 80; i++) work(100);
  v->note('M');
  v->gone();
  return 0;
}
int waits(void* d) {
  auto* v = static_cast<Inversion*>(d);
  v->lock();
  v->note('H');
  v->unlock();
  v->gone();
  return 0;
}
task_struct* on_cpu0(kunit* test, int (*fn)(void*), void* data, unsigned priority) {
  const cpumask_t zero = only(0);
  task_struct* p = kthread_create(fn, data, "inversion");
  KUNIT_EXPECT_NOT_ERR_OR_NULL(test, p);
  get_task_struct(p);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(p, &zero).has_value());
  KUNIT_EXPECT_TRUE(test, set(p, fifo(priority)));
  return p;
}
void inversion(kunit* test, bool boosts, const char* expected) {
  Observer o(test);
  Inversion v{};
  v.boosts = boosts;
  rt_mutex_init(&v.pi);
  mutex_init(&v.plain);
  init_completion(&v.held);
  init_completion(&v.over);
  atomic_set(&v.at, 0);
  atomic_set(&v.left, 3);
  task_struct *l = on_cpu0(test, holds, &v, 10), *m = on_cpu0(test, hogs, &v, 50), *h = on_cpu0(test, waits, &v, 90);
  wake_up_process(l);
  wait_for_completion(&v.held);
  wake_up_process(m);
  wake_up_process(h);
  wait_for_completion(&v.over);
  for (task_struct* p : {l, m, h}) {
    while (READ_ONCE(p->__state) != TASK_DEAD) schedule_timeout_uninterruptible(1);
    put_task_struct(p);
  }
  rt_mutex_destroy(&v.pi);
  KUNIT_EXPECT_STREQ(test, v.order, expected);
}
void with_inheritance(kunit* test) { inversion(test, true, "HMl"); }
void without_inheritance(kunit* test) { inversion(test, false, "MHl"); }

// spec 32 R-1: several, of which one could go elsewhere
void overloaded_if_one_could_go(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU is never overloaded");
  Observer o(test);
  const auto overloaded = [] { return READ_ONCE(sched_state->rt_overloaded) & 1; };
  Spinner pinned, waiting;
  create(test, pinned, waiting);
  pinned.start(test, fifo(20), only(0));
  waiting.start(test, fifo(10), only(0));
  let_run(1);
  KUNIT_EXPECT_FALSE(test, overloaded());  // and so is the case: nobody can leave
  const cpumask_t two = here_or_nowhere(0), one = only(0);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(waiting.task, &two).has_value());
  KUNIT_EXPECT_TRUE(test, overloaded());
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(waiting.task, &one).has_value());
  KUNIT_EXPECT_FALSE(test, overloaded());
  end(waiting, pinned);
}

// ---- Two CPUs ---------------------------------------------------------------------------------------------------------------

#define NEEDS_TWO_CPUS() \
  if (num_online_cpus() < 2) kunit_skip(test, "needs two CPUs")

// spec 32 R-19: bound to a CPU: nowhere; else where it was, if there is room; else another
void the_lowest_cpu(kunit* test) {
  NEEDS_TWO_CPUS();
  Observer o(test, 50);
  Spinner s, other;
  create(test, s, other);
  s.rest();
  s.start(test, fifo(20), only(1));
  wait_task_inactive(s.task, 0);
  let_run(2);
  preempt_disable();
  const int bound = find_lowest_rq(s.task);
  preempt_enable();
  KUNIT_EXPECT_EQ(test, bound, -1);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(s.task, &kFirstTwo).has_value());
  preempt_disable();
  const int was = find_lowest_rq(s.task);  // it was on CPU 1, which idles; this one runs FIFO 50
  preempt_enable();
  KUNIT_EXPECT_EQ(test, was, 1);
  other.start(test, fifo(20), only(1));
  let_run(2);
  preempt_disable();
  const int none = find_lowest_rq(s.task);  // 1 runs an equal
  preempt_enable();
  KUNIT_EXPECT_EQ(test, none, -1);
  KUNIT_EXPECT_TRUE(test, set(s.task, fifo(30)));
  preempt_disable();
  const int lower = find_lowest_rq(s.task);
  preempt_enable();
  KUNIT_EXPECT_EQ(test, lower, 1);
  end(other, s);
}

// spec 32 R-20: it wakes where there is room, not behind its equal
void wakes_where_there_is_room(kunit* test) {
  NEEDS_TWO_CPUS();
  Observer o(test);
  Spinner pinned, s;
  create(test, pinned, s);
  s.rest();
  s.start(test, fifo(20), only(0));
  let_run(2);
  wait_task_inactive(s.task, 0);
  pinned.start(test, fifo(20), only(0));
  let_run(2);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(s.task, &kFirstTwo).has_value());
  KUNIT_EXPECT_EQ(test, task_cpu(s.task), 0u);
  preempt_disable();
  const unsigned woken = rt_sched_class.select_task_rq(s.task, 0, WF_TTWU), otherwise = rt_sched_class.select_task_rq(s.task, 0, 0);
  const unsigned there = rt_sched_class.select_task_rq(s.task, 1, WF_TTWU);  // nothing urgent runs there
  preempt_enable();
  KUNIT_EXPECT_EQ(test, woken, 1u);
  KUNIT_EXPECT_EQ(test, otherwise, 0u);
  KUNIT_EXPECT_EQ(test, there, 1u);
  s.go_on();
  KUNIT_EXPECT_EQ(test, task_cpu(s.task), 1u);
  KUNIT_EXPECT_EQ(test, who_ran(4, pinned, s), 3u);
  end(s, pinned);
}

// spec 32 R-21: whom a more urgent one displaces is pushed to where nobody is
void the_displaced_one_is_pushed(kunit* test) {
  NEEDS_TWO_CPUS();
  Observer o(test);
  Spinner s;
  s.start(test, fifo(20), only(0));
  let_run(2);
  KUNIT_EXPECT_EQ(test, task_cpu(s.task), 0u);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(s.task, &kFirstTwo).has_value());
  schedule_timeout_uninterruptible(2);  // we come back to CPU 0, and stay
  const u64 before = s.seen();
  for (int i = 0; i < 200 && s.seen() < before + 20; i++) work(100);
  KUNIT_EXPECT_GE(test, s.seen(), before + 20);
  KUNIT_EXPECT_EQ(test, task_cpu(s.task), 1u);
  end(s);
}

// spec 32 R-28: two CPUs, FIFO 30, 20 and 10. spec 32: 10 waits behind 20, and is pulled by the CPU that 30 leaves
void the_two_most_urgent_run(kunit* test) {
  NEEDS_TWO_CPUS();
  Observer o(test);
  Spinner high, middle, low;
  create(test, high, middle, low);
  middle.start(test, fifo(20), only(1));
  low.start(test, fifo(10), only(1));
  high.start(test, fifo(30), only(0));
  let_run(2);
  for (Spinner* s : {&high, &middle, &low}) KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(s->task, &kFirstTwo).has_value());
  KUNIT_EXPECT_EQ(test, task_cpu(low.task), 1u);
  KUNIT_EXPECT_EQ(test, who_ran(4, high, middle, low) & 3, 3u);
  high.rest();
  let_run(2);
  KUNIT_EXPECT_EQ(test, who_ran(4, high, middle, low), 6u);
  high.go_on();
  let_run(2);
  KUNIT_EXPECT_EQ(test, who_ran(4, high, middle, low) & 3, 3u);
  end(low, middle, high);
}

// spec 32 R-21 step 3, R-23 step 3: who pulls finds one that may not move, and has the one that runs there moved
void the_running_one_is_pushed(kunit* test) {
  NEEDS_TWO_CPUS();
  Observer o(test);
  Spinner stays, runs, other;
  stays.stays = true;
  create(test, stays, runs, other);
  stays.start(test, fifo(20), only(1));
  let_run(2);
  runs.start(test, fifo(30), only(1));
  other.start(test, fifo(40), only(0));
  let_run(2);
  for (Spinner* s : {&stays, &runs}) KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(s->task, &kFirstTwo).has_value());
  KUNIT_EXPECT_EQ(test, stays.task->migration_disabled, 1u);
  KUNIT_EXPECT_EQ(test, who_ran(4, stays, runs, other), 6u);
  other.rest();
  KUNIT_EXPECT_EQ(test, who_ran(6, stays, runs) & 3, 3u);  // when we come back here the one that was pushed makes room
  KUNIT_EXPECT_EQ(test, task_cpu(stays.task), 1u);
  KUNIT_EXPECT_FALSE(test, READ_ONCE(cpu_rq(1)->push_busy));
  end(other, runs, stays);
}

// spec 32 R-21 step 3: neither may move: it waits until the other leaves by itself
void neither_may_move(kunit* test) {
  NEEDS_TWO_CPUS();
  Observer o(test);
  Spinner stays, runs;
  stays.stays = runs.stays = true;
  create(test, stays, runs);
  stays.start(test, fifo(20), only(1));
  let_run(2);
  runs.start(test, fifo(30), only(1));
  let_run(2);
  for (Spinner* s : {&stays, &runs}) KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(s->task, &kFirstTwo).has_value());
  KUNIT_EXPECT_EQ(test, who_ran(4, stays, runs), 2u);
  runs.rest();
  let_run(1);
  KUNIT_EXPECT_EQ(test, who_ran(4, stays, runs), 1u);
  end(runs, stays);
}

// spec 32: an equal that is bound to this CPU displaces one that can go elsewhere
void an_equal_makes_room_if_it_can(kunit* test) {
  NEEDS_TWO_CPUS();
  Observer o(test);
  Spinner runs, wakes;
  create(test, runs, wakes);
  wakes.rest();
  wakes.start(test, fifo(20), only(0));
  runs.start(test, fifo(20), only(0));
  let_run(2);
  // Both bound: the one that runs stays.
  wakes.go_on();
  KUNIT_EXPECT_EQ(test, who_ran(4, runs, wakes), 1u);
  wakes.rest();
  runs.rest();
  let_run(2);
  runs.go_on();
  let_run(2);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(runs.task, &kFirstTwo).has_value());
  // The wake-up must come while it runs: from a thread on the other CPU, or a timer. A timer's sleep is one.
  struct Bell {
    timer_list t;
    Spinner* s;
  } bell{.t = {}, .s = &wakes};
  timer_setup(&bell.t, [](timer_list* l) {
    auto* b = container_of(l, Bell, t);
    WRITE_ONCE(b->s->sleep, false);
    wake_up_process(b->s->task);
  }, 0);
  const u64 mine = wakes.seen();
  mod_timer(&bell.t, jiffies + 2);
  let_run(8);
  del_timer_sync(&bell.t);
  KUNIT_EXPECT_GT(test, wakes.seen(), mine);
  KUNIT_EXPECT_EQ(test, who_ran(4, runs, wakes), 3u);
  KUNIT_EXPECT_EQ(test, task_cpu(runs.task), 1u);
  end(wakes, runs);
}

// ---- Deadline -----------------------------------------------------------------------------------------------------------------

// spec 32 D-8: who enters the class while it runs begins its first instance then
void a_first_instance(kunit* test) {
  constexpr u64 kRuntime = 50'000'000, kPeriod = 1'000'000'000;
  const u64 before = arch::clock_ns();
  KUNIT_ASSERT_TRUE(test, set(current, {.policy = SCHED_DEADLINE, .runtime = kRuntime, .deadline = kPeriod, .period = kPeriod}));
  const u64 deadline = current->dl.deadline, after = arch::clock_ns();
  const s64 left = current->dl.runtime;
  KUNIT_EXPECT_TRUE(test, set(current, {}));
  KUNIT_EXPECT_GE(test, deadline, before + kPeriod - kPeriod / 10);  // by the run queue's clock, which lags
  KUNIT_EXPECT_LE(test, deadline, after + kPeriod);
  KUNIT_EXPECT_GT(test, left, s64{0});
  KUNIT_EXPECT_LE(test, left, static_cast<s64>(kRuntime));
}

// spec 32 D-21: ticks account it. spec 32 D-23: throttled, it counts nowhere
void a_deadline_task_in_the_counts(kunit* test) {
  Observer o(test);
  KUNIT_EXPECT_TRUE(test, set_sched_rt_limits({1'000'000, 950'000}).has_value());
  Spinner s;
  constexpr u64 kRuntime = 20'000'000, kPeriod = 400'000'000;
  s.start(test, {.policy = SCHED_DEADLINE, .runtime = kRuntime, .deadline = kPeriod, .period = kPeriod}, *cpu_possible_mask);
  bool accounted = false, uncounted = false;
  for (int i = 0; i < 60 && !uncounted; i++) {
    let_run(1);
    TaskRqGuard g(s.task);
    if (!accounted && s.task->dl.runtime < static_cast<s64>(kRuntime)) {
      accounted = true;
      KUNIT_EXPECT_LE(test, s.task->dl.deadline - kPeriod, g.r->clock);
    }
    if (!s.task->dl.throttled) continue;
    uncounted = g.r->dl.nr_running == 0 && g.r->nr_running == g.r->cfs.h_nr_running + g.r->rt.nr_running;
    KUNIT_EXPECT_TRUE(test, uncounted);
  }
  KUNIT_EXPECT_TRUE(test, accounted);
  KUNIT_EXPECT_TRUE(test, uncounted);
  end(s);
}

// spec 32 D-17: the CPU it ran on, if no deadline task is there
void a_later_cpu(kunit* test) {
  NEEDS_TWO_CPUS();
  Observer o(test);
  KUNIT_EXPECT_TRUE(test, set_sched_rt_limits({1'000'000, 950'000}).has_value());
  Spinner s;
  s.rest();
  s.start(test, {.policy = SCHED_DEADLINE, .runtime = 5'000'000, .deadline = 100'000'000, .period = 100'000'000}, *cpu_possible_mask);
  let_run(2);
  wait_task_inactive(s.task, 0);
  preempt_disable();
  const int cpu = find_later_cpu(s.task);
  preempt_enable();
  KUNIT_EXPECT_EQ(test, cpu, static_cast<int>(task_cpu(s.task)));
  end(s);
}

kunit_case cases[] = {
    KUNIT_CASE(the_running_one_stays_on_its_list), KUNIT_CASE(where_a_change_puts_it), KUNIT_CASE(ticks_account), KUNIT_CASE(throttled_for_the_others), KUNIT_CASE(a_period_ends_before_its_timer),
    KUNIT_CASE(sched_idle_is_above_idle), KUNIT_CASE(with_inheritance), KUNIT_CASE(without_inheritance),
    KUNIT_CASE(overloaded_if_one_could_go), KUNIT_CASE(the_lowest_cpu), KUNIT_CASE(wakes_where_there_is_room),
    KUNIT_CASE(the_displaced_one_is_pushed), KUNIT_CASE(the_two_most_urgent_run),
    KUNIT_CASE(the_running_one_is_pushed),
    KUNIT_CASE(neither_may_move), KUNIT_CASE(an_equal_makes_room_if_it_can),
    KUNIT_CASE(a_first_instance), KUNIT_CASE(a_deadline_task_in_the_counts), KUNIT_CASE(a_later_cpu), {},
};
kunit_suite suite = {.name = "rt_tasks", .test_cases = cases};
}  // namespace
kunit_test_suite(suite);
