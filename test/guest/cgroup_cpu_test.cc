// The cpu controller's files of cgroup v2: what they say, take and refuse.
// SPDX-License-Identifier: Apache-2.0
#include "test/guest/cgroup.hh"

using namespace guest;

namespace {

/// A cgroup with the controller on, for the scope; controllers of the root are as before at its end.
class CpuGroup {
 public:
  explicit CpuGroup(const std::string& top)
      : top_(top), had_(controls(top)), on_(had_ || write_file(top + "/cgroup.subtree_control", "+cpu") == 0), g(top, "cpu") {}
  ~CpuGroup() {
    if (on_ && !had_) write_file(top_ + "/cgroup.subtree_control", "-cpu");
  }
  static bool controls(const std::string& path) {
    std::string text = " " + read_file(path + "/cgroup.subtree_control");
    for (char& c : text)
      if (c == '\n') c = ' ';
    return text.find(" cpu ") != std::string::npos;
  }
  bool there() const { return on_ && exists(g.path + "/cpu.weight"); }
  std::string read(const char* file) const { return g.read(file); }
  int write(const char* file, const char* text) const { return g.write(file, text); }

 private:
  std::string top_;
  bool had_, on_;

 public:
  Group g;
};

#define NEED_CPU_CONTROLLER() \
  NEED_CGROUPS();             \
  CpuGroup c(top);            \
  if (!c.there()) GTEST_SKIP() << "the cpu controller is not to be had"

// spec 31 F-47 | cpu.weight
TEST(CgroupCpu, Weight) {
  NEED_CPU_CONTROLLER();
  EXPECT_EQ("100\n", c.read("cpu.weight"));
  for (const char* good : {"1", "3", "50", "99", "100", "101", "10000", "0x10", "010", "+5", "8\n"})
    EXPECT_EQ(0, c.write("cpu.weight", good)) << good;
  EXPECT_EQ("8\n", c.read("cpu.weight"));
  for (const char* bad : {"0", "10001", "1000000"}) EXPECT_EQ(-ERANGE, c.write("cpu.weight", bad)) << bad;
  for (const char* bad : {"x", "-1", "1 2", "1x", "\n", "1.5", "max", " 7", "7 "}) EXPECT_EQ(-EINVAL, c.write("cpu.weight", bad)) << bad;
  EXPECT_EQ(-ERANGE, c.write("cpu.weight", "99999999999999999999"));
  EXPECT_EQ("8\n", c.read("cpu.weight"));
  EXPECT_FALSE(exists(top + "/cpu.weight"));
}

// spec 31 F-47 | cpu.weight; cpu.weight.nice
TEST(CgroupCpu, WeightIsRememberedAsShares) {
  NEED_CPU_CONTROLLER();
  for (const char* weight : {"1", "2", "3", "50", "55", "200", "9999"}) {
    EXPECT_EQ(0, c.write("cpu.weight", weight));
    EXPECT_EQ(std::string(weight) + "\n", c.read("cpu.weight"));
  }
  for (auto [weight, nice] : {std::pair{"100", "0\n"}, {"10000", "-20\n"}, {"1", "19\n"}, {"200", "-3\n"}, {"50", "3\n"}}) {
    EXPECT_EQ(0, c.write("cpu.weight", weight));
    EXPECT_EQ(nice, c.read("cpu.weight.nice")) << weight;
  }
}

// spec 31 F-47 | cpu.weight.nice
TEST(CgroupCpu, WeightNice) {
  NEED_CPU_CONTROLLER();
  EXPECT_EQ("0\n", c.read("cpu.weight.nice"));
  for (int nice = -20; nice <= 19; nice++) {
    std::string text = std::to_string(nice);
    EXPECT_EQ(0, c.write("cpu.weight.nice", text.c_str()));
    EXPECT_EQ(text + "\n", c.read("cpu.weight.nice"));
  }
  EXPECT_EQ("1\n", c.read("cpu.weight"));
  for (const char* bad : {"-21", "20", "100"}) EXPECT_EQ(-ERANGE, c.write("cpu.weight.nice", bad)) << bad;
  for (const char* bad : {"x", "", "1 1", "\n"}) EXPECT_EQ(*bad ? -EINVAL : 0, c.write("cpu.weight.nice", bad)) << bad;
  EXPECT_EQ("19\n", c.read("cpu.weight.nice"));
}

// spec 31 F-50 | cpu.idle; cpu.weight
TEST(CgroupCpu, Idle) {
  NEED_CPU_CONTROLLER();
  EXPECT_EQ("0\n", c.read("cpu.idle"));
  for (const char* bad : {"2", "-1", "x"}) EXPECT_EQ(-EINVAL, c.write("cpu.idle", bad)) << bad;
  EXPECT_EQ(0, c.write("cpu.weight", "300"));
  EXPECT_EQ(0, c.write("cpu.idle", "1"));
  EXPECT_EQ("1\n", c.read("cpu.idle"));
  EXPECT_EQ("0\n", c.read("cpu.weight"));
  EXPECT_EQ(-EINVAL, c.write("cpu.weight", "300"));
  EXPECT_EQ(-EINVAL, c.write("cpu.weight.nice", "0"));
  EXPECT_EQ(0, c.write("cpu.idle", "1"));
  EXPECT_EQ(0, c.write("cpu.idle", "0"));
  EXPECT_EQ("100\n", c.read("cpu.weight"));
  EXPECT_FALSE(exists(top + "/cpu.idle"));
}

// spec 31 F-52 | cpu.max
TEST(CgroupCpu, Max) {
  NEED_CPU_CONTROLLER();
  EXPECT_EQ("max 100000\n", c.read("cpu.max"));
  for (auto [text, result] : {std::pair{"50000", "50000 100000\n"}, {"20000 50000", "20000 50000\n"}, {"max", "max 50000\n"},
                              {"max 1000000", "max 1000000\n"}, {"1000 1000", "1000 1000\n"}, {"3000000 1000000", "3000000 1000000\n"},
                              {"4000 x", "4000 1000000\n"}}) {
    EXPECT_EQ(0, c.write("cpu.max", text)) << text;
    EXPECT_EQ(result, c.read("cpu.max")) << text;
  }
  for (const char* bad : {"999", "0", "-1", "x", "50000 999", "50000 1000001", "50000 0", "\n", "maximum"})
    EXPECT_EQ(-EINVAL, c.write("cpu.max", bad)) << bad;
  EXPECT_EQ("4000 1000000\n", c.read("cpu.max"));
  EXPECT_FALSE(exists(top + "/cpu.max"));
}

// spec 31 F-52 | cpu.max.burst; cpu.max
TEST(CgroupCpu, Burst) {
  NEED_CPU_CONTROLLER();
  if (!exists(c.g.path + "/cpu.max.burst")) GTEST_SKIP() << "there is no cpu.max.burst";
  EXPECT_EQ("0\n", c.read("cpu.max.burst"));
  EXPECT_EQ(0, c.write("cpu.max", "20000 100000"));
  EXPECT_EQ(0, c.write("cpu.max.burst", "20000"));
  EXPECT_EQ("20000\n", c.read("cpu.max.burst"));
  EXPECT_EQ(-EINVAL, c.write("cpu.max.burst", "20001"));
  EXPECT_EQ(-EINVAL, c.write("cpu.max.burst", "-1"));
  EXPECT_EQ(-EINVAL, c.write("cpu.max.burst", "max"));
  EXPECT_EQ(-EINVAL, c.write("cpu.max", "10000"));  // below the burst
  EXPECT_EQ("20000 100000\n", c.read("cpu.max"));
  EXPECT_EQ(0, c.write("cpu.max.burst", "0"));
  EXPECT_EQ(0, c.write("cpu.max", "10000"));
}

// spec 31 8, F-56 | cpu.stat; cpu.max
TEST(CgroupCpu, HeldGroupIsThrottledAndCounted) {
  NEED_CPU_CONTROLLER();
  EXPECT_EQ(0, c.write("cpu.max", "5000 50000"));
  Child hog([&] {
    c.write("cgroup.procs", "0");
    for (;;) {
    }
  });
  auto stat = [&](const char* name) {
    std::string text = "\n" + c.read("cpu.stat");
    size_t at = text.find(std::string("\n") + name + " ");
    return at == std::string::npos ? -1ll : atoll(text.c_str() + at + strlen(name) + 2);
  };
  EXPECT_TRUE(eventually([&] { return stat("nr_throttled") >= 3 && stat("throttled_usec") > 0; }));
  EXPECT_GE(stat("nr_periods"), stat("nr_throttled"));
  EXPECT_GT(stat("usage_usec"), 0);
  EXPECT_GE(stat("usage_usec") + 10, stat("user_usec") + stat("system_usec"));
  EXPECT_EQ(0, stat("nr_bursts"));
  EXPECT_EQ(0, stat("burst_usec"));
  EXPECT_EQ(0, c.write("cpu.max", "max"));
  hog.kill(SIGKILL);
  EXPECT_EQ(kSignal + SIGKILL, hog.exit_code());
}

// spec 31 8 | cpu.stat
TEST(CgroupCpu, StatIsThereWithoutTheController) {
  NEED_CGROUPS();
  Group g(top, "stat");
  std::string before = g.read("cpu.stat");
  EXPECT_EQ(0u, before.find("usage_usec 0\nuser_usec 0\nsystem_usec 0\n"));
}

}  // namespace
