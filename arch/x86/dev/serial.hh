// The 8250 serial port: polled output, receive interrupt (spec 10 section 6.4).
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace x86 {
void serial_init();            // ports, 115200 8N1; before anything is printed
void serial_enable_receive();  // when the interrupt can be taken
void serial_interrupt();
// Straight to the port, for what happens before printk works.
void early_print(const char* s);
[[noreturn]] void early_panic(const char* s);
}  // namespace x86
