// Names: user paths copied in, lookups for others, and the calls that make, remove and move names.
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>
#include <linux/string.h>

#include "fs/vfs/walk.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

// ---- Paths from user space ------------------------------------------------------------------------------------------
UserName::~UserName() {
  if (big_) kfree(big_);
}

Result<void> UserName::get(const char* user_name) {
  p_ = small_;
  long n = strncpy_from_user(small_, user_name, kShort);
  if (n < 0) return fail(EFAULT);
  if (n < static_cast<long>(kShort)) [[likely]] return {};
  big_ = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
  if (!big_) return fail(ENOMEM);
  p_ = big_;
  n = strncpy_from_user(big_, user_name, PATH_MAX);
  if (n < 0) return fail(EFAULT);
  return n < PATH_MAX ? Result<void>{} : fail(ENAMETOOLONG);
}

Result<PathRef> kern_path_at(int dfd, const char* name, unsigned flags) { return Walk(dfd, name, flags).to_end(); }
Result<PathRef> kern_path(const char* name, unsigned flags) { return kern_path_at(AT_FDCWD, name, flags); }

Result<PathRef> user_path_at(int dfd, const char* user_name, unsigned flags) {
  UserName name;
  TRY(name.get(user_name));
  return kern_path_at(dfd, name.c_str(), flags);
}

Result<dentry*> lookup_one(dentry* dir, const Last& last) {
  if (last.len > NAME_MAX) return fail(ENAMETOOLONG);
  if (dentry* d = d_lookup_hashed(dir, last.hash, last.name, last.len)) return d;
  inode* i = dir->d_inode;
  if (dir->d_sb->s_complete || !i->i_op->lookup) return fail(ENOENT);
  return i->i_op->lookup(i, std::string_view(last.name, last.len), dir);
}

Result<void> may_create(const path* dir) {
  inode* i = dir->dentry->d_inode;
  if (i->i_flags & S_DEAD) return fail(ENOENT);
  if (const user_namespace* owner = i->i_sb->s_user_ns; owner != &init_user_ns)  // the new inode's owner must mean something there
    if (!kuid_has_mapping(owner, current_cred()->fsuid) || !kgid_has_mapping(owner, current_cred()->fsgid)) return fail(EOVERFLOW);
  return inode_permission(dir->mnt, i, MAY_WRITE | MAY_EXEC);
}

namespace {

std::string_view view(const Last& l) { return {l.name, l.len}; }

class DentryRef {
 public:
  explicit DentryRef(dentry* d = nullptr) : d_(d) {}
  DentryRef(DentryRef&& o) : d_(std::exchange(o.d_, nullptr)) {}
  DentryRef& operator=(DentryRef&& o) {
    std::swap(d_, o.d_);
    return *this;
  }
  ~DentryRef() { dput(d_); }
  dentry* get() const { return d_; }
  dentry* operator->() const { return d_; }
  explicit operator bool() const { return d_; }

 private:
  dentry* d_;
};

class InodeGuard {
 public:
  explicit InodeGuard(inode* i) : i_(i) { inode_lock(i); }
  ~InodeGuard() { inode_unlock(i_); }
  InodeGuard(const InodeGuard&) = delete;

 private:
  inode* i_;
};

class WriteAccess {  // mnt_want_write for a scope
 public:
  static Result<WriteAccess> get(vfsmount* m) {
    TRY(mnt_want_write(m));
    return WriteAccess(m);
  }
  WriteAccess(WriteAccess&& o) : m_(std::exchange(o.m_, nullptr)) {}
  ~WriteAccess() {
    if (m_) mnt_drop_write(m_);
  }

