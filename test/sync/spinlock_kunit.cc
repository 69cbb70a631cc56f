// Spin locks, reader-writer locks, sequence locks and the preemption count on one CPU.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/interrupt.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>

#include "kernel/sync/guards.hh"
#include "kernel/task/task.hh"

namespace {

// spec 33 W-41, the table: preempt_count while held, in units of bits.
void counts_while_held(kunit* test) {
  spinlock_t l;
  spin_lock_init(&l);
  KUNIT_EXPECT_EQ(test, preempt_count(), 0);
  spin_lock(&l);
  int plain = preempt_count();
  spin_unlock(&l);
  spin_lock_bh(&l);
  int bh = preempt_count();
  spin_unlock_bh(&l);
  spin_lock_irq(&l);
  int irq = preempt_count();
  bool off = irqs_disabled();
  spin_unlock_irq(&l);
  unsigned long flags;
  spin_lock_irqsave(&l, flags);
  int save = preempt_count();
  spin_unlock_irqrestore(&l, flags);
  KUNIT_EXPECT_EQ(test, plain, 0x1);
  KUNIT_EXPECT_EQ(test, bh, 0x201);
  KUNIT_EXPECT_EQ(test, irq, 0x1);
  KUNIT_EXPECT_TRUE(test, off);
  KUNIT_EXPECT_EQ(test, save, 0x1);
  KUNIT_EXPECT_EQ(test, preempt_count(), 0);
  KUNIT_EXPECT_FALSE(test, irqs_disabled());
}

// spec 33 W-39: irqrestore gives back what was, the irq form turns interrupts on.
void irqsave_restores(kunit* test) {
  spinlock_t l;
  spin_lock_init(&l);
  unsigned long flags;
  local_irq_disable();
  spin_lock_irqsave(&l, flags);
  spin_unlock_irqrestore(&l, flags);
  bool still_off = irqs_disabled();
  spin_lock_irq(&l);
  spin_unlock_irq(&l);
  bool on = !irqs_disabled();
  local_irq_enable();
  KUNIT_EXPECT_TRUE(test, still_off);
  KUNIT_EXPECT_TRUE(test, on);
}

// spec 33 W-41: trylock answers 1 with preemption off, or 0 with everything as it was.
void trylock(kunit* test) {
  spinlock_t l;
  spin_lock_init(&l);
  int first = spin_trylock(&l);
  int held = preempt_count();
  int second = spin_trylock(&l);
  int after_failure = preempt_count();
  unsigned long flags;
  int third = spin_trylock_irqsave(&l, flags);
  bool on = !irqs_disabled();
  bool locked = spin_is_locked(&l);
  spin_unlock(&l);
  KUNIT_EXPECT_EQ(test, first, 1);
  KUNIT_EXPECT_EQ(test, held, 1);
  KUNIT_EXPECT_EQ(test, second, 0);
  KUNIT_EXPECT_EQ(test, after_failure, 1);
  KUNIT_EXPECT_EQ(test, third, 0);
  KUNIT_EXPECT_TRUE(test, on);
  KUNIT_EXPECT_TRUE(test, locked);
  KUNIT_EXPECT_FALSE(test, spin_is_locked(&l));
  KUNIT_EXPECT_EQ(test, l.val, 0u);
}

// spec 33 section 8: many readers or one writer.
void rwlock_sides(kunit* test) {
  rwlock_t l;
  rwlock_init(&l);
  read_lock(&l);
  int second_reader = read_trylock(&l), writer = write_trylock(&l);
  if (second_reader) read_unlock(&l);
  read_unlock(&l);
  write_lock(&l);
  int reader = read_trylock(&l), second_writer = write_trylock(&l);
  int count = preempt_count();
  write_unlock(&l);
  KUNIT_EXPECT_EQ(test, second_reader, 1);
  KUNIT_EXPECT_EQ(test, writer, 0);
  KUNIT_EXPECT_EQ(test, reader, 0);
  KUNIT_EXPECT_EQ(test, second_writer, 0);
  KUNIT_EXPECT_EQ(test, count, 1);
  KUNIT_EXPECT_EQ(test, l.cnts, 0u);
  KUNIT_EXPECT_EQ(test, preempt_count(), 0);
}

// spec 33 W-49: a reader that saw a change in between has to go again.
void seqcount_retries(kunit* test) {
  seqlock_t s;
  seqlock_init(&s);
  unsigned v = read_seqbegin(&s);
  KUNIT_EXPECT_FALSE(test, read_seqretry(&s, v));
  write_seqlock(&s);
  unsigned odd = s.seqcount.sequence;
  write_sequnlock(&s);
  KUNIT_EXPECT_EQ(test, odd & 1, 1u);
  KUNIT_EXPECT_TRUE(test, read_seqretry(&s, v));
  v = read_seqbegin(&s);
  KUNIT_EXPECT_EQ(test, v, 2u);
  KUNIT_EXPECT_FALSE(test, read_seqretry(&s, v));
}

// spec 10 E-27: what the bits say.
void context_bits(kunit* test) {
  KUNIT_EXPECT_TRUE(test, in_task() && !in_interrupt() && !in_atomic());
  local_bh_disable();
  int bh = preempt_count();
  bool soft = in_softirq(), serving = in_serving_softirq(), interrupt = in_interrupt();
  local_bh_enable();
  KUNIT_EXPECT_EQ(test, bh, 0x200);
  KUNIT_EXPECT_TRUE(test, soft);
  KUNIT_EXPECT_FALSE(test, serving);
  KUNIT_EXPECT_TRUE(test, interrupt);
  rcu_read_lock();
  bool atomic = in_atomic();
  rcu_read_unlock();
  KUNIT_EXPECT_TRUE(test, atomic);
}

// spec 33 W-39: a guard ends early, and only once.
void guards(kunit* test) {
  spinlock_t l;
  spin_lock_init(&l);
  {
    SpinGuard g(l);
    KUNIT_EXPECT_TRUE(test, spin_is_locked(&l));
    g.unlock();
    KUNIT_EXPECT_FALSE(test, spin_is_locked(&l));
  }
  {
    IrqSpinGuard g(&l);
    KUNIT_EXPECT_TRUE(test, irqs_disabled());
  }
  KUNIT_EXPECT_FALSE(test, irqs_disabled());
  KUNIT_EXPECT_EQ(test, preempt_count(), 0);
}

kunit_case cases[] = {
    KUNIT_CASE(counts_while_held), KUNIT_CASE(irqsave_restores), KUNIT_CASE(trylock),      KUNIT_CASE(rwlock_sides),
    KUNIT_CASE(seqcount_retries),  KUNIT_CASE(context_bits),     KUNIT_CASE(guards),       {},
};
kunit_suite suite = {.name = "spinlock", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
