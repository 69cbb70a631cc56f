// Policies and priorities: sched_setscheduler and its kin, who may do what, what a fork and an exec keep.
// SPDX-License-Identifier: Apache-2.0
#include "test/guest/sched.hh"

#include <sys/prctl.h>

using namespace guest;

namespace {

// spec 30 8.3 | sched_get_priority_max; sched_get_priority_min
TEST(Sched, PriorityRanges) {
  for (int policy : {SCHED_FIFO, SCHED_RR}) {
    EXPECT_EQ(99, sys(SYS_sched_get_priority_max, policy));
    EXPECT_EQ(1, sys(SYS_sched_get_priority_min, policy));
  }
  for (int policy : {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, kDeadline}) {
    EXPECT_EQ(0, sys(SYS_sched_get_priority_max, policy));
    EXPECT_EQ(0, sys(SYS_sched_get_priority_min, policy));
  }
  for (int policy : {-1, 4, 8, 100, SCHED_FIFO | kResetOnFork}) {
    EXPECT_EQ(-EINVAL, sys(SYS_sched_get_priority_max, policy)) << policy;
    EXPECT_EQ(-EINVAL, sys(SYS_sched_get_priority_min, policy)) << policy;
  }
}

// spec 30 8.3 | sched_setscheduler
TEST(Sched, SetschedulerArguments) {
  sched_param p{};
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setscheduler, 0, -1, &p));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setscheduler, 0, SCHED_OTHER, nullptr));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setscheduler, -1, SCHED_OTHER, &p));
  EXPECT_EQ(-EFAULT, sys(SYS_sched_setscheduler, 0, SCHED_OTHER, 8));
  EXPECT_EQ(-EFAULT, sys(SYS_sched_setscheduler, kNobody, 77, 8));  // the parameter is read before the task is looked for
  EXPECT_EQ(-ESRCH, sys(SYS_sched_setscheduler, kNobody, 77, &p));  // and the policy looked at after that
  for (int policy : {4, 8, 77}) EXPECT_EQ(-EINVAL, set_policy(0, policy, 0)) << policy;
  EXPECT_EQ(-EINVAL, set_policy(0, kDeadline, 0));  // it has no parameters in this call
}

// spec 30 S-58 | sched_setscheduler; sched_setparam
TEST(Sched, PriorityMustFitThePolicy) {
  for (int policy : {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE}) {
    EXPECT_EQ(-EINVAL, set_policy(0, policy, 1)) << policy;
    EXPECT_EQ(-EINVAL, set_policy(0, policy, -1)) << policy;
  }
  for (int policy : {SCHED_FIFO, SCHED_RR})
    for (int priority : {-1, 0, 100, 1000}) EXPECT_EQ(-EINVAL, set_policy(0, policy, priority)) << policy << " " << priority;
  EXPECT_EQ(-EINVAL, set_param(0, 1));
  EXPECT_EQ(0, set_param(0, 0));
}

// spec 30 8.3 | sched_getscheduler; sched_getparam; sched_setparam
TEST(Sched, GettersArguments) {
  sched_param p{.sched_priority = 7};
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getscheduler, -1));
  EXPECT_EQ(-ESRCH, sys(SYS_sched_getscheduler, kNobody));
  EXPECT_EQ(SCHED_OTHER, sys(SYS_sched_getscheduler, 0));
  EXPECT_EQ(SCHED_OTHER, sys(SYS_sched_getscheduler, getpid()));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getparam, 0, nullptr));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getparam, -1, &p));
  EXPECT_EQ(-ESRCH, sys(SYS_sched_getparam, kNobody, &p));
  EXPECT_EQ(-EFAULT, sys(SYS_sched_getparam, 0, 8));
  EXPECT_EQ(0, sys(SYS_sched_getparam, 0, &p));
  EXPECT_EQ(0, p.sched_priority);
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setparam, 0, nullptr));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setparam, -5, &p));
  EXPECT_EQ(-EFAULT, sys(SYS_sched_setparam, 0, 8));
  EXPECT_EQ(-ESRCH, sys(SYS_sched_setparam, kNobody, &p));
}

