// /proc/cpuinfo: what CPUID says.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "arch/contract/arch.hh"
#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/cpu/tsc.hh"

namespace {
struct Flag {
  unsigned char word, bit;  // word: 0 leaf 1 edx, 1 leaf 1 ecx, 2 leaf 80000001 edx, 3 leaf 7 ebx
  const char* name;
};
constexpr Flag kFlags[] = {
    {0, 0, "fpu"},   {0, 3, "pse"},     {0, 4, "tsc"},    {0, 5, "msr"},     {0, 6, "pae"},     {0, 8, "cx8"},   {0, 9, "apic"},
    {0, 13, "pge"},  {0, 15, "cmov"},   {0, 16, "pat"},   {0, 23, "mmx"},    {0, 24, "fxsr"},   {0, 25, "sse"},  {0, 26, "sse2"},
    {2, 11, "syscall"}, {2, 20, "nx"},  {2, 29, "lm"},    {1, 0, "pni"},     {1, 9, "ssse3"},   {1, 13, "cx16"}, {1, 19, "sse4_1"},
    {1, 20, "sse4_2"}, {1, 23, "popcnt"}, {1, 24, "tsc_deadline_timer"}, {1, 26, "xsave"}, {1, 28, "avx"}, {1, 31, "hypervisor"},
    {3, 0, "fsgsbase"}, {3, 7, "smep"}, {3, 9, "erms"},   {3, 20, "smap"},
};
}  // namespace

namespace arch {
using namespace x86;

void show_cpuinfo(unsigned cpu, void (*emit)(void* to, const char* text), void* to) {
  CpuidRegs id = cpuid(0), one = cpuid(1), ext = cpuid(0x80000001), seven = cpuid(7);
  u32 vendor[4] = {id.ebx, id.edx, id.ecx, 0}, brand[13] = {};
  for (u32 i = 0; i < 3 && cpuid(0x80000000).eax >= 0x80000004; i++) {
    CpuidRegs r = cpuid(0x80000002 + i);
    brand[4 * i] = r.eax, brand[4 * i + 1] = r.ebx, brand[4 * i + 2] = r.ecx, brand[4 * i + 3] = r.edx;
  }
  u32 family = one.eax >> 8 & 15, model = (one.eax >> 4 & 15) | (one.eax >> 12 & 0xf0);
  if (family == 15) family += one.eax >> 20 & 255;
  char line[256];
  snprintf(line, sizeof(line), "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n",
           cpu, reinterpret_cast<const char*>(vendor), family, model, reinterpret_cast<const char*>(brand), one.eax & 15);
  emit(to, line);
  u64 khz = tsc_khz();
  snprintf(line, sizeof(line), "cpu MHz\t\t: %llu.%03llu\nflags\t\t:", khz / 1000, khz % 1000);
  emit(to, line);
  u32 words[4] = {one.edx, one.ecx, ext.edx, seven.ebx};
  for (const Flag& f : kFlags) {
    if (!(words[f.word] >> f.bit & 1)) continue;
    emit(to, " ");
    emit(to, f.name);
  }
  emit(to, "\n\n");
}
}  // namespace arch
