// The console on the first serial port.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/dev/serial.hh"

#include <linux/compiler.h>

#include "arch/x86/cpu/cpu.hh"

void console_input(char c);  // fs/tty

namespace x86 {
namespace {

constexpr u16 kPort = 0x3f8;
enum Reg : u16 { kData = 0, kIer = 1, kFcr = 2, kLcr = 3, kMcr = 4, kLsr = 5, kScratch = 7 };
constexpr u8 kLsrDataReady = 1, kLsrThrEmpty = 0x20;
constexpr unsigned kFifo = 16;

bool present;
unsigned fifo_room;  // bytes that may go out without asking the port; console output is serialised by printk

void put(char c) {
  if (!fifo_room) {
    // A port that never gets ready (none there, flow stopped) must not hang the kernel.
    for (unsigned tries = 0; !(inb(kPort + kLsr) & kLsrThrEmpty) && tries < 1000000; tries++) arch::cpu_relax();
    fifo_room = kFifo;
  }
  fifo_room--;
  outb(kPort + kData, static_cast<u8>(c));
}

}  // namespace

void serial_init() {
  outb(kPort + kScratch, 0x5a);
  present = inb(kPort + kScratch) == 0x5a;
  if (!present) return;
  outb(kPort + kIer, 0);
  outb(kPort + kLcr, 0x83);
  outb(kPort + 0, 1);
  outb(kPort + 1, 0);
  outb(kPort + kLcr, 0x03);
  outb(kPort + kFcr, 0x07);
  outb(kPort + kMcr, 0x0b);
}

void serial_enable_receive() {
  if (present) outb(kPort + kIer, 1);
}

void serial_interrupt() {
  while (inb(kPort + kLsr) & kLsrDataReady) console_input(static_cast<char>(inb(kPort + kData)));
}

void early_print(const char* s) {
  while (*s) arch::console_write({s++, 1});
}

void early_panic(const char* s) {
  early_print("early boot: ");
  early_print(s);
  early_print("\n");
  for (;;) asm volatile("cli; hlt");
}

}  // namespace x86

namespace arch {

void console_write(std::span<const char> text) {
  if (!x86::present) return;
  for (char c : text) {
    if (c == '\n') x86::put('\r');
    x86::put(c);
  }
}

}  // namespace arch
