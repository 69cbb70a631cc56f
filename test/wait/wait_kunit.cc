// Wait queues: order of insertion, the wake walk, prepare and finish (spec 33 section 1). Entries with callbacks of our
// own stand for waiters, so that the walk itself is seen.
// SPDX-License-Identifier: Apache-2.0
#include <linux/hardirq.h>
#include <linux/sched/wake_q.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>

#include "kernel/sched/params.hh"
#include "kernel/sched/preempt_mode.hh"
#include "test/sync/threads.hh"

namespace {

struct Entry {
  wait_queue_entry e;
  int id;
  int answer = 1;
};
struct Log {
  int ids[256];
  int n = 0;
};
Log* log_of_walk;  // one walk at a time, in one thread

int record(wait_queue_entry* e, unsigned, int, void*) {
  auto* x = container_of(e, Entry, e);
  if (log_of_walk->n < 256) log_of_walk->ids[log_of_walk->n++] = x->id;
  return x->answer;
}
void make(Entry* x, int id, int answer = 1) {
  init_waitqueue_func_entry(&x->e, record);
  INIT_LIST_HEAD(&x->e.entry);
  x->id = id;
  x->answer = answer;
}

void expect_log(kunit* test, const Log& log, const int* ids, int n) {
  KUNIT_EXPECT_EQ(test, log.n, n);
  for (int i = 0; i < n && i < log.n; i++) KUNIT_EXPECT_EQ(test, log.ids[i], ids[i]);
}

void order_of_insertion(kunit* test) {  // spec 33 W-1 W-2 W-3
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  Log log;
  log_of_walk = &log;
  Entry x[7];
  for (int i = 0; i < 7; i++) make(&x[i], i);
  add_wait_queue(&q, &x[0].e);            // 0
  add_wait_queue(&q, &x[1].e);            // 1 0
  add_wait_queue_exclusive(&q, &x[2].e);  // 1 0 [2]
  add_wait_queue_exclusive(&q, &x[3].e);  // 1 0 [2] [3]
  add_wait_queue_priority(&q, &x[4].e);   // p4 1 0 [2] [3]
  add_wait_queue_priority(&q, &x[5].e);   // p4 p5 1 0 [2] [3]
  add_wait_queue(&q, &x[6].e);            // p4 p5 6 1 0 [2] [3]
  wake_up_all(&q);
  const int want[] = {4, 5, 6, 1, 0, 2, 3};
  expect_log(test, log, want, 7);
  KUNIT_EXPECT_EQ(test, x[4].e.flags, (unsigned)(WQ_FLAG_EXCLUSIVE | WQ_FLAG_PRIORITY));
  for (auto& e : x) remove_wait_queue(&q, &e.e);
  KUNIT_EXPECT_FALSE(test, waitqueue_active(&q));
}

void exclusive_budget(kunit* test) {  // spec 33 W-4
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  Log log;
  log_of_walk = &log;
  Entry x[6];
  make(&x[0], 0);
  make(&x[1], 1);
  make(&x[2], 2, 0);  // woken already: does not use up the budget
  make(&x[3], 3);
  make(&x[4], 4);
  make(&x[5], 5);
  add_wait_queue(&q, &x[1].e);
  add_wait_queue(&q, &x[0].e);
  for (int i = 2; i < 6; i++) add_wait_queue_exclusive(&q, &x[i].e);
  wake_up(&q);
  const int one[] = {0, 1, 2, 3};
  expect_log(test, log, one, 4);
  log.n = 0;
  wake_up_nr(&q, 2);
  const int two[] = {0, 1, 2, 3, 4};
  expect_log(test, log, two, 5);
  for (auto& e : x) remove_wait_queue(&q, &e.e);
}

void negative_answer_stops(kunit* test) {  // spec 33 section 1.3 step 3
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  Log log;
  log_of_walk = &log;
  Entry x[3];
  make(&x[0], 0);
  make(&x[1], 1, -1);
  make(&x[2], 2);
  for (auto& e : x) add_wait_queue_exclusive(&q, &e.e);
  wake_up_all(&q);
  const int want[] = {0, 1};
  expect_log(test, log, want, 2);
  for (auto& e : x) remove_wait_queue(&q, &e.e);
}

void bookmarks_are_skipped(kunit* test) {  // spec 33 section 1.3 step 1
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  Log log;
  log_of_walk = &log;
  Entry x[2], mark;
  make(&x[0], 0);
  make(&x[1], 1);
  make(&mark, 9);
  add_wait_queue_exclusive(&q, &x[0].e);
  mark.e.flags = WQ_FLAG_BOOKMARK;
  list_add_tail(&mark.e.entry, &q.head);
  add_wait_queue_exclusive(&q, &x[1].e);
  wake_up_all(&q);
  const int want[] = {0, 1};
  expect_log(test, log, want, 2);
}

// A real-time thread on our CPU, woken by every callback, runs as soon as the walk lets interrupts and preemption
// come: at the end of each lock section. It notes how many callbacks have run by then.
struct Sections {
  task_struct* watcher = nullptr;
  int calls = 0;
  int seen[16];
  int n = 0;
  bool stop = false;
};
int watch(void* p) {
  auto* s = static_cast<Sections*>(p);
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (kthread_should_stop()) break;
    if (READ_ONCE(s->calls) && s->n < 16 && (!s->n || s->seen[s->n - 1] != READ_ONCE(s->calls)))
      s->seen[s->n++] = READ_ONCE(s->calls);
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  return 0;
}
struct SectionEntry {
  wait_queue_entry e;
  Sections* s;
};
int count_and_wake(wait_queue_entry* e, unsigned, int, void*) {
  Sections* s = container_of(e, SectionEntry, e)->s;
  WRITE_ONCE(s->calls, s->calls + 1);
  wake_up_process(s->watcher);
  return 1;
}
void sections_of(kunit* test, int waiters, const int* want, int n) {
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  auto* s = static_cast<Sections*>(kzalloc(sizeof(Sections), GFP_KERNEL));
  auto* x = static_cast<SectionEntry*>(kcalloc(static_cast<size_t>(waiters), sizeof(SectionEntry), GFP_KERNEL));
  KUNIT_ASSERT_TRUE(test, s && x);
  cpumask_t here{{1ul << smp_processor_id()}};
  KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(current, &here).has_value());
  task_struct* t = kthread_create(watch, s, "watcher");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  s->watcher = t;
  kthread_bind(t, smp_processor_id());
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(t, {.policy = SCHED_FIFO, .rt_priority = 50}, SchedCaller::Kernel).has_value());
  wake_up_process(t);
  settle();
  for (int i = 0; i < waiters; i++) {
    x[i].s = s;
    init_waitqueue_func_entry(&x[i].e, count_and_wake);
    add_wait_queue_exclusive(&q, &x[i].e);
  }
  wake_up_all(&q);
  kthread_stop(t);
  KUNIT_EXPECT_EQ(test, s->n, n);
  for (int i = 0; i < n && i < s->n; i++) KUNIT_EXPECT_EQ(test, s->seen[i], want[i]);
  kfree(x);
  kfree(s);
}
void lock_sections(kunit* test) {  // spec 33 W-6
  if (preempt_mode != PreemptMode::Full) kunit_skip(test, "only with preempt=full the end of a lock section lets the watcher in");
  const int a[] = {65, 130, 195, 200}, b[] = {65, 66}, c[] = {65};
  sections_of(test, 200, a, 4);
  sections_of(test, 66, b, 2);
  sections_of(test, 65, c, 1);
}

