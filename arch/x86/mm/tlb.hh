// TLB shoot-down between CPUs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace x86 {
void flush_tlb_kernel_range(unsigned long start, unsigned long end);  // all CPUs; interrupts on where there are several
void tlb_interrupt();                                                 // another CPU asks
}  // namespace x86
