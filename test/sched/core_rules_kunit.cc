// The core's own rules, one by one, with a class and a task of the test's making where it matters what the core asks of a class. Spec 30
// sections 1 to 8. Both machines.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kernel/fork/copy_process.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/rq.hh"
#include "kernel/sync/guards.hh"
#include "test/fork/helpers.hh"

namespace {

// ---- A class that only listens -----------------------------------------------------------------------------------------

struct Heard {
  int enqueued, dequeued, preempts, migrations, flags, on_rq, wake_flags;
  unsigned state, recent;
  u64 clock;
};
Heard heard;

void hear_enqueue(rq* r, task_struct* p, int flags) {
  heard.enqueued++;
  heard.flags = flags;
  heard.on_rq = p->on_rq;
  heard.clock = r->clock;
}
void hear_dequeue(rq* r, task_struct* p, int flags) {
  heard.dequeued++;
  heard.flags = flags;
  heard.on_rq = p->on_rq;
  heard.clock = r->clock;
}
void hear_preempt(rq*, task_struct*, int) { heard.preempts++; }
unsigned hear_select(task_struct* p, unsigned cpu, int wake_flags) {
  heard.wake_flags = wake_flags;
  heard.state = p->__state;
  heard.recent = static_cast<unsigned>(p->recent_used_cpu);
  return cpu;
}
void hear_migration(task_struct*, unsigned) { heard.migrations++; }

sched_class listener(int rank) {
  sched_class c = {};
  c.rank = rank;
  c.enqueue_task = hear_enqueue;
  c.dequeue_task = hear_dequeue;
  c.check_preempt_curr = hear_preempt;
  c.select_task_rq = hear_select;
  c.migrate_task_rq = hear_migration;
  return c;
}

// A task that nobody knows, on this CPU.
struct Stranger {
  sched_class cls;
  task_struct* p;
  explicit Stranger(int rank) : cls(listener(rank)), p(static_cast<task_struct*>(kzalloc(sizeof(task_struct), GFP_KERNEL))) {
    raw_spin_lock_init(&p->pi_lock);
    strscpy(p->comm, "stranger", sizeof p->comm);
    p->flags = PF_KTHREAD;
    p->sched_class = &cls;
    p->prio = DEFAULT_PRIO;
    p->cpus_mask = *cpu_possible_mask;
    p->cpus_ptr = &p->cpus_mask;
    p->nr_cpus_allowed = static_cast<int>(num_possible_cpus());
    p->cpu = raw_smp_processor_id();
    heard = {};
  }
  ~Stranger() { kfree(p); }
};

// current stays on this CPU, with its queue locked.
struct MyQueue {
  rq* r;
  unsigned long flags;
  MyQueue() {
    local_irq_save(flags);
    r = this_rq();
    raw_spin_lock(&r->lock);
  }
  ~MyQueue() {
    raw_spin_unlock(&r->lock);
    local_irq_restore(flags);
  }
};

void forget_resched() {
  clear_tsk_thread_flag(current, TIF_NEED_RESCHED);
  clear_preempt_need_resched();
}

// ---- Clock, queueing -----------------------------------------------------------------------------------------------------

// spec 30 S-8
void the_clock_does_not_go_back(kunit* test) {
  MyQueue my;
  update_rq_clock(my.r);
  const u64 now = my.r->clock;
  KUNIT_EXPECT_LE(test, now, arch::clock_ns());
  my.r->clock = now + NSEC_PER_SEC;  // the CPU's clock seems to have gone back
  update_rq_clock(my.r);
  KUNIT_EXPECT_EQ(test, my.r->clock, now + NSEC_PER_SEC);
  my.r->clock = now;
  update_rq_clock(my.r);
  KUNIT_EXPECT_GE(test, my.r->clock, now);
}

// spec 30 S-10: who does not say that the clock is up to date has it brought up to date
void queueing_updates_the_clock(kunit* test) {
  Stranger s(0);
  MyQueue my;
  const u64 old = my.r->clock - 1;
  auto expect_clock = [&](bool updated, int line) {
    if (updated)
      KUNIT_EXPECT_GT_MSG(test, heard.clock, old, "line %d", line);
    else
      KUNIT_EXPECT_EQ_MSG(test, heard.clock, old, "line %d", line);
    my.r->clock = old;
  };
  my.r->clock = old;
  activate_task(my.r, s.p, ENQUEUE_NOCLOCK);
  expect_clock(false, __LINE__);
  deactivate_task(my.r, s.p, DEQUEUE_SLEEP | DEQUEUE_NOCLOCK);
  expect_clock(false, __LINE__);
  activate_task(my.r, s.p, 0);
  expect_clock(true, __LINE__);
  deactivate_task(my.r, s.p, DEQUEUE_SLEEP);
  expect_clock(true, __LINE__);
  update_rq_clock(my.r);
}

// spec 30 S-11: a task in flight is said to have come from elsewhere, and counts as queued only when it is
void activating_marks_a_task_queued(kunit* test) {
  Stranger s(0);
  MyQueue my;
  activate_task(my.r, s.p, ENQUEUE_WAKEUP | ENQUEUE_NOCLOCK);
  KUNIT_EXPECT_EQ(test, heard.flags, ENQUEUE_WAKEUP | ENQUEUE_NOCLOCK);
  KUNIT_EXPECT_EQ(test, heard.on_rq, 0);
  KUNIT_EXPECT_EQ(test, s.p->on_rq, TASK_ON_RQ_QUEUED);
  s.p->on_rq = TASK_ON_RQ_MIGRATING;
  activate_task(my.r, s.p, ENQUEUE_NOCLOCK);
  KUNIT_EXPECT_EQ(test, heard.flags, ENQUEUE_NOCLOCK | ENQUEUE_MIGRATED);
  KUNIT_EXPECT_EQ(test, heard.on_rq, TASK_ON_RQ_MIGRATING);
  KUNIT_EXPECT_EQ(test, s.p->on_rq, TASK_ON_RQ_QUEUED);
}

// spec 30 S-12: the store is there before the class is asked: wakers rely on it
void deactivating_stores_on_rq_first(kunit* test) {
  Stranger s(0);
  MyQueue my;
  s.p->on_rq = TASK_ON_RQ_QUEUED;
  deactivate_task(my.r, s.p, DEQUEUE_SLEEP | DEQUEUE_NOCLOCK);
  KUNIT_EXPECT_EQ(test, heard.on_rq, 0);
  s.p->on_rq = TASK_ON_RQ_QUEUED;
  deactivate_task(my.r, s.p, DEQUEUE_NOCLOCK);
  KUNIT_EXPECT_EQ(test, heard.on_rq, TASK_ON_RQ_MIGRATING);
  KUNIT_EXPECT_EQ(test, heard.dequeued, 2);
}

// ---- Who preempts ----------------------------------------------------------------------------------------------------------

// spec 30 S-13
void classes_decide_who_preempts(kunit* test) {
  Stranger lower(fair_sched_class.rank - 1), higher(fair_sched_class.rank + 1);
  MyQueue my;
  KUNIT_ASSERT_PTR_EQ(test, current->sched_class, &fair_sched_class);
  forget_resched();
  check_preempt_curr(my.r, lower.p, 0);
  KUNIT_EXPECT_FALSE(test, test_thread_flag(TIF_NEED_RESCHED));
  check_preempt_curr(my.r, higher.p, 0);
  KUNIT_EXPECT_TRUE(test, test_thread_flag(TIF_NEED_RESCHED));
  KUNIT_EXPECT_EQ(test, heard.preempts, 0);
  forget_resched();
  current->sched_class = &higher.cls;  // of one class: it is asked
  check_preempt_curr(my.r, higher.p, 0);
  current->sched_class = &fair_sched_class;
  KUNIT_EXPECT_EQ(test, heard.preempts, 1);
  KUNIT_EXPECT_FALSE(test, test_thread_flag(TIF_NEED_RESCHED));
}

// spec 30 S-14, on this CPU: flag and folded bit together; a task that is marked already is left alone
void resched_marks_and_folds(kunit* test) {
  MyQueue my;
  forget_resched();
  resched_curr(my.r);
  KUNIT_EXPECT_TRUE(test, test_thread_flag(TIF_NEED_RESCHED));
  KUNIT_EXPECT_TRUE(test, test_preempt_need_resched());
  clear_preempt_need_resched();
  resched_curr(my.r);
  KUNIT_EXPECT_FALSE(test, test_preempt_need_resched());
  forget_resched();
}

// spec 30 section 2.3: who has just read the clock and is about to choose need not read it again. The wish counts from the next
// __schedule on, and for that one alone
void a_switch_may_keep_the_clock(kunit* test) {
  {
    MyQueue my;
    const u64 old = --my.r->clock;
    my.r->clock_update_flags = RQCF_ACT_SKIP;
    update_rq_clock(my.r);
    KUNIT_EXPECT_EQ(test, my.r->clock, old);
    my.r->clock_update_flags = RQCF_REQ_SKIP;
    update_rq_clock(my.r);
    KUNIT_EXPECT_GT(test, my.r->clock, old);
    my.r->clock_update_flags = 0;
  }
  bool kept = false;
  for (int i = 0; i < 20 && !kept; i++) {  // others may come between
    preempt_disable();
    rq* r = this_rq();
    u64 then;
    {
      MyQueue my;
      update_rq_clock(r);
      then = r->clock;
      r->clock_update_flags = RQCF_REQ_SKIP;
    }
    for (int spin = 0; spin < 100; spin++) cpu_relax();
    schedule_preempt_disabled();
    kept = READ_ONCE(r->clock) == then;
    KUNIT_EXPECT_FALSE(test, READ_ONCE(r->clock_update_flags) & RQCF_ACT_SKIP);
    preempt_enable();
  }
  KUNIT_EXPECT_TRUE(test, kept);
}

struct Deaf {
  bool ready = false, go = false, marked = false, folded = false, served = false;
};
int deaf(void* d) {
  auto* x = static_cast<Deaf*>(d);
  local_irq_disable();
  forget_resched();
  smp_store_release(&x->ready, true);
  while (!smp_load_acquire(&x->go)) cpu_relax();
  x->marked = test_thread_flag(TIF_NEED_RESCHED);
  x->folded = test_preempt_need_resched();
  local_irq_enable();
  for (int i = 0; i < 100'000 && test_thread_flag(TIF_NEED_RESCHED); i++) {
    cond_resched();  // unless preempt=full, where the end of the interrupt has done it
    cpu_relax();
  }
  x->served = !test_thread_flag(TIF_NEED_RESCHED);
  return 0;
}
task_struct* start_on(kunit* test, int (*fn)(void*), void* d, unsigned cpu, const char* name) {
  task_struct* t = kthread_create(fn, d, "%s", name);
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  get_task_struct(t);
  kthread_bind(t, cpu);
  wake_up_process(t);
  return t;
}
void wait_dead(task_struct* t) {
  while (READ_ONCE(t->__state) != TASK_DEAD) msleep(1);
  put_task_struct(t);
}
unsigned another_cpu() { return raw_smp_processor_id() == 0 ? 1 : 0; }

void stay_here() {
  const cpumask_t here = {{1ul << raw_smp_processor_id()}};
  (void)set_cpus_allowed_ptr(current, &here);
}
void go_anywhere() { (void)set_cpus_allowed_ptr(current, cpu_possible_mask); }

// spec 30 S-14, on another CPU: the flag from here, the folding there, by the interrupt
void resched_of_another_cpu_is_an_interrupt(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  stay_here();
  Deaf x;
  const unsigned there = another_cpu();
  task_struct* t = start_on(test, deaf, &x, there, "deaf");
  while (!smp_load_acquire(&x.ready)) cpu_relax();
  resched_cpu(there);
  smp_store_release(&x.go, true);
  wait_dead(t);
  go_anywhere();
  KUNIT_EXPECT_TRUE(test, x.marked);
  KUNIT_EXPECT_FALSE(test, x.folded);
  KUNIT_EXPECT_TRUE(test, x.served);
}

// ---- New tasks -----------------------------------------------------------------------------------------------------------------

// spec 30 S-55
void a_new_task_is_no_sleeper(kunit* test) {
  Stranger s(0);
  stay_here();
  s.p->__state = TASK_NEW;
  s.p->recent_used_cpu = 77;
  wake_up_new_task(s.p);
  go_anywhere();
  if (num_possible_cpus() > 1) {  // else nobody is asked
    KUNIT_EXPECT_EQ(test, heard.wake_flags, WF_FORK);
    KUNIT_EXPECT_EQ(test, heard.state, unsigned{TASK_RUNNING});
    KUNIT_EXPECT_EQ(test, heard.recent, task_cpu(s.p));
  }
  KUNIT_EXPECT_EQ(test, heard.migrations, 0);
  KUNIT_EXPECT_EQ(test, heard.enqueued, 1);
  KUNIT_EXPECT_EQ(test, heard.flags, ENQUEUE_NOCLOCK);
  KUNIT_EXPECT_EQ(test, s.p->on_rq, TASK_ON_RQ_QUEUED);
  KUNIT_EXPECT_EQ(test, static_cast<unsigned>(s.p->recent_used_cpu), task_cpu(s.p));
  KUNIT_EXPECT_FALSE(test, test_thread_flag(TIF_NEED_RESCHED));
  Stranger urgent(fair_sched_class.rank + 1);
  preempt_disable();
  wake_up_new_task(urgent.p);
  KUNIT_EXPECT_TRUE(test, test_thread_flag(TIF_NEED_RESCHED));
  preempt_enable();
}

struct First {
  int count = -1;
  bool irqs_off = true, pending = false;
};
First first;
int first_steps(void*) {
  first = {preempt_count(), irqs_disabled(), signal_pending(current)};
  do_exit(0);
}
// spec 30 S-21: by its first code nothing is held any more, and what was sent while it was new has been found
void a_new_task_finds_its_signals(kunit* test) {
  become_parent();
  first = {};
  auto made = copy_process({.flags = CLONE_VM, .exit_signal = SIGCHLD, .fn = first_steps});
  KUNIT_ASSERT_TRUE(test, made.has_value());
  task_struct* t = *made;
  const pid_t nr = task_pid_vnr(t);
  KUNIT_EXPECT_EQ(test, READ_ONCE(t->__state), unsigned{TASK_NEW});
  sigaddset(&t->pending.signal, SIGUSR1);  // without the flag, as whoever queued it could not set it
  clear_tsk_thread_flag(t, TIF_SIGPENDING);
  wake_up_new_task(t);
  KUNIT_EXPECT_EQ(test, wait_for(nr).result, nr);
  KUNIT_EXPECT_EQ(test, first.count, 0);
  KUNIT_EXPECT_FALSE(test, first.irqs_off);
  KUNIT_EXPECT_TRUE(test, first.pending);
}

// ---- Locks ----------------------------------------------------------------------------------------------------------------------

struct Holder {
  unsigned hold, probe;  // CPUs: whose queue it holds, whose it tries
  bool here = false, go = false, ready = false, asking = false, got = false;
};
int holds_a_queue(void* d) {
  auto* h = static_cast<Holder*>(d);
  smp_store_release(&h->here, true);
  while (!smp_load_acquire(&h->go)) cpu_relax();
  local_irq_disable();
  raw_spin_lock(&cpu_rq(h->hold)->lock);
  smp_store_release(&h->ready, true);
  while (!smp_load_acquire(&h->asking)) cpu_relax();
  for (int i = 0; i < 2000 && !h->got; i++) {
    h->got = raw_spin_trylock(&cpu_rq(h->probe)->lock);
    cpu_relax();
  }
  if (h->got) raw_spin_unlock(&cpu_rq(h->probe)->lock);
  raw_spin_unlock(&cpu_rq(h->hold)->lock);
  local_irq_enable();
  return 0;
}
bool double_lock(kunit* test, unsigned mine, unsigned other, bool* let_go) {
  Holder h{.hold = other, .probe = mine};
  task_struct* t = start_on(test, holds_a_queue, &h, another_cpu(), "holder");
  while (!smp_load_acquire(&h.here)) cpu_relax();
  local_irq_disable();  // a tick here would wait for the lock that the holder keeps until we ask
  smp_store_release(&h.go, true);
  while (!smp_load_acquire(&h.ready)) cpu_relax();
  raw_spin_lock(&cpu_rq(mine)->lock);
  smp_store_release(&h.asking, true);
  const bool dropped = double_lock_rq(cpu_rq(mine), cpu_rq(other));
  KUNIT_EXPECT_TRUE(test, raw_spin_is_locked(&cpu_rq(mine)->lock));
  KUNIT_EXPECT_TRUE(test, raw_spin_is_locked(&cpu_rq(other)->lock));
  raw_spin_unlock(&cpu_rq(other)->lock);
  raw_spin_unlock(&cpu_rq(mine)->lock);
  local_irq_enable();
  wait_dead(t);
  *let_go = h.got;
  return dropped;
}
// spec 30 S-6: two queues in the order of their CPUs; who has the later one lets go of it first, and says so
void two_queues_are_locked_in_order(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  stay_here();
  bool let_go;
  KUNIT_EXPECT_TRUE(test, double_lock(test, 1, 0, &let_go));
  KUNIT_EXPECT_TRUE(test, let_go);
  KUNIT_EXPECT_FALSE(test, double_lock(test, 0, 1, &let_go));
  KUNIT_EXPECT_FALSE(test, let_go);
  go_anywhere();
}

int sleeps_until_stopped(void*) {
  for (;;) {
    set_current_state(TASK_UNINTERRUPTIBLE);
    if (kthread_should_stop()) break;
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  return 0;
}
struct Locker {
  task_struct* p;
  bool ready = false, go = false, asking = false, got = false;
  rq* r = nullptr;
};
int locks_the_queue_of_a_task(void* d) {
  auto* l = static_cast<Locker*>(d);
  smp_store_release(&l->ready, true);
  while (!smp_load_acquire(&l->go)) cpu_relax();
  smp_store_release(&l->asking, true);
  unsigned long flags;
  l->r = task_rq_lock(l->p, &flags);
  smp_store_release(&l->got, true);
  raw_spin_unlock(&l->r->lock);
  raw_spin_unlock_irqrestore(&l->p->pi_lock, flags);
  return 0;
}
bool is_free(raw_spinlock_t* l) {
  unsigned long flags;
  local_irq_save(flags);
  const bool got = raw_spin_trylock(l);
  if (got) raw_spin_unlock(l);
  local_irq_restore(flags);
  return got;
}
// A thread that will ask for p's queue.
task_struct* start_locker(kunit* test, Locker* l) {
  task_struct* t = start_on(test, locks_the_queue_of_a_task, l, another_cpu(), "locker");
  while (!smp_load_acquire(&l->ready)) cpu_relax();
  return t;
}
// Has been asking for a while.
void let_it_ask(Locker* l) {
  smp_store_release(&l->go, true);
  while (!smp_load_acquire(&l->asking)) cpu_relax();
  for (int i = 0; i < 500; i++) cpu_relax();
}
// spec 30 S-6: pi_lock before the queue's. S-7: whoever locks a task's queue waits while the task is in flight, without the lock, and
// has the right one in the end
void locking_the_queue_of_a_task(kunit* test) {
  if (num_online_cpus() < 2) kunit_skip(test, "one CPU");
  stay_here();
  const unsigned here = raw_smp_processor_id(), there = another_cpu();
  task_struct* p = kthread_create(sleeps_until_stopped, nullptr, "sleeper");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
  wake_up_process(p);
  do msleep(1);
  while (READ_ONCE(p->__state) != TASK_UNINTERRUPTIBLE || READ_ONCE(p->on_cpu));

  Locker first{.p = p};
  task_struct* t = start_locker(test, &first);
  raw_spin_lock_irq(&p->pi_lock);
  let_it_ask(&first);
  KUNIT_EXPECT_FALSE(test, smp_load_acquire(&first.got));
  KUNIT_EXPECT_TRUE(test, is_free(&task_rq(p)->lock));
  raw_spin_unlock_irq(&p->pi_lock);
  wait_dead(t);

  Locker second{.p = p};
  t = start_locker(test, &second);
  WRITE_ONCE(p->on_rq, TASK_ON_RQ_MIGRATING);
  let_it_ask(&second);
  KUNIT_EXPECT_FALSE(test, smp_load_acquire(&second.got));
  bool free_once = false;
  for (int i = 0; i < 1000 && !free_once; i++) free_once = is_free(&task_rq(p)->lock);
  KUNIT_EXPECT_TRUE(test, free_once);
  const unsigned to = task_cpu(p) == here ? there : here;
  __set_task_cpu(p, to);
  WRITE_ONCE(p->on_rq, 0);
  wait_dead(t);
  KUNIT_EXPECT_PTR_EQ(test, second.r, cpu_rq(to));

  Locker third{.p = p};  // it moves while its old queue's lock is waited for
  t = start_locker(test, &third);
  local_irq_disable();
  rq* old = task_rq(p);
  raw_spin_lock(&old->lock);
  let_it_ask(&third);
  const unsigned back = to == here ? there : here;
  __set_task_cpu(p, back);
  raw_spin_unlock(&old->lock);
  local_irq_enable();
  wait_dead(t);
  KUNIT_EXPECT_PTR_EQ(test, third.r, cpu_rq(back));
  kthread_stop(p);
  go_anywhere();
}

// ---- Choosing ---------------------------------------------------------------------------------------------------------------------

struct Turns {
  char order[8];
  unsigned n = 0;
  completion start[4];
};
struct Turn {
  Turns* all;
  char name;
};
int takes_its_turn(void* d) {
  auto* t = static_cast<Turn*>(d);
  preempt_disable();
  t->all->order[t->all->n++] = t->name;
  preempt_enable();
  return 0;
}
// spec 30 S-24: from the best class down, whatever came first; the idle task when there is nobody else
void the_best_class_is_chosen(kunit* test) {
  stay_here();
  Turns turns{};
  Turn who[] = {{&turns, 'f'}, {&turns, 'r'}, {&turns, 'R'}};
  const SchedRequest how[] = {{}, {.policy = SCHED_FIFO, .rt_priority = 3}, {.policy = SCHED_FIFO, .rt_priority = 4}};
  task_struct* t[3];
  for (int i = 0; i < 3; i++) {
    t[i] = kthread_create(takes_its_turn, &who[i], "turn");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t[i]);
    get_task_struct(t[i]);
    kthread_bind(t[i], raw_smp_processor_id());
    KUNIT_ASSERT_TRUE(test, __sched_setscheduler(t[i], how[i], SchedCaller::Kernel).has_value());
  }
  preempt_disable();
  for (auto* p : t) wake_up_process(p);
  KUNIT_EXPECT_EQ(test, turns.n, 0u);
  preempt_enable();
  msleep(20);
  KUNIT_EXPECT_EQ(test, turns.n, 3u);
  KUNIT_EXPECT_STREQ(test, turns.order, "Rrf");
  for (auto* p : t) wait_dead(p);
  go_anywhere();
}

// spec 30 S-4: idle tasks have priority 120, pid 0, a name of their own; stoppers the parameters of FIFO 99, and a class of their own
void how_idle_tasks_and_stoppers_look(kunit* test) {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    const task_struct* idle = cpu_rq(cpu)->idle;
    char name[TASK_COMM_LEN];
    snprintf(name, sizeof name, "swapper/%u", cpu);
    KUNIT_EXPECT_STREQ(test, idle->comm, name);
    KUNIT_EXPECT_EQ(test, idle->pid, 0);
    KUNIT_EXPECT_EQ(test, idle->prio, DEFAULT_PRIO);
    KUNIT_EXPECT_PTR_EQ(test, idle->sched_class, &idle_sched_class);
    const task_struct* stop = cpu_rq(cpu)->stop;
    KUNIT_ASSERT_NOT_NULL(test, stop);
    snprintf(name, sizeof name, "migration/%u", cpu);
    KUNIT_EXPECT_STREQ(test, stop->comm, name);
    KUNIT_EXPECT_EQ(test, stop->prio, 0);
    KUNIT_EXPECT_EQ(test, stop->policy, unsigned{SCHED_FIFO});
    KUNIT_EXPECT_EQ(test, stop->rt_priority, 99u);
    KUNIT_EXPECT_PTR_EQ(test, stop->sched_class, &stop_sched_class);
  }
}

