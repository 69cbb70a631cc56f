// fork and vfork: what the child has, and what it does not have.
// SPDX-License-Identifier: Apache-2.0
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

// spec 20 T-1, F-90 | fork; getpid; getppid; gettid
TEST(Fork, ChildHasNewIdAndCallerAsParent) {
  pid_t me = getpid();
  Pipe p;
  Child c([&] {
    EXPECT_EQ(getpid(), gettid());
    EXPECT_EQ(me, getppid());
    p.put(getpid());
  });
  EXPECT_EQ(c.pid(), p.get<pid_t>());
  EXPECT_EQ(0, c.exit_code());
}

// spec 20 F-90 | fork
TEST(Fork, RegistersAreTheParentsButRax) {
  // Callee-saved and argument registers as the call found them; rcx and r11 are the call's.
  long in[6] = {0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444, 0x5555555555555555, 0x6666666666666666};
  struct Out {
    long v[6];
  };
  Shared<Out> out;
  Out* o = &*out;
  long pid;
  asm volatile(
      "mov 0(%[in]), %%rdi\n mov 8(%[in]), %%rsi\n mov 16(%[in]), %%rdx\n mov 24(%[in]), %%r8\n mov 32(%[in]), %%r9\n"
      "mov 40(%[in]), %%r10\n mov %[nr], %%eax\n syscall\n test %%rax, %%rax\n jnz 1f\n"
      "mov %%rdi, 0(%[o])\n mov %%rsi, 8(%[o])\n mov %%rdx, 16(%[o])\n mov %%r8, 24(%[o])\n mov %%r9, 32(%[o])\n"
      "mov %%r10, 40(%[o])\n mov $60, %%eax\n xor %%edi, %%edi\n syscall\n1:\n"
      : "=&a"(pid)
      : [in] "b"(in), [o] "r"(o), [nr] "i"(SYS_fork)
      : "rdi", "rsi", "rdx", "r8", "r9", "r10", "rcx", "r11", "memory");
  ASSERT_GT(pid, 0);
  EXPECT_EQ(0, exit_code((pid_t)pid));
  for (int i = 0; i < 6; i++) EXPECT_EQ(in[i], out->v[i]) << i;
}

// spec 20 F-84, F-88 | fork
TEST(Fork, PrivateMemoryIsCopied) {
  static volatile int value;
  value = 1;
  int* heap = new int(10);
  Pipe go, done;
  Child c([&] {
    value = 2;
    *heap = 20;
    done.post();
    EXPECT_EQ('x', go.await());
    return value == 2 && *heap == 20 ? 0 : 1;
  });
  EXPECT_EQ('x', done.await());
  EXPECT_EQ(1, value);
  EXPECT_EQ(10, *heap);
  value = 3;
  *heap = 30;
  go.post();
  EXPECT_EQ(0, c.exit_code());
  delete heap;
}

// spec 20 F-88 | fork; mmap MAP_SHARED
TEST(Fork, SharedMemoryIsShared) {
  Shared<volatile int> value;
  *value = 1;
  expect_in_child([&] { *value = 7; });
  EXPECT_EQ(7, *value);
}

