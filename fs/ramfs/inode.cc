// ramfs and tmpfs: directories, inodes, limits. Every name is in the dcache; every byte is in the page cache.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/ramfs/internal.hh"
#include "fs/ramfs/ramfs.hh"
#include "fs/vfs/internal.hh"
#include "init/report.hh"
#include "kernel/cred/cred.hh"
#include "mm/page_alloc.hh"

namespace {

RamfsInfo* info_of(const super_block* sb) { return static_cast<RamfsInfo*>(sb->s_fs_info); }

constexpr inode_operations kSymlinkOps{};
constexpr loff_t kDirentSize = 20;  // what tmpfs adds to a directory's size for each name, and for "." and ".."

bool take_one(atomic_long_t* used, unsigned long max) {
  if (static_cast<unsigned long>(atomic_long_inc_return(used)) <= max || !max) return true;
  atomic_long_dec(used);
  return false;
}

// A new inode of mode; its type decides the rest. dir null: the root.
Result<inode*> make_inode(super_block* sb, const inode* dir, umode_t mode, unsigned dev) {
  RamfsInfo* info = info_of(sb);
  if (!take_one(&info->inodes, info->max_inodes)) return fail(ENOSPC);
  inode* i = new_inode(sb);
  if (!i) {
    atomic_long_dec(&info->inodes);
    return fail(ENOSPC);
  }
  inode_init_owner(i, dir, mode);
  switch (mode & S_IFMT) {
    case S_IFREG:
      i->i_op = &ramfs_file_inode_ops;
      i->i_fop = &ramfs_file_fops;
      i->i_mapping = &i->i_data;
      address_space_init(&i->i_data, i, &ramfs_aops);
      break;
    case S_IFDIR:
      i->i_op = &ramfs_dir_inode_ops;
      i->i_fop = &ramfs_dir_fops;
      i->i_nlink = 2;
      i_size_write(i, 2 * kDirentSize);
      break;
    case S_IFLNK:
      i->i_op = &kSymlinkOps;
      break;
    default:
      init_special_inode(i, i->i_mode, dev);
  }
  return i;
}

void touch_dir(inode* dir, int names) {
  i_size_write(dir, i_size_read(dir) + names * kDirentSize);
  dir->i_mtime = dir->i_ctime = current_time(dir);
}

Result<void> add(inode* dir, dentry* d, umode_t mode, unsigned dev) {
  inode* i = TRY(make_inode(dir->i_sb, dir, mode, dev));
  d_instantiate(d, i);
  touch_dir(dir, 1);
  return {};
}

Result<void> ramfs_create(inode* dir, dentry* d, umode_t mode) { return add(dir, d, mode | S_IFREG, 0); }
Result<void> ramfs_mknod(inode* dir, dentry* d, umode_t mode, unsigned dev) { return add(dir, d, mode, dev); }
Result<void> ramfs_mkdir(inode* dir, dentry* d, umode_t mode) {
  TRY(add(dir, d, mode | S_IFDIR, 0));
  inc_nlink(dir);
  return {};
}

Result<void> ramfs_symlink(inode* dir, dentry* d, const char* target) {
  const char* text = kstrdup(target, GFP_KERNEL);
  if (!text) return fail(ENOMEM);
  auto made = make_inode(dir->i_sb, dir, S_IFLNK | S_IRWXUGO, 0);
  if (!made) {
    kfree(text);
    return std::unexpected(made.error());
  }
  inode* i = *made;
  i->i_link = text;
  i_size_write(i, static_cast<loff_t>(strlen(text)));
  d_instantiate(d, i);
  touch_dir(dir, 1);
  return {};
}

Result<void> ramfs_link(dentry* old, inode* dir, dentry* d) {
  inode* i = old->d_inode;
  RamfsInfo* info = info_of(dir->i_sb);
  if (!take_one(&info->inodes, info->max_inodes)) return fail(ENOSPC);  // tmpfs counts names
  inc_nlink(i);
  i->i_ctime = current_time(i);
  d_instantiate(d, igrab(i));
  touch_dir(dir, 1);
  return {};
}

Result<void> ramfs_unlink(inode* dir, dentry* d) {
  inode* i = d->d_inode;
  if (i->i_nlink > 1 && !S_ISDIR(i->i_mode)) atomic_long_dec(&info_of(dir->i_sb)->inodes);
  drop_nlink(i);
  touch_dir(dir, -1);
  i->i_ctime = dir->i_ctime;
  return {};
}

Result<void> ramfs_rmdir(inode* dir, dentry* d) {
  if (d_has_children(d)) return fail(ENOTEMPTY);
  drop_nlink(d->d_inode);
  drop_nlink(dir);
  return ramfs_unlink(dir, d);
}

Result<void> ramfs_rename(inode* old_dir, dentry* old, inode* new_dir, dentry* target, unsigned flags) {
  bool is_dir = S_ISDIR(old->d_inode->i_mode);
  if (flags & RENAME_EXCHANGE) {
    bool target_dir = S_ISDIR(target->d_inode->i_mode);
    if (old_dir != new_dir && is_dir != target_dir) {
      drop_nlink(is_dir ? old_dir : new_dir);
      inc_nlink(is_dir ? new_dir : old_dir);
    }
  } else if (target) {
    if (d_has_children(target)) return fail(ENOTEMPTY);
    if (is_dir) {  // the target's ".." and the moved one's go, the new parent gets one
      drop_nlink(target->d_inode);
      drop_nlink(old_dir);
    }
    TRY(ramfs_unlink(new_dir, target));
  } else if (is_dir) {
    drop_nlink(old_dir);
    inc_nlink(new_dir);
  }
  s64 now = current_time(old_dir);
  if (!(flags & RENAME_EXCHANGE)) {
    i_size_write(old_dir, i_size_read(old_dir) - kDirentSize);
    i_size_write(new_dir, i_size_read(new_dir) + kDirentSize);
  }
  old_dir->i_mtime = old_dir->i_ctime = new_dir->i_mtime = new_dir->i_ctime = old->d_inode->i_ctime = now;
  return {};
}

Result<inode*> ramfs_tmpfile(inode* dir, umode_t mode) {
  inode* i = TRY(make_inode(dir->i_sb, dir, mode | S_IFREG, 0));
  i->i_nlink = 0;
  return i;
}

}  // namespace

