// mount(2), umount2(2), pivot_root(2): what the caller may do to the tree of its mount namespace.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "fs/vfs/mount.hh"
#include "fs/vfs/super.hh"
#include "fs/vfs/walk.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

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
constexpr int kAtime = MNT_NOATIME | MNT_NODIRATIME | MNT_RELATIME;
// What remount sets; everything else of a mount stays.
constexpr int kSettable = MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_READONLY | MNT_NOSYMFOLLOW | kAtime;

bool may_mount() { return ns_capable(current_mnt_ns()->user_ns, CAP_SYS_ADMIN); }

// Hangs the tree in; at failure it is given back.
Result<void> graft(vfsmount* tree, const LockedPoint& point) {
  const path* at = point.get();
  Result<void> r;
  if (S_ISDIR(tree->mnt_root->d_inode->i_mode) != S_ISDIR(at->dentry->d_inode->i_mode))
    r = fail(ENOTDIR);
  else
    r = attach_tree(tree, at, Attach::New);
  if (!r) discard_tree(tree);
  return r;
}

// ---- New file systems -----------------------------------------------------------------------------------------------------

bool is_empty_dir(dentry* d) { return d_is_dir(d) && d->d_inode->i_nlink <= 2 && !d_has_children(d); }

// Does m show all of its file system, as freely as a new mount with `flags` would?
bool shows_all(vfsmount* m, int flags) {
  if (m->mnt_root != m->mnt_sb->s_root) return false;
  if ((m->mnt_flags & MNT_LOCK_READONLY || mount_is_readonly(m)) && m->mnt_flags & MNT_LOCKED && !(flags & MNT_READONLY)) return false;
  if (m->mnt_flags & MNT_LOCK_ATIME && (m->mnt_flags & kAtime) != (flags & kAtime)) return false;
  vfsmount* c;
  list_for_each_entry(c, &m->mnt_mounts, mnt_child)
    if (c->mnt_flags & MNT_LOCKED && !is_empty_dir(c->mnt_mountpoint)) return false;
  return true;
}

// In a user namespace, a file system that shows the system can be mounted only where it is to be seen already, whole: what
// somebody has covered or made read-only must not be had by mounting it again. namespace_mutex held.
bool mount_too_revealing(const super_block* sb, int flags) {
  mnt_namespace* ns = current_mnt_ns();
  if (ns->user_ns == &init_user_ns || !(sb->s_type->fs_flags & FS_USERNS_VISIBLE)) return false;
  vfsmount* m;
  list_for_each_entry(m, &ns->list, mnt_list)
    if (m->mnt_sb->s_type == sb->s_type && shows_all(m, flags)) return false;
  return true;
}

// Mounts that others may be told apart from must not be changed by whoever has less power.
bool can_change_locked_flags(const vfsmount* m, int fresh) {
  const int old = m->mnt_flags;
  constexpr int kPairs[][2] = {{MNT_LOCK_READONLY, MNT_READONLY}, {MNT_LOCK_NODEV, MNT_NODEV}, {MNT_LOCK_NOSUID, MNT_NOSUID},
                               {MNT_LOCK_NOEXEC, MNT_NOEXEC}};
  for (auto [lock, flag] : kPairs)
    if (old & lock && !(fresh & flag)) return false;
  return !(old & MNT_LOCK_ATIME) || (old & kAtime) == (fresh & kAtime);
}

Result<vfsmount*> make_mount(const file_system_type* t, unsigned long flags, const char* dev_name, const char* data) {
  user_namespace* owner = &init_user_ns;
  if (t->fs_flags & FS_USERNS_MOUNT) owner = t->owner ? t->owner() : current_user_ns();
  if (!ns_capable(owner, CAP_SYS_ADMIN)) return fail(EPERM);
  super_block* sb = TRY(get_super(t, static_cast<unsigned>(flags & kSuperFlags), data, owner));
  Result<dentry*> root = sb->s_op->mount_root ? sb->s_op->mount_root(sb, data) : dget(sb->s_root);
  if (!root) {
    deactivate_super(sb);
    return std::unexpected(root.error());
  }
  return alloc_mount(sb, *root, mnt_flags_of(flags), dev_name);
}

