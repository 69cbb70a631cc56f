// The mount tree: mount(2) in its kinds, umount2, pivot_root. One namespace, every mount private.
//
// A mount in the tree has one reference from being there and holds one on its parent. The tree changes under
// namespace_mutex (who may sleep) and mount_lock (what walkers see), with mount_seq odd meanwhile.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "fs/vfs/internal.hh"
#include "fs/vfs/super.hh"
#include "fs/vfs/walk.hh"
#include "init/report.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

DEFINE_SPINLOCK(mount_lock);
DEFINE_MUTEX(namespace_mutex);
unsigned mount_seq;

namespace {

constexpr unsigned kMountHash = 64;
constinit hlist_head mount_hash[kMountHash]{};

hlist_head* mount_bucket(const vfsmount* m, const dentry* d) {
  u64 key = reinterpret_cast<unsigned long>(m) / 64 + reinterpret_cast<unsigned long>(d) / 64;
  return &mount_hash[(key * 0x61C8864680B583EBull) >> 58];
}

const char* copy_name(const char* s) { return kstrdup(s && *s ? s : "none", GFP_KERNEL); }

// Takes over one reference of sb->s_active, also when it fails.
Result<vfsmount*> alloc_mount(super_block* sb, dentry* root, int flags, const char* dev_name) {
  auto* m = static_cast<vfsmount*>(kmem_cache_zalloc(vfs->mnt_cache, GFP_KERNEL));
  const char* name = m ? copy_name(dev_name) : nullptr;
  if (!name) {
    if (m) kmem_cache_free(vfs->mnt_cache, m);
    deactivate_super(sb);
    return fail(ENOMEM);
  }
  m->mnt_root = dget(root);
  m->mnt_sb = sb;
  m->mnt_flags = flags;
  m->mnt_id = __atomic_fetch_add(&vfs->next_mnt_id, 1, __ATOMIC_RELAXED);
  atomic_set(&m->mnt_count, 1);
  m->mnt_parent = m;
  m->mnt_mountpoint = m->mnt_root;
  INIT_HLIST_NODE(&m->mnt_hash);
  INIT_LIST_HEAD(&m->mnt_mounts);
  INIT_LIST_HEAD(&m->mnt_child);
  INIT_LIST_HEAD(&m->mnt_list);
  m->mnt_devname = name;
  atomic_long_inc(&vfs->nr_mounts);
  return m;
}

void free_mount_rcu(rcu_head* head) {
  vfsmount* m = container_of(head, vfsmount, mnt_rcu);
  kfree(m->mnt_devname);
  atomic_long_dec(&vfs->nr_mounts);
  kmem_cache_free(vfs->mnt_cache, m);
}

bool attached(const vfsmount* m) { return m->mnt_parent != m || m == vfs->root_mnt; }

// mount_lock held, mount_seq odd.
void hash_mount(vfsmount* m, vfsmount* parent, dentry* point) {
  m->mnt_mountpoint = point;
  WRITE_ONCE(m->mnt_parent, parent);
  __atomic_fetch_or(&point->d_flags, DCACHE_MOUNTED, __ATOMIC_RELAXED);
  hlist_add_head_rcu(&m->mnt_hash, mount_bucket(parent, point));
  list_add_tail(&m->mnt_child, &parent->mnt_mounts);
}

// The place a mount was taken from; its references are the caller's now. mount_lock held, mount_seq odd.
path unhash_mount(vfsmount* m) {
  path was{m->mnt_parent, m->mnt_mountpoint};
  hlist_del_init_rcu(&m->mnt_hash);
  list_del_init(&m->mnt_child);
  WRITE_ONCE(m->mnt_parent, m);
  WRITE_ONCE(m->mnt_mountpoint, m->mnt_root);
  bool other = false;
  for (hlist_head& b : mount_hash) {
    vfsmount* o;
    hlist_for_each_entry(o, &b, mnt_hash) other |= o->mnt_mountpoint == was.dentry;
  }
  if (!other) __atomic_fetch_and(&was.dentry->d_flags, ~DCACHE_MOUNTED, __ATOMIC_RELAXED);
  return was;
}

// namespace_mutex held. The new mount's first reference goes to the tree.
Result<void> attach(vfsmount* m, const path* at) {
  if (S_ISDIR(m->mnt_root->d_inode->i_mode) != S_ISDIR(at->dentry->d_inode->i_mode)) return fail(ENOTDIR);
  inode* i = at->dentry->d_inode;
  inode_lock(i);
  bool gone = at->dentry->d_flags & DCACHE_DELETED;
  if (!gone) {
    path_get(at);
    SpinGuard g(mount_lock);
    seq_begin(mount_seq);
    hash_mount(m, at->mnt, at->dentry);
    seq_end(mount_seq);
  }
  inode_unlock(i);
  if (gone) return fail(ENOENT);
  list_add_tail(&m->mnt_list, &vfs->mounts);
  return {};
}

int mnt_flags_of(unsigned long ms) {
  int f = 0;
  if (ms & MS_NOSUID) f |= MNT_NOSUID;
  if (ms & MS_NODEV) f |= MNT_NODEV;
  if (ms & MS_NOEXEC) f |= MNT_NOEXEC;
  if (ms & MS_RDONLY) f |= MNT_READONLY;
  if (ms & MS_NOATIME) f |= MNT_NOATIME;
  if (ms & MS_NODIRATIME) f |= MNT_NODIRATIME;
  if (ms & MS_NOSYMFOLLOW) f |= MNT_NOSYMFOLLOW;
  if (!(ms & (MS_NOATIME | MS_STRICTATIME))) f |= MNT_RELATIME;
  return f;
}

constexpr unsigned kSuperFlags = MS_RDONLY | MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME | MS_MANDLOCK;

}  // namespace

