// Locks, wait queues, completions and timers on four CPUs, many interleavings each.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "test/sync/threads.hh"

namespace {

inline constexpr int kThreads = 4, kRounds = 40;

// Runs fn(data) in n threads at once and gives the sum of what they return.
int crowd(kunit* test, int n, int (*fn)(void*), void* data) {
  Thread t[8];
  for (int i = 0; i < n; i++) t[i].start(test, fn, data);
  int sum = 0;
  for (int i = 0; i < n; i++) sum += t[i].join();
  return sum;
}

// Two words that are equal whenever nobody writes them. Plain: the sanitizers shall see a lock that does not order.
struct Pair {
  spinlock_t lock;
  rwlock_t rw;
  struct mutex m;
  rw_semaphore sem;
  seqlock_t seq;
  long a = 0, b = 0;
  Pair() {
    spin_lock_init(&lock);
    rwlock_init(&rw);
    mutex_init(&m);
    init_rwsem(&sem);
    seqlock_init(&seq);
  }
  void change() {
    a++;
    arch::yield_point(arch::PreemptPoint::Atomic);
    b++;
  }
  int torn() const { return a != b; }
};

int spin_adds(void* p) {
  auto* x = static_cast<Pair*>(p);
  int torn = 0;
  for (int i = 0; i < kRounds; i++) {
    SpinGuard g(x->lock);
    torn += x->torn();
    x->change();
  }
  return torn;
}
void spinlock_excludes(kunit* test) {  // spec 33 W-39
  Pair x;
  KUNIT_EXPECT_EQ(test, crowd(test, kThreads, spin_adds, &x), 0);
  KUNIT_EXPECT_EQ(test, x.a, kThreads * kRounds);
  KUNIT_EXPECT_EQ(test, x.lock.val, 0u);
}
int rw_mixed(void* p) {
  auto* x = static_cast<Pair*>(p);
  int torn = 0;
  for (int i = 0; i < kRounds; i++) {
    if (i % 4 == 0) {
      WriteGuard g(x->rw);
      x->change();
    } else {
      ReadGuard g(x->rw);
      torn += x->torn();
    }
  }
  return torn;
}
void rwlock_excludes(kunit* test) {  // spec 33 section 8
  Pair x;
  KUNIT_EXPECT_EQ(test, crowd(test, kThreads, rw_mixed, &x), 0);
  KUNIT_EXPECT_EQ(test, x.a, kThreads * kRounds / 4);
  KUNIT_EXPECT_EQ(test, x.rw.cnts, 0u);
}
int mutex_adds(void* p) {
  auto* x = static_cast<Pair*>(p);
  int torn = 0;
  for (int i = 0; i < kRounds; i++) {
    MutexGuard g(x->m);
    torn += x->torn();
    x->change();
  }
  return torn;
}
void mutex_excludes(kunit* test) {  // spec 33 W-43 W-44
  Pair x;
  KUNIT_EXPECT_EQ(test, crowd(test, 6, mutex_adds, &x), 0);
  KUNIT_EXPECT_EQ(test, x.a, 6 * kRounds);
  KUNIT_EXPECT_EQ(test, atomic_long_read(&x.m.owner), 0);
}
int mutex_with_signals(void* p) {
  auto* x = static_cast<Pair*>(p);
  int got = 0;
  for (int i = 0; i < kRounds; i++) {
    if (i % 3 == 0) set_thread_flag(TIF_NOTIFY_SIGNAL);
    if (mutex_lock_interruptible(&x->m) == 0) {
      x->change();
      got++;
      mutex_unlock(&x->m);
    }
    clear_thread_flag(TIF_NOTIFY_SIGNAL);
  }
  return got;
}
void mutex_survives_interrupted_waiters(kunit* test) {  // spec 33 W-43: the queue is left clean
  Pair x;
  int got = crowd(test, 6, mutex_with_signals, &x);
  KUNIT_EXPECT_EQ(test, x.a, got);
  KUNIT_EXPECT_EQ(test, x.b, got);
  KUNIT_EXPECT_EQ(test, atomic_long_read(&x.m.owner), 0);
  KUNIT_EXPECT_TRUE(test, list_empty(&x.m.wait_list));
}
int rwsem_mixed(void* p) {
  auto* x = static_cast<Pair*>(p);
  int torn = 0;
  for (int i = 0; i < kRounds; i++) {
    if (i % 3 == 0) {
      down_write(&x->sem);
      x->change();
      if (i % 2) {
        downgrade_write(&x->sem);
        torn += x->torn();
        up_read(&x->sem);
      } else {
        up_write(&x->sem);
      }
    } else {
      RwsemReadGuard g(x->sem);
      torn += x->torn();
    }
  }
  return torn;
}
void rwsem_excludes(kunit* test) {  // spec 33 W-46
  Pair x;
  KUNIT_EXPECT_EQ(test, crowd(test, 6, rwsem_mixed, &x), 0);
  KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&x.sem));
  KUNIT_EXPECT_TRUE(test, list_empty(&x.sem.wait_list));
}
int rwsem_with_signals(void* p) {
  auto* x = static_cast<Pair*>(p);
  int torn = 0;
  for (int i = 0; i < kRounds; i++) {
    if (i % 3 == 0) {
      down_write(&x->sem);
      x->change();
      up_write(&x->sem);
      continue;
    }
    if (i % 3 == 1) set_thread_flag(TIF_NOTIFY_SIGNAL);
    if (down_read_interruptible(&x->sem) == 0) {
      torn += x->torn();
      up_read(&x->sem);
    }
    clear_thread_flag(TIF_NOTIFY_SIGNAL);
  }
  return torn;
}
void rwsem_survives_interrupted_waiters(kunit* test) {  // spec 33 W-46
  Pair x;
  KUNIT_EXPECT_EQ(test, crowd(test, 6, rwsem_with_signals, &x), 0);
  KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&x.sem));
}
int seq_mixed(void* p) {
  auto* x = static_cast<Pair*>(p);
  int torn = 0;
  for (int i = 0; i < kRounds; i++) {
    if (i % 4 == 0) {
      write_seqlock(&x->seq);
      WRITE_ONCE(x->a, x->a + 1);
      arch::yield_point(arch::PreemptPoint::Atomic);
      WRITE_ONCE(x->b, x->b + 1);
      write_sequnlock(&x->seq);
      continue;
    }
    unsigned v;
    long a, b;
    do {
      v = read_seqbegin(&x->seq);
      a = READ_ONCE(x->a);
      arch::yield_point(arch::PreemptPoint::Atomic);
      b = READ_ONCE(x->b);
    } while (read_seqretry(&x->seq, v));
    torn += a != b;
  }
  return torn;
}
void seqlock_readers_see_whole_data(kunit* test) {  // spec 33 W-49
  Pair x;
  KUNIT_EXPECT_EQ(test, crowd(test, kThreads, seq_mixed, &x), 0);
}