// spec 20 F-82, F-88 | fork; mmap MAP_PRIVATE
TEST(Fork, ManyPagesStayApart) {
  constexpr int kPages = 300;
  auto* m = static_cast<unsigned char*>(mmap(nullptr, kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < kPages; i++) m[i * 4096] = (unsigned char)i;
  expect_in_child([&] {
              for (int i = 0; i < kPages; i++)
                if (m[i * 4096] != (unsigned char)i) return 1;
              memset(m, 0xee, kPages * 4096);
              return 0;
            });
  for (int i = 0; i < kPages; i++) ASSERT_EQ((unsigned char)i, m[i * 4096]) << i;
  munmap(m, kPages * 4096);
}

// spec 20 F-82 | fork; madvise MADV_DONTFORK
TEST(Fork, DontforkAreasAreNotThere) {
  char* m = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  m[0] = m[4096] = 1;
  ASSERT_EQ(0, madvise(m + 4096, 4096, MADV_DONTFORK));
  expect_in_child([&] {
              unsigned char vec[1];
              EXPECT_EQ(0, mincore(m, 4096, vec));
              EXPECT_EQ(-1, mincore(m + 4096, 4096, vec));
              EXPECT_EQ(ENOMEM, errno);
              EXPECT_EQ(1, m[0]);
            });
  EXPECT_EQ(kSignal + SIGSEGV, in_child([&] { return *(volatile char*)(m + 4096); }));
  munmap(m, 8192);
}

// spec 20 F-82 | fork; madvise MADV_WIPEONFORK
TEST(Fork, WipeonforkAreasAreZero) {
  char* m = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  m[5] = 42;
  if (madvise(m, 4096, 18 /* MADV_WIPEONFORK */)) {
    int e = errno;
    munmap(m, 4096);
    FAIL() << "madvise: " << e;
  }
  expect_in_child([&] {
              if (m[5] != 0) return 1;
              m[5] = 9;
              return in_child([&] { return m[5]; });  // the flag stays
            });
  EXPECT_EQ(42, m[5]);
  munmap(m, 4096);
}

// spec 20 F-82 | fork; mlock
TEST(Fork, MemoryLocksAreNotInherited) {
  char* m = static_cast<char*>(mmap(nullptr, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_EQ(0, mlock(m, 16384));
  EXPECT_EQ("16 kB", status_field(getpid(), "VmLck"));
  expect_in_child([&] { EXPECT_EQ("0 kB", status_field(getpid(), "VmLck")); });
  munmap(m, 16384);
}

// spec 20 12.4 | fork; lseek
TEST(Fork, OffsetsOfOpenFilesAreShared) {
  Fd fd(open("/tmp", O_TMPFILE | O_RDWR, 0600));
  if (fd < 0) fd = Fd((int)sys(SYS_memfd_create, "x", 0));
  ASSERT_GE(fd, 0);
  ASSERT_EQ(6, write(fd, "abcdef", 6));
  expect_in_child([&] { EXPECT_EQ(2, lseek(fd, 2, SEEK_SET)); });
  EXPECT_EQ(2, lseek(fd, 0, SEEK_CUR));
}

// spec 20 12.4 | fork; close
TEST(Fork, DescriptorTableIsACopy) {
  Pipe p;
  int w = p.w, r = p.r;
  expect_in_child([&] {
              EXPECT_EQ(0, close(w));
              int fd = open("/dev/null", O_RDWR);
              EXPECT_EQ(77, dup2(fd, 77));
            });
  EXPECT_NE(-1, fcntl(w, F_GETFD));
  EXPECT_EQ(-1, fcntl(77, F_GETFD));
  expect_in_child([&] { EXPECT_EQ(FD_CLOEXEC, fcntl(r, F_GETFD)); });  // the flag is copied, not acted on
}

// spec 20 12.4 | fork; fcntl F_SETFL
TEST(Fork, StatusFlagsAreShared) {
  Pipe p;
  expect_in_child([&] { EXPECT_EQ(0, fcntl(p.r, F_SETFL, O_NONBLOCK)); });
  EXPECT_TRUE(fcntl(p.r, F_GETFL) & O_NONBLOCK);
}

// spec 20 12.4 | fork; pipe2
TEST(Fork, PipeEndIsSeenWhenTheLastWriterDies) {
  Pipe p;
  Child c([&] { pause(); });
  p.w.reset();
  fcntl(p.r, F_SETFL, O_NONBLOCK);
  char b;
  EXPECT_EQ(-1, read(p.r, &b, 1));
  EXPECT_EQ(EAGAIN, errno);
  c.kill(SIGKILL);
  EXPECT_EQ(kSignal + SIGKILL, c.exit_code());
  EXPECT_EQ(0, read(p.r, &b, 1));
}

// spec 20 18 | fork; fcntl F_SETLK
TEST(Fork, PosixRecordLocksAreNotInherited) {
  Fd fd((int)sys(SYS_memfd_create, "x", 0));
  ASSERT_GE(fd, 0);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_len = 10;
  ASSERT_EQ(0, fcntl(fd, F_SETLK, &lock));
  expect_in_child([&] {
              struct flock mine = lock;
              mine.l_pid = 0;
              EXPECT_EQ(-1, fcntl(fd, F_SETLK, &mine));
              EXPECT_EQ(EAGAIN, errno);
              EXPECT_EQ(0, fcntl(fd, F_GETLK, &mine));
              EXPECT_EQ(F_WRLCK, mine.l_type);
              EXPECT_EQ(getppid(), mine.l_pid);
            });
}

// spec 20 18 | fork; chdir; umask
TEST(Fork, WorkingDirectoryAndUmaskAreCopied) {
  mode_t old = umask(027);
  expect_in_child([&] {
              EXPECT_EQ(027u, umask(077));
              EXPECT_EQ(0, chdir("/proc"));
            });
  EXPECT_EQ(027u, umask(old));
  char cwd[4096];
  ASSERT_TRUE(getcwd(cwd, sizeof(cwd)));
  EXPECT_STRNE("/proc", cwd);
}

void nothing(int) {}

// spec 20 12.5 | fork; rt_sigaction
TEST(Fork, HandlersAreCopied) {
  Handler h(SIGUSR1, nothing, SA_RESTART | SA_NODEFER);
  expect_in_child([&] {
              struct sigaction sa;
              EXPECT_EQ(0, sigaction(SIGUSR1, nullptr, &sa));
              EXPECT_EQ(nothing, sa.sa_handler);
              EXPECT_TRUE(sa.sa_flags & SA_RESTART);
              EXPECT_TRUE(sa.sa_flags & SA_NODEFER);
              signal(SIGUSR1, SIG_IGN);
            });
  struct sigaction sa;
  sigaction(SIGUSR1, nullptr, &sa);
  EXPECT_EQ(nothing, sa.sa_handler);
}

// spec 20 18 | fork; rt_sigpending; rt_sigprocmask
TEST(Fork, MaskIsInheritedPendingSignalsAreNot) {
  Blocked b{SIGUSR1, SIGUSR2, SIGRTMIN};
  raise(SIGUSR1);
  kill(getpid(), SIGUSR2);
  queue_signal(getpid(), SIGRTMIN, 1);
  expect_in_child([&] {
              sigset_t pending, mask;
              sigpending(&pending);
              EXPECT_TRUE(sigisemptyset(&pending));
              sigprocmask(SIG_SETMASK, nullptr, &mask);
              EXPECT_TRUE(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGUSR2) && sigismember(&mask, SIGRTMIN));
            });
  EXPECT_EQ(SIGUSR1, poll_signal({SIGUSR1}));
  EXPECT_EQ(SIGUSR2, poll_signal({SIGUSR2}));
  EXPECT_EQ(SIGRTMIN, poll_signal({SIGRTMIN}));
}

// spec 20 18 | fork; sigaltstack
TEST(Fork, AlternateStackIsInherited) {
  static char area[65536];
  stack_t ss{};
  ss.ss_sp = area;
  ss.ss_size = sizeof(area);
  ASSERT_EQ(0, sigaltstack(&ss, nullptr));
  expect_in_child([&] {
              stack_t now;
              EXPECT_EQ(0, sigaltstack(nullptr, &now));
              EXPECT_EQ(area, now.ss_sp);
              EXPECT_EQ(0, now.ss_flags);
            });
  ss.ss_flags = SS_DISABLE;
  sigaltstack(&ss, nullptr);
}

// spec 20 18 | fork; setitimer; alarm
TEST(Fork, TimersAreNotInherited) {
  itimerval long_time{{0, 0}, {1000, 0}}, off{}, now;
  ASSERT_EQ(0, setitimer(ITIMER_REAL, &long_time, nullptr));
  ASSERT_EQ(0, setitimer(ITIMER_VIRTUAL, &long_time, nullptr));
  expect_in_child([&] {
              for (auto which : {ITIMER_REAL, ITIMER_VIRTUAL}) {
                EXPECT_EQ(0, getitimer(which, &now));
                EXPECT_EQ(0, now.it_value.tv_sec) << which;
                EXPECT_EQ(0, now.it_value.tv_usec) << which;
              }
            });
  getitimer(ITIMER_REAL, &now);
  EXPECT_GT(now.it_value.tv_sec, 0);
  setitimer(ITIMER_REAL, &off, nullptr);
  setitimer(ITIMER_VIRTUAL, &off, nullptr);
}

// spec 20 18 | fork; timer_create
TEST(Fork, PosixTimersAreNotInherited) {
  int id = -1;
  struct sigevent e {};
  e.sigev_notify = SIGEV_NONE;
  ASSERT_EQ(0, sys(SYS_timer_create, CLOCK_MONOTONIC, &e, &id));
  expect_in_child([&] {
              itimerspec now;
              EXPECT_EQ(-EINVAL, sys(SYS_timer_gettime, id, &now));
              int mine;
              EXPECT_EQ(0, sys(SYS_timer_create, CLOCK_MONOTONIC, &e, &mine));
              EXPECT_EQ(0, mine);  // its numbers start again
            });
  EXPECT_EQ(0, sys(SYS_timer_delete, id));
}

// spec 20 18 | fork; timerfd_create
TEST(Fork, TimerDescriptorsAreShared) {
  Fd fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  ASSERT_GE(fd, 0);
  expect_in_child([&] {
              itimerspec t{{0, 0}, {0, 1}};
              EXPECT_EQ(0, timerfd_settime(fd, 0, &t, nullptr));
            });
  uint64_t n = 0;
  EXPECT_TRUE(eventually([&] { return read(fd, &n, 8) == 8; }));
  EXPECT_EQ(1u, n);
}

// spec 20 18 | fork; getpgid; getsid
TEST(Fork, GroupAndSessionAreTheParents) {
  pid_t pgid = getpgrp(), sid = getsid(0);
  expect_in_child([&] {
              EXPECT_EQ(pgid, getpgrp());
              EXPECT_EQ(sid, getsid(0));
            });
}

// spec 20 18 | fork; prlimit64
TEST(Fork, LimitsAreCopied) {
  rlimit old, now;
  getrlimit(RLIMIT_NOFILE, &old);
  rlimit less{old.rlim_cur - 1, old.rlim_max};
  ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &less));
  expect_in_child([&] {
              getrlimit(RLIMIT_NOFILE, &now);
              EXPECT_EQ(less.rlim_cur, now.rlim_cur);
              rlimit lower{10, old.rlim_max};
              EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &lower));
            });
  getrlimit(RLIMIT_NOFILE, &now);
  EXPECT_EQ(less.rlim_cur, now.rlim_cur);
  setrlimit(RLIMIT_NOFILE, &old);
}

