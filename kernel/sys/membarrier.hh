// What membarrier(2) has other CPUs do.
// SPDX-License-Identifier: Apache-2.0
#pragma once

void membarrier_init();
void membarrier_interrupt();  // hard interrupt (Ipi::CallFunction): a full barrier, if this CPU is asked for one
unsigned long membarrier_requests();  // how many CPUs have been asked since boot
