// Looks up names of kernel functions.
// SPDX-License-Identifier: Apache-2.0
#include "arch/x86/traps/symbols.hh"

#include "arch/x86/mm/layout.hh"

namespace x86 {
namespace {

// .ksyms: header, then `count` entries sorted by offset, then the names they point to. Zero until the tool fills it.
struct Header {
  u32 magic, count, names;  // names: offset of the string pool from the header
};
struct Entry {
  u32 offset, size, name;  // offset from image_start; name: offset into the pool
};
constexpr u32 kMagic = 0x4d59534b;  // "KSYM"
constexpr unsigned kRoom = 320 * 1024;

}  // namespace

extern "C" {
extern const unsigned char x86_ksyms[kRoom];
[[gnu::section(".ksyms"), gnu::used, gnu::aligned(16)]] const unsigned char x86_ksyms[kRoom] = {};
}

bool is_kernel_text(unsigned long a) {
  return a >= reinterpret_cast<unsigned long>(image_start) && a < reinterpret_cast<unsigned long>(text_end);
}

Symbol find_symbol(unsigned long address) {
  // The compiler knows the array as zero; the tool that fills it comes later.
  const unsigned char* base = x86_ksyms;
  asm volatile("" : "+r"(base));
  auto* h = reinterpret_cast<const Header*>(base);
  if (h->magic != kMagic || !is_kernel_text(address)) return {};
  auto* entries = reinterpret_cast<const Entry*>(h + 1);
  u32 offset = static_cast<u32>(address - reinterpret_cast<unsigned long>(image_start));
  u32 low = 0, high = h->count;
  while (low < high) {
    u32 mid = (low + high) / 2;
    if (entries[mid].offset <= offset)
      low = mid + 1;
    else
      high = mid;
  }
  if (low == 0) return {};
  const Entry& e = entries[low - 1];
  return {reinterpret_cast<const char*>(base) + h->names + e.name, offset - e.offset, e.size};
}

}  // namespace x86
