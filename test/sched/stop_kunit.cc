// The stop class and the stoppers. Spec 30 section 10, 32 part 3.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/stop_machine.h>

#include "kernel/sched/params.hh"
#include "kernel/printk/printk.hh"
#include "test/sync/threads.hh"

namespace {

struct Seen {
  int runs = 0;
  unsigned cpu = ~0u, cpus = 0;
  const task_struct* task = nullptr;
  bool preemptible_there = true, irqs_off = false;
  int answer = 0;
};
int note_where(void* p) {
  auto* s = static_cast<Seen*>(p);
  // Several CPUs may do so at a time; the last says what is so on all of them.
  WRITE_ONCE(s->cpu, smp_processor_id());
  WRITE_ONCE(s->task, current);
  WRITE_ONCE(s->preemptible_there, preempt_count() == 0);
  WRITE_ONCE(s->irqs_off, irqs_disabled());
  __atomic_fetch_or(&s->cpus, 1u << smp_processor_id(), __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&s->runs, 1, __ATOMIC_SEQ_CST);
  return s->answer;
}

unsigned last_cpu() { return num_online_cpus() - 1; }
void be_on(unsigned cpu) {
  cpumask_t one = {{1ul << cpu}};
  (void)set_cpus_allowed_ptr(current, &one);
}
void be_anywhere() {
  cpumask_t all = *cpu_possible_mask;
  (void)set_cpus_allowed_ptr(current, &all);
}

}  // namespace

// spec 30 S-4, S-5
static void stoppers_parameters(kunit* test) {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    task_struct* t = cpu_rq(cpu)->stop;
    KUNIT_ASSERT_NOT_NULL(test, t);
    char name[TASK_COMM_LEN];
    snprintf(name, sizeof(name), "migration/%u", cpu);
    KUNIT_EXPECT_STREQ(test, t->comm, name);
    KUNIT_EXPECT_PTR_EQ(test, t->sched_class, &stop_sched_class);
    KUNIT_EXPECT_EQ(test, t->prio, 0);
    KUNIT_EXPECT_EQ(test, t->policy, static_cast<unsigned>(SCHED_FIFO));
    KUNIT_EXPECT_EQ(test, t->rt_priority, 99u);
    KUNIT_EXPECT_EQ(test, __sched_setscheduler(t, {.policy = SCHED_FIFO, .rt_priority = 1}, SchedCaller::Kernel).error().code(), EINVAL);
  }
  const sched_class* order[] = {&stop_sched_class, &dl_sched_class, &rt_sched_class, &fair_sched_class, &idle_sched_class};
  for (int i = 0; i < 4; i++) KUNIT_EXPECT_GT(test, order[i]->rank, order[i + 1]->rank);
  KUNIT_EXPECT_PTR_EQ(test, class_of_prio(-1), &dl_sched_class);
  for (int prio = 0; prio < MAX_RT_PRIO; prio++) KUNIT_EXPECT_PTR_EQ(test, class_of_prio(prio), &rt_sched_class);
  KUNIT_EXPECT_PTR_EQ(test, class_of_prio(120), &fair_sched_class);
}

// spec 30 S-71
static void one_cpu_at_a_time(kunit* test) {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    Seen s;
    s.answer = 40 + static_cast<int>(cpu);
    KUNIT_EXPECT_EQ(test, stop_one_cpu(cpu, note_where, &s), 40 + static_cast<int>(cpu));
    KUNIT_EXPECT_EQ(test, s.runs, 1);
    KUNIT_EXPECT_EQ(test, s.cpu, cpu);
    KUNIT_EXPECT_PTR_EQ(test, s.task, cpu_rq(cpu)->stop);
    KUNIT_EXPECT_FALSE(test, s.preemptible_there);
    KUNIT_EXPECT_FALSE(test, s.irqs_off);
  }
}

namespace {
struct Order {
  cpu_stop_work works[4];
  int order[4], n = 0;
  completion done;
};
struct Nth {
  Order* all;
  int n;
};
int note_order(void* p) {
  auto* nth = static_cast<Nth*>(p);
  nth->all->order[nth->all->n++] = nth->n;
  if (nth->n == 3) complete(&nth->all->done);
  return 0;
}
}  // namespace

