// Trees of mounts: copying, hanging them in, taking them off, with all copies that propagation asks for.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/string.h>

#include "fs/vfs/mount.hh"
#include "fs/vfs/super.hh"
#include "fs/vfs/walk.hh"
#include "kernel/sync/guards.hh"

DEFINE_MUTEX(namespace_mutex);
int sysctl_mount_max;

NamespaceLock::NamespaceLock() { mutex_lock(&namespace_mutex); }

NamespaceLock::~NamespaceLock() {
  list_head gone;
  INIT_LIST_HEAD(&gone);
  list_splice_init(&vfs->taken_off, &gone);
  mutex_unlock(&namespace_mutex);
  while (!list_empty(&gone)) {
    vfsmount* m = list_first_entry(&gone, vfsmount, mnt_list);
    list_del_init(&m->mnt_list);
    path was = std::exchange(m->mnt_was, path{});
    if (was.dentry) path_put(&was);
    mntput(m);
  }
}

// ---- Copying ------------------------------------------------------------------------------------------------------------

Result<vfsmount*> clone_mnt(vfsmount* old, dentry* root, CloneAs as) {
  atomic_inc(&old->mnt_sb->s_active);
  vfsmount* m = TRY(alloc_mount(old->mnt_sb, dget(root), old->mnt_flags & ~(MNT_INTERNAL | MNT_SHARED), old->mnt_devname));
  if (as == CloneAs::SharedSlave) {
    if (auto r = make_group(m); !r) {
      mntput(m);
      return std::unexpected(r.error());
    }
    m->mnt_flags |= MNT_SHARED;
  }
  if (as == CloneAs::Private) return m;
  const bool slave = as == CloneAs::Slave || as == CloneAs::SharedSlave || (as == CloneAs::SharedToSlave && is_shared(old));
  if (slave) {
    make_slave_of(m, old);
    return m;
  }
  if (is_shared(old) || old->mnt_group_id) make_peer(m, old);
  if (old->mnt_master) make_slave_of(m, old->mnt_master);
  return m;
}

namespace {

// The next of the tree behind m's whole subtree.
vfsmount* skip_mnt(vfsmount* m, const vfsmount* top) {
  for (; m != top; m = m->mnt_parent)
    if (!list_is_last(&m->mnt_child, &m->mnt_parent->mnt_mounts)) return list_next_entry(m, mnt_child);
  return nullptr;
}

Result<void> copy_children(vfsmount* m, dentry* root, CloneAs as, CopyUnbindable unbindable) {
  for (vfsmount* c = next_mnt(m, m); c;) {
    bool skip = c->mnt_parent == m && !is_subdir(c->mnt_mountpoint, root);
    if (!skip && unbindable == CopyUnbindable::No && c->mnt_flags & MNT_UNBINDABLE) {
      if (c->mnt_flags & MNT_LOCKED) return fail(EPERM);  // leaving it out would show what it covers
      skip = true;
    }
    if (skip) {
      c = skip_mnt(c, m);
      continue;
    }
    vfsmount* copy = TRY(clone_mnt(c, c->mnt_root, as));
    c->mnt_twin = copy;
    {
      TreeChange change;
      hash_mount(copy, c->mnt_parent->mnt_twin, c->mnt_mountpoint);
    }
    c = next_mnt(c, m);
  }
  return {};
}

}  // namespace

Result<vfsmount*> copy_tree(vfsmount* m, dentry* root, CloneAs as, CopyUnbindable unbindable) {
  if (unbindable == CopyUnbindable::No && m->mnt_flags & MNT_UNBINDABLE) return fail(EINVAL);
  vfsmount* copy = TRY(clone_mnt(m, root, as));
  copy->mnt_flags &= ~MNT_LOCKED;
  m->mnt_twin = copy;
  if (auto r = copy_children(m, root, as, unbindable); !r) {
    discard_tree(copy);
    return std::unexpected(r.error());
  }
  return copy;
}

