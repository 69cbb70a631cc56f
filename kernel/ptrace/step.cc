// Single-stepping by the trap flag. TIF_FORCED_TF: the flag in the registers is ours and not the tracee's, so nobody sees it.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/ptrace/internal.hh"
#include "mm/mm_struct.hh"

namespace {

bool is_prefix(unsigned char c) {
  switch (c) {
    case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
      return true;
    default: return (c & 0xf0) == 0x40;  // REX
  }
}

// Does the next instruction load the flags itself? Then the trap flag after it is what it loads.
bool loads_flags(task_struct* t) {
  unsigned char code[15];
  mm_struct* mm = get_task_mm(t);
  if (!mm) return false;
  const long n = access_remote_vm(mm, task_pt_regs(t)->ip, code, sizeof(code), RemoteAccess::ForceRead);
  mmput(mm);
  for (long i = 0; i < n; i++) {
    if (code[i] == 0x9d || code[i] == 0xcf) return true;  // POPF, IRET
    if (!is_prefix(code[i])) return false;
  }
  return false;
}

void set_syscall_work(task_struct* t, unsigned long bits) {
  __atomic_fetch_or(&t->thread_info.syscall_work, bits, __ATOMIC_RELAXED);
}

}  // namespace

void user_enable_single_step(task_struct* t) {
  pt_regs* regs = task_pt_regs(t);
  const bool was_set = regs->flags & X86_EFLAGS_TF;
  set_tsk_thread_flag(t, TIF_SINGLESTEP);
  set_syscall_work(t, SYSCALL_WORK_SYSCALL_EXIT_TRAP);
  regs->flags |= X86_EFLAGS_TF;
  if (loads_flags(t))
    clear_tsk_thread_flag(t, TIF_FORCED_TF);
  else if (!was_set)
    set_tsk_thread_flag(t, TIF_FORCED_TF);
}

void user_disable_single_step(task_struct* t) {
  if (!test_tsk_thread_flag(t, TIF_SINGLESTEP)) return;
  clear_tsk_thread_flag(t, TIF_SINGLESTEP);
  __atomic_fetch_and(&t->thread_info.syscall_work, ~static_cast<unsigned long>(SYSCALL_WORK_SYSCALL_EXIT_TRAP), __ATOMIC_RELAXED);
  if (!test_tsk_thread_flag(t, TIF_FORCED_TF)) return;
  clear_tsk_thread_flag(t, TIF_FORCED_TF);
  task_pt_regs(t)->flags &= ~static_cast<unsigned long>(X86_EFLAGS_TF);
}
