// One mount: its life, where it hangs, finding it, and who writes through it.
//
// A mount in a tree has one reference from being there and holds one on its parent and on its mountpoint. Trees change under
// namespace_mutex (who may sleep) and mount_lock (what walkers see), with mount_seq odd meanwhile.
// SPDX-License-Identifier: Apache-2.0
#include "fs/vfs/mount.hh"

#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "fs/vfs/super.hh"
#include "fs/vfs/walk.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/sync/guards.hh"

DEFINE_SPINLOCK(mount_lock);
unsigned mount_seq;

namespace {

constexpr unsigned kMountHashBits = 8;
constinit hlist_head mount_hash[1u << kMountHashBits]{};

hlist_head* mount_bucket(const vfsmount* m, const dentry* d) {
  u64 key = reinterpret_cast<unsigned long>(m) / 64 + reinterpret_cast<unsigned long>(d) / 64;
  return &mount_hash[(key * 0x61C8864680B583EBull) >> (64 - kMountHashBits)];
}

const char* copy_name(const char* s) { return kstrdup(s && *s ? s : "none", GFP_KERNEL); }

void free_mount_rcu(rcu_head* head) {
  vfsmount* m = container_of(head, vfsmount, mnt_rcu);
  kfree(m->mnt_devname);
  atomic_long_dec(&vfs->nr_mounts);
  kmem_cache_free(vfs->mnt_cache, m);
}

}  // namespace

Result<vfsmount*> alloc_mount(super_block* sb, dentry* root, int flags, const char* dev_name) {
  auto* m = static_cast<vfsmount*>(kmem_cache_zalloc(vfs->mnt_cache, GFP_KERNEL));
  const char* name = m ? copy_name(dev_name) : nullptr;
  if (!name) {
    if (m) kmem_cache_free(vfs->mnt_cache, m);
    dput(root);  // before the super block, which may go now
    deactivate_super(sb);
    return fail(ENOMEM);
  }
  m->mnt_root = root;
  m->mnt_sb = sb;
  m->mnt_flags = flags;
  m->mnt_id = __atomic_fetch_add(&vfs->next_mnt_id, 1, __ATOMIC_RELAXED);
  atomic_set(&m->mnt_count, 1);
  m->mnt_parent = m;
  m->mnt_mountpoint = m->mnt_root;
  INIT_HLIST_NODE(&m->mnt_hash);
  for (list_head* l : {&m->mnt_mounts, &m->mnt_child, &m->mnt_list, &m->mnt_share, &m->mnt_slave_list, &m->mnt_slave})
    INIT_LIST_HEAD(l);
  m->mnt_devname = name;
  atomic_long_inc(&vfs->nr_mounts);
  return m;
}

namespace {

// The last reference goes under mount_lock, under which walkers go up to a parent that its locked children do not hold
// (stay_on_parent). Those children are put on the list.
bool put_last(vfsmount* m, list_head* orphans) {
  TreeChange change;
  if (!atomic_dec_and_test(&m->mnt_count)) return false;
  while (!list_empty(&m->mnt_mounts)) {
    vfsmount* c = list_first_entry(&m->mnt_mounts, vfsmount, mnt_child);
    c->mnt_was = {nullptr, unhash_mount(c).dentry};
    list_add(&c->mnt_list, orphans);
  }
  return true;
}

}  // namespace

void mntput(vfsmount* m) {
  if (!m || atomic_add_unless(&m->mnt_count, -1, 1)) return;
  list_head orphans;
  INIT_LIST_HEAD(&orphans);
  for (;;) {
    if (put_last(m, &orphans)) {
      super_block* sb = m->mnt_sb;
      dput(m->mnt_root);
      call_rcu(&m->mnt_rcu, free_mount_rcu);
      deactivate_super(sb);
    }
    if (list_empty(&orphans)) return;
    m = list_first_entry(&orphans, vfsmount, mnt_list);
    list_del_init(&m->mnt_list);
    dput(std::exchange(m->mnt_was, path{}).dentry);
  }
}

void path_get(const path* p) {
  mntget(p->mnt);
  dget(p->dentry);
}
void path_put(const path* p) {
  dput(p->dentry);
  mntput(p->mnt);
}

// ---- Hanging it in a tree ---------------------------------------------------------------------------------------------

