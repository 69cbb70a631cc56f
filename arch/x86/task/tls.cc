// Segment selectors and bases over switches, arch_prctl, exec's fresh start.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/task/tls.hh"

#include <arch/pgtable.hh>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "arch/x86/cpu/fpu.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace x86 {
namespace {

constexpr int kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004;

// GS is the kernel's own while here, so its selector is loaded with the user's base swapped in. Interrupts off. A
// selector that faults (it was valid when user mode loaded it, and our GDT never changes) cannot occur.
void load_gs_selector(unsigned short sel) { asm volatile("swapgs; movw %w0, %%gs; mfence; swapgs" ::"r"(sel) : "memory"); }

void load_bases(Cpu& cpu, const thread_struct& t) {
  if (!t.fsindex) wrmsr(kMsrFsBase, t.fsbase);
  if (!t.gsindex) wrmsr(kMsrKernelGsBase, t.gsbase);
  cpu.loaded_fsbase = t.fsindex ? ~0ul : t.fsbase;
  cpu.loaded_gsbase = t.gsindex ? ~0ul : t.gsbase;
}

}  // namespace

void save_segments(task_struct& t) {
  thread_struct& s = t.thread;
  asm volatile("movw %%fs, %0; movw %%gs, %1; movw %%ds, %2; movw %%es, %3"
               : "=r"(s.fsindex), "=r"(s.gsindex), "=r"(s.ds), "=r"(s.es));
  if (s.fsindex) s.fsbase = 0;
  if (s.gsindex) s.gsbase = 0;
}

void switch_segments_slow(Cpu& cpu, task_struct* prev, task_struct* next) {
  if (prev->thread.fpu_state) save_segments(*prev);
  const thread_struct& n = next->thread;
  asm volatile("movw %w0, %%ds; movw %w1, %%es; movw %w2, %%fs" ::"r"(n.ds), "r"(n.es), "r"(n.fsindex) : "memory");
  load_gs_selector(n.gsindex);
  load_bases(cpu, n);
  switch_debug_registers(cpu, n);
}

}  // namespace x86

namespace arch {
using namespace x86;

Result<void> set_tls(task_struct* t, unsigned long base) {
  if (base >= kUserTop) return fail(EPERM);
  IrqGuard guard;
  t->thread.fsbase = base;
  t->thread.fsindex = 0;
  if (t == current) {
    asm volatile("movw %w0, %%fs" ::"r"(0));
    wrmsr(kMsrFsBase, this_cpu().loaded_fsbase = base);
  }
  return {};
}

void flush_thread() {
  thread_struct& t = current->thread;
  // A kernel thread that becomes a program (spec 22 C-60) has had no image so far.
  if (!t.fpu_state) t.fpu_state = kmalloc(fpu_image_size(), GFP_KERNEL | __GFP_NOFAIL);
  IrqGuard guard;
  fpu_drop_registers();
  memset(t.fpu_state, 0, fpu_image_size());
  fpu_image_init(t.fpu_state);
  t.fsbase = t.gsbase = 0;
  t.fsindex = t.gsindex = t.ds = t.es = 0;
  t.trap_nr = t.error_code = t.cr2 = 0;
  asm volatile("movw %w0, %%ds; movw %w0, %%es; movw %w0, %%fs" ::"r"(0));
  load_gs_selector(0);
  load_bases(this_cpu(), t);
  kfree(t.debug);
  t.debug = nullptr;
  t.dr6 = 0;
  switch_debug_registers(this_cpu(), t);
}

}  // namespace arch

namespace x86 {

static_assert(offsetof(thread_struct, es) == offsetof(thread_struct, fsindex) + 6);  // switch_segments reads them as one

static long set_gs(unsigned long base) {
  if (base >= kUserTop) return -EPERM;
  IrqGuard guard;
  current->thread.gsbase = base;
  current->thread.gsindex = 0;
  load_gs_selector(0);
  wrmsr(kMsrKernelGsBase, this_cpu().loaded_gsbase = base);
  return 0;
}

}  // namespace x86

SYSCALL_DEFINE2(arch_prctl, int, option, unsigned long, arg) {
  auto* out = reinterpret_cast<unsigned long*>(arg);
  switch (option) {
    case x86::kSetFs: return to_abi(arch::set_tls(current, arg));
    case x86::kSetGs: return x86::set_gs(arg);
    case x86::kGetFs:
      x86::save_segments(*current);
      return put_user(current->thread.fsbase, out);
    case x86::kGetGs:
      x86::save_segments(*current);
      return put_user(current->thread.gsbase, out);
  }
  return -EINVAL;
}
