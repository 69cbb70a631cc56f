// nice, setpriority, getpriority: values, targets, who may.
// SPDX-License-Identifier: Apache-2.0
#include "test/guest/sched.hh"

using namespace guest;

namespace {

long set_nice(pid_t pid, int nice) { return sys(SYS_setpriority, PRIO_PROCESS, pid, nice); }
/// The nice value by the raw call, which says 20 - nice.
long nice_of(pid_t pid) { return 20 - sys(SYS_getpriority, PRIO_PROCESS, pid); }
/// A sleeping process of this user and group.
pid_t sleeper(uid_t uid, bool own_group = false) {
  pid_t pid = spawn([=] {
    if (own_group) setpgid(0, 0);
    if (uid) become_user(uid, uid);
    for (;;) pause();
  });
  EXPECT_TRUE(eventually([&] {
    return state_of(pid) == 'S' && status_field(pid, "Uid").starts_with(std::to_string(uid) + "\t") && (!own_group || getpgid(pid) == pid);
  }));
  return pid;
}

// spec 30 8.3 | setpriority; getpriority
TEST(Nice, Arguments) {
  for (int which : {-1, 3, 100}) {
    EXPECT_EQ(-EINVAL, sys(SYS_setpriority, which, 0, 0));
    EXPECT_EQ(-EINVAL, sys(SYS_getpriority, which, 0));
  }
  EXPECT_EQ(-ESRCH, set_nice(kNobody, 0));
  EXPECT_EQ(-ESRCH, sys(SYS_getpriority, PRIO_PROCESS, kNobody));
  EXPECT_EQ(-ESRCH, sys(SYS_setpriority, PRIO_PGRP, kNobody, 0));
  EXPECT_EQ(-ESRCH, sys(SYS_getpriority, PRIO_PGRP, kNobody));
  EXPECT_EQ(-ESRCH, sys(SYS_setpriority, PRIO_USER, 54399, 0));
  EXPECT_EQ(-ESRCH, sys(SYS_getpriority, PRIO_USER, 54399));
}

// spec 30 8.3 | setpriority; getpriority
TEST(Nice, ValuesAreClamped) {
  NEED_CAPABILITY(kCapSysNice);
  expect_in_child([] {
    EXPECT_EQ(0, set_nice(0, 1000));
    EXPECT_EQ(19, nice_of(0));
    EXPECT_EQ("39", stat_field(getpid(), 18));
    EXPECT_EQ("19", stat_field(getpid(), 19));
    EXPECT_EQ(0, set_nice(0, -1000));
    EXPECT_EQ(-20, nice_of(getpid()));
    EXPECT_EQ("0", stat_field(getpid(), 18));
    EXPECT_EQ("-20", stat_field(getpid(), 19));
    for (int n = -20; n <= 19; n++) {
      EXPECT_EQ(0, set_nice(0, n));
      EXPECT_EQ(n, nice_of(0));
    }
  });
}

// spec 30 S-56 | fork; setpriority
TEST(Nice, ForkInherits) {
  expect_in_child([] {
    EXPECT_EQ(0, set_nice(0, 11));
    expect_in_child([] { EXPECT_EQ(11, nice_of(0)); });
  });
}

// spec 30 8.3 | setpriority PRIO_PGRP; getpriority PRIO_PGRP
TEST(Nice, OfAGroup) {
  Child a(sleeper(0, true)), b(sleeper(0));
  ASSERT_EQ(0, setpgid(b, a));
  EXPECT_EQ(0, set_nice(b, 4));
  EXPECT_EQ(20, sys(SYS_getpriority, PRIO_PGRP, a.pid()));  // the best of them
  EXPECT_EQ(0, sys(SYS_setpriority, PRIO_PGRP, a.pid(), 9));
  EXPECT_EQ(9, nice_of(a));
  EXPECT_EQ(9, nice_of(b));
  EXPECT_EQ(11, sys(SYS_getpriority, PRIO_PGRP, a.pid()));
  EXPECT_EQ(0, nice_of(0));
}

// spec 30 S-62 | setpriority PRIO_PGRP PRIO_USER; getpriority PRIO_USER
TEST(Nice, ZeroIsTheCallersOwn) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    setpgid(0, 0);
    EXPECT_EQ(0, sys(SYS_setpriority, PRIO_PGRP, 0, 3));
    EXPECT_EQ(3, nice_of(0));
    become_user(54340, 54340);
    EXPECT_EQ(0, sys(SYS_setpriority, PRIO_USER, 0, 5));
    EXPECT_EQ(5, nice_of(0));
    EXPECT_EQ(15, sys(SYS_getpriority, PRIO_USER, 0));
  });
}

