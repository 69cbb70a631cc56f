// The areas of one address space by address: a list, and over it a treap (a search tree by address that is a heap by
// random priority) whose nodes know the largest hole below them, so that a place for a mapping is found in O(log n).
// (While there are few areas the list alone is walked.) Pure data structure: no locks (mmap_lock is the caller's), no allocation.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "mm/mm_struct.hh"

inline constexpr unsigned long kStackGuardGap = 256ul << 12;  // kept free below a stack (spec 40 X-83, 41 M-3)

// Where the hole below vma ends: a stack keeps its guard gap.
inline unsigned long vm_start_gap(const vm_area_struct* vma) {
  if (!(vma->vm_flags & VM_GROWSDOWN)) return vma->vm_start;
  return vma->vm_start > kStackGuardGap ? vma->vm_start - kStackGuardGap : 0;
}

vm_area_struct* vma_tree_find(const mm_struct* mm, unsigned long addr);  // first with vm_end > addr
// Puts vma behind prev (null: first). Its addresses are set and lie between its neighbours'.
void vma_tree_insert(mm_struct* mm, vm_area_struct* vma, vm_area_struct* prev);
void vma_tree_remove(mm_struct* mm, vm_area_struct* vma);
void vma_tree_replace(mm_struct* mm, vm_area_struct* old, vm_area_struct* fresh);  // same range
// vma's start or end, or its predecessor's end, has changed.
void vma_tree_gap_changed(vm_area_struct* vma);

// The highest (lowest) start of a hole of len bytes inside [low, high); ~0ul: none.
unsigned long vma_tree_hole_from_top(const mm_struct* mm, unsigned long len, unsigned long low, unsigned long high);
unsigned long vma_tree_hole_from_bottom(const mm_struct* mm, unsigned long len, unsigned long low, unsigned long high);

// For tests: heap and search order, gaps, list and count agree.
bool vma_tree_valid(const mm_struct* mm);