// ---- Wait queues -----------------------------------------------------------------------------------------------------
struct Items {
  wait_queue_head q;
  atomic_t ready{0}, consumed{0};
  bool done = false;
  Items() { init_waitqueue_head(&q); }
  bool take() {
    int n = atomic_read(&ready);
    while (n > 0)
      if (atomic_try_cmpxchg(&ready, &n, n - 1)) return true;
    return false;
  }
};
int consumer(void* p) {
  auto* x = static_cast<Items*>(p);
  for (;;) {
    bool got = false;
    int r = wait_event_interruptible_exclusive(x->q, (got = x->take()) || READ_ONCE(x->done));
    if (r) clear_thread_flag(TIF_NOTIFY_SIGNAL);
    if (got) atomic_inc(&x->consumed);
    if (!r && !got) return 0;
  }
}
void finish(Items* x, Thread (&t)[8]) {
  for (int i = 0; atomic_read(&x->ready) > 0 && i < 1000; i++) msleep(1);
  WRITE_ONCE(x->done, true);
  smp_mb();
  wake_up_all(&x->q);
  for (Thread& c : t) c.join();
}
void every_item_is_consumed(kunit* test) {  // spec 33 W-59, in small
  Items x;
  Thread t[8];
  for (Thread& c : t) c.start(test, consumer, &x);
  for (int i = 0; i < 300; i++) {
    atomic_inc(&x.ready);
    smp_mb();
    wake_up(&x.q);
  }
  for (int i = 0; atomic_read(&x.ready) > 0 && i < 1000; i++) msleep(1);
  KUNIT_EXPECT_EQ(test, atomic_read(&x.ready), 0);  // without any further wake-up
  finish(&x, t);
  KUNIT_EXPECT_EQ(test, atomic_read(&x.consumed), 300);
}
void signals_do_not_swallow_wakeups(kunit* test) {  // spec 33 W-60
  Items x;
  Thread t[8];
  for (Thread& c : t) c.start(test, consumer, &x);
  for (int i = 0; i < 200; i++) {
    Thread& victim = t[i % 8];
    set_tsk_thread_flag(victim.task, TIF_NOTIFY_SIGNAL);
    wake_up_state(victim.task, TASK_INTERRUPTIBLE);
    atomic_inc(&x.ready);
    smp_mb();
    wake_up(&x.q);
  }
  for (int i = 0; atomic_read(&x.ready) > 0 && i < 1000; i++) msleep(1);
  KUNIT_EXPECT_EQ(test, atomic_read(&x.ready), 0);
  finish(&x, t);
  KUNIT_EXPECT_EQ(test, atomic_read(&x.consumed), 200);
}

