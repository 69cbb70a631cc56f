// User programs as functions: the hosted machine's user mode against the kernel's own system calls, signals and faults.
// Spec 10 E-2, E-7, E-20..E-25; 20 F-rows of fork; 21 for signals.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>

#include "arch/contract/arch.hh"
#include "arch/hosted/user.hh"

namespace {

using user::sys;

constexpr long exited(long status) { return (status & 0xff) << 8; }

// What a program expects: its exit status is the line that failed, 0 if none.
#define MUST(cond)                                \
  do {                                            \
    if (!(cond)) return __LINE__ > 255 ? 255 : __LINE__ & 0xff; \
  } while (0)

long returns_seven(unsigned long) { return 7; }
void exit_status(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(returns_seven), exited(7)); }

long uses_memory(unsigned long) {
  unsigned long p = user::map(3 << 12);
  MUST(p % 4096 == 0);
  user::poke<long>(p + 4092, 0x123456789);  // over a page boundary
  MUST(user::peek<long>(p + 4092) == 0x123456789);
  MUST(user::peek<long>(p + 8192) == 0);
  MUST(sys(__NR_munmap, p, 3 << 12) == 0);
  return 0;
}
void memory_faults_in(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(uses_memory), 0); }

long touches_nothing_mapped(unsigned long) { return user::peek<int>(0x1000); }
void wild_access_is_sigsegv(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(touches_nothing_mapped) & 0x7f, SIGSEGV); }

long child_adds_one(unsigned long addr) {
  user::poke<int>(addr, user::peek<int>(addr) + 1);
  return user::peek<int>(addr);
}
long forks(unsigned long) {
  user::Var<int> v(41), status;
  long pid = user::fork(child_adds_one, v.addr());
  MUST(pid > 0);
  MUST(sys(__NR_wait4, pid, status.addr(), 0, 0) == pid);
  MUST(status.get() == exited(42));
  MUST(v.get() == 41);  // copy on write
  MUST(sys(__NR_wait4, -1, 0, 0, 0) == -ECHILD);
  return 0;
}
void fork_copies_on_write(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(forks), 0); }

unsigned long shared_word(unsigned long base) { return base; }
long thread_adds(unsigned long addr) {
  user::poke<int>(shared_word(addr), user::peek<int>(addr) + 1);
  return 0;
}
long makes_threads(unsigned long) {
  unsigned long word = user::map(4096), tid = word + 64;
  for (int i = 0; i < 3; i++) {
    user::poke<int>(tid, 1);
    constexpr unsigned long kFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                                     CLONE_CHILD_CLEARTID;
    MUST(user::clone(kFlags, user::thread_stack(), thread_adds, word, 0, tid) > 0);
    while (int v = user::peek<int>(tid)) sys(__NR_futex, tid, 0 /* FUTEX_WAIT */, v, 0, 0, 0);
  }
  return user::peek<int>(word);
}
void threads_share_memory(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(makes_threads), exited(3)); }

unsigned long caught_at;
void count_signal(int sig, unsigned long info, unsigned long) {
  user::poke<int>(caught_at, user::peek<int>(caught_at) + sig);
  if (user::peek<int>(info) != sig) user::exit(99);  // siginfo's si_signo
}
long catches(unsigned long) {
  user::Var<int> sum;
  caught_at = sum.addr();
  constexpr unsigned long kSiginfo = 4;
  MUST(user::sigaction(SIGUSR1, count_signal, kSiginfo) == 0);
  MUST(user::sigaction(SIGUSR2, count_signal, kSiginfo) == 0);
  long pid = sys(__NR_getpid);
  MUST(sys(__NR_kill, pid, SIGUSR1) == 0);
  MUST(sum.get() == SIGUSR1);
  MUST(sys(__NR_kill, pid, SIGUSR2) == 0);
  MUST(sum.get() == SIGUSR1 + SIGUSR2);
  return 0;
}
void handlers_run_and_return(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(catches), 0); }

unsigned long faulted_page;
void map_it(int, unsigned long info, unsigned long) {
  if (user::peek<unsigned long>(info + 16) != faulted_page) user::exit(98);  // si_addr
  constexpr unsigned long kFixed = 0x32;
  sys(__NR_mmap, faulted_page, 4096, 3, kFixed, -1, 0);
}
long repairs_a_fault(unsigned long) {
  faulted_page = 0x20000000;
  MUST(user::sigaction(SIGSEGV, map_it, 4) == 0);
  user::poke<int>(faulted_page, 5);  // faults, is repaired, is repeated
  MUST(user::peek<int>(faulted_page) == 5);
  return 0;
}
void segv_handler_repairs(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(repairs_a_fault), 0); }