// spec 30 S-71: first come, first served; spec 32 R-25: the stopper preempts whoever asked as soon as it may
static void works_run_in_order(kunit* test) {
  Order o;
  init_completion(&o.done);
  Nth nth[4] = {{&o, 0}, {&o, 1}, {&o, 2}, {&o, 3}};
  be_on(last_cpu());
  preempt_disable();
  for (int i = 0; i < 4; i++) KUNIT_EXPECT_TRUE(test, stop_one_cpu_nowait(last_cpu(), note_order, &nth[i], &o.works[i]));
  KUNIT_EXPECT_EQ(test, o.n, 0);
  preempt_enable();
  cond_resched();  // unless preempt=full, when the end of the section is no such moment
  KUNIT_EXPECT_EQ(test, o.n, 4);  // at once, on this very CPU
  wait_for_completion(&o.done);
  for (int i = 0; i < 4; i++) KUNIT_EXPECT_EQ(test, o.order[i], i);
  be_anywhere();
}

// spec 30 S-71
static void two_cpus_together(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  Seen s;
  s.answer = 7;
  KUNIT_EXPECT_EQ(test, stop_two_cpus(1, 0, note_where, &s), 7);
  KUNIT_EXPECT_EQ(test, s.runs, 1);
  KUNIT_EXPECT_EQ(test, s.cpu, 1u);
  KUNIT_EXPECT_TRUE(test, s.irqs_off);
}

namespace {
struct Quiet {
  int here = 0, most = 0;  // CPUs inside at a time
};
int alone_in_here(void* p) {
  auto* q = static_cast<Quiet*>(p);
  const int n = __atomic_add_fetch(&q->here, 1, __ATOMIC_SEQ_CST);
  if (n > q->most) q->most = n;
  __atomic_sub_fetch(&q->here, 1, __ATOMIC_SEQ_CST);
  return irqs_disabled() ? 0 : -EINVAL;
}
}  // namespace

// spec 30 S-71
static void the_whole_machine(kunit* test) {
  Seen one, all;
  KUNIT_EXPECT_EQ(test, stop_machine(note_where, &one, nullptr), 0);
  KUNIT_EXPECT_EQ(test, one.runs, 1);
  KUNIT_EXPECT_TRUE(test, one.irqs_off);
  KUNIT_EXPECT_EQ(test, stop_machine(note_where, &all, cpu_online_mask), 0);
  KUNIT_EXPECT_EQ(test, all.runs, static_cast<int>(num_online_cpus()));
  KUNIT_EXPECT_EQ(test, all.cpus, static_cast<unsigned>(cpu_online_mask->bits[0]));
  Quiet q;
  KUNIT_EXPECT_EQ(test, stop_machine(alone_in_here, &q, nullptr), 0);
  KUNIT_EXPECT_EQ(test, q.most, 1);
}

namespace {
int stop_many_times(void* p) {
  const auto cpu = static_cast<unsigned>(reinterpret_cast<unsigned long>(p));
  Seen s;
  for (int i = 0; i < 30; i++) {
    stop_two_cpus(cpu, (cpu + 1) % num_online_cpus(), note_where, &s);
    stop_one_cpu((cpu + i) % num_online_cpus(), note_where, &s);
    if (i % 8 == 0) stop_machine(note_where, &s, nullptr);
  }
  return s.runs;
}
}  // namespace

// spec 30 S-71: works for several CPUs that cross each other do not wait for each other for ever
static void crossing_works_end(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  Thread t[4];
  for (unsigned long i = 0; i < 4; i++) t[i].start(test, stop_many_times, reinterpret_cast<void*>(i % num_online_cpus()));
  for (auto& thread : t) KUNIT_EXPECT_EQ(test, thread.join(), 30 + 30 + 4);
}

// ---- Classes in order ---------------------------------------------------------------------------------------------------

namespace {
struct Race {
  int n = 0;
  char order[8] = {};
  completion all;
};
struct Runner {
  Race* race;
  char name;
};
int run_race(void* p) {
  auto* r = static_cast<Runner*>(p);
  set_current_state(TASK_INTERRUPTIBLE);
  schedule();
  r->race->order[r->race->n++] = r->name;
  return 0;
}
int note_stop(void* p) {
  auto* r = static_cast<Runner*>(p);
  r->race->order[r->race->n++] = r->name;
  return 0;
}
}  // namespace