// ---- References, lookups ------------------------------------------------------------------------------------------
void mntput(vfsmount* m) {
  if (!m || !atomic_dec_and_test(&m->mnt_count)) return;
  super_block* sb = m->mnt_sb;
  dput(m->mnt_root);
  call_rcu(&m->mnt_rcu, free_mount_rcu);
  deactivate_super(sb);
}

void path_get(const path* p) {
  mntget(p->mnt);
  dget(p->dentry);
}
void path_put(const path* p) {
  dput(p->dentry);
  mntput(p->mnt);
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

bool current_chrooted() {
  vfsmount* top = vfs->root_mnt;
  if (!top) return false;
  path root;
  get_fs_root(current->fs, &root);
  PathRef held(root), whole = Walk::cross_mounts(top, dget(top->mnt_root));
  return !(*held.get() == *whole.get());
}

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
  super_block* sb = TRY(get_super(t, 0, nullptr));
  return alloc_mount(sb, sb->s_root, MNT_INTERNAL, t->name);
}
void kern_unmount(vfsmount* m) { mntput(m); }

Result<void> mount_root(const file_system_type* t) {
  super_block* sb = TRY(get_super(t, 0, nullptr));
  vfsmount* m = TRY(alloc_mount(sb, sb->s_root, 0, "rootfs"));
  MutexGuard g(namespace_mutex);
  vfs->root_mnt = m;
  list_add_tail(&m->mnt_list, &vfs->mounts);
  path root{m, m->mnt_root};
  set_fs_root(&init_fs, &root);
  set_fs_pwd(&init_fs, &root);
  return {};
}

void for_each_mount(void (*visit)(vfsmount*, void*), void* context) {
  MutexGuard g(namespace_mutex);
  vfsmount* m;
  list_for_each_entry(m, &vfs->mounts, mnt_list) visit(m, context);
}