// spec 20 12.3, 18 | fork; getpriority; setpriority
TEST(Fork, NiceValueIsInherited) {
  expect_in_child([&] {
              EXPECT_EQ(0, setpriority(PRIO_PROCESS, 0, 7));
              expect_in_child([] { EXPECT_EQ(7, getpriority(PRIO_PROCESS, 0)); });
            });
}

// spec 20 12.3 | fork; sched_setscheduler SCHED_RESET_ON_FORK
TEST(Fork, ResetOnForkMakesTheChildOrdinary) {
  expect_in_child([&] {
              sched_param p{};
              ASSERT_EQ(0, sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &p));
              EXPECT_EQ(SCHED_BATCH | SCHED_RESET_ON_FORK, sched_getscheduler(0));
              expect_in_child([] { EXPECT_EQ(SCHED_BATCH, sched_getscheduler(0)); });
              if (setpriority(PRIO_PROCESS, 0, -5) == 0) expect_in_child([] { EXPECT_EQ(0, getpriority(PRIO_PROCESS, 0)); });
              p.sched_priority = 3;
              if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p) == 0) {
                expect_in_child([] { EXPECT_EQ(SCHED_OTHER, sched_getscheduler(0)); });
              }
            });
}

// spec 20 12.3 | fork; sched_setscheduler SCHED_FIFO
TEST(Fork, RealTimePolicyIsInherited) {
  expect_in_child([&] {
              sched_param p{};
              p.sched_priority = 3;
              if (sched_setscheduler(0, SCHED_RR, &p)) {
                EXPECT_EQ(EPERM, errno);
                return;
              }
              expect_in_child([] {
                sched_param now{};
                EXPECT_EQ(SCHED_RR, sched_getscheduler(0));
                EXPECT_EQ(0, sched_getparam(0, &now));
                EXPECT_EQ(3, now.sched_priority);
              });
            });
}

