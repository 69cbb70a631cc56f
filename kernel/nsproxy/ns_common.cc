// Inode numbers of namespaces: the lowest free one, as an array of bits that grows.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/ns_common.hh"

#include <linux/slab.h>
#include <linux/string.h>

#include "init/report.hh"
#include "kernel/sync/guards.hh"
#include "lib/late.hh"

namespace {

constexpr unsigned kBits = 64, kMaxWords = 1u << 14;

struct InumState {
  spinlock_t lock;  // all below
  u64* used = nullptr;
  unsigned words = 0;
  unsigned first_maybe_free = 0;  // words before it are full
  long live = 0;
};
constinit Late<InumState> inums;

// -1: all taken.
int take_free_bit() {
  IrqSpinGuard guard(inums->lock);
  for (unsigned w = inums->first_maybe_free; w < inums->words; w++) {
    if (!~inums->used[w]) continue;
    const int bit = __builtin_ctzll(~inums->used[w]);
    inums->used[w] |= 1ull << bit;
    inums->first_maybe_free = w;
    inums->live++;
    return static_cast<int>(w * kBits) + bit;
  }
  return -1;
}

// Doubles the array of `words`, unless somebody else just did.
Result<void> grow_from(unsigned words) {
  const unsigned more = words ? words * 2 : 4;
  if (more > kMaxWords) return fail(ENOSPC);
  auto* fresh = static_cast<u64*>(kzalloc(more * sizeof(u64), GFP_KERNEL));
  if (!fresh) return fail(ENOMEM);
  u64* old = fresh;
  {
    IrqSpinGuard guard(inums->lock);
    if (inums->words == words) {
      if (words) memcpy(fresh, inums->used, words * sizeof(u64));
      old = inums->used;
      inums->used = fresh;
      inums->words = more;
    }
  }
  kfree(old);
  return {};
}

}  // namespace

Result<void> ns_common_init(ns_common* ns, const proc_ns_operations* ops) {
  int bit;
  while ((bit = take_free_bit()) < 0) TRY(grow_from(READ_ONCE(inums->words)));
  ns_common_init_static(ns, ops, PROC_DYNAMIC_FIRST + static_cast<unsigned>(bit));
  return {};
}

void ns_common_init_static(ns_common* ns, const proc_ns_operations* ops, unsigned inum) {
  refcount_set(&ns->count, 1);
  ns->inum = inum;
  ns->ops = ops;
}

void ns_free_inum(ns_common* ns) {
  const unsigned bit = ns->inum - PROC_DYNAMIC_FIRST;
  IrqSpinGuard guard(inums->lock);
  inums->used[bit / kBits] &= ~(1ull << bit % kBits);
  if (bit / kBits < inums->first_maybe_free) inums->first_maybe_free = bit / kBits;
  inums->live--;
}

void namespaces_init() {
  inums.construct();
  spin_lock_init(&inums->lock);
}

void namespaces_exit(LeakReport& report) {
  report.expect_zero("namespaces", inums->live);
  kfree(inums->used);
  inums.destroy();
}