void budget_carries_over(kunit* test) {  // spec 33 W-7
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  Log log;
  log_of_walk = &log;
  auto* x = static_cast<Entry*>(kcalloc(150, sizeof(Entry), GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, x);
  for (int i = 0; i < 150; i++) {
    make(&x[i], i);
    add_wait_queue_exclusive(&q, &x[i].e);
  }
  wake_up_nr(&q, 100);
  KUNIT_EXPECT_EQ(test, log.n, 100);
  kfree(x);
}

// At the first gap between two lock sections a real-time thread adds an entry at either end.
struct Gap {
  wait_queue_head q;
  Entry front, tail;
  bool walking = false;
};
int adds_in_the_gap(void* p) {
  auto* g = static_cast<Gap*>(p);
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (kthread_should_stop()) break;
    if (READ_ONCE(g->walking)) {
      WRITE_ONCE(g->walking, false);
      add_wait_queue(&g->q, &g->front.e);
      add_wait_queue_exclusive(&g->q, &g->tail.e);
    }
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  return 0;
}
task_struct* watcher_of_gap;
int record_and_wake(wait_queue_entry* e, unsigned mode, int flags, void* key) {
  wake_up_process(watcher_of_gap);
  return record(e, mode, flags, key);
}
void entries_that_come_during_the_walk(kunit* test) {  // spec 33 W-5
  if (preempt_mode != PreemptMode::Full) kunit_skip(test, "only with preempt=full anybody comes in between the walk's lock sections");
  auto* g = static_cast<Gap*>(kzalloc(sizeof(Gap), GFP_KERNEL));
  auto* x = static_cast<Entry*>(kcalloc(80, sizeof(Entry), GFP_KERNEL));
  auto* log = static_cast<Log*>(kzalloc(sizeof(Log), GFP_KERNEL));
  KUNIT_ASSERT_TRUE(test, g && x && log);
  log_of_walk = log;
  init_waitqueue_head(&g->q);
  make(&g->front, 1000);
  make(&g->tail, 2000);
  cpumask_t here{{1ul << smp_processor_id()}};
  KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(current, &here).has_value());
  task_struct* t = watcher_of_gap = kthread_create(adds_in_the_gap, g, "gap");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  kthread_bind(t, smp_processor_id());
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(t, {.policy = SCHED_FIFO, .rt_priority = 50}, SchedCaller::Kernel).has_value());
  wake_up_process(t);
  settle();
  for (int i = 0; i < 80; i++) {
    make(&x[i], i);
    x[i].e.func = i ? record : record_and_wake;
    add_wait_queue_exclusive(&g->q, &x[i].e);
  }
  WRITE_ONCE(g->walking, true);
  wake_up_all(&g->q);
  kthread_stop(t);
  KUNIT_EXPECT_EQ(test, log->n, 81);
  KUNIT_EXPECT_EQ(test, log->ids[0], 0);
  KUNIT_EXPECT_EQ(test, log->ids[79], 79);
  KUNIT_EXPECT_EQ(test, log->ids[80], 2000);  // the one at the tail was met, that at the front not
  KUNIT_EXPECT_PTR_EQ(test, g->q.head.next, &g->front.e.entry);
  (void)set_cpus_allowed_ptr(current, cpu_possible_mask);
  kfree(log);
  kfree(x);
  kfree(g);
}

