// Namespaces: what is inside, what is outside, who may make and enter them.
// SPDX-License-Identifier: Apache-2.0
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ipc.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

CloneArgs with(uint64_t flags) {
  CloneArgs a;
  a.flags = flags;
  a.exit_signal = SIGCHLD;
  return a;
}

ino_t ns_of(const std::string& task, const char* kind) {
  struct stat st {};
  EXPECT_EQ(0, stat(("/proc/" + task + "/ns/" + kind).c_str(), &st)) << task << kind;
  return st.st_ino;
}

// spec 20 F-110 | unshare
TEST(Unshare, InvalidBits) {
  constexpr unsigned long valid = CLONE_THREAD | CLONE_FS | CLONE_NEWNS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM | CLONE_NEWUTS |
                                  CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWCGROUP | CLONE_NEWTIME;
  for (int bit = 0; bit < 33; bit++) {
    unsigned long flag = 1ul << bit;
    if (flag & valid) continue;
    EXPECT_EQ(-EINVAL, sys(SYS_unshare, flag)) << bit;
  }
  EXPECT_EQ(0, sys(SYS_unshare, 0));
}

// spec 20 F-110 | unshare CLONE_FILES CLONE_FS CLONE_SYSVSEM CLONE_THREAD CLONE_SIGHAND CLONE_VM
TEST(Unshare, WhatIsNotSharedIsEasy) {
  for (unsigned long flag : {CLONE_FILES, CLONE_FS, CLONE_SYSVSEM, CLONE_THREAD, CLONE_SIGHAND, CLONE_VM})
    expect_in_child([&] { EXPECT_EQ(0, sys(SYS_unshare, flag)) << std::hex << flag; });
}

// spec 20 F-111 | unshare CLONE_THREAD CLONE_SIGHAND CLONE_VM
TEST(Unshare, NotInAProcessWithThreads) {
  expect_in_child([] {
    static Stack s;
    clone_fn([](void*) {
      for (;;) raw(SYS_pause);
      return 0;
    }, nullptr, s, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD);
    for (unsigned long flag : {CLONE_THREAD, CLONE_SIGHAND, CLONE_VM, CLONE_NEWUSER}) EXPECT_EQ(-EINVAL, sys(SYS_unshare, flag)) << std::hex << flag;
    EXPECT_EQ(0, sys(SYS_unshare, CLONE_FILES));
  });
}

// spec 20 F-112 | unshare CLONE_FILES
TEST(Unshare, FilesBecomeApart) {
  CloneArgs a = with(CLONE_FILES);
  int fd = open("/dev/null", O_RDONLY);
  EXPECT_EQ(0, exit_code(spawn3(a, [&] {
              EXPECT_EQ(0, sys(SYS_unshare, CLONE_FILES));
              close(fd);
            })));
  EXPECT_EQ(0, fcntl(fd, F_GETFD));
  close(fd);
}

// spec 20 F-112 | unshare CLONE_FS
TEST(Unshare, FsBecomesApart) {
  mode_t old = umask(022);
  EXPECT_EQ(0, exit_code(spawn3(with(CLONE_FS), [&] {
              EXPECT_EQ(0, sys(SYS_unshare, CLONE_FS));
              umask(0777);
            })));
  EXPECT_EQ(022u, umask(old));
}

// spec 20 F-113 | setns
TEST(Setns, Errors) {
  Fd null(open("/dev/null", O_RDONLY));
  EXPECT_EQ(-EBADF, sys(SYS_setns, 987, 0));
  EXPECT_EQ(-EINVAL, sys(SYS_setns, (int)null, 0));
  Child c([] {});
  Fd pidfd(pidfd_open(c));
  EXPECT_EQ(0, c.exit_code());
  EXPECT_EQ(-EINVAL, sys(SYS_setns, (int)pidfd, 0));
}

