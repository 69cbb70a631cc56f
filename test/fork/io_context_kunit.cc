// I/O priorities: who may set what, and what children get. Answers recorded on a real 6.1 unless a requirement is named.
// SPDX-License-Identifier: Apache-2.0
#include "test/fork/helpers.hh"

#include "kernel/entry/syscall.hh"
#include "kernel/task/io_context.hh"

extern "C" long sys_ioprio_set(const pt_regs*);
extern "C" long sys_ioprio_get(const pt_regs*);

namespace {

long ioprio_set(int which, int who, int ioprio) {
  pt_regs regs = {};
  regs.di = static_cast<unsigned long>(which), regs.si = static_cast<unsigned long>(who);
  regs.dx = static_cast<unsigned long>(ioprio);
  return sys_ioprio_set(&regs);
}
long ioprio_get(int which, int who) {
  pt_regs regs = {};
  regs.di = static_cast<unsigned long>(which), regs.si = static_cast<unsigned long>(who);
  return sys_ioprio_get(&regs);
}
constexpr int kBe = 2 << 13, kRt = 1 << 13, kIdle = 3 << 13;

void classes_and_levels(kunit* test) {
  KUNIT_EXPECT_EQ(test, ioprio_get(1, 0), 0l);  // never set: class NONE, whatever the nice value
  KUNIT_EXPECT_EQ(test, ioprio_set(1, 0, kBe | 5), 0l);
  KUNIT_EXPECT_EQ(test, ioprio_get(1, 0), long{kBe | 5});
  KUNIT_EXPECT_EQ(test, ioprio_set(1, 0, kRt | 9), 0l);
  KUNIT_EXPECT_EQ(test, ioprio_get(1, 0), long{kRt | 9});
  KUNIT_EXPECT_EQ(test, ioprio_set(1, 0, kIdle | 7), 0l);
  KUNIT_EXPECT_EQ(test, ioprio_set(1, 0, 1), long{-EINVAL});  // class NONE has no levels
  KUNIT_EXPECT_EQ(test, ioprio_set(1, 0, 8), 0l);             // ...as far as three bits tell
  KUNIT_EXPECT_EQ(test, ioprio_get(1, 0), 8l);
  for (int cls = 4; cls < 8; cls++) KUNIT_EXPECT_EQ(test, ioprio_set(1, 0, cls << 13), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, ioprio_set(1, 0, -1), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, ioprio_set(1, 0, 0x10000), 0l);  // 16 bits are kept
  KUNIT_EXPECT_EQ(test, ioprio_get(1, 0), 0l);
}

void whom(kunit* test) {
  for (int which : {0, 4, -1}) {
    KUNIT_EXPECT_EQ(test, ioprio_set(which, 0, kBe), long{-EINVAL});
    KUNIT_EXPECT_EQ(test, ioprio_get(which, 0), long{-EINVAL});
  }
  for (int which : {1, 2}) {
    KUNIT_EXPECT_EQ(test, ioprio_set(which, 29999, kBe), long{-ESRCH});
    KUNIT_EXPECT_EQ(test, ioprio_get(which, 29999), long{-ESRCH});
  }
  KUNIT_EXPECT_EQ(test, ioprio_get(3, 777), long{-ESRCH});
  KUNIT_EXPECT_EQ(test, ioprio_set(0, 0, 7 << 13), long{-EINVAL});
}

struct Seen {
  long ioprio;
  io_context* context;
  int set_to;
};
int reports_ioprio(void* p) {
  auto* s = static_cast<Seen*>(p);
  *s = {ioprio_get(1, 0), current->io_context, s->set_to};
  if (s->set_to) ioprio_set(1, 0, s->set_to);
  return 0;
}

// spec 20 section 12.7, stage S21
void children_copy_or_share(kunit* test) {
  Seen s{};
  wait_for(spawn(reports_ioprio, &s));
  KUNIT_EXPECT_NULL(test, s.context);  // nothing to copy
  ioprio_set(1, 0, kBe | 6);
  s.set_to = kBe | 1;
  wait_for(spawn(reports_ioprio, &s));
  KUNIT_EXPECT_EQ(test, s.ioprio, long{kBe | 6});
  KUNIT_EXPECT_PTR_NE(test, s.context, current->io_context);
  KUNIT_EXPECT_EQ(test, ioprio_get(1, 0), long{kBe | 6});
  wait_for(spawn(reports_ioprio, &s, CLONE_IO | SIGCHLD));
  KUNIT_EXPECT_PTR_EQ(test, s.context, current->io_context);
  KUNIT_EXPECT_EQ(test, ioprio_get(1, 0), long{kBe | 1});
  ioprio_set(1, 0, 0);
  s = {};
  wait_for(spawn(reports_ioprio, &s));
  KUNIT_EXPECT_NULL(test, s.context);  // class NONE is not worth a context
}

// The best of a group; what was never set counts as its nice value says.
void the_best_of_many(kunit* test) {
  ioprio_set(1, 0, kRt | 3);
  KUNIT_EXPECT_EQ(test, ioprio_get(2, 0), long{kRt | 3});
  KUNIT_EXPECT_EQ(test, ioprio_get(3, 0), long{kRt | 3});
  ioprio_set(1, 0, 0);
  KUNIT_EXPECT_GE(test, ioprio_get(2, 0), long{kRt});
}

kunit_case cases[] = {
    KUNIT_CASE(classes_and_levels), KUNIT_CASE(whom), KUNIT_CASE(children_copy_or_share), KUNIT_CASE(the_best_of_many), {},
};
kunit_suite suite = {.name = "io_context", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
