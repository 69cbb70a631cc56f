// Tasks as fibers: the switch, a new task's first frame, the start of a CPU. Spec 22 sections 5, 10 and 14.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "arch/hosted/engine.hh"
#include "arch/hosted/parallel.hh"
#include "arch/hosted/user_side.hh"
#include "kernel/entry/entry.hh"
#include "kernel/fork/fork.hh"
#include "mm/uaccess.hh"

[[noreturn]] void cpu_startup() __attribute__((weak));  // init/: what a CPU other than the first runs. Absent: there is one

namespace hosted {
namespace {

struct FirstCall {  // lies on the new stack
  int (*fn)(void*);
  void* arg;
};

// The edge from whoever ran on this CPU before: a CPU's own order is real, whatever context it executes.
HOSTED_ENGINE task_struct* arrive() {
  Cpu& c = this_cpu();
  edge_to(&c.own_order);
  return c.last;
}

HOSTED_ENGINE void first_steps(void* p) {
  fiber_arrived();
  auto* call = static_cast<FirstCall*>(p);
  task_entry(arrive(), call->fn, call->arg);
}

HOSTED_ENGINE void first_steps_of_cpu(void*) {
  fiber_arrived();
  edge_to(&engine.world_order);
  cpu_startup();
}

HOSTED_ENGINE bool is_dead(const task_struct* t) { return __atomic_load_n(&t->__state, __ATOMIC_RELAXED) == TASK_DEAD; }

}  // namespace
}  // namespace hosted

namespace arch {

using hosted::engine;
using hosted::this_cpu;

HOSTED_ENGINE task_struct* switch_to(task_struct* prev, task_struct* next) {
  hosted::Cpu& c = this_cpu();
  hosted::note(kEventSwitch, static_cast<unsigned long>(prev->pid), static_cast<unsigned long>(next->pid));
  engine.quiet_rounds = 0;
  c.switches++;
  c.last = prev;
  c.block.current_task = next;
  c.block.stack_top = reinterpret_cast<unsigned long>(next->stack) + THREAD_SIZE;
  c.running = &next->thread.fiber;
  hosted::edge_from(&c.own_order);
  hosted::fiber_switch(&prev->thread.fiber, &next->thread.fiber,
                       hosted::is_dead(prev) ? hosted::Leaving::ForGood : hosted::Leaving::Returns);
  return hosted::arrive();
}

Result<void> copy_thread(task_struct* child, task_struct*, const kernel_clone_args& args) {
  unsigned long fsbase = child->thread.fsbase;
  child->thread = {};
  child->thread.fsbase = fsbase;
  if (args.flags & CLONE_SETTLS) TRY(set_tls(child, args.tls));
  auto* call = reinterpret_cast<hosted::FirstCall*>(task_pt_regs(child)) - 1;
  *call = {args.fn, args.fn_arg};
  hosted::fiber_make(&child->thread.fiber, child->stack, THREAD_SIZE, reinterpret_cast<unsigned long>(call),
                     hosted::first_steps, call);
  return {};
}

void exit_thread(task_struct* t) {
  if (engine.parallel) hosted::parallel::wait_until_left(t);
  hosted::user_side_destroy(t);
  hosted::fiber_destroy(&t->thread.fiber);
}

void flush_thread() {
  hosted::user_side_forget(current);
  current->thread.fsbase = 0;
}

unsigned long task_pc(const task_struct* t) {
  auto* frame = reinterpret_cast<const unsigned long*>(t->thread.fiber.sp);
  return frame ? frame[6] : 0;
}

Result<void> set_tls(task_struct* t, unsigned long base) {
  if (base >= TASK_SIZE_MAX) return fail(EPERM);
  t->thread.fsbase = base;
  return {};
}

// Programs here have no segments but FS's base, no FPU state of their own and no debug registers.
UserSegments user_segments(const task_struct* t) { return {t->thread.fsbase, 0, 0, 0, 0, 0}; }
void set_user_segments(task_struct* t, const UserSegments& s) { t->thread.fsbase = s.fs_base; }
size_t fpu_regset_size() { return 0; }
void fpu_regset_get(const task_struct*, void*) {}
Result<void> fpu_regset_set(task_struct*, const void*, size_t) { return fail(EIO); }
unsigned long debug_register(const task_struct*, unsigned) { return 0; }
Result<void> set_debug_register(task_struct*, unsigned, unsigned long) { return fail(EIO); }

// Poison is cleared where a fiber is made on the stack.
void kernel_stack_ready(void*) {}
void kernel_stack_gone(void* stack) {
  if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(stack, THREAD_SIZE);
}

HOSTED_ENGINE Result<void> start_cpu(unsigned cpu, task_struct* idle) {
  if (!cpu_startup) return fail(ENOSYS);
  hosted::Cpu& c = engine.cpus[cpu];
  if (engine.parallel) hosted::parallel::wait_until_parked(c);
  c.pending = 0;
  c.deadline = hosted::kNever;
  c.irqs_on = c.idle = c.relaxing = c.burning = false;
  c.block.preempt_count = INIT_PREEMPT_COUNT;
  hosted::fiber_reset(&idle->thread.fiber, reinterpret_cast<unsigned long>(task_pt_regs(idle)),
                      hosted::first_steps_of_cpu, nullptr);
  c.block.current_task = idle;
  c.block.stack_top = reinterpret_cast<unsigned long>(idle->stack) + THREAD_SIZE;
  c.running = &idle->thread.fiber;
  hosted::edge_from(&engine.world_order);
  c.online = true;
  if (engine.parallel) hosted::parallel::start(c);
  return {};
}

[[noreturn]] HOSTED_ENGINE void cpu_play_dead() {
  hosted::Cpu& c = hosted::this_cpu();
  hosted::edge_from(&engine.world_order);
  c.online = false;
  if (engine.parallel) hosted::parallel::leave_for_now(c);
  hosted::go_on_without(c);
}

}  // namespace arch
