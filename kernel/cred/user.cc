// user_struct: what is counted per user id. Found by a small hash under one lock.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/user.hh"

#include <linux/slab.h>

#include "init/report.hh"
#include "kernel/sync/guards.hh"

user_struct root_user;

namespace {

constexpr unsigned kBuckets = 64;
struct UserTable {
  spinlock_t lock;  // buckets, and the step of a count to or from 0. Interrupts off: freed with signals, under siglock
  hlist_head bucket[kBuckets];
};
constinit UserTable users{};

hlist_head* bucket_of(kuid_t uid) { return &users.bucket[(uid.val ^ uid.val >> 6) % kBuckets]; }

user_struct* find_locked(kuid_t uid) {
  user_struct* u;
  hlist_for_each_entry(u, bucket_of(uid), hash)
    if (uid_eq(u->uid, uid)) return u;
  return nullptr;
}

void init_user(user_struct* u, kuid_t uid) {
  *u = {};
  refcount_set(&u->count, 1);
  u->uid = uid;
}

}  // namespace

user_struct* alloc_uid(kuid_t uid) {
  {
    IrqSpinGuard guard(users.lock);
    if (user_struct* u = find_locked(uid)) return get_uid(u);
  }
  auto* fresh = static_cast<user_struct*>(kmalloc(sizeof(user_struct), GFP_KERNEL));
  if (!fresh) return nullptr;
  init_user(fresh, uid);
  IrqSpinGuard guard(users.lock);
  if (user_struct* u = find_locked(uid)) {
    kfree(fresh);
    return get_uid(u);
  }
  hlist_add_head(&fresh->hash, bucket_of(uid));
  return fresh;
}

void free_uid(user_struct* u) {
  if (atomic_add_unless(&u->count.refs, -1, 1)) return;
  IrqSpinGuard guard(users.lock);  // the last reference goes under the lock, where find_locked cannot revive it
  if (!refcount_dec_and_test(&u->count)) return;
  hlist_del(&u->hash);
  kfree(u);
}

void users_early_init() {
  users = {};
  spin_lock_init(&users.lock);
  init_user(&root_user, kuid_t{0});  // its own reference is never given back
  hlist_add_head(&root_user.hash, bucket_of(kuid_t{0}));
}

void users_exit(LeakReport& report) {
  long left = 0;
  user_struct* u;
  for (auto& head : users.bucket) hlist_for_each_entry(u, &head, hash) left++;
  report.expect_zero("user_structs", left - 1);
}
