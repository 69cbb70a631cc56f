// Files without a name in any directory: eventfd, pidfd, and the internal mount that pipes and memfds have theirs on.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>

#include "fs/vfs/internal.hh"
#include "fs/vfs/super.hh"

namespace {

constexpr super_operations kAnonSuperOps{};

Result<void> fill_anon(super_block* sb, const char*) {
  sb->s_op = &kAnonSuperOps;
  sb->s_magic = ANON_INODE_FS_MAGIC;
  inode* root = new_inode(sb);
  if (!root) return fail(ENOMEM);
  root->i_mode = S_IFDIR | 0700;
  sb->s_root = d_alloc_root(root);
  return sb->s_root ? Result<void>{} : fail(ENOMEM);
}

constinit file_system_type anon_type{"anon_inodefs", 0, fill_anon, nullptr};
constinit inode* shared_inode = nullptr;  // all anonymous files show the same one

}  // namespace

Result<file*> alloc_file_pseudo(inode* i, vfsmount* mnt, std::string_view name, int flags, const file_operations* fops) {
  dentry* d = d_alloc(nullptr, name);
  if (!d) {
    iput(i);
    return fail(ENOMEM);
  }
  d->d_flags = DCACHE_ANON;
  d->d_sb = i->i_sb;
  d_instantiate(d, i);
  PathRef at(path{mntget(mnt), d});
  file* f = alloc_file();
  if (!f) return fail(ENFILE);
  f->f_path = *at.get();
  f->f_inode = i;
  f->f_mapping = i->i_mapping;
  f->f_flags = static_cast<unsigned>(flags & ~O_CLOEXEC);
  f->f_mode = static_cast<unsigned>(flags_to_fmode(flags)) | FMODE_OPENED | FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE;
  f->f_op = fops;
  at.release();
  return f;
}

Result<file*> anon_inode_getfile(const char* name, const file_operations* fops, void* priv, int flags) {
  char text[NAME_MAX];
  size_t n = 0;
  for (const char* s = "anon_inode:"; *s; s++) text[n++] = *s;
  for (; *name && n < sizeof(text); name++) text[n++] = *name;
  file* f = TRY(alloc_file_pseudo(igrab(shared_inode), vfs->anon_mnt, {text, n}, flags & (O_ACCMODE | O_NONBLOCK), fops));
  f->f_mode &= ~(FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE);
  f->private_data = priv;
  return f;
}

int anon_inode_getfd(const char* name, const file_operations* fops, void* priv, int flags) {
  int fd = get_unused_fd_flags(static_cast<unsigned>(flags));
  if (fd < 0) return fd;
  auto f = anon_inode_getfile(name, fops, priv, flags);
  if (!f) {
    put_unused_fd(static_cast<unsigned>(fd));
    return -f.error().code();
  }
  fd_install(static_cast<unsigned>(fd), *f);
  return fd;
}

void anon_inodes_init() {
  auto m = kern_mount(&anon_type);
  BUG_ON(!m);
  vfs->anon_mnt = *m;
  shared_inode = new_inode((*m)->mnt_sb);
  BUG_ON(!shared_inode);
  shared_inode->i_mode = S_IRUSR | S_IWUSR;  // no file type, as Linux shows it
}

void anon_inodes_quiesce() {
  iput(std::exchange(shared_inode, nullptr));
  kern_unmount(std::exchange(vfs->anon_mnt, nullptr));
}