struct Pipe {
  int read_end, write_end;
};
long kills_parent_later(unsigned long parent) {
  user::burn(20'000'000);
  return sys(__NR_kill, parent, SIGUSR1);
}
long is_interrupted(unsigned long flags) {
  user::Var<int> sum;
  caught_at = sum.addr();
  MUST(user::sigaction(SIGUSR1, count_signal, 4 | flags) == 0);
  user::Var<Pipe> pipe;
  MUST(sys(__NR_pipe, pipe.addr()) == 0);
  Pipe fds = pipe.get();
  MUST(user::fork(kills_parent_later, static_cast<unsigned long>(sys(__NR_getpid))) > 0);
  long n;
  if (flags) {  // SA_RESTART: goes on reading; the child's death then closes the last writer
    sys(__NR_close, fds.write_end);
    n = sys(__NR_read, fds.read_end, pipe.addr(), 8);
    MUST(n == 0);
  } else {
    n = sys(__NR_read, fds.read_end, pipe.addr(), 8);
    MUST(n == -EINTR);
  }
  MUST(sum.get() == SIGUSR1);
  return 0;
}
void read_is_interrupted(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(is_interrupted, 0), 0); }
void read_is_restarted(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(is_interrupted, 0x10000000), 0); }

long burns(unsigned long ns) {
  user::burn(ns);
  return 0;
}
void burning_moves_time(kunit* test) {
  u64 before = arch::clock_ns();
  KUNIT_EXPECT_EQ(test, user::run_process(burns, 50'000'000), 0);
  KUNIT_EXPECT_GE(test, arch::clock_ns() - before, 50'000'000ull);
  KUNIT_EXPECT_LT(test, arch::clock_ns() - before, 80'000'000ull);
}

long divides_by_zero(unsigned long) {
  user::raise_exception(0);
  return 1;
}
void exceptions_are_signals(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(divides_by_zero) & 0x7f, SIGFPE); }

long vfork_child(unsigned long addr) {
  user::poke<int>(addr, 17);
  return 3;
}
long vforks(unsigned long) {
  user::Var<int> v, status;
  long pid = user::vfork(vfork_child, v.addr());
  MUST(pid > 0 && v.get() == 17);  // shared memory, and the child is through with it
  MUST(sys(__NR_wait4, pid, status.addr(), 0, 0) == pid && status.get() == exited(3));
  return 0;
}
void vfork_waits(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(vforks), 0); }

long new_image(unsigned long) { return user::peek<int>(user::regs().sp) == 1 ? 23 : 24; }  // argc
long execs(unsigned long) {
  static unsigned char image[user::kElfSize];
  size_t n = user::make_elf(new_image, image, sizeof image);
  unsigned long page = user::map(4096);
  user::write_bytes(page, image, n);
  user::Str path("/prog");
  long fd = sys(__NR_open, path.addr(), 0101 /* O_CREAT | O_WRONLY */, 0755);
  MUST(fd >= 0);
  MUST(sys(__NR_write, fd, page, n) == static_cast<long>(n));
  MUST(sys(__NR_close, fd) == 0);
  struct Args {
    unsigned long arg0, end;
  };
  user::Var<Args> argv(Args{path.addr(), 0});
  sys(__NR_execve, path.addr(), argv.addr(), 0);
  return __LINE__;
}
void execve_starts_a_function(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(execs), exited(23)); }

kunit_case cases[] = {KUNIT_CASE(exit_status), KUNIT_CASE(memory_faults_in), KUNIT_CASE(wild_access_is_sigsegv),
                      KUNIT_CASE(fork_copies_on_write), KUNIT_CASE(threads_share_memory), KUNIT_CASE(handlers_run_and_return),
                      KUNIT_CASE(segv_handler_repairs), KUNIT_CASE(read_is_interrupted), KUNIT_CASE(read_is_restarted),
                      KUNIT_CASE(burning_moves_time), KUNIT_CASE(exceptions_are_signals), KUNIT_CASE(vfork_waits),
                      KUNIT_CASE(execve_starts_a_function), {}};
kunit_suite suite = {.name = "hosted_user", .test_cases = cases};

}  // namespace

kunit_test_suite(suite);
