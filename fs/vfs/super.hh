// File system types and super blocks, for those who list or mount them.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"

const file_system_type* find_filesystem(const char* name);
void for_each_filesystem(void (*visit)(const file_system_type*, void*), void* context);  // a spinlock is held
Result<super_block*> get_super(const file_system_type* t, unsigned flags, const char* data,
                               user_namespace* owner);  // one reference of s_active
// Each mount of a namespace in mount order; visit must not mount. Context as given.
void for_each_mount(mnt_namespace* ns, void (*visit)(vfsmount* m, void*), void* context);
