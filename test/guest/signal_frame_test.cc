// What a signal's handler finds and may change: its frame, the codes of faults, alternate stacks.
// SPDX-License-Identifier: Apache-2.0
#include <ucontext.h>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

void nothing(int) {}

// spec 21 S-51 | rt_sigaction SA_SIGINFO
TEST(Signal, HandlerGetsNumberInfoAndContext) {
  static siginfo_t got;
  static int number;
  static greg_t ip;
  Handler h(SIGUSR1, [](int sig, siginfo_t* info, void* uc) {
    number = sig;
    got = *info;
    ip = static_cast<ucontext_t*>(uc)->uc_mcontext.gregs[REG_RIP];
  });
  queue_signal(getpid(), SIGUSR1, 1234);
  EXPECT_EQ(SIGUSR1, number);
  EXPECT_EQ(SI_QUEUE, got.si_code);
  EXPECT_EQ(1234, got.si_value.sival_int);
  EXPECT_EQ(getpid(), got.si_pid);
  EXPECT_NE(0, ip);
}

// spec 21 19 | rt_sigreturn
TEST(Signal, HandlerMayChangeTheRegisters) {
  static volatile int faults;
  faults = 0;
  Handler h(SIGSEGV, [](int, siginfo_t* info, void* uc) {
    auto& g = static_cast<ucontext_t*>(uc)->uc_mcontext.gregs;
    faults = faults + (info->si_addr == (void*)0x18 && info->si_code == SEGV_MAPERR && g[REG_TRAPNO] == 14);
    g[REG_RIP] += 2;  // past the load
    g[REG_RAX] = 4711;
  });
  long rax = 0;
  asm volatile("mov $0x18, %%ecx\n .byte 0x8b, 0x01\n" /* mov (%rcx), %eax */ : "=a"(rax) : : "rcx");
  EXPECT_EQ(1, faults);
  EXPECT_EQ(4711, rax);
}