// spec 30 8.1 | sched_setscheduler SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_IDLE; sched_getscheduler; sched_getparam
TEST(Sched, PoliciesAreSetAndTold) {
  NEED_REALTIME();
  Child c([] { pause(); });
  for (auto [policy, priority, prio] : {std::tuple{SCHED_FIFO, 1, "-2"}, {SCHED_RR, 99, "-100"}, {SCHED_BATCH, 0, "20"},
                                        {SCHED_IDLE, 0, "20"}, {SCHED_OTHER, 0, "20"}, {SCHED_FIFO, 50, "-51"}}) {
    EXPECT_EQ(0, set_policy(c, policy, priority));
    EXPECT_EQ(policy, sys(SYS_sched_getscheduler, c.pid()));
    EXPECT_EQ(priority, get_priority_of(c));
    EXPECT_EQ(prio, stat_field(c, 18));
    EXPECT_EQ(std::to_string(priority), stat_field(c, 40));
    EXPECT_EQ(std::to_string(policy), stat_field(c, 41));
  }
  EXPECT_EQ(0, set_param(c, 51));
  EXPECT_EQ(SCHED_FIFO, sys(SYS_sched_getscheduler, c.pid()));
  EXPECT_EQ(51, get_priority_of(c));
  EXPECT_EQ(-EINVAL, set_param(c, 0));
}

// spec 30 S-53, S-56 | fork; sched_setscheduler
TEST(Sched, ForkInheritsPolicyAndPriority) {
  NEED_REALTIME();
  for (auto [policy, priority] : {std::pair{SCHED_FIFO, 3}, {SCHED_RR, 4}, {SCHED_BATCH, 0}, {SCHED_IDLE, 0}})
    expect_in_child([=] {
      EXPECT_EQ(0, set_policy(0, policy, priority));
      expect_in_child([=] {
        EXPECT_EQ(policy, sys(SYS_sched_getscheduler, 0));
        EXPECT_EQ(priority, get_priority_of(0));
      });
    });
}

// spec 30 S-53, S-56 | fork; sched_setscheduler SCHED_RESET_ON_FORK; sched_getscheduler SCHED_RESET_ON_FORK
TEST(Sched, ResetOnForkResetsTheChildOnly) {
  NEED_REALTIME();
  expect_in_child([] {
    EXPECT_EQ(0, set_policy(0, SCHED_RR | kResetOnFork, 7));
    expect_in_child([] {
      EXPECT_EQ(SCHED_OTHER, sys(SYS_sched_getscheduler, 0));
      EXPECT_EQ(0, get_priority_of(0));
      EXPECT_EQ(20, sys(SYS_getpriority, PRIO_PROCESS, 0));
      EXPECT_EQ(0, set_policy(0, SCHED_FIFO, 1));
      expect_in_child([] { EXPECT_EQ(SCHED_FIFO, sys(SYS_sched_getscheduler, 0)); });  // the flag was not inherited
    });
    EXPECT_EQ(SCHED_RR | kResetOnFork, sys(SYS_sched_getscheduler, 0));
    EXPECT_EQ(0, set_param(0, 8));  // keeps the flag
    EXPECT_EQ(SCHED_RR | kResetOnFork, sys(SYS_sched_getscheduler, 0));
    EXPECT_EQ(0, set_policy(0, SCHED_RR, 8));  // drops it, though nothing else changes
    EXPECT_EQ(SCHED_RR, sys(SYS_sched_getscheduler, 0));
  });
}

// spec 30 S-53 | fork; setpriority; sched_setscheduler SCHED_RESET_ON_FORK
TEST(Sched, ResetOnForkTakesNegativeNiceOnly) {
  NEED_CAPABILITY(kCapSysNice);
  for (auto [policy, nice, wanted] : {std::tuple{SCHED_OTHER, -5, 20}, {SCHED_OTHER, 6, 14}, {SCHED_BATCH, -3, 20}})
    expect_in_child([=] {
      EXPECT_EQ(0, sys(SYS_setpriority, PRIO_PROCESS, 0, nice));
      EXPECT_EQ(0, set_policy(0, policy | kResetOnFork, 0));
      EXPECT_EQ(20 - nice, sys(SYS_getpriority, PRIO_PROCESS, 0));
      expect_in_child([=] {
        EXPECT_EQ(policy, sys(SYS_sched_getscheduler, 0));
        EXPECT_EQ(wanted, sys(SYS_getpriority, PRIO_PROCESS, 0));
      });
    });
}

