// The deterministic engine: one host thread plays all CPUs. At each yield point a seeded chooser may let another CPU go
// on; time is virtual and moves only when every CPU waits, or is told to. Private to arch/hosted.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/contract/arch.hh"
#include "arch/hosted/fiber.hh"
#include "arch/hosted/host/host_api.hh"

namespace hosted {

inline constexpr u64 kNever = ~0ull;
// Bits of Cpu::pending: one per Ipi, then these.
inline constexpr unsigned kPendingTimer = 1u << 8, kPendingConsole = 1u << 9;

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
  char own_order, ipi_order;  // ThreadSanitizer's handles: this CPU's program order; sent interrupts
  bool waits() const { return idle || burning; }
};

struct Engine {
  Cpu cpus[arch::kMaxCpus];
  unsigned nr_cpus, current;
  bool alive;
  u64 now;
  u64 chooser, dice;     // two random streams: the chooser's and entropy()'s
  unsigned countdown, switch_mean;
  unsigned stuck_points;  // yield points since time moved
  unsigned quiet_rounds;  // times that all waited with no task switch between
  u64 spin_ns;            // what the next round of nothing but cpu_relax() costs
  unsigned spins;
  hosted_fiber host;      // who called hosted_run()
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
  char world_order;       // ThreadSanitizer's handle: everything in a world comes before the host goes on
};
extern Engine engine;

inline Cpu& this_cpu() { return engine.cpus[engine.current]; }
inline Cpu& cpu_of(const CpuBlock* b) { return engine.cpus[b->cpu]; }

void note(HostedEventKind what, unsigned long a, unsigned long b);

// This CPU cannot go on before an interrupt or its burning is over: lets others, or time, go on until then.
void wait_until_runnable();
// Handles what is pending, on the running context. Interrupts are on before and after; may switch tasks if the context is
// the kernel's.
void deliver_interrupts(pt_regs* user_regs);
void raise_pending(unsigned cpu, unsigned bits);
void move_time_to(u64 t);
u64 next_random(u64* state);

[[noreturn]] void end_world(HostedEnd how, int status);
void report_all_tasks();

}  // namespace hosted
