// What all namespaces have: a reference count, an inode number, and the operations by which nsfs, setns and the ioctls of
// ioctl_ns(2) know them. Embedded as the member `ns` of every namespace struct.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/atomic.h>
#include <linux/types.h>

#include "lib/result.hh"

struct task_struct;
struct user_namespace;
struct nsproxy;
struct fs_struct;
struct cred;
struct nsset;
struct proc_ns_operations;

struct ns_common {
  refcount_t count;
  unsigned inum;  // what stat(2) of an nsfs file says; unique among the living
  const proc_ns_operations* ops;
};

// One per kind of namespace. All may sleep.
struct proc_ns_operations {
  const char* name;          // in /proc/PID/ns
  const char* real_ns_name;  // in the link's text: "pid" for pid_for_children
  unsigned type;             // CLONE_NEW*
  ns_common* (*get)(task_struct* t);  // referenced; null: t has none any more
  void (*put)(ns_common* ns);
  int (*install)(nsset* set, ns_common* ns);  // setns: checks, then puts it into set. 0 or -errno
  user_namespace* (*owner)(ns_common* ns);    // borrowed
  ns_common* (*get_parent)(ns_common* ns);    // referenced, or ERR_PTR. Null: this kind has no parents (EINVAL)
};
extern const proc_ns_operations mntns_operations, netns_operations, utsns_operations, ipcns_operations, pidns_operations,
    pidns_for_children_operations, userns_operations, cgroupns_operations, timens_operations, timens_for_children_operations;

// The initial ones' numbers, as Linux has them.
enum : unsigned {
  PROC_TIME_INIT_INO = 0xEFFFFFFA, PROC_CGROUP_INIT_INO = 0xEFFFFFFB, PROC_PID_INIT_INO = 0xEFFFFFFC,
  PROC_USER_INIT_INO = 0xEFFFFFFD, PROC_UTS_INIT_INO = 0xEFFFFFFE, PROC_IPC_INIT_INO = 0xEFFFFFFF,
  PROC_NET_INIT_INO = 0xF0000000, PROC_MNT_INIT_INO = 0xF0000001, PROC_DYNAMIC_FIRST = 0xF0000002,
};

// A new namespace's number, count 1 and operations; ENOMEM, ENOSPC. May sleep.
Result<void> ns_common_init(ns_common* ns, const proc_ns_operations* ops);
// The initial one's: nothing can fail.
void ns_common_init_static(ns_common* ns, const proc_ns_operations* ops, unsigned inum);
void ns_free_inum(ns_common* ns);  // the last reference is gone

// What setns(2) is about to switch to: parts that are not asked for are the caller's own.
struct nsset {
  unsigned flags;     // CLONE_NEW* asked for
  struct nsproxy* nsproxy;  // a private copy
  fs_struct* fs;      // CLONE_NEWNS: a copy to be changed, else null
  const struct cred* cred;  // a private copy (struct cred*) with CLONE_NEWUSER, else the caller's
};
