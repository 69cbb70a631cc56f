// The deterministic engine: who goes on, when interrupts arrive, how time moves.
// SPDX-License-Identifier: Apache-2.0
#include "arch/hosted/engine.hh"

#include <linux/hardirq.h>
#include <linux/printk.h>

#include "arch/hosted/appointment.hh"
#include "arch/hosted/parallel.hh"
#include "arch/hosted/pilot.hh"
#include "kernel/entry/entry.hh"

void timer_interrupt();                                                // kernel/time
void console_input(std::span<const char> text) __attribute__((weak));  // fs/tty

HostedLog hosted_log;
HostedPilot hosted_pilot;

namespace hosted {

constinit Engine engine{};
__thread Cpu* hosted_here;

namespace {

// Kernel code that yields so often without time moving is waiting for time (a loop around clock_ns(), say).
constexpr unsigned kStuckPoints = 200'000;
constexpr u64 kStuckStep = 100'000;
constexpr u64 kFirstSpin = 50, kLongestSpin = 100'000;
constexpr unsigned kTooManySpins = 400'000;    // every CPU in cpu_relax(), so often
constexpr unsigned kTooManyRounds = 2'000'000;  // only ticks, no task runs

using CpuSet = u64;

// A store that its CPU has not let out yet: delay_store().
struct Delayed {
  unsigned* word;  // null: there is none
  unsigned value;
};
Delayed delayed[arch::kMaxCpus];

// What was steered so far is the pilot's: one point more. Returns who goes on.
enum class Forced : unsigned char { No, Yes };
HOSTED_ENGINE unsigned pilot_choose(CpuSet set, Forced forced) {
  HostedPilot& p = hosted_pilot;
  unsigned usual = engine.current;
  if (!(set >> usual & 1)) {  // the next one round
    const CpuSet above = usual < 63 ? set & (~0ull << (usual + 1)) : 0;
    usual = static_cast<unsigned>(__builtin_ctzll(above ? above : set));
  }
  if (p.point_count >= p.point_cap) return usual;
  unsigned taken = usual;
  if (p.script_at < p.script_length) {
    if (p.script[p.script_at].point == p.point_count) {
      taken = p.script[p.script_at++].cpu;
      if (taken > 63 || !(set >> taken & 1)) {
        p.diverged = true;
        taken = usual;
      }
    }
  } else if (p.random && next_random(&p.random) % p.random_mean == 0) {
    unsigned skip = static_cast<unsigned>(next_random(&p.random) % static_cast<unsigned>(__builtin_popcountll(set)));
    CpuSet left = set;
    while (skip--) left &= left - 1;
    taken = static_cast<unsigned>(__builtin_ctzll(left));
  }
  p.points[p.point_count++] = {static_cast<unsigned char>(set), static_cast<unsigned char>(usual), static_cast<unsigned char>(taken),
                               forced == Forced::Yes};
  return taken;
}

HOSTED_ENGINE CpuSet runnable_cpus() {
  CpuSet set = 0;
  for (unsigned i = 0; i < engine.nr_cpus; i++) {
    const Cpu& c = engine.cpus[i];
    if (c.online && !c.halted && (!c.waits() || c.pending)) set |= 1ull << i;
  }
  return set;
}

HOSTED_ENGINE CpuSet relaxing_cpus() {
  CpuSet set = 0;
  for (unsigned i = 0; i < engine.nr_cpus; i++)
    if (engine.cpus[i].relaxing) set |= 1ull << i;
  return set;
}

[[noreturn]] void give_up(const char* why);

HOSTED_ENGINE unsigned choose(CpuSet set) {
  if (__atomic_load_n(&engine.told_to_stop, __ATOMIC_RELAXED)) [[unlikely]] {
    engine.told_to_stop = false;
    give_up("stopped by a signal");
  }
  unsigned n = static_cast<unsigned>(__builtin_popcountll(set));
  if (hosted_pilot.steering && n > 1) [[unlikely]] return pilot_choose(set, Forced::Yes);
  unsigned skip = n == 1 ? 0 : static_cast<unsigned>(next_random(&engine.chooser) % n);
  while (skip--) set &= set - 1;
  return static_cast<unsigned>(__builtin_ctzll(set));
}

HOSTED_ENGINE void draw_countdown() {
  engine.countdown = 1 + static_cast<unsigned>(next_random(&engine.chooser) % (2 * engine.switch_mean));
}

// Lets `cpu` go on where it stopped. Returns when this CPU is chosen again.
HOSTED_ENGINE void go_on_as(unsigned cpu) {
  if (cpu == engine.current) return;
  Cpu& from = this_cpu();
  engine.current = cpu;
  play(&engine.cpus[cpu]);
  note(kEventCpu, cpu, 0);
  fiber_switch(from.running, engine.cpus[cpu].running, Leaving::Returns);
}

HOSTED_ENGINE u64 next_event() {
  u64 next = kNever;
  for (unsigned i = 0; i < engine.nr_cpus; i++) {
    const Cpu& c = engine.cpus[i];
    if (!c.online || c.halted) continue;
    if (c.deadline < next) next = c.deadline;
    if (c.burning && engine.now + c.burn_ns < next) next = engine.now + c.burn_ns;
  }
  return next;
}

[[noreturn]] HOSTED_ENGINE void give_up(const char* why) {
  engine.alive = false;  // from here on nobody else gets a turn
  for (Cpu& c : engine.cpus) c.irqs_on = false;
  pr_emerg("hosted: %s at %llu ns of virtual time\n", why, engine.now);
  report_all_tasks();
  end_world(kEndDeadlock, 1);
}

// Every CPU waits: on to the next thing that will happen by itself.
HOSTED_ENGINE void let_time_pass() {
  u64 next = next_event();
  if (next == kNever) give_up("deadlock: every CPU is idle and nothing is going to happen");
  if (++engine.quiet_rounds > kTooManyRounds) give_up("hung: nothing but timer ticks for a long while");
  move_time_to(next);
}

// Every CPU that could go on spins: only time can help.
HOSTED_ENGINE void let_spinners_age() {
  if (++engine.spins > kTooManySpins) give_up("livelock: every CPU spins");
  u64 until = engine.now + engine.spin_ns, next = next_event();
  move_time_to(next > engine.now && next < until ? next : until);
  if (engine.spin_ns < kLongestSpin && engine.spins % 16 == 0) engine.spin_ns *= 2;
}

HOSTED_ENGINE void progress() {
  engine.spins = 0;
  engine.spin_ns = kFirstSpin;
}

HOSTED_ENGINE pt_regs kernel_regs() {
  pt_regs r{};
  r.ip = reinterpret_cast<unsigned long>(__builtin_return_address(0));
  r.sp = reinterpret_cast<unsigned long>(__builtin_frame_address(0));
  r.cs = 0x10;
  r.flags = X86_EFLAGS_IF;
  r.orig_ax = ~0ul;
  return r;
}

char console_buffer[4096];
unsigned console_size;

HOSTED_ENGINE __attribute__((__noinline__)) void handle_console() {
  char text[sizeof console_buffer];
  unsigned n;
  {
    EngineLock lock;
    n = console_size;
    __builtin_memcpy(text, console_buffer, n);
    console_size = 0;
  }
  if (console_input) console_input({text, n});
}

void handle_pending(unsigned pending) {
  if (pending & kPendingTimer) timer_interrupt();
  if (pending >> static_cast<unsigned>(arch::Ipi::Stop) & 1) this_cpu().stopping = true;
  for (unsigned ipi = 0; ipi < 8; ipi++)
    if (pending >> ipi & 1) handle_ipi(static_cast<arch::Ipi>(ipi));
  if (pending & kPendingConsole) handle_console();
}

// The CPU that was waiting for this keeps the machine for a good while.
constexpr unsigned kActsAlone = 2000;

HOSTED_ENGINE void keep_appointment() {
  auto& a = engine.appointment;
  if (this_cpu().block.current_task != a.task || ++a.seen != a.at) return;
  a.met = true;
  Cpu& other = engine.cpus[a.cpu];
  other.burning = false;  // enough of that
  other.burn_ns = 0;
  if (!other.online || other.halted || (other.waits() && !other.pending)) return;  // nobody waits there
  engine.countdown = kActsAlone;
  go_on_as(a.cpu);
}

}  // namespace

HOSTED_ENGINE void pilot_begin() {
  hosted_pilot.steering = hosted_pilot.wanted;
  for (Delayed& d : delayed) d = {};
}
HOSTED_ENGINE void pilot_end() { hosted_pilot.steering = false; }

HOSTED_ENGINE void appointment_make(const task_struct* task, unsigned long at, unsigned cpu) {
  engine.appointment = {task, at, 0, cpu, false};
}
HOSTED_ENGINE bool appointment_met() { return engine.appointment.met; }
HOSTED_ENGINE unsigned long appointment_end() {
  engine.appointment.task = nullptr;
  return engine.appointment.seen;
}

HOSTED_ENGINE u64 kernel_time() { return engine.parallel ? parallel::now() : engine.now; }

HOSTED_ENGINE u64 next_random(u64* state) {  // splitmix64
  u64 z = *state += 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}

HOSTED_ENGINE void note(HostedEventKind what, unsigned long a, unsigned long b) {
  if (engine.parallel) return;  // there is no order to be written down
  HostedLog& log = hosted_log;
  HostedEvent e{engine.now, what, engine.current, a, b};
  unsigned long words[] = {e.time, static_cast<unsigned long>(what) << 32 | e.cpu, a, b};
  for (unsigned long w : words) log.hash = (log.hash ^ w) * 0x9ddfea08eb382d69ul + (log.hash >> 29);
  if (log.event_count < log.event_cap) log.events[log.event_count] = e;
  log.event_count++;
}

HOSTED_ENGINE void raise_pending(unsigned cpu, unsigned bits) {
  edge_from(&engine.cpus[cpu].ipi_order);
  if (engine.parallel) return parallel::raise(engine.cpus[cpu], bits);
  engine.cpus[cpu].pending |= bits;
}

HOSTED_ENGINE void move_time_to(u64 t) {
  u64 passed = t - engine.now;
  engine.now = t;
  engine.stuck_points = 0;
  note(kEventTime, 0, 0);
  for (unsigned i = 0; i < engine.nr_cpus; i++) {
    Cpu& c = engine.cpus[i];
    if (c.burning) {
      c.burn_ns -= passed < c.burn_ns ? passed : c.burn_ns;
      c.burning = c.burn_ns != 0;
    }
    if (c.deadline <= t) {
      c.deadline = kNever;
      c.pending |= kPendingTimer;
    }
  }
}

[[noreturn]] HOSTED_ENGINE void go_on_without(Cpu& me) {
  for (;;) {
    if (CpuSet set = runnable_cpus()) {
      engine.current = choose(set);
      play(&engine.cpus[engine.current]);
      note(kEventCpu, engine.current, 0);
      fiber_switch(me.running, engine.cpus[engine.current].running, Leaving::ForGood);
      __builtin_unreachable();
    }
    let_time_pass();
  }
}

HOSTED_ENGINE void wait_until_runnable() {
  Cpu& me = this_cpu();
  if (engine.parallel) return parallel::wait(me);
  while (me.waits() && !me.pending) {
    if (CpuSet set = runnable_cpus())
      go_on_as(choose(set));
    else
      let_time_pass();
  }
}

HOSTED_ENGINE void deliver_interrupts(pt_regs* user_regs) {
  while (parallel::pending(this_cpu())) {
    Cpu& c = this_cpu();
    const unsigned pending = parallel::take_pending(c);
    c.irqs_on = false;
    edge_to(&c.ipi_order);
    note(kEventIrq, pending, 0);
    pt_regs own = kernel_regs();
    pt_regs* regs = user_regs ? user_regs : &own;
    pt_regs* outer = c.block.irq_regs;
    c.block.irq_regs = regs;
    irq_enter();
    handle_pending(pending);
    irq_exit();
    c.block.irq_regs = outer;  // the handlers do not change CPU
    if (user_regs) return;     // user_run()'s caller sees to the rest, interrupts off
    irqentry_exit_to_kernel(&own);
    this_cpu().irqs_on = true;
  }
}

}  // namespace hosted

