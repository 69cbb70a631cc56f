// The scheduling system calls, argument by argument (spec 30 sections 8 and 9).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <uapi/linux/resource.h>
#include <uapi/linux/sched.h>

#include "arch/hosted/user.hh"

using user::sys;
using user::Var;

namespace {
kunit* the_test;
void run(kunit* test, user::Fn fn) {
  the_test = test;
  KUNIT_EXPECT_EQ(test, user::run_process(fn), 0l);
}
#define PROGRAM(name, ...)                      \
  static void name(kunit* test) {               \
    run(test, [](unsigned long) -> long {       \
      [[maybe_unused]] kunit* test = the_test;  \
      __VA_ARGS__                               \
      return 0;                                 \
    });                                         \
  }
long set(long policy, int priority) {
  Var<sched_param> p(sched_param{priority});
  return sys(__NR_sched_setscheduler, 0, policy, p.addr());
}
long become(unsigned uid) { return sys(__NR_setresuid, uid, uid, uid); }
void limit(int which, unsigned long value) {
  Var<rlimit> r(rlimit{value, value});
  sys(__NR_setrlimit, which, r.addr());
}
}  // namespace

// spec 30 S-64
PROGRAM(yield_returns_zero, { KUNIT_EXPECT_EQ(test, sys(__NR_sched_yield), 0l); })

// spec 30 section 8.3
PROGRAM(setscheduler_arguments, {
  Var<sched_param> zero(sched_param{0});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setscheduler, 0, -1, zero.addr()), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setscheduler, 0, 0, 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setscheduler, -1, 0, zero.addr()), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setscheduler, 0, 0, 8), long{-EFAULT});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setscheduler, 99999, 0, zero.addr()), long{-ESRCH});
  KUNIT_EXPECT_EQ(test, set(4, 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, set(SCHED_FIFO, 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, set(SCHED_FIFO, 100), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, set(SCHED_NORMAL, 1), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, set(SCHED_DEADLINE, 0), long{-EINVAL});
})

// spec 30 section 1.1: the flag is reported with the policy
PROGRAM(policies_are_reported, {
  Var<sched_param> p;
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getscheduler, 0), 0l);
  KUNIT_EXPECT_EQ(test, set(SCHED_RR | SCHED_RESET_ON_FORK, 7), 0l);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getscheduler, 0), long{SCHED_RR | SCHED_RESET_ON_FORK});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getparam, 0, p.addr()), 0l);
  KUNIT_EXPECT_EQ(test, p.get().sched_priority, 7);
  KUNIT_EXPECT_EQ(test, set(SCHED_BATCH, 0), 0l);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getscheduler, 0), long{SCHED_BATCH});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getscheduler, -1), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getscheduler, 99999), long{-ESRCH});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getparam, 0, 0), long{-EINVAL});
})

// spec 30 section 8.3
PROGRAM(priority_ranges, {
  for (long policy = 1; policy <= 2; policy++) {
    KUNIT_EXPECT_EQ(test, sys(__NR_sched_get_priority_max, policy), 99l);
    KUNIT_EXPECT_EQ(test, sys(__NR_sched_get_priority_min, policy), 1l);
  }
  for (long policy = 0; policy <= 6; policy++) {
    if (policy == 1 || policy == 2 || policy == 4) continue;
    KUNIT_EXPECT_EQ(test, sys(__NR_sched_get_priority_max, policy), 0l);
    KUNIT_EXPECT_EQ(test, sys(__NR_sched_get_priority_min, policy), 0l);
  }
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_get_priority_max, 4), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_get_priority_min, -1), long{-EINVAL});
})

// spec 32 R-7
PROGRAM(round_robin_interval, {
  Var<__kernel_timespec> ts;
  set(SCHED_RR, 5);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_rr_get_interval, 0, ts.addr()), 0l);
  KUNIT_EXPECT_EQ(test, ts.get().tv_nsec, 100000000ll);
  set(SCHED_FIFO, 5);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_rr_get_interval, 0, ts.addr()), 0l);
  KUNIT_EXPECT_EQ(test, ts.get().tv_nsec, 0ll);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_rr_get_interval, -1, ts.addr()), long{-EINVAL});
})

