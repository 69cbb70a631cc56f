// futex(2) and robust lists from user programs, against spec 60 sections 1, 2 and 5.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <uapi/linux/futex.h>
#include <uapi/linux/resource.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>

#include <linux/errno.h>

#include "arch/hosted/user.hh"

using user::sys;
using user::Var;

namespace {

constexpr unsigned kPrivate = FUTEX_PRIVATE_FLAG;
kunit* the_test;

long futex(const Var<u32>& word, unsigned op, u32 val, unsigned long timeout_or_val2 = 0, unsigned long uaddr2 = 0,
           u32 val3 = 0) {
  return sys(__NR_futex, word.addr(), op, val, timeout_or_val2, uaddr2, val3);
}

// Runs a program to its end in a process of its own; expectations inside use the_test.
void run(kunit* test, user::Fn fn) {
  the_test = test;
  KUNIT_EXPECT_EQ(test, user::run_process(fn), 0l);
}
#define PROGRAM(name, ...)                        \
  static void name(kunit* test) {                 \
    run(test, [](unsigned long) -> long {         \
      [[maybe_unused]] kunit* test = the_test;    \
      __VA_ARGS__                                 \
      return 0;                                   \
    });                                           \
  }

void nap(long ms) {
  Var<__kernel_timespec> ts(__kernel_timespec{0, ms * 1000000});
  sys(__NR_nanosleep, ts.addr(), 0);
}

// A thread that waits on a shared word and then adds one to another.
struct Shared {
  u32 word, woken, bitset, word2;
};
unsigned long shared_addr;
long field(size_t offset) { return static_cast<long>(shared_addr + offset); }
#define AT(f) field(__builtin_offsetof(Shared, f))
long waiter(unsigned long bitset) {
  long r = sys(__NR_futex, AT(word), FUTEX_WAIT_BITSET | kPrivate, 0, 0, 0, bitset);
  auto counter = static_cast<unsigned long>(AT(woken));
  for (u32 n = user::peek<u32>(counter); r == 0;) {
    u32 found = user::compare_exchange(counter, n, n + 1);
    if (found == n) break;
    n = found;
  }
  sys(__NR_exit, 0);
  return 0;
}
void make_shared() { shared_addr = user::map(4096); }
void start_waiter(unsigned long bitset) { user::thread(user::thread_stack(), waiter, bitset); }
u32 woken() { return user::peek<u32>(static_cast<unsigned long>(AT(woken))); }
long wake(long n) { return sys(__NR_futex, AT(word), FUTEX_WAKE | kPrivate, n); }

}  // namespace

// spec 60 F-1, F-2
PROGRAM(unknown_commands_are_enosys, {
  Var<u32> w;
  KUNIT_EXPECT_EQ(test, futex(w, 2, 0), long{-ENOSYS});
  KUNIT_EXPECT_EQ(test, futex(w, 14, 0), long{-ENOSYS});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAKE | 512, 1), long{-ENOSYS});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1), long{-ENOSYS});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1), long{-ENOSYS});
})

// spec 60 F-5
PROGRAM(misaligned_comes_before_inaccessible, {
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, 1, FUTEX_WAKE | kPrivate, 1), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, ~0xful, FUTEX_WAKE | kPrivate, 1), long{-EFAULT});
})

// spec 60 F-6
PROGRAM(a_different_value_does_not_sleep, {
  Var<u32> w(5);
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT | kPrivate, 4), long{-EAGAIN});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT, 4), long{-EAGAIN});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT_BITSET | kPrivate, 4, 0, 0, 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAKE_BITSET | kPrivate, 4, 0, 0, 0), long{-EINVAL});
})

// spec 60 F-3
PROGRAM(the_time_is_checked_before_the_value, {
  Var<u32> w(5);
  Var<__kernel_timespec> bad(__kernel_timespec{0, 1000000000}), negative(__kernel_timespec{-1, 0});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT | kPrivate, 4, bad.addr()), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT | kPrivate, 4, negative.addr()), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT | kPrivate, 4, 8), long{-EFAULT});
})