// ---- Taking off -----------------------------------------------------------------------------------------------------------
namespace {

void leave_namespace(vfsmount* m) {
  if (m->mnt_ns) m->mnt_ns->mounts--;
  m->mnt_ns = nullptr;
  change_propagation(m, Propagation::Private);
}

// What a locked mount covers is not to be seen by taking its parent off either: it stays on it, in no namespace, and goes with
// it. The tree's reference is the parent's now, which is not held any more.
void stay_on_parent(vfsmount* m) {
  leave_namespace(m);
  list_del_init(&m->mnt_list);
  atomic_dec(&m->mnt_parent->mnt_count);  // not the last: its own turn comes later
}

// m, which has no children but such, and one that covers its root, leaves the tree. The cover stays, where m was.
void take_off(vfsmount* m) {
  {
    TreeChange change;
    vfsmount* cover = __lookup_mnt(m, m->mnt_root);
    if (cover && !cover->mnt_ns) cover = nullptr;
    if (has_parent(m)) {
      m->mnt_was = unhash_mount(m);
      if (cover) {
        path on_m = unhash_mount(cover);
        hash_mount(cover, m->mnt_was.mnt, m->mnt_was.dentry);
        atomic_dec(&on_m.mnt->mnt_count);  // not the last: the tree's own is there still
        atomic_dec(&on_m.dentry->d_count);
      }
    }
  }
  leave_namespace(m);
  m->mnt_flags &= ~MNT_LOCKED;
  list_move_tail(&m->mnt_list, &vfs->taken_off);
}

bool has_children_but_cover(const vfsmount* m) {
  const vfsmount* c;
  list_for_each_entry(c, &m->mnt_mounts, mnt_child)
    if (c->mnt_mountpoint != m->mnt_root) return true;
  return false;
}

// Calls f for each copy of m that propagation put elsewhere.
template <class F>
void for_each_copy(vfsmount* m, F&& f) {
  if (!has_parent(m)) return;
  Receivers all(m->mnt_parent);
  for (vfsmount* r = all.first(); r; r = all.next())
    if (vfsmount* copy = __lookup_mnt(r, m->mnt_mountpoint)) f(copy);
}

// Those that have got children of their own stay. The tree below top goes anyway. Found first, then taken off: that changes
// who receives from whom.
void take_off_copies(vfsmount* m, const vfsmount* top) {
  vfsmount* found = nullptr;
  for_each_copy(m, [&](vfsmount* copy) {
    if (mount_below(copy, top) || has_children_but_cover(copy)) return;
    copy->mnt_twin = found;
    found = copy;
  });
  while (found) {
    vfsmount* copy = std::exchange(found, found->mnt_twin);
    if (has_parent(copy) && !has_children_but_cover(copy)) take_off(copy);
  }
}

}  // namespace

bool umount_busy(vfsmount* m) {
  if (!list_empty(&m->mnt_mounts) || atomic_read(&m->mnt_count) > 2) return true;
  bool busy = false;
  for_each_copy(m, [&](vfsmount* copy) { busy |= list_empty(&copy->mnt_mounts) && atomic_read(&copy->mnt_count) > 1; });
  return busy;
}

namespace {

// The tree as a list by mnt_landing in which children come before their parents.
vfsmount* list_tree(vfsmount* top) {
  vfsmount* last = nullptr;
  for (vfsmount* m = top; m; m = next_mnt(m, top)) {
    m->mnt_landing = last;
    last = m;
  }
  return last;
}

}  // namespace

void umount_tree(vfsmount* top, Propagate propagate) {
  for (vfsmount *m = list_tree(top), *next; m; m = next) {
    next = std::exchange(m->mnt_landing, nullptr);
    if (propagate == Propagate::Yes) take_off_copies(m, top);
    if (m != top && m->mnt_flags & MNT_LOCKED)
      stay_on_parent(m);
    else
      take_off(m);
  }
}

void discard_tree(vfsmount* top) {
  for (vfsmount *m = list_tree(top), *next; m; m = next) {
    next = std::exchange(m->mnt_landing, nullptr);
    take_off(m);
  }
}

