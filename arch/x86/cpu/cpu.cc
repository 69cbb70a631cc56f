// CPU features and the per-CPU control state: GDT, TSS, IDT, control registers, SYSCALL MSRs.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/cpu/cpu.hh"

#include <linux/compiler.h>

#include "arch/x86/cpu/fpu.hh"
#include "arch/x86/mm/layout.hh"

extern "C" {
extern const unsigned char x86_idt_stubs[256][16];
void x86_syscall_entry();
void x86_syscall32_entry();
extern unsigned char init_stack[THREAD_SIZE];
struct SmapPatch {
  unsigned char* at;
  u64 bytes;
};
extern const SmapPatch smap_patch_start[], smap_patch_end[];
}

static_assert(sizeof(pt_regs) == PT_SIZE && __builtin_offsetof(pt_regs, ip) == PT_IP);
static_assert(__builtin_offsetof(pt_regs, r11) == PT_R11 && __builtin_offsetof(pt_regs, cx) == PT_CX);
static_assert(__builtin_offsetof(CpuBlock, user_sp) == CPU_USER_SP);
static_assert(THREAD_SIZE == 16384, "head.S reserves init_stack");

namespace x86 {

Cpu* cpus[NR_CPUS];
constinit Cpu boot_cpu{};
Features features;
u64 nx_mask;

namespace {

struct [[gnu::packed]] TablePointer {
  u16 limit;
  u64 base;
};
struct Gate {
  u16 offset_low, selector;
  u8 ist, type;
  u16 offset_mid;
  u32 offset_high, reserved;
};
alignas(4096) constinit Gate idt[256]{};

constexpr u64 kCr4Pae = 1u << 5, kCr4Pge = 1u << 7, kCr4OsFxsr = 1u << 9, kCr4OsXmmExcpt = 1u << 10, kCr4Umip = 1u << 11,
              kCr4OsXsave = 1u << 18, kCr4Smep = 1u << 20, kCr4Smap = 1u << 21;

void detect_xsave() {
  if (!features.xsave) return;
  CpuidRegs r = cpuid(0xd);
  u64 offered = u64{r.edx} << 32 | r.eax;
  u64 want = 3;  // x87, SSE
  if (offered & 4) want |= 4;                                        // AVX
  if ((offered & 0xe0) == 0xe0 && (want & 4)) want |= 0xe0;          // AVX-512
  features.xcr0 = offered & want;
  features.xsaveopt = cpuid(0xd, 1).eax & 1;
}

void load_gdt(Cpu& cpu) {
  u64 tss = reinterpret_cast<u64>(&cpu.tss);
  u64* g = cpu.gdt;
  g[1] = 0x00cf9b000000ffff;  // 08: 32-bit kernel code
  g[2] = 0x00af9b000000ffff;  // 10: kernel code
  g[3] = 0x00cf93000000ffff;  // 18: kernel data
  g[4] = 0x00cffb000000ffff;  // 23: 32-bit user code
  g[5] = 0x00cff3000000ffff;  // 2b: user data
  g[6] = 0x00affb000000ffff;  // 33: user code
  g[8] = (sizeof(Tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
  g[9] = tss >> 32;
  g[15] = 0x0040f50000000000 | cpu.block.cpu;  // 7b: its limit tells user mode the CPU number (spec 10 section 5.1)
  TablePointer gdt{sizeof cpu.gdt - 1, reinterpret_cast<u64>(g)};
  asm volatile(
      "lgdt %0\n\t"
      "pushq $0x10\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "pushq %%rax\n\t"
      "lretq\n"
      "1:\n\t"
      "movl $0x18, %%eax\n\t"
      "movl %%eax, %%ss\n\t"
      "xorl %%eax, %%eax\n\t"
      "movl %%eax, %%ds\n\t"
      "movl %%eax, %%es\n\t"
      "movl %%eax, %%fs\n\t"
      "movl %%eax, %%gs\n\t"  // zeroes the base: load_early_gs() again
      "lldt %%ax\n\t" ::"m"(gdt)
      : "rax", "memory");
  load_early_gs(cpu);
  cpu.tss.io_map_base = sizeof(Tss);  // beyond the limit: no port is allowed (C-58)
  asm volatile("ltr %w0" ::"r"(0x40));
}

void init_syscall_msrs() {
  wrmsr(kMsrStar, 0x23ull << 48 | 0x10ull << 32);
  wrmsr(kMsrLstar, reinterpret_cast<u64>(x86_syscall_entry));
  wrmsr(kMsrCstar, reinterpret_cast<u64>(x86_syscall32_entry));
  wrmsr(kMsrFmask, 0x257fd5);
  wrmsr(kMsrKernelGsBase, 0);
  wrmsr(kMsrFsBase, 0);
  wrmsr(kMsrEfer, rdmsr(kMsrEfer) | 1 | (features.nx ? 1u << 11 : 0));
}

}  // namespace

void load_early_gs(Cpu& cpu) {
  cpu.block.self = &cpu.block;
  wrmsr(kMsrGsBase, reinterpret_cast<u64>(&cpu));
}

void detect_features() {
  CpuidRegs one = cpuid(1);
  u32 max = cpuid(0).eax;
  CpuidRegs seven = max >= 7 ? cpuid(7) : CpuidRegs{};
  CpuidRegs ext = cpuid(0x80000001);
  features.nx = ext.edx >> 20 & 1;
  features.pge = one.edx >> 13 & 1;
  features.smep = seven.ebx >> 7 & 1;
  features.smap = seven.ebx >> 20 & 1;
  features.erms = seven.ebx >> 9 & 1;
  features.umip = seven.ecx >> 2 & 1;
  features.xsave = one.ecx >> 26 & 1 && max >= 0xd;
  features.tsc_deadline = one.ecx >> 24 & 1;
  features.x2apic = one.ecx >> 21 & 1;
  features.rdrand = one.ecx >> 30 & 1;
  features.hypervisor = one.ecx >> 31 & 1;
  nx_mask = features.nx ? kPteNx : 0;
  detect_xsave();
  features.cr4 = kCr4Pae | kCr4OsFxsr | kCr4OsXmmExcpt | (features.pge ? kCr4Pge : 0) |
                 (features.smep ? kCr4Smep : 0) | (features.smap ? kCr4Smap : 0) | (features.umip ? kCr4Umip : 0) |
                 (features.xsave ? kCr4OsXsave : 0);
  if (features.nx) wrmsr(kMsrEfer, rdmsr(kMsrEfer) | 1u << 11);
}

// Kernel text must still be writable.
void patch_smap() {
  if (!features.smap) return;
  for (const SmapPatch* p = smap_patch_start; p < smap_patch_end; ++p)
    for (int i = 0; i < 3; ++i) p->at[i] = static_cast<unsigned char>(p->bytes >> (8 * i));
}

void idt_init() {
  for (unsigned v = 0; v < 256; ++v) {
    u64 stub = reinterpret_cast<u64>(x86_idt_stubs[v]);
    u8 ist = v == 8 ? 1 : v == 2 ? 2 : v == 1 ? 3 : v == 18 ? 4 : 0;
    u8 dpl = v == 3 || v == 4 ? 3 : 0;  // B-27; int 0x80 is not offered and raises #GP
    idt[v] = {static_cast<u16>(stub), 0x10, ist, static_cast<u8>(0x8e | dpl << 5), static_cast<u16>(stub >> 16),
              static_cast<u32>(stub >> 32), 0};
  }
}

void cpu_init(Cpu& cpu) {
  load_gdt(cpu);
  TablePointer p{sizeof idt - 1, reinterpret_cast<u64>(idt)};
  asm volatile("lidt %0" ::"m"(p));
  // CR4 before CR0.WP matters to nobody: both are on before user mode exists.
  write_cr0((read_cr0() & ~0xcul) | 0x80050033);  // no EM, no TS
  write_cr4(features.cr4);
  init_syscall_msrs();
  fpu_cpu_init();
}

}  // namespace x86

namespace arch {

// `sti` takes effect after the next instruction, so no interrupt can slip in before the wait (C-80).
void idle_wait() { asm volatile("sti; hlt" ::: "memory"); }

// RDRAND may be out of numbers for a moment. Without it the time stamp counter is all there is; who needs secrets knows.
u64 entropy() {
  for (int tries = 0; x86::features.rdrand && tries < 10; tries++) {
    u64 v;
    bool ok;
    asm volatile("rdrand %0" : "=r"(v), "=@ccc"(ok));
    if (ok) return v;
  }
  u64 t = x86::rdtsc() * 0x9e3779b97f4a7c15;
  return t ^ t >> 29;
}

CpuBlock& cpu_block_of(unsigned cpu) { return x86::cpus[cpu]->block; }
}  // namespace arch
