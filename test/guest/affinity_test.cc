// sched_setaffinity and sched_getaffinity: masks, lengths, who may, where a task runs.
// SPDX-License-Identifier: Apache-2.0
#include "test/guest/sched.hh"

using namespace guest;

namespace {

struct Mask {
  unsigned long words[128] = {};
  bool operator==(const Mask&) const = default;
  bool has(int cpu) const { return words[cpu / 64] >> cpu % 64 & 1; }
  static Mask of(std::initializer_list<int> cpus) {
    Mask m;
    for (int cpu : cpus) m.words[cpu / 64] |= 1ul << cpu % 64;
    return m;
  }
};
/// The kernel's length of a mask; what the call fills.
long get(pid_t pid, Mask* m) { return sys(SYS_sched_getaffinity, pid, sizeof(m->words), m->words); }
Mask own() {
  Mask m;
  EXPECT_GT(get(0, &m), 0);
  return m;
}
long set(pid_t pid, const Mask& m) { return sys(SYS_sched_setaffinity, pid, sizeof(m.words), m.words); }
std::vector<int> own_cpus() {
  std::vector<int> cpus;
  Mask m = own();
  for (int cpu = 0; cpu < 64 * 128; cpu++)
    if (m.has(cpu)) cpus.push_back(cpu);
  return cpus;
}

// spec 30 S-67 | sched_getaffinity
TEST(Affinity, GetArguments) {
  Mask m;
  long length = get(0, &m);
  ASSERT_GT(length, 0);
  EXPECT_EQ(0, length % 8);
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getaffinity, 0, 0, &m));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getaffinity, 0, 4, &m));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_getaffinity, 0, length + 4, &m));
  EXPECT_EQ(-ESRCH, sys(SYS_sched_getaffinity, kNobody, length, &m));
  EXPECT_EQ(-ESRCH, sys(SYS_sched_getaffinity, -1, length, &m));
  EXPECT_EQ(-EFAULT, sys(SYS_sched_getaffinity, 0, length, 8));
  m.words[length / 8] = 77;  // beyond what the kernel has nothing is written
  EXPECT_EQ(length, get(0, &m));
  EXPECT_EQ(77u, m.words[length / 8]);
}

// spec 30 S-66 | sched_setaffinity
TEST(Affinity, SetArguments) {
  const Mask before = own();
  EXPECT_EQ(-EFAULT, sys(SYS_sched_setaffinity, 0, 8, 8));
  EXPECT_EQ(-ESRCH, set(kNobody, before));
  EXPECT_EQ(-ESRCH, set(-1, before));
  EXPECT_EQ(-EINVAL, set(0, Mask{}));
  EXPECT_EQ(-EINVAL, sys(SYS_sched_setaffinity, 0, 0, 8));  // an empty mask, not read at all
  EXPECT_EQ(-EINVAL, set(0, Mask::of({8000})));            // no such CPU
  EXPECT_EQ(before, own());
}

// spec 30 S-66 | sched_setaffinity
TEST(Affinity, ShortMasksAreExtendedAndLongOnesCut) {
  expect_in_child([] {
    const int cpu = own_cpus().front();
    if (cpu < 8) {
      unsigned char byte = (unsigned char)(1 << cpu);
      EXPECT_EQ(0, sys(SYS_sched_setaffinity, 0, 1, &byte));
      EXPECT_EQ(Mask::of({cpu}), own());
    }
    EXPECT_EQ(0, set(0, Mask::of({cpu, 8000})));  // CPUs that are not there are no harm
    EXPECT_EQ(Mask::of({cpu}), own());
  });
}

// spec 30 S-66 | sched_setaffinity; getcpu
TEST(Affinity, TaskIsThereWhenTheCallReturns) {
  expect_in_child([] {
    for (int round = 0; round < 20; round++)
      for (int cpu : own_cpus()) {
        Mask all = own();
        EXPECT_EQ(0, set(0, Mask::of({cpu})));
        unsigned now = ~0u;
        EXPECT_EQ(0, sys(SYS_getcpu, &now, nullptr, nullptr));
        EXPECT_EQ((unsigned)cpu, now);
        EXPECT_EQ(std::to_string(cpu), status_field(getpid(), "Cpus_allowed_list"));
        EXPECT_EQ(0, set(0, all));
      }
  });
}

// spec 30 S-66 | sched_setaffinity
TEST(Affinity, SleepingAndRunningOthersAreMoved) {
  const int cpu = own_cpus().back();
  Child sleeper([] { pause(); });
  Child runner([] {
    for (;;) {
    }
  });
  EXPECT_TRUE(eventually_sleeps(sleeper));
  for (pid_t p : {sleeper.pid(), runner.pid()}) {
    EXPECT_EQ(0, set(p, Mask::of({cpu})));
    Mask m;
    EXPECT_GT(get(p, &m), 0);
    EXPECT_EQ(Mask::of({cpu}), m);
  }
  EXPECT_EQ(std::to_string(cpu), stat_field(runner, 39));
}

// spec 30 S-56 | fork; clone CLONE_THREAD; sched_setaffinity
TEST(Affinity, IsInheritedAndAThreadsOwn) {
  expect_in_child([] {
    const Mask before = own();
    const int cpu = own_cpus().front();
    EXPECT_EQ(0, set(0, Mask::of({cpu})));
    expect_in_child([=] { EXPECT_EQ(Mask::of({cpu}), own()); });
    static Stack s;
    auto wait = [](void*) {
      for (;;) raw(SYS_pause);
      return 0;
    };
    int tid = clone_fn(wait, nullptr, s, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD);
    EXPECT_EQ(0, set(0, before));
    Mask m;
    EXPECT_GT(get(tid, &m), 0);
    EXPECT_EQ(Mask::of({cpu}), m);
  });
}

// spec 30 S-66 | sched_setaffinity; sched_getaffinity
TEST(Affinity, OthersProcess) {
  NEED_CAPABILITY(kCapSetuid);
  Child c([] {
    become_user(1001, 1001);
    for (;;) pause();
  });
  EXPECT_TRUE(eventually([&] { return status_field(c, "Uid").starts_with("1001"); }));
  const Mask before = own();
  expect_in_child([&] {
    become_user(1000, 1000);
    Mask m;
    EXPECT_GT(get(c, &m), 0);
    EXPECT_EQ(-EPERM, set(c, before));
    EXPECT_EQ(-EPERM, set(c, Mask{}));
    EXPECT_EQ(0, set(0, before));
  });
  expect_in_child([&] {
    become_user(1001, 1001);
    EXPECT_EQ(0, set(c, before));
  });
}

// spec 30 S-66 | sched_setaffinity
TEST(Affinity, BoundKernelThreadsStay) {
  if (read_file("/proc/2/comm") != "kthreadd\n") GTEST_SKIP() << "no kernel threads are to be seen here";
  pid_t bound = 0;
  for (pid_t p = 3; p < 60 && !bound; p++)
    if (read_file("/proc/" + std::to_string(p) + "/comm").find("/0\n") != std::string::npos) bound = p;
  if (!bound) GTEST_SKIP() << "no kernel thread is bound to CPU 0";
  EXPECT_EQ(-EINVAL, set(bound, own()));
}

}  // namespace
