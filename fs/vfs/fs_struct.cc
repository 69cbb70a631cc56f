// Root, working directory and umask of a task; chdir, chroot, umask.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/sched.h>

#include "fs/vfs/internal.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"

fs_struct init_fs;

void get_fs_root(fs_struct* fs, path* root) {
  SpinGuard g(fs->lock);
  *root = fs->root;
  path_get(root);
}
void get_fs_pwd(fs_struct* fs, path* pwd) {
  SpinGuard g(fs->lock);
  *pwd = fs->pwd;
  path_get(pwd);
}

namespace {

void set_fs_path(fs_struct* fs, path* which, const path* p) {
  path old;
  path_get(p);
  {
    SpinGuard g(fs->lock);
    seq_begin(fs->seq);
    old = *which;
    WRITE_ONCE(which->mnt, p->mnt);
    WRITE_ONCE(which->dentry, p->dentry);
    seq_end(fs->seq);
  }
  if (old.dentry) path_put(&old);
}

}  // namespace

void set_fs_root(fs_struct* fs, const path* p) { set_fs_path(fs, &fs->root, p); }
void set_fs_pwd(fs_struct* fs, const path* p) { set_fs_path(fs, &fs->pwd, p); }

fs_struct* copy_fs_struct(fs_struct* old) {
  auto* fs = static_cast<fs_struct*>(kmem_cache_alloc(vfs->fs_cache, GFP_KERNEL));
  if (!fs) return nullptr;
  fs->users = 1;
  fs->seq = 0;
  fs->in_exec = 0;
  spin_lock_init(&fs->lock);
  fs->umask = old->umask;
  SpinGuard g(old->lock);
  fs->root = old->root;
  fs->pwd = old->pwd;
  path_get(&fs->root);
  path_get(&fs->pwd);
  return fs;
}

void free_fs_struct(fs_struct* fs) {
  path_put(&fs->root);
  path_put(&fs->pwd);
  kmem_cache_free(vfs->fs_cache, fs);
}

Result<void> copy_fs(unsigned long clone_flags, task_struct* t) {
  fs_struct* fs = current->fs;
  if (clone_flags & CLONE_FS) {
    SpinGuard g(fs->lock);
    if (fs->in_exec) return fail(EAGAIN);
    fs->users++;
    t->fs = fs;
    return {};
  }
  t->fs = copy_fs_struct(fs);
  return t->fs ? Result<void>{} : fail(ENOMEM);
}

void put_fs_struct(fs_struct* fs) {
  int left;
  {
    SpinGuard g(fs->lock);
    left = fs->users - 1;
    WRITE_ONCE(fs->users, left);  // exec looks without the lock
  }
  if (left == 0 && fs != &init_fs) free_fs_struct(fs);
}

void exit_fs(task_struct* t) {
  fs_struct* fs;
  {
    SpinGuard g(t->alloc_lock);
    fs = t->fs;
    t->fs = nullptr;
  }
  if (fs) put_fs_struct(fs);
}

Result<void> unshare_fs_struct() {
  fs_struct* old = current->fs;
  fs_struct* fresh = copy_fs_struct(old);
  if (!fresh) return fail(ENOMEM);
  {
    SpinGuard g(current->alloc_lock);
    current->fs = fresh;
  }
  put_fs_struct(old);
  return {};
}

SYSCALL_DEFINE1(umask, int, mask) { return xchg(&current->fs->umask, mask & S_IRWXUGO); }

SYSCALL_DEFINE1(chdir, const char*, name) {
  auto p = user_path_at(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (!p) return p.error().neg();
  if (auto r = path_permission(p->get(), MAY_EXEC | MAY_CHDIR); !r) return r.error().neg();
  set_fs_pwd(current->fs, p->get());
  return 0;
}

SYSCALL_DEFINE1(fchdir, unsigned, fd) {
  Fd f(fd, 0);
  if (!f) return -EBADF;
  if (!d_is_dir(f->f_path.dentry)) return -ENOTDIR;
  if (auto r = path_permission(&f->f_path, MAY_EXEC | MAY_CHDIR); !r) return r.error().neg();
  set_fs_pwd(current->fs, &f->f_path);
  return 0;
}

SYSCALL_DEFINE1(chroot, const char*, name) {
  auto p = user_path_at(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (!p) return p.error().neg();
  if (auto r = path_permission(p->get(), MAY_EXEC | MAY_CHDIR); !r) return r.error().neg();
  if (!ns_capable(current->cred->user_ns, CAP_SYS_CHROOT)) return -EPERM;
  set_fs_root(current->fs, p->get());
  return 0;
}