// spec 30 8.3, S-62 | setpriority PRIO_USER; getpriority PRIO_USER
TEST(Nice, OfAUser) {
  NEED_CAPABILITY(kCapSetuid);
  Child a(sleeper(54341)), b(sleeper(54341)), c(sleeper(54342));
  EXPECT_EQ(0, set_nice(a, 2));
  EXPECT_EQ(20, sys(SYS_getpriority, PRIO_USER, 54341));
  EXPECT_EQ(0, sys(SYS_setpriority, PRIO_USER, 54341, 8));
  EXPECT_EQ(8, nice_of(a));
  EXPECT_EQ(8, nice_of(b));
  EXPECT_EQ(0, nice_of(c));
  EXPECT_EQ(12, sys(SYS_getpriority, PRIO_USER, 54341));
}

// spec 30 S-60 | setpriority; nice; setrlimit RLIMIT_NICE
TEST(Nice, UserMayOnlyRaiseWithoutLimit) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    set_limit(RLIMIT_NICE, 0);
    become_user();
    EXPECT_EQ(0, set_nice(0, 0));
    EXPECT_EQ(-EACCES, set_nice(0, -1));
    EXPECT_EQ(0, set_nice(0, 5));
    EXPECT_EQ(0, set_nice(0, 5));
    EXPECT_EQ(-EACCES, set_nice(0, 4));
    EXPECT_EQ(5, nice_of(0));
    EXPECT_EQ(-1, nice(-1));
    EXPECT_EQ(EPERM, errno);
    EXPECT_EQ(8, nice(3));
  });
}

// spec 30 S-60 | setpriority; nice; setrlimit RLIMIT_NICE
TEST(Nice, LimitSaysHowFarDown) {
  NEED_CAPABILITY(kCapSetuid);
  NEED_CAPABILITY(kCapSysResource);  // to raise a limit
  expect_in_child([] {
    set_limit(RLIMIT_NICE, 25);
    become_user();
    EXPECT_EQ(0, set_nice(0, 19));
    EXPECT_EQ(0, set_nice(0, -5));
    EXPECT_EQ(-EACCES, set_nice(0, -6));
    EXPECT_EQ(-5, nice_of(0));
    EXPECT_EQ(0, set_nice(0, 0));
    errno = 0;
    EXPECT_EQ(-5, nice(-5));
    EXPECT_EQ(0, errno);
    EXPECT_EQ(-1, nice(-1));
    EXPECT_EQ(EPERM, errno);
  });
}

// spec 30 8.3 | setpriority; getpriority
TEST(Nice, OthersProcess) {
  NEED_CAPABILITY(kCapSetuid);
  Child other(sleeper(54343));
  expect_in_child([&] {
    become_user(54344, 54344);
    EXPECT_EQ(-EPERM, set_nice(other, 5));
    EXPECT_EQ(-EPERM, sys(SYS_setpriority, PRIO_USER, 54343, 5));
    EXPECT_EQ(0, nice_of(other));
  });
  expect_in_child([&] {
    become_user(54343, 54343);
    EXPECT_EQ(0, set_nice(other, 5));
    EXPECT_EQ(-EACCES, set_nice(other, 4));
  });
  EXPECT_EQ(5, nice_of(other));
}

// spec 30 8.3 | setpriority
TEST(Nice, EffectiveUidOfTheCallerCounts) {
  NEED_CAPABILITY(kCapSetuid);
  Child other(sleeper(54345));
  expect_in_child([&] {  // by its effective id
    EXPECT_EQ(0, setresuid(54346, 54345, 54346));
    EXPECT_EQ(0, set_nice(other, 1));
  });
  expect_in_child([&] {  // its real one is not asked
    EXPECT_EQ(0, setresuid(54345, 54346, 54346));
    EXPECT_EQ(-EPERM, set_nice(other, 2));
  });
}

// spec 30 S-61 | setpriority PRIO_PGRP
TEST(Nice, SeveralTargetsOneForbidden) {
  NEED_CAPABILITY(kCapSetuid);
  Child mine(sleeper(54347, true)), others(sleeper(54348));
  ASSERT_EQ(0, setpgid(others, mine));
  expect_in_child([&] {
    become_user(54347, 54347);
    EXPECT_EQ(-EPERM, sys(SYS_setpriority, PRIO_PGRP, mine.pid(), 6));
  });
  EXPECT_EQ(6, nice_of(mine));  // was tried all the same
  EXPECT_EQ(0, nice_of(others));
}

// spec 30 8.3 | setpriority; getpriority; unshare CLONE_NEWUSER
TEST(Nice, RootOfAUserNamespaceHasNoSayOutside) {
  NEED_CAPABILITY(kCapSetuid);
  NEED_NAMESPACE(CLONE_NEWUSER);
  expect_in_child([] {
    set_limit(RLIMIT_NICE, 0);
    become_user();
    if (sys(SYS_unshare, CLONE_NEWUSER)) return;  // not for ordinary users here
    EXPECT_EQ(-EACCES, set_nice(0, -1));
    EXPECT_EQ(-EPERM, set_policy(0, SCHED_FIFO, 1));
  });
}

}  // namespace
