// The loop of every task between kernel and user mode, and what interrupts do at their end. Spec 10 sections 12 and 13.
// SPDX-License-Identifier: Apache-2.0
#include <linux/compiler.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/task_work.h>

#include "kernel/entry/entry.hh"
#include "kernel/entry/rseq.hh"
#include "kernel/cpu/cpu.hh"
#include "kernel/exit/exit.hh"
#include "kernel/sched/preempt_mode.hh"
#include "kernel/sched/sched.hh"
#include "kernel/sys/membarrier.hh"
#include "kernel/time/time.hh"
#include "kernel/signal/signal.hh"
#include "mm/mm_struct.hh"
#include "mm/page_alloc.hh"

namespace {

constexpr unsigned long kUserWork =
    _TIF(TIF_SIGPENDING) | _TIF(TIF_NOTIFY_RESUME) | _TIF(TIF_NEED_RESCHED) | _TIF(TIF_NOTIFY_SIGNAL);

void resume_user_work(task_struct* self, pt_regs* regs) {
  clear_tsk_thread_flag(self, TIF_NOTIFY_RESUME);
  // The atomic above is a full barrier: work added before the flag was set is seen, later work sets it again.
  if (self->task_works) task_work_run();
  if (self->rseq) rseq_handle_notify_resume(regs);
}

// Not a system call: rare next to them. Interrupts on.
noinline void handle_other_exit(pt_regs* regs, const arch::UserExit& e) {
  switch (e.kind) {
    case arch::UserExitKind::Fault: do_user_page_fault(regs, e.address, e.error); break;
    case arch::UserExitKind::Exception: do_user_exception(regs, e.vector, e.error); break;
    case arch::UserExitKind::Syscall:
    case arch::UserExitKind::Interrupt: break;
  }
}

}  // namespace

// Spec 10 section 12.4. The decision that nothing is left is taken with interrupts off (E-22), so a flag set later
// comes with an interrupt that is taken as soon as user mode is entered (E-24).
void exit_to_user_mode_loop(pt_regs* regs) {
  task_struct* self = current;
  arch::irq_disable();
  unsigned long work;
  while ((work = READ_ONCE(self->thread_info.flags) & kUserWork)) {
    arch::irq_enable();
    if (work & _TIF(TIF_NEED_RESCHED)) {  // E-23: before signals
      schedule();
      rseq_mark(self);  // preempted, perhaps inside a critical section
    }
    if (work & (_TIF(TIF_SIGPENDING) | _TIF(TIF_NOTIFY_SIGNAL))) do_signal_or_restart(regs);
    if (work & _TIF(TIF_NOTIFY_RESUME)) resume_user_work(self, regs);
    arch::irq_disable();
  }
}

void user_loop(pt_regs* regs) {
  task_struct* const self = current;
  arch::irq_disable();
  for (;;) {
    if (READ_ONCE(self->thread_info.flags) & kUserWork) [[unlikely]] exit_to_user_mode_loop(regs);
    const arch::UserExit e = arch::user_run(regs);
    arch::irq_enable();
    if (e.kind == arch::UserExitKind::Syscall) [[likely]]
      do_syscall(regs);
    else
      handle_other_exit(regs, e);
    arch::irq_disable();
  }
}

// Spec 22 C-60. A kernel function that returns has either exec'ed, and goes to user mode, or is done.
extern "C" void task_entry(task_struct* prev, int (*fn)(void*), void* arg) {
  schedule_tail(prev);
  pt_regs* regs = task_pt_regs(current);
  if (fn) {
    int code = fn(arg);
    if (!current->mm) do_exit(code);
    regs->ax = 0;
  }
  user_loop(regs);
}

// E-29: the interrupted context had interrupts enabled, or the machine would not have called. S-31: in the mode full only.
void irqentry_exit_to_kernel(pt_regs*) {
  if (!preempt_count() && need_resched() && preempt_mode == PreemptMode::Full) preempt_schedule_irq();
}

void handle_ipi(arch::Ipi what) {
  switch (what) {
    case arch::Ipi::Reschedule: scheduler_ipi(); break;
    case arch::Ipi::CallFunction:
      membarrier_interrupt();
      drain_pages_interrupt();
      break;
    case arch::Ipi::TimerBroadcast: timer_interrupt(); break;
    case arch::Ipi::Stop:
      arch::irq_disable();
      set_cpu_online(arch::cpu_id(), false);  // the last thing this CPU writes
      for (;;) arch::cpu_relax();
  }
}
