// The two engines' common state. Deterministic (engine.cc): one host thread plays all CPUs. At each yield point a seeded
// chooser may let another CPU go on; time is virtual and moves only when every CPU waits, or is told to. Parallel
// (parallel.hh): a host thread plays each CPU, in the host's time. Private to arch/hosted.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/contract/arch.hh"
#include "arch/hosted/fiber.hh"
#include "arch/hosted/host/host_api.hh"

namespace hosted {

inline constexpr u64 kNever = ~0ull;
// Bits of Cpu::pending: one per Ipi, then these.
inline constexpr unsigned kPendingTimer = 1u << 8, kPendingConsole = 1u << 9;
// Parallel engine: the world is over. Only wakes.
inline constexpr unsigned kPendingEnd = 1u << 10;

struct Cpu {
  CpuBlock block;
  hosted_fiber* running;  // the context this CPU executes, or will go on with when it is chosen
  bool online;
  bool irqs_on;
  bool idle;      // in idle_wait()
  bool burning;   // a user program spends virtual time
  bool relaxing;  // in cpu_relax()
  bool stopping;  // has taken Ipi::Stop
  bool halted;    // for good
  unsigned pending;
  u64 deadline;  // of the one-shot timer, or kNever
  u64 burn_ns;   // left to burn
  task_struct* last;  // who ran here before the switch in progress
  mm_struct* loaded_mm;
  unsigned long switches, syscalls, yield_points;  // counted, for HostedResult
  hosted_fiber host;  // of the host thread that plays this CPU: CPU 0's is who called hosted_run()
  // Parallel engine, this CPU's host thread alone:
  unsigned spins;     // cpu_relax() since it last got on
  u64 spins_since;    // host time of the first of them
  u64 dice;           // where to give the host's processor away
  // Parallel engine, shared between host threads, by atomics:
  unsigned sleeping;  // in host_wait() on `pending`, or about to be
  unsigned reaching;  // looks at user memory through its page tables; odd: it does
  unsigned go;        // enum Go: what its host thread is to do
  char own_order, ipi_order;  // ThreadSanitizer's handles: this CPU's program order; sent interrupts
  HOSTED_ENGINE bool waits() const { return idle || burning; }
};

struct Engine {
  Cpu cpus[arch::kMaxCpus];
  unsigned nr_cpus, current;  // current: of the deterministic engine
  bool parallel;
  bool alive;
  bool told_to_stop;      // by a signal to the host program: report all tasks and end
  unsigned reporter;      // parallel engine: 1 + the CPU that goes on in a world that is over, to tell why
  u64 host_epoch;         // parallel engine: host time at clock_ns() == 0
  u64 now;
  u64 chooser, dice;     // two random streams: the chooser's and entropy()'s
  unsigned countdown, switch_mean;
  unsigned stuck_points;  // yield points since time moved
  unsigned quiet_rounds;  // times that all waited with no task switch between
  u64 spin_ns;            // what the next round of nothing but cpu_relax() costs
  unsigned spins;
  hosted_fiber boot;      // CPU 0's first context: init_task's
  arch::BootInfo boot_info;
  arch::MemoryRegion ram;
  HostedResult result;
  struct {
    const task_struct* task;  // null: none
    unsigned long at, seen;
    unsigned cpu;
    bool met;
  } appointment;          // appointment.hh
  unsigned lock;          // parallel engine: EngineLock
  char world_order;       // ThreadSanitizer's handle: everything in a world comes before the host goes on
};
extern Engine engine;

// The CPU that this host thread plays. Read anew each time: the compiler may keep the address of a thread's variable over a
// switch that ends on another host thread, but not the result of this.
extern "C" __thread Cpu* hosted_here __attribute__((tls_model("initial-exec")));
HOSTED_ENGINE inline __attribute__((always_inline)) Cpu& this_cpu() {
  Cpu* here;
  asm volatile("movq %%fs:hosted_here@tpoff, %0" : "=r"(here));
  return *here;
}
HOSTED_ENGINE inline __attribute__((always_inline)) void play(Cpu* cpu) { hosted_here = cpu; }

// What the engine and the host side share beyond one CPU: a real lock in the parallel engine, nothing in the other. Held
// for moments, with nothing taken or waited for within.
class EngineLock {
 public:
  EngineLock();
  ~EngineLock();
  EngineLock(const EngineLock&) = delete;
  EngineLock& operator=(const EngineLock&) = delete;
};
inline Cpu& cpu_of(const CpuBlock* b) { return engine.cpus[b->cpu]; }

void note(HostedEventKind what, unsigned long a, unsigned long b);

// This CPU cannot go on before an interrupt or its burning is over: lets others, or time, go on until then.
void wait_until_runnable();
// Handles what is pending, on the running context. Interrupts are on before and after; may switch tasks if the context is
// the kernel's.
void deliver_interrupts(pt_regs* user_regs);
void raise_pending(unsigned cpu, unsigned bits);
void move_time_to(u64 t);
[[noreturn]] void go_on_without(Cpu& me);  // lets the others go on; this CPU has no turn until it is started again
u64 next_random(u64* state);
u64 kernel_time();  // clock_ns() of either engine

[[noreturn]] void end_world(HostedEnd how, int status);
void host_fiber(Cpu& c, void* low, unsigned long size);  // the caller's host thread and stack is the one that plays c
void report_all_tasks();

}  // namespace hosted