// spec 20 F-113 | setns
TEST(Setns, KindMustMatch) {
  NEED_NAMESPACE(CLONE_NEWUTS);
  Fd uts(open("/proc/self/ns/uts", O_RDONLY));
  ASSERT_GE(uts, 0);
  EXPECT_EQ(-EINVAL, sys(SYS_setns, (int)uts, CLONE_NEWIPC));
  NEED_CAPABILITY(kCapSysAdmin);
  expect_in_child([&] {
    EXPECT_EQ(0, sys(SYS_setns, (int)uts, CLONE_NEWUTS));
    EXPECT_EQ(0, sys(SYS_setns, (int)uts, 0));
  });
}

// spec 20 F-113 | setns
TEST(Setns, NeedsACapability) {
  NEED_NAMESPACE(CLONE_NEWUTS);
  NEED_CAPABILITY(kCapSetuid);
  Fd uts(open("/proc/self/ns/uts", O_RDONLY));
  expect_in_child([&] {
    become_user();
    EXPECT_EQ(-EPERM, sys(SYS_setns, (int)uts, 0));
  });
}

// spec 20 F-113 | setns CLONE_NEWUSER
TEST(Setns, OwnUserNamespaceIsRefused) {
  NEED_NAMESPACE(CLONE_NEWUSER);
  Fd user(open("/proc/self/ns/user", O_RDONLY));
  EXPECT_EQ(-EINVAL, sys(SYS_setns, (int)user, 0));
}

// spec 20 8 | unshare CLONE_NEWUTS; sethostname
TEST(UtsNs, NamesAreCopiedAndApart) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWUTS);
  utsname before, after;
  uname(&before);
  expect_in_child([&] {
    ino_t old = ns_of("self", "uts");
    EXPECT_EQ(0, sys(SYS_unshare, CLONE_NEWUTS));
    EXPECT_NE(old, ns_of("self", "uts"));
    utsname u;
    uname(&u);
    EXPECT_STREQ(before.nodename, u.nodename);
    EXPECT_EQ(0, sethostname("inside", 6));
    uname(&u);
    EXPECT_STREQ("inside", u.nodename);
    EXPECT_EQ("inside\n", read_file("/proc/sys/kernel/hostname"));
  });
  uname(&after);
  EXPECT_STREQ(before.nodename, after.nodename);
}

// spec 20 F-113 | setns CLONE_NEWUTS
TEST(UtsNs, EnterByFileAndByPidfd) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWUTS);
  Pipe ready;
  Child c(spawn3(with(CLONE_NEWUTS), [&] {
    sethostname("there", 5);
    ready.post();
    pause();
  }));
  ready.await();
  Fd file(open(("/proc/" + std::to_string(c.pid()) + "/ns/uts").c_str(), O_RDONLY)), pidfd(pidfd_open(c));
  for (int fd : {(int)file, (int)pidfd})
    expect_in_child([&] {
      EXPECT_EQ(0, sys(SYS_setns, fd, CLONE_NEWUTS));
      utsname u;
      uname(&u);
      EXPECT_STREQ("there", u.nodename);
    });
}

// spec 20 F-92, T-20 | clone3 CLONE_NEWPID; getpid; getppid
TEST(PidNs, ChildIsNumberOne) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  pid_t pid = spawn3(with(CLONE_NEWPID), [] {
    EXPECT_EQ(1, getpid());
    EXPECT_EQ(0, getppid());  // not visible there
    pid_t child = spawn([] {
      EXPECT_EQ(2, getpid());
      EXPECT_EQ(1, getppid());
    });
    EXPECT_EQ(2, child);
    EXPECT_EQ(0, exit_code(child));
  });
  EXPECT_GT(pid, 1);
  EXPECT_EQ(0, exit_code(pid));
}

