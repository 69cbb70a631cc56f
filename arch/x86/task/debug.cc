// Hardware breakpoints and watchpoints: DR0 to DR3 hold user addresses, DR7 says which are armed and for what. They are the
// task's, so they are loaded when it runs and disarmed when another does.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/task/debug.hh"

#include <linux/errno.h>
#include <linux/slab.h>

#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/task/tls.hh"
#include "kernel/task/task.hh"
#include "mm/uaccess.hh"

namespace x86 {
namespace {

struct DebugRegisters {
  unsigned long address[4], dr7;
};
constexpr unsigned long kDr7Reserved = 0xfc00;  // GD and RTM among them: no user's business
constexpr unsigned kDr6Reserved = 0xffff0ff0;  // read as ones
constexpr unsigned kExecute = 0, kIo = 2;

DebugRegisters* of(const task_struct* t) { return static_cast<DebugRegisters*>(t->thread.debug); }
constexpr bool armed(unsigned long dr7, unsigned i) { return dr7 >> (2 * i) & 3; }
constexpr unsigned kind_of(unsigned long dr7, unsigned i) { return dr7 >> (16 + 4 * i) & 3; }
constexpr unsigned length_of(unsigned long dr7, unsigned i) {
  constexpr unsigned kLengths[4] = {1, 2, 8, 4};
  return kLengths[dr7 >> (18 + 4 * i) & 3];
}

bool valid(unsigned long address, unsigned long dr7, unsigned i) {
  if (!armed(dr7, i)) return true;
  const unsigned kind = kind_of(dr7, i), length = length_of(dr7, i);
  if (kind == kIo || (kind == kExecute && length != 1)) return false;
  return address < TASK_SIZE_MAX && !(address & (length - 1));
}

void load(const DebugRegisters& d) {
  asm volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3" ::"r"(d.address[0]), "r"(d.address[1]),
               "r"(d.address[2]), "r"(d.address[3]));
  asm volatile("mov %0, %%dr7" ::"r"(d.dr7));
}

}  // namespace

void switch_debug_registers(Cpu& cpu, const thread_struct& next) {
  auto* d = static_cast<DebugRegisters*>(next.debug);
  if (d && !d->dr7) d = nullptr;
  if (!d && !cpu.loaded_debug) return;
  if (cpu.loaded_debug) asm volatile("mov %0, %%dr7" ::"r"(0ul));
  cpu.loaded_debug = d;
  if (d) load(*d);
}

void free_debug_registers(task_struct* t) {
  kfree(t->thread.debug);
  t->thread.debug = nullptr;
}

// An instruction breakpoint comes before its instruction, which is to be executed when the program goes on: RF says so.
void note_debug_exception(unsigned long dr6) {
  current->thread.dr6 = static_cast<unsigned>(dr6) & 0xe00f;
  const DebugRegisters* d = of(current);
  if (!d) return;
  for (unsigned i = 0; i < 4; i++)
    if ((dr6 >> i & 1) && armed(d->dr7, i) && kind_of(d->dr7, i) == kExecute) task_pt_regs(current)->flags |= X86_EFLAGS_RF;
}

}  // namespace x86

namespace arch {
using namespace x86;

unsigned long debug_register(const task_struct* t, unsigned n) {
  if (n == 6) return t->thread.dr6 ^ kDr6Reserved;
  const DebugRegisters* d = of(t);
  if (!d) return 0;
  return n < 4 ? d->address[n] : n == 7 ? d->dr7 : 0;
}

Result<void> set_debug_register(task_struct* t, unsigned n, unsigned long value) {
  if (n == 4 || n == 5) return fail(EIO);
  if (n == 6) {
    t->thread.dr6 = static_cast<unsigned>(value) ^ kDr6Reserved;
    return {};
  }
  DebugRegisters* d = of(t);
  if (!d && !value) return {};
  if (!d) {
    d = static_cast<DebugRegisters*>(kzalloc(sizeof(DebugRegisters), GFP_KERNEL));
    if (!d) return fail(ENOMEM);
    t->thread.debug = d;
  }
  if (n < 4) {
    if (value >= TASK_SIZE_MAX || !valid(value, d->dr7, n)) return fail(EINVAL);
    d->address[n] = value;
  } else {
    value &= ~kDr7Reserved;
    for (unsigned i = 0; i < 4; i++)
      if (!valid(d->address[i], value, i)) return fail(EINVAL);
    d->dr7 = value;
  }
  return {};
}

UserSegments user_segments(const task_struct* t) {
  const thread_struct& s = t->thread;
  return {s.fsbase, s.gsbase, s.ds, s.es, s.fsindex, s.gsindex};
}

// A selector that is not in the descriptor table would fault when it is loaded; the CPU's answer to that is null.
static u16 loadable(u16 selector) { return selector == USER_DS || selector == USER_CS ? selector : 0; }

void set_user_segments(task_struct* t, const UserSegments& s) {
  thread_struct& to = t->thread;
  to.fsbase = s.fs_base, to.gsbase = s.gs_base;
  to.ds = loadable(s.ds), to.es = loadable(s.es), to.fsindex = loadable(s.fs), to.gsindex = loadable(s.gs);
}

}  // namespace arch
