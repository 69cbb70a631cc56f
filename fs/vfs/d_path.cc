// From a dentry back to text: d_path, getcwd.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "fs/vfs/internal.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

struct Tail {  // text that grows to the front
  char* start;
  char* p;
  bool full = false;
  void prepend(std::string_view s) {
    if (static_cast<size_t>(p - start) < s.size()) {
      full = true;
      return;
    }
    p -= s.size();
    memcpy(p, s.data(), s.size());
  }
};

enum class Reached : unsigned char { Root, Outside };

// One upward step under the locks that keep the links; names are immutable while RCU is read-locked.
Reached walk_up(const path* from, const path* root, Tail& out) {
  RcuReadGuard rcu;
  const dentry* d = from->dentry;
  const vfsmount* m = from->mnt;
  for (;;) {
    if (d == root->dentry && m == root->mnt) return Reached::Root;
    if (d == m->mnt_root || READ_ONCE(d->d_parent) == d) {
      const vfsmount* parent = READ_ONCE(m->mnt_parent);
      if (d != m->mnt_root || parent == m) return Reached::Outside;
      d = READ_ONCE(m->mnt_mountpoint);
      m = parent;
      continue;
    }
    out.prepend(rcu_dereference(const_cast<dentry*>(d)->d_name)->view());
    out.prepend("/");
    d = READ_ONCE(d->d_parent);
  }
}

// A walk during a rename or a mount could mix old and new places.
Reached walk_up_consistent(const path* from, const path* root, char* buf, char* end, Tail& out) {
  for (int tries = 0;; tries++) {
    unsigned rs = smp_load_acquire(&rename_seq), ms = smp_load_acquire(&mount_seq);
    out = Tail{buf, end};
    Reached where = walk_up(from, root, out);
    smp_rmb();
    if ((!(rs & 1) && !(ms & 1) && rs == READ_ONCE(rename_seq) && ms == READ_ONCE(mount_seq)) || tries > 100) return where;
  }
}

bool is_deleted(const dentry* d) { return READ_ONCE(d->d_flags) & DCACHE_DELETED; }

Result<char*> path_text(const path* p, const path* root, char* buf, size_t size, const char* outside) {
  if (size < 2) return fail(ENAMETOOLONG);
  char* end = buf + size - 1;
  *end = 0;
  if ((p->dentry->d_flags & DCACHE_ANON) && p->dentry != p->mnt->mnt_root) {  // a bound nsfs file is named by its place
    Tail out{buf, end};
    char numbered[48];
    std::string_view name = p->dentry->d_name->view();
    if (name.empty()) {  // pipes and sockets: their names are made when somebody asks
      const char* kind = p->dentry->d_sb->s_magic == PIPEFS_MAGIC ? "pipe" : "socket";
      name = {numbered, static_cast<size_t>(scnprintf(numbered, sizeof(numbered), "%s:[%llu]", kind, p->dentry->d_inode->i_ino))};
    }
    out.prepend(name);
    if (out.full) return fail(ENAMETOOLONG);
    return out.p;
  }
  constexpr std::string_view kDeleted = " (deleted)";
  bool deleted = is_deleted(p->dentry);
  if (deleted) {
    if (size < kDeleted.size() + 2) return fail(ENAMETOOLONG);
    end -= kDeleted.size();
  }
  Tail out{};
  Reached where = walk_up_consistent(p, root, buf, end, out);
  if (out.p == end) out.prepend("/");
  if (where == Reached::Outside && outside) out.prepend(outside);
  if (out.full) return fail(ENAMETOOLONG);
  if (deleted) memcpy(end, kDeleted.data(), kDeleted.size());
  return out.p;
}

}  // namespace

Result<char*> dentry_path(dentry* d, char* buf, size_t size) {
  if (size < 2) return fail(ENAMETOOLONG);
  char* end = buf + size - 1;
  *end = 0;
  Tail out{buf, end};
  RcuReadGuard rcu;
  for (; READ_ONCE(d->d_parent) != d; d = READ_ONCE(d->d_parent)) {
    out.prepend(rcu_dereference(d->d_name)->view());
    out.prepend("/");
  }
  if (out.p == end) out.prepend("/");
  if (out.full) return fail(ENAMETOOLONG);
  return out.p;
}

Result<char*> d_path_from(const path* p, const path* root, char* buf, size_t size) {
  return path_text(p, root, buf, size, nullptr);
}

Result<char*> d_path(const path* p, char* buf, size_t size) {
  path root;
  get_fs_root(current->fs, &root);
  PathRef hold(root);
  return path_text(p, &root, buf, size, nullptr);
}

SYSCALL_DEFINE2(getcwd, char*, user_buf, unsigned long, size) {
  path root, pwd;
  get_fs_root(current->fs, &root);
  PathRef hold_root(root);
  get_fs_pwd(current->fs, &pwd);
  PathRef hold_pwd(pwd);
  if (is_deleted(pwd.dentry)) return -ENOENT;
  char* page = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
  if (!page) return -ENOMEM;
  auto text = path_text(&pwd, &root, page, PATH_MAX, "(unreachable)");
  long n = -ENAMETOOLONG;
  if (text) {
    n = page + PATH_MAX - *text;
    if (static_cast<unsigned long>(n) > size)
      n = -ERANGE;
    else if (copy_to_user(user_buf, *text, static_cast<unsigned long>(n)))
      n = -EFAULT;
  }
  kfree(page);
  return n;
}
