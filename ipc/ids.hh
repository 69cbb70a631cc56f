// What semaphores, message queues and shared memory of System V have in common: numbers, keys, permissions. Spec 60 V-1..V-4.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/atomic.h>
#include <linux/spinlock.h>

#include "kernel/task/task.hh"

struct ipc_namespace;

enum : int { IPC_PRIVATE = 0, IPC_CREAT = 01000, IPC_EXCL = 02000, IPC_NOWAIT = 04000 };
enum : int { IPC_RMID = 0, IPC_SET = 1, IPC_STAT = 2, IPC_INFO = 3, IPC_64 = 0x100 };
inline constexpr int kIpcIndexBits = 15;

// The first part of each object.
struct IpcObject {
  refcount_t refs;  // the table's, and of those who sleep on it
  bool removed;     // no number means it any more; ids' lock, as all below
  int key, id;
  kuid_t uid, cuid;
  kgid_t gid, cgid;
  unsigned mode;
};

// The objects of one kind in one namespace.
struct IpcIds {
  spinlock_t lock;  // the table and the objects in it
  IpcObject** slots;
  int size, used, next;
  unsigned seq;     // of the numbers given out next
};

// struct ipc64_perm as user space has it.
struct UserIpcPerm {
  int key;
  unsigned uid, gid, cuid, cgid, mode;
  unsigned short seq, pad1;
  unsigned pad2;
  unsigned long unused[2];
};
static_assert(sizeof(UserIpcPerm) == 48);

struct IpcKind {
  IpcIds ipc_namespace::*ids;
  // A new object, one reference; may sleep. Not yet numbered or owned.
  Result<IpcObject*> (*make)(ipc_namespace* ns, unsigned long arg);
  // One more may be had? Lock held. ENOSPC. Counts it.
  Result<void> (*charge)(ipc_namespace* ns, const IpcObject* o);
  // May what is there be had under this argument? Lock held. EINVAL.
  Result<void> (*fits)(const IpcObject* o, unsigned long arg);
  void (*free)(IpcObject* o);   // its memory: the last reference is gone. No lock
};

Result<int> ipc_get(ipc_namespace* ns, const IpcKind& kind, int key, int flags, unsigned long arg);  // V-2. May sleep
Result<IpcObject*> ipc_find(IpcIds* ids, int id);         // lock held. EINVAL
Result<IpcObject*> ipc_find_index(IpcIds* ids, int index);  // lock held. EINVAL: for *_STAT; a number will do
Result<void> ipc_permission(ipc_namespace* ns, const IpcObject* o, unsigned wanted);  // bits like 0400 or 0600. EACCES
Result<void> ipc_owner_only(ipc_namespace* ns, const IpcObject* o);                   // V-3. EPERM
void ipc_unlink(IpcIds* ids, IpcObject* o);               // lock held: its number and key mean nothing now. The table's reference stays
UserIpcPerm ipc_perm_to_user(const IpcObject* o);
Result<void> ipc_perm_from_user(IpcObject* o, const UserIpcPerm& p);  // lock held. EINVAL
int ipc_highest_index(const IpcIds* ids);                 // lock held; 0 for none
inline void ipc_hold(IpcObject* o) { refcount_inc(&o->refs); }
inline void ipc_put(const IpcKind& kind, IpcObject* o) {
  if (refcount_dec_and_test(&o->refs)) kind.free(o);
}
