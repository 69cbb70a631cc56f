// What /proc says of and to the scheduler: a task's statistics, autogroups, the limits of real-time tasks.
// SPDX-License-Identifier: Apache-2.0
#include "test/guest/sched.hh"

using namespace guest;

namespace {

const std::string kSysctl = "/proc/sys/kernel/";

/// A sysctl with another value for the scope.
class Sysctl {
 public:
  explicit Sysctl(const char* name) : path_(kSysctl + name), old_(read_file(path_)) {}
  ~Sysctl() { write_file(path_, old_); }
  Sysctl(const Sysctl&) = delete;
  int write(const char* text) const { return write_file(path_, text); }
  std::string read() const { return read_file(path_); }

 private:
  std::string path_, old_;
};

// spec 30 14 | /proc/PID/schedstat
TEST(SchedFiles, SchedstatCountsRunsAndTime) {
  if (!exists("/proc/self/schedstat")) GTEST_SKIP() << "there is no schedstat";
  Child c([] {
    for (;;) {
    }
  });
  auto fields = [&] {
    unsigned long long run = 0, wait = 0, times = 0;
    EXPECT_EQ(3, sscanf(read_file("/proc/" + std::to_string(c) + "/schedstat").c_str(), "%llu %llu %llu\n", &run, &wait, &times));
    return std::tuple{run, wait, times};
  };
  EXPECT_TRUE(eventually([&] { return std::get<0>(fields()) > 20'000'000 && std::get<2>(fields()) > 0; }));
}

// spec 30 14 | /proc/PID/sched
TEST(SchedFiles, SchedNamesPolicyAndPriority) {
  NEED_REALTIME();
  Child c([] { pause(); });
  EXPECT_EQ(0, sys(SYS_setpriority, PRIO_PROCESS, c.pid(), 4));
  auto value = [&](const char* name) {
    std::string text = read_file("/proc/" + std::to_string(c) + "/sched");
    size_t at = text.find(std::string("\n") + name + " "), colon = text.find(':', at);
    return at == std::string::npos ? -1 : atoi(text.c_str() + colon + 1);
  };
  EXPECT_EQ(0, value("policy"));
  EXPECT_EQ(124, value("prio"));
  EXPECT_EQ(0, set_policy(c, SCHED_RR, 30));
  EXPECT_EQ(2, value("policy"));
  EXPECT_EQ(69, value("prio"));
}

/// What /proc/PID/autogroup says: the group's number, and its nice value.
std::pair<long, int> autogroup(pid_t pid) {
  long number = -1;
  int nice = -99;
  sscanf(read_file("/proc/" + std::to_string(pid) + "/autogroup").c_str(), "/autogroup-%ld nice %d\n", &number, &nice);
  return {number, nice};
}
int set_autogroup(pid_t pid, const char* text) { return write_file("/proc/" + std::to_string(pid) + "/autogroup", text); }

#define NEED_AUTOGROUP()                                                                                   \
  if (!exists("/proc/self/autogroup") || access((kSysctl + "sched_autogroup_enabled").c_str(), W_OK) != 0) \
    GTEST_SKIP() << "there are no autogroups";                                                             \
  Sysctl enabled("sched_autogroup_enabled");                                                               \
  enabled.write("1")

// spec 31 F-51 | /proc/PID/autogroup; setsid
TEST(Autogroup, ASessionIsAGroup) {
  NEED_AUTOGROUP();
  expect_in_child([] {
    const auto before = autogroup(getpid());
    EXPECT_GE(before.first, 0);
    ASSERT_GT(setsid(), 0);
    const auto now = autogroup(getpid());
    EXPECT_NE(before.first, now.first);
    EXPECT_EQ(0, now.second);
    expect_in_child([=] { EXPECT_EQ(now, autogroup(getpid())); });
    expect_in_child([=] {
      setsid();
      EXPECT_LT(now.first, autogroup(getpid()).first);
    });
  });
}

// spec 31 F-51 | /proc/PID/autogroup
TEST(Autogroup, NiceIsWrittenAndChecked) {
  NEED_AUTOGROUP();
  NEED_CAPABILITY(kCapSysAdmin);
  expect_in_child([] {
    ASSERT_GT(setsid(), 0);
    EXPECT_EQ(0, set_autogroup(getpid(), "7"));
    EXPECT_EQ(7, autogroup(getpid()).second);
    EXPECT_EQ(0, set_autogroup(getpid(), "-20\n"));
    EXPECT_EQ(-20, autogroup(getpid()).second);
    for (const char* bad : {"20", "-21", "x", "1x", "\n"}) EXPECT_EQ(-EINVAL, set_autogroup(getpid(), bad)) << bad;
    EXPECT_EQ(-20, autogroup(getpid()).second);
    expect_in_child([] { EXPECT_EQ(-20, autogroup(getpid()).second); });
    EXPECT_EQ(20, sys(SYS_getpriority, PRIO_PROCESS, 0));  // the tasks' own is another thing
  });
}

// spec 31 F-51 | /proc/PID/autogroup; setrlimit RLIMIT_NICE
TEST(Autogroup, UserMayNotGoBelowZeroNorTwiceAtOnce) {
  NEED_AUTOGROUP();
  NEED_CAPABILITY(kCapSetuid);
  Child c([] {
    setsid();
    set_limit(RLIMIT_NICE, 0);
    Fd file(open("/proc/self/autogroup", O_RDWR));
    become_user();
    auto write_it = [&](const char* text) { return write(file, text, strlen(text)) < 0 ? -errno : 0; };
    EXPECT_EQ(-EPERM, write_it("-1"));
    EXPECT_EQ(-EINVAL, write_it("20"));
    int error = 0;
    EXPECT_TRUE(eventually([&] { return (error = write_it("5")) != -EAGAIN; }));
    EXPECT_EQ(0, error);
    EXPECT_EQ(-EAGAIN, write_it("6"));
    EXPECT_TRUE(eventually([&] { return write_it("6") == 0; }));
  });
  EXPECT_EQ(0, c.exit_code());
}

// spec 31 F-51 | /proc/sys/kernel/sched_autogroup_enabled
TEST(Autogroup, Switch) {
  NEED_AUTOGROUP();
  EXPECT_EQ(-EINVAL, enabled.write("2"));
  EXPECT_EQ(-EINVAL, enabled.write("-1"));
  EXPECT_EQ(-EINVAL, enabled.write("x"));
  EXPECT_EQ("1\n", enabled.read());
  EXPECT_EQ(0, enabled.write("0"));
  expect_in_child([] {  // groups are made all the same, only not used
    const auto before = autogroup(getpid());
    ASSERT_GT(setsid(), 0);
    EXPECT_LT(before.first, autogroup(getpid()).first);
  });
}

// spec 32 R-14 | /proc/sys/kernel/sched_rt_runtime_us; /proc/sys/kernel/sched_rt_period_us
TEST(SchedFiles, RtLimits) {
  NEED_CAPABILITY(kCapSysAdmin);
  if (access((kSysctl + "sched_rt_runtime_us").c_str(), W_OK)) GTEST_SKIP() << "the limits are not to be changed here";
  SKIP_FROM(6, 8, "more values are refused");
  Sysctl runtime("sched_rt_runtime_us"), period("sched_rt_period_us");
  EXPECT_EQ("950000\n", runtime.read());
  EXPECT_EQ("1000000\n", period.read());
  EXPECT_EQ(-EINVAL, runtime.write("1000001"));  // more than there is
  EXPECT_EQ(-EINVAL, period.write("0"));
  EXPECT_EQ(-EINVAL, period.write("949999"));
  EXPECT_EQ(-EINVAL, runtime.write("x"));
  EXPECT_EQ("950000\n", runtime.read());
  EXPECT_EQ(0, runtime.write("-1"));
  EXPECT_EQ("-1\n", runtime.read());
  EXPECT_EQ(0, runtime.write("500000"));
  EXPECT_EQ(0, period.write("600000"));
  EXPECT_EQ("600000\n", period.read());
  EXPECT_EQ(0, period.write("1000000"));
}

// spec 32 2 | /proc/sys/kernel/sched_rr_timeslice_ms; sched_rr_get_interval
TEST(SchedFiles, RrSlice) {
  NEED_REALTIME();
  if (access((kSysctl + "sched_rr_timeslice_ms").c_str(), W_OK)) GTEST_SKIP() << "the slice is not to be changed here";
  Sysctl slice("sched_rr_timeslice_ms");
  EXPECT_EQ("100\n", slice.read());
  EXPECT_EQ(0, slice.write("40"));
  expect_in_child([] {
    timespec t{};
    EXPECT_EQ(0, set_policy(0, SCHED_RR, 1));
    EXPECT_EQ(0, sys(SYS_sched_rr_get_interval, 0, &t));
    EXPECT_EQ(40'000'000, t.tv_nsec);
  });
  EXPECT_EQ(0, slice.write("-1"));
  EXPECT_EQ("100\n", slice.read());
  EXPECT_EQ(-EINVAL, slice.write("x"));
}

// spec 30 14 | /proc/loadavg
TEST(SchedFiles, Loadavg) {
  double a, b, c;
  long running, all, last;
  EXPECT_EQ(6, sscanf(read_file("/proc/loadavg").c_str(), "%lf %lf %lf %ld/%ld %ld\n", &a, &b, &c, &running, &all, &last));
  EXPECT_GE(running, 1);
  EXPECT_GE(all, running);
  Child child([] { pause(); });
  sscanf(read_file("/proc/loadavg").c_str(), "%lf %lf %lf %ld/%ld %ld\n", &a, &b, &c, &running, &all, &last);
  if (status_field(getpid(), "NSpid").find('\t') == std::string::npos) {
    EXPECT_GE(last, child.pid());
  }
}

}  // namespace
