// Mount namespaces: their life, entering them, and the initial one. mount_namespaces(7).
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/string.h>

#include "fs/vfs/mount.hh"
#include "fs/vfs/super.hh"
#include "fs/vfs/walk.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/nsproxy/kinds.hh"
#include "kernel/sync/guards.hh"

mnt_namespace init_mnt_ns;

namespace {

constexpr long kNsfsMagic = 0x6e736673;

mnt_namespace* to_mnt_ns(ns_common* ns) { return container_of(ns, mnt_namespace, ns); }

// Without mounts. The first reference is the caller's.
Result<mnt_namespace*> alloc_mnt_ns(user_namespace* user_ns) {
  struct ucounts* charged = inc_ucount(user_ns, current_cred()->euid, UCOUNT_MNT_NAMESPACES);
  if (!charged) return fail(ENOSPC);
  auto* ns = static_cast<mnt_namespace*>(kzalloc(sizeof(mnt_namespace), GFP_KERNEL));
  Result<void> r = ns ? ns_common_init(&ns->ns, &mntns_operations) : fail(ENOMEM);
  if (!r) {
    kfree(ns);
    dec_ucount(charged, UCOUNT_MNT_NAMESPACES);
    return std::unexpected(r.error());
  }
  INIT_LIST_HEAD(&ns->list);
  ns->user_ns = get_user_ns(user_ns);
  ns->ucounts = charged;
  return ns;
}

void free_mnt_ns(mnt_namespace* ns) {
  ns_free_inum(&ns->ns);
  dec_ucount(ns->ucounts, UCOUNT_MNT_NAMESPACES);
  put_user_ns(ns->user_ns);
  kfree(ns);
}

// Nobody else sees fs. The references that it had go to *was.
void move_to_twin(path* p, const mnt_namespace* old, path* was) {
  if (!p->mnt || p->mnt->mnt_ns != old) return;
  *was = *p;
  p->mnt = mntget(p->mnt->mnt_twin);
  dget(p->dentry);
}

Result<void> fill_mnt_ns(mnt_namespace* ns, mnt_namespace* old, fs_struct* fs) {
  path root_was{}, pwd_was{};
  {
    NamespaceLock lock;
    const bool less_power = ns->user_ns != old->user_ns;
    vfsmount* tree = TRY(copy_tree(old->root, old->root->mnt_root, less_power ? CloneAs::SharedToSlave : CloneAs::Same,
                                   CopyUnbindable::Yes));
    if (less_power) lock_mnt_tree(tree);
    ns->root = tree;
    ns->seq = vfs->next_mnt_ns++;
    join_namespace(tree, ns);
    SpinGuard guard(fs->lock);
    seq_begin(fs->seq);
    move_to_twin(&fs->root, old, &root_was);
    move_to_twin(&fs->pwd, old, &pwd_was);
    seq_end(fs->seq);
  }
  if (root_was.dentry) path_put(&root_was);
  if (pwd_was.dentry) path_put(&pwd_was);
  return {};
}

}  // namespace

Result<mnt_namespace*> copy_mnt_ns(u64 flags, mnt_namespace* old, user_namespace* user_ns, fs_struct* fs) {
  if (!(flags & CLONE_NEWNS)) [[likely]] {
    refcount_inc(&old->ns.count);
    return old;
  }
  mnt_namespace* ns = TRY(alloc_mnt_ns(user_ns));
  if (auto r = fill_mnt_ns(ns, old, fs); !r) {
    free_mnt_ns(ns);
    return std::unexpected(r.error());
  }
  return ns;
}

void put_mnt_ns(mnt_namespace* ns) {
  if (!refcount_dec_and_test(&ns->ns.count)) return;
  {
    NamespaceLock lock;
    umount_tree(ns->root, Propagate::No);
  }
  free_mnt_ns(ns);
}