// spec 20 18 | fork; sched_setaffinity
TEST(Fork, AffinityIsInherited) {
  cpu_set_t mask, now;
  ASSERT_EQ(0, sched_getaffinity(0, sizeof(mask), &mask));
  int first = 0;
  while (!CPU_ISSET(first, &mask)) first++;
  expect_in_child([&] {
              CPU_ZERO(&mask);
              CPU_SET(first, &mask);
              EXPECT_EQ(0, sched_setaffinity(0, sizeof(mask), &mask));
              expect_in_child([&] {
                EXPECT_EQ(0, sched_getaffinity(0, sizeof(now), &now));
                EXPECT_TRUE(CPU_EQUAL(&mask, &now));
              });
            });
}

// spec 20 18 | fork; prctl PR_SET_PDEATHSIG
TEST(Fork, ParentDeathSignalIsCleared) {
  expect_in_child([&] {
              EXPECT_EQ(0, prctl(PR_SET_PDEATHSIG, SIGUSR1));
              expect_in_child([] {
                int sig = 99;
                EXPECT_EQ(0, prctl(PR_GET_PDEATHSIG, &sig));
                EXPECT_EQ(0, sig);
              });
            });
}

// spec 20 12.5, spec 21 X-19 | fork; prctl PR_SET_CHILD_SUBREAPER
TEST(Fork, SubreaperAttributeIsNotInherited) {
  expect_in_child([&] {
              EXPECT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
              expect_in_child([] {
                int on = 99;
                EXPECT_EQ(0, prctl(PR_GET_CHILD_SUBREAPER, &on));
                EXPECT_EQ(0, on);
              });
            });
}

