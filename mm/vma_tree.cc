// The tree of areas: insertion, removal, gap search.
// SPDX-License-Identifier: Apache-2.0
#include "mm/vma_tree.hh"

#include <array>

namespace {

using Vma = vm_area_struct;

// With few areas a walk along the list finds a hole sooner than keeping the tree's gaps costs. Whoever adds the area that
// makes them many computes all gaps once; with so many or fewer they are not kept.
constexpr int kFew = 32;
bool gaps_kept(const mm_struct* mm) { return mm->map_count > kFew; }

unsigned long hole_start(const Vma* v) { return v->vm_prev ? v->vm_prev->vm_end : 0; }
unsigned long own_gap(const Vma* v) {
  unsigned long start = hole_start(v), end = vm_start_gap(v);
  return end > start ? end - start : 0;
}
unsigned long gap_of(const Vma* v) { return v ? v->tree_gap : 0; }

bool recompute_gap(Vma* v) {
  unsigned long gap = std::max(own_gap(v), std::max(gap_of(v->tree_left), gap_of(v->tree_right)));
  bool changed = gap != v->tree_gap;
  v->tree_gap = gap;
  return changed;
}

Vma*& slot_of(mm_struct* mm, Vma* v) {
  if (!v->tree_up) return mm->vma_tree;
  return v->tree_up->tree_left == v ? v->tree_up->tree_left : v->tree_up->tree_right;
}

// Lifts v over its parent; the search order stays.
void rotate_up(mm_struct* mm, Vma* v) {
  Vma* p = v->tree_up;
  slot_of(mm, p) = v;
  v->tree_up = p->tree_up;
  if (p->tree_left == v) {
    p->tree_left = v->tree_right;
    if (v->tree_right) v->tree_right->tree_up = p;
    v->tree_right = p;
  } else {
    p->tree_right = v->tree_left;
    if (v->tree_left) v->tree_left->tree_up = p;
    v->tree_left = p;
  }
  p->tree_up = v;
  if (gaps_kept(mm)) recompute_gap(p);
}

void update_path(Vma* v) {
  for (; v; v = v->tree_up)
    if (!recompute_gap(v)) return;
}

void recompute_all(Vma* v) {
  if (!v) return;
  recompute_all(v->tree_left);
  recompute_all(v->tree_right);
  recompute_gap(v);
}

// xorshift; secret per address space, so that no program can build a degenerate tree.
unsigned next_priority(mm_struct* mm) {
  unsigned x = mm->tree_seed ? mm->tree_seed : 0x9e3779b9u;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return mm->tree_seed = x;
}

void link_in_list(mm_struct* mm, Vma* v, Vma* prev) {
  v->vm_prev = prev;
  v->vm_next = prev ? prev->vm_next : mm->mmap;
  (prev ? prev->vm_next : mm->mmap) = v;
  (v->vm_next ? v->vm_next->vm_prev : mm->mmap_last) = v;
}

void unlink_from_list(mm_struct* mm, Vma* v) {
  (v->vm_prev ? v->vm_prev->vm_next : mm->mmap) = v->vm_next;
  (v->vm_next ? v->vm_next->vm_prev : mm->mmap_last) = v->vm_prev;
}

struct HoleSearch {
  unsigned long len, low, high;

  // The part of the hole below v that lies in [low, high), if it is long enough.
  bool own_hole(const Vma* v, unsigned long* start, unsigned long* end) const {
    *start = std::max(hole_start(v), low);
    *end = std::min(vm_start_gap(v), high);
    return *end >= *start && *end - *start >= len;
  }
  unsigned long from_top(const Vma* v) const {
    if (gap_of(v) < len) return ~0ul;
    unsigned long start, end;
    if (v->vm_end <= high - len) {
      unsigned long r = from_top(v->tree_right);
      if (r != ~0ul) return r;
    }
    if (own_hole(v, &start, &end)) return end - len;
    return v->vm_start > low ? from_top(v->tree_left) : ~0ul;
  }
  unsigned long from_last(const Vma* v) const {
    unsigned long start, end;
    for (; v && v->vm_end > low; v = v->vm_prev)
      if (own_hole(v, &start, &end)) return end - len;
    return ~0ul;
  }
  unsigned long from_first(const Vma* v) const {
    unsigned long start, end;
    for (; v; v = v->vm_next)
      if (own_hole(v, &start, &end)) return start;
    return ~0ul;
  }
  unsigned long from_bottom(const Vma* v) const {
    if (gap_of(v) < len) return ~0ul;
    unsigned long start, end;
    if (v->vm_start > low) {
      unsigned long r = from_bottom(v->tree_left);
      if (r != ~0ul) return r;
    }
    if (own_hole(v, &start, &end)) return start;
    return v->vm_end < high ? from_bottom(v->tree_right) : ~0ul;
  }
};

}  // namespace

vm_area_struct* vma_tree_find(const mm_struct* mm, unsigned long addr) {
  Vma *v = mm->vma_tree, *best = nullptr;
  while (v) {
    if (v->vm_end > addr) {
      best = v;
      if (v->vm_start <= addr) break;
      v = v->tree_left;
    } else {
      v = v->tree_right;
    }
  }
  return best;
}