// ---- Directed yield -----------------------------------------------------------------------------------------------------------------

struct Yielded {
  char order[8];
  unsigned n = 0;
};
struct Yielder {
  Yielded* all;
  char name;
};
int notes_that_it_ran(void* d) {
  auto* y = static_cast<Yielder*>(d);
  preempt_disable();
  y->all->order[y->all->n++] = y->name;
  preempt_enable();
  return 0;
}
// spec 30 S-65, spec 31 F-27
void a_directed_yield(kunit* test) {
  stay_here();
  Yielded y{};
  Yielder who[] = {{&y, 'a'}, {&y, 'b'}};
  task_struct* t[2];
  for (int i = 0; i < 2; i++) {
    t[i] = kthread_create(notes_that_it_ran, &who[i], "yield");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t[i]);
    get_task_struct(t[i]);
    kthread_bind(t[i], raw_smp_processor_id());
  }
  mdelay(50);  // so that both will be due before us, one as much as the other
  preempt_disable();
  KUNIT_EXPECT_EQ(test, this_rq()->nr_running, 1u);
  KUNIT_EXPECT_EQ(test, yield_to(current, false), -ESRCH);  // alone, both of us
  wake_up_process(t[0]);
  KUNIT_EXPECT_EQ(test, yield_to(current, false), 0);  // it runs
  KUNIT_EXPECT_EQ(test, yield_to(t[1], false), 0);     // it sleeps
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(t[1], {.policy = SCHED_FIFO, .rt_priority = 1}, SchedCaller::Kernel).has_value());
  wake_up_process(t[1]);
  KUNIT_EXPECT_EQ(test, yield_to(t[1], false), 0);  // of another class
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(t[1], {}, SchedCaller::Kernel).has_value());
  KUNIT_EXPECT_EQ(test, y.n, 0u);
  forget_resched();
  local_irq_disable();  // a tick in between would let the other one run
  preempt_enable_no_resched();
  KUNIT_EXPECT_EQ(test, yield_to(t[1], false), 1);  // before the one who has waited longer
  local_irq_enable();
  msleep(5);
  KUNIT_EXPECT_STREQ(test, y.order, "ba");
  for (auto* p : t) wait_dead(p);
  go_anywhere();
}

kunit_case cases[] = {
    KUNIT_CASE(the_clock_does_not_go_back),
    KUNIT_CASE(queueing_updates_the_clock),
    KUNIT_CASE(activating_marks_a_task_queued),
    KUNIT_CASE(deactivating_stores_on_rq_first),
    KUNIT_CASE(classes_decide_who_preempts),
    KUNIT_CASE(resched_marks_and_folds),
    KUNIT_CASE(a_switch_may_keep_the_clock),
    KUNIT_CASE(resched_of_another_cpu_is_an_interrupt),
    KUNIT_CASE(a_new_task_is_no_sleeper),
    KUNIT_CASE(a_new_task_finds_its_signals),
    KUNIT_CASE(two_queues_are_locked_in_order),
    KUNIT_CASE(locking_the_queue_of_a_task),
    KUNIT_CASE(the_best_class_is_chosen),
    KUNIT_CASE(how_idle_tasks_and_stoppers_look),
    KUNIT_CASE(a_directed_yield),
    {},
};
kunit_suite suite = {.name = "sched_core_rules", .test_cases = cases, .world = {.cpus = 2, .seeds = 5}};

}  // namespace

kunit_test_suite(suite);
