// RadixTree: unsigned long to pointer, 64 ways a level, as high as the largest index needs. Below the XArray and the IDR.
// Changes are serialised by the caller; load and next may run beside them under RCU.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/gfp.h>
#include <linux/types.h>

struct xa_node;

namespace radix {

inline constexpr unsigned kBits = 6, kSlots = 64, kMask = kSlots - 1;
inline constexpr unsigned long kNone = ~0ul;
extern void* const kTaken;  // stands for an index that is taken with a null pointer; load answers null

enum class Status : unsigned char { Ok, NoMemory };

void* load(xa_node* const* root, unsigned long index);  // RCU
// Makes the way to index and stores p (not null); *old gets what was there.
Status store(xa_node** root, unsigned long index, void* p, void** old, gfp_t gfp);
void* erase(xa_node** root, unsigned long index);       // what was there; null if nothing. Frees nodes that become empty
bool taken(xa_node* const* root, unsigned long index);
// First index in [from, to] with something in it (kTaken too), or kNone; *p gets it. RCU.
unsigned long next(xa_node* const* root, unsigned long from, unsigned long to, void** p);
// Lowest index in [from, to] with nothing in it, or kNone.
unsigned long next_free(xa_node* const* root, unsigned long from, unsigned long to);
void destroy(xa_node** root);

// Nodes set aside for allocations that must not sleep: filled by preload, which leaves preemption off.
void preload(gfp_t gfp);
void preload_end();
}  // namespace radix

