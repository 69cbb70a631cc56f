// What the files of fs/ramfs share.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"

extern const inode_operations ramfs_file_inode_ops;
extern const file_operations ramfs_dir_fops;
extern const address_space_operations ramfs_aops;
int ramfs_fsync(file* f, loff_t start, loff_t end, int datasync);
void ramfs_show_options(seq_file* m, super_block* sb);
Result<inode*> ramfs_make_file(super_block* sb, umode_t mode);
// fs/vfs/readdir.cc
int dcache_readdir(file* f, dir_context* ctx);
loff_t dcache_dir_llseek(file* f, loff_t off, int whence);
