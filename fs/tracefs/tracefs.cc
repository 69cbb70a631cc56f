// tracefs, the file system: its super block, and how its tree is made. What is in it: kernel/trace/files.cc.
// SPDX-License-Identifier: Apache-2.0
#include "fs/tracefs/tracefs.hh"

#include <linux/bug.h>

#include "kernel/trace/tracefs.hh"

int dcache_readdir(file* f, dir_context* ctx);  // fs/vfs
loff_t dcache_dir_llseek(file* f, loff_t off, int whence);
void shrink_tree(dentry* root);

namespace {

constexpr long kTracefsMagic = 0x74726163;

// O_TRUNC, which a shell's > gives, is taken and means what the file makes of it.
Result<void> file_setattr(dentry* d, iattr* attr) {
  attr->ia_valid &= ~ATTR_SIZE;
  return simple_setattr(d, attr);
}
Result<void> no_mkdir(inode*, dentry*, umode_t) { return fail(EPERM); }
Result<void> no_rmdir(inode*, dentry*) { return fail(EPERM); }

constexpr inode_operations kFileIops = {.setattr = file_setattr};
constexpr inode_operations kDirIops = {.mkdir = no_mkdir, .rmdir = no_rmdir};
constexpr file_operations kDirFops = {.llseek = dcache_dir_llseek, .read = generic_read_dir, .iterate_shared = dcache_readdir};
constexpr super_operations kSuperOps = {};

inode* make_inode(super_block* sb, umode_t mode) {
  inode* i = new_inode(sb);
  if (!i) return nullptr;
  i->i_ino = get_next_ino(sb);
  i->i_mode = mode;
  i->i_op = S_ISDIR(mode) ? &kDirIops : &kFileIops;
  i->i_fop = &kDirFops;
  if (S_ISDIR(mode)) i->i_nlink = 2;
  return i;
}

Result<dentry*> add(const char* name, dentry* parent, umode_t mode, void* data, const file_operations* fops) {
  inode* i = make_inode(parent->d_sb, mode);
  if (!i) return fail(ENOMEM);
  i->i_private = data;
  if (fops) i->i_fop = fops;
  dentry* d = d_alloc(parent, name);
  if (!d) {
    iput(i);
    return fail(ENOMEM);
  }
  d_instantiate(d, i);
  inode_lock(parent->d_inode);
  if (S_ISDIR(mode)) inc_nlink(parent->d_inode);
  d_add(d);
  inode_unlock(parent->d_inode);
  dput(d);
  return d;
}

Result<void> fill(super_block* sb, const char*) {
  sb->s_op = &kSuperOps;
  sb->s_magic = kTracefsMagic;
  sb->s_complete = true;
  inode* root = make_inode(sb, S_IFDIR | 0700);
  if (!root) return fail(ENOMEM);
  sb->s_root = d_alloc_root(root);
  if (!sb->s_root) return fail(ENOMEM);
  Result<void> made = trace_make_files(sb->s_root);
  if (!made) {
    shrink_tree(sb->s_root);
    dput(sb->s_root);
  }
  return made;
}

constinit file_system_type type{"tracefs", FS_SINGLE, fill, nullptr};

}  // namespace

Result<dentry*> tracefs_create_dir(const char* name, dentry* parent) {
  return add(name, parent, S_IFDIR | 0750, nullptr, nullptr);
}
Result<dentry*> tracefs_create_file(const char* name, umode_t mode, dentry* parent, void* data, const file_operations* fops) {
  return add(name, parent, static_cast<umode_t>(S_IFREG | mode), data, fops);
}

void tracefs_register() { BUG_ON(register_filesystem(&type)); }
void tracefs_unregister() { unregister_filesystem(&type); }