 private:
  explicit WriteAccess(vfsmount* m) : m_(m) {}
  vfsmount* m_;
};

// ---- Rules ------------------------------------------------------------------------------------------------------------
bool sticky_forbids(const inode* dir, const inode* victim) {
  if (!(dir->i_mode & S_ISVTX)) return false;
  kuid_t me = current_cred()->fsuid;
  return !uid_eq(victim->i_uid, me) && !uid_eq(dir->i_uid, me) && !capable_wrt_inode(victim, CAP_FOWNER);
}

enum class Wanted : unsigned char { NonDir, Dir, Any };

Result<void> may_delete(const path* dir, const dentry* victim, Wanted wanted) {
  inode *di = dir->dentry->d_inode, *vi = victim->d_inode;
  TRY(inode_permission(dir->mnt, di, MAY_WRITE | MAY_EXEC));
  if (sticky_forbids(di, vi) || vi->i_flags & S_IMMUTABLE) return fail(EPERM);
  if (wanted == Wanted::Dir) {
    if (!S_ISDIR(vi->i_mode)) return fail(ENOTDIR);
    if (victim->d_parent == victim) return fail(EBUSY);
  } else if (wanted == Wanted::NonDir && S_ISDIR(vi->i_mode)) {
    return fail(EISDIR);
  }
  if (di->i_flags & S_DEAD) return fail(ENOENT);
  return {};
}

// The frame of whatever makes a name: directory found, locked, writable, the name free. make(dir inode, new dentry) fills
// the dentry; afterwards the name can be found.
template <class Make>
Result<void> make_name(int dfd, const char* name, bool is_dir, Make&& make) {
  Walk w(dfd, name, LOOKUP_PARENT);
  PathRef dir = TRY(w.to_parent());
  const Last& last = w.last();
  if (last.type != LastType::Norm) return fail(EEXIST);
  inode* di = dir.ino();
  auto access = WriteAccess::get(dir.mnt());
  InodeGuard lock(di);
  auto old = lookup_one(dir.dent(), last);
  if (old) {
    dput(*old);
    return fail(EEXIST);
  }
  if (old.error().code() != ENOENT) return std::unexpected(old.error());
  if (last.slashes && !is_dir) return fail(ENOENT);
  if (!access) return std::unexpected(access.error());
  TRY(may_create(dir.get()));
  DentryRef d(d_alloc(dir.dent(), view(last)));
  if (!d) return fail(ENOMEM);
  TRY(make(di, d.get(), dir.mnt()));
  d_add(d.get());
  return {};
}

umode_t masked(umode_t mode) { return static_cast<umode_t>(mode & ~current_umask_of(current->fs)); }

Result<void> mkdir_at(int dfd, const char* name, umode_t mode) {
  mode = S_IFDIR | (mode & (S_IRWXUGO | S_ISVTX));
  return make_name(dfd, name, true, [&](inode* di, dentry* d, vfsmount*) -> Result<void> {
    return di->i_op->mkdir ? di->i_op->mkdir(di, d, mode) : fail(EPERM);
  });
}

Result<void> mknod_checked(inode* di, dentry* d, umode_t mode, unsigned dev) {
  if ((S_ISCHR(mode) || S_ISBLK(mode)) && !capable(CAP_MKNOD)) return fail(EPERM);
  if (S_ISREG(mode)) return di->i_op->create ? di->i_op->create(di, d, mode) : fail(EACCES);
  return di->i_op->mknod ? di->i_op->mknod(di, d, mode, dev) : fail(EPERM);
}

Result<void> mknod_at(int dfd, const char* name, umode_t mode, unsigned dev) {
  switch (mode & S_IFMT) {
    case 0: mode |= S_IFREG; break;
    case S_IFREG: case S_IFCHR: case S_IFBLK: case S_IFIFO: case S_IFSOCK: break;
    case S_IFDIR: return fail(EPERM);
    default: return fail(EINVAL);
  }
  return make_name(dfd, name, false, [&](inode* di, dentry* d, vfsmount*) { return mknod_checked(di, d, mode, dev); });
}

Result<void> symlink_at(const char* target, int dfd, const char* name) {
  if (!*target) return fail(ENOENT);
  return make_name(dfd, name, false, [&](inode* di, dentry* d, vfsmount*) -> Result<void> {
    return di->i_op->symlink ? di->i_op->symlink(di, d, target) : fail(EPERM);
  });
}

Result<void> link_to(const path* old, int dfd, const char* name) {
  return make_name(dfd, name, false, [&](inode* di, dentry* d, vfsmount* mnt) -> Result<void> {
    inode* i = old->dentry->d_inode;
    if (old->mnt != mnt) return fail(EXDEV);
    if (i->i_flags & S_IMMUTABLE || S_ISDIR(i->i_mode) || !di->i_op->link) return fail(EPERM);
    inode_lock_child(i);
    Result<void> r = i->i_nlink == 0 && !(old->dentry->d_flags & DCACHE_ANON) ? fail(ENOENT)
                                                                              : di->i_op->link(old->dentry, di, d);
    inode_unlock(i);
    return r;
  });
}

// ---- Removing ----------------------------------------------------------------------------------------------------------
Result<void> unlink_at(int dfd, const char* name) {
  Walk w(dfd, name, LOOKUP_PARENT);
  PathRef dir = TRY(w.to_parent());
  const Last& last = w.last();
  if (last.type != LastType::Norm) return fail(EISDIR);
  auto access = TRY(WriteAccess::get(dir.mnt()));
  inode* di = dir.ino();
  DentryRef victim;
  {
    InodeGuard lock(di);
    victim = DentryRef(TRY(lookup_one(dir.dent(), last)));
    if (last.slashes) return fail(d_is_dir(victim.get()) ? EISDIR : ENOTDIR);
    TRY(may_delete(dir.get(), victim.get(), Wanted::NonDir));
    if (!di->i_op->unlink) return fail(EPERM);
    if (is_local_mountpoint(victim.get())) return fail(EBUSY);
    inode_lock_child(victim->d_inode);
    Result<void> r = di->i_op->unlink(di, victim.get());
    inode_unlock(victim->d_inode);
    if (!r) return r;
    d_drop(victim.get());
    detach_mounts(victim.get());
  }
  return {};  // the last reference, and with it the contents, goes after the lock
}

Result<void> rmdir_at(int dfd, const char* name) {
  Walk w(dfd, name, LOOKUP_PARENT);
  PathRef dir = TRY(w.to_parent());
  const Last& last = w.last();
  switch (last.type) {
    case LastType::DotDot: return fail(ENOTEMPTY);
    case LastType::Dot: return fail(EINVAL);
    case LastType::Root: return fail(EBUSY);
    case LastType::Norm: break;
  }
  auto access = TRY(WriteAccess::get(dir.mnt()));
  inode* di = dir.ino();
  InodeGuard lock(di);
  DentryRef victim(TRY(lookup_one(dir.dent(), last)));
  TRY(may_delete(dir.get(), victim.get(), Wanted::Dir));
  if (!di->i_op->rmdir) return fail(EPERM);
  if (is_local_mountpoint(victim.get())) return fail(EBUSY);
  inode* vi = victim->d_inode;
  inode_lock_child(vi);
  Result<void> r = di->i_op->rmdir(di, victim.get());
  if (r) vi->i_flags |= S_DEAD;
  inode_unlock(vi);
  if (!r) return r;
  d_drop(victim.get());
  detach_mounts(victim.get());
  return {};
}

// ---- Renaming ----------------------------------------------------------------------------------------------------------
// Both directories locked, the one nearer to the root first; moves between directories of one tree exclude each other,
// so that no cycle can arise.
class TwoDirs {
 public:
  TwoDirs(dentry* a, dentry* b) : a_(a), b_(b) {
    if (a == b) {
      inode_lock(a->d_inode);
      return;
    }
    mutex_lock(&a->d_sb->s_rename_mutex);
    bool b_first = is_subdir(a, b) || (!is_subdir(b, a) && b < a);
    inode_lock((b_first ? b : a)->d_inode);
    inode_lock_child((b_first ? a : b)->d_inode);
  }
  ~TwoDirs() {
    inode_unlock(a_->d_inode);
    if (a_ == b_) return;
    inode_unlock(b_->d_inode);
    mutex_unlock(&a_->d_sb->s_rename_mutex);
  }
  TwoDirs(const TwoDirs&) = delete;