// spec 20 18 | fork; prctl PR_SET_NAME
TEST(Fork, NameIsInherited) {
  expect_in_child([&] {
              prctl(PR_SET_NAME, "a name of it");
              expect_in_child([] {
                char name[16] = {};
                prctl(PR_GET_NAME, name);
                EXPECT_STREQ("a name of it", name);
                EXPECT_EQ("a name of it\n", read_file("/proc/self/comm"));
              });
            });
}

// spec 20 18 | fork; prctl PR_SET_TIMERSLACK
TEST(Fork, TimerSlackBecomesTheChildsDefault) {
  expect_in_child([&] {
              ASSERT_EQ(0, prctl(PR_SET_TIMERSLACK, 77777));
              expect_in_child([] {
                EXPECT_EQ(77777, prctl(PR_GET_TIMERSLACK));
                EXPECT_EQ(0, prctl(PR_SET_TIMERSLACK, 10));
                EXPECT_EQ(0, prctl(PR_SET_TIMERSLACK, 0));  // back to the default
                EXPECT_EQ(77777, prctl(PR_GET_TIMERSLACK));
              });
            });
}

// spec 20 18 | fork; prctl PR_SET_NO_NEW_PRIVS
TEST(Fork, NoNewPrivsIsInherited) {
  expect_in_child([&] {
              EXPECT_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
              expect_in_child([] {
                EXPECT_EQ(1, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
                EXPECT_EQ("1", status_field(getpid(), "NoNewPrivs"));
              });
            });
}

// spec 20 18 | fork; prctl PR_SET_DUMPABLE
TEST(Fork, DumpableIsInherited) {
  expect_in_child([&] {
              EXPECT_EQ(0, prctl(PR_SET_DUMPABLE, 0));
              expect_in_child([] { EXPECT_EQ(0, prctl(PR_GET_DUMPABLE)); });
            });
}

// spec 20 12.6, 18 | fork; times; getrusage RUSAGE_SELF
TEST(Fork, TimesOfTheChildStartAtZero) {
  // Burn a little so that there is something to reset.
  volatile unsigned long sink = 0;
  for (;;) {
    tms t;
    times(&t);
    if (t.tms_utime + t.tms_stime >= 3) break;
    for (int i = 0; i < 100000; i++) sink = sink + 1;
  }
  expect_in_child([&] {
              tms t;
              times(&t);
              EXPECT_LE(t.tms_utime + t.tms_stime, 2);
              EXPECT_EQ(0, t.tms_cutime);
              EXPECT_EQ(0, t.tms_cstime);
            });
}

// spec 20 T-13 | fork; /proc/PID/stat
TEST(Fork, ForkNoExecFlagIsSet) {
  expect_in_child([&] {
              unsigned long flags = strtoul(stat_field(getpid(), 9).c_str(), nullptr, 10);
              EXPECT_TRUE(flags & 0x40) << std::hex << flags;  // PF_FORKNOEXEC
            });
}

// spec 20 18 | fork; set_robust_list; get_robust_list
TEST(Fork, RobustListIsEmpty) {
  expect_in_child([&] {
              static long head[3];
              ASSERT_EQ(0, sys(SYS_set_robust_list, head, 24));
              fflush(stdout);
              long pid = sys(SYS_fork);
              if (pid == 0) {  // the C library's fork would set its own
                void* now = &now;
                size_t n = 0;
                long r = sys(SYS_get_robust_list, 0, &now, &n);
                _exit(r == 0 && now == nullptr ? 0 : 1);
              }
              EXPECT_EQ(0, exit_code((pid_t)pid));
            });
}

// spec 20 18 | fork; arch_prctl ARCH_SET_GS
TEST(Fork, SegmentBaseIsInherited) {
  expect_in_child([&] {
              ASSERT_EQ(0, sys(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, 0x123456789000));
              expect_in_child([] {
                unsigned long base = 0;
                EXPECT_EQ(0, sys(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &base));
                EXPECT_EQ(0x123456789000u, base);
              });
            });
}

// spec 20 14, spec 22 C-48 | fork
TEST(Fork, FloatingPointStateIsCopied) {
  double values[2] = {1.5, -2.25}, out[2] = {};
  long pid;
  asm volatile("movupd (%[v]), %%xmm9\n mov %[nr], %%eax\n syscall\n movupd %%xmm9, (%[o])\n"
               : "=&a"(pid)
               : [v] "r"(values), [o] "r"(out), [nr] "i"(SYS_fork)
               : "rcx", "r11", "xmm9", "memory");
  if (pid == 0) _exit(out[0] == 1.5 && out[1] == -2.25 ? 0 : 1);
  EXPECT_EQ(0, exit_code((pid_t)pid));
  EXPECT_EQ(-2.25, out[1]);
}

// spec 20 T-29 | fork
TEST(Fork, NumberOfADeadGroupLeaderStaysReserved) {
  // The group of a dead leader lives on in a member; no new process gets its number while the group does.
  Pipe go;
  Pipe ids;
  Child leader([&] {
    setpgid(0, 0);
    pid_t member = spawn([&] {
      go.await();
      return 0;
    });
    ids.put(member);
  });
  pid_t member = ids.get<pid_t>();
  EXPECT_EQ(0, leader.exit_code());
  EXPECT_EQ(leader.pid(), getpgid(member));
  EXPECT_EQ(-1, kill(leader.pid(), 0));
  EXPECT_EQ(ESRCH, errno);
  EXPECT_EQ(0, kill(-leader.pid(), 0));
  go.post();
  EXPECT_TRUE(eventually([&] { return kill(-leader.pid(), 0) < 0 || state_of(member) == 'Z'; }));
}

// spec 20 F-97, 16 | vfork
TEST(Vfork, ParentWaitsAndMemoryIsShared) {
  static volatile int value;
  value = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    value = 5;
    timespec t{0, 20'000'000};
    nanosleep(&t, nullptr);
    value = 6;
    _exit(3);
  }
  EXPECT_EQ(6, value);
  EXPECT_EQ(3, exit_code(pid));
}

