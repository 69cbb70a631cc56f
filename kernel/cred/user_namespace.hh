// A user namespace. Only the initial one exists so far.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

struct user_namespace {
  refcount_t count;
  user_namespace* parent;
  int level;
  kuid_t owner;
  kgid_t group;
};
inline user_namespace* get_user_ns(user_namespace* ns) {
  refcount_inc(&ns->count);
  return ns;
}
inline void put_user_ns(user_namespace* ns) { if (refcount_dec_and_test(&ns->count)) __builtin_trap(); }  // the initial one stays
// Ids as seen inside and outside a namespace: the same in the initial one.
inline kuid_t make_kuid(const user_namespace*, unsigned uid) { return {uid}; }
inline kgid_t make_kgid(const user_namespace*, unsigned gid) { return {gid}; }
inline unsigned from_kuid_munged(const user_namespace*, kuid_t uid) { return uid.val; }
inline unsigned from_kgid_munged(const user_namespace*, kgid_t gid) { return gid.val; }
inline bool uid_valid(kuid_t uid) { return uid.val != ~0u; }
inline bool gid_valid(kgid_t gid) { return gid.val != ~0u; }