struct Handshake {
  struct completion c;
  atomic_t taken{0};
  bool stop = false;
};
int waits_briefly(void* p) {
  auto* x = static_cast<Handshake*>(p);
  while (!READ_ONCE(x->stop))
    if (wait_for_completion_timeout(&x->c, 1)) atomic_inc(&x->taken);
  return 0;
}
void timeout_against_complete(kunit* test) {  // spec 33 W-19 W-63
  Handshake x;
  init_completion(&x.c);
  Thread t[2];
  for (Thread& w : t) w.start(test, waits_briefly, &x);
  for (int i = 0; i < 40; i++) {
    usleep_range(1500, 2500);
    complete(&x.c);
  }
  msleep(30);
  WRITE_ONCE(x.stop, true);
  for (Thread& w : t) w.join();
  int left = 0;
  while (try_wait_for_completion(&x.c)) left++;
  KUNIT_EXPECT_EQ(test, atomic_read(&x.taken) + left, 40);  // 0 means: not consumed
}
struct OnHeap {
  struct completion c;
};
int completes_and_forgets(void* p) {
  complete(&static_cast<OnHeap*>(p)->c);
  return 0;
}
void completed_object_may_be_freed(kunit* test) {  // spec 33 W-15 W-18
  for (int i = 0; i < 10; i++) {
    auto* x = static_cast<OnHeap*>(kmalloc(sizeof(OnHeap), GFP_KERNEL));
    KUNIT_ASSERT_NOT_NULL(test, x);
    init_completion(&x->c);
    Thread t;
    t.start(test, completes_and_forgets, x);
    if (i % 2) {
      wait_for_completion(&x->c);
    } else {
      while (!completion_done(&x->c)) arch::cpu_relax();
    }
    kfree(x);
    t.join();
  }
}