// spec 20 F-96 | vfork; execve
TEST(Vfork, ExecReleasesTheParent) {
  Pipe p;
  int r = p.r;
  pid_t pid = vfork();
  if (pid == 0) {
    dup2(r, 0);
    const char* argv[] = {"guest", "--read-stdin", nullptr};
    execv("/proc/self/exe", const_cast<char**>(argv));
    _exit(9);
  }
  EXPECT_EQ('S', (eventually_sleeps(pid), state_of(pid)));  // it runs on its own
  p.post();
  EXPECT_EQ('x', exit_code(pid));
}

// spec 20 F-95 | vfork; kill
TEST(Vfork, ParentCannotBeInterruptedButKilled) {
  static int release;
  static volatile pid_t grandchild;
  int fds[2];
  ASSERT_EQ(0, pipe(fds));
  release = fds[0];
  Shared<volatile pid_t> inner;
  static volatile pid_t* where;
  where = &*inner;
  Handler h(SIGUSR1, nothing);
  Child c([&] {
    close(fds[1]);
    grandchild = vfork();
    if (grandchild == 0) {
      *where = getpid();
      char b;
      (void)!read(release, &b, 1);
      _exit(0);
    }
    return 1;
  });
  close(fds[0]);
  EXPECT_TRUE(eventually([&] { return *inner != 0 && state_of(*inner) == 'S'; }));
  EXPECT_EQ('D', (eventually_state(c, 'D'), state_of(c)));
  c.kill(SIGUSR1);  // has a handler: stays pending
  EXPECT_NE("0000000000000000", (eventually([&] { return status_field(c, "ShdPnd") != "0000000000000000"; }), status_field(c, "ShdPnd")));
  EXPECT_EQ('D', state_of(c));
  c.kill(SIGKILL);
  EXPECT_EQ(kSignal + SIGKILL, c.exit_code());  // at once, while the child lives
  EXPECT_EQ('S', state_of(*inner));
  close(fds[1]);
  EXPECT_TRUE(eventually([&] { char s = state_of(*inner); return s == 0 || s == 'Z'; }));
}

}  // namespace
