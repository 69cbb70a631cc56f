// What the loader told us, in one form for all entries (spec 10 sections 2.5, 2.6).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include "arch/contract/arch.hh"

namespace x86 {

enum class RamType : u32 { None = 0, Ram = 1, Reserved = 2, AcpiReclaim = 3, AcpiNvs = 4, Unusable = 5 };
struct RamRange {
  u64 start, end;
  RamType type;
};
inline constexpr unsigned kMaxRanges = 256;

struct BootState {
  RamRange map[kMaxRanges];  // sorted, disjoint, not rounded
  unsigned map_len;
  u64 initrd_start, initrd_size;
  u64 rsdp;  // 0: search for it
  char command_line[2048];
};
extern BootState boot;

void read_boot_params(phys_addr_t zero_page);
void read_pvh_info(phys_addr_t start_info);
void add_ram(u64 start, u64 size, u32 type);
void sanitise_map();  // B-10
void check_initrd();  // B-11
// Fills BootInfo.usable: RAM above 1 MiB without image, initrd and what early_alloc took.
void publish_boot_info(unsigned nr_cpus);

// The command line before the generic parser runs. `name` with its '=': the number behind it, decimal or 0x; 0 if absent.
unsigned boot_number(std::string_view name);
bool boot_flag(std::string_view name);

}  // namespace x86
