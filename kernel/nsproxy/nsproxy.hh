// The namespaces of a process. Only the initial ones exist so far; the struct is in its final shape.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

struct mnt_namespace;

inline constexpr int __NEW_UTS_LEN = 64;
struct new_utsname {  // uname(2)
  char sysname[__NEW_UTS_LEN + 1], nodename[__NEW_UTS_LEN + 1], release[__NEW_UTS_LEN + 1], version[__NEW_UTS_LEN + 1],
      machine[__NEW_UTS_LEN + 1], domainname[__NEW_UTS_LEN + 1];
};
struct uts_namespace {
  refcount_t count;
  new_utsname name;  // uts_sem
  user_namespace* user_ns;
};

// Immutable while more than one task refers to it.
struct nsproxy {
  refcount_t count;
  uts_namespace* uts_ns;
  mnt_namespace* mnt_ns;
  pid_namespace* pid_ns_for_children;
};

extern struct nsproxy init_nsproxy;
extern uts_namespace init_uts_ns;
inline new_utsname* utsname() { return &current->nsproxy->uts_ns->name; }

inline void get_nsproxy(struct nsproxy* ns) { refcount_inc(&ns->count); }
void put_nsproxy(struct nsproxy* ns);
// Fork's part (spec 20 section 12.8). EINVAL for the namespaces this kernel does not have.
Result<struct nsproxy*> copy_namespaces(u64 flags, struct nsproxy* parent);
void exit_task_namespaces(task_struct* t);
