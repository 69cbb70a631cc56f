// Counting per user and user namespace, up the chain of namespaces. Spec 20 F-62, F-65.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/ucounts.hh"

#include <linux/limits.h>
#include <linux/slab.h>

#include "init/report.hh"
#include "kernel/cred/cred.hh"
#include "kernel/sync/guards.hh"

ucounts init_ucounts;

namespace {

constexpr unsigned kBuckets = 64;
struct UcountsTable {
  spinlock_t lock;  // buckets, and the step of a count to or from 0. Interrupts off: put with signals, under siglock
  hlist_head bucket[kBuckets];
};
constinit UcountsTable table{};

hlist_head* bucket_of(const user_namespace* ns, kuid_t uid) {
  const unsigned long h = reinterpret_cast<unsigned long>(ns) / 64 + uid.val;
  return &table.bucket[(h ^ h >> 6 ^ h >> 12) % kBuckets];
}

ucounts* find_locked(const user_namespace* ns, kuid_t uid) {
  ucounts* u;
  hlist_for_each_entry(u, bucket_of(ns, uid), node)
    if (u->ns == ns && uid_eq(u->uid, uid)) return u;
  return nullptr;
}

void init_one(ucounts* u, user_namespace* ns, kuid_t uid) {
  *u = {};
  refcount_set(&u->count, 1);
  u->ns = get_user_ns(ns);
  u->uid = uid;
}

// Unless there are as many already.
bool inc_below(atomic_t* count, int limit) {
  int c = atomic_read(count);
  while (c < limit)
    if (atomic_try_cmpxchg(count, &c, c + 1)) return true;
  return false;
}

}  // namespace

ucounts* alloc_ucounts(user_namespace* ns, kuid_t uid) {
  {
    IrqSpinGuard guard(table.lock);
    if (ucounts* u = find_locked(ns, uid)) return get_ucounts(u);
  }
  auto* fresh = static_cast<ucounts*>(kmalloc(sizeof(ucounts), GFP_KERNEL));
  if (!fresh) return nullptr;
  init_one(fresh, ns, uid);
  ucounts* found;
  {
    IrqSpinGuard guard(table.lock);
    found = find_locked(ns, uid);
    if (!found) {
      hlist_add_head(&fresh->node, bucket_of(ns, uid));
      return fresh;
    }
    get_ucounts(found);
  }
  put_user_ns(ns);
  kfree(fresh);
  return found;
}

void put_ucounts(ucounts* u) {
  if (atomic_add_unless(&u->count.refs, -1, 1)) return;
  user_namespace* ns;
  {
    IrqSpinGuard guard(table.lock);  // the last reference goes under the lock, where find_locked cannot revive it
    if (!refcount_dec_and_test(&u->count)) return;
    hlist_del(&u->node);
    ns = u->ns;
    kfree(u);
  }
  put_user_ns(ns);
}

ucounts* inc_ucount(user_namespace* ns, kuid_t uid, ucount_type type) {
  ucounts* own = alloc_ucounts(ns, uid);
  if (!own) return nullptr;
  for (ucounts* u = own; u; u = ucounts_above(u)) {
    if (inc_below(&u->ucount[type], READ_ONCE(u->ns->ucount_max[type]))) continue;
    for (ucounts* done = own; done != u; done = ucounts_above(done)) atomic_dec(&done->ucount[type]);
    put_ucounts(own);
    return nullptr;
  }
  return own;
}

void dec_ucount(ucounts* own, ucount_type type) {
  for (ucounts* u = own; u; u = ucounts_above(u)) atomic_dec(&u->ucount[type]);
  put_ucounts(own);
}

long inc_rlimit_ucounts(ucounts* own, rlimit_type type, long v) {
  long result = 0, limit = LONG_MAX;
  for (ucounts* u = own; u; u = ucounts_above(u)) {
    const long now = atomic_long_add_return(v, &u->rlimit[type]);
    if (u == own) result = now;
    if (now < 0 || now > limit) result = LONG_MAX;
    limit = READ_ONCE(u->ns->rlimit_max[type]);
  }
  return result;
}

bool dec_rlimit_ucounts(ucounts* own, rlimit_type type, long v) {
  const long left = atomic_long_sub_return(v, &own->rlimit[type]);
  for (ucounts* u = ucounts_above(own); u; u = ucounts_above(u)) atomic_long_sub(v, &u->rlimit[type]);
  return left == 0;
}

bool is_rlimit_overlimit(const ucounts* u, rlimit_type type, unsigned long rlimit) {
  long limit = rlimit > static_cast<unsigned long>(LONG_MAX) ? LONG_MAX : static_cast<long>(rlimit);
  for (; u; u = ucounts_above(u)) {
    const long now = atomic_long_read(&u->rlimit[type]);
    if (now < 0 || now > limit) return true;
    limit = READ_ONCE(u->ns->rlimit_max[type]);
  }
  return false;
}

long inc_rlimit_get_ucounts(ucounts* own, rlimit_type type) {
  long result = 0, limit = LONG_MAX;
  for (ucounts* u = own; u; u = ucounts_above(u)) {
    const long now = atomic_long_add_return(1, &u->rlimit[type]);
    if (now == 1) get_ucounts(u);
    if (u == own) result = now;
    if (now < 0 || now > limit) result = LONG_MAX;
    limit = READ_ONCE(u->ns->rlimit_max[type]);
  }
  return result;
}

void dec_rlimit_put_ucounts(ucounts* u, rlimit_type type) {
  while (u) {
    ucounts* above = ucounts_above(u);  // has a charge of its own until its turn comes
    if (atomic_long_sub_return(1, &u->rlimit[type]) == 0) put_ucounts(u);
    u = above;
  }
}

void ucounts_early_init() {
  table = {};
  spin_lock_init(&table.lock);
  init_one(&init_ucounts, &init_user_ns, kuid_t{0});  // its own reference is never given back
  hlist_add_head(&init_ucounts.node, bucket_of(&init_user_ns, kuid_t{0}));
}

void ucounts_exit(LeakReport& report) {
  long left = 0;
  ucounts* u;
  for (auto& head : table.bucket) hlist_for_each_entry(u, &head, node) left++;
  report.expect_zero("ucounts", left - 1);
  report.expect_zero("signals queued for root", get_rlimit_value(&init_ucounts, UCOUNT_RLIMIT_SIGPENDING));
  for (int type = 0; type < UCOUNT_COUNTS; type++)
    report.expect_zero("namespaces counted for root", atomic_read(&init_ucounts.ucount[type]));
}