// spec 21 13 | SIGSEGV; mprotect
TEST(Signal, FaultInfo) {
  static siginfo_t got;
  static sigset_t empty;
  struct sigaction sa {};
  auto* page = static_cast<char*>(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  static char* p;
  p = page;
  sa.sa_sigaction = [](int, siginfo_t* info, void*) {
    got = *info;
    raw(SYS_mprotect, (long)p, 4096, PROT_READ | PROT_WRITE);
  };
  sa.sa_flags = SA_SIGINFO;
  sa.sa_mask = empty;
  struct sigaction old;
  sigaction(SIGSEGV, &sa, &old);
  *(volatile char*)(page + 99) = 1;
  sigaction(SIGSEGV, &old, nullptr);
  EXPECT_EQ(SEGV_ACCERR, got.si_code);
  EXPECT_EQ(page + 99, got.si_addr);
  munmap(page, 4096);
}

// spec 21 13 | SIGFPE; SIGILL; SIGTRAP
TEST(Signal, CodesOfExceptions) {
  static int code;
  auto skip = [](int, siginfo_t* info, void* uc) {
    code = info->si_code;
    static_cast<ucontext_t*>(uc)->uc_mcontext.gregs[REG_RIP] += 2;
  };
  {
    Handler h(SIGFPE, skip);
    asm volatile("xor %%edx, %%edx\n xor %%ecx, %%ecx\n mov $1, %%eax\n .byte 0xf7, 0xf1\n" : : : "rax", "rcx", "rdx");  // div %ecx
    EXPECT_EQ(FPE_INTDIV, code);
  }
  {
    Handler h(SIGILL, skip);
    asm volatile("ud2");
    EXPECT_EQ(ILL_ILLOPN, code);
  }
  {
    Handler h(SIGTRAP, [](int, siginfo_t* info, void*) { code = info->si_code; });
    asm volatile("int3");
    EXPECT_EQ(SI_KERNEL, code);
  }
}

// spec 21 S-26 | rt_sigprocmask
TEST(Signal, BlockedOrIgnoredFaultKills) {
  rlimit none{0, 0};
  for (bool ignore : {false, true})
    EXPECT_EQ(kSignal + SIGSEGV, in_child([&] {
                setrlimit(RLIMIT_CORE, &none);
                if (ignore) signal(SIGSEGV, SIG_IGN);
                else signal(SIGSEGV, nothing);
                Blocked b{SIGSEGV};
                *(volatile int*)8 = 1;
              }));
}

// spec 21 S-52 | rt_sigaction SA_RESTORER
TEST(Signal, NoRestorerKills) {
  EXPECT_EQ(kSignal + SIGSEGV, in_child([] {
              rlimit none{0, 0};
              setrlimit(RLIMIT_CORE, &none);
              KernelAction a{nothing, 0, nullptr, 0};
              rt_sigaction(SIGUSR1, &a, nullptr);
              kill(getpid(), SIGUSR1);
            }));
}

// spec 21 S-27 | sigaltstack
TEST(Signal, BadStackKills) {
  EXPECT_EQ(kSignal + SIGSEGV, in_child([] {
              rlimit none{0, 0};
              setrlimit(RLIMIT_CORE, &none);
              signal(SIGUSR1, nothing);
              asm volatile("mov $39, %%eax\n syscall\n mov %%eax, %%edi\n mov $10, %%esi\n mov $8, %%rsp\n mov $62, %%eax\n syscall\n" ::: "memory");
            }));
}

// spec 21 S-57 | sigaltstack
TEST(Signal, AltStackErrors) {
  static char area[32768];
  stack_t ss{};
  ss.ss_sp = area;
  ss.ss_size = 2047;
  EXPECT_EQ(-ENOMEM, sys(SYS_sigaltstack, &ss, nullptr));
  ss.ss_size = sizeof(area);
  ss.ss_flags = 4;
  EXPECT_EQ(-EINVAL, sys(SYS_sigaltstack, &ss, nullptr));
  ss.ss_flags = SS_DISABLE | SS_ONSTACK;
  EXPECT_EQ(-EINVAL, sys(SYS_sigaltstack, &ss, nullptr));
  EXPECT_EQ(-EFAULT, sys(SYS_sigaltstack, (void*)8, nullptr));
  EXPECT_EQ(-EFAULT, sys(SYS_sigaltstack, nullptr, (void*)8));
}

// spec 21 S-57, S-58 | sigaltstack SS_ONSTACK; rt_sigaction SA_ONSTACK
TEST(Signal, HandlerRunsOnTheAltStack) {
  static char area[65536];
  static uintptr_t where;
  static int flags;
  static long change;
  stack_t ss{}, off{};
  ss.ss_sp = area;
  ss.ss_size = sizeof(area);
  off.ss_flags = SS_DISABLE;
  ASSERT_EQ(0, sigaltstack(&ss, nullptr));
  Handler h(SIGUSR1, [](int) {
    where = (uintptr_t)__builtin_frame_address(0);
    stack_t now{}, other{};
    other.ss_flags = SS_DISABLE;
    raw(SYS_sigaltstack, 0, (long)&now);
    flags = now.ss_flags;
    change = raw(SYS_sigaltstack, (long)&other, 0);
  }, SA_ONSTACK);
  raise(SIGUSR1);
  EXPECT_GE(where, (uintptr_t)area);
  EXPECT_LT(where, (uintptr_t)area + sizeof(area));
  EXPECT_EQ(SS_ONSTACK, flags);
  EXPECT_EQ(-EPERM, change);
  Handler h2(SIGUSR1, [](int) {
    where = (uintptr_t)__builtin_frame_address(0);
  });
  raise(SIGUSR1);
  EXPECT_FALSE(where >= (uintptr_t)area && where < (uintptr_t)area + sizeof(area));
  sigaltstack(&off, &ss);
  EXPECT_EQ(0, ss.ss_flags);
}

// spec 21 S-53 | sigaltstack SS_AUTODISARM
TEST(Signal, AutodisarmFreesTheAltStack) {
  static char area[65536];
  static stack_t inside;
  stack_t ss{}, off{};
  ss.ss_sp = area;
  ss.ss_size = sizeof(area);
  ss.ss_flags = (int)(1u << 31);
  off.ss_flags = SS_DISABLE;
  ASSERT_EQ(0, sigaltstack(&ss, nullptr));
  Handler h(SIGUSR1, [](int) { raw(SYS_sigaltstack, 0, (long)&inside); }, SA_ONSTACK);
  raise(SIGUSR1);
  EXPECT_EQ(SS_DISABLE, inside.ss_flags);
  stack_t after;
  sigaltstack(&off, &after);
  EXPECT_EQ(area, after.ss_sp);
  EXPECT_EQ((int)(1u << 31), after.ss_flags);
}

// spec 21 S-50 | sigaltstack
TEST(Signal, AltStackOverflowKills) {
  EXPECT_EQ(kSignal + SIGSEGV, in_child([] {
              rlimit none{0, 0};
              setrlimit(RLIMIT_CORE, &none);
              static char area[32768];
              stack_t ss{};
              ss.ss_sp = area + 16384;
              ss.ss_size = 4096;
              sigaltstack(&ss, nullptr);
              struct sigaction sa {};
              sa.sa_handler = [](int sig) {
                static volatile pid_t me;
                me = (pid_t)sys(SYS_getpid);
                sys(SYS_kill, me, sig);
              };
              sa.sa_flags = SA_ONSTACK | SA_NODEFER;
              sigaction(SIGUSR1, &sa, nullptr);
              raise(SIGUSR1);
            }));
}

}  // namespace
