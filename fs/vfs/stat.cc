// stat in its many forms, readlink, access.
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>
#include <linux/string.h>

#include "fs/vfs/walk.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "mm/uaccess.hh"

u32 new_encode_dev(unsigned dev) {
  unsigned ma = MAJOR(dev), mi = MINOR(dev);
  return (mi & 0xff) | (ma << 8) | ((mi & ~0xffu) << 12);
}
unsigned new_decode_dev(u32 dev) { return MKDEV((dev & 0xfff00) >> 8, (dev & 0xff) | ((dev >> 12) & 0xfff00)); }

void generic_fillattr(inode* i, kstat* st) {
  st->mode = READ_ONCE(i->i_mode);
  st->nlink = READ_ONCE(i->i_nlink);
  st->blksize = 4096;
  st->uid.val = READ_ONCE(i->i_uid.val);
  st->gid.val = READ_ONCE(i->i_gid.val);
  st->dev = i->i_sb->s_dev;
  st->rdev = i->i_rdev;
  st->ino = i->i_ino;
  st->blocks = READ_ONCE(i->i_blocks);
  st->size = i_size_read(i);
  st->atime = READ_ONCE(i->i_atime);
  st->mtime = READ_ONCE(i->i_mtime);
  st->ctime = READ_ONCE(i->i_ctime);
  st->btime = i->i_btime;
  st->attributes = 0;
}

Result<void> vfs_getattr(const path* p, kstat* st) {
  inode* i = p->dentry->d_inode;
  if (i->i_op->getattr)
    TRY(i->i_op->getattr(p, st));
  else
    generic_fillattr(i, st);
  st->mnt_id = p->mnt ? static_cast<u64>(p->mnt->mnt_id) : 0;
  return {};
}

Result<void> vfs_stat(const char* name, kstat* st, unsigned flags) {
  auto p = TRY(kern_path(name, flags));
  return vfs_getattr(p.get(), st);
}

namespace {

struct TimeParts {
  unsigned long sec, nsec;
};
TimeParts split(s64 ns) {
  constexpr s64 kSec = 1'000'000'000;
  s64 s = ns / kSec, rest = ns % kSec;
  if (rest < 0) {
    rest += kSec;
    s--;
  }
  return {static_cast<unsigned long>(s), static_cast<unsigned long>(rest)};
}

long copy_stat(const kstat& k, struct stat* user) {
  TimeParts a = split(k.atime), m = split(k.mtime), c = split(k.ctime);
  struct stat st = {.st_dev = new_encode_dev(k.dev), .st_ino = k.ino, .st_nlink = k.nlink, .st_mode = k.mode,
                    .st_uid = from_kuid_munged(current_user_ns(), k.uid),
                    .st_gid = from_kgid_munged(current_user_ns(), k.gid), .__pad0 = 0, .st_rdev = new_encode_dev(k.rdev),
                    .st_size = k.size, .st_blksize = k.blksize, .st_blocks = static_cast<long>(k.blocks),
                    .st_atime = a.sec, .st_atime_nsec = a.nsec, .st_mtime = m.sec, .st_mtime_nsec = m.nsec,
                    .st_ctime = c.sec, .st_ctime_nsec = c.nsec, .__unused = {0, 0, 0}};
  return copy_to_user(user, &st, sizeof(st)) ? -EFAULT : 0;
}

// AT_EMPTY_PATH with an empty string is fstat; looked at before the path machinery starts.
bool is_empty_name(const char* user_name) {
  char c;
  return get_user(c, user_name) == 0 && c == 0;
}

Result<void> stat_at(int dfd, const char* user_name, int flags, kstat* st) {
  if (flags & AT_EMPTY_PATH && dfd >= 0 && is_empty_name(user_name)) {
    Fd f(static_cast<unsigned>(dfd), 0);
    return f ? vfs_getattr(&f->f_path, st) : fail(EBADF);
  }
  unsigned lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
  auto p = TRY(user_path_at(dfd, user_name, lookup));
  return vfs_getattr(p.get(), st);
}

long do_stat(int dfd, const char* name, struct stat* user, int flags) {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)) return -EINVAL;
  kstat k;
  auto r = stat_at(dfd, name, flags, &k);
  return r ? copy_stat(k, user) : r.error().neg();
}

statx_timestamp stamp(s64 ns) {
  TimeParts t = split(ns);
  return {static_cast<s64>(t.sec), static_cast<u32>(t.nsec), 0};
}

}  // namespace

SYSCALL_DEFINE4(newfstatat, int, dfd, const char*, name, struct stat*, buf, int, flags) {
  return do_stat(dfd, name, buf, flags);
}
SYSCALL_DEFINE2(stat, const char*, name, struct stat*, buf) { return do_stat(AT_FDCWD, name, buf, 0); }
SYSCALL_DEFINE2(lstat, const char*, name, struct stat*, buf) { return do_stat(AT_FDCWD, name, buf, AT_SYMLINK_NOFOLLOW); }
SYSCALL_DEFINE2(fstat, unsigned, fd, struct stat*, buf) {
  Fd f(fd, 0);
  if (!f) return -EBADF;
  kstat k;
  auto r = vfs_getattr(&f->f_path, &k);
  return r ? copy_stat(k, buf) : r.error().neg();
}