// spec 33 W-8: under the head's lock, interrupts off, in the waker's context, whatever it is
struct Context {
  wait_queue_head q;
  wait_queue_entry e;
  hrtimer timer;
  task_struct* by = nullptr;
  bool locked = false, irqs_off = false, hardirq = false;
  int calls = 0;
};
int note_context(wait_queue_entry* e, unsigned, int, void*) {
  Context* c = container_of(e, Context, e);
  c->by = current;
  c->locked = spin_is_locked(&c->q.lock);
  c->irqs_off = irqs_disabled();
  c->hardirq = in_hardirq();
  WRITE_ONCE(c->calls, c->calls + 1);
  return 1;
}
enum hrtimer_restart wakes_from_an_interrupt(hrtimer* t) {
  wake_up(&container_of(t, Context, timer)->q);
  return HRTIMER_NORESTART;
}
void where_a_callback_runs(kunit* test) {
  Context c;
  init_waitqueue_head(&c.q);
  init_waitqueue_func_entry(&c.e, note_context);
  add_wait_queue(&c.q, &c.e);
  wake_up(&c.q);
  KUNIT_EXPECT_EQ(test, c.calls, 1);
  KUNIT_EXPECT_TRUE(test, c.locked);
  KUNIT_EXPECT_TRUE(test, c.irqs_off);
  KUNIT_EXPECT_FALSE(test, c.hardirq);
  KUNIT_EXPECT_PTR_EQ(test, c.by, static_cast<task_struct*>(current));
  hrtimer_init(&c.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
  c.timer.function = wakes_from_an_interrupt;
  hrtimer_start(&c.timer, NSEC_PER_MSEC, HRTIMER_MODE_REL_HARD);
  EXPECT_SOON(test, READ_ONCE(c.calls) == 2);
  hrtimer_cancel(&c.timer);
  KUNIT_EXPECT_TRUE(test, c.locked);
  KUNIT_EXPECT_TRUE(test, c.irqs_off);
  KUNIT_EXPECT_TRUE(test, c.hardirq);
  KUNIT_EXPECT_FALSE(test, irqs_disabled());
  remove_wait_queue(&c.q, &c.e);
}

// ---- Wake queues ---------------------------------------------------------------------------------------------------------
struct Sleepers {
  int order[4];
  int n = 0;
};
struct Sleeper {
  Sleepers* all;
  int id;
};
int sleeps_once(void* p) {
  auto* s = static_cast<Sleeper*>(p);
  set_current_state(TASK_UNINTERRUPTIBLE);
  schedule();
  preempt_disable();
  s->all->order[s->all->n++] = s->id;
  preempt_enable();
  return 0;
}
void wake_queues_wake_in_order(kunit* test) {  // spec 33 W-51
  cpumask_t here{{1ul << smp_processor_id()}};
  KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(current, &here).has_value());
  Sleepers all;
  Sleeper s[3];
  task_struct* t[3];
  for (int i = 0; i < 3; i++) {
    s[i] = {&all, i};
    t[i] = kthread_create(sleeps_once, &s[i], "sleeper");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t[i]);
    get_task_struct(t[i]);
    kthread_bind(t[i], smp_processor_id());
    KUNIT_ASSERT_TRUE(test, __sched_setscheduler(t[i], {.policy = SCHED_FIFO, .rt_priority = 5}, SchedCaller::Kernel).has_value());
    wake_up_process(t[i]);
  }
  settle();
  DEFINE_WAKE_Q(first);
  DEFINE_WAKE_Q(second);
  const unsigned before = refcount_read(&t[1]->usage);
  wake_q_add(&first, t[2]);
  wake_q_add(&first, t[1]);
  wake_q_add(&first, t[0]);
  KUNIT_EXPECT_EQ(test, refcount_read(&t[1]->usage), before + 1);
  wake_q_add(&second, t[1]);  // it will get the other wake-up
  KUNIT_EXPECT_TRUE(test, wake_q_empty(&second));
  KUNIT_EXPECT_EQ(test, refcount_read(&t[1]->usage), before + 1);
  wake_q_add_safe(&second, get_task_struct(t[1]));  // takes the reference, and drops it
  KUNIT_EXPECT_EQ(test, refcount_read(&t[1]->usage), before + 1);
  preempt_disable();
  KUNIT_EXPECT_EQ(test, all.n, 0);
  wake_up_q(&first);
  preempt_enable();
  settle();
  KUNIT_EXPECT_EQ(test, all.n, 3);
  for (int i = 0; i < 3; i++) KUNIT_EXPECT_EQ(test, all.order[i], 2 - i);
  for (auto* p : t) {
    EXPECT_SOON(test, READ_ONCE(p->__state) == TASK_DEAD);
    KUNIT_EXPECT_NULL(test, p->wake_q_next);
    put_task_struct(p);
  }
  (void)set_cpus_allowed_ptr(current, cpu_possible_mask);
}

