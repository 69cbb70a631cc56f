// Permissions, and changing attributes: chmod, chown, utimensat, truncate and the rules they share.
// SPDX-License-Identifier: Apache-2.0
#include <linux/minmax.h>
#include <linux/sched.h>

#include "fs/vfs/internal.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

// ---- May the caller? ---------------------------------------------------------------------------------------------
bool capable_wrt_inode(const inode* i, int cap) { return capable_wrt_ids(i->i_uid, i->i_gid, cap); }

Result<void> generic_permission(inode* i, int mask) {
  umode_t mode = READ_ONCE(i->i_mode);
  const struct cred* c = current_cred();
  unsigned bits = mode;
  if (READ_ONCE(i->i_uid.val) == c->fsuid.val)
    bits >>= 6;
  else if (((mode >> 3) ^ mode) & 7 && in_group_p(i->i_gid))  // the group matters only if it differs from the others
    bits >>= 3;
  mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
  if (!(static_cast<unsigned>(mask) & ~bits & 7)) return {};
  if (S_ISDIR(mode)) {
    if (!(mask & MAY_WRITE) && capable_wrt_inode(i, CAP_DAC_READ_SEARCH)) return {};
    if (capable_wrt_inode(i, CAP_DAC_OVERRIDE)) return {};
    return fail(EACCES);
  }
  if (mask == MAY_READ && capable_wrt_inode(i, CAP_DAC_READ_SEARCH)) return {};
  if ((!(mask & MAY_EXEC) || (mode & S_IXUGO)) && capable_wrt_inode(i, CAP_DAC_OVERRIDE)) return {};
  return fail(EACCES);
}

Result<void> inode_permission(vfsmount* mnt, inode* i, int mask) {
  if (mask & MAY_WRITE) {
    umode_t mode = i->i_mode;
    if ((S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)) && ((mnt && mount_is_readonly(mnt)) || (i->i_sb->s_flags & MS_RDONLY)))
      return fail(EROFS);
    if (i->i_flags & S_IMMUTABLE) return fail(EPERM);
    if (!uid_valid(i->i_uid) || !gid_valid(i->i_gid)) return fail(EACCES);  // its file system's ids say nobody whom we know
  }
  return i->i_op->permission ? i->i_op->permission(i, mask) : generic_permission(i, mask);
}

Result<void> path_permission(const path* p, int mask) { return inode_permission(p->mnt, p->dentry->d_inode, mask); }

// The group need not mean anything here (user_namespaces(7)).
bool inode_owner_or_capable(const inode* i) {
  if (uid_eq(current_cred()->fsuid, i->i_uid)) return true;
  return kuid_has_mapping(current_user_ns(), i->i_uid) && ns_capable(current_user_ns(), CAP_FOWNER);
}

// ---- What a change may be, and making it --------------------------------------------------------------------------
namespace {

Result<void> may_chown(const inode* i, const iattr* a) {
  const struct cred* c = current_cred();
  if (a->ia_valid & ATTR_UID) {
    bool same = uid_eq(c->fsuid, i->i_uid) && uid_eq(a->ia_uid, i->i_uid);
    if (!same && !capable_wrt_inode(i, CAP_CHOWN)) return fail(EPERM);
  }
  if (a->ia_valid & ATTR_GID) {
    bool mine = uid_eq(c->fsuid, i->i_uid) && (gid_eq(a->ia_gid, i->i_gid) || in_group_p(a->ia_gid));
    if (!mine && !capable_wrt_inode(i, CAP_CHOWN)) return fail(EPERM);
  }
  return {};
}

}  // namespace

Result<void> setattr_prepare(dentry* d, iattr* a) {
  inode* i = d->d_inode;
  if (a->ia_valid & ATTR_FORCE) return {};
  TRY(may_chown(i, a));
  if (a->ia_valid & ATTR_MODE) {
    if (!inode_owner_or_capable(i)) return fail(EPERM);
    kgid_t group = a->ia_valid & ATTR_GID ? a->ia_gid : i->i_gid;
    if (!in_group_p(group) && !capable_wrt_inode(i, CAP_FSETID)) a->ia_mode &= ~S_ISGID;
  }
  if (a->ia_valid & (ATTR_MTIME_SET | ATTR_ATIME_SET) && !inode_owner_or_capable(i)) return fail(EPERM);
  return {};
}

