// Switching off, restarting, stopping.
// SPDX-License-Identifier: Apache-2.0
#include <linux/compiler.h>

#include "arch/x86/cpu/apic.hh"
#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/cpu/tsc.hh"
#include "arch/x86/dev/acpi.hh"
#include "arch/x86/dev/serial.hh"
#include "arch/x86/init/bootparams.hh"

namespace x86 {
namespace {

// QEMU's isa-debug-exit: the host sees 2 * status + 1.
void try_debug_exit(int status) {
  if (unsigned port = boot_number("debug_exit=")) outb(static_cast<u16>(port), static_cast<u8>(status));
}

void try_power_off() {
  if (acpi.s5_known && acpi.pm1a_control) {
    outw(acpi.pm1a_control, static_cast<u16>(1u << 13 | acpi.s5_a << 10));
    if (acpi.pm1b_control) outw(acpi.pm1b_control, static_cast<u16>(1u << 13 | acpi.s5_b << 10));
  }
  outw(0x604, 0x2000);   // QEMU q35 and pc
  outw(0xb004, 0x2000);  // older ones
  outw(0x4004, 0x3400);  // VirtualBox
}

void try_restart() {
  if (acpi.reset_port) outb(acpi.reset_port, acpi.reset_value);
  outb(0xcf9, 0x02);
  outb(0xcf9, 0x06);
  for (int i = 0; i < 100000 && (inb(0x64) & 2); i++) arch::cpu_relax();
  outb(0x64, 0xfe);
  struct [[gnu::packed]] {
    u16 limit;
    u64 base;
  } none{0, 0};
  asm volatile("lidt %0; int3" ::"m"(none));  // no IDT: triple fault
}

}  // namespace
}  // namespace x86

namespace arch {

[[noreturn]] void machine_stop(Stop how, int status) {
  irq_disable();
  x86::stop_other_cpus();
  if (how != Stop::Restart || status) x86::try_debug_exit(how == Stop::Panic && !status ? 1 : status);
  if (how == Stop::PowerOff) x86::try_power_off();
  if (how == Stop::Restart || how == Stop::Panic) x86::try_restart();
  if (how == Stop::PowerOff) {
    x86::udelay_early(1'000'000);  // it may take a moment
    x86::early_print("power-off has no effect on this machine\n");
  }
  for (;;) asm volatile("cli; hlt");
}

}  // namespace arch