void prepare_and_finish(kunit* test) {  // spec 33 section 1.5
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  DEFINE_WAIT(a);
  DEFINE_WAIT(b);
  bool first = prepare_to_wait_exclusive(&q, &a, TASK_INTERRUPTIBLE);
  unsigned state = READ_ONCE(current->__state);
  bool second = prepare_to_wait_exclusive(&q, &b, TASK_INTERRUPTIBLE);
  bool again = prepare_to_wait_exclusive(&q, &a, TASK_INTERRUPTIBLE);
  bool active = waitqueue_active(&q);
  finish_wait(&q, &a);
  finish_wait(&q, &b);
  KUNIT_EXPECT_TRUE(test, first);
  KUNIT_EXPECT_FALSE(test, second);
  KUNIT_EXPECT_FALSE(test, again);
  KUNIT_EXPECT_EQ(test, state, (unsigned)TASK_INTERRUPTIBLE);
  KUNIT_EXPECT_TRUE(test, active);
  KUNIT_EXPECT_FALSE(test, waitqueue_active(&q));
  KUNIT_EXPECT_EQ(test, READ_ONCE(current->__state), (unsigned)TASK_RUNNING);
}

void signal_unlinks(kunit* test) {  // spec 33 W-10
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  wait_queue_entry e;
  init_wait_entry(&e, WQ_FLAG_EXCLUSIVE);
  PendingSignal pending;
  long r = prepare_to_wait_event(&q, &e, TASK_INTERRUPTIBLE);
  unsigned state = READ_ONCE(current->__state);
  KUNIT_EXPECT_EQ(test, r, -ERESTARTSYS);
  KUNIT_EXPECT_FALSE(test, waitqueue_active(&q));
  KUNIT_EXPECT_EQ(test, state, (unsigned)TASK_RUNNING);
  r = prepare_to_wait_event(&q, &e, TASK_UNINTERRUPTIBLE);
  finish_wait(&q, &e);
  KUNIT_EXPECT_EQ(test, r, 0);
}