// spec 30 S-56 | execve; sched_setscheduler SCHED_RESET_ON_FORK; sched_setaffinity
TEST(Sched, ExecKeepsAll) {
  NEED_REALTIME();
  Pipe go;
  Child c([&] {
    EXPECT_EQ(0, set_policy(0, SCHED_FIFO | kResetOnFork, 9));
    EXPECT_EQ(0, sys(SYS_setpriority, PRIO_PROCESS, 0, 4));
    unsigned long one = 1;
    EXPECT_EQ(0, sys(SYS_sched_setaffinity, 0, sizeof(one), &one));
    dup2(go.r, 0);
    const char* argv[] = {"guest", "--read-stdin", nullptr};
    execv("/proc/self/exe", const_cast<char**>(argv));
  });
  EXPECT_TRUE(eventually([&] { return read_file("/proc/" + std::to_string(c) + "/cmdline").find("--read-stdin") != std::string::npos; }));
  EXPECT_EQ(SCHED_FIFO | kResetOnFork, sys(SYS_sched_getscheduler, c.pid()));
  EXPECT_EQ(9, get_priority_of(c));
  EXPECT_EQ(16, sys(SYS_getpriority, PRIO_PROCESS, c.pid()));
  EXPECT_EQ("0", status_field(c, "Cpus_allowed_list"));
  go.post(5);
  EXPECT_EQ(5, c.exit_code());
}

// spec 30 S-56 | clone CLONE_THREAD; sched_setscheduler; setpriority
TEST(Sched, ParametersAreAThreads) {
  NEED_REALTIME();
  expect_in_child([] {
    static Stack s;
    auto wait = [](void*) {
      for (;;) raw(SYS_pause);
      return 0;
    };
    int tid = clone_fn(wait, nullptr, s, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD);
    ASSERT_GT(tid, 0);
    EXPECT_EQ(0, set_policy(tid, SCHED_RR, 2));
    EXPECT_EQ(SCHED_OTHER, sys(SYS_sched_getscheduler, 0));
    EXPECT_EQ(SCHED_RR, sys(SYS_sched_getscheduler, tid));
    EXPECT_EQ(0, sys(SYS_setpriority, PRIO_PROCESS, getpid(), 3));
    EXPECT_EQ(20, sys(SYS_getpriority, PRIO_PROCESS, tid));
    EXPECT_EQ(0, sys(SYS_setpriority, PRIO_PROCESS, tid, 5));
    EXPECT_EQ(17, sys(SYS_getpriority, PRIO_PROCESS, 0));
  });
}

// spec 30 S-59 | sched_setscheduler; setrlimit RLIMIT_RTPRIO
TEST(Sched, UserNeedsRtprioLimit) {
  NEED_REALTIME();
  NEED_CAPABILITY(kCapSetuid);
  NEED_CAPABILITY(kCapSysResource);  // to raise a limit
  expect_in_child([] {
    set_limit(RLIMIT_RTPRIO, 0);
    become_user();
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_FIFO, 1));
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_RR, 1));
    EXPECT_EQ(-EINVAL, set_policy(0, SCHED_RR, 0));  // what is wrong comes before what is forbidden
    EXPECT_EQ(0, set_policy(0, SCHED_BATCH, 0));
    EXPECT_EQ(0, set_policy(0, SCHED_OTHER, 0));
  });
  expect_in_child([] {
    set_limit(RLIMIT_RTPRIO, 10);
    become_user();
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_FIFO, 11));
    EXPECT_EQ(0, set_policy(0, SCHED_FIFO, 10));
    EXPECT_EQ(0, set_policy(0, SCHED_RR, 10));
    EXPECT_EQ(-EPERM, set_param(0, 11));
    EXPECT_EQ(0, set_param(0, 5));
    EXPECT_EQ(0, set_param(0, 10));
    EXPECT_EQ(0, set_policy(0, SCHED_OTHER, 0));
  });
}