// spec 20 T-31, F-110 | unshare CLONE_NEWPID
TEST(PidNs, UnshareIsForChildrenOnly) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  expect_in_child([] {
    pid_t me = getpid();
    ino_t own = ns_of("self", "pid");
    EXPECT_EQ(0, sys(SYS_unshare, CLONE_NEWPID));
    EXPECT_EQ(me, getpid());
    EXPECT_EQ(own, ns_of("self", "pid"));
    expect_in_child([] { EXPECT_EQ(1, getpid()); });
  });
}

// spec 20 F-26 | unshare CLONE_NEWPID; clone CLONE_THREAD
TEST(PidNs, NoThreadsAfterUnshare) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  expect_in_child([] {
    EXPECT_EQ(0, sys(SYS_unshare, CLONE_NEWPID));
    static Stack s;
    EXPECT_EQ(-EINVAL, clone_fn([](void*) { return 0; }, nullptr, s, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD));
  });
}

// spec 21 X-22 | unshare CLONE_NEWPID; fork
TEST(PidNs, NoForkAfterInitDied) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  expect_in_child([] {
    EXPECT_EQ(0, sys(SYS_unshare, CLONE_NEWPID));
    expect_in_child([] {});
    EXPECT_EQ(-1, fork());
    EXPECT_EQ(ENOMEM, errno);
  });
}

// spec 21 X-22, X-23 | clone3 CLONE_NEWPID; exit_group
TEST(PidNs, InitsDeathKillsTheRest) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  Pipe alive;
  pid_t init = spawn3(with(CLONE_NEWPID), [&] {
    for (int i = 0; i < 3; i++)
      spawn([] {
        for (;;) pause();
      });
    return 5;
  });
  alive.w.reset();
  EXPECT_EQ(5, exit_code(init));
  char c;
  EXPECT_EQ(0, read(alive.r, &c, 1));  // all ends of the pipe are closed
}

// spec 21 S-12, 20 (Init protection) | kill; clone3 CLONE_NEWPID
TEST(PidNs, InitIsProtectedFromItsOwn) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  Pipe ready;
  Child init(spawn3(with(CLONE_NEWPID), [&] {
    expect_in_child([] {
      for (int sig : {SIGKILL, SIGTERM, SIGSTOP, SIGUSR1}) EXPECT_EQ(0, kill(1, sig));
    });
    kill(getpid(), SIGKILL);
    raise(SIGSTOP);
    ready.post(testing::Test::HasFailure() ? 'n' : 'y');
    for (;;) pause();
  }));
  EXPECT_EQ('y', ready.await());
  EXPECT_EQ(0, init.kill(SIGTERM));  // from outside: dropped too
  EXPECT_TRUE(eventually_sleeps(init));
  EXPECT_EQ(0, init.kill(SIGSTOP));  // but these two are not
  EXPECT_EQ(SIGSTOP << 8 | 0x7f, init.wait(WUNTRACED));
  EXPECT_EQ(0, init.kill(SIGKILL));
  EXPECT_EQ(kSignal + SIGKILL, init.exit_code());
}

// spec 21 S-12, S-18 | kill; clone3 CLONE_NEWPID
TEST(PidNs, SenderFromOutsideIsZero) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  Pipe ready;
  Child init(spawn3(with(CLONE_NEWPID), [&] {
    Blocked b{SIGUSR1};
    ready.post();
    siginfo_t info{};
    EXPECT_EQ(SIGUSR1, await_signal({SIGUSR1}, &info));
    EXPECT_EQ(0, info.si_pid);
    EXPECT_EQ(SI_USER, info.si_code);
  }));
  ready.await();
  init.kill(SIGUSR1);
  EXPECT_EQ(0, init.exit_code());
}

// spec 21 X-16 | clone3 CLONE_NEWPID
TEST(PidNs, OrphansGoToItsInit) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  EXPECT_EQ(0, exit_code(spawn3(with(CLONE_NEWPID), [] {
              pid_t orphan = 0;
              Pipe p;
              expect_in_child([&] { p.put(spawn([] { return 9; })); });
              orphan = p.get<pid_t>();
              EXPECT_EQ(9, exit_code(orphan));
            })));
}

