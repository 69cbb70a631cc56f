// Switches as programs see them: first instructions, CPUs, membarrier, rseq, exec of a task born in the kernel. Spec 22, 20.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <uapi/linux/signal.h>

#include "arch/hosted/user.hh"
#include "fs/vfs/vfs.hh"

namespace {

using user::sys;
using user::Var;

#define MUST(cond)                          \
  do {                                      \
    if (!(cond)) return __LINE__ % 255 + 1; \
  } while (0)
#define PROGRAM_CASE(name)                                                                \
  long name##_program(unsigned long);                                                     \
  void name(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(name##_program), 0); } \
  long name##_program(unsigned long)

long run_on(unsigned long cpus) {
  Var<unsigned long> mask(cpus);
  return sys(__NR_sched_setaffinity, 0, sizeof cpus, mask.addr());
}
unsigned cpu_now() {
  Var<unsigned> cpu;
  sys(__NR_getcpu, cpu.addr(), 0, 0);
  return cpu.get();
}
int status_of(long nr) {
  Var<int> status(-1);
  sys(__NR_wait4, nr, status.addr(), 0, 0);
  return status.get();
}

// spec 22 C-60: a task whose kernel function returns goes on in user mode (run_process() makes it so)
long answers(unsigned long arg) { return static_cast<long>(arg); }
void a_kernel_function_may_return_to_a_program(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(answers, 5), 5 << 8); }

// spec 20 F-100: a new task begins where it may run, even if that is not here
long says_cpu(unsigned long) { return cpu_now(); }
PROGRAM_CASE(a_child_runs_where_it_may) {
  for (unsigned cpu : {1u, 0u, 1u}) {
    MUST(run_on(1ul << cpu) == 0);
    MUST(cpu_now() == cpu);
    MUST(status_of(user::fork(says_cpu)) == static_cast<int>(cpu) << 8);
  }
  return 0;
}

// spec 22 C-64: the child may have run before the call that made it returns; and may not
int child_was_first, parent_was_first;
long child_of_race(unsigned long flag) {
  user::poke<int>(flag, 1);
  return 0;
}
PROGRAM_CASE(either_may_be_first) {
  const unsigned long shared = static_cast<unsigned long>(sys(__NR_mmap, 0, 4096, 3, 0x21, -1, 0));
  child_was_first = parent_was_first = 0;
  for (int i = 0; i < 200; i++) {
    user::poke<int>(shared, 0);
    const long nr = user::fork(child_of_race, shared);
    (user::peek<int>(shared) ? child_was_first : parent_was_first)++;
    status_of(nr);
  }
  MUST(child_was_first > 0 && parent_was_first > 0);
  return 0;
}

// spec 22 C-73
enum { kQuery = 0, kGlobal = 1, kGlobalExpedited = 2, kRegisterGlobal = 4, kPrivate = 8, kRegisterPrivate = 16 };
long membarrier(int cmd, int flags = 0) { return sys(__NR_membarrier, cmd, flags, 0); }
long runs_a_new_program(unsigned long) { return membarrier(kPrivate) == -EPERM ? 0 : 1; }
PROGRAM_CASE(membarrier_commands) {
  const long known = membarrier(kQuery);
  MUST(known > 0 && (known & kGlobal) && (known & kPrivate) && (known & kRegisterPrivate));
  MUST(membarrier(kQuery, 1) == -EINVAL);
  MUST(membarrier(3) == -EINVAL);
  MUST(membarrier(1 << 20) == -EINVAL);
  MUST(membarrier(kGlobal) == 0);
  MUST(membarrier(kPrivate) == -EPERM);
  MUST(membarrier(kRegisterPrivate) == 0);
  MUST(membarrier(kPrivate) == 0);
  return 0;
}

// spec 22 C-72: a new program is not registered
PROGRAM_CASE(exec_forgets_membarrier) {
  user::Str name("/barrier");
  MUST(membarrier(kRegisterPrivate) == 0);
  sys(__NR_execve, name.addr(), 0, 0);
  return 77;
}
void exec_forgets_membarrier_after_making_the_file(kunit* test) {
  static unsigned char elf[user::kElfSize];
  const size_t n = user::make_elf(runs_a_new_program, elf, sizeof elf);
  auto f = filp_open("/barrier", O_WRONLY | O_CREAT, 0755);
  KUNIT_ASSERT_TRUE(test, f.has_value());
  loff_t pos = 0;
  KUNIT_EXPECT_EQ(test, kernel_write(*f, elf, n, &pos), static_cast<ssize_t>(n));
  fput(*f);
  exec_forgets_membarrier(test);
}

// spec 22 C-75: cpu_id follows the task to another CPU
struct alignas(32) Rseq {
  unsigned cpu_id_start, cpu_id;
  u64 rseq_cs;
  unsigned flags, node, mm_cid, pad;
};
PROGRAM_CASE(rseq_follows_migration) {
  const unsigned long area = user::map(4096);
  user::poke(area, Rseq{});
  MUST(sys(__NR_rseq, area, 32, 0, 0x53053053) == 0);
  for (unsigned cpu : {1u, 0u, 1u}) {
    MUST(run_on(1ul << cpu) == 0);
    const Rseq r = user::peek<Rseq>(area);
    MUST(r.cpu_id == cpu && r.cpu_id_start == cpu);
  }
  MUST(sys(__NR_rseq, area, 32, 1, 0x53053053) == 0);
  return 0;
}

// spec 22 C-10, C-11, C-92: each comes back to its own stack and its own memory, whoever ran in between
long counts_up(unsigned long start) {
  const unsigned long mine = user::map(4096);
  unsigned long sum = start;
  for (unsigned long i = 0; i < 40; i++) {
    user::poke(mine, start + i);
    sys(__NR_sched_yield);
    if (user::peek<unsigned long>(mine) != start + i) return 1;
    sum += i;
  }
  return sum == start + 780 ? 0 : 2;
}
PROGRAM_CASE(each_has_its_own) {
  long nr[6];
  for (unsigned long i = 0; i < 6; i++) nr[i] = user::fork(counts_up, i * 1000);
  for (long n : nr) MUST(status_of(n) == 0);
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(a_kernel_function_may_return_to_a_program), KUNIT_CASE(a_child_runs_where_it_may), KUNIT_CASE(either_may_be_first),
    KUNIT_CASE(membarrier_commands), KUNIT_CASE(exec_forgets_membarrier_after_making_the_file), KUNIT_CASE(rseq_follows_migration),
    KUNIT_CASE(each_has_its_own), {},
};
kunit_suite suite = {.name = "hosted_switches", .test_cases = cases, .world = {.cpus = 2}};
kunit_test_suite(suite);

}  // namespace