void hash_mount(vfsmount* m, vfsmount* parent, dentry* point) {
  mntget(parent);
  dget(point);
  m->mnt_mountpoint = point;
  WRITE_ONCE(m->mnt_parent, parent);
  __atomic_fetch_add(&point->d_flags, DCACHE_ONE_MOUNT, __ATOMIC_RELAXED);
  __atomic_fetch_or(&point->d_flags, DCACHE_MOUNTED, __ATOMIC_RELAXED);
  hlist_add_head_rcu(&m->mnt_hash, mount_bucket(parent, point));
  list_add_tail(&m->mnt_child, &parent->mnt_mounts);
}

path unhash_mount(vfsmount* m) {
  path was{m->mnt_parent, m->mnt_mountpoint};
  hlist_del_init_rcu(&m->mnt_hash);
  list_del_init(&m->mnt_child);
  WRITE_ONCE(m->mnt_parent, m);
  WRITE_ONCE(m->mnt_mountpoint, m->mnt_root);
  if (__atomic_sub_fetch(&was.dentry->d_flags, DCACHE_ONE_MOUNT, __ATOMIC_RELAXED) < DCACHE_ONE_MOUNT)
    __atomic_fetch_and(&was.dentry->d_flags, ~DCACHE_MOUNTED, __ATOMIC_RELAXED);
  return was;
}

vfsmount* __lookup_mnt(const vfsmount* parent, const dentry* point) {
  hlist_node* n = rcu_dereference(mount_bucket(parent, point)->first);
  for (; n; n = rcu_dereference(n->next)) {
    vfsmount* m = hlist_entry(n, vfsmount, mnt_hash);
    if (READ_ONCE(m->mnt_parent) == parent && READ_ONCE(m->mnt_mountpoint) == point) return m;
  }
  return nullptr;
}

vfsmount* lookup_mnt(const path* p) {
  SpinGuard g(mount_lock);
  vfsmount* m = __lookup_mnt(p->mnt, p->dentry);
  return m ? mntget(m) : nullptr;
}

// Rare: who removes a name that bears a mount somewhere asks, so all buckets are looked through.
vfsmount* any_mount_at(const dentry* point, const mnt_namespace* ns) {
  vfsmount* m;
  for (hlist_head& b : mount_hash)
    hlist_for_each_entry(m, &b, mnt_hash)
      if (m->mnt_mountpoint == point && (!ns || m->mnt_ns == ns)) return m;
  return nullptr;
}

bool mount_below(const vfsmount* m, const vfsmount* ancestor) {
  for (;; m = m->mnt_parent) {
    if (m == ancestor) return true;
    if (!has_parent(m)) return false;
  }
}

vfsmount* next_mnt(vfsmount* m, const vfsmount* top) {
  if (!list_empty(&m->mnt_mounts)) return list_first_entry(&m->mnt_mounts, vfsmount, mnt_child);
  for (; m != top; m = m->mnt_parent)
    if (!list_is_last(&m->mnt_child, &m->mnt_parent->mnt_mounts)) return list_next_entry(m, mnt_child);
  return nullptr;
}

// ---- Writers ------------------------------------------------------------------------------------------------------------

bool mount_is_readonly(const vfsmount* m) {
  return READ_ONCE(m->mnt_flags) & MNT_READONLY || READ_ONCE(m->mnt_sb->s_flags) & MS_RDONLY;
}

// Pairs with remount: it sets the flag, then counts writers; both sides are sequentially consistent.
Result<void> mnt_want_write(vfsmount* m) {
  atomic_inc_return(&m->mnt_writers);
  if (!mount_is_readonly(m)) [[likely]] return {};
  atomic_dec(&m->mnt_writers);
  return fail(EROFS);
}
void mnt_drop_write(vfsmount* m) { atomic_dec(&m->mnt_writers); }

Result<vfsmount*> kern_mount(const file_system_type* t) {
  super_block* sb = TRY(get_super(t, 0, nullptr, &init_user_ns));
  return alloc_mount(sb, dget(sb->s_root), MNT_INTERNAL, t->name);
}
void kern_unmount(vfsmount* m) { mntput(m); }

void mounts_init() {
  mount_seq = 0;
  for (hlist_head& b : mount_hash) b.first = nullptr;
  vfs->mnt_cache = kmem_cache_create("mnt_cache", sizeof(vfsmount), 64, 0, nullptr);
  BUG_ON(!vfs->mnt_cache);
}
