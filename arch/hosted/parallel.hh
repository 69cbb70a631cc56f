// The parallel engine: a host thread plays each CPU, in the host's time, so that ThreadSanitizer and the processor see the kernel's real
// concurrency. Chosen per world (HostedConfig::parallel). Private to arch/hosted.
//
// Interrupts are polled. "Interrupts off" is a flag of the CPU; what is sent to a CPU becomes a bit in Cpu::pending, and is
// noticed at its next point: lock, unlock, interrupt enable, switch, system call, cpu_relax(), idle, a user program's access
// to memory. So between two points a context stays on its CPU, as it does in the deterministic engine, and none of the
// engine's own steps needs to be guarded against interrupts. Host signals would have given arrival between any two
// instructions, but ThreadSanitizer delays them to such points of its own anyway.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/hosted/engine.hh"

namespace hosted::parallel {

void begin(u64 seed);     // before CPU 0 enters the kernel: the other CPUs' host threads wait to be started
void start(Cpu& c);       // c goes on at c.running
void tell_to_stop();      // from a host signal handler
[[noreturn]] void end(HostedEnd how, int status);  // this world is over, for all CPUs
void join();              // on CPU 0's host thread, outside of the kernel: the others are outside, too
void wait_until_parked(const Cpu& c);     // its host thread is off the stacks of the kernel
[[noreturn]] void leave_for_now(Cpu& me);
void wait_until_left(const task_struct* t);  // if t is the idle task of a CPU that has stopped: until that stands on t's stack no more

void point(Cpu& me);
void relax(Cpu& me);
void wait(Cpu& me);             // until something is pending: asleep if idle, on the processor if burning
void burn_on(Cpu& me);          // spends what is left in me.burn_ns, or less if something comes up
void raise(Cpu& to, unsigned bits);  // any CPU
u64 now();

HOSTED_ENGINE inline unsigned pending(const Cpu& c) { return __atomic_load_n(&c.pending, __ATOMIC_RELAXED); }
HOSTED_ENGINE inline unsigned take_pending(Cpu& c) { return __atomic_exchange_n(&c.pending, 0, __ATOMIC_ACQ_REL); }

// Plays the TLB: who has translated an address uses it before anybody who flushes goes on, as processors do that answer
// to a shootdown between instructions only. Nothing may fault or wait within.
class Reach {
 public:
  HOSTED_ENGINE Reach() { open(); }
  HOSTED_ENGINE ~Reach() { close(); }
  Reach(const Reach&) = delete;
  Reach& operator=(const Reach&) = delete;
  HOSTED_ENGINE void open() {
    if (engine.parallel) __atomic_fetch_add(&this_cpu().reaching, 1, __ATOMIC_SEQ_CST);  // pairs with wait_for_reaching()
  }
  HOSTED_ENGINE void close() {
    if (engine.parallel) __atomic_fetch_add(&this_cpu().reaching, 1, __ATOMIC_RELEASE);
  }
};
void wait_for_reaching();  // until every other CPU has been outside of a Reach

}  // namespace hosted::parallel