Result<void> mount_new(const path* at, const char* type, unsigned long flags, const char* dev_name, const char* data) {
  if (!type) return fail(EINVAL);
  const file_system_type* t = find_filesystem(type);
  if (!t) return fail(ENODEV);
  vfsmount* m = TRY(make_mount(t, flags, dev_name, data));
  LockedPoint point;
  Result<void> r = LockedPoint::lock(at, &point);
  NamespaceLock lock;
  if (r && !check_mnt(point.get()->mnt)) r = fail(EINVAL);
  if (r && mount_too_revealing(m->mnt_sb, m->mnt_flags)) r = fail(EPERM);
  if (r) return graft(m, point);
  discard_tree(m);
  return r;
}

// ---- Binds, moves, remounts, propagation ----------------------------------------------------------------------------------

// A file that stands for this namespace, or one made before it: mounted here, it could keep itself alive.
bool mnt_ns_loop(const dentry* d) {
  const mnt_namespace* ns = mnt_ns_of(d);
  return ns && current_mnt_ns()->seq >= ns->seq;
}

Result<vfsmount*> copy_source(const path* src, unsigned long flags) {
  vfsmount* m = src->mnt;
  if (m->mnt_flags & MNT_UNBINDABLE) return fail(EINVAL);
  if (!check_mnt(m) && !is_nsfs(src->dentry)) return fail(EINVAL);
  if (flags & MS_REC) return copy_tree(m, src->dentry, CloneAs::Same, CopyUnbindable::No);
  if (has_locked_children(m, src->dentry)) return fail(EINVAL);
  vfsmount* copy = TRY(clone_mnt(m, src->dentry, CloneAs::Same));
  copy->mnt_flags &= ~MNT_LOCKED;
  return copy;
}

Result<void> mount_bind(const path* at, const char* from, unsigned long flags) {
  if (!from || !*from) return fail(EINVAL);
  auto src = TRY(kern_path(from, LOOKUP_FOLLOW));
  if (mnt_ns_loop(src.dent())) return fail(EINVAL);
  LockedPoint point;
  TRY(LockedPoint::lock(at, &point));
  NamespaceLock lock;
  if (!check_mnt(point.get()->mnt)) return fail(EINVAL);
  vfsmount* copy = TRY(copy_source(src.get(), flags));
  return graft(copy, point);
}

