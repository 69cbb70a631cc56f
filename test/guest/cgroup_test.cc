// cgroup v2 as forks and exits see it: membership, clone into a cgroup, pids.max, kill, freeze.
// SPDX-License-Identifier: Apache-2.0
#include "test/guest/cgroup.hh"

using namespace guest;

namespace {

std::string own_cgroup(pid_t pid) {
  std::string text = read_file("/proc/" + std::to_string(pid) + "/cgroup");
  size_t at = text.find("0::");
  return at == std::string::npos ? "" : text.substr(at + 3, text.find('\n', at) - at - 3);
}

// spec 20 12.10 | fork; /proc/PID/cgroup
TEST(Cgroup, ChildStartsInItsParents) {
  NEED_CGROUPS();
  Group g(top, "a");
  Child c([&] {
    EXPECT_EQ(0, g.write("cgroup.procs", "0"));
    expect_in_child([&] { EXPECT_EQ(own_cgroup(getppid()), own_cgroup(getpid())); });
    EXPECT_NE(std::string::npos, own_cgroup(getpid()).find("guest-a"));
  });
  EXPECT_EQ(0, c.exit_code());
}

// spec 20 12.10 | clone3 CLONE_INTO_CGROUP
TEST(Cgroup, CloneIntoCgroup) {
  NEED_CGROUPS();
  Group g(top, "b");
  Fd dir(open(g.path.c_str(), O_RDONLY | O_DIRECTORY));
  CloneArgs a;
  a.flags = CLONE_INTO_CGROUP;
  a.exit_signal = SIGCHLD;
  a.cgroup = (uint64_t)(int)dir;
  Pipe go;
  Child c(spawn3(a, [&] { go.await(); }));
  ASSERT_GT(c.pid(), 0);
  EXPECT_NE(std::string::npos, own_cgroup(c).find("guest-b"));
  EXPECT_EQ(std::to_string(c.pid()) + "\n", g.read("cgroup.procs"));
  EXPECT_EQ("populated 1\nfrozen 0\n", g.read("cgroup.events"));
  go.post();
  EXPECT_EQ(0, c.exit_code());
  EXPECT_TRUE(eventually([&] { return g.read("cgroup.events") == "populated 0\nfrozen 0\n"; }));
}

// spec 20 12.10 | clone3 CLONE_INTO_CGROUP
TEST(Cgroup, RemovedCgroupIsRefused) {
  NEED_CGROUPS();
  Fd dir;
  {
    Group g(top, "c");
    dir = Fd(open(g.path.c_str(), O_RDONLY | O_DIRECTORY));
  }
  CloneArgs a;
  a.flags = CLONE_INTO_CGROUP;
  a.exit_signal = SIGCHLD;
  a.cgroup = (uint64_t)(int)dir;
  EXPECT_EQ(-ENOENT, clone3(a));
}

// spec 20 12.10 | clone3 CLONE_INTO_CGROUP
TEST(Cgroup, CloneIntoNeedsWriteAccess) {
  NEED_CGROUPS();
  NEED_CAPABILITY(kCapSetuid);
  Group g(top, "d");
  Fd dir(open(g.path.c_str(), O_RDONLY | O_DIRECTORY));
  expect_in_child([&] {
    become_user();
    CloneArgs a;
    a.flags = CLONE_INTO_CGROUP;
    a.exit_signal = SIGCHLD;
    a.cgroup = (uint64_t)(int)dir;
    EXPECT_EQ(-EACCES, clone3(a));
  });
}

// spec 20 12.10, S26 | fork; pids.max
TEST(Cgroup, PidsMaxStopsForks) {
  NEED_CGROUPS();
  if (read_file(top + "/cgroup.controllers").find("pids") == std::string::npos) GTEST_SKIP() << "no pids controller in v2";
  std::string before = read_file(top + "/cgroup.subtree_control");
  ASSERT_EQ(0, write_file(top + "/cgroup.subtree_control", "+pids"));
  {
    Group g(top, "e");
    EXPECT_EQ("max\n", g.read("pids.max"));
    EXPECT_EQ(0, g.write("pids.max", "2"));
    EXPECT_EQ(-EINVAL, g.write("pids.max", "-1"));
    expect_in_child([&] {
      EXPECT_EQ(0, g.write("cgroup.procs", "0"));
      EXPECT_EQ("1\n", g.read("pids.current"));
      {
        Child one([] { pause(); });
        EXPECT_GT(one.pid(), 0);
        EXPECT_EQ(-1, fork());
        EXPECT_EQ(EAGAIN, errno);
        EXPECT_EQ("max 1\n", g.read("pids.events"));
      }
      EXPECT_TRUE(eventually([&] { return g.read("pids.current") == "1\n"; }));
      expect_in_child([] {});
    });
  }
  if (before.find("pids") == std::string::npos) write_file(top + "/cgroup.subtree_control", "-pids");
}

// spec 20 12.10 | cgroup.kill
TEST(Cgroup, KillEndsAll) {
  NEED_CGROUPS();
  Group g(top, "f");
  if (!exists(g.path + "/cgroup.kill")) GTEST_SKIP() << "there is no cgroup.kill";
  Pipe ready;
  Child a([&] {
    g.write("cgroup.procs", "0");
    Child b([&] {
      ready.post();
      for (;;) pause();
    });
    for (;;) pause();
  });
  ready.await();
  EXPECT_EQ(-EINVAL, g.write("cgroup.kill", "0") == 0 ? 0 : -EINVAL);
  EXPECT_EQ(0, g.write("cgroup.kill", "1"));
  EXPECT_EQ(kSignal + SIGKILL, a.exit_code());
}

// spec 20 12.10 | cgroup.freeze
TEST(Cgroup, FreezeStopsAndThawGoesOn) {
  NEED_CGROUPS();
  Group g(top, "g");
  if (!exists(g.path + "/cgroup.freeze")) GTEST_SKIP() << "there is no cgroup.freeze";
  Pipe go, back;
  Child c([&] {
    g.write("cgroup.procs", "0");
    back.post();
    go.await();
    return 3;
  });
  back.await();
  EXPECT_EQ(0, g.write("cgroup.freeze", "1"));
  EXPECT_TRUE(eventually([&] { return g.read("cgroup.events") == "populated 1\nfrozen 1\n"; }));
  go.post();
  usleep(20000);
  EXPECT_EQ(0, sys(SYS_wait4, c.pid(), nullptr, WNOHANG, nullptr));
  EXPECT_EQ(0, g.write("cgroup.freeze", "0"));
  EXPECT_EQ(3, c.exit_code());
}

// spec 20 12.10 | cgroup.freeze; kill SIGKILL
TEST(Cgroup, FrozenProcessCanBeKilled) {
  NEED_CGROUPS();
  Group g(top, "h");
  if (!exists(g.path + "/cgroup.freeze")) GTEST_SKIP() << "there is no cgroup.freeze";
  Child c([] { pause(); });
  EXPECT_EQ(0, g.write("cgroup.procs", std::to_string(c.pid())));
  EXPECT_EQ(0, g.write("cgroup.freeze", "1"));
  EXPECT_TRUE(eventually([&] { return g.read("cgroup.events") == "populated 1\nfrozen 1\n"; }));
  c.kill(SIGKILL);
  EXPECT_EQ(kSignal + SIGKILL, c.exit_code());
}

// spec 20 12.10 | cgroup.procs; rmdir
TEST(Cgroup, BusyGroupCannotBeRemoved) {
  NEED_CGROUPS();
  Group g(top, "i");
  Child c([] { pause(); });
  EXPECT_EQ(0, g.write("cgroup.procs", std::to_string(c.pid())));
  EXPECT_EQ(-1, rmdir(g.path.c_str()));
  EXPECT_EQ(EBUSY, errno);
  EXPECT_EQ(-ESRCH, g.write("cgroup.procs", "4194300"));
  EXPECT_EQ(-EINVAL, g.write("cgroup.procs", "x"));
}

// spec 20 12.10 | exit_group; /proc/PID/cgroup
TEST(Cgroup, ZombieIsNotInProcs) {
  NEED_CGROUPS();
  Group g(top, "j");
  Child c([&] { g.write("cgroup.procs", "0"); });
  EXPECT_TRUE(eventually_state(c, 'Z'));
  EXPECT_TRUE(eventually([&] { return g.read("cgroup.procs") == ""; }));
  EXPECT_EQ(0, c.exit_code());
}

}  // namespace