// spec 30 S-59
PROGRAM(realtime_limit, {
  limit(RLIMIT_RTPRIO, 10);
  become(1000);
  KUNIT_EXPECT_EQ(test, set(SCHED_FIFO, 11), long{-EPERM});
  KUNIT_EXPECT_EQ(test, set(SCHED_FIFO, 10), 0l);
  KUNIT_EXPECT_EQ(test, set(SCHED_NORMAL, 0), 0l);
})
PROGRAM(a_realtime_task_may_lower_itself, {
  set(SCHED_FIFO, 20);
  limit(RLIMIT_RTPRIO, 10);
  become(1000);
  KUNIT_EXPECT_EQ(test, set(SCHED_FIFO, 21), long{-EPERM});
  KUNIT_EXPECT_EQ(test, set(SCHED_FIFO, 15), 0l);
})
PROGRAM(without_a_limit_the_policy_may_only_be_left, {
  set(SCHED_RR, 5);
  limit(RLIMIT_RTPRIO, 0);
  become(1000);
  KUNIT_EXPECT_EQ(test, set(SCHED_FIFO, 5), long{-EPERM});
  KUNIT_EXPECT_EQ(test, set(SCHED_RR, 3), 0l);
  KUNIT_EXPECT_EQ(test, set(SCHED_NORMAL, 0), 0l);
})
PROGRAM(reset_on_fork_cannot_be_cleared, {
  set(SCHED_RESET_ON_FORK, 0);
  become(1000);
  KUNIT_EXPECT_EQ(test, set(SCHED_NORMAL, 0), long{-EPERM});
  KUNIT_EXPECT_EQ(test, set(SCHED_RESET_ON_FORK, 0), 0l);
})

// spec 30 S-53
static long report_policy(unsigned long) { return sys(__NR_sched_getscheduler, 0) + 10 * (20 - sys(__NR_getpriority, 0, 0)); }
PROGRAM(fork_resets_when_asked, {
  set(SCHED_FIFO | SCHED_RESET_ON_FORK, 9);
  Var<int> status;
  long child = user::fork(report_policy);
  KUNIT_EXPECT_EQ(test, sys(__NR_wait4, child, status.addr(), 0, 0), child);
  KUNIT_EXPECT_EQ(test, status.get() >> 8, 0);
})
PROGRAM(fork_inherits_otherwise, {
  sys(__NR_setpriority, 0, 0, 4);
  set(SCHED_BATCH, 0);
  Var<int> status;
  long child = user::fork(report_policy);
  KUNIT_EXPECT_EQ(test, sys(__NR_wait4, child, status.addr(), 0, 0), child);
  KUNIT_EXPECT_EQ(test, status.get() >> 8, 43);
})

// spec 30 S-60
PROGRAM(nice_limit, {
  limit(RLIMIT_NICE, 25);
  become(1000);
  KUNIT_EXPECT_EQ(test, sys(__NR_setpriority, 0, 0, -5), 0l);
  KUNIT_EXPECT_EQ(test, sys(__NR_setpriority, 0, 0, -6), long{-EACCES});
  KUNIT_EXPECT_EQ(test, sys(__NR_getpriority, 0, 0), 25l);
})

// spec 30 S-61, S-62
PROGRAM(setpriority_arguments, {
  KUNIT_EXPECT_EQ(test, sys(__NR_setpriority, 3, 0, 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_setpriority, -1, 0, 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_setpriority, 0, 99999, 0), long{-ESRCH});
  KUNIT_EXPECT_EQ(test, sys(__NR_getpriority, 3, 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_getpriority, 2, 4242), long{-ESRCH});
  KUNIT_EXPECT_EQ(test, sys(__NR_setpriority, 1, 0, 3), 0l);
  KUNIT_EXPECT_EQ(test, sys(__NR_getpriority, 1, 0), 17l);
})
PROGRAM(others_need_the_capability, {
  become(1000);
  KUNIT_EXPECT_EQ(test, sys(__NR_setpriority, 0, 1, 5), long{-EPERM});
})

