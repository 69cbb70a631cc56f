// One world's beginning and end, as the machine sees it; its console; its stacks when asked for.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "arch/hosted/engine.hh"
#include "arch/hosted/parallel.hh"
#include "kernel/sched/check.hh"
#include "arch/hosted/user_side.hh"
#include "init/init.hh"
#include "kernel/task/task.hh"

[[noreturn]] void cpu_startup() __attribute__((weak));  // init/: absent, there is one CPU

namespace hosted {
namespace {

// As spec 22 has it at boot: one level of preemption disabled, need-resched clear (bit 31 is inverted).
constexpr int kBootPreemptCount = static_cast<int>(0x80000001u);
// What firmware and loader took. Not 0: code may use that for "never".
constexpr u64 kBootTime = 1'000'000;
// The first MiB is left out, as on a PC: physical address 0 means nothing anywhere.
constexpr phys_addr_t kRamStart = 1 << 20;

// memset() would be ThreadSanitizer's.
HOSTED_ENGINE void clear(void* p, size_t n) { asm volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(0) : "memory"); }

HOSTED_ENGINE void set_up_cpus(unsigned n) {
  engine.nr_cpus = n;
  for (unsigned i = 0; i < n; i++) {
    Cpu& c = engine.cpus[i];
    c.block.self = &c.block;
    c.block.cpu = i;
    c.block.preempt_count = kBootPreemptCount;
    c.deadline = kNever;
  }
}

HOSTED_ENGINE void boot_entry(void*) {
  fiber_arrived();
  edge_to(&engine.world_order);
  start_kernel();
}

HOSTED_ENGINE void set_up_boot_cpu(const HostedConfig& config) {
  Cpu& c = engine.cpus[0];
  unsigned long low = reinterpret_cast<unsigned long>(config.boot_stack);
  // task_pt_regs(&init_task) and the end-of-stack magic are reckoned from ->stack: the uppermost THREAD_SIZE bytes.
  init_task.stack = config.boot_stack + config.boot_stack_size - THREAD_SIZE;
  init_task.thread = {};
  fiber_make(&init_task.thread.fiber, config.boot_stack, config.boot_stack_size,
             low + config.boot_stack_size - sizeof(pt_regs), boot_entry, nullptr);
  c.block.current_task = &init_task;
  c.block.stack_top = low + config.boot_stack_size;
  c.running = &init_task.thread.fiber;
  c.online = true;
}

HOSTED_ENGINE void set_up_boot_info(const HostedConfig& config) {
  engine.ram = {kRamStart, kRamStart + config.memory};
  engine.boot_info = {};
  engine.boot_info.command_line = config.command_line;
  engine.boot_info.usable = {&engine.ram, 1};
  engine.boot_info.initrd = {config.initrd, config.initrd_size};
  engine.boot_info.nr_cpus = engine.nr_cpus;
}

}  // namespace

HOSTED_ENGINE void host_fiber(Cpu& c, void* low, unsigned long size) {
  c.host.tsan = __tsan_get_current_fiber ? __tsan_get_current_fiber() : nullptr;
  c.host.stack_low = reinterpret_cast<unsigned long>(low);
  c.host.stack_size = size;
}

[[noreturn]] HOSTED_ENGINE void end_world(HostedEnd how, int status) {
  if (engine.parallel) parallel::end(how, status);
  engine.alive = false;
  engine.result.how = how;
  engine.result.status = status;
  edge_from(&engine.world_order);
  static constinit hosted_fiber gone{};  // not in this frame: a sanitizer may keep it off the stack and drop it before the switch
  fiber_switch(&gone, &engine.cpus[0].host, Leaving::ForGood);
  __builtin_unreachable();
}

}  // namespace hosted

using hosted::engine;

extern "C" HOSTED_ENGINE void hosted_run(const HostedConfig* config, HostedResult* result) {
  hosted::clear(&engine, sizeof engine);
  hosted_pilot.steering = false;
  engine.chooser = config->seed * 2 + 1;
  engine.dice = ~config->seed;
  engine.switch_mean = config->switch_mean ? config->switch_mean : 1;
  engine.countdown = 1;
  engine.parallel = config->parallel;
  engine.now = hosted::kBootTime;
  hosted::set_up_cpus(cpu_startup ? config->cpus : 1);
  hosted::set_up_boot_info(*config);
  hosted::set_up_boot_cpu(*config);
  hosted::Cpu& first = engine.cpus[0];
  hosted::play(&first);
  hosted::host_fiber(first, config->host_stack, config->host_stack_size);
  hosted::edge_from(&engine.world_order);
  engine.alive = true;
  if (engine.parallel) hosted::parallel::begin(config->seed);
  hosted::fiber_switch(&first.host, first.running, hosted::Leaving::Returns);
  if (engine.parallel) hosted::parallel::join();
  hosted::edge_to(&engine.world_order);
  hosted::user_side_clear();
  hosted::user_process_clear();
  hosted::destroy_all_fibers();
  engine.result.virtual_ns = hosted::kernel_time();
  for (const hosted::Cpu& c : engine.cpus) {
    engine.result.switches += c.switches;
    engine.result.syscalls += c.syscalls;
    engine.result.yield_points += c.yield_points;
  }
  *result = engine.result;
}