// spec 20 F-66, F-70 | clone3 set_tid CLONE_NEWPID
TEST(PidNs, SetTidOnSeveralLevels) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  EXPECT_EQ(0, exit_code(spawn3(with(CLONE_NEWPID), [] {
              pid_t tids[2] = {77, 31234};
              CloneArgs a = with(0);
              a.set_tid = address(tids);
              a.set_tid_size = 2;
              pid_t pid = spawn3(a, [] { EXPECT_EQ(77, getpid()); });
              EXPECT_EQ(77, pid);
              EXPECT_EQ(0, exit_code(pid));
              tids[0] = 1;
              EXPECT_EQ(-EEXIST, clone3(a));
            })));
}

// spec 20 F-68 | clone3 set_tid CLONE_NEWPID
TEST(PidNs, FirstProcessMustBeNumberOne) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  pid_t tid = 5;
  CloneArgs a = with(CLONE_NEWPID);
  a.set_tid = address(&tid);
  a.set_tid_size = 1;
  EXPECT_EQ(-EINVAL, clone3(a));
  tid = 1;
  EXPECT_EQ(0, exit_code(spawn3(a, [] { EXPECT_EQ(1, getpid()); })));
}

// spec 20 T-20 | /proc/PID/status NSpid; clone3 CLONE_NEWPID
TEST(PidNs, StatusShowsAllNumbers) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  Child init(spawn3(with(CLONE_NEWPID), [&] { pause(); }));
  EXPECT_EQ(status_field(getpid(), "NSpid").substr(0, 0) + std::to_string(init.pid()) + "\t1", status_field(init, "NSpid"));
}

// spec 20 F-113 | setns CLONE_NEWPID
TEST(PidNs, EnterOnlyDownwards) {
  NEED_CAPABILITY(kCapSysAdmin);
  NEED_NAMESPACE(CLONE_NEWPID);
  Fd outer(open("/proc/self/ns/pid", O_RDONLY));
  Child init(spawn3(with(CLONE_NEWPID), [&] {
    if (sys(SYS_setns, (int)outer, CLONE_NEWPID) != -EINVAL) _exit(1);
    pause();
  }));
  Fd inner(open(("/proc/" + std::to_string(init.pid()) + "/ns/pid").c_str(), O_RDONLY));
  ASSERT_GE(inner, 0);
  expect_in_child([&] {
    EXPECT_EQ(0, sys(SYS_setns, (int)inner, CLONE_NEWPID));
    expect_in_child([] {
      EXPECT_EQ(2, getpid());
      EXPECT_EQ(0, getppid());
    });
  });
  EXPECT_TRUE(eventually_sleeps(init));
}

// spec 20 F-61 | unshare CLONE_NEWUSER
TEST(UserNs, UnprivilegedMakerHasAllCapabilities) {
  NEED_NAMESPACE(CLONE_NEWUSER);
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    become_user();
    prctl(PR_SET_DUMPABLE, 1);
    if (sys(SYS_unshare, CLONE_NEWUSER) == -EPERM) return;  // forbidden by the machine's owner
    EXPECT_EQ("000001ffffffffff", status_field(getpid(), "CapEff"));
    EXPECT_EQ(65534u, getuid());  // not mapped yet
    EXPECT_EQ(65534u, getgid());
    EXPECT_EQ(0, write_file("/proc/self/setgroups", "deny"));
    EXPECT_EQ(0, write_file("/proc/self/uid_map", "0 1000 1"));
    EXPECT_EQ(0, write_file("/proc/self/gid_map", "0 1000 1"));
    EXPECT_EQ(0u, getuid());
    EXPECT_EQ(0u, getgid());
    EXPECT_EQ("         0       1000          1\n", read_file("/proc/self/uid_map"));
    EXPECT_EQ(-EPERM, write_file("/proc/self/uid_map", "0 1000 1"));  // once only
  });
}