void condition_beats_signal(kunit* test) {  // spec 33 W-11
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  PendingSignal pending;
  int calls = 0;
  KUNIT_EXPECT_EQ(test, wait_event_interruptible(q, true), 0);
  KUNIT_EXPECT_EQ(test, wait_event_interruptible(q, calls++ == 1), 0);  // false outside the queue, true within
  KUNIT_EXPECT_EQ(test, wait_event_interruptible(q, false), -ERESTARTSYS);
  KUNIT_EXPECT_EQ(test, wait_event_interruptible_timeout(q, false, 100), -ERESTARTSYS);
  KUNIT_EXPECT_EQ(test, wait_event_killable_timeout(q, false, 1), 0);  // not a fatal one
  KUNIT_EXPECT_FALSE(test, waitqueue_active(&q));
}

void timeouts(kunit* test) {  // spec 33 W-12
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  KUNIT_EXPECT_EQ(test, wait_event_timeout(q, true, 0), 1);
  KUNIT_EXPECT_EQ(test, wait_event_timeout(q, false, 0), 0);
  KUNIT_EXPECT_EQ(test, wait_event_timeout(q, true, 50), 50);
  unsigned long begin = jiffies;
  KUNIT_EXPECT_EQ(test, wait_event_timeout(q, false, 5), 0);
  KUNIT_EXPECT_GE(test, jiffies - begin, 5ul);
  begin = jiffies;
  KUNIT_EXPECT_EQ(test, wait_event_timeout(q, time_after_eq(jiffies, begin + 3), 3), 1);  // true exactly at expiry
  KUNIT_EXPECT_EQ(test, wait_event_hrtimeout(q, false, 3 * NSEC_PER_MSEC), -ETIME);
  KUNIT_EXPECT_EQ(test, wait_event_hrtimeout(q, true, 3 * NSEC_PER_MSEC), 0);
}

struct Poked {
  wait_queue_head q;
  bool ready = false;
  long left = 0;
};
int wait_long(void* p) {
  auto* x = static_cast<Poked*>(p);
  x->left = wait_event_timeout(x->q, READ_ONCE(x->ready), 100);
  return 0;
}
void spurious_wakes_carry_the_rest(kunit* test) {  // spec 33 W-13
  Poked x;
  init_waitqueue_head(&x.q);
  Thread t;
  unsigned long begin = jiffies;
  t.start(test, wait_long, &x);
  for (int i = 0; i < 8; i++) {
    KUNIT_EXPECT_TRUE(test, t.wait_asleep());
    msleep(20);
    wake_up(&x.q);
  }
  t.join();
  KUNIT_EXPECT_EQ(test, x.left, 0);
  KUNIT_EXPECT_GE(test, jiffies - begin, 100ul);
  KUNIT_EXPECT_LT(test, jiffies - begin, 130ul);
}
void wake_leaves_the_rest(kunit* test) {
  Poked x;
  init_waitqueue_head(&x.q);
  Thread t;
  t.start(test, wait_long, &x);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  WRITE_ONCE(x.ready, true);
  wake_up(&x.q);
  t.join();
  KUNIT_EXPECT_GT(test, x.left, 50);
  KUNIT_EXPECT_LE(test, x.left, 100);
}

void woken_remembers(kunit* test) {  // spec 33 W-14
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  DEFINE_WAIT_FUNC(e, woken_wake_function);
  add_wait_queue(&q, &e);
  wake_up(&q);  // before we sleep
  KUNIT_EXPECT_TRUE(test, e.flags & WQ_FLAG_WOKEN);
  KUNIT_EXPECT_EQ(test, wait_woken(&e, TASK_INTERRUPTIBLE, 100), 100);  // did not sleep
  KUNIT_EXPECT_FALSE(test, e.flags & WQ_FLAG_WOKEN);
  KUNIT_EXPECT_EQ(test, wait_woken(&e, TASK_INTERRUPTIBLE, 2), 0);
  remove_wait_queue(&q, &e);
}

void lock_irq_drops_the_lock(kunit* test) {  // spec 33 section 1.6
  DECLARE_WAIT_QUEUE_HEAD_ONSTACK(q);
  spinlock_t l;
  spin_lock_init(&l);
  int tests = 0;
  spin_lock_irq(&l);
  wait_event_lock_irq(q, (!spin_is_locked(&l) ? (tests = 99) : ++tests) >= 1, l);
  bool held = spin_is_locked(&l) && irqs_disabled();
  spin_unlock_irq(&l);
  KUNIT_EXPECT_TRUE(test, held);
  KUNIT_EXPECT_EQ(test, tests, 1);
}