// spec 32 R-31, spec 30 S-5: all made runnable on one CPU while nobody can run there, in the wrong order
static void class_order_on_one_cpu(kunit* test) {
  const unsigned cpu = last_cpu();
  Race race;
  Runner fair{&race, 'f'}, fifo{&race, 'r'}, deadline{&race, 'd'}, stop{&race, 's'};
  be_on(cpu);
  Thread tf, tr, td;
  tf.start(test, run_race, &fair);
  tr.start(test, run_race, &fifo);
  td.start(test, run_race, &deadline);
  KUNIT_EXPECT_TRUE(test, tf.wait_asleep() && tr.wait_asleep() && td.wait_asleep());
  cpumask_t one = {{1ul << cpu}};
  KUNIT_EXPECT_TRUE(test, __sched_setscheduler(td.task, {.policy = SCHED_DEADLINE, .runtime = 10'000'000, .deadline = 100'000'000,
                                                         .period = 100'000'000}, SchedCaller::Kernel).has_value());
  KUNIT_EXPECT_TRUE(test, __sched_setscheduler(tr.task, {.policy = SCHED_FIFO, .rt_priority = 99}, SchedCaller::Kernel).has_value());
  (void)set_cpus_allowed_ptr(tf.task, &one);
  (void)set_cpus_allowed_ptr(tr.task, &one);
  td.task->wake_cpu = static_cast<int>(cpu);
  cpu_stop_work work;
  if (num_online_cpus() == 1) {  // elsewhere the deadline task may be fetched by an idle CPU
    preempt_disable();
    wake_up_process(tf.task);
    wake_up_process(tr.task);
    wake_up_process(td.task);
    stop_one_cpu_nowait(cpu, note_stop, &stop, &work);
    preempt_enable();
  } else {
    preempt_disable();
    wake_up_process(tf.task);
    wake_up_process(tr.task);
    stop_one_cpu_nowait(cpu, note_stop, &stop, &work);
    preempt_enable();
    cond_resched();
    wake_up_process(td.task);
  }
  tf.join();
  tr.join();
  td.join();
  if (num_online_cpus() == 1) {
    KUNIT_EXPECT_STREQ(test, race.order, "sdrf");
  } else {
    KUNIT_EXPECT_EQ(test, race.order[0], 's');
    KUNIT_EXPECT_EQ(test, race.order[1], 'r');
  }
  be_anywhere();
}

