// The files behind namespaces, on an internal mount. A namespace may have several inodes at a time, all of its number and this
// device, which is what makes two files the same to stat(2).
// SPDX-License-Identifier: Apache-2.0
#include "fs/nsfs/nsfs.hh"

#include <linux/err.h>
#include <linux/kernel.h>

#include "fs/vfs/internal.hh"
#include "fs/vfs/super.hh"
#include "init/report.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "mm/uaccess.hh"

namespace {

constinit vfsmount* nsfs_mnt{};

ns_common* ns_of(const inode* i) { return static_cast<ns_common*>(i->i_private); }

void evict_ns(inode* i) {
  if (ns_common* ns = ns_of(i)) ns->ops->put(ns);
}

constexpr super_operations kNsSuperOps = {.evict_inode = evict_ns};

Result<void> fill_nsfs(super_block* sb, const char*) {
  sb->s_op = &kNsSuperOps;
  sb->s_magic = NSFS_MAGIC;
  inode* root = new_inode(sb);
  if (!root) return fail(ENOMEM);
  root->i_mode = S_IFDIR | 0700;
  sb->s_root = d_alloc_root(root);
  return sb->s_root ? Result<void>{} : fail(ENOMEM);
}

constinit file_system_type nsfs_type{"nsfs", 0, fill_nsfs, nullptr};

extern const file_operations kNsFops;

// Takes over the reference of ns, also if it fails.
Result<dentry*> make_dentry(ns_common* ns) {
  inode* i = new_inode(nsfs_mnt->mnt_sb);
  if (!i) {
    ns->ops->put(ns);
    return fail(ENOMEM);
  }
  i->i_private = ns;
  i->i_ino = ns->inum;
  i->i_mode = S_IFREG | 0444;
  i->i_fop = &kNsFops;
  char name[40];
  const int n = snprintf(name, sizeof(name), "%s:[%u]", ns->ops->real_ns_name, ns->inum);
  dentry* d = d_alloc(nullptr, {name, static_cast<size_t>(n)});
  if (!d) {
    iput(i);
    return fail(ENOMEM);
  }
  d->d_flags = DCACHE_ANON;
  d->d_sb = i->i_sb;
  d_instantiate(d, i);
  return d;
}

// A descriptor for ns, whose reference it takes over.
Result<int> open_ns(ns_common* ns) {
  PathRef at(path{mntget(nsfs_mnt), TRY(make_dentry(ns))});
  const int fd = static_cast<int>(TRY(from_abi(get_unused_fd_flags(O_CLOEXEC))));
  auto f = dentry_open(at.get(), O_RDONLY);
  if (f)
    fd_install(static_cast<unsigned>(fd), *f);
  else
    put_unused_fd(static_cast<unsigned>(fd));
  if (!f) return fail(f.error().code());
  return fd;
}

// ---- ioctl_ns(2) ----------------------------------------------------------------------------------------------------------

enum : unsigned { NS_GET_USERNS = 0xb701, NS_GET_PARENT = 0xb702, NS_GET_NSTYPE = 0xb703, NS_GET_OWNER_UID = 0xb704 };

// EPERM: the owner is not the caller's user namespace, nor below it.
Result<int> open_owner(ns_common* ns) {
  user_namespace* owner = ns->ops->owner(ns);
  if (!owner || !current_in_userns(owner)) return fail(EPERM);
  return open_ns(&get_user_ns(owner)->ns);
}

Result<unsigned> owner_uid(ns_common* ns) {
  if (ns->ops->type != CLONE_NEWUSER) return fail(EINVAL);
  return from_kuid_munged(current_user_ns(), container_of(ns, user_namespace, ns)->owner);
}

Result<int> open_parent(ns_common* ns) {
  if (!ns->ops->get_parent) return fail(EINVAL);
  ns_common* parent = ns->ops->get_parent(ns);
  if (IS_ERR(parent)) return fail(static_cast<int>(-PTR_ERR(parent)));
  return open_ns(parent);
}

long ns_ioctl(file* f, unsigned command, unsigned long arg) {
  ns_common* ns = ns_of(file_inode(f));
  switch (command) {
    case NS_GET_USERNS: return to_abi(open_owner(ns));
    case NS_GET_PARENT: return to_abi(open_parent(ns));
    case NS_GET_NSTYPE: return static_cast<long>(ns->ops->type);
    case NS_GET_OWNER_UID: return put_user(TRY_ABI(owner_uid(ns)), reinterpret_cast<unsigned __user*>(arg));
    default: return -ENOTTY;
  }
}

constinit const file_operations kNsFops = {.unlocked_ioctl = ns_ioctl};

}  // namespace

Result<path> ns_get_path(task_struct* t, const proc_ns_operations* ops) {
  ns_common* ns = ops->get(t);
  if (!ns) return fail(ENOENT);
  dentry* d = TRY(make_dentry(ns));
  return path{mntget(nsfs_mnt), d};
}

ns_common* get_proc_ns(const file* f) { return file_inode(f)->i_sb == nsfs_mnt->mnt_sb ? ns_of(file_inode(f)) : nullptr; }

void nsfs_init() {
  auto m = kern_mount(&nsfs_type);
  BUG_ON(!m);
  nsfs_mnt = *m;
  nsfs_mnt->mnt_flags &= ~MNT_INTERNAL;  // its files may be bound to names
}
void nsfs_quiesce() { kern_unmount(std::exchange(nsfs_mnt, nullptr)); }
