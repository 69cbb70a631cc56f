// The hosted page-table format: x86-64's shape with the bits elsewhere, so that code which assumed x86's would fail.
// Walked by arch/hosted/uaccess.cc, which plays the hardware: it sets young and dirty.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

inline constexpr unsigned PTRS_PER_TABLE = 512;
inline constexpr unsigned long kUserTop = 0x7ffffffff000ul;

struct pte_t {
  u64 val;
  constexpr bool operator==(const pte_t&) const = default;
};

struct PteFlags {
  bool write = false, exec = false, user = false, dirty = false, young = false, special = false;
};

namespace hosted_pte {
// Page frame number from bit 20; x86 has it at 12, present at 0, and a bit that forbids execution.
inline constexpr int kPfnShift = 20;
inline constexpr u64 kSpecial = 1 << 1, kExec = 1 << 2, kYoung = 1 << 3, kDirty = 1 << 4, kTable = 1 << 8,
                     kUser = 1 << 11, kWrite = 1 << 13, kPresent = 1 << 15;
constexpr u64 bit(bool on, u64 b) { return on ? b : 0; }
}  // namespace hosted_pte

constexpr bool pte_none(pte_t e) { return e.val == 0; }
constexpr bool pte_present(pte_t e) { return e.val & hosted_pte::kPresent; }
constexpr bool pte_write(pte_t e) { return e.val & hosted_pte::kWrite; }
constexpr bool pte_dirty(pte_t e) { return e.val & hosted_pte::kDirty; }
constexpr bool pte_young(pte_t e) { return e.val & hosted_pte::kYoung; }
constexpr bool pte_exec(pte_t e) { return e.val & hosted_pte::kExec; }
constexpr bool pte_user(pte_t e) { return e.val & hosted_pte::kUser; }
constexpr bool pte_special(pte_t e) { return e.val & hosted_pte::kSpecial; }
constexpr phys_addr_t pte_phys(pte_t e) { return e.val >> hosted_pte::kPfnShift << 12; }

constexpr pte_t make_pte(phys_addr_t phys, PteFlags f) {
  using namespace hosted_pte;
  return {phys >> 12 << kPfnShift | kPresent | bit(f.write, kWrite) | bit(f.exec, kExec) | bit(f.user, kUser) |
          bit(f.dirty, kDirty) | bit(f.young, kYoung) | bit(f.special, kSpecial)};
}
constexpr pte_t make_table(phys_addr_t phys) {
  using namespace hosted_pte;
  return {phys >> 12 << kPfnShift | kPresent | kTable | kUser | kWrite | kExec};
}

// Not for the machine any more (no access right left), but not empty: pte_phys and the rest still answer.
constexpr pte_t pte_hide(pte_t e) { return {e.val & ~hosted_pte::kPresent}; }
constexpr pte_t pte_wrprotect(pte_t e) { return {e.val & ~hosted_pte::kWrite}; }
constexpr pte_t pte_mkwrite(pte_t e) { return {e.val | hosted_pte::kWrite}; }
constexpr pte_t pte_mkdirty(pte_t e) { return {e.val | hosted_pte::kDirty}; }
constexpr pte_t pte_mkclean(pte_t e) { return {e.val & ~hosted_pte::kDirty}; }
constexpr pte_t pte_mkold(pte_t e) { return {e.val & ~hosted_pte::kYoung}; }
constexpr pte_t pte_mkyoung(pte_t e) { return {e.val | hosted_pte::kYoung}; }

// level 3 is the top.
constexpr unsigned table_index(unsigned long addr, int level) { return addr >> (12 + 9 * level) & 511; }