// ---- Kinds of mount(2) --------------------------------------------------------------------------------------------
namespace {

Result<void> mount_new(const path* at, const char* type, unsigned long flags, const char* dev_name, const char* data) {
  if (!type) return fail(EINVAL);
  const file_system_type* t = find_filesystem(type);
  if (!t) return fail(ENODEV);
  super_block* sb = TRY(get_super(t, static_cast<unsigned>(flags & kSuperFlags), data));
  Result<dentry*> root = sb->s_op->mount_root ? sb->s_op->mount_root(sb, data) : dget(sb->s_root);
  if (!root) {
    deactivate_super(sb);
    return std::unexpected(root.error());
  }
  auto made = alloc_mount(sb, *root, mnt_flags_of(flags), dev_name);
  dput(*root);
  vfsmount* m = TRY(made);
  Result<void> r;
  {
    MutexGuard g(namespace_mutex);
    r = attach(m, at);
  }
  if (!r) mntput(m);
  return r;
}

Result<vfsmount*> clone_mount(vfsmount* old, dentry* root) {
  atomic_inc(&old->mnt_sb->s_active);
  return alloc_mount(old->mnt_sb, root, old->mnt_flags & ~MNT_INTERNAL, old->mnt_devname);
}

// Copies, below the new mount `to`, what is mounted below `from` inside root, but not `top` itself, which may lie there.
// namespace_mutex held.
Result<void> clone_children(vfsmount* from, dentry* root, vfsmount* to, const vfsmount* top) {
  vfsmount* c;
  list_for_each_entry(c, &from->mnt_mounts, mnt_child) {
    if (c == top || !is_subdir(c->mnt_mountpoint, root)) continue;
    vfsmount* copy = TRY(clone_mount(c, c->mnt_root));
    path at{to, c->mnt_mountpoint};
    if (auto r = attach(copy, &at); !r) {
      mntput(copy);
      return r;
    }
    TRY(clone_children(c, c->mnt_root, copy, top));
  }
  return {};
}

void detach_tree(vfsmount* m);

Result<void> mount_bind(const path* at, const char* from, unsigned long flags) {
  if (!from || !*from) return fail(EINVAL);
  auto src = TRY(kern_path(from, LOOKUP_FOLLOW));
  if (src.mnt()->mnt_flags & MNT_INTERNAL) return fail(EINVAL);
  vfsmount* m = TRY(clone_mount(src.mnt(), src.dent()));
  Result<void> r;
  {
    MutexGuard g(namespace_mutex);
    r = attach(m, at);
    if (r && flags & MS_REC) {
      r = clone_children(src.mnt(), src.dent(), m, m);
      if (!r) {
        detach_tree(m);  // the tree's reference was the only one
        return r;
      }
    }
  }
  if (!r) mntput(m);
  return r;
}

Result<void> remount(const path* at, unsigned long flags, const char* data) {
  vfsmount* m = at->mnt;
  if (at->dentry != m->mnt_root) return fail(EINVAL);
  int fresh = mnt_flags_of(flags);
  MutexGuard g(namespace_mutex);
  int old = m->mnt_flags;
  __atomic_store_n(&m->mnt_flags, fresh | (old & MNT_INTERNAL), __ATOMIC_SEQ_CST);
  smp_mb();
  if (fresh & MNT_READONLY && !(old & MNT_READONLY) && atomic_read(&m->mnt_writers)) {
    WRITE_ONCE(m->mnt_flags, old);
    return fail(EBUSY);
  }
  if (flags & MS_BIND) return {};
  super_block* sb = m->mnt_sb;
  unsigned sb_flags = (sb->s_flags & ~kSuperFlags) | static_cast<unsigned>(flags & kSuperFlags);
  if (sb->s_op->remount) {
    if (auto r = sb->s_op->remount(sb, &sb_flags, data); !r) {
      WRITE_ONCE(m->mnt_flags, old);
      return r;
    }
  }
  WRITE_ONCE(sb->s_flags, sb_flags);
  return {};
}

bool mount_below(const vfsmount* m, const vfsmount* ancestor) {
  for (;; m = m->mnt_parent) {
    if (m == ancestor) return true;
    if (m->mnt_parent == m) return false;
  }
}

// namespace_mutex held.
Result<void> move_mount(vfsmount* m, const path* at) {
  if (S_ISDIR(m->mnt_root->d_inode->i_mode) != S_ISDIR(at->dentry->d_inode->i_mode)) return fail(ENOTDIR);
  if (at->dentry->d_flags & DCACHE_DELETED) return fail(ENOENT);
  path_get(at);
  path was;
  {
    SpinGuard g(mount_lock);
    seq_begin(mount_seq);
    was = unhash_mount(m);
    hash_mount(m, at->mnt, at->dentry);
    seq_end(mount_seq);
  }
  path_put(&was);
  return {};
}

Result<void> mount_move(const path* at, const char* from) {
  if (!from || !*from) return fail(EINVAL);
  auto src = TRY(kern_path(from, LOOKUP_FOLLOW));
  vfsmount* m = src.mnt();
  MutexGuard g(namespace_mutex);
  if (src.dent() != m->mnt_root || m == vfs->root_mnt || !attached(m)) return fail(EINVAL);
  if (mount_below(at->mnt, m)) return fail(ELOOP);
  return move_mount(m, at);
}

Result<void> mount_at(const path* at, const char* dev, const char* type, unsigned long flags, const char* data) {
  if ((flags & MS_MGC_MSK) == MS_MGC_VAL) flags &= ~static_cast<unsigned long>(MS_MGC_MSK);
  if (!capable(CAP_SYS_ADMIN)) return fail(EPERM);
  if (flags & MS_REMOUNT) return remount(at, flags, data);
  if (flags & MS_BIND) return mount_bind(at, dev, flags);
  if (flags & (MS_SHARED | MS_UNBINDABLE)) return fail(EINVAL);  // there is no propagation
  if (flags & (MS_PRIVATE | MS_SLAVE)) return at->dentry == at->mnt->mnt_root ? Result<void>{} : fail(EINVAL);
  if (flags & MS_MOVE) return mount_move(at, dev);
  return mount_new(at, type, flags, dev, data);
}

}  // namespace

