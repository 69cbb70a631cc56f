// Starting the other CPUs (spec 10 section 6.3).
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/cpu/smp.hh"

#include <linux/errno.h>

#include "arch/contract/arch.hh"

namespace x86 {
unsigned smp_prepare() { return 1; }
}  // namespace x86

namespace arch {
Result<void> start_cpu(unsigned, task_struct*) { return fail(ENODEV); }

}  // namespace arch
