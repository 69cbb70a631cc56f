// Stops at system calls and after single steps. Spec 10 E-20, E-21; ptrace(2) "Syscall-stops".
// SPDX-License-Identifier: Apache-2.0
#include "kernel/ptrace/internal.hh"
#include "kernel/signal/signal.hh"

namespace {

// A signal given at a syscall-stop is sent, rather than delivered in its place.
void report(unsigned long which) {
  const unsigned ptrace = READ_ONCE(current->ptrace);
  if (!(ptrace & PT_PTRACED)) return;
  const int code = SIGTRAP | (ptrace & pt_options(PTRACE_O_TRACESYSGOOD) ? 0x80 : 0);
  if (int sig = ptrace_notify(code, which)) send_sig(sig, current, 1);
}

}  // namespace

bool ptrace_syscall_enter(pt_regs*) {
  const unsigned long work = READ_ONCE(current->thread_info.syscall_work);
  if (!(work & (SYSCALL_WORK_SYSCALL_TRACE | SYSCALL_WORK_SYSCALL_EMU))) return true;
  report(PTRACE_EVENTMSG_SYSCALL_ENTRY);
  return !fatal_signal_pending(current) && !(work & SYSCALL_WORK_SYSCALL_EMU);
}

// The step over a SYSCALL instruction ends here, since its trap would come one instruction late.
void ptrace_syscall_exit(pt_regs* regs) {
  const unsigned long work = READ_ONCE(current->thread_info.syscall_work);
  const bool step = (work & SYSCALL_WORK_SYSCALL_EXIT_TRAP) && !(work & SYSCALL_WORK_SYSCALL_EMU);
  if (step)
    force_sig_fault(SIGTRAP, TRAP_BRKPT, reinterpret_cast<void*>(regs->ip));
  else if (work & SYSCALL_WORK_SYSCALL_TRACE)
    report(PTRACE_EVENTMSG_SYSCALL_EXIT);
}

void ptrace_handler_entered() { ptrace_notify(SIGTRAP, 0); }