// spec 30 S-59 | sched_setscheduler; sched_setparam; setrlimit RLIMIT_RTPRIO
TEST(Sched, UserMayLowerWhatRootGave) {
  NEED_REALTIME();
  NEED_CAPABILITY(kCapSetuid);
  NEED_CAPABILITY(kCapSysResource);  // to raise a limit
  expect_in_child([] {  // above the limit
    set_limit(RLIMIT_RTPRIO, 10);
    EXPECT_EQ(0, set_policy(0, SCHED_FIFO, 20));
    become_user();
    EXPECT_EQ(-EPERM, set_param(0, 21));
    EXPECT_EQ(0, set_param(0, 15));
    EXPECT_EQ(-EPERM, set_param(0, 16));
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_RR, 16));
    EXPECT_EQ(0, set_policy(0, SCHED_RR, 15));
  });
  expect_in_child([] {  // with none
    set_limit(RLIMIT_RTPRIO, 0);
    EXPECT_EQ(0, set_policy(0, SCHED_RR, 5));
    become_user();
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_FIFO, 5));
    EXPECT_EQ(0, set_param(0, 3));
    EXPECT_EQ(-EPERM, set_param(0, 4));
    EXPECT_EQ(0, set_policy(0, SCHED_OTHER, 0));
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_RR, 1));
  });
}

// spec 30 8.2 | sched_setscheduler SCHED_RESET_ON_FORK
TEST(Sched, UserMaySetResetOnForkButNotClearIt) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    become_user();
    EXPECT_EQ(0, set_policy(0, SCHED_OTHER | kResetOnFork, 0));
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_OTHER, 0));
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_BATCH, 0));
    EXPECT_EQ(0, set_policy(0, SCHED_BATCH | kResetOnFork, 0));
  });
}

// spec 30 8.2 | sched_setscheduler SCHED_IDLE; setrlimit RLIMIT_NICE
TEST(Sched, UserLeavesIdleOnlyWithNiceLimit) {
  NEED_CAPABILITY(kCapSetuid);
  NEED_CAPABILITY(kCapSysResource);  // to raise a limit
  expect_in_child([] {
    set_limit(RLIMIT_NICE, 0);
    become_user();
    EXPECT_EQ(0, set_policy(0, SCHED_IDLE, 0));
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_OTHER, 0));
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_BATCH, 0));
    EXPECT_EQ(0, set_policy(0, SCHED_IDLE, 0));
  });
  expect_in_child([] {
    set_limit(RLIMIT_NICE, 20);
    become_user();
    EXPECT_EQ(0, set_policy(0, SCHED_IDLE, 0));
    EXPECT_EQ(0, set_policy(0, SCHED_OTHER, 0));
  });
}

// spec 30 8.2 | sched_setscheduler; sched_setparam; sched_getscheduler
TEST(Sched, OthersProcess) {
  NEED_CAPABILITY(kCapSetuid);
  Child c([] {
    become_user(1001, 1001);
    for (;;) pause();
  });
  EXPECT_TRUE(eventually([&] { return status_field(c, "Uid").starts_with("1001"); }));
  pid_t other = c;
  expect_in_child([=] {
    become_user(1000, 1000);
    EXPECT_EQ(-EPERM, set_policy(other, SCHED_OTHER, 0));
    EXPECT_EQ(-EPERM, set_policy(other, SCHED_BATCH, 0));
    EXPECT_EQ(-EPERM, set_param(other, 0));
    EXPECT_EQ(SCHED_OTHER, sys(SYS_sched_getscheduler, other));
    EXPECT_EQ(0, get_priority_of(other));
  });
  expect_in_child([=] {
    become_user(1001, 1001);
    EXPECT_EQ(0, set_policy(other, SCHED_BATCH, 0));
  });
}

