// Mutexes, rwsems and semaphores: who gets them, in which order, and what ends a wait.
// SPDX-License-Identifier: Apache-2.0
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>

#include "test/sync/threads.hh"

namespace {

struct Shared {
  struct mutex m;
  rw_semaphore rw;
  semaphore sem;
  int order[8];
  int n = 0;
  int inside = 0, most = 0;
  spinlock_t lock;
  struct completion go;

  Shared() {
    mutex_init(&m);
    init_rwsem(&rw);
    sema_init(&sem, 0);
    spin_lock_init(&lock);
    init_completion(&go);
  }
  void note(int who) {
    SpinGuard g(lock);
    order[n] = who;
    smp_store_release(&n, n + 1);
  }
};
struct Role {
  Shared* s;
  int id;
};

int take_mutex(void* p) {
  auto* r = static_cast<Role*>(p);
  mutex_lock(&r->s->m);
  r->s->note(r->id);
  mutex_unlock(&r->s->m);
  return 0;
}
int read_side(void* p) {
  auto* r = static_cast<Role*>(p);
  down_read(&r->s->rw);
  r->s->note(r->id);
  wait_for_completion(&r->s->go);
  up_read(&r->s->rw);
  return 0;
}
int write_side(void* p) {
  auto* r = static_cast<Role*>(p);
  down_write(&r->s->rw);
  r->s->note(r->id);
  up_write(&r->s->rw);
  return 0;
}
int take_unit(void* p) {
  auto* r = static_cast<Role*>(p);
  down(&r->s->sem);
  r->s->note(r->id);
  return 0;
}

void start_in_order(kunit* test, Thread* t, int n, int (*fn)(void*), Role* roles) {
  for (int i = 0; i < n; i++) {
    t[i].start(test, fn, &roles[i]);
    KUNIT_EXPECT_TRUE(test, t[i].wait_asleep());
  }
}

// ---- Mutex ---------------------------------------------------------------------------------------------------------
void mutex_trylock_answers(kunit* test) {  // spec 33 W-43
  Shared s;
  KUNIT_EXPECT_EQ(test, mutex_trylock(&s.m), 1);
  KUNIT_EXPECT_TRUE(test, mutex_is_locked(&s.m));
  KUNIT_EXPECT_EQ(test, mutex_trylock(&s.m), 0);
  mutex_unlock(&s.m);
  KUNIT_EXPECT_FALSE(test, mutex_is_locked(&s.m));
  KUNIT_EXPECT_EQ(test, atomic_long_read(&s.m.owner), 0);
}
void mutex_waiters_are_fifo(kunit* test) {  // spec 33 W-44
  Shared s;
  Role r[4] = {{&s, 0}, {&s, 1}, {&s, 2}, {&s, 3}};
  Thread t[4];
  mutex_lock(&s.m);
  start_in_order(test, t, 4, take_mutex, r);
  KUNIT_EXPECT_EQ(test, smp_load_acquire(&s.n), 0);
  mutex_unlock(&s.m);
  for (auto& x : t) x.join();
  for (int i = 0; i < 4; i++) KUNIT_EXPECT_EQ(test, s.order[i], i);
  KUNIT_EXPECT_EQ(test, atomic_long_read(&s.m.owner), 0);  // no flag is left
}
int wait_interruptibly(void* p) {
  auto* s = static_cast<Shared*>(p);
  int r = mutex_lock_interruptible(&s->m);
  if (!r) mutex_unlock(&s->m);
  return r;
}
void mutex_interrupted(kunit* test) {  // spec 33 W-43: -EINTR, the queue clean
  Shared s;
  mutex_lock(&s.m);
  Thread t;
  t.start(test, wait_interruptibly, &s);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  set_tsk_thread_flag(t.task, TIF_NOTIFY_SIGNAL);
  wake_up_state(t.task, TASK_INTERRUPTIBLE);
  KUNIT_EXPECT_EQ(test, t.join(), -EINTR);
  KUNIT_EXPECT_TRUE(test, list_empty(&s.m.wait_list));
  mutex_unlock(&s.m);
  KUNIT_EXPECT_EQ(test, atomic_long_read(&s.m.owner), 0);
}
void mutex_free_beats_signal(kunit* test) {
  Shared s;
  PendingSignal pending;
  KUNIT_EXPECT_EQ(test, mutex_lock_interruptible(&s.m), 0);
  mutex_unlock(&s.m);
  KUNIT_EXPECT_EQ(test, mutex_lock_killable(&s.m), 0);
  mutex_unlock(&s.m);
}
int hog(void* p) {
  auto* s = static_cast<Shared*>(p);
  int rounds = 0;
  while (!data_race(s->n) && rounds < 100000) {
    mutex_lock(&s->m);
    rounds++;
    if (rounds % 4 == 0) msleep(1);  // the waiter wakes up and finds it taken again
    mutex_unlock(&s->m);
  }
  return rounds;
}
void mutex_hands_off(kunit* test) {  // spec 33 W-43: bounded starvation
  Shared s;
  Role r{&s, 1};
  Thread h, w;
  h.start(test, hog, &s);
  msleep(5);
  w.start(test, take_mutex, &r);
  w.join();
  KUNIT_EXPECT_LT(test, h.join(), 100000);
}

// ---- rwsem ---------------------------------------------------------------------------------------------------------
void rwsem_trylocks(kunit* test) {  // spec 33 W-46
  Shared s;
  KUNIT_EXPECT_EQ(test, down_read_trylock(&s.rw), 1);
  KUNIT_EXPECT_EQ(test, down_read_trylock(&s.rw), 1);
  KUNIT_EXPECT_EQ(test, down_write_trylock(&s.rw), 0);
  up_read(&s.rw);
  up_read(&s.rw);
  KUNIT_EXPECT_EQ(test, down_write_trylock(&s.rw), 1);
  KUNIT_EXPECT_EQ(test, down_read_trylock(&s.rw), 0);
  up_write(&s.rw);
  KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&s.rw));
}
void rwsem_readers_come_together(kunit* test) {  // spec 33 W-46: past the writer between them
  Shared s;
  Role r[4] = {{&s, 0}, {&s, 1}, {&s, 2}, {&s, 3}};
  Thread t[4];
  down_write(&s.rw);
  t[0].start(test, read_side, &r[0]);
  KUNIT_EXPECT_TRUE(test, t[0].wait_asleep());
  t[1].start(test, write_side, &r[1]);
  KUNIT_EXPECT_TRUE(test, t[1].wait_asleep());
  t[2].start(test, read_side, &r[2]);
  KUNIT_EXPECT_TRUE(test, t[2].wait_asleep());
  t[3].start(test, read_side, &r[3]);
  KUNIT_EXPECT_TRUE(test, t[3].wait_asleep());
  up_write(&s.rw);
  EXPECT_SOON(test, smp_load_acquire(&s.n) == 3);  // the readers, all of them, and not the writer
  for (int i = 0; i < 3; i++) KUNIT_EXPECT_NE(test, s.order[i], 1);
  complete_all(&s.go);
  for (auto& x : t) x.join();
  KUNIT_EXPECT_EQ(test, s.order[3], 1);
  KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&s.rw));
}
void rwsem_writer_blocks_new_readers(kunit* test) {  // spec 33 W-46: writers are not starved
  Shared s;
  Role w{&s, 7};
  Thread t;
  down_read(&s.rw);
  t.start(test, write_side, &w);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  KUNIT_EXPECT_EQ(test, down_read_trylock(&s.rw), 0);
  KUNIT_EXPECT_TRUE(test, rwsem_is_contended(&s.rw));
  up_read(&s.rw);
  t.join();
  KUNIT_EXPECT_EQ(test, smp_load_acquire(&s.n), 1);
}
void rwsem_downgrade(kunit* test) {  // spec 33 W-46: keeps it as a reader and lets readers in
  Shared s;
  Role r{&s, 3};
  Thread t;
  down_write(&s.rw);
  t.start(test, read_side, &r);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  downgrade_write(&s.rw);
  EXPECT_SOON(test, smp_load_acquire(&s.n) == 1);
  KUNIT_EXPECT_EQ(test, down_write_trylock(&s.rw), 0);
  complete_all(&s.go);
  t.join();
  up_read(&s.rw);
  KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&s.rw));
}
int read_interruptibly(void* p) {
  auto* s = static_cast<Shared*>(p);
  int r = down_read_interruptible(&s->rw);
  if (!r) up_read(&s->rw);
  return r;
}
void rwsem_interrupted(kunit* test) {  // spec 33 W-46
  Shared s;
  Thread t;
  down_write(&s.rw);
  t.start(test, read_interruptibly, &s);
  KUNIT_EXPECT_TRUE(test, t.wait_asleep());
  set_tsk_thread_flag(t.task, TIF_NOTIFY_SIGNAL);
  wake_up_state(t.task, TASK_INTERRUPTIBLE);
  KUNIT_EXPECT_EQ(test, t.join(), -EINTR);
  up_write(&s.rw);
  KUNIT_EXPECT_FALSE(test, rwsem_is_locked(&s.rw));
}