// spec 60 F-4, F-9, F-10
PROGRAM(a_timeout_ends_the_wait, {
  Var<u32> w(5);
  Var<__kernel_timespec> ms(__kernel_timespec{0, 1000000}), past(__kernel_timespec{0, 1});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT | kPrivate, 5, ms.addr()), long{-ETIMEDOUT});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT_BITSET | kPrivate, 5, past.addr(), 0, 1), long{-ETIMEDOUT});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT_BITSET | kPrivate | FUTEX_CLOCK_REALTIME, 5, past.addr(), 0, 1), long{-ETIMEDOUT});
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT_BITSET | kPrivate, 4, past.addr(), 0, 1), long{-EAGAIN});
})

// spec 60 F-15, F-11
PROGRAM(a_private_wake_does_not_touch_the_word, {
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, 0x10000, FUTEX_WAKE | kPrivate, 1), 0l);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, 0x10000, FUTEX_WAKE, 1), long{-EFAULT});
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, 0x10000, FUTEX_WAIT | kPrivate, 0), long{-EFAULT});
})

// spec 60 F-12, F-13
PROGRAM(wakes_at_most_so_many, {
  make_shared();
  for (int i = 0; i < 3; i++) start_waiter(FUTEX_BITSET_MATCH_ANY);
  nap(5);
  KUNIT_EXPECT_EQ(test, wake(0), 1l);  // zero wakes one
  KUNIT_EXPECT_EQ(test, wake(1), 1l);
  KUNIT_EXPECT_EQ(test, wake(10), 1l);
  KUNIT_EXPECT_EQ(test, wake(10), 0l);
  nap(5);
  KUNIT_EXPECT_EQ(test, woken(), 3u);
})

// spec 60 F-12
PROGRAM(bitsets_select, {
  make_shared();
  start_waiter(1);
  start_waiter(2);
  start_waiter(3);
  nap(5);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), FUTEX_WAKE_BITSET | kPrivate, 10, 0, 0, 4), 0l);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), FUTEX_WAKE_BITSET | kPrivate, 10, 0, 0, 2), 2l);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), FUTEX_WAKE_BITSET | kPrivate, 10, 0, 0, 1), 1l);
})

// spec 60 F-28
PROGRAM(private_and_shared_never_meet, {
  make_shared();
  start_waiter(1);
  nap(5);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), FUTEX_WAKE, 10), 0l);
  KUNIT_EXPECT_EQ(test, wake(10), 1l);
})

// spec 60 F-18 to F-21
PROGRAM(requeue_moves_the_rest, {
  make_shared();
  for (int i = 0; i < 3; i++) start_waiter(1);
  nap(5);
  long op = FUTEX_CMP_REQUEUE | kPrivate;
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), op, 1, 5, AT(word2), 7), long{-EAGAIN});
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), op, -1, 5, AT(word2), 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), op, 1, 5, AT(word2), 0), 3l);  // woken and requeued
  KUNIT_EXPECT_EQ(test, wake(10), 0l);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word2), FUTEX_WAKE | kPrivate, 10), 2l);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), FUTEX_REQUEUE | kPrivate, 0, 0, AT(word)), 0l);
})

// spec 60 F-23 to F-25
PROGRAM(wake_op_changes_compares_and_wakes, {
  make_shared();
  start_waiter(1);
  nap(5);
  auto word2 = static_cast<unsigned long>(AT(word2));
  user::poke<u32>(word2, 6);
  long add = FUTEX_OP(FUTEX_OP_ADD, 3u, FUTEX_OP_CMP_EQ, 6u);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), FUTEX_WAKE_OP | kPrivate, 1, 1, word2, add), 1l);
  KUNIT_EXPECT_EQ(test, user::peek<u32>(word2), 9u);
  long shifted = FUTEX_OP(FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 33u, FUTEX_OP_CMP_NE, 0u);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), FUTEX_WAKE_OP | kPrivate, 1, 1, word2, shifted), 0l);
  KUNIT_EXPECT_EQ(test, user::peek<u32>(word2), 2u);
  long bad_op = FUTEX_OP(5u, 0u, 0u, 0u);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), FUTEX_WAKE_OP | kPrivate, 1, 1, word2, bad_op), long{-ENOSYS});
  KUNIT_EXPECT_EQ(test, user::peek<u32>(word2), 2u);
  long bad_cmp = FUTEX_OP(FUTEX_OP_OR, 8u, 9u, 0u);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex, AT(word), FUTEX_WAKE_OP | kPrivate, 1, 1, word2, bad_cmp), long{-ENOSYS});
  KUNIT_EXPECT_EQ(test, user::peek<u32>(word2), 10u);  // found out after the store
})

