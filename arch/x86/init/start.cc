// From the entry code to start_kernel: makes the machine fit for C++ and describes it in BootInfo.
// SPDX-License-Identifier: Apache-2.0
#include <linux/preempt.h>
#include <linux/sched.h>

#include "arch/x86/cpu/apic.hh"
#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/cpu/fpu.hh"
#include "arch/x86/cpu/smp.hh"
#include "arch/x86/cpu/tsc.hh"
#include "arch/x86/dev/acpi.hh"
#include "arch/x86/dev/rtc.hh"
#include "arch/x86/dev/serial.hh"
#include "arch/x86/init/bootparams.hh"
#include "arch/x86/mm/layout.hh"
#include "arch/x86/traps/traps.hh"
#include "init/init.hh"
#include "kernel/task/task.hh"

extern "C" unsigned char init_stack[THREAD_SIZE];

namespace x86 {
namespace {

enum class LoaderData : u32 { BootParams = 0, Pvh = 1 };

void init_boot_cpu_block() {
  load_early_gs(boot_cpu);
  cpus[0] = &boot_cpu;
  init_task.stack = init_stack;
  boot_cpu.block.current_task = &init_task;
  boot_cpu.block.stack_top = reinterpret_cast<unsigned long>(init_stack) + THREAD_SIZE;
  boot_cpu.block.preempt_count = INIT_PREEMPT_COUNT;
  boot_cpu.tss.rsp[0] = boot_cpu.block.stack_top;
}

void read_loader_data(phys_addr_t data, LoaderData kind) {
  if (kind == LoaderData::Pvh)
    read_pvh_info(data);
  else
    read_boot_params(data);
  sanitise_map();
  check_initrd();
}

}  // namespace

// Interrupts off, on init_task's stack, with the tables of head.S: the first 4 GiB three times over.
extern "C" [[noreturn]] void x86_start(phys_addr_t data, LoaderData kind) {
  init_boot_cpu_block();
  serial_init();
  detect_features();
  patch_smap();
  extable_init();
  idt_init();
  cpu_init(boot_cpu);
  choose_clear_method();
  read_loader_data(data, kind);
  acpi_read_tables(boot.rsdp);
  build_kernel_tables();
  map_cpu_stacks(0);
  apic_map();
  apic_cpu_init();
  tsc_calibrate();
  apic_timer_calibrate();
  rtc_init();
  ioapic_init();
  unsigned nr_cpus = smp_prepare();
  publish_boot_info(nr_cpus);
  serial_enable_receive();
  boot_done = true;
  start_kernel();
}

}  // namespace x86
