// Credentials and limits as forks, waits and signals see them.
// SPDX-License-Identifier: Apache-2.0
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

// spec 20 18 | fork; setresuid; getresuid
TEST(Cred, AllIdsAreInherited) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    gid_t groups[3] = {5, 6, 7};
    EXPECT_EQ(0, setgroups(3, groups));
    EXPECT_EQ(0, setresgid(11, 12, 13));
    EXPECT_EQ(0, setresuid(1, 2, 3));
    expect_in_child([] {
      uid_t r, e, s;
      getresuid(&r, &e, &s);
      EXPECT_EQ(1u, r);
      EXPECT_EQ(2u, e);
      EXPECT_EQ(3u, s);
      gid_t rg, eg, sg;
      getresgid(&rg, &eg, &sg);
      EXPECT_EQ(11u, rg);
      EXPECT_EQ(12u, eg);
      EXPECT_EQ(13u, sg);
      gid_t list[10];
      EXPECT_EQ(3, getgroups(10, list));
      EXPECT_EQ("1\t2\t3\t2", status_field(getpid(), "Uid"));
      EXPECT_EQ("11\t12\t13\t12", status_field(getpid(), "Gid"));
    });
  });
}

// spec 20 F-60 | fork; setuid
TEST(Cred, ChildsChangesStayItsOwn) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] { become_user(); });
  EXPECT_EQ(0u, geteuid());
}

// spec 20 F-60 | clone CLONE_THREAD; setresuid
TEST(Cred, ThreadsHaveCredentialsOfTheirOwn) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    static Stack s;
    static volatile long done;
    done = -1;
    clone_fn([](void*) {
      long r = raw(SYS_setresuid, 1000, 1000, 1000);
      done = r == 0 ? raw(SYS_getuid) : r;
      raw(SYS_exit, 0);
      return 0;
    }, nullptr, s, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD);
    EXPECT_TRUE(eventually([] { return done != -1; }));
    EXPECT_EQ(1000, done);
    EXPECT_EQ(0, sys(SYS_getuid));
  });
}

// spec 20 18 | fork; capset; capget
TEST(Cred, CapabilitiesAreInheritedByFork) {
  NEED_CAPABILITY(kCapSysAdmin);
  expect_in_child([] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    EXPECT_EQ(0, sys(SYS_capget, &header, data));
    data[0].effective &= ~(1u << kCapSysAdmin);
    EXPECT_EQ(0, sys(SYS_capset, &header, data));
    expect_in_child([] {
      EXPECT_FALSE(has_capability(kCapSysAdmin));
      EXPECT_TRUE(has_capability(kCapKill));
      EXPECT_EQ(-EPERM, sys(SYS_unshare, CLONE_NEWNS) == -EINVAL ? -EPERM : sys(SYS_unshare, CLONE_NEWNS));
    });
  });
}

// spec 20 F-62 | setrlimit RLIMIT_NPROC; clone CLONE_THREAD
TEST(Limits, ThreadsCountAsProcesses) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    become_user(54330, 54330);
    rlimit r{2, 2};
    EXPECT_EQ(0, setrlimit(RLIMIT_NPROC, &r));
    static Stack a, b;
    auto wait = [](void*) {
      for (;;) raw(SYS_pause);
      return 0;
    };
    constexpr int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    EXPECT_GT(clone_fn(wait, nullptr, a, flags), 0);
    EXPECT_EQ(-EAGAIN, clone_fn(wait, nullptr, b, flags));
    EXPECT_EQ(-1, fork());
    EXPECT_EQ(EAGAIN, errno);
  });
}

// spec 20 F-62 | setrlimit RLIMIT_NPROC
TEST(Limits, ZombiesCount) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    become_user(54331, 54331);
    rlimit r{2, 2};
    EXPECT_EQ(0, setrlimit(RLIMIT_NPROC, &r));
    pid_t zombie = spawn([] {});
    EXPECT_TRUE(eventually_state(zombie, 'Z'));
    EXPECT_EQ(-1, fork());
    EXPECT_EQ(0, exit_code(zombie));
    expect_in_child([] {});
  });
}