// spec 30 8.3 | sched_getattr
TEST(Sched, GetattrArguments) {
  SchedAttr a;
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getattr, 0, nullptr, 56, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getattr, -1, &a, 56, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getattr, 0, &a, 47, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getattr, 0, &a, 4097, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getattr, 0, &a, 56, 1));
  EXPECT_EQ(-ESRCH, sys(SYS_sched_getattr, kNobody, &a, 56, 0));
  EXPECT_EQ(-EFAULT, sys(SYS_sched_getattr, 0, 4096, 56, 0));
  a.policy = 99;
  EXPECT_EQ(0, sys(SYS_sched_getattr, 0, &a, 48, 0));
  EXPECT_EQ(48u, a.size);
  EXPECT_EQ(0u, a.policy);
  EXPECT_EQ(0, sys(SYS_sched_getattr, 0, &a, 56, 0));
  EXPECT_EQ(56u, a.size);
}

// spec 30 8.3 | sched_setattr
TEST(Sched, SetattrArguments) {
  SchedAttr a{};
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setattr, 0, nullptr, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setattr, -1, &a, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setattr, 0, &a, 1));
  EXPECT_EQ(-EFAULT, sys(SYS_sched_setattr, 0, 4096, 0));
  a.size = 47;
  EXPECT_EQ(-E2BIG, sys(SYS_sched_setattr, 0, &a, 0));
  EXPECT_EQ(56u, a.size);
  a.size = 4097;
  EXPECT_EQ(-E2BIG, sys(SYS_sched_setattr, 0, &a, 0));
  EXPECT_EQ(56u, a.size);
  a.size = 0;  // the first version's
  EXPECT_EQ(0, sys(SYS_sched_setattr, 0, &a, 0));
  a.size = 48;
  EXPECT_EQ(0, sys(SYS_sched_setattr, 0, &a, 0));
  EXPECT_EQ(-ESRCH, sys(SYS_sched_setattr, kNobody, &a, 0));
  a.policy = ~0u;
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setattr, kNobody, &a, 0));
  a.policy = 0;
  a.flags = 0x80;
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setattr, 0, &a, 0));
  struct {
    SchedAttr attr{};
    uint64_t beyond = 0;
  } longer;
  longer.attr.size = sizeof(longer);
  EXPECT_EQ(0, sys(SYS_sched_setattr, 0, &longer, 0));
  longer.beyond = 1;
  EXPECT_EQ(-E2BIG, sys(SYS_sched_setattr, 0, &longer, 0));
  EXPECT_EQ(56u, longer.attr.size);
}

// spec 30 8.3 | sched_setattr SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_KEEP_POLICY SCHED_FLAG_KEEP_PARAMS; sched_getattr
TEST(Sched, AttrKeepsWhatItIsTold) {
  NEED_REALTIME();
  expect_in_child([] {
    SchedAttr a{.policy = SCHED_RR, .flags = kFlagReset, .priority = 12};
    EXPECT_EQ(0, set_attr(0, a));
    SchedAttr got = get_attr(0);
    EXPECT_EQ((uint32_t)SCHED_RR, got.policy);
    EXPECT_EQ(kFlagReset, got.flags);
    EXPECT_EQ(12u, got.priority);
    a = {.policy = SCHED_OTHER, .flags = kFlagReset | kFlagKeepPolicy, .priority = 13};
    EXPECT_EQ(0, set_attr(0, a));
    EXPECT_EQ(SCHED_RR | kResetOnFork, sys(SYS_sched_getscheduler, 0));
    EXPECT_EQ(13, get_priority_of(0));
    a = {.policy = SCHED_FIFO, .flags = kFlagKeepParams, .priority = 70};
    EXPECT_EQ(0, set_attr(0, a));
    EXPECT_EQ(SCHED_RR, sys(SYS_sched_getscheduler, 0));  // the policy counts as a parameter, the flag does not
    EXPECT_EQ(13, get_priority_of(0));
    a = {.policy = SCHED_OTHER, .nice = 8};
    EXPECT_EQ(0, set_attr(0, a));
    EXPECT_EQ(8, get_attr(0).nice);
    EXPECT_EQ(12, sys(SYS_getpriority, PRIO_PROCESS, 0));
    a = {.policy = SCHED_BATCH, .nice = 1000};  // is made 19
    EXPECT_EQ(0, set_attr(0, a));
    EXPECT_EQ(19, get_attr(0).nice);
  });
}

