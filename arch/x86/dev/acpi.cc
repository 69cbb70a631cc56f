// Reads the ACPI tables we need. Every length is checked: firmware writes them, we do not trust it to crash us.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/dev/acpi.hh"

#include <linux/string.h>

#include <algorithm>
#include <string_view>

#include "arch/contract/arch.hh"

namespace x86 {

constinit Acpi acpi{};

namespace {

constexpr u64 kMapped = 1ull << 32;  // what is mapped now

const u8* at(u64 phys, u64 length) {
  return phys && phys < kMapped && length <= kMapped - phys ? static_cast<const u8*>(arch::phys_to_virt(phys)) : nullptr;
}
template <class T>
T get(const u8* p) {
  T v;
  memcpy(&v, p, sizeof v);
  return v;
}

struct Table {
  const u8* data = nullptr;
  u32 length = 0;
  bool is(std::string_view signature) const { return data && memcmp(data, signature.data(), 4) == 0; }
};
Table table_at(u64 phys) {
  const u8* p = at(phys, 36);
  if (!p) return {};
  u32 length = get<u32>(p + 4);
  if (length < 36 || !at(phys, length)) return {};
  return {p, length};
}

u64 find_rsdp() {
  auto scan = [](u64 start, u64 end) -> u64 {
    for (u64 p = start; p < end; p += 16)
      if (memcmp(arch::phys_to_virt(p), "RSD PTR ", 8) == 0) return p;
    return 0;
  };
  u64 ebda = u64{get<u16>(at(0x40e, 2))} << 4;
  if (ebda >= 0x400 && ebda < 0xa0000)
    if (u64 p = scan(ebda, ebda + 1024)) return p;
  return scan(0xe0000, 0x100000);
}

void read_override(const u8* e) {
  u8 irq = e[3];
  if (irq >= 16) return;
  u16 flags = get<u16>(e + 8);
  acpi.isa_gsi[irq] = get<u32>(e + 4);
  acpi.isa_flags[irq] = ((flags & 3) == 3 ? 1u << 13 : 0) | ((flags >> 2 & 3) == 3 ? 1u << 15 : 0);
}

void read_madt(const Table& t) {
  for (u32 off = 44; off + 2 <= t.length;) {
    const u8* e = t.data + off;
    u8 length = e[1];
    if (length < 2 || off + length > t.length) return;
    if (e[0] == 0 && length >= 8 && (e[4] & 1) && acpi.nr_cpus < NR_CPUS) acpi.cpu_apic_ids[acpi.nr_cpus++] = e[3];
    if (e[0] == 1 && length >= 12 && get<u32>(e + 8) == 0) acpi.ioapic_phys = get<u32>(e + 4);
    if (e[0] == 2 && length >= 10) read_override(e);
    off += length;
  }
}

// One integer of an AML package: ZeroOp, OneOp, BytePrefix, or the byte itself.
u8 aml_byte(const u8*& p, const u8* end) {
  if (p >= end) return 0;
  u8 op = *p++;
  if (op == 0x0a && p < end) return *p++;
  return op == 1 ? 1 : 0;
}

// \_S5_ is Name(_S5_, Package(){a, b, ...}): looked for as bytes, since an interpreter would be the whole of ACPICA.
void read_dsdt(const Table& t) {
  const u8* end = t.data + t.length;
  for (const u8* p = t.data + 36; p + 7 < end; p++) {
    if (memcmp(p, "_S5_\x12", 5) != 0) continue;
    p += 5;
    p += (*p >> 6) + 2;  // package length, element count
    acpi.s5_a = aml_byte(p, end);
    acpi.s5_b = aml_byte(p, end);
    acpi.s5_known = true;
    return;
  }
}

void read_fadt(const Table& t) {
  if (t.length < 72) return;
  read_dsdt(table_at(get<u32>(t.data + 40)));
  acpi.pm1a_control = static_cast<u16>(get<u32>(t.data + 64));
  acpi.pm1b_control = static_cast<u16>(get<u32>(t.data + 68));
  if (t.length >= 129 && (get<u32>(t.data + 112) & 1u << 10) && t.data[116] == 1) {  // RESET_REG in I/O space
    acpi.reset_port = static_cast<u16>(get<u64>(t.data + 120));
    acpi.reset_value = t.data[128];
  }
}

}  // namespace

void acpi_read_tables(u64 rsdp) {
  if (!rsdp) rsdp = find_rsdp();
  const u8* r = at(rsdp, 36);
  if (!r) return;
  bool wide = r[15] >= 2 && get<u64>(r + 24);
  Table root = table_at(wide ? get<u64>(r + 24) : get<u32>(r + 16));
  if (!root.data) return;
  u32 step = wide ? 8 : 4;
  for (u32 off = 36; off + step <= root.length; off += step) {
    Table t = table_at(wide ? get<u64>(root.data + off) : get<u32>(root.data + off));
    if (t.is("APIC")) read_madt(t);
    if (t.is("FACP")) read_fadt(t);
  }
}

}  // namespace x86
