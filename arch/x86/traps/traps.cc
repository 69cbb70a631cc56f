// Exceptions that hit the kernel, and interrupts (spec 10 sections 5.4 and 13). What hits user mode is generic code's.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/traps/traps.hh"

#include <linux/bug.h>
#include <linux/hardirq.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sort.h>

#include "arch/x86/cpu/apic.hh"
#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/dev/serial.hh"
#include "arch/x86/mm/layout.hh"
#include "arch/x86/mm/tlb.hh"
#include "arch/x86/task/debug.hh"
#include "arch/x86/traps/oops.hh"
#include "kernel/entry/entry.hh"
#include "mm/mm_struct.hh"

extern "C" {
struct ExtableEntry {
  s32 fault, fixup;  // each relative to its own place
};
// A table in read-only memory: sorted in place before it becomes so.
extern ExtableEntry extable_start[], extable_end[];
}

namespace x86 {

bool boot_done;

namespace {

constexpr const char* kNames[32] = {
    "divide error", "debug", "NMI", "breakpoint", "overflow", "bound range", "invalid opcode", "device not available",
    "double fault", "coprocessor segment overrun", "invalid TSS", "segment not present", "stack segment fault",
    "general protection fault", "page fault", "reserved", "x87 floating point", "alignment check", "machine check",
    "SIMD floating point", "virtualization", "control protection", "reserved", "reserved", "reserved", "reserved",
    "reserved", "reserved", "hypervisor injection", "VMM communication", "security", "reserved"};

unsigned long fault_address(const ExtableEntry& e) { return reinterpret_cast<unsigned long>(&e.fault) + e.fault; }
unsigned long fixup_address(const ExtableEntry& e) { return reinterpret_cast<unsigned long>(&e.fixup) + e.fixup; }

unsigned long find_fixup(unsigned long ip) {
  size_t low = 0, high = static_cast<size_t>(extable_end - extable_start);
  while (low < high) {
    size_t mid = (low + high) / 2;
    const ExtableEntry& e = extable_start[mid];
    if (fault_address(e) == ip) return fixup_address(e);
    if (fault_address(e) < ip)
      low = mid + 1;
    else
      high = mid;
  }
  return 0;
}

bool user_fault_may_be_handled(const pt_regs* regs) {
  return (regs->flags & arch::kEflagsIf) && !in_atomic() && current->mm;
}

// B-30. Only code that is in the fixup table may touch user memory: anything else is a bug even if the page is there.
void kernel_page_fault(pt_regs* regs, unsigned error, unsigned long address) {
  unsigned long fixup = find_fixup(regs->ip);
  if (!fixup) {
    pr_emerg("BUG: unable to handle page fault for address %016lx: %s %s\n", address,
             error & arch::kFaultFetch ? "fetch from" : error & arch::kFaultWrite ? "write to" : "read of",
             address < 4096 ? "null pointer" : error & arch::kFaultPresent ? "protected page" : "unmapped page");
    oops("page fault", regs, error);
  }
  if (address < kUserTop && user_fault_may_be_handled(regs)) {
    FaultInfo info;
    arch::irq_enable();
    bool mapped = handle_user_fault(address, (error & 31) | arch::kFaultUser, &info).has_value();
    arch::irq_disable();
    if (mapped) return;
  }
  regs->ip = fixup;
}

bool on_guard_page(const task_struct* t, unsigned long address) {
  auto low = reinterpret_cast<unsigned long>(t->stack);
  return address < low && address >= low - 4096;
}

[[noreturn]] void double_fault(pt_regs* regs, unsigned error) {
  unsigned long address = read_cr2();
  if (on_guard_page(current, address)) {
    pr_emerg("BUG: kernel stack overflow of %.15s at %016lx\n", current->comm, address);
    fatal("kernel stack overflow", regs, error);
  }
  fatal("double fault", regs, error);
}

[[noreturn]] void stop_this_cpu() {
  for (;;) asm volatile("cli; hlt");
}

void dispatch(unsigned vector, pt_regs* regs) {
  switch (vector) {
    case kVectorTimer: return apic_timer_interrupt(regs);
    case kVectorIsa + 4: return serial_interrupt();
    case kVectorReschedule: return handle_ipi(arch::Ipi::Reschedule);
    case kVectorCall: return handle_ipi(arch::Ipi::CallFunction);
    case kVectorTlb: return tlb_interrupt();
    case kVectorStop: handle_ipi(arch::Ipi::Stop); stop_this_cpu();
    case 0xf7: return handle_ipi(arch::Ipi::TimerBroadcast);
  }
}

}  // namespace

void extable_init() {
  // The words are relative to their places, so sorting moves meaning: make them relative to the table first.
  auto base = reinterpret_cast<unsigned long>(extable_start);
  for (auto* e = extable_start; e < extable_end; e++)
    *e = {static_cast<s32>(fault_address(*e) - base), static_cast<s32>(fixup_address(*e) - base)};
  sort(extable_start, static_cast<size_t>(extable_end - extable_start), sizeof(ExtableEntry),
       [](const void* a, const void* b) {
         s32 x = static_cast<const ExtableEntry*>(a)->fault, y = static_cast<const ExtableEntry*>(b)->fault;
         return x < y ? -1 : x > y;
       },
       nullptr);
  for (auto* e = extable_start; e < extable_end; e++)
    *e = {static_cast<s32>(e->fault + base - reinterpret_cast<unsigned long>(&e->fault)),
          static_cast<s32>(e->fixup + base - reinterpret_cast<unsigned long>(&e->fixup))};
}

bool is_mapped(unsigned long address) {
  const pte_t* t = kernel_pgd;
  for (unsigned level = 3;; level--) {
    pte_t e = t[table_index(address, level)];
    if (!pte_present(e)) return false;
    if (level == 0 || (e.val & kPteHuge)) return true;
    t = static_cast<const pte_t*>(arch::phys_to_virt(pte_phys(e)));
  }
}

// Before printk: the bare facts, in hexadecimal.
[[noreturn]] static void early_exception(unsigned vector, const pt_regs* regs, unsigned error) {
  for (unsigned long v : {static_cast<unsigned long>(vector), static_cast<unsigned long>(error), regs->ip, regs->sp, read_cr2()}) {
    char text[18] = {};
    for (int i = 15; i >= 0; i--, v >>= 4) text[i] = "0123456789abcdef"[v & 15];
    text[16] = ' ';
    early_print(text);
  }
  early_panic("exception (vector, error, RIP, RSP, CR2 above)");
}

extern "C" void x86_kernel_exception(unsigned vector, pt_regs* regs, unsigned error) {
  if (!boot_done) early_exception(vector, regs, error);
  if (vector == 14) return kernel_page_fault(regs, error, read_cr2());
  if (unsigned long fixup = find_fixup(regs->ip)) {
    regs->ip = fixup;
    return;
  }
  oops(kNames[vector & 31], regs, error);
}

// An exception from user mode, interrupts off and the user's FPU state in the registers: what caused it, as the kernel's
// generic part wants it. #DB: DR6. #MF, #XM: the status bits of unmasked floating-point exceptions.
extern "C" u32 x86_exception_status(unsigned vector, u32 error) {
  switch (vector) {
    case 1: {
      unsigned long dr6;
      asm volatile("mov %%dr6, %0; mov %1, %%dr6" : "=&r"(dr6) : "r"(0xffff0ff0ul));
      note_debug_exception(dr6);
      return static_cast<u32>(dr6) & 0x400f;
    }
    case 16: {
      u16 status, control;
      asm volatile("fnstsw %0; fnstcw %1" : "=m"(status), "=m"(control));
      return status & ~control & 0x3f;
    }
    case 19: {
      u32 mxcsr;
      asm volatile("stmxcsr %0" : "=m"(mxcsr));
      return mxcsr & ~(mxcsr >> 7) & 0x3f;
    }
  }
  return error;
}

extern "C" void x86_paranoid_exception(unsigned vector, pt_regs* regs, unsigned error) {
  switch (vector) {
    case 8: double_fault(regs, error);
    case 18: fatal("machine check", regs, error);
    case 1: regs->flags &= ~static_cast<unsigned long>(X86_EFLAGS_TF); return;  // nobody debugs the kernel
    case 2: pr_emerg("NMI on CPU %u, ignored\n", arch::cpu_id()); return;
  }
}

// Interrupts off, on whatever kernel stack there is.
extern "C" void x86_handle_irq(unsigned vector, pt_regs* regs) {
  CpuBlock& block = arch::cpu_block();
  pt_regs* outer = block.irq_regs;
  block.irq_regs = regs;
  irq_enter();
  if (vector != kVectorSpurious && vector >= kVectorIsa) apic_eoi();
  dispatch(vector, regs);
  irq_exit();
  block.irq_regs = outer;
}

extern "C" void x86_kernel_irq(unsigned vector, pt_regs* regs) {
  x86_handle_irq(vector, regs);
  if (regs->flags & arch::kEflagsIf) irqentry_exit_to_kernel(regs);
}

}  // namespace x86