// spec 30 8.2 | sched_setattr; setrlimit RLIMIT_NICE
TEST(Sched, AttrNiceOfAUser) {
  NEED_CAPABILITY(kCapSetuid);
  NEED_CAPABILITY(kCapSysResource);  // to raise a limit
  expect_in_child([] {
    set_limit(RLIMIT_NICE, 25);
    become_user();
    EXPECT_EQ(0, set_attr(0, {.nice = 10}));
    EXPECT_EQ(0, set_attr(0, {.nice = -5}));
    EXPECT_EQ(-EPERM, set_attr(0, {.nice = -6}));
    EXPECT_EQ(-EPERM, set_attr(0, {.policy = kDeadline, .runtime = 1'000'000, .deadline = 10'000'000}));
  });
}

// spec 30 S-63 | setpriority; sched_setscheduler
TEST(Sched, NiceOfARealtimeTaskWaits) {
  NEED_REALTIME();
  expect_in_child([] {
    EXPECT_EQ(0, set_policy(0, SCHED_FIFO, 5));
    EXPECT_EQ(0, sys(SYS_setpriority, PRIO_PROCESS, 0, 7));
    EXPECT_EQ("-6", stat_field(getpid(), 18));
    EXPECT_EQ("7", stat_field(getpid(), 19));
    EXPECT_EQ(0, set_policy(0, SCHED_OTHER, 0));
    EXPECT_EQ("27", stat_field(getpid(), 18));
    EXPECT_EQ("7", stat_field(getpid(), 19));
  });
}

// spec 32 D-1 | sched_setattr SCHED_DEADLINE
TEST(Deadline, ParametersAreChecked) {
  NEED_REALTIME();
  constexpr uint64_t ms = 1'000'000;
  auto set = [](uint64_t runtime, uint64_t deadline, uint64_t period, uint64_t flags = 0) {
    return set_attr(0, {.policy = kDeadline, .flags = flags, .runtime = runtime, .deadline = deadline, .period = period});
  };
  EXPECT_EQ(-EINVAL, set(0, 0, 0));
  EXPECT_EQ(-EINVAL, set(ms, 0, 10 * ms));
  EXPECT_EQ(-EINVAL, set(1023, 10 * ms, 10 * ms));
  EXPECT_EQ(-EINVAL, set(11 * ms, 10 * ms, 20 * ms));
  EXPECT_EQ(-EINVAL, set(ms, 21 * ms, 20 * ms));
  EXPECT_EQ(-EINVAL, set(ms, 1ull << 63, 0));
  EXPECT_EQ(-EINVAL, set(ms, 10 * ms, 1ull << 63));
  EXPECT_EQ(-EINVAL, set(2048, 90'000, 99'999));             // a period below 100 us
  EXPECT_EQ(-EINVAL, set(ms, 4'194'304'001, 4'194'304'001));  // and one above 4 s
  EXPECT_EQ(-EINVAL, set_attr(0, {.policy = kDeadline, .priority = 1, .runtime = ms, .deadline = 10 * ms}));
  expect_in_child([&] {
    EXPECT_EQ(0, set(ms, 10 * ms, 0));
    SchedAttr a = get_attr(0);
    EXPECT_EQ((uint32_t)kDeadline, a.policy);
    EXPECT_EQ(ms, a.runtime);
    EXPECT_EQ(10 * ms, a.deadline);
    EXPECT_EQ(10 * ms, a.period);
    EXPECT_EQ("-101", stat_field(getpid(), 18));
    EXPECT_EQ(0, set(2 * ms, 20 * ms, 30 * ms, kFlagReclaim | kFlagOverrun));
    EXPECT_EQ(kFlagReclaim | kFlagOverrun, get_attr(0).flags);
    EXPECT_EQ(-EINVAL, set_param(0, 0));
  });
}

