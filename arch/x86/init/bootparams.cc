// Reads boot_params or PVH start info, cleans the memory map, and hands it to the kernel as BootInfo.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/init/bootparams.hh"

#include <linux/compiler.h>
#include <linux/string.h>

#include <algorithm>
#include <string_view>

#include "arch/x86/dev/serial.hh"
#include "arch/x86/mm/layout.hh"

namespace x86 {

BootState boot;

namespace {

constexpr u64 kPage = 4096, kMiB = 1 << 20;

template <class T>
T peek(phys_addr_t p) {  // the loader's structures are not aligned
  T v;
  memcpy(&v, arch::phys_to_virt(p), sizeof v);
  return v;
}

void copy_command_line(u64 phys) {
  if (!phys) return;
  const char* s = static_cast<const char*>(arch::phys_to_virt(phys));
  size_t n = 0;
  while (n < sizeof boot.command_line - 1 && s[n]) n++;
  memcpy(boot.command_line, s, n);
  boot.command_line[n] = 0;
}

struct PvhInfo {
  u32 magic, version, flags, nr_modules;
  u64 modlist, cmdline, rsdp, memmap;
  u32 memmap_entries, reserved;
};

// The type that wins where ranges overlap: the numerically larger is the more restrictive.
RamType type_at(const RamRange* ranges, unsigned n, u64 at) {
  RamType t = RamType::None;
  for (unsigned i = 0; i < n; i++)
    if (ranges[i].start <= at && at < ranges[i].end) t = std::max(t, ranges[i].type);
  return t;
}

constinit arch::BootInfo info{};
arch::MemoryRegion usable[kMaxRanges];
unsigned usable_len;

void add_usable(u64 start, u64 end) {
  start = (start + kPage - 1) & ~(kPage - 1);
  end &= ~(kPage - 1);
  if (start < end && usable_len < kMaxRanges) usable[usable_len++] = {start, end};
}

struct Hole {
  u64 start, end;
};
// RAM minus holes, which are few.
void add_usable_without(u64 start, u64 end, std::span<const Hole> holes) {
  for (const Hole& h : holes) {
    if (h.end <= start || h.start >= end) continue;
    if (h.start > start) add_usable_without(start, h.start, holes);
    if (h.end < end) add_usable_without(h.end, end, holes);
    return;
  }
  add_usable(start, end);
}

// early_alloc's own window: taken from the end of the first big range above the image.
u64 early_next, early_end, early_begin;

void open_early_window() {
  u64 floor = image_phys(image_end);
  for (unsigned i = 0; i < boot.map_len; i++) {
    const RamRange& r = boot.map[i];
    if (r.type != RamType::Ram || r.start >= 1ull << 32) continue;
    u64 start = (std::max(r.start, floor) + kPage - 1) & ~(kPage - 1), end = std::min<u64>(r.end, 1ull << 32);
    u64 initrd_end = boot.initrd_start + boot.initrd_size;
    if (boot.initrd_size && boot.initrd_start < end && initrd_end > start) {
      if (boot.initrd_start - start >= 4 * kMiB)  // room before it
        end = boot.initrd_start;
      else
        start = (initrd_end + kPage - 1) & ~(kPage - 1);
    }
    if (start + kMiB > end || end > 1ull << 63) continue;
    early_begin = early_next = start;
    early_end = end;
    return;
  }
  early_panic("no memory above the kernel image");
}

}  // namespace

void* early_alloc(unsigned long bytes) {
  if (!early_end) open_early_window();
  bytes = (bytes + kPage - 1) & ~(kPage - 1);
  if (early_end - early_next < bytes) early_panic("out of early memory");
  void* p = arch::phys_to_virt(early_next);
  early_next += bytes;
  memset(p, 0, bytes);
  return p;
}

void add_ram(u64 start, u64 size, u32 type) {
  if (!size || boot.map_len == kMaxRanges || start + size < start) return;
  if (type == 0 || (type > 5 && type != 7)) type = 2;
  boot.map[boot.map_len++] = {start, start + size, static_cast<RamType>(type)};
}

void sanitise_map() {
  static RamRange in[kMaxRanges];
  static u64 cuts[2 * kMaxRanges];
  add_ram(0, kPage, 2);
  add_ram(0xa0000, 0x60000, 2);
  unsigned n = boot.map_len, nr_cuts = 0;
  memcpy(in, boot.map, n * sizeof in[0]);
  for (unsigned i = 0; i < n; i++) cuts[nr_cuts++] = in[i].start, cuts[nr_cuts++] = in[i].end;
  std::sort(cuts, cuts + nr_cuts);
  boot.map_len = 0;
  for (unsigned i = 0; i + 1 < nr_cuts; i++) {
    if (cuts[i] == cuts[i + 1]) continue;
    RamType t = type_at(in, n, cuts[i]);
    if (t == RamType::None) continue;
    RamRange* last = boot.map_len ? &boot.map[boot.map_len - 1] : nullptr;
    if (last && last->type == t && last->end == cuts[i])
      last->end = cuts[i + 1];
    else if (boot.map_len < kMaxRanges)
      boot.map[boot.map_len++] = {cuts[i], cuts[i + 1], t};
  }
}

void check_initrd() {
  if (!boot.initrd_size) return;
  for (unsigned i = 0; i < boot.map_len; i++) {
    const RamRange& r = boot.map[i];
    if (r.type == RamType::Ram && r.start <= boot.initrd_start && boot.initrd_start + boot.initrd_size <= r.end) return;
  }
  early_print("initrd does not lie in RAM: ignored\n");
  boot.initrd_start = boot.initrd_size = 0;
}

void read_boot_params(phys_addr_t z) {
  bool garbage = peek<u8>(z + 0x1ef) != 0;  // sentinel: fields outside the header mean nothing
  auto high = [&](unsigned offset) { return garbage ? 0 : u64{peek<u32>(z + offset)} << 32; };
  boot.rsdp = garbage ? 0 : peek<u64>(z + 0x70);
  boot.initrd_start = high(0xc0) | peek<u32>(z + 0x218);
  boot.initrd_size = high(0xc4) | peek<u32>(z + 0x21c);
  copy_command_line(high(0xc8) | peek<u32>(z + 0x228));
  unsigned n = std::min<unsigned>(peek<u8>(z + 0x1e8), 128);
  for (unsigned i = 0; i < n; i++) {
    phys_addr_t e = z + 0x2d0 + 20 * i;
    add_ram(peek<u64>(e), peek<u64>(e + 8), peek<u32>(e + 16));
  }
  if (!n) {
    add_ram(0, 0x9f000, 1);
    add_ram(kMiB, u64{peek<u32>(z + 0x1e0)} << 10, 1);
  }
}

void read_pvh_info(phys_addr_t p) {
  auto pvh = peek<PvhInfo>(p);
  if (pvh.magic != 0x336ec578) early_panic("PVH entry without start info");
  copy_command_line(pvh.cmdline);
  boot.rsdp = pvh.rsdp;
  if (pvh.nr_modules) {
    boot.initrd_start = peek<u64>(pvh.modlist);
    boot.initrd_size = peek<u64>(pvh.modlist + 8);
  }
  if (pvh.version < 1) early_panic("PVH start info has no memory map");
  for (unsigned i = 0; i < pvh.memmap_entries; i++) {
    phys_addr_t e = pvh.memmap + 24 * i;
    add_ram(peek<u64>(e), peek<u64>(e + 8), peek<u32>(e + 16));
  }
}

namespace {

// What follows `name` where it begins a word.
std::string_view after_word(std::string_view name) {
  std::string_view line = boot.command_line;
  for (size_t at = 0; at + name.size() <= line.size(); at++)
    if ((at == 0 || line[at - 1] == ' ') && line.substr(at).starts_with(name)) return line.substr(at + name.size());
  return {};
}

}  // namespace

unsigned boot_number(std::string_view name) {
  std::string_view v = after_word(name);
  unsigned base = 10, n = 0;
  if (v.starts_with("0x")) v.remove_prefix(2), base = 16;
  for (char c : v) {
    unsigned lower = static_cast<unsigned char>(c) | 0x20u;
    unsigned digit = c >= '0' && c <= '9' ? lower - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
    if (digit >= base) break;
    n = n * base + digit;
  }
  return n;
}

bool boot_flag(std::string_view name) {
  std::string_view v = after_word(name);
  return v.data() && (v.empty() || v[0] == ' ');
}

void publish_boot_info(unsigned nr_cpus) {
  u64 initrd_end = boot.initrd_start + boot.initrd_size;
  const Hole holes[] = {
      {image_phys(image_start), image_phys(image_end)},
      {early_begin, (early_next + kPage - 1) & ~(kPage - 1)},
      {boot.initrd_start & ~(kPage - 1), (initrd_end + kPage - 1) & ~(kPage - 1)},
  };
  for (unsigned i = 0; i < boot.map_len; i++) {
    const RamRange& r = boot.map[i];
    if (r.type == RamType::Ram) add_usable_without(std::max(r.start, kMiB), r.end, holes);
  }
  info.command_line = boot.command_line;
  info.usable = {usable, usable_len};
  info.nr_cpus = nr_cpus;
  if (!boot.initrd_size) return;
  info.initrd = {static_cast<const unsigned char*>(arch::phys_to_virt(boot.initrd_start)), boot.initrd_size};
  info.initrd_phys = {(boot.initrd_start + kPage - 1) & ~(kPage - 1), initrd_end & ~(kPage - 1)};
  if (info.initrd_phys.start > info.initrd_phys.end) info.initrd_phys = {};
}

}  // namespace x86

namespace arch {
const BootInfo& boot_info() { return x86::info; }
}  // namespace arch