void setattr_copy(inode* i, const iattr* a) {
  if (a->ia_valid & ATTR_UID) WRITE_ONCE(i->i_uid.val, a->ia_uid.val);
  if (a->ia_valid & ATTR_GID) WRITE_ONCE(i->i_gid.val, a->ia_gid.val);
  s64 now = current_time(i);
  if (a->ia_valid & ATTR_ATIME) WRITE_ONCE(i->i_atime, a->ia_valid & ATTR_ATIME_SET ? a->ia_atime : now);
  if (a->ia_valid & ATTR_MTIME) WRITE_ONCE(i->i_mtime, a->ia_valid & ATTR_MTIME_SET ? a->ia_mtime : now);
  if (a->ia_valid & ATTR_CTIME) WRITE_ONCE(i->i_ctime, now);
  if (a->ia_valid & ATTR_MODE) WRITE_ONCE(i->i_mode, static_cast<umode_t>((i->i_mode & S_IFMT) | (a->ia_mode & S_IALLUGO)));
}

Result<void> simple_setattr(dentry* d, iattr* a) {
  TRY(setattr_prepare(d, a));
  setattr_copy(d->d_inode, a);
  return {};
}

Result<void> notify_change(const path* p, iattr* a) {
  inode* i = p->dentry->d_inode;
  umode_t mode = i->i_mode;
  if (a->ia_valid & ATTR_KILL_SUID && mode & S_ISUID) {
    a->ia_mode = a->ia_valid & ATTR_MODE ? a->ia_mode & ~S_ISUID : mode & ~S_ISUID;
    a->ia_valid |= ATTR_MODE | ATTR_FORCE;
  }
  if (a->ia_valid & ATTR_KILL_SGID && (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
    a->ia_mode = (a->ia_valid & ATTR_MODE ? a->ia_mode : mode) & ~S_ISGID;
    a->ia_valid |= ATTR_MODE | ATTR_FORCE;
  }
  a->ia_valid |= ATTR_CTIME;
  const user_namespace* owner = i->i_sb->s_user_ns;
  if (a->ia_valid & ATTR_UID && !kuid_has_mapping(owner, a->ia_uid)) return fail(EOVERFLOW);
  if (a->ia_valid & ATTR_GID && !kgid_has_mapping(owner, a->ia_gid)) return fail(EOVERFLOW);
  return i->i_op->setattr ? i->i_op->setattr(p->dentry, a) : simple_setattr(p->dentry, a);
}

namespace {

// The frame of each attribute call: the mount must be writable, the inode's lock is held around it.
template <class F>
Result<void> change(const path* p, F&& f) {
  TRY(mnt_want_write(p->mnt));
  inode_lock(p->dentry->d_inode);
  Result<void> r = f();
  inode_unlock(p->dentry->d_inode);
  mnt_drop_write(p->mnt);
  return r;
}

Result<void> chmod_common(const path* p, umode_t mode) {
  return change(p, [&]() -> Result<void> {
    if (S_ISLNK(p->dentry->d_inode->i_mode)) return fail(EOPNOTSUPP);
    iattr a{};
    a.ia_valid = ATTR_MODE;
    a.ia_mode = mode & S_IALLUGO;
    return notify_change(p, &a);
  });
}

Result<void> chown_common(const path* p, unsigned uid, unsigned gid) {
  const kuid_t owner = make_kuid(current_user_ns(), uid);
  const kgid_t group = make_kgid(current_user_ns(), gid);
  return change(p, [&]() -> Result<void> {
    inode* i = p->dentry->d_inode;
    iattr a{};
    if (uid != ~0u) {
      a.ia_valid |= ATTR_UID;
      if (!uid_valid(owner)) return fail(EINVAL);
      a.ia_uid = owner;
    }
    if (gid != ~0u) {
      a.ia_valid |= ATTR_GID;
      if (!gid_valid(group)) return fail(EINVAL);
      a.ia_gid = group;
    }
    TRY(may_chown(i, &a));
    if (!S_ISDIR(i->i_mode)) a.ia_valid |= ATTR_KILL_SUID | ATTR_KILL_SGID;
    return notify_change(p, &a);
  });
}

constexpr long kUtimeNow = 0x3fffffff, kUtimeOmit = 0x3ffffffe;
bool nsec_valid(long n) { return n == kUtimeNow || n == kUtimeOmit || (n >= 0 && n < 1'000'000'000); }
s64 to_ns(const timespec64& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; }

Result<void> utimes_common(const path* p, const timespec64* t) {
  return change(p, [&]() -> Result<void> {
    inode* i = p->dentry->d_inode;
    iattr a{};
    a.ia_valid = ATTR_CTIME | ATTR_ATIME | ATTR_MTIME;
    if (t) {
      if (t[0].tv_nsec == kUtimeOmit)
        a.ia_valid &= ~ATTR_ATIME;
      else if (t[0].tv_nsec != kUtimeNow) {
        a.ia_valid |= ATTR_ATIME_SET;
        a.ia_atime = to_ns(t[0]);
      }
      if (t[1].tv_nsec == kUtimeOmit)
        a.ia_valid &= ~ATTR_MTIME;
      else if (t[1].tv_nsec != kUtimeNow) {
        a.ia_valid |= ATTR_MTIME_SET;
        a.ia_mtime = to_ns(t[1]);
      }
    }
    bool both_now = !t || (t[0].tv_nsec == kUtimeNow && t[1].tv_nsec == kUtimeNow);
    if (both_now) {
      if (!inode_owner_or_capable(i)) TRY(inode_permission(p->mnt, i, MAY_WRITE));
    } else if (!inode_owner_or_capable(i)) {
      return fail(EPERM);
    }
    return notify_change(p, &a);
  });
}

long do_utimes(int dfd, const char* user_name, const timespec64* t, int flags) {
  if (t && (!nsec_valid(t[0].tv_nsec) || !nsec_valid(t[1].tv_nsec))) return -EINVAL;
  if (t && t[0].tv_nsec == kUtimeOmit && t[1].tv_nsec == kUtimeOmit) return 0;
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  if (!user_name && dfd != AT_FDCWD) {
    if (flags) return -EINVAL;
    Fd f(static_cast<unsigned>(dfd));
    if (!f) return -EBADF;
    return to_abi(utimes_common(&f->f_path, t));
  }
  unsigned lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
  auto p = user_path_at(dfd, user_name, lookup);
  if (!p) return p.error().neg();
  return to_abi(utimes_common(p->get(), t));
}

struct timeval64 {
  long tv_sec, tv_usec;
};
long do_futimesat(int dfd, const char* name, const timeval64* user_tv) {
  timespec64 t[2];
  if (!user_tv) return do_utimes(dfd, name, nullptr, 0);
  timeval64 tv[2];
  if (copy_from_user(tv, user_tv, sizeof(tv))) return -EFAULT;
  for (int k = 0; k < 2; k++) {
    if (tv[k].tv_usec < 0 || tv[k].tv_usec >= 1'000'000) return -EINVAL;
    t[k].tv_sec = tv[k].tv_sec;
    t[k].tv_nsec = tv[k].tv_usec * 1000;
  }
  return do_utimes(dfd, name, t, 0);
}

long do_fchmodat(int dfd, const char* name, umode_t mode) {
  auto p = user_path_at(dfd, name, LOOKUP_FOLLOW);
  return p ? to_abi(chmod_common(p->get(), mode)) : p.error().neg();
}

long do_fchownat(int dfd, const char* name, unsigned uid, unsigned gid, int flags) {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  unsigned lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
  auto p = user_path_at(dfd, name, lookup);
  return p ? to_abi(chown_common(p->get(), uid, gid)) : p.error().neg();
}

}  // namespace

// ---- Size -------------------------------------------------------------------------------------------------------
Result<void> do_truncate(const path* p, loff_t size, unsigned extra_valid, file* f) {
  iattr a{};
  a.ia_valid = ATTR_SIZE | ATTR_MTIME | extra_valid;
  a.ia_size = size;
  a.ia_file = f;
  if (!capable(CAP_FSETID)) a.ia_valid |= ATTR_KILL_SUID | ATTR_KILL_SGID;
  inode* i = p->dentry->d_inode;
  inode_lock(i);
  Result<void> r = notify_change(p, &a);
  inode_unlock(i);
  return r;
}

namespace {

// RLIMIT_FSIZE: growing beyond it is answered with SIGXFSZ.
Result<void> size_allowed(const inode* i, loff_t size) {
  if (size < 0) return fail(EINVAL);
  if (size > i_size_read(i)) {
    unsigned long limit = rlimit(RLIMIT_FSIZE);
    if (limit != ~0ul && static_cast<unsigned long>(size) > limit) {
      send_sig(SIGXFSZ, current, 0);
      return fail(EFBIG);
    }
    if (size > i->i_sb->s_maxbytes) return fail(EFBIG);
  }
  return {};
}

}  // namespace

Result<void> vfs_truncate(const path* p, loff_t size) {
  inode* i = p->dentry->d_inode;
  if (S_ISDIR(i->i_mode)) return fail(EISDIR);
  if (!S_ISREG(i->i_mode)) return fail(EINVAL);
  TRY(mnt_want_write(p->mnt));
  auto change_it = [&]() -> Result<void> {
    TRY(inode_permission(p->mnt, i, MAY_WRITE));
    TRY(size_allowed(i, size));
    TRY(check_abi(get_write_access(i)));
    auto r = do_truncate(p, size, 0, nullptr);
    put_write_access(i);
    return r;
  };
  Result<void> r = change_it();
  mnt_drop_write(p->mnt);
  return r;
}

SYSCALL_DEFINE2(truncate, const char*, name, long, size) {
  if (size < 0) return -EINVAL;
  auto p = user_path_at(AT_FDCWD, name, LOOKUP_FOLLOW);
  return p ? to_abi(vfs_truncate(p->get(), size)) : p.error().neg();
}

SYSCALL_DEFINE2(ftruncate, unsigned, fd, long, size) {
  if (size < 0) return -EINVAL;
  Fd f(fd);
  if (!f) return -EBADF;
  if (!S_ISREG(f->f_inode->i_mode) || !(f->f_mode & FMODE_WRITE)) return -EINVAL;
  auto ok = size_allowed(f->f_inode, size);
  if (!ok) return ok.error().neg();
  return to_abi(do_truncate(&f->f_path, size, ATTR_CTIME, f.get()));
}

SYSCALL_DEFINE4(fallocate, int, fd, int, mode, loff_t, offset, loff_t, len) {
  Fd f(static_cast<unsigned>(fd));
  if (!f) return -EBADF;
  if (offset < 0 || len <= 0) return -EINVAL;
  if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) return -EOPNOTSUPP;
  if (mode & FALLOC_FL_PUNCH_HOLE && !(mode & FALLOC_FL_KEEP_SIZE)) return -EOPNOTSUPP;
  if (!(f->f_mode & FMODE_WRITE)) return -EBADF;
  umode_t m = f->f_inode->i_mode;
  if (S_ISFIFO(m)) return -ESPIPE;
  if (S_ISDIR(m)) return -EISDIR;
  if (!S_ISREG(m)) return -ENODEV;
  if (offset + len < 0 || offset + len > f->f_inode->i_sb->s_maxbytes) return -EFBIG;
  if (!f->f_op->fallocate) return -EOPNOTSUPP;
  return f->f_op->fallocate(f.get(), mode, offset, len);
}

// ---- The calls ----------------------------------------------------------------------------------------------------
SYSCALL_DEFINE2(chmod, const char*, name, umode_t, mode) { return do_fchmodat(AT_FDCWD, name, mode); }
SYSCALL_DEFINE3(fchmodat, int, dfd, const char*, name, umode_t, mode) { return do_fchmodat(dfd, name, mode); }
SYSCALL_DEFINE2(fchmod, unsigned, fd, umode_t, mode) {
  Fd f(fd);
  return f ? to_abi(chmod_common(&f->f_path, mode)) : -EBADF;
}
SYSCALL_DEFINE3(chown, const char*, name, unsigned, uid, unsigned, gid) { return do_fchownat(AT_FDCWD, name, uid, gid, 0); }
SYSCALL_DEFINE3(lchown, const char*, name, unsigned, uid, unsigned, gid) {
  return do_fchownat(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}
SYSCALL_DEFINE5(fchownat, int, dfd, const char*, name, unsigned, uid, unsigned, gid, int, flags) {
  return do_fchownat(dfd, name, uid, gid, flags);
}
SYSCALL_DEFINE3(fchown, unsigned, fd, unsigned, uid, unsigned, gid) {
  Fd f(fd);
  return f ? to_abi(chown_common(&f->f_path, uid, gid)) : -EBADF;
}
SYSCALL_DEFINE4(utimensat, int, dfd, const char*, name, const timespec64*, user_times, int, flags) {
  timespec64 t[2];
  if (user_times && copy_from_user(t, user_times, sizeof(t))) return -EFAULT;
  return do_utimes(dfd, name, user_times ? t : nullptr, flags);
}
SYSCALL_DEFINE3(futimesat, int, dfd, const char*, name, const timeval64*, tv) { return do_futimesat(dfd, name, tv); }
SYSCALL_DEFINE2(utimes, const char*, name, const timeval64*, tv) { return do_futimesat(AT_FDCWD, name, tv); }
SYSCALL_DEFINE2(utime, const char*, name, const long*, user_times) {
  if (!user_times) return do_utimes(AT_FDCWD, name, nullptr, 0);
  long v[2];
  if (copy_from_user(v, user_times, sizeof(v))) return -EFAULT;
  timespec64 t[2] = {{v[0], 0}, {v[1], 0}};
  return do_utimes(AT_FDCWD, name, t, 0);
}

Result<void> init_chmod(const char* name, umode_t mode) {
  auto p = TRY(kern_path(name, LOOKUP_FOLLOW));
  return chmod_common(p.get(), mode);
}
Result<void> init_chown(const char* name, unsigned uid, unsigned gid) {
  auto p = TRY(kern_path(name, 0));
  return chown_common(p.get(), uid, gid);
}
Result<void> init_utimes(const char* name, s64 mtime_s) {
  auto p = TRY(kern_path(name, 0));
  timespec64 t[2] = {{mtime_s, 0}, {mtime_s, 0}};
  return utimes_common(p.get(), t);
}
