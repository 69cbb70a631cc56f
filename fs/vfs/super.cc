// File system types and super blocks; statfs, sync.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "fs/vfs/internal.hh"
#include "fs/vfs/super.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

DEFINE_MUTEX(supers_mutex);  // the list of super blocks, and filling one
DEFINE_SPINLOCK(types_lock);
constinit file_system_type* types = nullptr;  // types_lock

super_block* alloc_super(const file_system_type* t, unsigned flags, user_namespace* owner) {
  auto* sb = static_cast<super_block*>(kzalloc(sizeof(super_block), GFP_KERNEL));
  if (!sb) return nullptr;
  sb->s_type = t;
  sb->s_flags = flags;
  sb->s_blocksize = 4096;
  sb->s_maxbytes = 0x7fffffffffffffffll;
  sb->s_next_cookie = 2;  // 0 and 1 are "." and ".."
  sb->s_dev = MKDEV(0, vfs->next_anon_dev++);
  atomic_set(&sb->s_active, 1);
  mutex_init(&sb->s_rename_mutex);
  sb->s_user_ns = get_user_ns(t->fs_flags & FS_SINGLE ? &init_user_ns : owner);
  atomic_long_inc(&vfs->nr_supers);
  return sb;
}

void free_super(super_block* sb) {
  atomic_long_dec(&vfs->nr_supers);
  put_user_ns(sb->s_user_ns);
  kfree_rcu(sb, s_rcu);
}

}  // namespace

int register_filesystem(file_system_type* t) {
  SpinGuard g(types_lock);
  for (file_system_type* o = types; o; o = o->next)
    if (strcmp(o->name, t->name) == 0) return -EBUSY;
  t->next = nullptr;
  file_system_type** last = &types;
  while (*last) last = &(*last)->next;
  *last = t;
  return 0;
}

int unregister_filesystem(file_system_type* t) {
  SpinGuard g(types_lock);
  for (file_system_type** p = &types; *p; p = &(*p)->next)
    if (*p == t) {
      *p = t->next;
      t->next = nullptr;
      return 0;
    }
  return -EINVAL;
}

void for_each_filesystem(void (*visit)(const file_system_type*, void*), void* context) {
  SpinGuard g(types_lock);
  for (const file_system_type* t = types; t; t = t->next) visit(t, context);
}

const file_system_type* find_filesystem(const char* name) {
  SpinGuard g(types_lock);
  for (const file_system_type* t = types; t; t = t->next)
    if (strcmp(t->name, name) == 0) return t;
  return nullptr;
}

Result<super_block*> get_super(const file_system_type* t, unsigned flags, const char* data, user_namespace* owner) {
  MutexGuard g(supers_mutex);
  if (t->fs_flags & FS_SINGLE) {
    super_block* sb;
    list_for_each_entry(sb, &vfs->supers, s_list) {
      if (sb->s_type == t && atomic_inc_not_zero(&sb->s_active)) return sb;
    }
  }
  super_block* sb = alloc_super(t, flags, owner);
  if (!sb) return fail(ENOMEM);
  auto r = t->fill_super(sb, data);
  if (!r) {
    free_super(sb);
    return std::unexpected(r.error());
  }
  list_add_tail(&sb->s_list, &vfs->supers);
  return sb;
}

void deactivate_super(super_block* sb) {
  if (!atomic_dec_and_test(&sb->s_active)) return;
  {
    MutexGuard g(supers_mutex);
    list_del(&sb->s_list);
  }
  shrink_tree(sb->s_root);
  dput(sb->s_root);
  if (sb->s_op->put_super) sb->s_op->put_super(sb);
  free_super(sb);
}

namespace {

Result<void> do_statfs(const path* p, struct statfs* user_buf) {
  const super_block* sb = p->dentry->d_sb;
  kstatfs k{};
  k.f_type = sb->s_magic;
  k.f_bsize = sb->s_blocksize;
  k.f_namelen = NAME_MAX;
  if (sb->s_op->statfs) TRY(sb->s_op->statfs(const_cast<super_block*>(sb), &k));
  struct statfs st{};
  st.f_type = k.f_type;
  st.f_bsize = st.f_frsize = k.f_bsize;
  st.f_blocks = static_cast<long>(k.f_blocks);
  st.f_bfree = static_cast<long>(k.f_bfree);
  st.f_bavail = static_cast<long>(k.f_bavail);
  st.f_files = static_cast<long>(k.f_files);
  st.f_ffree = static_cast<long>(k.f_ffree);
  st.f_namelen = k.f_namelen;
  st.f_fsid[0] = static_cast<int>(new_encode_dev(sb->s_dev));
  constexpr long kStValid = 0x20;
  int m = p->mnt->mnt_flags;
  st.f_flags = kStValid | (mount_is_readonly(p->mnt) ? 1 : 0) | (m & MNT_NOSUID ? 2 : 0) | (m & MNT_NODEV ? 4 : 0) |
               (m & MNT_NOEXEC ? 8 : 0) | (m & MNT_NOATIME ? 1024 : 0) | (m & MNT_NODIRATIME ? 2048 : 0) |
               (m & MNT_RELATIME ? 4096 : 0) | (m & MNT_NOSYMFOLLOW ? 8192 : 0);
  if (copy_to_user(user_buf, &st, sizeof(st))) return fail(EFAULT);
  return {};
}

}  // namespace

SYSCALL_DEFINE2(statfs, const char*, name, struct statfs*, buf) {
  auto p = user_path_at(AT_FDCWD, name, LOOKUP_FOLLOW);
  return p ? to_abi(do_statfs(p->get(), buf)) : p.error().neg();
}
SYSCALL_DEFINE2(fstatfs, unsigned, fd, struct statfs*, buf) {
  Fd f(fd, 0);
  return f ? to_abi(do_statfs(&f->f_path, buf)) : -EBADF;
}

// Everything lives in memory: there is nothing to write back.
SYSCALL_DEFINE0(sync) { return 0; }
SYSCALL_DEFINE1(syncfs, int, fd) { return Fd(static_cast<unsigned>(fd)) ? 0 : -EBADF; }

Result<void> vfs_fsync(file* f, int datasync) {
  if (!f->f_op->fsync) return fail(EINVAL);
  return check_abi(f->f_op->fsync(f, 0, 0x7fffffffffffffffll, datasync));
}
namespace {
long do_fsync(unsigned fd, int datasync) {
  Fd f(fd);
  return f ? to_abi(vfs_fsync(f.get(), datasync)) : -EBADF;
}
}  // namespace
SYSCALL_DEFINE1(fsync, unsigned, fd) { return do_fsync(fd, 0); }
SYSCALL_DEFINE1(fdatasync, unsigned, fd) { return do_fsync(fd, 1); }