void vma_tree_insert(mm_struct* mm, vm_area_struct* vma, vm_area_struct* prev) {
  link_in_list(mm, vma, prev);
  mm->map_count++;
  vma->tree_left = vma->tree_right = nullptr;
  vma->tree_priority = next_priority(mm);
  // Of two neighbours in order one lies below the other, so one of the two has the free place between them.
  if (prev && !prev->tree_right) {
    prev->tree_right = vma;
    vma->tree_up = prev;
  } else if (vma->vm_next) {
    vma->vm_next->tree_left = vma;
    vma->tree_up = vma->vm_next;
  } else {
    mm->vma_tree = vma;
    vma->tree_up = nullptr;
  }
  while (vma->tree_up && vma->tree_up->tree_priority < vma->tree_priority) rotate_up(mm, vma);
  if (!gaps_kept(mm)) return;
  if (mm->map_count == kFew + 1) return recompute_all(mm->vma_tree);
  recompute_gap(vma);
  update_path(vma->tree_up);
  if (vma->vm_next) update_path(vma->vm_next);  // its own hole is smaller now; it may lie above where the other update stopped
}

void vma_tree_remove(mm_struct* mm, vm_area_struct* vma) {
  int lifted = 0;  // nodes that were rotated over vma: they are its ancestors now, and their gaps are not right
  for (; vma->tree_left || vma->tree_right; lifted++) {
    Vma *l = vma->tree_left, *r = vma->tree_right;
    rotate_up(mm, !l || (r && r->tree_priority > l->tree_priority) ? r : l);
  }
  slot_of(mm, vma) = nullptr;
  unlink_from_list(mm, vma);
  mm->map_count--;
  if (!gaps_kept(mm)) return;
  Vma* v = vma->tree_up;
  for (; lifted > 0; lifted--, v = v->tree_up) recompute_gap(v);
  update_path(v);
  if (vma->vm_next) update_path(vma->vm_next);
}

void vma_tree_replace(mm_struct* mm, vm_area_struct* old, vm_area_struct* fresh) {
  slot_of(mm, old) = fresh;
  fresh->tree_up = old->tree_up;
  fresh->tree_left = old->tree_left;
  fresh->tree_right = old->tree_right;
  fresh->tree_priority = old->tree_priority;
  fresh->tree_gap = old->tree_gap;
  if (old->tree_left) old->tree_left->tree_up = fresh;
  if (old->tree_right) old->tree_right->tree_up = fresh;
  fresh->vm_prev = old->vm_prev;
  fresh->vm_next = old->vm_next;
  (old->vm_prev ? old->vm_prev->vm_next : mm->mmap) = fresh;
  (old->vm_next ? old->vm_next->vm_prev : mm->mmap_last) = fresh;
}

void vma_tree_gap_changed(vm_area_struct* vma) {
  if (!gaps_kept(vma->vm_mm)) return;
  update_path(vma);
  if (vma->vm_next) update_path(vma->vm_next);
}

unsigned long vma_tree_hole_from_top(const mm_struct* mm, unsigned long len, unsigned long low, unsigned long high) {
  if (high < low || high - low < len) return ~0ul;
  unsigned long start = mm->mmap_last ? std::max(mm->mmap_last->vm_end, low) : low;
  if (start <= high && high - start >= len) return high - len;
  HoleSearch search{len, low, high};
  return gaps_kept(mm) ? search.from_top(mm->vma_tree) : search.from_last(mm->mmap_last);
}

unsigned long vma_tree_hole_from_bottom(const mm_struct* mm, unsigned long len, unsigned long low, unsigned long high) {
  if (high < low || high - low < len) return ~0ul;
  HoleSearch search{len, low, high};
  unsigned long r = gaps_kept(mm) ? search.from_bottom(mm->vma_tree) : search.from_first(mm->mmap);
  if (r != ~0ul) return r;
  unsigned long start = mm->mmap_last ? std::max(mm->mmap_last->vm_end, low) : low;
  return start <= high && high - start >= len ? start : ~0ul;
}

bool vma_tree_valid(const mm_struct* mm) {
  int count = 0;
  const Vma* before = nullptr;
  for (const Vma* v = mm->mmap; v; before = v, v = v->vm_next, count++) {
    if (v->vm_prev != before || v->vm_start >= v->vm_end || (before && before->vm_end > v->vm_start)) return false;
    const Vma *l = v->tree_left, *r = v->tree_right;
    if (l && (l->tree_up != v || l->vm_end > v->vm_start || l->tree_priority > v->tree_priority)) return false;
    if (r && (r->tree_up != v || r->vm_start < v->vm_end || r->tree_priority > v->tree_priority)) return false;
    if (gaps_kept(mm) && v->tree_gap != std::max(own_gap(v), std::max(gap_of(l), gap_of(r)))) return false;
    if (vma_tree_find(mm, v->vm_start) != v) return false;
  }
  return mm->mmap_last == before && mm->map_count == count;
}
