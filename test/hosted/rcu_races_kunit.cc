// RCU readers against grace periods on four CPUs, many interleavings each (spec 33 W-50).
// SPDX-License-Identifier: Apache-2.0
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/timer.h>

#include "test/sync/threads.hh"

namespace {

struct Node {
  int value, twin;  // equal until the node is given back
  rcu_head rcu;
};
struct Shared {
  Node* node = nullptr;
  bool stop = false;
  atomic_t phase{0}, returned{0};
};

Node* make_node(int value) {
  auto* n = static_cast<Node*>(kmalloc(sizeof(Node), GFP_KERNEL));
  if (n) *n = {value, value, {}};
  return n;
}
void spoil_and_free(rcu_head* h) {
  Node* n = container_of(h, Node, rcu);
  n->twin = ~n->value;  // plain on purpose: a reader that is still there is a race, and sees it
  kfree(n);
}

int reads(void* p) {
  auto* s = static_cast<Shared*>(p);
  int bad = 0;
  while (!READ_ONCE(s->stop)) {
    {
      RcuReadGuard rcu;
      const Node* n = rcu_dereference(s->node);
      const int v = n->value;
      arch::yield_point(arch::PreemptPoint::Atomic);
      bad += n->twin != v;
    }
    usleep_range(50, 100);
  }
  return bad;
}
void replace(Shared* s, kunit* test, int i, void (*give_back)(Node*)) {
  Node* fresh = make_node(i);
  KUNIT_ASSERT_NOT_NULL(test, fresh);
  Node* old = s->node;
  rcu_assign_pointer(s->node, fresh);
  give_back(old);
}
void by_callback(Node* n) { call_rcu(&n->rcu, spoil_and_free); }
void by_waiting(Node* n) {
  synchronize_rcu();
  spoil_and_free(&n->rcu);
}
void readers_keep_what_they_see(kunit* test, int rounds, void (*give_back)(Node*)) {
  Shared s;
  s.node = make_node(0);
  KUNIT_ASSERT_NOT_NULL(test, s.node);
  Thread t[3];
  for (Thread& r : t) r.start(test, reads, &s);
  for (int i = 1; i <= rounds; i++) {
    replace(&s, test, i, give_back);
    usleep_range(300, 900);
  }
  WRITE_ONCE(s.stop, true);
  int bad = 0;
  for (Thread& r : t) bad += r.join();
  KUNIT_EXPECT_EQ(test, bad, 0);
  rcu_barrier();
  kfree(s.node);
}
void callbacks_wait_for_readers(kunit* test) { readers_keep_what_they_see(test, 40, by_callback); }
void synchronize_waits_for_readers(kunit* test) { readers_keep_what_they_see(test, 6, by_waiting); }

int long_reader(void* p) {
  auto* s = static_cast<Shared*>(p);
  rcu_read_lock();
  atomic_set(&s->phase, 1);
  const unsigned long until = jiffies + 10;
  while (time_before(jiffies, until)) arch::cpu_relax();
  const int early = atomic_read(&s->returned);
  rcu_read_unlock();
  return early;
}
void a_long_reader_holds_it_up(kunit* test) {  // W-50: returns after all readers that were there have ended
  Shared s;
  Thread t;
  t.start(test, long_reader, &s);
  while (!atomic_read(&s.phase)) usleep_range(20, 40);
  synchronize_rcu();
  atomic_set(&s.returned, 1);
  KUNIT_EXPECT_EQ(test, t.join(), 0);
}

struct Counted {
  rcu_head head;
  atomic_t* count;
};
void count_down(rcu_head* h) { atomic_inc(container_of(h, Counted, head)->count); }
struct Barrier {
  Counted c[4][20];
  atomic_t ran{0}, queue{0}, missing{0};
};
int queues_and_waits(void* p) {
  auto* b = static_cast<Barrier*>(p);
  const int me = atomic_inc_return(&b->queue) - 1;
  for (Counted& c : b->c[me]) {
    c.count = &b->ran;
    call_rcu(&c.head, count_down);
  }
  const int before = atomic_read(&b->ran);
  rcu_barrier();
  return before < 0;
}
void barriers_from_all_sides(kunit* test) {  // W-50: waits for all callbacks queued before
  auto* b = static_cast<Barrier*>(kzalloc(sizeof(Barrier), GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, b);
  Thread t[4];
  for (Thread& x : t) x.start(test, queues_and_waits, b);
  for (Thread& x : t) x.join();
  KUNIT_EXPECT_EQ(test, atomic_read(&b->ran), 80);
  kfree(b);
}

struct Sleepable {
  srcu_struct srcu;
  Node* node = nullptr;
  bool stop = false;
};
int sleeping_reader(void* p) {
  auto* s = static_cast<Sleepable*>(p);
  int bad = 0;
  while (!READ_ONCE(s->stop)) {
    int idx = srcu_read_lock(&s->srcu);
    const Node* n = srcu_dereference(s->node, &s->srcu);
    const int v = n->value;
    usleep_range(100, 300);
    bad += n->twin != v;
    srcu_read_unlock(&s->srcu, idx);
    usleep_range(20, 50);
  }
  return bad;
}
void srcu_waits_for_sleeping_readers(kunit* test) {  // spec 33 section 8, SRCU row
  Sleepable s;
  init_srcu_struct(&s.srcu);
  s.node = make_node(0);
  KUNIT_ASSERT_NOT_NULL(test, s.node);
  Thread t[3];
  for (Thread& r : t) r.start(test, sleeping_reader, &s);
  for (int i = 1; i <= 6; i++) {
    Node* fresh = make_node(i);
    KUNIT_ASSERT_NOT_NULL(test, fresh);
    Node* old = s.node;
    rcu_assign_pointer(s.node, fresh);
    synchronize_srcu(&s.srcu);
    spoil_and_free(&old->rcu);
  }
  WRITE_ONCE(s.stop, true);
  int bad = 0;
  for (Thread& r : t) bad += r.join();
  KUNIT_EXPECT_EQ(test, bad, 0);
  cleanup_srcu_struct(&s.srcu);
  kfree(s.node);
}

kunit_case cases[] = {
    KUNIT_CASE(srcu_waits_for_sleeping_readers),
    KUNIT_CASE(callbacks_wait_for_readers), KUNIT_CASE(synchronize_waits_for_readers),
    KUNIT_CASE(a_long_reader_holds_it_up),  KUNIT_CASE(barriers_from_all_sides),
    {},
};
kunit_suite suite = {.name = "rcu_races", .test_cases = cases, .world = {.cpus = 4, .seeds = 20}};
kunit_test_suite(suite);

}  // namespace