Result<void> do_mount(const char* dev, const char* dir, const char* type, unsigned long flags, const char* data) {
  auto at = TRY(kern_path(dir, LOOKUP_FOLLOW));
  return mount_at(at.get(), dev, type, flags, data);
}

// ---- Taking mounts off ----------------------------------------------------------------------------------------------
namespace {

// Takes m out of the tree, which drops the tree's reference; m itself may be gone afterwards. namespace_mutex held.
void take_off(vfsmount* m) {
  path was;
  {
    SpinGuard g(mount_lock);
    seq_begin(mount_seq);
    was = unhash_mount(m);
    seq_end(mount_seq);
  }
  list_del_init(&m->mnt_list);
  mntput(m);
  path_put(&was);
}

// m and everything mounted below it, deepest first; whoever uses them keeps them alive. namespace_mutex held.
void detach_tree(vfsmount* m) {
  while (!list_empty(&m->mnt_mounts)) detach_tree(list_first_entry(&m->mnt_mounts, vfsmount, mnt_child));
  take_off(m);
}

// Only if nobody uses it: the caller's reference and the tree's are all. A walker without references that takes one
// while we look finds mount_seq changed and gives it back.
Result<void> take_off_idle(vfsmount* m) {
  if (!list_empty(&m->mnt_mounts)) return fail(EBUSY);
  path was;
  {
    SpinGuard g(mount_lock);
    seq_begin(mount_seq);
    bool busy = atomic_read(&m->mnt_count) > 2;
    if (!busy) was = unhash_mount(m);
    seq_end(mount_seq);
    if (busy) return fail(EBUSY);
  }
  list_del_init(&m->mnt_list);
  mntput(m);
  path_put(&was);
  return {};
}

Result<void> do_umount(const path* at, int flags) {
  vfsmount* m = at->mnt;
  if (at->dentry != m->mnt_root) return fail(EINVAL);
  if (!capable(CAP_SYS_ADMIN)) return fail(EPERM);
  if (flags & MNT_EXPIRE && flags & (MNT_FORCE | MNT_DETACH)) return fail(EINVAL);
  MutexGuard g(namespace_mutex);
  if (m->mnt_parent == m) return fail(EINVAL);  // the root, or not in the tree
  if (flags & MNT_DETACH) {
    detach_tree(m);
    return {};
  }
  if (flags & MNT_EXPIRE) return fail(EAGAIN);  // marked; we keep no mark
  return take_off_idle(m);
}

}  // namespace

Result<void> kern_umount(const char* dir, int flags) {
  auto p = TRY(kern_path(dir, LOOKUP_FOLLOW));
  return do_umount(p.get(), flags);
}

SYSCALL_DEFINE2(umount2, const char*, name, int, flags) {
  if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) return -EINVAL;
  auto p = user_path_at(AT_FDCWD, name, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW);
  if (!p) return p.error().neg();
  return to_abi(do_umount(p->get(), flags));
}

