// The other CPUs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace x86 {
// Early boot: gives every CPU that ACPI lists its block and stacks; returns how many there may be.
unsigned smp_prepare();
}  // namespace x86