SYSCALL_DEFINE5(statx, int, dfd, const char*, name, unsigned, flags, unsigned, mask, struct statx*, user) {
  if (mask & STATX__RESERVED) return -EINVAL;
  if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE) return -EINVAL;
  if (flags & ~static_cast<unsigned>(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)) return -EINVAL;
  kstat k;
  if (auto r = stat_at(dfd, name, static_cast<int>(flags), &k); !r) return r.error().neg();
  struct statx x;
  memset(&x, 0, sizeof(x));
  x.stx_mask = STATX_BASIC_STATS | (mask & (STATX_BTIME | STATX_MNT_ID));
  x.stx_blksize = k.blksize;
  x.stx_attributes = k.attributes;
  x.stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
  x.stx_nlink = k.nlink;
  x.stx_uid = from_kuid_munged(current_user_ns(), k.uid);
  x.stx_gid = from_kgid_munged(current_user_ns(), k.gid);
  x.stx_mode = k.mode;
  x.stx_ino = k.ino;
  x.stx_size = static_cast<u64>(k.size);
  x.stx_blocks = k.blocks;
  x.stx_atime = stamp(k.atime);
  x.stx_btime = stamp(k.btime);
  x.stx_ctime = stamp(k.ctime);
  x.stx_mtime = stamp(k.mtime);
  x.stx_rdev_major = MAJOR(k.rdev);
  x.stx_rdev_minor = MINOR(k.rdev);
  x.stx_dev_major = MAJOR(k.dev);
  x.stx_dev_minor = MINOR(k.dev);
  x.stx_mnt_id = k.mnt_id;
  return copy_to_user(user, &x, sizeof(x)) ? -EFAULT : 0;
}

// ---- readlink ---------------------------------------------------------------------------------------------------------
namespace {

Result<long> copy_link_text(const char* text, char* user, size_t size) {
  size_t n = strlen(text);
  if (n > size) n = size;
  return copy_to_user(user, text, n) ? Result<long>(fail(EFAULT)) : static_cast<long>(n);
}

Result<long> read_link_of(dentry* d, char* user, size_t size) {
  inode* i = d->d_inode;
  if (i->i_link) return copy_link_text(i->i_link, user, size);
  if (i->i_op->readlink) {
    auto* page = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
    if (!page) return fail(ENOMEM);
    auto n = i->i_op->readlink(d, page, size < PATH_MAX ? size : PATH_MAX);
    if (n && copy_to_user(user, page, static_cast<size_t>(*n))) n = fail(EFAULT);
    kfree(page);
    return n;
  }
  LinkTarget t = TRY(i->i_op->get_link(d, i));
  PathRef jumped(t.jump);
  auto n = t.text ? copy_link_text(t.text, user, size) : fail(EINVAL);
  kfree(t.to_free);
  return n;
}

long do_readlinkat(int dfd, const char* name, char* buf, int size) {
  if (size <= 0) return -EINVAL;
  UserName n;
  if (auto r = n.get(name); !r) return r.error().neg();
  auto p = kern_path_at(dfd, n.c_str(), LOOKUP_EMPTY);
  if (!p) return p.error().neg();
  if (!S_ISLNK(p->ino()->i_mode)) return *n.c_str() ? -EINVAL : -ENOENT;
  return to_abi(read_link_of(p->dent(), buf, static_cast<size_t>(size)));
}

}  // namespace

SYSCALL_DEFINE4(readlinkat, int, dfd, const char*, name, char*, buf, int, size) { return do_readlinkat(dfd, name, buf, size); }
SYSCALL_DEFINE3(readlink, const char*, name, char*, buf, int, size) { return do_readlinkat(AT_FDCWD, name, buf, size); }

// ---- access -----------------------------------------------------------------------------------------------------------
namespace {

Result<void> check_access(int dfd, const char* user_name, int mode, unsigned lookup) {
  auto p = TRY(user_path_at(dfd, user_name, lookup));
  inode* i = p.ino();
  if (mode & X_OK && S_ISREG(i->i_mode) && p.mnt()->mnt_flags & MNT_NOEXEC) return fail(EACCES);
  return mode ? inode_permission(p.mnt(), i, mode | MAY_ACCESS) : Result<void>{};
}

// access asks about the real ids: a copy of the credentials has them as file-system ids, and root's powers only for root.
long do_faccessat(int dfd, const char* name, int mode, int flags) {
  if (mode & ~S_IRWXO || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  unsigned lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
  const struct cred* c = current_cred();
  bool same = uid_eq(c->uid, c->fsuid) && gid_eq(c->gid, c->fsgid);
  if (flags & AT_EACCESS || same) return to_abi(check_access(dfd, name, mode, lookup));
  struct cred* real = prepare_creds();
  if (!real) return -ENOMEM;
  real->fsuid = real->uid;
  real->fsgid = real->gid;
  real->cap_effective = uid_eq(real->uid, make_kuid(real->user_ns, 0)) ? real->cap_permitted : kernel_cap_t{0};
  const struct cred* old = override_creds(real);
  auto r = check_access(dfd, name, mode, lookup);
  revert_creds(old);
  put_cred(real);
  return to_abi(r);
}

}  // namespace

SYSCALL_DEFINE3(faccessat, int, dfd, const char*, name, int, mode) { return do_faccessat(dfd, name, mode, 0); }
SYSCALL_DEFINE4(faccessat2, int, dfd, const char*, name, int, mode, int, flags) { return do_faccessat(dfd, name, mode, flags); }
SYSCALL_DEFINE2(access, const char*, name, int, mode) { return do_faccessat(AT_FDCWD, name, mode, 0); }

bool init_eaccess(const char* name) {
  auto p = kern_path(name, LOOKUP_FOLLOW);
  return p && path_permission(p->get(), MAY_EXEC);
}
