// Directories and files of a file system whose contents the kernel makes: what tracefs is made of. Names are there until it is
// unmounted; users can neither make nor remove any.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"

// Both: while the tree is being filled, before anybody can see it. ENOMEM. The dentry is kept by its being found.
Result<dentry*> tracefs_create_dir(const char* name, dentry* parent);
Result<dentry*> tracefs_create_file(const char* name, umode_t mode, dentry* parent, void* data, const file_operations* fops);
// data of the file that f is open on.
inline void* tracefs_data(const file* f) { return file_inode(f)->i_private; }
