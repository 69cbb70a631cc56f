// Starting the other CPUs, one at a time (spec 10 section 6.3).
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/cpu/smp.hh"

#include <linux/errno.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "arch/x86/cpu/apic.hh"
#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/cpu/tsc.hh"
#include "arch/x86/dev/acpi.hh"
#include "arch/x86/init/bootparams.hh"
#include "arch/x86/mm/layout.hh"
#include "mm/mm_struct.hh"

extern "C" {
extern const unsigned char x86_trampoline[], x86_trampoline_data[], x86_trampoline_end[];
}
void cpu_startup() __attribute__((weak));  // init/: absent, there is one CPU

namespace x86 {
namespace {

struct TrampolineData {
  u64 cr3, efer, stack;
  Cpu* cpu;
  void (*entry)(Cpu*);
};

bool arrived;  // release store by the new CPU, acquire by the one that waits for it

void secondary_start(Cpu* cpu) {
  load_early_gs(*cpu);
  write_cr3(arch::virt_to_phys(kernel_pgd));
  // What the registers hold now is nobody's, whatever was there before the CPU went.
  cpu->fpu_owner = nullptr;
  cpu->loaded_mm = &init_mm;
  cpu->loaded_fsbase = cpu->loaded_gsbase = 0;
  cpu->loaded_debug = nullptr;
  cpu_init(*cpu);
  apic_cpu_init();
  __atomic_store_n(&arrived, true, __ATOMIC_RELEASE);
  cpu_startup();
  for (;;) asm volatile("cli; hlt");
}

void add_cpu(unsigned cpu, u8 id) {
  cpus[cpu] = static_cast<Cpu*>(early_alloc(sizeof(Cpu)));
  cpus[cpu]->block.cpu = cpu;
  cpus[cpu]->block.self = &cpus[cpu]->block;
  cpus[cpu]->apic_id = id;
  map_cpu_stacks(cpu);
}

void fill_trampoline(Cpu* cpu, const task_struct* idle) {
  // The trampoline runs in the tables of early boot, whose identity map it needs; for the rest they get what all have.
  for (unsigned i = PTRS_PER_TABLE / 2; i < PTRS_PER_TABLE; i++) boot_pml4[i] = kernel_pgd[i];
  auto* page = static_cast<unsigned char*>(arch::phys_to_virt(TRAMPOLINE));
  memcpy(page, x86_trampoline, static_cast<size_t>(x86_trampoline_end - x86_trampoline));
  auto* data = reinterpret_cast<TrampolineData*>(page + (x86_trampoline_data - x86_trampoline));
  u64 efer = 0x100 | (features.nx ? 0x800 : 0);
  *data = {image_phys(boot_pml4), efer, reinterpret_cast<u64>(idle->stack) + THREAD_SIZE, cpu, secondary_start};
}

bool wait_arrival(unsigned us) {
  for (u64 end = arch::clock_ns() + u64{us} * 1000; arch::clock_ns() < end; arch::cpu_relax())
    if (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE)) return true;
  return false;
}

}  // namespace

unsigned smp_prepare() {
  unsigned limit = NR_CPUS, n = 1;
  if (unsigned wanted = boot_number("nr_cpus=")) limit = wanted < limit ? wanted : limit;
  if (boot_flag("nosmp") || boot_flag("maxcpus=0") || !cpu_startup) limit = 1;  // any other maxcpus leaves the rest for later
  for (unsigned i = 0; i < acpi.nr_cpus && n < limit; i++)
    if (acpi.cpu_apic_ids[i] != boot_cpu.apic_id) add_cpu(n++, acpi.cpu_apic_ids[i]);
  return n;
}

}  // namespace x86

namespace arch {
using namespace x86;

Result<void> start_cpu(unsigned cpu, task_struct* idle) {
  if (cpu >= NR_CPUS || !cpus[cpu]) return fail(ENODEV);
  CpuBlock& block = cpus[cpu]->block;
  block.current_task = idle;
  block.stack_top = cpus[cpu]->tss.rsp[0] = reinterpret_cast<unsigned long>(idle->stack) + THREAD_SIZE;
  block.preempt_count = INIT_PREEMPT_COUNT;
  fill_trampoline(cpus[cpu], idle);
  __atomic_store_n(&arrived, false, __ATOMIC_RELAXED);
  send_init(cpu);
  udelay_early(10000);
  for (int tries = 0; tries < 2; tries++) {
    send_startup(cpu, TRAMPOLINE >> 12);
    if (wait_arrival(tries ? 10'000'000 : 200'000)) return {};
  }
  pr_err("CPU %u does not start\n", cpu);
  return fail(EIO);
}

// INIT fetches it from here, from between any two instructions. An NMI ends the wait, and only that.
[[noreturn]] void cpu_play_dead() {
  for (;;) asm volatile("cli; hlt" ::: "memory");
}

}  // namespace arch