const inode_operations ramfs_dir_inode_ops = {
    .create = ramfs_create, .link = ramfs_link, .unlink = ramfs_unlink, .symlink = ramfs_symlink, .mkdir = ramfs_mkdir,
    .rmdir = ramfs_rmdir, .mknod = ramfs_mknod, .rename = ramfs_rename, .tmpfile = ramfs_tmpfile,
};

const file_operations ramfs_dir_fops = {
    .llseek = dcache_dir_llseek, .read = generic_read_dir, .iterate_shared = dcache_readdir, .fsync = ramfs_fsync,
};

Result<inode*> ramfs_make_file(super_block* sb, umode_t mode) { return make_inode(sb, nullptr, mode | S_IFREG, 0); }

// ---- Super block ------------------------------------------------------------------------------------------------------
namespace {

void ramfs_evict(inode* i) {
  if (i->i_mapping) address_space_destroy(&i->i_data);
  atomic_long_dec(&info_of(i->i_sb)->inodes);
}

void ramfs_free_inode(inode* i) {
  kfree(i->i_link);
  kfree(i->i_private);
  kmem_cache_free(vfs->inode_cache, i);
}

Result<void> ramfs_statfs(super_block* sb, kstatfs* st) {
  const RamfsInfo* info = info_of(sb);
  if (info->max_blocks) {
    long used = atomic_long_read(&info->blocks);
    st->f_blocks = info->max_blocks;
    st->f_bfree = st->f_bavail = info->max_blocks - static_cast<unsigned long>(used);
  }
  if (info->max_inodes) {
    st->f_files = info->max_inodes;
    st->f_ffree = info->max_inodes - static_cast<unsigned long>(atomic_long_read(&info->inodes));
  }
  return {};
}

Result<void> ramfs_remount(super_block* sb, unsigned*, const char* data) {
  RamfsInfo* info = info_of(sb);
  if (sb->s_magic != TMPFS_MAGIC) return {};
  RamfsInfo want = *info;
  TRY(parse_tmpfs_options(data, &want));
  if (want.max_blocks && static_cast<unsigned long>(atomic_long_read(&info->blocks)) > want.max_blocks) return fail(EINVAL);
  if (want.max_inodes && static_cast<unsigned long>(atomic_long_read(&info->inodes)) > want.max_inodes) return fail(EINVAL);
  if (!info->max_blocks != !want.max_blocks || !info->max_inodes != !want.max_inodes) return fail(EINVAL);
  info->max_blocks = want.max_blocks;
  info->max_inodes = want.max_inodes;
  return {};
}

void ramfs_put_super(super_block* sb) { kfree(sb->s_fs_info); }

constexpr super_operations kRamfsSuperOps = {
    .evict_inode = ramfs_evict, .free_inode = ramfs_free_inode, .statfs = ramfs_statfs, .remount = ramfs_remount,
    .put_super = ramfs_put_super, .show_options = ramfs_show_options,
};

Result<void> fill(super_block* sb, RamfsInfo* info) {
  sb->s_op = &kRamfsSuperOps;
  sb->s_complete = true;
  sb->s_fs_info = info;
  inode* root = TRY(make_inode(sb, nullptr, S_IFDIR | info->mode, 0));
  root->i_uid = {info->uid};
  root->i_gid = {info->gid};
  sb->s_root = d_alloc_root(root);
  return sb->s_root ? Result<void>{} : fail(ENOMEM);
}

Result<void> fill_with(super_block* sb, const char* data, long magic, umode_t mode, bool limits) {
  auto* info = static_cast<RamfsInfo*>(kzalloc(sizeof(RamfsInfo), GFP_KERNEL));
  if (!info) return fail(ENOMEM);
  info->mode = mode;
  info->uid = current_cred()->fsuid.val;
  info->gid = current_cred()->fsgid.val;
  if (limits) info->max_blocks = info->max_inodes = totalram_pages() / 2;
  sb->s_magic = magic;
  Result<void> r = limits ? parse_tmpfs_options(data, info) : Result<void>{};
  if (r) r = fill(sb, info);
  if (!r) kfree(info);
  return r;
}

Result<void> fill_tmpfs(super_block* sb, const char* data) { return fill_with(sb, data, TMPFS_MAGIC, 01777, true); }

}  // namespace

Result<void> ramfs_fill_super(super_block* sb, const char* data) { return fill_with(sb, data, RAMFS_MAGIC, 0755, false); }

constinit file_system_type ramfs_type{"ramfs", FS_USERNS_MOUNT, ramfs_fill_super, nullptr};
constinit file_system_type tmpfs_type{"tmpfs", FS_USERNS_MOUNT, fill_tmpfs, nullptr};
constinit file_system_type rootfs_type{"rootfs", 0, ramfs_fill_super, nullptr};
vfsmount* shm_mnt;

void ramfs_init() {
  BUG_ON(register_filesystem(&tmpfs_type) || register_filesystem(&ramfs_type));
  BUG_ON(!mount_root(&rootfs_type));
  auto m = kern_mount(&tmpfs_type);
  BUG_ON(!m);
  shm_mnt = *m;
}

void ramfs_quiesce() {
  kern_unmount(std::exchange(shm_mnt, nullptr));
  unregister_filesystem(&ramfs_type);
  unregister_filesystem(&tmpfs_type);
}

void ramfs_exit(LeakReport&) {}
