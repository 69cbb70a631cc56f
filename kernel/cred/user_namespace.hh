// User namespaces: whose ids mean what, and who has which power over whom. user_namespaces(7), spec 20 F-61.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/cred/id_map.hh"
#include "kernel/nsproxy/ns_common.hh"
#include "kernel/task/task.hh"

inline constexpr int kUserNsMaxLevel = 32;
enum : unsigned { USERNS_SETGROUPS_ALLOWED = 1 };

struct user_namespace {
  ns_common ns;
  int level;               // the initial one's is 0
  user_namespace* parent;  // referenced; null for the initial one
  kuid_t owner;
  kgid_t group;
  unsigned flags;                    // USERNS_*; userns_state_mutex to change
  bool parent_could_setfcap;         // when it was made
  IdMap uid_map, gid_map, projid_map;  // written once, under userns_state_mutex
  struct ucounts* ucounts;           // who made it, in the parent; null for the initial one
  int ucount_max[8];                 // by ucount_type: /proc/sys/user
  long rlimit_max[4];                // by rlimit_type: its owner's rlimits when it was made
};
extern user_namespace init_user_ns;

inline user_namespace* get_user_ns(user_namespace* ns) {
  refcount_inc(&ns->ns.count);
  return ns;
}
void __put_user_ns(user_namespace* ns);
inline void put_user_ns(user_namespace* ns) {  // any context
  if (ns && refcount_dec_and_test(&ns->ns.count)) __put_user_ns(ns);
}
#define current_user_ns() (current->cred->user_ns)

// F-61: makes a child of n's namespace and puts n into it with all capabilities. n is a fresh copy of current's credentials.
// -ENOSPC, -EPERM, -ENOMEM, in this order, or 0. May sleep.
int create_user_ns(struct cred* n);
int unshare_userns(unsigned long flags, struct cred** new_cred);  // *new_cred: in a new namespace; null without CLONE_NEWUSER
// n's namespace becomes ns (whose reference it takes over), with what entering one brings.
void set_cred_user_ns(struct cred* n, user_namespace* ns);

bool in_userns(const user_namespace* ancestor, const user_namespace* child);  // or the same
bool userns_may_setgroups(user_namespace* ns);
inline bool current_in_userns(const user_namespace* ns) { return in_userns(ns, current_user_ns()); }

// ---- Ids inside and outside ----------------------------------------------------------------------------------------
// The kernel's own ids (kuid_t) are those of the initial namespace. Both ways answer -1 for what has no mapping.

extern int overflowuid, overflowgid;  // shown instead: /proc/sys/kernel/overflowuid
inline bool uid_valid(kuid_t uid) { return uid.val != ~0u; }
inline bool gid_valid(kgid_t gid) { return gid.val != ~0u; }

inline kuid_t make_kuid(const user_namespace* ns, unsigned uid) {
  return {ns == &init_user_ns ? uid : map_id_down(&ns->uid_map, uid)};
}
inline kgid_t make_kgid(const user_namespace* ns, unsigned gid) {
  return {ns == &init_user_ns ? gid : map_id_down(&ns->gid_map, gid)};
}
inline unsigned from_kuid(const user_namespace* ns, kuid_t uid) {
  return ns == &init_user_ns ? uid.val : map_id_up(&ns->uid_map, uid.val);
}
inline unsigned from_kgid(const user_namespace* ns, kgid_t gid) {
  return ns == &init_user_ns ? gid.val : map_id_up(&ns->gid_map, gid.val);
}
inline unsigned from_kuid_munged(const user_namespace* ns, kuid_t uid) {
  unsigned id = from_kuid(ns, uid);
  return likely(id != ~0u) ? id : static_cast<unsigned>(READ_ONCE(overflowuid));
}
inline unsigned from_kgid_munged(const user_namespace* ns, kgid_t gid) {
  unsigned id = from_kgid(ns, gid);
  return likely(id != ~0u) ? id : static_cast<unsigned>(READ_ONCE(overflowgid));
}
inline bool kuid_has_mapping(const user_namespace* ns, kuid_t uid) { return from_kuid(ns, uid) != ~0u; }
inline bool kgid_has_mapping(const user_namespace* ns, kgid_t gid) { return from_kgid(ns, gid) != ~0u; }

void user_namespace_early_init();
void user_namespace_init();
