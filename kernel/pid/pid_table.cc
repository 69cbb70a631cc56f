// The radix tree of pid numbers.
// SPDX-License-Identifier: Apache-2.0
#include <linux/errno.h>
#include <linux/slab.h>

#include "kernel/pid/pid_namespace.hh"

namespace {

struct Place {
  unsigned top, mid, slot;
};
Place place_of(int nr) {
  unsigned n = static_cast<unsigned>(nr);
  return {n / (PidTable::kLeafSlots * PidTable::kMidSlots), n / PidTable::kLeafSlots % PidTable::kMidSlots,
          n % PidTable::kLeafSlots};
}

// A number that is taken but not to be found yet (T-24).
struct pid* reserved_mark() { return reinterpret_cast<struct pid*>(1); }
struct pid* visible(struct pid* p) { return p == reserved_mark() ? nullptr : p; }

}  // namespace

// Acquire: pair with grow(), which holds no lock, so that the zeroes in a new one are seen.
PidTable::Mid* PidTable::mid_of(int nr) const { return __atomic_load_n(&top_[place_of(nr).top], __ATOMIC_ACQUIRE); }
PidTable::Leaf* PidTable::leaf_of(int nr) const {
  Mid* mid = mid_of(nr);
  return mid ? __atomic_load_n(&mid->leaf[place_of(nr).mid], __ATOMIC_ACQUIRE) : nullptr;
}

struct pid* PidTable::find(int nr) const {
  if (nr <= 0 || nr >= kPidMaxLimit) return nullptr;
  Leaf* leaf = leaf_of(nr);
  // Acquire: pairs with publish(), so that the struct's contents are seen.
  return leaf ? visible(__atomic_load_n(&leaf->slot[static_cast<unsigned>(nr) % kLeafSlots], __ATOMIC_ACQUIRE)) : nullptr;
}

struct pid* PidTable::find_ge(int nr, int limit) const {
  for (int n = nr < 1 ? 1 : nr; n < limit;) {
    Place p = place_of(n);
    Mid* mid = mid_of(n);
    if (!mid || !READ_ONCE(mid->used[p.mid])) {
      n = static_cast<int>((static_cast<unsigned>(n) / kLeafSlots + 1) * kLeafSlots);
      continue;
    }
    if (struct pid* found = find(n)) return found;
    n++;
  }
  return nullptr;
}

int PidTable::reserve_in(int low, int high) {
  for (int n = low; n < high;) {
    Place p = place_of(n);
    Mid* mid = mid_of(n);
    Leaf* leaf = leaf_of(n);
    if (!leaf) return -ENOMEM;
    if (mid->used[p.mid] < kLeafSlots) {
      for (unsigned s = p.slot; s < kLeafSlots && n < high; s++, n++) {
        if (leaf->slot[s]) continue;
        WRITE_ONCE(leaf->slot[s], reserved_mark());
        WRITE_ONCE(mid->used[p.mid], mid->used[p.mid] + 1);
        return n;
      }
    }
    n = static_cast<int>((static_cast<unsigned>(p.top) * kMidSlots + p.mid + 1) * kLeafSlots);
  }
  return -EAGAIN;
}

bool PidTable::grow(int nr) {
  Place p = place_of(nr);
  if (!READ_ONCE(top_[p.top])) {
    auto* mid = static_cast<Mid*>(kzalloc(sizeof(Mid), GFP_KERNEL));
    Mid* expected = nullptr;
    if (!mid) return false;
    if (!try_cmpxchg(&top_[p.top], &expected, mid)) kfree(mid);
  }
  Leaf** place = &mid_of(nr)->leaf[p.mid];
  if (READ_ONCE(*place)) return true;
  auto* leaf = static_cast<Leaf*>(kzalloc(sizeof(Leaf), GFP_KERNEL));
  Leaf* expected = nullptr;
  if (!leaf) return false;
  if (!try_cmpxchg(place, &expected, leaf)) kfree(leaf);
  return true;
}

void PidTable::publish(int nr, struct pid* pid) {
  __atomic_store_n(&leaf_of(nr)->slot[static_cast<unsigned>(nr) % kLeafSlots], pid, __ATOMIC_RELEASE);
}

void PidTable::release(int nr) {
  Place p = place_of(nr);
  WRITE_ONCE(leaf_of(nr)->slot[p.slot], static_cast<struct pid*>(nullptr));
  u16* used = &top_[p.top]->used[p.mid];
  WRITE_ONCE(*used, static_cast<u16>(*used - 1));
}

void PidTable::destroy() {
  for (Mid*& mid : top_) {
    if (!mid) continue;
    for (Leaf* leaf : mid->leaf) kfree(leaf);
    kfree(mid);
    mid = nullptr;
  }
}
