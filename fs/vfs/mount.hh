// Mount trees and their namespaces, between the files that make up fs/vfs's part of them. README.md, "Mounts".
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/internal.hh"
#include "kernel/nsproxy/nsproxy.hh"

struct mnt_namespace {
  ns_common ns;
  user_namespace* user_ns;
  struct ucounts* ucounts;
  u64 seq;                // in the order of their making: an nsfs file of a younger one only may be mounted in an older one
  vfsmount* root;         // namespace_mutex, as all below
  struct list_head list;  // vfsmount::mnt_list
  unsigned mounts;
};
extern mnt_namespace init_mnt_ns;
extern int sysctl_mount_max;  // mounts of one namespace: /proc/sys/fs/mount-max

inline bool has_parent(const vfsmount* m) { return m->mnt_parent != m; }
inline bool is_shared(const vfsmount* m) { return m->mnt_flags & MNT_SHARED; }
inline mnt_namespace* current_mnt_ns() { return current->nsproxy->mnt_ns; }
inline bool check_mnt(const vfsmount* m) { return m->mnt_ns == current_mnt_ns(); }  // is it in the caller's tree?
bool mount_below(const vfsmount* m, const vfsmount* ancestor);                       // or the same
vfsmount* next_mnt(vfsmount* m, const vfsmount* top);  // of the tree below top, parents first; null: that was all

// namespace_mutex. What was taken off meanwhile is given back after it: a last reference may end other namespaces.
class NamespaceLock {
 public:
  NamespaceLock();
  ~NamespaceLock();
  NamespaceLock(const NamespaceLock&) = delete;
};

// mount_lock held, mount_seq odd, for a scope.
class TreeChange {
 public:
  TreeChange() NO_THREAD_SAFETY_ANALYSIS {
    spin_lock(&mount_lock);
    seq_begin(mount_seq);
  }
  ~TreeChange() NO_THREAD_SAFETY_ANALYSIS {
    seq_end(mount_seq);
    spin_unlock(&mount_lock);
  }
  TreeChange(const TreeChange&) = delete;
};

// ---- mount.cc: one mount -----------------------------------------------------------------------------------------
Result<vfsmount*> alloc_mount(super_block* sb, dentry* root, int flags, const char* dev_name);  // takes over root and one s_active
// mount_lock held, mount_seq odd. The parent and the point get references.
void hash_mount(vfsmount* m, vfsmount* parent, dentry* point);
path unhash_mount(vfsmount* m);  // where it was; its references are the caller's now
vfsmount* any_mount_at(const dentry* point, const mnt_namespace* ns);  // ns null: of any. namespace_mutex

// ---- mount_tree.cc: trees. namespace_mutex held in all -------------------------------------------------------------
// What a copy is to its original: nothing, its peer if it is shared (else a slave of the same master), a slave (of what is
// shared, else as Same), a slave that is shared anew.
enum class CloneAs : unsigned char { Private, Same, SharedToSlave, Slave, SharedSlave };
Result<vfsmount*> clone_mnt(vfsmount* old, dentry* root, CloneAs as);
enum class CopyUnbindable : unsigned char { No, Yes };
// m from `root` on, with what is mounted below. In no namespace; every original's mnt_twin is its copy.
Result<vfsmount*> copy_tree(vfsmount* m, dentry* root, CloneAs as, CopyUnbindable unbindable);
void discard_tree(vfsmount* m);  // a copy that was not used
enum class Attach : unsigned char { New, Move };
// Puts the tree where `at` says, and copies of it to all who receive what is mounted there. ENOSPC, ENOMEM; on failure the tree
// is the caller's still. The point's inode is locked.
Result<void> attach_tree(vfsmount* tree, const path* at, Attach how);
void join_namespace(vfsmount* tree, mnt_namespace* ns);  // all of the tree
enum class Propagate : unsigned char { No, Yes };
void umount_tree(vfsmount* m, Propagate propagate);
bool umount_busy(vfsmount* m);  // anybody besides the caller and the tree, here or where it was propagated to
void lock_mnt_tree(vfsmount* tree);  // came from a more privileged namespace: what it covers stays covered
bool has_locked_children(vfsmount* m, dentry* root);

// A place to mount at: the topmost mount there, the point's inode locked. ENOENT: it is gone.
class LockedPoint {
 public:
  static Result<void> lock(const path* at, LockedPoint* out);
  LockedPoint() = default;
  ~LockedPoint();
  LockedPoint(const LockedPoint&) = delete;
  const path* get() const { return &at_; }

 private:
  path at_ = {nullptr, nullptr};
};

// ---- mnt_ns.cc: namespaces ---------------------------------------------------------------------------------------------
bool is_nsfs(const dentry* d);
const mnt_namespace* mnt_ns_of(const dentry* d);  // an nsfs file's; null: not one of a mount namespace

// ---- pnode.cc: who gets what. namespace_mutex held ------------------------------------------------------------------
enum class Propagation : unsigned char { Shared, Slave, Private, Unbindable };
Result<void> make_group(vfsmount* m);  // a group id, unless it has one. ENOMEM
void change_propagation(vfsmount* m, Propagation to);
void make_peer(vfsmount* m, vfsmount* of);
void make_slave_of(vfsmount* m, vfsmount* master);
inline vfsmount* next_peer(const vfsmount* m) { return list_entry(m->mnt_share.next, vfsmount, mnt_share); }
// Walks all who receive what is mounted on origin, masters before slaves: for (vfsmount* r = w.first(); r; r = w.next()).
class Receivers {
 public:
  explicit Receivers(vfsmount* origin) : origin_(origin), peer_(origin), at_(origin) {}
  vfsmount* first() { return next(); }
  vfsmount* next();

 private:
  vfsmount *origin_, *peer_, *at_;
};
// Copies of tree for all receivers of what is mounted at `at`, as a list by mnt_list; mnt_landing of each is its place's mount.
Result<void> prepare_propagation(vfsmount* tree, const path* at, list_head* copies);
int get_dominating_id(const vfsmount* m, const path* root);  // mountinfo's propagate_from; 0: none in sight