namespace arch {

const BootInfo& boot_info() { return engine.boot_info; }

[[noreturn]] HOSTED_ENGINE void machine_stop(Stop how, int status) {
  switch (how) {
    case Stop::Halt: hosted::end_world(kEndHalt, status);
    case Stop::PowerOff: hosted::end_world(kEndPowerOff, status);
    case Stop::Restart: hosted::end_world(kEndRestart, status);
    case Stop::Panic: hosted::end_world(kEndPanic, status);
  }
  __builtin_unreachable();
}

HOSTED_ENGINE void console_write(std::span<const char> text) {
  hosted::EngineLock lock;
  HostedLog& log = hosted_log;
  unsigned long hash = 0;
  for (char ch : text) {
    hash = hash * 31 + static_cast<unsigned char>(ch);
    if (log.text_size < log.text_cap) log.text[log.text_size++] = ch;
  }
  hosted::note(kEventText, hash, text.size());
  if (log.echo) host_echo(text.data(), text.size());
}

}  // namespace arch

// ---- Diagnosis ------------------------------------------------------------------------------------------------------
namespace hosted {
namespace {

constexpr unsigned kMaxFrames = 48;

HOSTED_ENGINE void print_frames(const HostFrame* frames, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    printk(KERN_DEFAULT "  %#lx %s+%#lx\n", frames[i].pc, frames[i].name, frames[i].offset);
}

// Of a fiber that does not run: hosted_swap's frame has all that a walk needs.
HOSTED_ENGINE void print_suspended(const hosted_fiber* f) {
  static HostFrame frames[kMaxFrames];
  if (!f->sp) return;
  auto* saved = reinterpret_cast<const unsigned long*>(f->sp);  // r15 r14 r13 r12 rbx rbp rip
  unsigned long regs[] = {saved[4], saved[5], saved[3], saved[2], saved[1], saved[0], f->sp + 56, saved[6]};
  print_frames(frames, host_unwind(regs, frames, kMaxFrames));
}

HOSTED_ENGINE void print_running() {
  static HostFrame frames[kMaxFrames];
  print_frames(frames, host_unwind(nullptr, frames, kMaxFrames));
}

// A CPU's current context is suspended too while another CPU has its turn.
HOSTED_ENGINE const Cpu* cpu_running(const task_struct* t) {
  for (unsigned i = 0; i < engine.nr_cpus; i++)
    if (engine.cpus[i].online && engine.cpus[i].block.current_task == t) return &engine.cpus[i];
  return nullptr;
}

HOSTED_ENGINE void report_task(const task_struct* t) {
  if (READ_ONCE(t->__state) == TASK_DEAD) {  // its stack may be gone
    printk(KERN_DEFAULT "task %d \"%s\" is dead, not reaped\n", t->pid, t->comm);
    return;
  }
  const Cpu* c = cpu_running(t);
  printk(KERN_DEFAULT "task %d \"%s\" state %#x flags %#x %s%d\n", t->pid, t->comm, READ_ONCE(t->__state), t->flags,
         c ? "on cpu " : "last cpu ", t->cpu);
  if (t->stack) arch::dump_stack_of(t);  // a zombie has none
}

}  // namespace

// Every CPU stands still. Reads the task list without locks: nobody is there to change it.
HOSTED_ENGINE void report_all_tasks() {
  sched_check::print_findings();
  for (unsigned i = 0; i < engine.nr_cpus; i++) {
    const Cpu& c = engine.cpus[i];
    if (!c.online) continue;
    printk(KERN_DEFAULT "cpu %u: pending %#x irqs %d timer at %lld ns\n", i, c.pending, c.irqs_on, static_cast<long long>(c.deadline));
    report_task(c.block.current_task);
  }
  task_struct *p, *t;
  for_each_process_thread(p, t) {
    if (!cpu_running(t)) report_task(t);
  }
}

}  // namespace hosted

namespace arch {

HOSTED_ENGINE void dump_stack_of(const task_struct* t) {
  const hosted::Cpu* c = t ? hosted::cpu_running(t) : nullptr;
  if (!t || c == &hosted::this_cpu())
    hosted::print_running();
  else
    hosted::print_suspended(c ? c->running : &t->thread.fiber);
}

void show_regs(const pt_regs* r) {
  printk(KERN_DEFAULT "ip %016lx sp %016lx flags %08lx cs %lx orig_ax %lx\n", r->ip, r->sp, r->flags, r->cs, r->orig_ax);
  printk(KERN_DEFAULT "ax %016lx bx %016lx cx %016lx dx %016lx\n", r->ax, r->bx, r->cx, r->dx);
  printk(KERN_DEFAULT "si %016lx di %016lx bp %016lx r8 %016lx\n", r->si, r->di, r->bp, r->r8);
  printk(KERN_DEFAULT "r9 %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
  printk(KERN_DEFAULT "r13 %016lx r14 %016lx r15 %016lx ss %lx\n", r->r13, r->r14, r->r15, r->ss);
}

}  // namespace arch

extern "C" void hosted_report_fault(unsigned long address, unsigned long ip, unsigned long sp, unsigned long bp) {
  const task_struct* t = hosted::this_cpu().block.current_task;
  printk(KERN_EMERG "BUG: unable to handle kernel access to %#lx\n", address);
  if (t) {
    unsigned long low = t->thread.fiber.stack_low;
    if (address < low && low - address <= 0x10000)
      printk(KERN_EMERG "kernel stack overflow: guard page below the stack of task %d \"%s\"\n", t->pid, t->comm);
    printk(KERN_EMERG "cpu %u task %d \"%s\" ip %#lx sp %#lx\n", hosted::this_cpu().block.cpu, t->pid, t->comm, ip, sp);
  }
  static HostFrame frames[hosted::kMaxFrames];
  if (ip < 4096) {  // a call through a null pointer: begin with the caller
    ip = *reinterpret_cast<unsigned long*>(sp);
    sp += sizeof(unsigned long);
  }
  unsigned long regs[] = {0, bp, 0, 0, 0, 0, sp, ip};
  hosted::print_frames(frames, host_unwind(regs, frames, hosted::kMaxFrames));
}
