// The system call table and its dispatch. A name that is linked in somewhere overrides the weak alias made here, so the
// table has no empty places to test for. Spec 10 E-2, E-3, E-18.
// SPDX-License-Identifier: Apache-2.0
#include <linux/printk.h>

#include "kernel/entry/entry.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/entry/syscall_count.hh"
#include "kernel/ptrace/ptrace.hh"

namespace {

enum : unsigned {
  kNrSyscalls = 0
#define SYSCALL(n, name) +1
#define SYSCALL_HOLE(n) +1
#include "generated/syscall_table.inc"
#undef SYSCALL
#undef SYSCALL_HOLE
};

constinit atomic_long_t enosys_counts[kNrSyscalls]{};

}  // namespace

extern "C" long sys_not_implemented(const pt_regs* regs) {
  unsigned nr = static_cast<unsigned>(regs->orig_ax);
  if (nr < kNrSyscalls) atomic_long_inc(&enosys_counts[nr]);
  return -ENOSYS;
}

#define SYSCALL(n, name) extern "C" __attribute__((weak, alias("sys_not_implemented"))) long sys_##name(const pt_regs*);
#define SYSCALL_HOLE(n)
#include "generated/syscall_table.inc"
#undef SYSCALL
#undef SYSCALL_HOLE

#define SYSCALL(n, name) sys_##name,
#define SYSCALL_HOLE(n) sys_not_implemented,
extern "C" const sys_call_ptr_t sys_call_table[kNrSyscalls] = {
#include "generated/syscall_table.inc"
};
#undef SYSCALL
#undef SYSCALL_HOLE

namespace {

#define SYSCALL(n, name) #name,
#define SYSCALL_HOLE(n) nullptr,
constexpr const char* kNames[kNrSyscalls] = {
#include "generated/syscall_table.inc"
};
#undef SYSCALL
#undef SYSCALL_HOLE

// nr if it is below the table's size, else 0, without a branch that the CPU could guess wrongly (E-3).
inline unsigned bounded(unsigned nr) {
  unsigned long mask = 0ul - static_cast<unsigned long>(nr < kNrSyscalls);
  asm("" : "+r"(mask));  // keeps the compiler from turning it back into a branch
  return nr & static_cast<unsigned>(mask);
}

inline void call(pt_regs* regs) {
  const unsigned nr = static_cast<unsigned>(regs->orig_ax);  // only EAX counts
  if (nr < kNrSyscalls) [[likely]]
    regs->ax = static_cast<unsigned long>(sys_call_table[bounded(nr)](regs));
  else
    regs->ax = static_cast<unsigned long>(-ENOSYS);
}

// E-20: the tracer may change the number, or cancel the call by -1; then what it left in AX is the result.
__cold noinline void traced_call(pt_regs* regs) {
  regs->ax = static_cast<unsigned long>(-ENOSYS);  // E-7: what a tracer that cancels the call observes
  if (ptrace_syscall_enter(regs) && static_cast<int>(regs->orig_ax) != -1) call(regs);
}

}  // namespace

void do_syscall(pt_regs* regs) {
  thread_info* const info = &current->thread_info;
  if (READ_ONCE(info->syscall_work)) [[unlikely]]
    traced_call(regs);
  else
    call(regs);
  // Tracing may have begun, or ended, in a stop within the call.
  if (READ_ONCE(info->syscall_work)) [[unlikely]] ptrace_syscall_exit(regs);
}

long syscall_enosys_count(unsigned nr) { return nr < kNrSyscalls ? atomic_long_read(&enosys_counts[nr]) : 0; }
const char* syscall_name(unsigned nr) { return nr < kNrSyscalls ? kNames[nr] : nullptr; }
unsigned syscall_table_size() { return kNrSyscalls; }

void syscall_counts_reset() {
  for (auto& c : enosys_counts) atomic_long_set(&c, 0);
}