// ---- As nsfs and setns see it ------------------------------------------------------------------------------------------------
namespace {

// The root of a namespace: what is mounted on top of its first mount.
PathRef root_of(mnt_namespace* ns) {
  vfsmount* first;
  {
    NamespaceLock lock;
    first = mntget(ns->root);
  }
  PathRef top = Walk::cross_mounts(first, dget(first->mnt_root));
  mntput(first);
  return top;
}

int mntns_install(nsset* set, ns_common* common) {
  mnt_namespace* ns = to_mnt_ns(common);
  if (!ns_capable(ns->user_ns, CAP_SYS_ADMIN) || !ns_capable(set->cred->user_ns, CAP_SYS_CHROOT) ||
      !ns_capable(set->cred->user_ns, CAP_SYS_ADMIN))
    return -EPERM;
  if (set->fs->users != 1) return -EINVAL;
  refcount_inc(&ns->ns.count);
  put_mnt_ns(std::exchange(set->nsproxy->mnt_ns, ns));
  PathRef root = root_of(ns);
  set_fs_root(set->fs, root.get());
  set_fs_pwd(set->fs, root.get());
  return 0;
}

}  // namespace

constinit const proc_ns_operations mntns_operations = {
    .name = "mnt",
    .real_ns_name = "mnt",
    .type = CLONE_NEWNS,
    .get = [](task_struct* t) { return get_ns_of(t, [](struct nsproxy* p) { return &p->mnt_ns->ns; }); },
    .put = [](ns_common* ns) { put_mnt_ns(to_mnt_ns(ns)); },
    .install = mntns_install,
    .owner = [](ns_common* ns) { return to_mnt_ns(ns)->user_ns; },
    .get_parent = nullptr,
};

bool current_chrooted() {
  mnt_namespace* ns = current_mnt_ns();
  if (!ns || !ns->root) return false;
  path root;
  get_fs_root(current->fs, &root);
  PathRef held(root), whole = root_of(ns);
  return !(*held.get() == *whole.get());
}

// Where a mount of another namespace was handed to us by a descriptor, its set-id files are not ours to trust.
bool mnt_may_suid(const vfsmount* m) {
  return !(m->mnt_flags & MNT_NOSUID) && check_mnt(m) && current_in_userns(m->mnt_sb->s_user_ns);
}

bool is_nsfs(const dentry* d) { return d->d_sb->s_magic == kNsfsMagic; }

const mnt_namespace* mnt_ns_of(const dentry* d) {
  if (!is_nsfs(d)) return nullptr;
  auto* ns = static_cast<ns_common*>(d->d_inode->i_private);
  return ns && ns->ops == &mntns_operations ? to_mnt_ns(ns) : nullptr;
}

void for_each_mount(mnt_namespace* ns, void (*visit)(vfsmount*, void*), void* context) {
  NamespaceLock lock;
  vfsmount* m;
  list_for_each_entry(m, &ns->list, mnt_list) visit(m, context);
}

// ---- The initial one ------------------------------------------------------------------------------------------------------

Result<void> mount_root(const file_system_type* t) {
  super_block* sb = TRY(get_super(t, 0, nullptr, &init_user_ns));
  vfsmount* m = TRY(alloc_mount(sb, dget(sb->s_root), 0, "rootfs"));
  {
    NamespaceLock lock;
    init_mnt_ns.root = m;
    join_namespace(m, &init_mnt_ns);
  }
  path root{m, m->mnt_root};
  set_fs_root(&init_fs, &root);
  set_fs_pwd(&init_fs, &root);
  return {};
}

void namespace_init() {
  mounts_init();
  INIT_LIST_HEAD(&vfs->taken_off);
  INIT_LIST_HEAD(&vfs->supers);
  ida_init(&vfs->mnt_groups);
  sysctl_mount_max = 100000;
  init_mnt_ns = {};
  ns_common_init_static(&init_mnt_ns.ns, &mntns_operations, PROC_MNT_INIT_INO);
  init_mnt_ns.user_ns = &init_user_ns;
  INIT_LIST_HEAD(&init_mnt_ns.list);
  init_nsproxy.mnt_ns = &init_mnt_ns;
}

void namespace_quiesce() {
  NamespaceLock lock;
  if (vfsmount* root = std::exchange(init_mnt_ns.root, nullptr)) umount_tree(root, Propagate::No);
}
