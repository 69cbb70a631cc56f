// The parallel engine: see parallel.hh.
// SPDX-License-Identifier: Apache-2.0
#include "arch/hosted/parallel.hh"

#include <linux/printk.h>

namespace hosted {

namespace {

constexpr unsigned kLockSpins = 50;

HOSTED_ENGINE inline void pause() { asm volatile("pause"); }

}  // namespace

// There may be fewer processors than CPUs: whoever has the lock may not be running.
HOSTED_ENGINE EngineLock::EngineLock() {
  if (!engine.parallel) return;
  for (unsigned spins = 0; __atomic_exchange_n(&engine.lock, 1, __ATOMIC_ACQUIRE); spins++)
    spins < kLockSpins ? pause() : host_yield();
}
HOSTED_ENGINE EngineLock::~EngineLock() {
  if (engine.parallel) __atomic_store_n(&engine.lock, 0, __ATOMIC_RELEASE);
}

namespace parallel {
namespace {

enum Go : unsigned { kParked, kGo, kQuit };

constexpr u64 kBootTime = 1'000'000;
constexpr unsigned kPointsPerLook = 16;     // at the clock
constexpr unsigned kSpinsOnProcessor = 30, kSpinsAwake = 2000, kSpinsPerLook = 1024;
constexpr u64 kNap = 50'000, kSecond = 1'000'000'000;
constexpr u64 kTooLong = 120 * kSecond;     // spinning in cpu_relax()
constexpr u64 kLongestSleep = kSecond;      // between two looks whether anybody will ever wake us
constexpr unsigned kQuietSeconds = 5;       // every CPU idle, no timer: a deadlock
constexpr unsigned kJitterMean = 512;       // points between two gifts of the processor to another host thread

HOSTED_ENGINE bool alive() { return __atomic_load_n(&engine.alive, __ATOMIC_ACQUIRE); }
HOSTED_ENGINE bool reports(const Cpu& me) { return __atomic_load_n(&engine.reporter, __ATOMIC_RELAXED) == me.block.cpu + 1; }

// Off this CPU's stacks, back to its host thread. What it ran stays as it is, to be looked at.
[[noreturn]] HOSTED_ENGINE void leave(Cpu& me) {
  edge_from(&engine.world_order);
  fiber_switch(me.running, &me.host, Leaving::ForGood);
  __builtin_unreachable();
}

HOSTED_ENGINE void look_at_clock(Cpu& me) {
  if (me.deadline == kNever || me.deadline > now()) return;
  me.deadline = kNever;
  __atomic_fetch_or(&me.pending, kPendingTimer, __ATOMIC_RELAXED);
}

HOSTED_ENGINE void wake_everybody() {
  for (unsigned i = 0; i < engine.nr_cpus; i++) {
    __atomic_fetch_or(&engine.cpus[i].pending, kPendingEnd, __ATOMIC_SEQ_CST);
    host_wake(&engine.cpus[i].pending);
  }
}

[[noreturn]] HOSTED_ENGINE void give_up(Cpu& me, const char* why) {
  unsigned nobody = 0;
  if (!__atomic_compare_exchange_n(&engine.reporter, &nobody, me.block.cpu + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
    leave(me);  // another is at it already
  __atomic_store_n(&engine.alive, false, __ATOMIC_SEQ_CST);
  me.irqs_on = false;
  wake_everybody();
  host_sleep(kSecond);  // for the others to come to a point
  pr_emerg("hosted: %s after %llu ns\n", why, now());
  report_all_tasks();
  end(kEndDeadlock, 1);
}

// The world is over, or this is who tells why: true.
HOSTED_ENGINE bool over(Cpu& me) {
  if (alive()) [[likely]] return false;
  if (__atomic_exchange_n(&engine.told_to_stop, false, __ATOMIC_RELAXED)) give_up(me, "stopped by a signal");
  if (!reports(me)) leave(me);
  return true;
}

// Everybody asleep, nothing pending, no timer.
HOSTED_ENGINE bool all_quiet() {
  for (unsigned i = 0; i < engine.nr_cpus; i++) {
    const Cpu& c = engine.cpus[i];
    if (__atomic_load_n(&c.go, __ATOMIC_RELAXED) != kGo && i) continue;
    if (!__atomic_load_n(&c.sleeping, __ATOMIC_SEQ_CST) || pending(c) || __atomic_load_n(&c.deadline, __ATOMIC_RELAXED) != kNever)
      return false;
  }
  return true;
}

// Pairs with raise(): either this sees the bit, or the sender sees `sleeping`.
HOSTED_ENGINE void sleep_until_pending(Cpu& me) {
  __atomic_store_n(&me.sleeping, 1, __ATOMIC_SEQ_CST);
  for (unsigned quiet = 0; !__atomic_load_n(&me.pending, __ATOMIC_SEQ_CST);) {
    const u64 time = now();
    if (me.deadline <= time) {
      look_at_clock(me);
      break;
    }
    const u64 left = me.deadline - time;
    host_wait(&me.pending, 0, left < kLongestSleep ? left : kLongestSleep);
    if (left < kLongestSleep || pending(me)) continue;
    if (me.block.cpu == 0) quiet = all_quiet() ? quiet + 1 : 0;
    if (quiet > kQuietSeconds) give_up(me, "deadlock: every CPU is idle and nothing is going to happen");
  }
  __atomic_store_n(&me.sleeping, 0, __ATOMIC_RELAXED);
}

// A host thread that plays a CPU other than the first.
HOSTED_ENGINE void play_cpu(unsigned cpu, char* low, unsigned long size) {
  Cpu& c = engine.cpus[cpu];
  play(&c);
  host_fiber(c, low, size);
  for (;;) {
    unsigned go;
    while ((go = __atomic_load_n(&c.go, __ATOMIC_ACQUIRE)) == kParked) host_wait(&c.go, kParked, kNever);
    if (go == kQuit) return;
    fiber_switch(&c.host, c.running, Leaving::Returns);
    __atomic_compare_exchange_n(&c.go, &go, kParked, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
  }
}

HOSTED_ENGINE void spin(Cpu& me) {
  if (++me.spins <= kSpinsOnProcessor) return pause();
  if (me.spins % kSpinsPerLook == 0) {
    const u64 time = host_clock_ns();
    if (!me.spins_since) me.spins_since = time;
    if (time - me.spins_since > kTooLong) give_up(me, "livelock: a CPU spins");
  }
  me.spins < kSpinsAwake ? host_yield() : host_sleep(kNap);
}

}  // namespace

HOSTED_ENGINE u64 now() { return host_clock_ns() - engine.host_epoch + kBootTime; }

HOSTED_ENGINE void begin(u64 seed) {
  engine.host_epoch = host_clock_ns();
  for (unsigned i = 0; i < engine.nr_cpus; i++) engine.cpus[i].dice = seed << 8 | i;
  engine.cpus[0].go = kGo;
  if (engine.nr_cpus > 1 && host_start_threads(engine.nr_cpus, play_cpu)) host_abort();
}

HOSTED_ENGINE void start(Cpu& c) {
  __atomic_store_n(&c.go, kGo, __ATOMIC_RELEASE);
  host_wake(&c.go);
}

HOSTED_ENGINE void tell_to_stop() {
  __atomic_store_n(&engine.told_to_stop, true, __ATOMIC_SEQ_CST);  // first: who sees the end looks why
  __atomic_store_n(&engine.alive, false, __ATOMIC_SEQ_CST);
  wake_everybody();
}

[[noreturn]] HOSTED_ENGINE void end(HostedEnd how, int status) {
  Cpu& me = this_cpu();
  if (__atomic_exchange_n(&engine.alive, false, __ATOMIC_SEQ_CST) || reports(me)) {  // the first to end it says how
    engine.result.how = how;
    engine.result.status = status;
  }
  wake_everybody();
  leave(me);
}

HOSTED_ENGINE void join() {
  for (unsigned i = 1; i < engine.nr_cpus; i++) {
    __atomic_store_n(&engine.cpus[i].go, kQuit, __ATOMIC_RELEASE);
    host_wake(&engine.cpus[i].go);
  }
  if (engine.nr_cpus > 1) host_join_threads();
}

HOSTED_ENGINE void wait_until_parked(const Cpu& c) {
  while (__atomic_load_n(&c.go, __ATOMIC_ACQUIRE) == kGo) host_yield();
}
[[noreturn]] HOSTED_ENGINE void leave_for_now(Cpu& me) { leave(me); }

HOSTED_ENGINE void wait_until_left(const task_struct* t) {
  for (unsigned i = 1; i < engine.nr_cpus; i++) {
    const Cpu& c = engine.cpus[i];
    if (c.block.current_task != t || &c == &this_cpu()) continue;
    while (__atomic_load_n(&c.go, __ATOMIC_ACQUIRE) == kGo) host_yield();
  }
}

HOSTED_ENGINE void point(Cpu& me) {
  if (over(me)) [[unlikely]] return;
  me.spins = 0;
  me.spins_since = 0;
  if (++me.yield_points % kPointsPerLook == 0) {
    look_at_clock(me);
    if (next_random(&me.dice) % (kJitterMean / kPointsPerLook) == 0) host_yield();
  }
  if (me.irqs_on && pending(me)) deliver_interrupts(nullptr);
}

HOSTED_ENGINE void relax(Cpu& me) {
  if (!alive() && reports(me) && ++me.spins > 10'000'000) end(kEndDeadlock, 1);  // a lock of somebody who has left
  if (over(me)) [[unlikely]] return;
  if (me.stopping && !me.irqs_on) leave(me);
  if (me.spins % kPointsPerLook == 0) look_at_clock(me);
  if (me.irqs_on && pending(me)) return deliver_interrupts(nullptr);
  spin(me);
}

HOSTED_ENGINE void wait(Cpu& me) {
  if (!pending(me)) sleep_until_pending(me);
  (void)over(me);
}

HOSTED_ENGINE void burn_on(Cpu& me) {
  const u64 start = now();
  u64 spent = 0;
  for (unsigned spins = 0; spent < me.burn_ns; spins++) {
    look_at_clock(me);
    if (pending(me) || over(me)) break;
    spins % 64 ? pause() : host_yield();
    spent = now() - start;
  }
  me.burn_ns -= spent < me.burn_ns ? spent : me.burn_ns;
}

HOSTED_ENGINE void raise(Cpu& to, unsigned bits) {
  __atomic_fetch_or(&to.pending, bits, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&to.sleeping, __ATOMIC_SEQ_CST)) host_wake(&to.pending);
}

HOSTED_ENGINE void wait_for_reaching() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  for (unsigned i = 0; i < engine.nr_cpus; i++) {
    const Cpu& c = engine.cpus[i];
    const unsigned seen = __atomic_load_n(&c.reaching, __ATOMIC_ACQUIRE);
    if (!(seen & 1) || &c == &this_cpu()) continue;
    for (unsigned spins = 0; __atomic_load_n(&c.reaching, __ATOMIC_ACQUIRE) == seen; spins++)
      spins < kSpinsOnProcessor ? pause() : host_yield();
  }
}

}  // namespace parallel
}  // namespace hosted
