// Propagation of mounts: peer groups and slaves. mount_namespaces(7), "Shared subtrees".
//
// Peers are a ring; each member has a list of those who are its slaves, so the slaves of a group are those of its members. A
// slave may be shared too: then its peers are slaves of the same group as well. All under namespace_mutex.
// SPDX-License-Identifier: Apache-2.0
#include <linux/idr.h>

#include "fs/vfs/mount.hh"

Result<void> make_group(vfsmount* m) {
  if (m->mnt_group_id) return {};
  const int id = ida_alloc_min(&vfs->mnt_groups, 1, GFP_KERNEL);
  if (id < 0) return fail(ENOMEM);
  m->mnt_group_id = id;
  return {};
}

void make_peer(vfsmount* m, vfsmount* of) {
  m->mnt_group_id = of->mnt_group_id;
  m->mnt_flags |= MNT_SHARED;
  list_add(&m->mnt_share, &of->mnt_share);
}

void make_slave_of(vfsmount* m, vfsmount* master) {
  list_add(&m->mnt_slave, &master->mnt_slave_list);
  m->mnt_master = master;
}

namespace {

// A peer to take m's part; one that shows the same directory, if there is one. Null: m is alone.
vfsmount* heir_of(const vfsmount* m) {
  vfsmount* any = nullptr;
  for (vfsmount* p = next_peer(m); p != m; p = next_peer(p)) {
    if (p->mnt_root == m->mnt_root) return p;
    any = p;
  }
  return any;
}

// m leaves its ring; its slaves become those of an heir, or of its own master.
void leave_group(vfsmount* m) {
  vfsmount* heir = heir_of(m);
  if (!heir && m->mnt_group_id) ida_free(&vfs->mnt_groups, static_cast<unsigned>(m->mnt_group_id));
  m->mnt_group_id = 0;
  m->mnt_flags &= ~MNT_SHARED;
  list_del_init(&m->mnt_share);
  vfsmount* master = heir ? heir : m->mnt_master;
  while (!list_empty(&m->mnt_slave_list)) {
    vfsmount* s = list_first_entry(&m->mnt_slave_list, vfsmount, mnt_slave);
    list_del_init(&s->mnt_slave);
    s->mnt_master = nullptr;
    if (master) make_slave_of(s, master);
  }
  if (!heir) return;
  list_del_init(&m->mnt_slave);
  make_slave_of(m, heir);
}

void leave_master(vfsmount* m) {
  list_del_init(&m->mnt_slave);
  m->mnt_master = nullptr;
}

}  // namespace

void change_propagation(vfsmount* m, Propagation to) {
  if (to == Propagation::Shared) {
    m->mnt_flags = (m->mnt_flags & ~MNT_UNBINDABLE) | MNT_SHARED;
    return;
  }
  if (m->mnt_group_id || is_shared(m)) leave_group(m);
  if (to == Propagation::Slave) return;
  leave_master(m);
  m->mnt_flags = to == Propagation::Unbindable ? m->mnt_flags | MNT_UNBINDABLE : m->mnt_flags & ~MNT_UNBINDABLE;
}

// Down to slaves first; then the next slave of the same master, of its master, and at last the next peer of the origin.
vfsmount* Receivers::next() {
  if (!at_) return nullptr;
  if (!list_empty(&at_->mnt_slave_list)) return at_ = list_first_entry(&at_->mnt_slave_list, vfsmount, mnt_slave);
  while (at_ != peer_) {
    vfsmount* master = at_->mnt_master;
    if (!list_is_last(&at_->mnt_slave, &master->mnt_slave_list)) return at_ = list_next_entry(at_, mnt_slave);
    at_ = master;
  }
  peer_ = next_peer(peer_);
  return at_ = peer_ == origin_ ? nullptr : peer_;
}

namespace {

bool peers(const vfsmount* a, const vfsmount* b) { return a->mnt_group_id && a->mnt_group_id == b->mnt_group_id; }

struct Source {
  vfsmount* tree;
  CloneAs as;
};

// In m's ring, a member that has got its copy already.
vfsmount* landed_in_group(vfsmount* m) {
  if (m->mnt_landing) return m->mnt_landing;
  for (vfsmount* p = next_peer(m); p != m; p = next_peer(p))
    if (p->mnt_landing) return p->mnt_landing;
  return nullptr;
}

// What r's copy is a copy of: its peer's, else that of the nearest master who got one. Origin's landing is the tree itself.
Source source_for(vfsmount* r, const vfsmount* origin) {
  if (peers(r, origin)) return {origin->mnt_landing, CloneAs::Same};
  if (vfsmount* tree = landed_in_group(r)) return {tree, CloneAs::Same};
  for (vfsmount* m = r->mnt_master;; m = m->mnt_master) {
    if (!m) return {origin->mnt_landing, CloneAs::Private};
    if (vfsmount* tree = landed_in_group(m)) return {tree, is_shared(r) ? CloneAs::SharedSlave : CloneAs::Slave};
  }
}

Result<void> copy_for_all(vfsmount* tree, const path* at, list_head* copies) {
  Receivers all(at->mnt);
  for (vfsmount* r = all.first(); r; r = all.next()) {
    if (!r->mnt_ns || !is_subdir(at->dentry, r->mnt_root)) continue;
    const Source from = source_for(r, at->mnt);
    vfsmount* copy = TRY(copy_tree(from.tree, from.tree->mnt_root, from.as, CopyUnbindable::No));
    copy->mnt_landing = r;
    r->mnt_landing = copy;
    list_add_tail(&copy->mnt_list, copies);
  }
  return {};
}

}  // namespace

Result<void> prepare_propagation(vfsmount* tree, const path* at, list_head* copies) {
  at->mnt->mnt_landing = tree;
  Result<void> r = copy_for_all(tree, at, copies);
  Receivers all(at->mnt);
  for (vfsmount* m = all.first(); m; m = all.next()) m->mnt_landing = nullptr;
  at->mnt->mnt_landing = nullptr;
  return r;
}

// The nearest group above m's master with a member that can be seen from root.
int get_dominating_id(const vfsmount* m, const path* root) {
  for (const vfsmount* master = m->mnt_master; master; master = master->mnt_master) {
    const vfsmount* p = master;
    do {
      if (p->mnt_ns == root->mnt->mnt_ns && p->mnt_ns && mount_below(p, root->mnt)) return master->mnt_group_id;
      p = next_peer(p);
    } while (p != master);
  }
  return 0;
}
