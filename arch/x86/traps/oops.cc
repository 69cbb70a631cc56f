// Oops dumps: registers, symbolised stack, code bytes.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/traps/oops.hh"

#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/sched.h>

#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/mm/layout.hh"
#include "arch/x86/traps/symbols.hh"
#include "arch/x86/traps/traps.hh"
#include "kernel/exit/exit.hh"

namespace x86 {
namespace {

constexpr unsigned kMaxFrames = 32, kCodeBefore = 16, kCodeBytes = 40;

void print_address(unsigned long address, const char* mark) {
  Symbol s = find_symbol(address);
  if (s.name)
    pr_emerg("  %s%s+0x%lx/0x%lx [%016lx]\n", mark, s.name, s.offset, s.size, address);
  else
    pr_emerg("  %s[%016lx]\n", mark, address);
}

// May an aligned word be read there? Only memory that is sure to be mapped: stacks are in one of these.
bool readable(unsigned long a) {
  if (a & 7) return false;
  return (a >= arch::kDirectMap && a < kVmallocStart && is_mapped(a)) || (a >= kVmallocStart && a < kVmallocEnd && is_mapped(a)) ||
         (a >= kCpuArea && is_mapped(a)) ||
         (a >= reinterpret_cast<unsigned long>(data_start) && a < reinterpret_cast<unsigned long>(image_end) - 16);
}

void walk(unsigned long bp) {
  for (unsigned n = 0; n < kMaxFrames && readable(bp) && readable(bp + 8); n++) {
    auto* frame = reinterpret_cast<const unsigned long*>(bp);
    if (!frame[1]) return;
    print_address(frame[1], is_kernel_text(frame[1]) ? "" : "? ");
    if (frame[0] <= bp) return;  // frames go upwards
    bp = frame[0];
  }
}

void print_code(unsigned long ip) {
  if (!is_kernel_text(ip) || !is_kernel_text(ip + kCodeBytes)) return;
  unsigned long start = ip - reinterpret_cast<unsigned long>(image_start) < kCodeBefore ? ip : ip - kCodeBefore;
  char text[kCodeBytes * 4 + 8];
  size_t used = 0;
  for (unsigned long a = start; a < start + kCodeBytes; a++)
    used += static_cast<size_t>(scnprintf(text + used, sizeof text - used, a == ip ? "<%02x> " : "%02x ",
                                          *reinterpret_cast<const unsigned char*>(a)));
  pr_emerg("Code: %s\n", text);
}

void print_all(const char* what, pt_regs* regs, unsigned error) {
  pr_emerg("Oops: %s, error code %04x\n", what, error);
  arch::show_regs(regs);
  pr_emerg("Call trace:\n");
  print_address(regs->ip, "");
  walk(regs->bp);
  print_code(regs->ip);
}

int depth;  // an oops inside an oops prints nothing more than that

}  // namespace

void fatal(const char* what, pt_regs* regs, unsigned error) {
  if (depth++ == 0) print_all(what, regs, error);
  panic("Fatal exception: %s", what);
}

void oops(const char* what, pt_regs* regs, unsigned error) {
  if (depth++) panic("Fatal exception: %s while reporting another", what);
  print_all(what, regs, error);
  depth = 0;
  if (in_interrupt() || current->pid <= 1 || panic_on_oops)
    panic("Fatal exception%s: %s", in_interrupt() ? " in interrupt" : "", what);
  arch::irq_enable();
  make_task_dead(SIGSEGV);
}

}  // namespace x86

namespace arch {
using namespace x86;

void show_regs(const pt_regs* r) {
  pr_emerg("CPU: %u PID: %d Comm: %.15s\n", cpu_id(), current->pid, current->comm);
  Symbol s = user_mode(r) ? Symbol{} : find_symbol(r->ip);
  pr_emerg("RIP: %04lx:%016lx %s+0x%lx RSP: %04lx:%016lx EFLAGS: %08lx\n", r->cs, r->ip, s.name ? s.name : "", s.offset,
           r->ss, r->sp, r->flags);
  pr_emerg("RAX: %016lx RBX: %016lx RCX: %016lx\n", r->ax, r->bx, r->cx);
  pr_emerg("RDX: %016lx RSI: %016lx RDI: %016lx\n", r->dx, r->si, r->di);
  pr_emerg("RBP: %016lx R08: %016lx R09: %016lx\n", r->bp, r->r8, r->r9);
  pr_emerg("R10: %016lx R11: %016lx R12: %016lx\n", r->r10, r->r11, r->r12);
  pr_emerg("R13: %016lx R14: %016lx R15: %016lx\n", r->r13, r->r14, r->r15);
  pr_emerg("CR0: %016lx CR2: %016lx CR3: %016lx CR4: %016lx\n", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

void dump_stack_of(const task_struct* t) {
  if (t && t != current) {
    auto* frame = reinterpret_cast<const unsigned long*>(t->thread.sp);  // switch frame: rbp at +5, return address at +6
    print_address(frame[6], "");
    walk(frame[5]);
    return;
  }
  walk(reinterpret_cast<unsigned long>(__builtin_frame_address(0)));
}

}  // namespace arch