// spec 30 S-66, S-67
PROGRAM(affinity_arguments, {
  Var<unsigned long> mask;
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getaffinity, 0, 8, mask.addr()), 8l);
  unsigned long all = mask.get();
  KUNIT_EXPECT_NE(test, all, 0ul);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getaffinity, 0, 128, mask.addr()), 8l);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getaffinity, 0, 7, mask.addr()), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getaffinity, 0, 0, mask.addr()), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getaffinity, 99999, 8, mask.addr()), long{-ESRCH});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getaffinity, 0, 8, 8), long{-EFAULT});
  mask.set(0);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setaffinity, 0, 8, mask.addr()), long{-EINVAL});
  mask.set(1);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setaffinity, 0, 1, mask.addr()), 0l);  // zero-extended
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getaffinity, 0, 8, mask.addr()), 8l);
  KUNIT_EXPECT_EQ(test, mask.get(), 1ul);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setaffinity, 99999, 8, mask.addr()), long{-ESRCH});
})
PROGRAM(affinity_of_others_needs_the_capability, {
  Var<unsigned long> mask(1ul);
  become(1000);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setaffinity, 1, 8, mask.addr()), long{-EPERM});
})

// spec 30 section 8.3
PROGRAM(attr_sizes, {
  Var<sched_attr> attr(sched_attr{.size = 48, .sched_policy = SCHED_BATCH, .sched_nice = 25});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setattr, 0, attr.addr(), 0), 0l);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getattr, 0, attr.addr(), 56, 0), 0l);
  KUNIT_EXPECT_EQ(test, attr.get().size, 56u);
  KUNIT_EXPECT_EQ(test, attr.get().sched_policy, unsigned{SCHED_BATCH});
  KUNIT_EXPECT_EQ(test, attr.get().sched_nice, 19);  // clamped
  attr.set(sched_attr{.size = 47});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setattr, 0, attr.addr(), 0), long{-E2BIG});
  KUNIT_EXPECT_EQ(test, attr.get().size, 56u);
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setattr, 0, attr.addr(), 1), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_getattr, 0, attr.addr(), 47, 0), long{-EINVAL});
  attr.set(sched_attr{.size = 56, .sched_flags = 0x80});
  KUNIT_EXPECT_EQ(test, sys(__NR_sched_setattr, 0, attr.addr(), 0), long{-EINVAL});
})

static kunit_case cases[] = {
    KUNIT_CASE(yield_returns_zero),
    KUNIT_CASE(setscheduler_arguments),
    KUNIT_CASE(policies_are_reported),
    KUNIT_CASE(priority_ranges),
    KUNIT_CASE(round_robin_interval),
    KUNIT_CASE(realtime_limit),
    KUNIT_CASE(a_realtime_task_may_lower_itself),
    KUNIT_CASE(without_a_limit_the_policy_may_only_be_left),
    KUNIT_CASE(reset_on_fork_cannot_be_cleared),
    KUNIT_CASE(fork_resets_when_asked),
    KUNIT_CASE(fork_inherits_otherwise),
    KUNIT_CASE(nice_limit),
    KUNIT_CASE(setpriority_arguments),
    KUNIT_CASE(others_need_the_capability),
    KUNIT_CASE(affinity_arguments),
    KUNIT_CASE(affinity_of_others_needs_the_capability),
    KUNIT_CASE(attr_sizes),
    {},
};
static kunit_suite suite = {.name = "sched_syscalls", .test_cases = cases};
kunit_test_suite(suite);