// ---- Timers ----------------------------------------------------------------------------------------------------------
struct Busy {
  timer_list timer;
  hrtimer hr;
  tasklet_struct tasklet;
  int calls = 0;        // plain: callbacks of one timer never overlap
  atomic_t inside{0};
  bool stop = false;
};
void rearming(timer_list* t) {
  Busy* x = from_timer(x, t, timer);
  WARN_ON(atomic_inc_return(&x->inside) != 1);
  x->calls++;
  atomic_dec(&x->inside);
  mod_timer(t, jiffies + 1);
}
int keeps_moving(void* p) {
  auto* x = static_cast<Busy*>(p);
  for (int i = 0; i < 30; i++) {
    mod_timer(&x->timer, jiffies + static_cast<unsigned>(i) % 3);
    usleep_range(5000, 9000);
  }
  return 0;
}
void timer_moved_from_all_sides(kunit* test) {  // spec 33 W-31 W-62
  Busy x;
  timer_setup(&x.timer, rearming, 0);
  crowd(test, kThreads, keeps_moving, &x);
  // The callback re-arms itself; once nobody else does, one synchronous deletion is the end of it.
  del_timer_sync(&x.timer);
  int calls = x.calls;
  msleep(20);
  KUNIT_EXPECT_GT(test, calls, 0);
  KUNIT_EXPECT_EQ(test, x.calls, calls);
  KUNIT_EXPECT_FALSE(test, timer_pending(&x.timer));
}
// Others may start it while it runs, so it does not restart itself: hrtimer_forward is not for queued timers (W-33).
enum hrtimer_restart hr_counts(hrtimer* t) {
  Busy* x = container_of(t, Busy, hr);
  WARN_ON(atomic_inc_return(&x->inside) != 1);
  x->calls++;
  arch::yield_point(arch::PreemptPoint::Atomic);
  atomic_dec(&x->inside);
  return HRTIMER_NORESTART;
}
int restarts_hr(void* p) {
  auto* x = static_cast<Busy*>(p);
  for (int i = 0; i < 20; i++) {
    hrtimer_start(&x->hr, (100 + i * 10) * NSEC_PER_USEC, HRTIMER_MODE_REL);
    usleep_range(300, 400);
    if (i % 5 == 0) hrtimer_cancel(&x->hr);
  }
  return 0;
}
void hrtimer_started_from_all_sides(kunit* test) {  // spec 33 W-32
  Busy x;
  hrtimer_init(&x.hr, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
  x.hr.function = hr_counts;
  crowd(test, kThreads, restarts_hr, &x);
  hrtimer_cancel(&x.hr);
  int calls = x.calls;
  msleep(5);
  KUNIT_EXPECT_GT(test, calls, 0);
  KUNIT_EXPECT_EQ(test, x.calls, calls);
}
void tasklet_counts(tasklet_struct* t) {
  Busy* x = from_tasklet(x, t, tasklet);
  WARN_ON(atomic_inc_return(&x->inside) != 1);
  x->calls++;
  arch::yield_point(arch::PreemptPoint::Atomic);
  atomic_dec(&x->inside);
}
int schedules_tasklet(void* p) {
  auto* x = static_cast<Busy*>(p);
  for (int i = 0; i < kRounds; i++) {
    tasklet_schedule(&x->tasklet);
    if (i % 4 == 0) usleep_range(100, 200);
  }
  return 0;
}
void tasklet_never_runs_twice_at_once(kunit* test) {  // spec 33 W-38
  Busy x;
  tasklet_setup(&x.tasklet, tasklet_counts);
  crowd(test, kThreads, schedules_tasklet, &x);
  tasklet_kill(&x.tasklet);
  KUNIT_EXPECT_GT(test, x.calls, 0);
  KUNIT_EXPECT_EQ(test, atomic_read(&x.inside), 0);
}

kunit_case cases[] = {
    KUNIT_CASE(spinlock_excludes),
    KUNIT_CASE(rwlock_excludes),
    KUNIT_CASE(mutex_excludes),
    KUNIT_CASE(mutex_survives_interrupted_waiters),
    KUNIT_CASE(rwsem_excludes),
    KUNIT_CASE(rwsem_survives_interrupted_waiters),
    KUNIT_CASE(seqlock_readers_see_whole_data),
    KUNIT_CASE(every_item_is_consumed),
    KUNIT_CASE(signals_do_not_swallow_wakeups),
    KUNIT_CASE(timeout_against_complete),
    KUNIT_CASE(completed_object_may_be_freed),
    KUNIT_CASE(timer_moved_from_all_sides),
    KUNIT_CASE(hrtimer_started_from_all_sides),
    KUNIT_CASE(tasklet_never_runs_twice_at_once),
    {},
};
kunit_suite suite = {.name = "sync_races", .test_cases = cases, .world = {.cpus = 4, .seeds = 20}};
kunit_test_suite(suite);

}  // namespace
