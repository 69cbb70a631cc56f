// Fault injection in the futex calls that inherit priorities: each acquisition fails once; who was told so holds nothing, and nobody
// waits for ever. Spec 60 section 1, 30 section 11.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <uapi/linux/futex.h>
#include <uapi/linux/signal.h>

#include "test/hosted/call_sweep.hh"
#include "test/hosted/program.hh"

namespace {

// Shared with the children: `lock` is a PI futex.
struct Words {
  u32 lock, queue, ready;
};
unsigned long words;
#define AT(f) (words + __builtin_offsetof(Words, f))

long futex(unsigned long word, unsigned op, u32 val = 0, unsigned long timeout_or_val2 = 0, unsigned long word2 = 0, u32 val3 = 0) {
  return sys(__NR_futex, word, op, val, timeout_or_val2, word2, val3);
}
void share_words() {
  words = program::shared_page();
  user::poke<u32>(AT(lock), 0);
}
// A time-out stands for success: the call has come as far as sleeping.
long or_timeout(long r) { return r == -ETIMEDOUT ? 0 : r; }

long holds_it_until_killed(unsigned long) {
  MUST(futex(AT(lock), FUTEX_LOCK_PI) == 0);
  user::poke<u32>(AT(ready), 1);
  for (;;) sys(__NR_pause);
}
void reap(long pid) {
  program::kill(pid, SIGKILL);
  (void)program::wait4(pid);
}
// With a child that owns the lock.
template <class Call>
long against_an_owner(Call call) {
  share_words();
  const long owner = user::fork(holds_it_until_killed);
  if (owner < 0 || !program::comes_true(AT(ready), 1)) return 4000;
  const long r = sweep(call);
  const bool still_owned = (user::peek<u32>(AT(lock)) & FUTEX_TID_MASK) == static_cast<u32>(owner);
  reap(owner);
  return r ? r : still_owned ? 0 : 4001;
}
struct Past {
  Var<__kernel_timespec> t{__kernel_timespec{0, 1}};
};

SWEEP(free_lock, share_words(); return sweep([] { return futex(AT(lock), FUTEX_LOCK_PI); }, [](long) { futex(AT(lock), FUTEX_UNLOCK_PI); });)
SWEEP(try_of_a_free_lock, share_words();
      return sweep([] { return futex(AT(lock), FUTEX_TRYLOCK_PI); }, [](long) { futex(AT(lock), FUTEX_UNLOCK_PI); });)
SWEEP(owned_lock, Past past; return against_an_owner([&] { return or_timeout(futex(AT(lock), FUTEX_LOCK_PI, 0, past.t.addr())); });)
SWEEP(owned_lock_2, Past past; return against_an_owner([&] { return or_timeout(futex(AT(lock), FUTEX_LOCK_PI2, 0, past.t.addr())); });)
SWEEP(try_of_an_owned_lock, return against_an_owner([] {
        const long r = futex(AT(lock), FUTEX_TRYLOCK_PI);
        return r == -EAGAIN ? 0 : r;
      });)
SWEEP(wait_to_be_requeued, Past past; share_words(); return sweep([&] {
        return or_timeout(futex(AT(queue), FUTEX_WAIT_REQUEUE_PI, 0, past.t.addr(), AT(lock)));
      });)

// One of two waiters is refused at one of its steps, or meets it in its hand-over: the lock comes round all the same.
long plainly(unsigned long) {
  if (futex(AT(lock), FUTEX_LOCK_PI)) return 1;
  return futex(AT(lock), FUTEX_UNLOCK_PI) != 0;
}
long with_a_fault(unsigned long nth) {
  FaultInjection fault(current, static_cast<long>(nth));
  const long r = futex(AT(lock), FUTEX_LOCK_PI);
  if (r) return r == -ENOMEM && fault.fired() ? 2 : 1;
  return futex(AT(lock), FUTEX_UNLOCK_PI) != 0;
}
SWEEP(handed_over, share_words(); for (unsigned long nth = 1; nth < 20; nth++) {
        if (long r = futex(AT(lock), FUTEX_LOCK_PI)) return r;
        const long a = user::fork(with_a_fault, nth), b = user::fork(plainly);
        program::nap(3);
        if (long r = futex(AT(lock), FUTEX_UNLOCK_PI)) return r;
        const auto end = program::wait4(a);
        if (end.pid != a || (end.status != 0 && end.status != program::exited(2))) return 5000 + end.status;
        if (!program::ends_by(b, 0)) return 5001;
        if (user::peek<u32>(AT(lock))) return 5002;
      }
      return 0;)

// One waits on the queue for the lock, which the caller owns since its fast path, and is moved over.
long waits_for_both(unsigned long) {
  if (futex(AT(queue), FUTEX_WAIT_REQUEUE_PI, 0, 0, AT(lock))) return 1;
  return futex(AT(lock), FUTEX_UNLOCK_PI) != 0;
}
long requeue_sweep(unsigned nr_waiters, bool owned) {
  share_words();
  long waiters[3];
  for (unsigned i = 0; i < nr_waiters; i++) waiters[i] = user::fork(waits_for_both);
  program::nap(3);
  if (owned) user::poke<u32>(AT(lock), static_cast<u32>(program::gettid()));
  long r = sweep([] { return futex(AT(queue), FUTEX_CMP_REQUEUE_PI, 1, 100, AT(lock), 0); });
  if (owned && futex(AT(lock), FUTEX_UNLOCK_PI)) r = 5002;
  for (unsigned i = 0; i < nr_waiters; i++)
    if (!program::ends_by(waiters[i], 0)) return 5003;
  return r ? r : user::peek<u32>(AT(lock)) ? 5004 : 0;
}
SWEEP(requeued_to_a_free_lock, return requeue_sweep(1, false);)
SWEEP(requeued_to_an_owned_lock, return requeue_sweep(1, true);)
SWEEP(several_requeued, if (long r = requeue_sweep(3, false)) return r; return requeue_sweep(3, true);)

kunit_case cases[] = {
    KUNIT_CASE(free_lock), KUNIT_CASE(try_of_a_free_lock), KUNIT_CASE(owned_lock), KUNIT_CASE(owned_lock_2), KUNIT_CASE(try_of_an_owned_lock),
    KUNIT_CASE(wait_to_be_requeued), KUNIT_CASE(handed_over), KUNIT_CASE(requeued_to_a_free_lock), KUNIT_CASE(requeued_to_an_owned_lock),
    KUNIT_CASE(several_requeued), {},
};
kunit_suite suite = {.name = "pi_futex_faults", .test_cases = cases, .world = {.cpus = 2, .seeds = 3}};
kunit_test_suite(suite);

}  // namespace