Result<void> remount(const path* at, unsigned long flags, const char* data) {
  vfsmount* m = at->mnt;
  NamespaceLock lock;
  if (!check_mnt(m) || at->dentry != m->mnt_root) return fail(EINVAL);
  const int old = m->mnt_flags;
  int fresh = mnt_flags_of(flags);
  if (!(flags & (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME))) fresh = (fresh & ~kAtime) | (old & kAtime);
  if (!can_change_locked_flags(m, fresh)) return fail(EPERM);
  super_block* sb = m->mnt_sb;
  if (!(flags & MS_BIND) && !ns_capable(sb->s_user_ns, CAP_SYS_ADMIN)) return fail(EPERM);
  __atomic_store_n(&m->mnt_flags, fresh | (old & ~kSettable), __ATOMIC_SEQ_CST);
  smp_mb();
  if (fresh & MNT_READONLY && !(old & MNT_READONLY) && atomic_read(&m->mnt_writers)) {
    WRITE_ONCE(m->mnt_flags, old);
    return fail(EBUSY);
  }
  if (flags & MS_BIND) return {};
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

constexpr unsigned long kPropagationFlags = MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE;

Result<Propagation> propagation_of(unsigned long flags) {
  flags &= ~static_cast<unsigned long>(MS_REC | MS_SILENT);
  switch (flags) {
    case MS_SHARED: return Propagation::Shared;
    case MS_SLAVE: return Propagation::Slave;
    case MS_PRIVATE: return Propagation::Private;
    case MS_UNBINDABLE: return Propagation::Unbindable;
  }
  return fail(EINVAL);  // two of them, or something besides
}

Result<void> change_type(const path* at, unsigned long flags) {
  const Propagation to = TRY(propagation_of(flags));
  if (at->dentry != at->mnt->mnt_root) return fail(EINVAL);
  NamespaceLock lock;
  if (!check_mnt(at->mnt)) return fail(EINVAL);
  auto each = [&](vfsmount* m) { return flags & MS_REC ? next_mnt(m, at->mnt) : nullptr; };
  if (to == Propagation::Shared)
    for (vfsmount* m = at->mnt; m; m = each(m))
      if (auto r = make_group(m); !r) {
        for (vfsmount* undo = at->mnt; undo != m; undo = each(undo))
          if (!is_shared(undo)) change_propagation(undo, Propagation::Slave);
        return r;
      }
  for (vfsmount* m = at->mnt; m; m = each(m)) change_propagation(m, to);
  return {};
}

bool has_unbindable(vfsmount* tree) {
  for (vfsmount* m = tree; m; m = next_mnt(m, tree))
    if (m->mnt_flags & MNT_UNBINDABLE) return true;
  return false;
}

Result<void> mount_move(const path* at, const char* from) {
  if (!from || !*from) return fail(EINVAL);
  auto src = TRY(kern_path(from, LOOKUP_FOLLOW));
  LockedPoint point;
  TRY(LockedPoint::lock(at, &point));
  NamespaceLock lock;
  vfsmount *m = src.mnt(), *to = point.get()->mnt;
  if (!check_mnt(to) || !check_mnt(m) || src.dent() != m->mnt_root || !has_parent(m) || m->mnt_flags & MNT_LOCKED)
    return fail(EINVAL);
  if (d_is_dir(src.dent()) != d_is_dir(point.get()->dentry)) return fail(EINVAL);
  if (is_shared(m->mnt_parent) || (is_shared(to) && has_unbindable(m))) return fail(EINVAL);
  if (mount_below(to, m)) return fail(ELOOP);
  return attach_tree(m, point.get(), Attach::Move);
}

Result<void> mount_at(const path* at, const char* dev, const char* type, unsigned long flags, const char* data) {
  if ((flags & MS_MGC_MSK) == MS_MGC_VAL) flags &= ~static_cast<unsigned long>(MS_MGC_MSK);
  if (!may_mount()) return fail(EPERM);
  if (flags & MS_REMOUNT) return remount(at, flags, data);
  if (flags & MS_BIND) return mount_bind(at, dev, flags);
  if (flags & kPropagationFlags) return change_type(at, flags);
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

Result<void> may_umount(const path* at, int flags) {
  if (!may_mount()) return fail(EPERM);
  if (at->dentry != at->mnt->mnt_root || !check_mnt(at->mnt) || at->mnt->mnt_flags & MNT_LOCKED) return fail(EINVAL);
  if (flags & MNT_FORCE && !capable(CAP_SYS_ADMIN)) return fail(EPERM);
  if (flags & MNT_EXPIRE && flags & (MNT_FORCE | MNT_DETACH)) return fail(EINVAL);
  return {};
}

// A walker without references that takes one while we look finds mount_seq changed and gives it back.
Result<void> take_off_idle(vfsmount* m, int flags) {
  {
    TreeChange change;
    if (umount_busy(m)) return fail(EBUSY);
  }
  if (flags & MNT_EXPIRE && !std::exchange(m->mnt_expiring, true)) return fail(EAGAIN);
  umount_tree(m, Propagate::Yes);
  return {};
}

Result<void> do_umount(const path* at, int flags) {
  TRY(may_umount(at, flags));
  vfsmount* m = at->mnt;
  NamespaceLock lock;
  if (!check_mnt(m) || !has_parent(m)) return fail(EINVAL);  // gone meanwhile; the root
  if (!(flags & MNT_DETACH)) return take_off_idle(m, flags);
  umount_tree(m, Propagate::Yes);
  return {};
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

bool is_local_mountpoint(const dentry* d) {
  if (!(READ_ONCE(d->d_flags) & DCACHE_MOUNTED)) [[likely]] return false;
  NamespaceLock lock;
  return any_mount_at(d, current_mnt_ns());
}

void detach_mounts(dentry* d) {
  if (!(READ_ONCE(d->d_flags) & DCACHE_MOUNTED)) [[likely]] return;
  NamespaceLock lock;
  while (vfsmount* m = any_mount_at(d, nullptr)) umount_tree(m, Propagate::No);
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

// fs's root and working directory, where they are `from`, become `to`; so many references to `from` are the caller's.
int move_fs(fs_struct* fs, const path* from, const path* to) {
  int moved = 0;
  SpinGuard g(fs->lock);
  seq_begin(fs->seq);
  for (path* p : {&fs->root, &fs->pwd}) {
    if (!(*p == *from)) continue;
    path_get(to);
    WRITE_ONCE(p->mnt, to->mnt);
    WRITE_ONCE(p->dentry, to->dentry);
    moved++;
  }
  seq_end(fs->seq);
  return moved;
}

// Everybody who had the old root as root or working directory gets the new one.
void chroot_fs_refs(const path* from, const path* to) {
  int moved = 0;
  {
    ReadGuard tasks(tasklist_lock);
    task_struct *g, *t;
    for_each_process_thread(g, t) {
      SpinGuard guard(t->alloc_lock);
      if (t->fs) moved += move_fs(t->fs, from, to);
    }
    moved += move_fs(&init_fs, from, to);
  }
  while (moved--) path_put(from);
}

bool path_below(const path* p, const path* ancestor) {
  vfsmount* m = p->mnt;
  dentry* d = p->dentry;
  while (m != ancestor->mnt && has_parent(m)) {
    d = m->mnt_mountpoint;
    m = m->mnt_parent;
  }
  return m == ancestor->mnt && is_subdir(d, ancestor->dentry);
}

// pivot_root(2), "The following restrictions apply".
Result<void> may_pivot(const path* root, const path* fresh, const path* put_old) {
  vfsmount *nm = fresh->mnt, *rm = root->mnt, *om = put_old->mnt;
  if (is_shared(om) || is_shared(nm->mnt_parent) || is_shared(rm->mnt_parent)) return fail(EINVAL);
  if (!check_mnt(rm) || !check_mnt(nm) || nm->mnt_flags & MNT_LOCKED) return fail(EINVAL);
  if (fresh->dentry->d_flags & DCACHE_DELETED) return fail(ENOENT);
  if (nm == rm || om == rm) return fail(EBUSY);
  if (root->dentry != rm->mnt_root || fresh->dentry != nm->mnt_root || !has_parent(rm) || !has_parent(nm)) return fail(EINVAL);
  return path_below(put_old, fresh) && path_below(fresh, root) ? Result<void>{} : fail(EINVAL);
}

Result<void> do_pivot_root(const path* fresh, const path* put_old) {
  path root;
  get_fs_root(current->fs, &root);
  PathRef hold(root);
  LockedPoint old;
  TRY(LockedPoint::lock(put_old, &old));
  NamespaceLock lock;
  TRY(may_pivot(&root, fresh, old.get()));
  vfsmount *nm = fresh->mnt, *rm = root.mnt;
  path root_was, new_was;
  {
    TreeChange change;
    new_was = unhash_mount(nm);
    root_was = unhash_mount(rm);
    if (rm->mnt_flags & MNT_LOCKED) {  // what was under the old root stays covered by the new one
      nm->mnt_flags |= MNT_LOCKED;
      rm->mnt_flags &= ~MNT_LOCKED;
    }
    hash_mount(nm, root_was.mnt, root_was.dentry);
    hash_mount(rm, old.get()->mnt, old.get()->dentry);
  }
  path_put(&new_was);
  path_put(&root_was);
  path now{nm, nm->mnt_root};
  chroot_fs_refs(&root, &now);
  return {};
}

}  // namespace

SYSCALL_DEFINE2(pivot_root, const char*, new_root, const char*, put_old) {
  if (!may_mount()) return -EPERM;
  auto fresh = user_path_at(AT_FDCWD, new_root, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (!fresh) return fresh.error().neg();
  auto old = user_path_at(AT_FDCWD, put_old, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (!old) return old.error().neg();
  return to_abi(do_pivot_root(fresh->get(), old->get()));
}
