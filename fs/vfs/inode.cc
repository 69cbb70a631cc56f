// Inodes: made, referenced, freed; times.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/timekeeping.h>

#include "fs/vfs/internal.hh"
#include "init/report.hh"
#include "kernel/cred/cred.hh"
#include "kernel/sync/guards.hh"

void inode_lock(inode* i) { down_write(&i->i_rwsem); }
void inode_lock_child(inode* i) { down_write_nested(&i->i_rwsem, 1); }
void inode_unlock(inode* i) { up_write(&i->i_rwsem); }
void inode_lock_shared(inode* i) { down_read(&i->i_rwsem); }
void inode_unlock_shared(inode* i) { up_read(&i->i_rwsem); }

s64 current_time(const inode*) { return ktime_get_coarse_real(); }

namespace {

constexpr inode_operations kNoInodeOps{};
constexpr file_operations kNoFileOps{};

void free_plain_inode(inode* i) { kmem_cache_free(vfs->inode_cache, i); }

void free_inode_rcu(rcu_head* head) {
  inode* i = container_of(head, inode, i_rcu);
  i->i_free(i);
}

void inode_init_always(inode* i, super_block* sb) {
  i->i_mode = 0;
  i->i_flags = 0;
  i->i_uid = {0};
  i->i_gid = {0};
  i->i_op = &kNoInodeOps;
  i->i_fop = &kNoFileOps;
  i->i_sb = sb;
  i->i_mapping = nullptr;
  i->i_link = nullptr;
  i->i_nlink = 1;
  i->i_rdev = 0;
  i->i_atime = i->i_mtime = i->i_ctime = i->i_btime = current_time(i);
  i->i_blocks = 0;
  atomic_set(&i->i_count, 1);
  atomic_set(&i->i_writecount, 0);
  init_rwsem(&i->i_rwsem);
  spin_lock_init(&i->i_lock);
  i->i_pipe = nullptr;
  i->i_flctx = nullptr;
  i->i_private = nullptr;
  i->i_data.i_size = 0;
}

}  // namespace

inode* new_inode(super_block* sb) {
  inode* i = sb->s_op->alloc_inode ? sb->s_op->alloc_inode(sb)
                                   : static_cast<inode*>(kmem_cache_alloc(vfs->inode_cache, GFP_KERNEL));
  if (!i) return nullptr;
  inode_init_always(i, sb);
  i->i_ino = get_next_ino(sb);
  i->i_free = sb->s_op->free_inode ? sb->s_op->free_inode : free_plain_inode;
  atomic_long_inc(&vfs->nr_inodes);
  return i;
}

void inode_init_owner(inode* i, const inode* dir, umode_t mode) {
  i->i_uid = current_cred()->fsuid;
  if (dir && (dir->i_mode & S_ISGID)) {
    i->i_gid = dir->i_gid;
    if (S_ISDIR(mode)) {
      mode |= S_ISGID;
    } else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !in_group_p(dir->i_gid) && !capable_wrt_inode(dir, CAP_FSETID)) {
      mode &= ~S_ISGID;
    }
  } else {
    i->i_gid = current_cred()->fsgid;
  }
  i->i_mode = mode;
}

void iput(inode* i) {
  if (!i || !atomic_dec_and_test(&i->i_count)) return;
  if (i->i_sb->s_op->evict_inode) i->i_sb->s_op->evict_inode(i);
  if (i->i_flctx) locks_free_context(i);
  WARN_ON_ONCE(i->i_pipe);
  atomic_long_dec(&vfs->nr_inodes);
  call_rcu(&i->i_rcu, free_inode_rcu);
}

const file_operations bad_sock_fops = {.open = [](inode*, file*) { return -ENXIO; }};

void init_special_inode(inode* i, umode_t mode, unsigned dev) {
  i->i_mode = mode;
  if (S_ISCHR(mode) || S_ISBLK(mode)) {
    i->i_rdev = dev;
    i->i_fop = &def_chr_fops;  // a block device finds nobody there: ENXIO
  } else if (S_ISFIFO(mode)) {
    i->i_fop = &def_fifo_fops;
  } else {
    i->i_fop = &bad_sock_fops;
  }
}

// relatime: reads show only if they are news: first since the last change, or a day old.
void touch_atime(file* f) {
  inode* i = f->f_inode;
  const vfsmount* m = f->f_path.mnt;
  if ((f->f_flags & O_NOATIME) || (i->i_flags & S_NOATIME) || !m || (m->mnt_flags & MNT_NOATIME)) return;
  if (S_ISDIR(i->i_mode) && (m->mnt_flags & MNT_NODIRATIME)) return;
  s64 atime = READ_ONCE(i->i_atime);
  s64 now = current_time(i);
  constexpr s64 kDay = 24ll * 3600 * 1'000'000'000;
  if ((m->mnt_flags & MNT_RELATIME) && atime > READ_ONCE(i->i_mtime) && atime > READ_ONCE(i->i_ctime) && now - atime < kDay)
    return;
  if (now == atime || mount_is_readonly(m)) return;
  WRITE_ONCE(i->i_atime, now);
}

void file_update_time(file* f) {
  inode* i = f->f_inode;
  s64 now = current_time(i);
  if (READ_ONCE(i->i_mtime) == now && READ_ONCE(i->i_ctime) == now) return;
  WRITE_ONCE(i->i_mtime, now);
  WRITE_ONCE(i->i_ctime, now);
}

Result<void> file_remove_privs(file* f) {
  inode* i = f->f_inode;
  umode_t mode = i->i_mode;
  bool group_exec = (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
  if (!S_ISREG(mode) || (!(mode & S_ISUID) && !group_exec)) [[likely]] return {};
  if (capable(CAP_FSETID)) return {};
  iattr a{};
  a.ia_valid = ATTR_FORCE | ATTR_MODE | ATTR_CTIME;
  a.ia_mode = mode & ~(S_ISUID | (group_exec ? S_ISGID : 0));
  setattr_copy(i, &a);
  return {};
}

void inode_init_caches() {
  vfs->inode_cache = kmem_cache_create("inode_cache", sizeof(inode), 64, 0, nullptr);
  BUG_ON(!vfs->inode_cache);
}
