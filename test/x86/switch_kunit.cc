// What the x86 switch leaves where: frames of tasks that do not run, the kernel's GS base, kernel threads' lack of FPU state. Spec 22.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/delay.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>

#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/traps/symbols.hh"
#include "arch/x86/traps/traps.hh"
#include "kernel/exit/exit.hh"
#include "kernel/fork/copy_process.hh"
#include "kernel/fork/fork.hh"
#include "kernel/sched/sched.hh"
#include "kernel/sync/guards.hh"

extern "C" void x86_ret_from_fork();

namespace {

using namespace x86;

struct Frame {  // spec 22 section 5.1
  unsigned long r15, r14, r13, r12, bx, bp, ret;
};

int ends(void*) { do_exit(0); }

// spec 22 C-31: a task that never ran arrives in ret_from_fork with its function and argument
void a_new_tasks_frame(kunit* test) {
  int arg;
  auto made = copy_process({.flags = CLONE_VM | CLONE_UNTRACED, .exit_signal = SIGCHLD, .fn = ends, .fn_arg = &arg});
  KUNIT_ASSERT_TRUE(test, made.has_value());
  task_struct* t = *made;
  auto* frame = reinterpret_cast<const Frame*>(t->thread.sp);
  KUNIT_EXPECT_EQ(test, t->thread.sp + sizeof(Frame), reinterpret_cast<unsigned long>(task_pt_regs(t)));
  KUNIT_EXPECT_EQ(test, frame->ret, reinterpret_cast<unsigned long>(x86_ret_from_fork));
  KUNIT_EXPECT_EQ(test, frame->bx, reinterpret_cast<unsigned long>(ends));
  KUNIT_EXPECT_EQ(test, frame->r12, reinterpret_cast<unsigned long>(&arg));
  wake_up_new_task(t);
  msleep(3);
}

// spec 22 C-97, C-31: who does not run has its stack pointer in its own stack, and below it the way back into the kernel
void sleepers_frames(kunit* test) {
  int seen = 0;
  PreemptGuard still;
  RcuReadGuard rcu;
  task_struct *g, *t;
  for_each_process_thread(g, t) {
    IrqSpinGuard guard(t->pi_lock);  // nobody wakes it
    if (t == current || READ_ONCE(t->on_rq) || smp_load_acquire(&t->on_cpu) || !t->stack || READ_ONCE(t->__state) == TASK_NEW) continue;
    const auto low = reinterpret_cast<unsigned long>(t->stack), sp = t->thread.sp;
    KUNIT_EXPECT_GT(test, sp, low);
    KUNIT_EXPECT_LE(test, sp + sizeof(Frame), reinterpret_cast<unsigned long>(task_pt_regs(t)));
    KUNIT_EXPECT_TRUE(test, is_kernel_text(reinterpret_cast<const Frame*>(sp)->ret));
    seen++;
  }
  KUNIT_EXPECT_GT(test, seen, 0);
}

// spec 22 C-52: in the kernel GS is this CPU's block; what SWAPGS would give the user is what was last loaded for it
void gs_is_the_kernels(kunit* test) {
  IrqGuard off;
  KUNIT_EXPECT_EQ(test, rdmsr(kMsrGsBase), reinterpret_cast<u64>(&this_cpu()));
  if (this_cpu().loaded_gsbase != ~0ul) KUNIT_EXPECT_EQ(test, rdmsr(kMsrKernelGsBase), u64{this_cpu().loaded_gsbase});
}

// spec 22 C-46: a kernel thread has no FPU image that a switch could save to, and never owns the registers
void kernel_threads_save_nothing(kunit* test) {
  KUNIT_EXPECT_NULL(test, current->thread.fpu_state);
  msleep(1);
  KUNIT_EXPECT_NULL(test, current->thread.fpu_state);
  PreemptGuard here;
  KUNIT_EXPECT_PTR_NE(test, this_cpu().fpu_owner, current);
}

// spec 22 C-21: without PCID each load of CR3 drops the user's entries
void no_pcid(kunit* test) { KUNIT_EXPECT_EQ(test, read_cr4() >> 17 & 1, 0ul); }

kunit_case cases[] = {
    KUNIT_CASE(a_new_tasks_frame), KUNIT_CASE(sleepers_frames), KUNIT_CASE(gs_is_the_kernels), KUNIT_CASE(kernel_threads_save_nothing),
    KUNIT_CASE(no_pcid), {},
};
kunit_suite suite = {.name = "x86_switch", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