// ---- The contract: this CPU ---------------------------------------------------------------------------------------
using hosted::engine;
using hosted::this_cpu;

extern "C" HOSTED_ENGINE int hosted_tell_to_stop() {
  if (!__atomic_load_n(&engine.alive, __ATOMIC_RELAXED)) return 0;
  if (engine.parallel)
    hosted::parallel::tell_to_stop();
  else
    __atomic_store_n(&engine.told_to_stop, true, __ATOMIC_RELAXED);
  return 1;
}

extern "C" HOSTED_ENGINE __attribute__((__noinline__)) task_struct* hosted_current() { return this_cpu().block.current_task; }

extern "C" HOSTED_ENGINE void hosted_cpu_relax() {
  hosted::Cpu& me = this_cpu();
  if (engine.parallel) return hosted::parallel::relax(me);
  if (!engine.alive) return;
  if (me.stopping && !me.irqs_on) me.halted = true;  // its stack may be gone before it would be chosen again
  if (me.irqs_on && me.pending) return hosted::deliver_interrupts(nullptr);
  me.relaxing = true;
  hosted::CpuSet spinners = hosted::relaxing_cpus(), able = hosted::runnable_cpus();
  if (!(able & ~spinners)) {  // a whole round without anybody getting on
    hosted::let_spinners_age();
    for (hosted::Cpu& c : engine.cpus) c.relaxing = false;
    able = hosted::runnable_cpus();
  } else {
    able &= ~spinners;
  }
  hosted::go_on_as(hosted::choose(able));
  me.relaxing = false;
}