// spec 60 F-26, F-27
PROGRAM(waitv_waits_for_any, {
  make_shared();
  Var<futex_waitv> one(futex_waitv{0, static_cast<u64>(AT(word)), FUTEX_32 | kPrivate, 0});
  KUNIT_EXPECT_EQ(test, sys(__NR_futex_waitv, one.addr(), 0, 0, 0, 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_futex_waitv, one.addr(), 129, 0, 0, 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_futex_waitv, one.addr(), 1, 1, 0, 0), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_futex_waitv, 0, 1, 0, 0, 0), long{-EINVAL});
  Var<__kernel_timespec> past(__kernel_timespec{0, 1});
  KUNIT_EXPECT_EQ(test, sys(__NR_futex_waitv, one.addr(), 1, 0, past.addr(), 1), long{-ETIMEDOUT});
  KUNIT_EXPECT_EQ(test, sys(__NR_futex_waitv, one.addr(), 1, 0, past.addr(), 7), long{-EINVAL});
  user::poke<u32>(static_cast<unsigned long>(AT(word)), 1);
  KUNIT_EXPECT_EQ(test, sys(__NR_futex_waitv, one.addr(), 1, 0, 0, 0), long{-EAGAIN});
})

// spec 60 T-1: the word of a process alone stays
PROGRAM(clear_child_tid_wakes_the_joiner, {
  make_shared();
  user::poke<u32>(static_cast<unsigned long>(AT(word)), 77);
  long tid = user::clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                         CLONE_CHILD_CLEARTID, user::thread_stack(), [](unsigned long) -> long { return 0; }, 0, 0,
                         static_cast<unsigned long>(AT(word)));
  KUNIT_EXPECT_GT(test, tid, 0l);
  while (user::peek<u32>(static_cast<unsigned long>(AT(word))) == 77)
    sys(__NR_futex, AT(word), FUTEX_WAIT, 77);  // shared, as the thread libraries do (T-3)
  KUNIT_EXPECT_EQ(test, user::peek<u32>(static_cast<unsigned long>(AT(word))), 0u);
})

// spec 60 section 5
struct RobustMemory {
  robust_list_head head;
  robust_list entry;
  u32 word;
};
static long die_holding(unsigned long memory) {
  auto at = [&](size_t offset) { return memory + offset; };
  unsigned long entry = at(__builtin_offsetof(RobustMemory, entry)), head = at(0);
  user::poke<u32>(at(__builtin_offsetof(RobustMemory, word)), static_cast<u32>(sys(__NR_gettid)) | FUTEX_WAITERS);
  user::poke<unsigned long>(head, entry);
  user::poke<unsigned long>(entry, head);
  user::poke<long>(head + 8, static_cast<long>(__builtin_offsetof(RobustMemory, word) - __builtin_offsetof(RobustMemory, entry)));
  user::poke<unsigned long>(head + 16, 0);
  sys(__NR_set_robust_list, head, sizeof(robust_list_head));
  sys(__NR_exit, 0);
  return 0;
}
PROGRAM(an_owner_that_dies_is_marked, {
  unsigned long memory = user::map(4096);
  unsigned long word = memory + __builtin_offsetof(RobustMemory, word);
  user::thread(user::thread_stack(), die_holding, memory);
  for (int i = 0; i < 50 && !(user::peek<u32>(word) & FUTEX_OWNER_DIED); i++) nap(1);
  KUNIT_EXPECT_EQ(test, user::peek<u32>(word), FUTEX_OWNER_DIED | FUTEX_WAITERS);
})

PROGRAM(robust_list_arguments, {
  Var<u64> head; Var<u64> len;
  KUNIT_EXPECT_EQ(test, sys(__NR_set_robust_list, 0x1000, 23), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, sys(__NR_set_robust_list, 0x1000, 24), 0l);
  KUNIT_EXPECT_EQ(test, sys(__NR_get_robust_list, 0, head.addr(), len.addr()), 0l);
  KUNIT_EXPECT_EQ(test, head.get(), 0x1000ull);
  KUNIT_EXPECT_EQ(test, len.get(), 24ull);
  KUNIT_EXPECT_EQ(test, sys(__NR_get_robust_list, 99999, head.addr(), len.addr()), long{-ESRCH});
  sys(__NR_set_robust_list, 0, 24);
})