// spec 20 F-64 | clone3 CLONE_NEWUSER CLONE_NEWUTS CLONE_NEWPID
TEST(UserNs, OtherNamespacesComeWithIt) {
  NEED_NAMESPACE(CLONE_NEWUSER);
  NEED_NAMESPACE(CLONE_NEWUTS);
  NEED_NAMESPACE(CLONE_NEWPID);
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    become_user();
    long pid = clone3(with(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWPID));
    if (pid == 0) {
      EXPECT_EQ(1, getpid());
      EXPECT_EQ(0, sethostname("mine", 4));
      child_exit(0);
    }
    if (pid == -EPERM) return;
    EXPECT_EQ(0, exit_code((pid_t)pid));
  });
}

// spec 20 F-61 | unshare CLONE_NEWUSER; chroot
TEST(UserNs, NotFromAChroot) {
  NEED_NAMESPACE(CLONE_NEWUSER);
  NEED_CAPABILITY(kCapSysAdmin);
  expect_in_child([] {
    EXPECT_EQ(0, chroot("/proc"));
    EXPECT_EQ(-EPERM, sys(SYS_unshare, CLONE_NEWUSER));
  });
}

// spec 20 F-61 | unshare CLONE_NEWUSER
TEST(UserNs, NestingIsLimited) {
  NEED_NAMESPACE(CLONE_NEWUSER);
  NEED_CAPABILITY(kCapSysAdmin);
  expect_in_child([] {
    int depth = 0;
    long r = 0;
    while (depth < 100) {
      std::string id = std::to_string(geteuid());
      if ((r = sys(SYS_unshare, CLONE_NEWUSER)) != 0) break;
      depth++;
      EXPECT_EQ(0, write_file("/proc/self/uid_map", "0 0 1")) << depth;
      write_file("/proc/self/setgroups", "deny");
      EXPECT_EQ(0, write_file("/proc/self/gid_map", "0 0 1")) << depth;
    }
    EXPECT_EQ(-ENOSPC, r);
    EXPECT_LE(depth, 33);
    EXPECT_GE(depth, 28);  // less if this is in one itself
  });
}

