// Tasks on this CPU: stack switch, new tasks' first frame, FS and GS bases (spec 22 sections 5, 7-10).
// SPDX-License-Identifier: Apache-2.0
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <arch/pgtable.hh>

#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/cpu/fpu.hh"
#include "arch/x86/task/debug.hh"
#include "arch/x86/task/tls.hh"
#include "kernel/fork/fork.hh"
#include "kernel/sync/guards.hh"

extern "C" {
task_struct* x86_switch_stack(task_struct* prev, task_struct* next, unsigned long* prev_sp, unsigned long next_sp);
void x86_ret_from_fork();
}

namespace x86 {
namespace {

struct SwitchFrame {
  unsigned long r15, r14, r13, r12, bx, bp, ret;
};

void switch_fpu(Cpu& cpu, task_struct* prev, task_struct* next) {
  if (cpu.fpu_owner == prev && prev->thread.fpu_state) fpu_save(prev->thread.fpu_state);
  // The registers are next's only if it has not been elsewhere since (spec 22 C-45).
  if (cpu.fpu_owner == next && next->thread.fpu_cpu != static_cast<int>(cpu.block.cpu)) cpu.fpu_owner = nullptr;
}

}  // namespace

// On next's stack, interrupts off: from the assignment of current on, everything acts for next (spec 22 section 5.2).
extern "C" task_struct* x86_switch_finish(task_struct* prev, task_struct* next) {
  Cpu& cpu = this_cpu();
  switch_fpu(cpu, prev, next);
  switch_segments(cpu, prev, next);
  cpu.block.current_task = next;
  unsigned long top = reinterpret_cast<unsigned long>(next->stack) + THREAD_SIZE;
  cpu.block.stack_top = top;
  cpu.tss.rsp[0] = top;
  return prev;
}

}  // namespace x86

namespace arch {
using namespace x86;

task_struct* switch_to(task_struct* prev, task_struct* next) {
  return x86_switch_stack(prev, next, &prev->thread.sp, next->thread.sp);
}

Result<void> copy_thread(task_struct* child, task_struct* parent, const kernel_clone_args& args) {
  thread_struct& t = child->thread;
  t.fpu_state = nullptr;
  t.fpu_cpu = -1;
  t.trap_nr = t.error_code = t.cr2 = 0;
  t.debug = nullptr;
  t.dr6 = 0;
  if (!args.kthread && !args.idle) {
    t.fpu_state = kmalloc(fpu_image_size(), GFP_KERNEL);
    if (!t.fpu_state) return fail(ENOMEM);
    copy_fpu(child, parent);
  }
  if (parent == current) save_segments(*parent);
  t.fsbase = parent->thread.fsbase;
  t.gsbase = parent->thread.gsbase;
  t.fsindex = parent->thread.fsindex;
  t.gsindex = parent->thread.gsindex;
  t.ds = parent->thread.ds;
  t.es = parent->thread.es;
  if (args.flags & CLONE_SETTLS) TRY(set_tls(child, args.tls));

  auto* regs = reinterpret_cast<pt_regs*>(static_cast<char*>(child->stack) + THREAD_SIZE) - 1;
  auto* frame = reinterpret_cast<SwitchFrame*>(regs) - 1;
  *frame = {0, 0, 0, reinterpret_cast<unsigned long>(args.fn_arg), reinterpret_cast<unsigned long>(args.fn), 0,
            reinterpret_cast<unsigned long>(x86_ret_from_fork)};
  t.sp = reinterpret_cast<unsigned long>(frame);
  return {};
}

void exit_thread(task_struct* t) {
  kfree(t->thread.fpu_state);
  t->thread.fpu_state = nullptr;
  if (t->thread.debug) [[unlikely]] free_debug_registers(t);
}

unsigned long task_pc(const task_struct* t) { return reinterpret_cast<const SwitchFrame*>(t->thread.sp)->ret; }

void kernel_stack_ready(void*) {}
void kernel_stack_gone(void*) {}

}  // namespace arch