// ---- Semaphore -------------------------------------------------------------------------------------------------------
void semaphore_trylock_is_inverted(kunit* test) {  // spec 33 W-47
  Shared s;
  KUNIT_EXPECT_EQ(test, down_trylock(&s.sem), 1);
  up(&s.sem);
  KUNIT_EXPECT_EQ(test, down_trylock(&s.sem), 0);
  KUNIT_EXPECT_EQ(test, s.sem.count, 0u);
}
void semaphore_gives_units_in_order(kunit* test) {  // spec 33 W-47: straight to the first waiter
  Shared s;
  Role r[3] = {{&s, 0}, {&s, 1}, {&s, 2}};
  Thread t[3];
  start_in_order(test, t, 3, take_unit, r);
  for (int i = 0; i < 3; i++) {
    up(&s.sem);
    KUNIT_EXPECT_EQ(test, s.sem.count, 0u);
    t[i].join();
  }
  for (int i = 0; i < 3; i++) KUNIT_EXPECT_EQ(test, s.order[i], i);
}
void semaphore_timeout(kunit* test) {  // spec 33 W-47
  Shared s;
  unsigned long before = jiffies;
  KUNIT_EXPECT_EQ(test, down_timeout(&s.sem, 3), -ETIME);
  KUNIT_EXPECT_GE(test, jiffies - before, 3ul);
  up(&s.sem);
  KUNIT_EXPECT_EQ(test, down_timeout(&s.sem, 3), 0);
  PendingSignal pending;
  KUNIT_EXPECT_EQ(test, down_interruptible(&s.sem), -EINTR);
  KUNIT_EXPECT_TRUE(test, list_empty(&s.sem.wait_list));
}

kunit_case cases[] = {
    KUNIT_CASE(mutex_trylock_answers),
    KUNIT_CASE(mutex_waiters_are_fifo),
    KUNIT_CASE(mutex_interrupted),
    KUNIT_CASE(mutex_free_beats_signal),
    KUNIT_CASE(mutex_hands_off),
    KUNIT_CASE(rwsem_trylocks),
    KUNIT_CASE(rwsem_readers_come_together),
    KUNIT_CASE(rwsem_writer_blocks_new_readers),
    KUNIT_CASE(rwsem_downgrade),
    KUNIT_CASE(rwsem_interrupted),
    KUNIT_CASE(semaphore_trylock_is_inverted),
    KUNIT_CASE(semaphore_gives_units_in_order),
    KUNIT_CASE(semaphore_timeout),
    {},
};
kunit_suite suite = {.name = "sleeping_locks", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
