// What is counted per user and user namespace. Each (namespace, uid) has a ucounts; a charge goes to it, and to the owner of its
// namespace in the parent, and so on up: so nobody gets more by making namespaces. Spec 20 F-62, F-65.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/cred/user_namespace.hh"

struct LeakReport;

// Named as in Linux. First kinds of namespaces, limited by /proc/sys/user; then what rlimits limit.
enum ucount_type : unsigned char {
  UCOUNT_USER_NAMESPACES, UCOUNT_PID_NAMESPACES, UCOUNT_UTS_NAMESPACES, UCOUNT_IPC_NAMESPACES, UCOUNT_NET_NAMESPACES,
  UCOUNT_MNT_NAMESPACES, UCOUNT_CGROUP_NAMESPACES, UCOUNT_TIME_NAMESPACES, UCOUNT_COUNTS,
};
enum rlimit_type : unsigned char { UCOUNT_RLIMIT_NPROC, UCOUNT_RLIMIT_MSGQUEUE, UCOUNT_RLIMIT_SIGPENDING, UCOUNT_RLIMIT_MEMLOCK,
                                   UCOUNT_RLIMIT_COUNTS };

struct ucounts {
  refcount_t count;
  kuid_t uid;
  user_namespace* ns;  // referenced, so a ucounts may outlive all credentials in it
  atomic_long_t rlimit[UCOUNT_RLIMIT_COUNTS];
  atomic_t ucount[UCOUNT_COUNTS];
  struct hlist_node node;
};
extern ucounts init_ucounts;  // root in the initial namespace

ucounts* alloc_ucounts(user_namespace* ns, kuid_t uid);  // found or made, referenced; null: no memory. May sleep
void put_ucounts(ucounts* u);                            // any context
inline ucounts* get_ucounts(ucounts* u) {
  refcount_inc(&u->count);
  return u;
}
inline ucounts* ucounts_above(const ucounts* u) { return u->ns->ucounts; }

// One namespace more for uid in ns; null: over a limit at some level (ENOSPC), or no memory. May sleep.
ucounts* inc_ucount(user_namespace* ns, kuid_t uid, ucount_type type);
void dec_ucount(ucounts* u, ucount_type type);  // and gives the reference back. Any context

// Adds v at each level; the new count at u's own, LONG_MAX if some level above is over what its namespace may have.
long inc_rlimit_ucounts(ucounts* u, rlimit_type type, long v);
bool dec_rlimit_ucounts(ucounts* u, rlimit_type type, long v);  // true: none left at u's own level
// Over `limit` at u's own level, or over what its namespace may have above?
bool is_rlimit_overlimit(const ucounts* u, rlimit_type type, unsigned long limit);
inline long get_rlimit_value(const ucounts* u, rlimit_type type) { return atomic_long_read(&u->rlimit[type]); }
// The same by one, for charges that outlive credentials: while a level's count is not 0 the charge holds a reference.
long inc_rlimit_get_ucounts(ucounts* u, rlimit_type type);
void dec_rlimit_put_ucounts(ucounts* u, rlimit_type type);

// A process more or less (F-62); no limit is looked at. Hot: fork and exit.
inline void charge_process(ucounts* u) {
  do atomic_long_inc(&u->rlimit[UCOUNT_RLIMIT_NPROC]);
  while ((u = ucounts_above(u)));
}
inline void uncharge_process(ucounts* u) {
  do atomic_long_dec(&u->rlimit[UCOUNT_RLIMIT_NPROC]);
  while ((u = ucounts_above(u)));
}

void ucounts_early_init();
void ucounts_exit(LeakReport& report);