namespace arch {

HOSTED_ENGINE __attribute__((__noinline__)) CpuBlock& cpu_block() { return this_cpu().block; }
HOSTED_ENGINE __attribute__((__noinline__)) unsigned cpu_id() { return this_cpu().block.cpu; }
HOSTED_ENGINE __attribute__((__noinline__)) int preempt_count() { return this_cpu().block.preempt_count; }
HOSTED_ENGINE __attribute__((__noinline__)) void preempt_count_add(int n) {
  int& count = this_cpu().block.preempt_count;
  count = static_cast<int>(static_cast<u32>(count) + static_cast<u32>(n));  // bit 31 comes and goes by adding it
}
HOSTED_ENGINE __attribute__((__noinline__)) bool preempt_count_dec_and_test() {
  int& count = this_cpu().block.preempt_count;
  count = static_cast<int>(static_cast<u32>(count) - 1);
  return count == 0;
}
HOSTED_ENGINE CpuBlock& cpu_block_of(unsigned cpu) { return engine.cpus[cpu].block; }

HOSTED_ENGINE void yield_point(PreemptPoint) {
  hosted::Cpu& me = this_cpu();
  if (engine.parallel) return hosted::parallel::point(me);
  if (!engine.alive) return;
  hosted::progress();
  if (++engine.stuck_points > hosted::kStuckPoints) hosted::move_time_to(engine.now + hosted::kStuckStep);
  me.yield_points++;
  if (engine.appointment.task) hosted::keep_appointment();
  if (hosted_pilot.steering) [[unlikely]] {
    hosted::CpuSet set = hosted::runnable_cpus();
    if (set & (set - 1)) hosted::go_on_as(hosted::pilot_choose(set, hosted::Forced::No));
  } else if (--engine.countdown == 0) {
    hosted::draw_countdown();
    hosted::go_on_as(hosted::choose(hosted::runnable_cpus()));
  }
  if (me.pending && me.irqs_on) hosted::deliver_interrupts(nullptr);
}

HOSTED_ENGINE unsigned long irq_save() {
  hosted::Cpu& c = this_cpu();
  unsigned long flags = c.irqs_on ? X86_EFLAGS_IF : 0;
  c.irqs_on = false;
  return flags;
}
HOSTED_ENGINE void irq_restore(unsigned long flags) {
  if (flags & X86_EFLAGS_IF) irq_enable();
}
HOSTED_ENGINE void irq_disable() { this_cpu().irqs_on = false; }
HOSTED_ENGINE void irq_enable() {
  if (this_cpu().irqs_on) return;
  this_cpu().irqs_on = true;
  yield_point(PreemptPoint::IrqEnable);
}
HOSTED_ENGINE bool irqs_disabled() { return !this_cpu().irqs_on; }

HOSTED_ENGINE void idle_wait() {
  hosted::Cpu& me = this_cpu();
  me.irqs_on = true;
  me.idle = true;
  hosted::wait_until_runnable();
  me.idle = false;
  hosted::deliver_interrupts(nullptr);
}

CpuPlace cpu_place(unsigned cpu) { return {0, 0, cpu}; }

HOSTED_ENGINE void send_ipi(unsigned cpu, Ipi what) {
  hosted::note(kEventIpi, cpu, static_cast<unsigned>(what));
  hosted::raise_pending(cpu, 1u << static_cast<unsigned>(what));
}

// ---- Clocks -------------------------------------------------------------------------------------------------------
HOSTED_ENGINE u64 clock_ns() { return hosted::kernel_time(); }
std::span<const unsigned char> vdso_image() { return {}; }
void vdso_set_clock(void*, s64) {}
void vdso_send_to_kernel(void*) {}
u64 boot_wall_ns() { return 1'700'000'000ull * 1'000'000'000ull; }  // 2023-11-14, in every world
HOSTED_ENGINE void timer_program(u64 deadline_ns) {
  hosted::Cpu& c = this_cpu();
  c.deadline = deadline_ns;
  if (deadline_ns <= hosted::kernel_time()) {
    c.deadline = hosted::kNever;
    hosted::raise_pending(c.block.cpu, hosted::kPendingTimer);
  }
}
HOSTED_ENGINE u64 entropy() {
  hosted::EngineLock lock;
  return hosted::next_random(&engine.dice);
}

}  // namespace arch

