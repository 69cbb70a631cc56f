// The namespaces of a process, and what fork, unshare, setns and exit do about them. Spec 20 sections 12.8 and 20.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/err.h>

#include "kernel/nsproxy/ns_common.hh"
#include "kernel/nsproxy/uts.hh"
#include "kernel/task/task.hh"

struct mnt_namespace;
struct ipc_namespace;
struct net;
struct time_namespace;
struct cgroup_namespace;

// Immutable while more than one task refers to it. task_struct::nsproxy is changed by the task itself under its alloc_lock:
// others read it with that lock held, the task without. Null in a task that has exited.
struct nsproxy {
  refcount_t count;
  uts_namespace* uts_ns;
  ipc_namespace* ipc_ns;
  mnt_namespace* mnt_ns;
  pid_namespace* pid_ns_for_children;  // what the task itself lives in: task_active_pid_ns()
  struct net* net_ns;
  time_namespace* time_ns;
  time_namespace* time_ns_for_children;
  cgroup_namespace* cgroup_ns;
};

extern struct nsproxy init_nsproxy;

inline void get_nsproxy(struct nsproxy* ns) { refcount_inc(&ns->count); }
void __put_nsproxy(struct nsproxy* ns);  // may sleep
inline void put_nsproxy(struct nsproxy* ns) {
  if (refcount_dec_and_test(&ns->count)) __put_nsproxy(ns);
}

Result<void> __copy_namespaces(u64 flags, task_struct* child);
// Fork's S20, for a child whose nsproxy is still its parent's and whose credentials and fs are its own. May sleep. EPERM EINVAL
// ENOSPC ENOMEM. A fork that asks for nothing new pays for one reference (F-64).
inline Result<void> copy_namespaces(u64 flags, task_struct* child) {
  constexpr u64 kNew = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME;
  struct nsproxy* ns = child->nsproxy;
  if (flags & kNew || ns->time_ns != ns->time_ns_for_children) [[unlikely]]
    return __copy_namespaces(flags, child);
  get_nsproxy(ns);
  return {};
}
// unshare's: null if flags ask for no namespace. new_cred, new_fs: what current is about to have, null: what it has.
Result<struct nsproxy*> unshare_nsproxy_namespaces(u64 flags, const struct cred* new_cred, fs_struct* new_fs);
void switch_task_namespaces(task_struct* t, struct nsproxy* fresh);  // takes over the reference. fresh may be null. May sleep
inline void exit_task_namespaces(task_struct* t) { switch_task_namespaces(t, nullptr); }

// ---- The kinds. copy_*: without the flag, another reference to the old one; with it, a new one owned by user_ns. May sleep. ----
Result<uts_namespace*> copy_utsname(u64 flags, user_namespace* user_ns, uts_namespace* old);
void put_uts_ns(uts_namespace* ns);
Result<ipc_namespace*> copy_ipcs(u64 flags, user_namespace* user_ns, ipc_namespace* old);  // ipc/
void put_ipc_ns(ipc_namespace* ns);
Result<pid_namespace*> copy_pid_ns(u64 flags, user_namespace* user_ns, pid_namespace* old);  // kernel/pid
void put_pid_ns(pid_namespace* ns);
Result<struct net*> copy_net_ns(u64 flags, user_namespace* user_ns, struct net* old);
void put_net(struct net* ns);
Result<time_namespace*> copy_time_ns(u64 flags, user_namespace* user_ns, time_namespace* old);
void put_time_ns(time_namespace* ns);
// fs/vfs: a copy of the whole tree; root and working directory in new_fs move to the copied mounts.
Result<mnt_namespace*> copy_mnt_ns(u64 flags, mnt_namespace* old, user_namespace* user_ns, fs_struct* new_fs);
void put_mnt_ns(mnt_namespace* ns);
// kernel/cgroup: rooted at current's cgroups.
Result<cgroup_namespace*> copy_cgroup_ns(u64 flags, user_namespace* user_ns, cgroup_namespace* old);
void put_cgroup_ns(cgroup_namespace* ns);
// kernel/cred: gives a private cred a new user namespace (F-61); unshare's makes the cred too. 0 or -errno.
int create_user_ns(struct cred* fresh);
int unshare_userns(unsigned long flags, struct cred** new_cred);  // *new_cred: null without CLONE_NEWUSER