// ---- Hanging in ---------------------------------------------------------------------------------------------------------------
namespace {

unsigned count_mounts(vfsmount* tree) {
  unsigned n = 0;
  for (vfsmount* m = tree; m; m = next_mnt(m, tree)) n++;
  return n;
}

Result<void> room_for(const mnt_namespace* ns, vfsmount* tree) {
  const unsigned max = static_cast<unsigned>(READ_ONCE(sysctl_mount_max));
  return ns->mounts > max || count_mounts(tree) > max - ns->mounts ? fail(ENOSPC) : Result<void>{};
}

Result<void> make_groups(vfsmount* tree) {
  for (vfsmount* m = tree; m; m = next_mnt(m, tree)) TRY(make_group(m));
  return {};
}

// Ids that make_groups gave to what did not become shared after all.
void drop_unused_groups(vfsmount* tree) {
  for (vfsmount* m = tree; m; m = next_mnt(m, tree))
    if (m->mnt_group_id && !is_shared(m)) change_propagation(m, Propagation::Slave);
}

// A copy arrives at its place. What is mounted there already goes on top of it.
void land(vfsmount* copy, dentry* point) {
  vfsmount* r = std::exchange(copy->mnt_landing, nullptr);
  list_del_init(&copy->mnt_list);
  if (r->mnt_ns->user_ns != current_mnt_ns()->user_ns) lock_mnt_tree(copy);
  copy->mnt_flags &= ~MNT_LOCKED;
  join_namespace(copy, r->mnt_ns);
  TreeChange change;
  vfsmount* there = __lookup_mnt(r, point);
  hash_mount(copy, r, point);
  if (!there) return;
  vfsmount* top = copy;
  while (vfsmount* above = __lookup_mnt(top, top->mnt_root)) top = above;
  path was = unhash_mount(there);
  hash_mount(there, top, top->mnt_root);
  atomic_dec(&was.mnt->mnt_count);  // `copy` holds both
  atomic_dec(&was.dentry->d_count);
}

Result<void> prepare_shared(vfsmount* tree, const path* at, list_head* copies) {
  TRY(make_groups(tree));
  TRY(prepare_propagation(tree, at, copies));
  vfsmount* copy;
  list_for_each_entry(copy, copies, mnt_list) TRY(room_for(copy->mnt_landing->mnt_ns, copy));
  return {};
}

void place(vfsmount* tree, const path* at, Attach how) {
  path was{};
  {
    TreeChange change;
    if (how == Attach::Move) was = unhash_mount(tree);
    hash_mount(tree, at->mnt, at->dentry);
  }
  if (was.dentry) path_put(&was);
}

}  // namespace

void join_namespace(vfsmount* tree, mnt_namespace* ns) {
  for (vfsmount* m = tree; m; m = next_mnt(m, tree)) {
    m->mnt_ns = ns;
    list_add_tail(&m->mnt_list, &ns->list);
    ns->mounts++;
  }
}

Result<void> attach_tree(vfsmount* tree, const path* at, Attach how) {
  if (how == Attach::New) TRY(room_for(at->mnt->mnt_ns, tree));
  list_head copies;
  INIT_LIST_HEAD(&copies);
  if (is_shared(at->mnt)) {
    if (auto r = prepare_shared(tree, at, &copies); !r) {
      while (!list_empty(&copies)) {
        vfsmount* copy = list_first_entry(&copies, vfsmount, mnt_list);
        copy->mnt_landing = nullptr;
        discard_tree(copy);
      }
      drop_unused_groups(tree);
      return r;
    }
    for (vfsmount* m = tree; m; m = next_mnt(m, tree)) change_propagation(m, Propagation::Shared);
  }
  if (how == Attach::New) join_namespace(tree, at->mnt->mnt_ns);
  place(tree, at, how);
  while (!list_empty(&copies)) land(list_first_entry(&copies, vfsmount, mnt_list), at->dentry);
  return {};
}

void lock_mnt_tree(vfsmount* tree) {
  for (vfsmount* m = tree; m; m = next_mnt(m, tree)) {
    int f = m->mnt_flags | MNT_LOCK_ATIME | MNT_LOCKED;
    if (f & MNT_READONLY) f |= MNT_LOCK_READONLY;
    if (f & MNT_NODEV) f |= MNT_LOCK_NODEV;
    if (f & MNT_NOSUID) f |= MNT_LOCK_NOSUID;
    if (f & MNT_NOEXEC) f |= MNT_LOCK_NOEXEC;
    m->mnt_flags = f;
  }
}

bool has_locked_children(vfsmount* m, dentry* root) {
  const vfsmount* c;
  list_for_each_entry(c, &m->mnt_mounts, mnt_child)
    if (c->mnt_flags & MNT_LOCKED && is_subdir(c->mnt_mountpoint, root)) return true;
  return false;
}

// ---- Places -----------------------------------------------------------------------------------------------------------------

Result<void> LockedPoint::lock(const path* at, LockedPoint* out) {
  path p = *at;
  path_get(&p);
  for (;;) {
    inode_lock(p.dentry->d_inode);
    if (p.dentry->d_flags & DCACHE_DELETED) {
      inode_unlock(p.dentry->d_inode);
      path_put(&p);
      return fail(ENOENT);
    }
    vfsmount* above = lookup_mnt(&p);  // who mounts there locks the same inode
    if (!above) break;
    inode_unlock(p.dentry->d_inode);
    path_put(&p);
    p = {above, dget(above->mnt_root)};
  }
  out->at_ = p;
  return {};
}

LockedPoint::~LockedPoint() {
  if (!at_.dentry) return;
  inode_unlock(at_.dentry->d_inode);
  path_put(&at_);
}