// spec 32 D-2 | sched_setattr SCHED_DEADLINE; fork; nice; sched_setaffinity
TEST(Deadline, WhatADeadlineTaskMayNot) {
  NEED_REALTIME();
  expect_in_child([] {
    SchedAttr a{.policy = kDeadline, .runtime = 1'000'000, .deadline = 20'000'000};
    EXPECT_EQ(0, set_attr(0, a));
    EXPECT_EQ(-EAGAIN, sys(SYS_fork));
    timespec t{9, 9};
    EXPECT_EQ(0, sys(SYS_sched_rr_get_interval, 0, &t));
    EXPECT_EQ(0, t.tv_sec + t.tv_nsec);
    EXPECT_EQ(0, sys(SYS_setpriority, PRIO_PROCESS, 0, 9));
    EXPECT_EQ((uint32_t)kDeadline, get_attr(0).policy);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
      unsigned long one = 1;
      EXPECT_EQ(-EBUSY, sys(SYS_sched_setaffinity, 0, sizeof(one), &one));
    }
    EXPECT_EQ(0, sys(SYS_sched_yield));
    a.flags = kFlagReset;
    EXPECT_EQ(0, set_attr(0, a));
    expect_in_child([] { EXPECT_EQ(SCHED_OTHER, sys(SYS_sched_getscheduler, 0)); });
  });
}

// spec 32 6 | sched_setattr SCHED_DEADLINE
TEST(Deadline, AdmissionIsBusy) {
  NEED_REALTIME();
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  if (cpus > 8) GTEST_SKIP() << "too many CPUs to fill";
  auto set = [](pid_t pid) { return set_attr(pid, {.policy = kDeadline, .runtime = 900'000'000, .deadline = 1'000'000'000}); };
  std::vector<pid_t> sleepers;
  for (long i = 0; i < cpus; i++) {
    sleepers.push_back(spawn([] {
      for (;;) pause();
    }));
    eventually_sleeps(sleepers.back());
    EXPECT_TRUE(eventually([&] { return set(sleepers.back()) == 0; }));  // what came before may hold some yet
  }
  Child more([] { pause(); });
  eventually_sleeps(more);
  EXPECT_EQ(-EBUSY, set(more));
  for (pid_t p : sleepers) kill(p, SIGKILL), wait_status(p);
  EXPECT_TRUE(eventually([&] { return set(more) == 0; }));  // a sleeper's bandwidth is held until its deadline
}

// spec 30 8.3 | sched_rr_get_interval
TEST(Sched, RrInterval) {
  timespec t{9, 9};
  EXPECT_EQ(-EINVAL, sys(SYS_sched_rr_get_interval, -1, &t));
  EXPECT_EQ(-ESRCH, sys(SYS_sched_rr_get_interval, kNobody, &t));
  EXPECT_EQ(-EFAULT, sys(SYS_sched_rr_get_interval, 0, 8));
  NEED_REALTIME();
  expect_in_child([] {
    timespec t{9, 9};
    EXPECT_EQ(0, set_policy(0, SCHED_RR, 1));
    EXPECT_EQ(0, sys(SYS_sched_rr_get_interval, 0, &t));
    EXPECT_EQ(0, t.tv_sec);
    EXPECT_EQ(100'000'000, t.tv_nsec);
    EXPECT_EQ(0, set_policy(0, SCHED_FIFO, 1));
    EXPECT_EQ(0, sys(SYS_sched_rr_get_interval, 0, &t));
    EXPECT_EQ(0, t.tv_sec + t.tv_nsec);
  });
}

// spec 30 S-64 | sched_yield
TEST(Sched, YieldAnswersZero) {
  for (int i = 0; i < 10; i++) EXPECT_EQ(0, sys(SYS_sched_yield, -1, -1));
  NEED_REALTIME();
  expect_in_child([] {
    EXPECT_EQ(0, set_policy(0, SCHED_FIFO, 1));
    EXPECT_EQ(0, sys(SYS_sched_yield));
  });
}

}  // namespace
