// Boot and end of the virtual file system.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#include "fs/vfs/internal.hh"
#include "init/report.hh"

constinit Late<VfsState> vfs;

void vfs_init() {
  vfs.construct();
  dcache_init();
  inode_init_caches();
  fdtable_init();
  namespace_init();
  char_dev_init();
  vfs->fs_cache = kmem_cache_create("fs_cache", sizeof(fs_struct), 64, 0, nullptr);
  BUG_ON(!vfs->fs_cache);
  init_fs = {};
  init_fs.users = 1;
  init_fs.umask = 022;
  spin_lock_init(&init_fs.lock);
  anon_inodes_init();
}

// Nobody has files or a working directory any more but kernel threads, who share init_fs.
void vfs_quiesce() {
  path root = std::exchange(init_fs.root, path{}), pwd = std::exchange(init_fs.pwd, path{});
  if (root.dentry) path_put(&root);
  if (pwd.dentry) path_put(&pwd);
  namespace_quiesce();
  anon_inodes_quiesce();
  file_table_quiesce();
  rcu_barrier();
}

void vfs_exit(LeakReport& r) {
  r.expect_zero("mounts", atomic_long_read(&vfs->nr_mounts));
  r.expect_zero("super blocks", atomic_long_read(&vfs->nr_supers));
  r.expect_zero("inodes", atomic_long_read(&vfs->nr_inodes));
  char_dev_exit(r);
  file_table_exit(r);
  kmem_cache_destroy(vfs->fs_cache);
  kmem_cache_destroy(vfs->mnt_cache);
  kmem_cache_destroy(vfs->inode_cache);
  dcache_exit(r);
  vfs.destroy();
}