namespace {

// A page of mount options; what cannot be read ends it.
char* copy_options(const void* user) {
  auto* page = static_cast<char*>(kmalloc(4096, GFP_KERNEL));
  if (!page) return nullptr;
  unsigned long left = copy_from_user(page, user, 4095);
  page[4095 - left] = 0;
  return page;
}

struct Options {
  char* p = nullptr;
  ~Options() { kfree(p); }
};

Result<void> copy_string(const char* user, Options* to) {
  if (!user) return {};
  to->p = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
  if (!to->p) return fail(ENOMEM);
  long n = strncpy_from_user(to->p, user, PATH_MAX);
  if (n < 0) return fail(static_cast<int>(-n));
  if (n == PATH_MAX) return fail(EINVAL);
  return {};
}

Result<void> mount_from_user(const char* dev, const char* dir, const char* type, unsigned long flags, const void* data) {
  Options k_type, k_dev, k_data;
  TRY(copy_string(type, &k_type));
  TRY(copy_string(dev, &k_dev));
  if (data && !(k_data.p = copy_options(data))) return fail(ENOMEM);
  auto at = TRY(user_path_at(AT_FDCWD, dir, LOOKUP_FOLLOW));
  return mount_at(at.get(), k_dev.p, k_type.p, flags, k_data.p);
}

}  // namespace

SYSCALL_DEFINE5(mount, const char*, dev, const char*, dir, const char*, type, unsigned long, flags, const void*, data) {
  return to_abi(mount_from_user(dev, dir, type, flags, data));
}

// ---- pivot_root -----------------------------------------------------------------------------------------------------
namespace {

// Everybody who had the old root as root or cwd gets the new one.
void move_fs_users(const path* from, const path* to) {
  auto replace = [&](fs_struct* fs) {
    path root, pwd;
    get_fs_root(fs, &root);
    get_fs_pwd(fs, &pwd);
    if (root == *from) set_fs_root(fs, to);
    if (pwd == *from) set_fs_pwd(fs, to);
    path_put(&root);
    path_put(&pwd);
  };
  replace(current->fs);
  if (current->fs != &init_fs) replace(&init_fs);
}

Result<void> do_pivot_root(const path* fresh, const path* put_old) {
  path root;
  get_fs_root(current->fs, &root);
  PathRef hold(root);
  MutexGuard g(namespace_mutex);
  vfsmount *nm = fresh->mnt, *rm = root.mnt;
  if (nm == rm || put_old->mnt == rm) return fail(EBUSY);
  if (root.dentry != rm->mnt_root || fresh->dentry != nm->mnt_root) return fail(EINVAL);
  if (rm->mnt_parent == rm || nm->mnt_parent == nm) return fail(EINVAL);
  if (!mount_below(put_old->mnt, nm)) return fail(EINVAL);
  path root_was, new_was;
  path_get(put_old);
  {
    SpinGuard s(mount_lock);
    seq_begin(mount_seq);
    new_was = unhash_mount(nm);
    root_was = unhash_mount(rm);
    hash_mount(nm, root_was.mnt, root_was.dentry);  // takes the old root's references over
    hash_mount(rm, put_old->mnt, put_old->dentry);
    seq_end(mount_seq);
  }
  path_put(&new_was);
  path now{nm, nm->mnt_root};
  move_fs_users(&root, &now);
  return {};
}

}  // namespace

SYSCALL_DEFINE2(pivot_root, const char*, new_root, const char*, put_old) {
  if (!capable(CAP_SYS_ADMIN)) return -EPERM;
  auto fresh = user_path_at(AT_FDCWD, new_root, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (!fresh) return fresh.error().neg();
  auto old = user_path_at(AT_FDCWD, put_old, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (!old) return old.error().neg();
  return to_abi(do_pivot_root(fresh->get(), old->get()));
}

// ---- World ----------------------------------------------------------------------------------------------------------
void namespace_init() {
  mount_seq = 0;
  for (hlist_head& b : mount_hash) b.first = nullptr;
  vfs->mnt_cache = kmem_cache_create("mnt_cache", sizeof(vfsmount), 64, 0, nullptr);
  BUG_ON(!vfs->mnt_cache);
  INIT_LIST_HEAD(&vfs->mounts);
  INIT_LIST_HEAD(&vfs->supers);
}

void namespace_quiesce() {
  MutexGuard g(namespace_mutex);
  vfsmount* root = vfs->root_mnt;
  if (!root) return;
  while (!list_empty(&root->mnt_mounts)) detach_tree(list_first_entry(&root->mnt_mounts, vfsmount, mnt_child));
  vfs->root_mnt = nullptr;
  list_del_init(&root->mnt_list);
  mntput(root);
}