// spec 60 C-7: a signal without a handler's restart
static void on_signal(int, unsigned long, unsigned long) {}
static long kill_parent_soon(unsigned long parent) {
  nap(3);
  sys(__NR_kill, parent, SIGUSR1);
  nap(3);
  user::poke<u32>(static_cast<unsigned long>(AT(word)), 1);
  sys(__NR_futex, AT(word), FUTEX_WAKE, 1);
  return 0;
}
PROGRAM(signals_interrupt_waits, {
  Var<u32> w(5);
  Var<__kernel_timespec> second(__kernel_timespec{1, 0});
  user::sigaction(SIGUSR1, on_signal);  // no SA_RESTART
  make_shared();
  long pid = sys(__NR_getpid);
  long child = user::fork(kill_parent_soon, static_cast<unsigned long>(pid));
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT | kPrivate, 5), long{-EINTR});
  sys(__NR_wait4, child, 0, 0, 0);
  child = user::fork(kill_parent_soon, static_cast<unsigned long>(pid));
  KUNIT_EXPECT_EQ(test, futex(w, FUTEX_WAIT | kPrivate, 5, second.addr()), long{-EINTR});
  sys(__NR_wait4, child, 0, 0, 0);
})

static kunit_case cases[] = {
    KUNIT_CASE(unknown_commands_are_enosys),
    KUNIT_CASE(misaligned_comes_before_inaccessible),
    KUNIT_CASE(a_different_value_does_not_sleep),
    KUNIT_CASE(the_time_is_checked_before_the_value),
    KUNIT_CASE(a_timeout_ends_the_wait),
    KUNIT_CASE(a_private_wake_does_not_touch_the_word),
    KUNIT_CASE(wakes_at_most_so_many),
    KUNIT_CASE(bitsets_select),
    KUNIT_CASE(private_and_shared_never_meet),
    KUNIT_CASE(requeue_moves_the_rest),
    KUNIT_CASE(wake_op_changes_compares_and_wakes),
    KUNIT_CASE(waitv_waits_for_any),
    KUNIT_CASE(clear_child_tid_wakes_the_joiner),
    KUNIT_CASE(an_owner_that_dies_is_marked),
    KUNIT_CASE(robust_list_arguments),
    KUNIT_CASE(signals_interrupt_waits),
    {},
};
static kunit_suite suite = {.name = "futex", .test_cases = cases};

// ---- Lost wake-ups under two hundred interleavings ------------------------------------------------------------------

namespace {
constexpr u32 kHandovers = 10;
// Two threads hand a token to and fro; each waits while the word says it is the other's turn.
long hand_over(unsigned long me) {
  auto word = static_cast<unsigned long>(AT(word));
  for (u32 i = 0; i < kHandovers; i++) {
    while (user::peek<u32>(word) != me) sys(__NR_futex, word, FUTEX_WAIT | kPrivate, static_cast<u32>(1 - me));
    user::poke<u32>(word, static_cast<u32>(1 - me));
    sys(__NR_futex, word, FUTEX_WAKE | kPrivate, 1);
  }
  return 0;
}
long hand_over_thread(unsigned long me) {
  hand_over(me);
  sys(__NR_exit, 0);
  return 0;
}
}  // namespace
PROGRAM(no_wake_is_lost, {
  make_shared();
  user::thread(user::thread_stack(), hand_over_thread, 1);
  hand_over(0);
  auto word = static_cast<unsigned long>(AT(word));
  while (user::peek<u32>(word) != 0) sys(__NR_futex, word, FUTEX_WAIT | kPrivate, 1);
})
static kunit_case race_cases[] = {KUNIT_CASE(no_wake_is_lost), {}};
static kunit_suite races = {.name = "futex_races", .test_cases = race_cases, .world = {.cpus = 4, .seeds = 200}};
kunit_test_suites(&suite, &races);