// spec 32 R-25: stopping again and again is seen as run time of the stopper, not of who is stopped
static void stoppers_time_is_its_own(kunit* test) {
  be_on(last_cpu());
  task_struct* stopper = cpu_rq(last_cpu())->stop;
  const u64 before = task_sched_runtime(stopper);
  for (int i = 0; i < 3; i++)
    stop_one_cpu(last_cpu(), [](void*) {
      for (const u64 end = arch::clock_ns() + 200'000; arch::clock_ns() < end;) arch::cpu_relax();
      return 0;
    }, nullptr);
  KUNIT_EXPECT_GE(test, task_sched_runtime(stopper) - before, 600'000ull);
  be_anywhere();
}

// ---- Moving those that run ----------------------------------------------------------------------------------------------

namespace {
int spin(void* p) {
  while (!READ_ONCE(*static_cast<bool*>(p))) {
    cond_resched();  // for all modes but preempt=full
    arch::cpu_relax();
  }
  return 0;
}
}  // namespace

// spec 30 S-66, section 10.2: a task that never calls the scheduler leaves its CPU before the call returns
static void a_spinning_task_moves(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  bool stop = false;
  Thread t;
  t.start(test, spin, &stop);
  for (unsigned i = 0; i < 20; i++) {
    cpumask_t one = {{1ul << (i % num_online_cpus())}};
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(t.task, &one).has_value());
    KUNIT_EXPECT_EQ(test, task_cpu(t.task), i % num_online_cpus());
  }
  KUNIT_EXPECT_GE(test, t.task->se.nr_migrations, 19ull);  // spec 30 S-68
  WRITE_ONCE(stop, true);
  t.join();
}

namespace {
struct Pinned {
  completion pinned, go, enabled, end;
  unsigned pinned_on, after;
};
int pin_and_wait(void* p) {
  auto* s = static_cast<Pinned*>(p);
  migrate_disable();
  migrate_disable();
  migrate_enable();
  s->pinned_on = smp_processor_id();
  complete(&s->pinned);
  wait_for_completion(&s->go);
  const bool stayed = smp_processor_id() == s->pinned_on && task_cpu(current) == s->pinned_on;
  migrate_enable();
  cond_resched();  // with preempt=full the stopper has come in already
  s->after = task_cpu(current);
  complete(&s->enabled);
  wait_for_completion(&s->end);
  return stayed;
}
struct Setter {
  task_struct* target;
  cpumask_t mask;
};
int set_mask(void* p) {
  auto* s = static_cast<Setter*>(p);
  return set_cpus_allowed_ptr(s->target, &s->mask).has_value() && cpumask_test_cpu(task_cpu(s->target), &s->mask);
}
}  // namespace

// spec 30 S-70, S-50, S-51: it sleeps and wakes where it is; who changes its mask waits for migrate_enable
static void migration_disabled(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  Pinned s;
  init_completion(&s.pinned);
  init_completion(&s.go);
  init_completion(&s.enabled);
  init_completion(&s.end);
  Thread t, setter;
  t.start(test, pin_and_wait, &s);
  wait_for_completion(&s.pinned);
  KUNIT_EXPECT_EQ(test, cpu_rq(s.pinned_on)->nr_pinned, 1u);
  Setter to{t.task, {{1ul << ((s.pinned_on + 1) % num_online_cpus())}}};
  setter.start(test, set_mask, &to);
  KUNIT_EXPECT_TRUE(test, setter.wait_asleep());
  KUNIT_EXPECT_FALSE(test, setter.finished());
  complete(&s.go);
  KUNIT_EXPECT_EQ(test, setter.join(), 1);
  wait_for_completion(&s.enabled);
  KUNIT_EXPECT_EQ(test, task_cpu(t.task), (s.pinned_on + 1) % num_online_cpus());
  KUNIT_EXPECT_EQ(test, cpu_rq(s.pinned_on)->nr_pinned, 0u);
  complete(&s.end);
  KUNIT_EXPECT_EQ(test, t.join(), 1);
}

// spec 30 section 10.2: the mask of a pinned current without its own CPU
static void a_pinned_task_may_not_shut_itself_out(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  be_on(0);
  be_anywhere();
  migrate_disable();
  cpumask_t other = {{cpu_online_mask->bits[0] & ~(1ul << smp_processor_id())}};
  expect_warnings(1);
  KUNIT_EXPECT_EQ(test, set_cpus_allowed_ptr(current, &other).error().code(), EBUSY);
  migrate_enable();
  KUNIT_EXPECT_TRUE(test, cpumask_equal(&current->cpus_mask, cpu_possible_mask));
}

// spec 30 S-70
static void enabling_too_often_is_reported(kunit* test) {
  expect_warnings(1);
  migrate_enable();
  KUNIT_EXPECT_EQ(test, current->migration_disabled, 0u);
}

// spec 32 R-26: idle is picked when nothing else is there, in no count, and its tick and yield do nothing
static void idle_class(kunit* test) {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    rq* r = cpu_rq(cpu);
    KUNIT_EXPECT_PTR_EQ(test, r->idle->sched_class, &idle_sched_class);
    KUNIT_EXPECT_EQ(test, r->idle->on_rq, TASK_ON_RQ_QUEUED);
    KUNIT_EXPECT_EQ(test, task_cpu(r->idle), cpu);
    unsigned long flags;
    raw_spin_lock_irqsave(&r->lock, flags);
    const unsigned before = r->nr_running;
    idle_sched_class.task_tick(r, r->idle);
    idle_sched_class.yield_task(r);
    if (r->curr == r->idle) KUNIT_EXPECT_EQ(test, before, 0u);
    KUNIT_EXPECT_EQ(test, r->nr_running, before);
    raw_spin_unlock_irqrestore(&r->lock, flags);
  }
}

static kunit_case cases[] = {
    KUNIT_CASE(stoppers_parameters),
    KUNIT_CASE(one_cpu_at_a_time),
    KUNIT_CASE(works_run_in_order),
    KUNIT_CASE(two_cpus_together),
    KUNIT_CASE(the_whole_machine),
    KUNIT_CASE(crossing_works_end),
    KUNIT_CASE(class_order_on_one_cpu),
    KUNIT_CASE(stoppers_time_is_its_own),
    KUNIT_CASE(a_spinning_task_moves),
    KUNIT_CASE(migration_disabled),
    KUNIT_CASE(a_pinned_task_may_not_shut_itself_out),
    KUNIT_CASE(enabling_too_often_is_reported),
    KUNIT_CASE(idle_class),
    {},
};
static kunit_suite suite = {.name = "sched_stop", .test_cases = cases};
kunit_test_suite(suite);
