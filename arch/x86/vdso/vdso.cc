// The kernel's side of the vDSO: the image, and the page its clocks read.
// SPDX-License-Identifier: Apache-2.0
#include <linux/compiler.h>

#include "arch/contract/arch.hh"
#include "arch/x86/cpu/tsc.hh"

extern "C" const unsigned char x86_vdso[4096];

namespace x86 {
namespace {
struct VdsoData {  // vdso.S has the offsets
  u32 seq;         // odd while the rest changes
  u32 no_clock;    // seq stays odd: ask the kernel
  u64 tsc_base, ns_per_tick;
  s64 wall_offset;
};
static_assert(__builtin_offsetof(VdsoData, tsc_base) == 8 && __builtin_offsetof(VdsoData, wall_offset) == 24);
}  // namespace
}  // namespace x86

namespace arch {
using namespace x86;

std::span<const unsigned char> vdso_image() { return x86_vdso; }

void vdso_set_clock(void* data_page, s64 wall_offset_ns) {
  auto* d = static_cast<VdsoData*>(data_page);
  TscScale scale = tsc_scale();
  WRITE_ONCE(d->seq, d->seq + 1);
  smp_wmb();  // pairs with the reader's order of loads: x86 keeps it
  d->tsc_base = scale.base;
  d->ns_per_tick = scale.ns_per_tick;
  d->wall_offset = wall_offset_ns;
  smp_wmb();
  WRITE_ONCE(d->seq, d->seq + 1);
}

void vdso_send_to_kernel(void* data_page) {
  auto* d = static_cast<VdsoData*>(data_page);
  d->no_clock = 1;
  d->seq = 1;
}

}  // namespace arch