// spec 20 8 | unshare CLONE_NEWNS; mount
TEST(MountNs, MountsAreApart) {
  NEED_NAMESPACE(CLONE_NEWNS);
  NEED_CAPABILITY(kCapSysAdmin);
  expect_in_child([] {
    EXPECT_EQ(0, mkdir("/tmp/guest-mnt", 0755) == 0 || errno == EEXIST ? 0 : errno);
    expect_in_child([] {
      EXPECT_EQ(0, sys(SYS_unshare, CLONE_NEWNS));
      EXPECT_EQ(0, mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
      EXPECT_EQ(0, mount("none", "/tmp/guest-mnt", "tmpfs", 0, nullptr));
      Fd f(open("/tmp/guest-mnt/inside", O_CREAT | O_WRONLY, 0600));
      EXPECT_GE(f, 0);
      EXPECT_TRUE(exists("/tmp/guest-mnt/inside"));
    });
    EXPECT_FALSE(exists("/tmp/guest-mnt/inside"));
    rmdir("/tmp/guest-mnt");
  });
}

// spec 20 F-110 | unshare CLONE_NEWNS; chdir
TEST(MountNs, UnshareImpliesFs) {
  NEED_NAMESPACE(CLONE_NEWNS);
  NEED_CAPABILITY(kCapSysAdmin);
  mode_t old = umask(022);
  EXPECT_EQ(0, exit_code(spawn3(with(CLONE_FS), [&] {
              EXPECT_EQ(0, sys(SYS_unshare, CLONE_NEWNS));
              umask(0777);
            })));
  EXPECT_EQ(022u, umask(old));
}

// spec 20 8 | unshare CLONE_NEWIPC; semget
TEST(IpcNs, KeysAreApart) {
  NEED_NAMESPACE(CLONE_NEWIPC);
  NEED_CAPABILITY(kCapSysAdmin);
  expect_in_child([] {
    int id = static_cast<int>(sys(SYS_semget, 0x1234abcd, 1, IPC_CREAT | 0600));
    EXPECT_GE(id, 0);
    expect_in_child([] {
      EXPECT_EQ(0, sys(SYS_unshare, CLONE_NEWIPC));
      EXPECT_EQ(-ENOENT, sys(SYS_semget, 0x1234abcd, 1, 0));
    });
    EXPECT_EQ(0, sys(SYS_semctl, id, 0, IPC_RMID, 0));
  });
}

// spec 20 F-27 | unshare CLONE_NEWTIME; clone CLONE_VM
TEST(TimeNs, NoSharedMemoryBeforeItIsEntered) {
  NEED_NAMESPACE(CLONE_NEWTIME);
  NEED_CAPABILITY(kCapSysAdmin);
  SKIP_FROM(6, 2, "allowed with CLONE_VM");
  expect_in_child([] {
    EXPECT_EQ(0, sys(SYS_unshare, CLONE_NEWTIME));
    static Stack s;
    EXPECT_EQ(-EINVAL, clone_fn([](void*) { return 0; }, nullptr, s, CLONE_VM | SIGCHLD));
    expect_in_child([] {});
  });
}

// spec 20 F-64 | unshare CLONE_NEWTIME; clock_gettime
TEST(TimeNs, OffsetsApplyToChildren) {
  NEED_NAMESPACE(CLONE_NEWTIME);
  NEED_CAPABILITY(kCapSysAdmin);
  expect_in_child([] {
    EXPECT_EQ(0, sys(SYS_unshare, CLONE_NEWTIME));
    EXPECT_EQ(0, write_file("/proc/self/timens_offsets", "monotonic 100000 0"));
    timespec outside{};
    sys(SYS_clock_gettime, CLOCK_MONOTONIC, &outside);
    expect_in_child([&] {
      timespec inside{};
      sys(SYS_clock_gettime, CLOCK_MONOTONIC, &inside);
      EXPECT_GE(inside.tv_sec, outside.tv_sec + 100000);
      EXPECT_LT(inside.tv_sec, outside.tv_sec + 100100);
    });
  });
}

// spec 20 8 | clone3 CLONE_NEWNET CLONE_NEWCGROUP
TEST(OtherNs, HaveTheirOwnIdentity) {
  NEED_CAPABILITY(kCapSysAdmin);
  struct {
    int flag;
    const char* kind;
  } kinds[] = {{CLONE_NEWNET, "net"}, {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWIPC, "ipc"}, {CLONE_NEWUTS, "uts"}, {CLONE_NEWNS, "mnt"}};
  int tried = 0;
  for (auto k : kinds) {
    if (!has_namespace(k.flag)) continue;
    tried++;
    ino_t own = ns_of("self", k.kind);
    EXPECT_EQ(0, exit_code(spawn3(with((uint64_t)k.flag), [&] { EXPECT_NE(own, ns_of("self", k.kind)); }))) << k.kind;
    EXPECT_EQ(0, exit_code(spawn3(with(0), [&] { EXPECT_EQ(own, ns_of("self", k.kind)); }))) << k.kind;
  }
  if (!tried) GTEST_SKIP() << "there are no namespaces";
}

// spec 20 F-112 | unshare; /proc/PID/ns
TEST(OtherNs, FailureLeavesAllAsItWas) {
  NEED_NAMESPACE(CLONE_NEWUTS);
  NEED_CAPABILITY(kCapSetuid);
  expect_in_child([] {
    become_user();
    ino_t own = ns_of("self", "uts");
    EXPECT_EQ(-EPERM, sys(SYS_unshare, CLONE_NEWUTS | CLONE_FS | CLONE_FILES));
    EXPECT_EQ(own, ns_of("self", "uts"));
  });
}

}  // namespace