// spec 20 F-62 | setuid; execve; setrlimit RLIMIT_NPROC
TEST(Limits, ExecFailsWhenSetuidExceededTheLimit) {
  NEED_CAPABILITY(kCapSetuid);
  Pipe ready;
  Child holder([&] {
    become_user(54332, 54332);
    ready.post();
    pause();
  });
  ready.await();
  expect_in_child([] {
    rlimit r{1, 1};
    EXPECT_EQ(0, setrlimit(RLIMIT_NPROC, &r));
    EXPECT_EQ(0, setresgid(54332, 54332, 54332));
    EXPECT_EQ(0, setresuid(54332, 54332, 54332));  // succeeds
    const char* argv[] = {"guest", "--read-stdin", nullptr};
    execv("/proc/self/exe", const_cast<char**>(argv));
    EXPECT_EQ(EAGAIN, errno);
  });
}

// spec 20 2.6 | prlimit64
TEST(Limits, PrlimitOfAnother) {
  Child c([] { pause(); });
  rlimit r{100, 200}, old{};
  EXPECT_EQ(0, sys(SYS_prlimit64, c.pid(), RLIMIT_NOFILE, &r, &old));
  EXPECT_GT(old.rlim_cur, 0u);
  rlimit now{};
  EXPECT_EQ(0, sys(SYS_prlimit64, c.pid(), RLIMIT_NOFILE, nullptr, &now));
  EXPECT_EQ(100u, now.rlim_cur);
  EXPECT_EQ(200u, now.rlim_max);
  EXPECT_EQ(-ESRCH, sys(SYS_prlimit64, 4194300, RLIMIT_NOFILE, nullptr, &now));
  EXPECT_EQ(-EINVAL, sys(SYS_prlimit64, 0, 16, nullptr, &now));
  r.rlim_cur = 300;
  EXPECT_EQ(-EINVAL, sys(SYS_prlimit64, 0, RLIMIT_NOFILE, &r, nullptr));  // soft above hard
}

// spec 20 2.6 | prlimit64
TEST(Limits, RaisingTheHardLimitNeedsACapability) {
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    rlimit r{100, 100};
    EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &r));
    become_user();
    r.rlim_max = 101;
    EXPECT_EQ(-EPERM, sys(SYS_setrlimit, RLIMIT_NOFILE, &r));
  });
}

// spec 20 F-63 | /proc/sys/kernel/threads-max
TEST(Limits, ThreadsMaxIsThere) {
  long n = atol(read_file("/proc/sys/kernel/threads-max").c_str());
  EXPECT_GE(n, 20);
}

// spec 20 T-22 | /proc/sys/kernel/pid_max
TEST(Limits, PidMaxBounds) {
  NEED_CAPABILITY(kCapSysAdmin);
  std::string old = read_file("/proc/sys/kernel/pid_max");
  EXPECT_EQ(-EINVAL, write_file("/proc/sys/kernel/pid_max", "300"));
  EXPECT_EQ(-EINVAL, write_file("/proc/sys/kernel/pid_max", "4194305"));
  EXPECT_EQ(old, read_file("/proc/sys/kernel/pid_max"));
}

// spec 21 11 | setrlimit RLIMIT_CPU; SIGXCPU
TEST(Limits, CpuLimitSendsXcpuThenKills) {
  int code = in_child([] {
    rlimit core{0, 0}, r{1, 2};
    setrlimit(RLIMIT_CORE, &core);
    static volatile int soft;
    signal(SIGXCPU, [](int) { soft = soft + 1; });
    setrlimit(RLIMIT_CPU, &r);
    for (;;) {
    }
  });
  EXPECT_EQ(kSignal + SIGKILL, code);
}

// spec 20 18 | prctl PR_SET_KEEPCAPS PR_CAPBSET_DROP PR_SET_SECUREBITS
TEST(Cred, PrctlErrors) {
  EXPECT_EQ(-EINVAL, sys(SYS_prctl, 9999, 0, 0, 0, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_prctl, PR_SET_KEEPCAPS, 2, 0, 0, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_prctl, PR_CAPBSET_READ, 999, 0, 0, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_prctl, PR_SET_DUMPABLE, 2, 0, 0, 0));
}

}  // namespace
