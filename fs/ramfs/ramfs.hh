// ramfs and tmpfs: files that live in the page cache alone. tmpfs has limits: size=, nr_blocks=, nr_inodes=, mode=, uid=, gid=.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"

struct RamfsInfo {
  unsigned long max_blocks;  // pages; 0: no limit
  unsigned long max_inodes;  // 0: no limit
  atomic_long_t blocks, inodes;
  umode_t mode;
  unsigned uid, gid;
};

extern file_system_type ramfs_type, tmpfs_type;
extern vfsmount* shm_mnt;  // internal tmpfs of memfds
void ramfs_init();         // registers both and mounts the root
void ramfs_quiesce();
void ramfs_exit(LeakReport& r);

// options.cc: fills info from the text of mount(2); EINVAL for what it does not know.
Result<void> parse_tmpfs_options(const char* text, RamfsInfo* info);
// For a file system of its own making (devtmpfs).
Result<void> ramfs_fill_super(super_block* sb, const char* data);
extern const inode_operations ramfs_dir_inode_ops;
extern const file_operations ramfs_file_fops;
// Seals of a memfd (spec 60 N-2): kept with the inode.
unsigned* memfd_seals(inode* i);  // null: cannot be sealed
