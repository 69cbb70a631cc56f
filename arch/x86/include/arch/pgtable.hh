// The x86-64 page-table format, four levels (arch/contract/pgtable.md says what each function means).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

struct pte_t {
  u64 val;
};

inline constexpr unsigned PTRS_PER_TABLE = 512;
inline constexpr unsigned long kUserTop = 0x7ffffffff000;  // 2^47 - 4096 (spec 10 section 4.1)

struct PteFlags {
  bool write = false, exec = false, user = false, dirty = false, young = false, special = false;
};

namespace x86 {
inline constexpr u64 kPtePresent = 1u << 0, kPteWrite = 1u << 1, kPteUser = 1u << 2, kPteNoCache = 1u << 4,
                     kPteYoung = 1u << 5, kPteDirty = 1u << 6, kPteHuge = 1u << 7, kPteGlobal = 1u << 8,
                     kPteSpecial = 1u << 9, kPteNx = 1ull << 63, kPtePhysMask = 0x000ffffffffff000;
// kPteNx, or 0 on a CPU without it, where the bit is reserved. Written once, early in boot.
extern u64 nx_mask;
}  // namespace x86

constexpr bool pte_none(pte_t e) { return e.val == 0; }
constexpr bool pte_present(pte_t e) { return e.val & x86::kPtePresent; }
constexpr bool pte_write(pte_t e) { return e.val & x86::kPteWrite; }
constexpr bool pte_dirty(pte_t e) { return e.val & x86::kPteDirty; }
constexpr bool pte_young(pte_t e) { return e.val & x86::kPteYoung; }
constexpr bool pte_exec(pte_t e) { return !(e.val & x86::kPteNx); }
constexpr bool pte_special(pte_t e) { return e.val & x86::kPteSpecial; }
constexpr phys_addr_t pte_phys(pte_t e) { return e.val & x86::kPtePhysMask; }

inline pte_t make_pte(phys_addr_t phys, PteFlags f) {
  return {phys | x86::kPtePresent | (f.write ? x86::kPteWrite : 0) | (f.user ? x86::kPteUser : 0) |
          (f.dirty ? x86::kPteDirty : 0) | (f.young ? x86::kPteYoung : 0) | (f.special ? x86::kPteSpecial : 0) |
          (f.exec ? 0 : x86::nx_mask)};
}
// Upper levels permit everything; the leaf decides. The kernel's own tables never hang below such an entry.
constexpr pte_t make_table(phys_addr_t phys) {
  return {phys | x86::kPtePresent | x86::kPteWrite | x86::kPteUser | x86::kPteYoung | x86::kPteDirty};
}
// Not for the machine any more (no access right left), but not empty: pte_phys and the rest still answer.
constexpr pte_t pte_hide(pte_t e) { return {e.val & ~x86::kPtePresent}; }
constexpr pte_t pte_wrprotect(pte_t e) { return {e.val & ~x86::kPteWrite}; }
constexpr pte_t pte_mkwrite(pte_t e) { return {e.val | x86::kPteWrite}; }
constexpr pte_t pte_mkdirty(pte_t e) { return {e.val | x86::kPteDirty}; }
constexpr pte_t pte_mkclean(pte_t e) { return {e.val & ~x86::kPteDirty}; }
constexpr pte_t pte_mkold(pte_t e) { return {e.val & ~x86::kPteYoung}; }
constexpr pte_t pte_mkyoung(pte_t e) { return {e.val | x86::kPteYoung}; }
// Level 0 holds pages, level 3 is the top.
constexpr unsigned table_index(unsigned long addr, unsigned level) {
  return addr >> (12 + 9 * level) & (PTRS_PER_TABLE - 1);
}