 private:
  dentry *a_, *b_;
};

Result<void> may_move(const path* from, dentry* old, const path* to, dentry* target, unsigned flags) {
  bool is_dir = d_is_dir(old);
  TRY(may_delete(from, old, Wanted::Any));
  if (!target) {
    TRY(may_create(to));
  } else if (flags & RENAME_EXCHANGE) {
    TRY(may_delete(to, target, Wanted::Any));
  } else {
    TRY(may_delete(to, target, is_dir ? Wanted::Dir : Wanted::NonDir));
  }
  // A directory that changes its parent changes its "..".
  if (from->dentry != to->dentry) {
    if (is_dir) TRY(inode_permission(from->mnt, old->d_inode, MAY_WRITE));
    if (flags & RENAME_EXCHANGE && d_is_dir(target)) TRY(inode_permission(to->mnt, target->d_inode, MAY_WRITE));
  }
  return {};
}

class NewName {
 public:
  explicit NewName(std::string_view name) : n_(name.empty() ? nullptr : d_make_name(name)) {}
  ~NewName() {
    if (n_) d_free_name(n_);
  }
  explicit operator bool() const { return n_; }
  dname* release() { return std::exchange(n_, nullptr); }

 private:
  dname* n_;
};

Result<void> rename_locked(const path* from, const Last& old_last, const path* to, const Last& new_last, unsigned flags) {
  DentryRef old(TRY(lookup_one(from->dentry, old_last)));
  DentryRef target;
  if (auto t = lookup_one(to->dentry, new_last))
    target = DentryRef(*t);
  else if (t.error().code() != ENOENT)
    return std::unexpected(t.error());
  if (target && flags & RENAME_NOREPLACE) return fail(EEXIST);
  if (flags & RENAME_EXCHANGE) {
    if (!target) return fail(ENOENT);
    if (!d_is_dir(target.get()) && new_last.slashes) return fail(ENOTDIR);
  }
  if (!d_is_dir(old.get())) {
    if (old_last.slashes || (!(flags & RENAME_EXCHANGE) && new_last.slashes)) return fail(ENOTDIR);
  }
  if (is_subdir(to->dentry, old.get())) return fail(EINVAL);  // into itself
  if (target && is_subdir(from->dentry, target.get())) return fail(flags & RENAME_EXCHANGE ? EINVAL : ENOTEMPTY);
  if (target && target->d_inode == old->d_inode) return {};
  TRY(may_move(from, old.get(), to, target.get(), flags));
  inode *di = from->dentry->d_inode, *ti = to->dentry->d_inode;
  if (!di->i_op->rename) return fail(EPERM);
  if (is_local_mountpoint(old.get()) || (target && is_local_mountpoint(target.get()))) return fail(EBUSY);
  // New names are made before the file system acts, so that nothing can fail afterwards.
  NewName fresh(view(new_last)), back(flags & RENAME_EXCHANGE ? view(old_last) : std::string_view{});
  if (!fresh || (flags & RENAME_EXCHANGE && !back)) return fail(ENOMEM);
  TRY(di->i_op->rename(di, old.get(), ti, target.get(), flags));
  if (flags & RENAME_EXCHANGE) {
    d_exchange(old.get(), fresh.release(), target.get(), back.release());
    return {};
  }
  if (target && d_is_dir(target.get())) target->d_inode->i_flags |= S_DEAD;
  d_move(old.get(), to->dentry, fresh.release(), target.get());
  if (target) detach_mounts(target.get());
  return {};
}

Result<void> rename_at(int odfd, const char* oname, int ndfd, const char* nname, unsigned flags) {
  if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) return fail(EINVAL);
  if (flags & RENAME_NOREPLACE && flags & RENAME_EXCHANGE) return fail(EINVAL);
  Walk ow(odfd, oname, LOOKUP_PARENT), nw(ndfd, nname, LOOKUP_PARENT);
  PathRef from = TRY(ow.to_parent());
  PathRef to = TRY(nw.to_parent());
  if (from.mnt() != to.mnt()) return fail(EXDEV);
  if (ow.last().type != LastType::Norm) return fail(EBUSY);
  if (nw.last().type != LastType::Norm) return fail(flags & RENAME_NOREPLACE ? EEXIST : EBUSY);
  auto access = TRY(WriteAccess::get(from.mnt()));
  TwoDirs lock(from.dent(), to.dent());
  return rename_locked(from.get(), ow.last(), to.get(), nw.last(), flags);
}