// ---- Bits and variables ------------------------------------------------------------------------------------------------
struct Bits {
  unsigned long word = 0;
  int value = 0;
};
int wait_for_bit(void* p) { return wait_on_bit(&static_cast<Bits*>(p)->word, 3, TASK_UNINTERRUPTIBLE); }
int take_bit(void* p) {
  auto* b = static_cast<Bits*>(p);
  int r = wait_on_bit_lock(&b->word, 3, TASK_UNINTERRUPTIBLE);
  WRITE_ONCE(b->value, b->value + 1);
  return r;
}
int wait_for_value(void* p) {
  auto* b = static_cast<Bits*>(p);
  wait_var_event(&b->value, READ_ONCE(b->value) == 2);
  return READ_ONCE(b->value);
}
void bit_waits(kunit* test) {  // spec 33 W-52 W-53
  Bits b;
  KUNIT_EXPECT_EQ(test, wait_on_bit(&b.word, 3, TASK_UNINTERRUPTIBLE), 0);
  b.word = 8;
  KUNIT_EXPECT_EQ(test, wait_on_bit_timeout(&b.word, 3, TASK_UNINTERRUPTIBLE, 2), -EAGAIN);
  {
    PendingSignal pending;
    KUNIT_EXPECT_EQ(test, wait_on_bit(&b.word, 3, TASK_INTERRUPTIBLE), -EINTR);
    KUNIT_EXPECT_EQ(test, wait_on_bit_lock(&b.word, 3, TASK_INTERRUPTIBLE), -EINTR);
  }
  Thread t;
  t.start(test, wait_for_bit, &b);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  clear_and_wake_up_bit(3, &b.word);
  KUNIT_EXPECT_EQ(test, t.join(), 0);
}
void bit_lock_is_exclusive(kunit* test) {  // spec 33 W-52
  Bits b;
  KUNIT_EXPECT_EQ(test, wait_on_bit_lock(&b.word, 3, TASK_UNINTERRUPTIBLE), 0);
  KUNIT_EXPECT_EQ(test, b.word, 8ul);
  Thread t[2];
  for (auto& x : t) {
    x.start(test, take_bit, &b);
    KUNIT_EXPECT_TRUE(test, x.wait_asleep());
  }
  clear_and_wake_up_bit(3, &b.word);
  EXPECT_SOON(test, READ_ONCE(b.value) == 1);
  clear_and_wake_up_bit(3, &b.word);
  for (auto& x : t) x.join();
  KUNIT_EXPECT_EQ(test, b.value, 2);
  KUNIT_EXPECT_EQ(test, b.word, 8ul);
}
void variable_waits(kunit* test) {  // spec 33 section 9
  Bits b;
  Thread t;
  t.start(test, wait_for_value, &b);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  WRITE_ONCE(b.value, 1);
  smp_mb();
  wake_up_var(&b.value);
  settle();
  KUNIT_EXPECT_FALSE(test, t.finished());
  WRITE_ONCE(b.value, 2);
  smp_mb();
  wake_up_var(&b.value);
  KUNIT_EXPECT_EQ(test, t.join(), 2);
}

kunit_case cases[] = {
    KUNIT_CASE(order_of_insertion),
    KUNIT_CASE(exclusive_budget),
    KUNIT_CASE(negative_answer_stops),
    KUNIT_CASE(bookmarks_are_skipped),
    KUNIT_CASE(lock_sections),
    KUNIT_CASE(budget_carries_over),
    KUNIT_CASE(entries_that_come_during_the_walk),
    KUNIT_CASE(where_a_callback_runs),
    KUNIT_CASE(wake_queues_wake_in_order),
    KUNIT_CASE(prepare_and_finish),
    KUNIT_CASE(signal_unlinks),
    KUNIT_CASE(condition_beats_signal),
    KUNIT_CASE(timeouts),
    KUNIT_CASE(spurious_wakes_carry_the_rest),
    KUNIT_CASE(wake_leaves_the_rest),
    KUNIT_CASE(woken_remembers),
    KUNIT_CASE(lock_irq_drops_the_lock),
    KUNIT_CASE(bit_waits),
    KUNIT_CASE(bit_lock_is_exclusive),
    KUNIT_CASE(variable_waits),
    {},
};
kunit_suite suite = {.name = "wait", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
