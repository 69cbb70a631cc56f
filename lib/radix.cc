// RadixTree. A node's `full` has a bit for each slot below which nothing is free, so that the lowest free index is found going down.
// SPDX-License-Identifier: Apache-2.0
#include "lib/radix.hh"

#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "init/report.hh"
#include "kernel/percpu.hh"
#include "kernel/sync/guards.hh"

struct xa_node {
  u8 shift;    // of the index bits that choose a slot here; 0: slots hold entries. Never changes: readers rely on it
  u8 offset;   // in parent
  u16 count;   // slots that are not null
  u64 full;
  xa_node* parent;
  rcu_head rcu;
  void* slots[radix::kSlots];
};

namespace radix {

static char taken_mark;
void* const kTaken = &taken_mark;

namespace {

constinit kmem_cache* node_cache;
struct Stash {
  unsigned count;
  xa_node* nodes[12];
};
constinit PerCpu<Stash> stashes;

unsigned long last_index(const xa_node* n) {
  unsigned bits = n->shift + kBits;
  return bits >= 64 ? ~0ul : (1ul << bits) - 1;
}
unsigned slot_index(const xa_node* n, unsigned long index) { return static_cast<unsigned>(index >> n->shift) & kMask; }

void free_node_rcu(rcu_head* head) { kmem_cache_free(node_cache, container_of(head, xa_node, rcu)); }
void free_node(xa_node* n) { call_rcu(&n->rcu, free_node_rcu); }

xa_node* new_node(unsigned shift, gfp_t gfp) {
  auto* n = static_cast<xa_node*>(kmem_cache_alloc(node_cache, gfp | __GFP_ZERO | __GFP_NOWARN));
  if (!n) {
    if (gfp & __GFP_DIRECT_RECLAIM) return nullptr;  // what is set aside is for those who cannot wait
    PreemptGuard still;
    Stash& s = stashes.this_cpu();
    if (!s.count) return nullptr;
    n = s.nodes[--s.count];
  }
  n->shift = static_cast<u8>(shift);
  return n;
}

xa_node* child(const xa_node* n, unsigned slot) { return static_cast<xa_node*>(rcu_dereference(n->slots[slot])); }

void set_slot(xa_node* n, unsigned slot, void* p) {
  if (!n->slots[slot] && p) n->count++;
  if (n->slots[slot] && !p) n->count--;
  rcu_assign_pointer(n->slots[slot], p);
}

// Tells the nodes above that a slot has become full, or has room again.
void mark_full(xa_node* n, unsigned slot) {
  for (;;) {
    n->full |= 1ull << slot;
    if (n->full != ~0ull || !n->parent) return;
    slot = n->offset;
    n = n->parent;
  }
}
void mark_free(xa_node* n, unsigned slot) {
  for (;;) {
    bool was_full = n->full == ~0ull;
    n->full &= ~(1ull << slot);
    if (!was_full || !n->parent) return;
    slot = n->offset;
    n = n->parent;
  }
}

// New roots until index fits below. The old tree becomes slot 0.
Status grow(xa_node** root, unsigned long index, gfp_t gfp) {
  if (!*root) {
    unsigned shift = 0;
    while (shift + kBits < 64 && index >> (shift + kBits)) shift += kBits;
    xa_node* n = new_node(shift, gfp);
    if (!n) return Status::NoMemory;
    rcu_assign_pointer(*root, n);
    return Status::Ok;
  }
  while (index > last_index(*root)) {
    xa_node *old = *root, *n = new_node(old->shift + kBits, gfp);
    if (!n) return Status::NoMemory;
    set_slot(n, 0, old);
    if (old->full == ~0ull) n->full = 1;
    old->parent = n;
    old->offset = 0;
    rcu_assign_pointer(*root, n);
  }
  return Status::Ok;
}

// Takes empty nodes away, from n upwards.
void prune(xa_node** root, xa_node* n) {
  while (n->count == 0) {
    xa_node* parent = n->parent;
    if (parent) set_slot(parent, n->offset, nullptr);
    else rcu_assign_pointer(*root, static_cast<xa_node*>(nullptr));
    free_node(n);
    if (!parent) return;
    n = parent;
  }
}

xa_node* leaf_of(xa_node* const* root, unsigned long index) {
  xa_node* n = rcu_dereference(*root);
  if (!n || index > last_index(n)) return nullptr;
  while (n && n->shift) n = child(n, slot_index(n, index));
  return n;
}

unsigned long start_of_slot(const xa_node* n, unsigned long base, unsigned slot) {
  return (base & ~last_index(n)) | static_cast<unsigned long>(slot) << n->shift;
}

}  // namespace

void* load(xa_node* const* root, unsigned long index) {
  xa_node* n = leaf_of(root, index);
  void* p = n ? rcu_dereference(n->slots[index & kMask]) : nullptr;
  return p == kTaken ? nullptr : p;
}

bool taken(xa_node* const* root, unsigned long index) {
  xa_node* n = leaf_of(root, index);
  return n && n->slots[index & kMask];
}

Status store(xa_node** root, unsigned long index, void* p, void** old, gfp_t gfp) {
  *old = nullptr;
  if (grow(root, index, gfp) != Status::Ok) return Status::NoMemory;
  xa_node* n = *root;
  while (n->shift) {
    unsigned slot = slot_index(n, index);
    xa_node* c = static_cast<xa_node*>(n->slots[slot]);
    if (!c) {
      c = new_node(n->shift - kBits, gfp);
      if (!c) {
        prune(root, n);
        return Status::NoMemory;
      }
      c->parent = n;
      c->offset = static_cast<u8>(slot);
      set_slot(n, slot, c);
    }
    n = c;
  }
  unsigned slot = slot_index(n, index);
  *old = n->slots[slot] == kTaken ? nullptr : n->slots[slot];
  set_slot(n, slot, p);
  mark_full(n, slot);
  return Status::Ok;
}

void* erase(xa_node** root, unsigned long index) {
  xa_node* n = leaf_of(root, index);
  if (!n) return nullptr;
  unsigned slot = slot_index(n, index);
  void* p = n->slots[slot];
  if (!p) return nullptr;
  set_slot(n, slot, nullptr);
  mark_free(n, slot);
  prune(root, n);
  return p == kTaken ? nullptr : p;
}

unsigned long next(xa_node* const* root, unsigned long from, unsigned long to, void** p) {
  *p = nullptr;
  while (from <= to) {
    xa_node* n = rcu_dereference(*root);
    if (!n || from > last_index(n)) return kNone;
    for (;;) {
      unsigned slot = slot_index(n, from);
      void* entry = rcu_dereference(n->slots[slot]);
      if (entry && n->shift == 0) {
        *p = entry;
        return from;
      }
      if (entry) {
        n = static_cast<xa_node*>(entry);
        continue;
      }
      // Nothing below this slot: on to the next one, from the root again when the node is at its end.
      unsigned long following = (from | ((1ul << n->shift) - 1)) + 1;
      if (following == 0 || following > to) return kNone;
      from = following;
      if (slot == kMask) break;
    }
  }
  return kNone;
}

unsigned long next_free(xa_node* const* root, unsigned long from, unsigned long to) {
  while (from <= to) {
    xa_node* n = *root;
    if (!n || from > last_index(n)) return from;
    for (;;) {
      unsigned slot = slot_index(n, from);
      u64 room = ~n->full >> slot << slot;
      if (!room) {  // none here at or after from
        unsigned long last = last_index(n), end = from | last;
        if (end == ~0ul || end + 1 > to) return kNone;
        from = end + 1;
        break;
      }
      auto found = static_cast<unsigned>(__ffs64(room));
      if (found != slot) from = start_of_slot(n, from, found);
      if (from > to) return kNone;
      xa_node* c = n->shift ? static_cast<xa_node*>(n->slots[found]) : nullptr;
      if (!c) return from;
      n = c;
    }
  }
  return kNone;
}

namespace {
void destroy_below(xa_node* n) {
  for (unsigned i = 0; n->shift && i < kSlots; i++)
    if (n->slots[i]) destroy_below(static_cast<xa_node*>(n->slots[i]));
  free_node(n);
}
}  // namespace

void destroy(xa_node** root) {
  xa_node* n = *root;
  rcu_assign_pointer(*root, static_cast<xa_node*>(nullptr));
  if (n) destroy_below(n);
}

void preload(gfp_t gfp) {
  for (;;) {
    preempt_disable();
    Stash& s = stashes.this_cpu();
    if (s.count >= 11) return;
    preempt_enable();
    auto* n = static_cast<xa_node*>(kmem_cache_alloc(node_cache, gfp | __GFP_ZERO));
    preempt_disable();
    Stash& mine = stashes.this_cpu();
    if (n && mine.count < ARRAY_SIZE(mine.nodes)) mine.nodes[mine.count++] = n, n = nullptr;
    else if (!n) return;  // none to be had: the allocation itself will say so
    preempt_enable();
    if (n) kmem_cache_free(node_cache, n);
  }
}
void preload_end() { preempt_enable(); }

}  // namespace radix

void radix_init() {
  radix::node_cache = kmem_cache_create("radix_tree_node", sizeof(xa_node), 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC, nullptr);
  for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) radix::stashes.on(cpu).count = 0;
}
void radix_exit(LeakReport&) {
  for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
    radix::Stash& s = radix::stashes.on(cpu);
    while (s.count) kmem_cache_free(radix::node_cache, s.nodes[--s.count]);
  }
  kmem_cache_destroy(radix::node_cache);
}