Result<void> link_at(int odfd, const char* user_old, int ndfd, const char* user_new, int flags) {
  if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) return fail(EINVAL);
  if (flags & AT_EMPTY_PATH && !capable(CAP_DAC_READ_SEARCH)) return fail(ENOENT);
  unsigned lookup = (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
  auto old = TRY(user_path_at(odfd, user_old, lookup));
  UserName n;
  TRY(n.get(user_new));
  return link_to(old.get(), ndfd, n.c_str());
}

// Runs f(path) on a path from user space.
template <class F>
long with_name(const char* user_name, F&& f) {
  UserName n;
  if (auto r = n.get(user_name); !r) return r.error().neg();
  return to_abi(f(n.c_str()));
}
template <class F>
long with_names(const char* user_a, const char* user_b, F&& f) {
  UserName a, b;
  if (auto r = a.get(user_a); !r) return r.error().neg();
  if (auto r = b.get(user_b); !r) return r.error().neg();
  return to_abi(f(a.c_str(), b.c_str()));
}

}  // namespace

// ---- The calls ----------------------------------------------------------------------------------------------------------
SYSCALL_DEFINE3(mkdirat, int, dfd, const char*, name, umode_t, mode) {
  return with_name(name, [&](const char* n) { return mkdir_at(dfd, n, masked(mode)); });
}
SYSCALL_DEFINE2(mkdir, const char*, name, umode_t, mode) {
  return with_name(name, [&](const char* n) { return mkdir_at(AT_FDCWD, n, masked(mode)); });
}
SYSCALL_DEFINE4(mknodat, int, dfd, const char*, name, umode_t, mode, unsigned, dev) {
  return with_name(name, [&](const char* n) { return mknod_at(dfd, n, masked(mode), new_decode_dev(dev)); });
}
SYSCALL_DEFINE3(mknod, const char*, name, umode_t, mode, unsigned, dev) {
  return with_name(name, [&](const char* n) { return mknod_at(AT_FDCWD, n, masked(mode), new_decode_dev(dev)); });
}
SYSCALL_DEFINE3(symlinkat, const char*, target, int, dfd, const char*, name) {
  return with_names(target, name, [&](const char* t, const char* n) { return symlink_at(t, dfd, n); });
}
SYSCALL_DEFINE2(symlink, const char*, target, const char*, name) {
  return with_names(target, name, [&](const char* t, const char* n) { return symlink_at(t, AT_FDCWD, n); });
}
SYSCALL_DEFINE5(linkat, int, odfd, const char*, oname, int, ndfd, const char*, nname, int, flags) {
  return to_abi(link_at(odfd, oname, ndfd, nname, flags));
}
SYSCALL_DEFINE2(link, const char*, oname, const char*, nname) {
  return to_abi(link_at(AT_FDCWD, oname, AT_FDCWD, nname, 0));
}
SYSCALL_DEFINE3(unlinkat, int, dfd, const char*, name, int, flags) {
  if (flags & ~AT_REMOVEDIR) return -EINVAL;
  return with_name(name, [&](const char* n) { return flags & AT_REMOVEDIR ? rmdir_at(dfd, n) : unlink_at(dfd, n); });
}
SYSCALL_DEFINE1(unlink, const char*, name) {
  return with_name(name, [](const char* n) { return unlink_at(AT_FDCWD, n); });
}
SYSCALL_DEFINE1(rmdir, const char*, name) {
  return with_name(name, [](const char* n) { return rmdir_at(AT_FDCWD, n); });
}
SYSCALL_DEFINE5(renameat2, int, odfd, const char*, oname, int, ndfd, const char*, nname, unsigned, flags) {
  return with_names(oname, nname, [&](const char* o, const char* n) { return rename_at(odfd, o, ndfd, n, flags); });
}
SYSCALL_DEFINE4(renameat, int, odfd, const char*, oname, int, ndfd, const char*, nname) {
  return with_names(oname, nname, [&](const char* o, const char* n) { return rename_at(odfd, o, ndfd, n, 0); });
}
SYSCALL_DEFINE2(rename, const char*, oname, const char*, nname) {
  return with_names(oname, nname, [&](const char* o, const char* n) { return rename_at(AT_FDCWD, o, AT_FDCWD, n, 0); });
}

Result<void> init_mkdir(const char* name, umode_t mode) { return mkdir_at(AT_FDCWD, name, mode); }
Result<void> init_mknod(const char* name, umode_t mode, unsigned dev) { return mknod_at(AT_FDCWD, name, mode, dev); }
Result<void> init_symlink(const char* target, const char* name) { return symlink_at(target, AT_FDCWD, name); }
Result<void> init_unlink(const char* name) { return unlink_at(AT_FDCWD, name); }
Result<void> init_rmdir(const char* name) { return rmdir_at(AT_FDCWD, name); }
Result<void> init_rename(const char* old, const char* name) { return rename_at(AT_FDCWD, old, AT_FDCWD, name, 0); }
Result<void> init_link(const char* old, const char* name) {
  auto p = TRY(kern_path(old, 0));
  return link_to(p.get(), AT_FDCWD, name);
}