// ---- A store buffer of one word per CPU, for test/explore ------------------------------------------------------------
namespace hosted {
HOSTED_ENGINE void drain_stores() {
  Delayed& d = delayed[engine.current];
  if (d.word) __atomic_store_n(d.word, d.value, __ATOMIC_SEQ_CST);
  d.word = nullptr;
}
HOSTED_ENGINE void delay_store(unsigned* word, unsigned value) {
  drain_stores();
  delayed[engine.current] = {word, value};
}
}  // namespace hosted

extern "C" HOSTED_ENGINE void hosted_race_barrier() { hosted::drain_stores(); }
extern "C" HOSTED_ENGINE bool hosted_race_forward(const volatile void* x, unsigned* value) {
  const hosted::Delayed& d = hosted::delayed[engine.current];
  if (d.word != x || !x) return false;
  *value = d.value;
  return true;
}
// A later store of this CPU to the same word.
extern "C" HOSTED_ENGINE void hosted_race_overwrite(const volatile void* x) {
  hosted::Delayed& d = hosted::delayed[engine.current];
  if (d.word == x) d.word = nullptr;
}

// Each marked access of code that is built with CF_RACE_POINTS (include/linux/compiler.h).
extern "C" HOSTED_ENGINE void hosted_race_point() {
  if (hosted_pilot.steering) arch::yield_point(arch::PreemptPoint::Atomic);
}

extern "C" HOSTED_ENGINE void hosted_console_input(const char* text, unsigned long size) {
  hosted::EngineLock lock;
  for (unsigned long i = 0; i < size && hosted::console_size < sizeof(hosted::console_buffer); i++)
    hosted::console_buffer[hosted::console_size++] = text[i];
  hosted::raise_pending(0, hosted::kPendingConsole);
}
