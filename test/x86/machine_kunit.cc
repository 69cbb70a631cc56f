// The x86 machine's own promises: protection of the kernel's memory, control registers, fixups, registers kept.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/string.h>

#include <string_view>

#include "arch/x86/cpu/cpu.hh"
#include "arch/x86/init/bootparams.hh"
#include "arch/x86/mm/layout.hh"
#include "arch/x86/traps/symbols.hh"
#include "arch/x86/traps/traps.hh"
#include "kernel/sync/guards.hh"

namespace {

using namespace x86;

// ---- Memory ---------------------------------------------------------------------------------------------------------

// Leaves below `table` that are writable and executable at once. The kernel's upper entries allow everything.
unsigned long count_write_and_execute(const pte_t* table, unsigned level, unsigned first) {
  unsigned long bad = 0;
  for (unsigned i = first; i < PTRS_PER_TABLE; i++) {
    pte_t e = table[i];
    if (!pte_present(e)) continue;
    if (level == 0 || (e.val & kPteHuge))
      bad += pte_write(e) && pte_exec(e);
    else
      bad += count_write_and_execute(static_cast<const pte_t*>(arch::phys_to_virt(pte_phys(e))), level - 1, 0);
  }
  return bad;
}

pte_t leaf_of(unsigned long va) {
  const pte_t* t = kernel_pgd;
  for (unsigned level = 3;; level--) {
    pte_t e = t[table_index(va, level)];
    if (!pte_present(e) || level == 0 || (e.val & kPteHuge)) return e;
    t = static_cast<const pte_t*>(arch::phys_to_virt(pte_phys(e)));
  }
}

void nothing_is_writable_and_executable(kunit* test) {
  if (!features.nx) kunit_skip(test, "this CPU has no NX");
  KUNIT_EXPECT_EQ(test, count_write_and_execute(kernel_pgd, 3, PTRS_PER_TABLE / 2), 0ul);
}

void image_sections_are_protected(kunit* test) {
  auto text = reinterpret_cast<unsigned long>(text_start), rodata = reinterpret_cast<unsigned long>(rodata_start),
       data = reinterpret_cast<unsigned long>(data_start);
  KUNIT_EXPECT_FALSE(test, pte_write(leaf_of(text)));
  KUNIT_EXPECT_TRUE(test, pte_exec(leaf_of(text)));
  KUNIT_EXPECT_FALSE(test, pte_write(leaf_of(rodata)));
  KUNIT_EXPECT_TRUE(test, pte_write(leaf_of(data)));
  // The direct map's view of the same pages is no way round.
  KUNIT_EXPECT_FALSE(test, pte_write(leaf_of(arch::kDirectMap + image_phys(text_start))));
  KUNIT_EXPECT_FALSE(test, pte_write(leaf_of(arch::kDirectMap + image_phys(rodata_start))));
  KUNIT_EXPECT_TRUE(test, pte_write(leaf_of(arch::kDirectMap + image_phys(data_start))));
}

void no_kernel_page_is_the_users(kunit* test) {
  KUNIT_EXPECT_FALSE(test, leaf_of(reinterpret_cast<unsigned long>(text_start)).val & kPteUser);
  KUNIT_EXPECT_FALSE(test, leaf_of(arch::kDirectMap + (1ul << 20)).val & kPteUser);
}

// B-25, B-26.
void stacks_have_guard_pages(kunit* test) {
  for (unsigned i = 0; i < 4; i++) {
    unsigned long top = boot_cpu.tss.ist[i];
    KUNIT_EXPECT_TRUE(test, is_mapped(top - 8));
    KUNIT_EXPECT_TRUE(test, is_mapped(top - 2 * 4096));
    KUNIT_EXPECT_FALSE(test, is_mapped(top - 2 * 4096 - 8));
  }
  KUNIT_EXPECT_FALSE(test, is_mapped(reinterpret_cast<unsigned long>(init_stack_guard)));
  KUNIT_EXPECT_FALSE(test, is_mapped(reinterpret_cast<unsigned long>(current->stack) - 8));
}

// B-10.
void memory_map_is_sorted_and_disjoint(kunit* test) {
  KUNIT_ASSERT_GT(test, boot.map_len, 0u);
  for (unsigned i = 0; i < boot.map_len; i++) {
    KUNIT_EXPECT_LT(test, boot.map[i].start, boot.map[i].end);
    if (i) KUNIT_EXPECT_GE(test, boot.map[i].start, boot.map[i - 1].end);
  }
  KUNIT_EXPECT_TRUE(test, boot.map[0].type == RamType::Reserved);  // page 0
}

// B-12.
void usable_memory_leaves_the_image_out(kunit* test) {
  u64 start = image_phys(image_start), end = image_phys(image_end);
  for (const arch::MemoryRegion& r : arch::boot_info().usable)
    KUNIT_EXPECT_TRUE(test, r.end <= start || r.start >= end);
}

// ---- The CPU --------------------------------------------------------------------------------------------------------

void system_call_registers(kunit* test) {  // B-24, E-1
  KUNIT_EXPECT_EQ(test, rdmsr(kMsrStar), 0x0023001000000000ull);
  KUNIT_EXPECT_EQ(test, rdmsr(kMsrFmask), 0x257fd5ull);
  KUNIT_EXPECT_TRUE(test, is_kernel_text(rdmsr(kMsrLstar)));
  KUNIT_EXPECT_TRUE(test, is_kernel_text(rdmsr(kMsrCstar)));
  KUNIT_EXPECT_TRUE(test, rdmsr(kMsrEfer) & 1);
}

void control_registers(kunit* test) {  // B-21
  constexpr unsigned long kWp = 1 << 16, kEm = 4, kTs = 8, kNe = 32;
  KUNIT_EXPECT_EQ(test, read_cr0() & (kWp | kNe | kEm | kTs), kWp | kNe);
  unsigned long cr4 = read_cr4();
  KUNIT_EXPECT_EQ(test, !!(cr4 >> 20 & 1), features.smep);
  KUNIT_EXPECT_EQ(test, !!(cr4 >> 21 & 1), features.smap);
  KUNIT_EXPECT_EQ(test, !!(cr4 >> 16 & 1), false);  // FSGSBASE: paranoid entries rely on its absence (B-59)
}

void gates_for_user_mode(kunit* test) {  // B-27, B-28
  struct [[gnu::packed]] {
    u16 limit;
    u64 base;
  } idtr;
  asm volatile("sidt %0" : "=m"(idtr));
  KUNIT_ASSERT_EQ(test, idtr.limit, static_cast<u16>(4095));
  for (unsigned v = 0; v < 256; v++) {
    u8 type = *reinterpret_cast<const u8*>(idtr.base + v * 16 + 5);
    KUNIT_EXPECT_EQ(test, type & 0x1f, 0x0e);  // interrupt gate
    KUNIT_EXPECT_EQ(test, type >> 5 & 3, v == 3 || v == 4 ? 3 : 0);
  }
}

void no_ports_for_user_mode(kunit* test) {  // spec 22 C-58
  KUNIT_EXPECT_GE(test, static_cast<unsigned>(this_cpu().tss.io_map_base), static_cast<unsigned>(sizeof(Tss)));
}

// ---- Fixups, symbols, copies ------------------------------------------------------------------------------------------

void user_copies_fail_by_halves(kunit* test) {  // B-30
  constexpr unsigned long kNowhere = 0x10000;  // a kernel thread has no user memory
  char buffer[600] = {};
  u64 word = 5;
  KUNIT_EXPECT_EQ(test, arch::raw_copy_from_user(buffer, kNowhere, sizeof buffer), sizeof buffer);
  KUNIT_EXPECT_EQ(test, arch::raw_copy_to_user(kNowhere, buffer, 13ul), 13ul);
  KUNIT_EXPECT_EQ(test, arch::raw_copy_from_user(&word, kNowhere, sizeof word), sizeof word);
  KUNIT_EXPECT_EQ(test, arch::raw_copy_to_user(kNowhere, &word, sizeof word), sizeof word);
  KUNIT_EXPECT_EQ(test, arch::raw_clear_user(kNowhere, 100), 100ul);
  KUNIT_EXPECT_EQ(test, arch::raw_strncpy_from_user(buffer, kNowhere, 100), -EFAULT);
  u32 found;
  KUNIT_EXPECT_EQ(test, arch::raw_cmpxchg_user_u32(kNowhere, 0, 1, &found), -EFAULT);
  KUNIT_EXPECT_EQ(test, arch::raw_atomic_op_user_u32(kNowhere, 1, 1, &found), -EFAULT);
}

// The source may be any readable memory here, so ends and lengths can be tried on the kernel's own.
void strings_end_where_they_should(kunit* test) {
  auto* page = reinterpret_cast<char*>(get_zeroed_page(GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, page);
  char out[80];
  for (long length = 0; length < 40; length++) {
    char* s = page + 4096 - 48;
    memset(s, 'x', 48);
    s[length] = 0;
    memset(out, 'y', sizeof out);
    KUNIT_EXPECT_EQ(test, arch::raw_strncpy_from_user(out, reinterpret_cast<unsigned long>(s), 48), length);
    KUNIT_EXPECT_EQ(test, memcmp(out, s, static_cast<size_t>(length) + 1), 0);
    KUNIT_EXPECT_EQ(test, arch::raw_strncpy_from_user(out, reinterpret_cast<unsigned long>(s), length), length);
  }
  free_page(reinterpret_cast<unsigned long>(page));
}

void functions_have_names(kunit* test) {
  Symbol s = find_symbol(reinterpret_cast<unsigned long>(&find_symbol) + 1);
  KUNIT_ASSERT_NOT_NULL(test, s.name);
  KUNIT_EXPECT_TRUE(test, std::string_view(s.name).starts_with("x86::find_symbol"));
  KUNIT_EXPECT_EQ(test, s.offset, 1ul);
  KUNIT_EXPECT_NULL(test, find_symbol(reinterpret_cast<unsigned long>(&boot)).name);
}

// spec 22 C-47: the kernel's only vector code keeps what it borrows from some program, with preemption off.
void clearing_keeps_vector_registers(kunit* test) {
  auto* page = reinterpret_cast<u64*>(__get_free_page(GFP_KERNEL));
  KUNIT_ASSERT_NOT_NULL(test, page);
  memset(page, 0xa5, 4096);
  u64 saved[2], put[2] = {0x1122334455667788, 0x99aabbccddeeff00}, got[2];
  {
    PreemptGuard guard;
    asm volatile("movups %%xmm0, %0; movups %1, %%xmm0" : "=m"(saved) : "m"(put));
    arch::clear_page(page);
    asm volatile("movups %%xmm0, %0; movups %1, %%xmm0" : "=m"(got) : "m"(saved));
  }
  KUNIT_EXPECT_EQ(test, got[0], put[0]);
  KUNIT_EXPECT_EQ(test, got[1], put[1]);
  u64 any = 0;
  for (unsigned i = 0; i < 512; i++) any |= page[i];
  KUNIT_EXPECT_EQ(test, any, 0ull);
  free_page(reinterpret_cast<unsigned long>(page));
}

// Every length and overlap up to some words, against the obvious loop.
void memory_functions(kunit* test) {
  unsigned char a[160], b[160];
  unsigned wrong = 0;
  for (unsigned n = 0; n <= 72; n++)
    for (unsigned from = 0; from <= 40; from += 5)
      for (unsigned to = 0; to <= 40; to += 3) {
        for (unsigned i = 0; i < sizeof a; i++) a[i] = static_cast<unsigned char>(i * 7 + n);
        for (unsigned i = 0; i < sizeof a; i++) b[i] = a[i];
        memmove(a + to, a + from, n);
        for (unsigned i = 0; i < sizeof a; i++) {
          bool moved = i >= to && i < to + n;
          wrong += a[i] != b[moved ? i - to + from : i];
        }
        wrong += (memcmp(a + to, b + from, n) != 0);
      }
  for (unsigned n = 0; n <= 72; n++) {
    for (unsigned i = 0; i < sizeof a; i++) a[i] = 1;
    memset(a + 8, 0x1a5, n);
    for (unsigned i = 0; i < sizeof a; i++) wrong += a[i] != (i >= 8 && i < 8 + n ? 0xa5 : 1);
    for (unsigned i = 0; i < sizeof a; i++) b[i] = 0;
    memcpy(b + 3, a + 1, n);
    for (unsigned i = 0; i < sizeof a; i++) wrong += b[i] != (i >= 3 && i < 3 + n ? a[i - 2] : 0);
  }
  KUNIT_EXPECT_EQ(test, wrong, 0u);
  KUNIT_EXPECT_LT(test, memcmp("abcdefgh1", "abcdefgh2", 9), 0);
  KUNIT_EXPECT_GT(test, memcmp("\xff", "\x01", 1), 0);
  KUNIT_EXPECT_EQ(test, memcmp("abcdefgX", "abcdefgY", 7), 0);
}

// ---- Clocks ---------------------------------------------------------------------------------------------------------

void clock_goes_forward(kunit* test) {
  u64 last = arch::clock_ns();
  for (int i = 0; i < 1000; i++) {
    u64 now = arch::clock_ns();
    KUNIT_ASSERT_GE(test, now, last);
    last = now;
  }
  KUNIT_EXPECT_GT(test, arch::boot_wall_ns(), 1'600'000'000ull * 1'000'000'000);  // the CMOS clock is not before 2020
}

kunit_case cases[] = {
    KUNIT_CASE(nothing_is_writable_and_executable), KUNIT_CASE(image_sections_are_protected),
    KUNIT_CASE(no_kernel_page_is_the_users), KUNIT_CASE(stacks_have_guard_pages),
    KUNIT_CASE(memory_map_is_sorted_and_disjoint), KUNIT_CASE(usable_memory_leaves_the_image_out),
    KUNIT_CASE(system_call_registers), KUNIT_CASE(control_registers), KUNIT_CASE(gates_for_user_mode),
    KUNIT_CASE(no_ports_for_user_mode), KUNIT_CASE(user_copies_fail_by_halves), KUNIT_CASE(strings_end_where_they_should),
    KUNIT_CASE(functions_have_names), KUNIT_CASE(clearing_keeps_vector_registers), KUNIT_CASE(memory_functions),
    KUNIT_CASE(clock_goes_forward), {},
};
kunit_suite suite = {.name = "x86_machine", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
