// Numbers of processes. Spec 20 section 7.
// SPDX-License-Identifier: Apache-2.0
#include "test/fork/helpers.hh"

#include <linux/slab.h>

#include "kernel/pid/pid_namespace.hh"

namespace {

struct Table {
  PidTable* t;
  Table() : t(static_cast<PidTable*>(kzalloc(sizeof(PidTable), GFP_KERNEL))) {}
  ~Table() {
    t->destroy();
    kfree(t);
  }
  // Reserves the first number in [low, high), making leaves as needed.
  int reserve(int low, int high) {
    int nr;
    while ((nr = t->reserve_in(low, high)) == -ENOMEM)
      if (!t->grow(low)) return -ENOMEM;
    return nr;
  }
};
struct pid* const kSomePid = reinterpret_cast<struct pid*>(0x1000);

void table_gives_the_first_free(kunit* test) {
  Table table;
  KUNIT_EXPECT_EQ(test, table.t->reserve_in(1, 100), -ENOMEM);  // no leaf yet
  KUNIT_EXPECT_EQ(test, table.reserve(1, 100), 1);
  KUNIT_EXPECT_EQ(test, table.reserve(1, 100), 2);
  table.t->release(1);
  KUNIT_EXPECT_EQ(test, table.reserve(1, 100), 1);
  KUNIT_EXPECT_EQ(test, table.reserve(1, 3), -EAGAIN);
}

void reserved_is_not_found(kunit* test) {  // T-24
  Table table;
  KUNIT_ASSERT_EQ(test, table.reserve(5, 6), 5);
  KUNIT_EXPECT_NULL(test, table.t->find(5));
  KUNIT_EXPECT_NULL(test, table.t->find_ge(1, 100));
  table.t->publish(5, kSomePid);
  KUNIT_EXPECT_PTR_EQ(test, table.t->find(5), kSomePid);
  KUNIT_EXPECT_PTR_EQ(test, table.t->find_ge(1, 100), kSomePid);
  KUNIT_EXPECT_NULL(test, table.t->find_ge(6, 100));
  table.t->release(5);
  KUNIT_EXPECT_NULL(test, table.t->find(5));
}

void full_leaves_are_skipped(kunit* test) {
  Table table;
  for (int i = 1; i < 2 * 512; i++) KUNIT_ASSERT_EQ(test, table.reserve(i, i + 1), i);
  KUNIT_ASSERT_TRUE(test, table.t->grow(1024));
  KUNIT_EXPECT_EQ(test, table.t->reserve_in(1, 2000), 1024);  // 0 is never asked for, so the first leaf has one hole
}

void far_numbers(kunit* test) {
  Table table;
  const int far = kPidMaxLimit - 1;
  KUNIT_EXPECT_EQ(test, table.reserve(far, far + 1), far);
  table.t->publish(far, kSomePid);
  KUNIT_EXPECT_PTR_EQ(test, table.t->find(far), kSomePid);
  KUNIT_EXPECT_PTR_EQ(test, table.t->find_ge(1, kPidMaxLimit), kSomePid);
  KUNIT_EXPECT_NULL(test, table.t->find(kPidMaxLimit));
  KUNIT_EXPECT_NULL(test, table.t->find(0));
  KUNIT_EXPECT_NULL(test, table.t->find(-1));
}

// Who else lives in this world has numbers, too: the first at or above nr that nobody has.
int first_free(int nr) {
  RcuReadGuard rcu;
  while (find_pid_ns(nr, &init_pid_ns)) nr++;
  return nr;
}

// T-21: once past 300, numbering restarts there and not at 1.
void numbering_wraps(kunit* test) {
  const int max_before = pid_max, last_before = init_pid_ns.last;
  const int last = first_free(kReservedPids + 100), first = first_free(kReservedPids), second = first_free(first + 1);
  pid_max = last + 1;
  init_pid_ns.last = last - 1;
  struct pid* held[3];
  for (auto& p : held) {
    auto r = alloc_pid(&init_pid_ns, nullptr, 0);
    KUNIT_ASSERT_TRUE(test, r.has_value());
    p = *r;
  }
  KUNIT_EXPECT_EQ(test, held[0]->numbers[0].nr, last);
  KUNIT_EXPECT_EQ(test, held[1]->numbers[0].nr, first);
  KUNIT_EXPECT_EQ(test, held[2]->numbers[0].nr, second);
  for (auto* p : held) free_pid(p);
  pid_max = max_before;
  init_pid_ns.last = last_before;
}

void exhausted(kunit* test) {  // T-23
  const int max_before = pid_max, last_before = init_pid_ns.last;
  const int first = first_free(kReservedPids);
  pid_max = first_free(first + 1) + 1;
  init_pid_ns.last = first;
  auto a = alloc_pid(&init_pid_ns, nullptr, 0), b = alloc_pid(&init_pid_ns, nullptr, 0), c = alloc_pid(&init_pid_ns, nullptr, 0);
  KUNIT_EXPECT_TRUE(test, a && b);
  KUNIT_EXPECT_TRUE(test, !c && c.error() == Errno(EAGAIN));
  if (a) free_pid(*a);
  if (b) free_pid(*b);
  pid_max = max_before;
  init_pid_ns.last = last_before;
}

void chosen_numbers(kunit* test) {  // F-66..F-70
  const int tid = 12345, zero = 0, huge = pid_max;
  auto p = alloc_pid(&init_pid_ns, &tid, 1);
  KUNIT_ASSERT_TRUE(test, p.has_value());
  KUNIT_EXPECT_EQ(test, (*p)->numbers[0].nr, tid);
  KUNIT_EXPECT_TRUE(test, alloc_pid(&init_pid_ns, &tid, 1).error() == Errno(EEXIST));
  KUNIT_EXPECT_TRUE(test, alloc_pid(&init_pid_ns, &zero, 1).error() == Errno(EINVAL));
  KUNIT_EXPECT_TRUE(test, alloc_pid(&init_pid_ns, &huge, 1).error() == Errno(EINVAL));
  KUNIT_EXPECT_TRUE(test, alloc_pid(&init_pid_ns, &tid, 2).error() == Errno(EINVAL));
  free_pid(*p);
}

void a_dying_namespace_gives_none(kunit* test) {  // T-24, X-22
  init_pid_ns.pid_allocated &= ~kPidAdding;
  auto p = alloc_pid(&init_pid_ns, nullptr, 0);
  init_pid_ns.pid_allocated |= kPidAdding;
  KUNIT_EXPECT_TRUE(test, !p && p.error() == Errno(ENOMEM));
}

// T-29, T-30: a held struct pid outlives its process and never leads to another.
void a_dead_pid_leads_nowhere(kunit* test) {
  pid_t nr = spawn(obey_signals);
  struct pid* pid = find_get_pid(nr);
  KUNIT_ASSERT_NOT_NULL(test, pid);
  {
    RcuReadGuard rcu;
    KUNIT_EXPECT_NOT_NULL(test, pid_task(pid, PIDTYPE_PID));
    KUNIT_EXPECT_NOT_NULL(test, pid_task(pid, PIDTYPE_TGID));
    KUNIT_EXPECT_NULL(test, pid_task(pid, PIDTYPE_SID));
  }
  end(test, nr);
  {
    RcuReadGuard rcu;
    KUNIT_EXPECT_NULL(test, pid_task(pid, PIDTYPE_PID));
    KUNIT_EXPECT_NULL(test, find_vpid(nr));
  }
  KUNIT_EXPECT_EQ(test, pid->numbers[0].nr, nr);
  put_pid(pid);
}

// T-20.
void numbers_by_namespace(kunit* test) {
  pid_namespace other{};
  KUNIT_EXPECT_EQ(test, pid_nr_ns(task_pid(current), &init_pid_ns), current->pid);
  KUNIT_EXPECT_EQ(test, pid_nr_ns(task_pid(current), &other), 0);
  KUNIT_EXPECT_EQ(test, pid_nr_ns(nullptr, &init_pid_ns), 0);
  KUNIT_EXPECT_EQ(test, task_pid_vnr(current), current->pid);
  KUNIT_EXPECT_EQ(test, task_tgid_vnr(current), current->tgid);
}

void default_limit(kunit* test) {  // T-22
  KUNIT_EXPECT_GE(test, pid_max, kPidMaxDefault);
  KUNIT_EXPECT_GE(test, pid_max, static_cast<int>(1024 * num_possible_cpus()));
}

kunit_case cases[] = {
    KUNIT_CASE(table_gives_the_first_free), KUNIT_CASE(reserved_is_not_found), KUNIT_CASE(full_leaves_are_skipped),
    KUNIT_CASE(far_numbers), KUNIT_CASE(numbering_wraps), KUNIT_CASE(exhausted), KUNIT_CASE(chosen_numbers),
    KUNIT_CASE(a_dying_namespace_gives_none), KUNIT_CASE(a_dead_pid_leads_nowhere), KUNIT_CASE(numbers_by_namespace),
    KUNIT_CASE(default_limit), {},
};
kunit_suite suite = {.name = "pids", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
