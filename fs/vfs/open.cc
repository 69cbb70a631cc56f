// Opening: flags to a file, openat and its relatives, close.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "fs/event/event.hh"
#include "fs/vfs/walk.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned kValidFlags = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC |
                                 FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH |
                                 __O_TMPFILE;
constexpr int kAccModes[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
constexpr u64 kResolveAll = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT |
                            RESOLVE_CACHED;

unsigned resolve_to_lookup(u64 r) {
  return (r & RESOLVE_NO_XDEV ? LOOKUP_NO_XDEV : 0) | (r & RESOLVE_NO_MAGICLINKS ? LOOKUP_NO_MAGICLINKS : 0) |
         (r & RESOLVE_NO_SYMLINKS ? LOOKUP_NO_SYMLINKS | LOOKUP_NO_MAGICLINKS : 0) |
         (r & RESOLVE_BENEATH ? LOOKUP_BENEATH : 0) | (r & RESOLVE_IN_ROOT ? LOOKUP_IN_ROOT : 0);
}

}  // namespace

// Strict: openat2 refuses what open would ignore.
Result<open_flags> build_open_flags(u64 how_flags, u64 mode, u64 resolve) {
  if (how_flags & ~static_cast<u64>(kValidFlags) || resolve & ~kResolveAll) return fail(EINVAL);
  if (resolve & RESOLVE_BENEATH && resolve & RESOLVE_IN_ROOT) return fail(EINVAL);
  auto flags = static_cast<int>(how_flags);
  open_flags op{};
  bool creates = flags & (O_CREAT | __O_TMPFILE);
  if (creates) {
    if (mode & ~static_cast<u64>(S_IALLUGO)) return fail(EINVAL);
    op.mode = static_cast<umode_t>(mode) | S_IFREG;
  } else if (mode) {
    return fail(EINVAL);
  }
  op.acc_mode = kAccModes[flags & O_ACCMODE];
  if (flags & __O_TMPFILE) {
    if ((flags & O_TMPFILE) != O_TMPFILE || flags & O_CREAT) return fail(EINVAL);
    if (!(op.acc_mode & MAY_WRITE)) return fail(EINVAL);
  }
  if (flags & O_PATH) {
    if (flags & ~(O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)) return fail(EINVAL);
    op.acc_mode = 0;
  }
  if (flags & __O_SYNC) flags |= O_DSYNC;
  if (flags & O_TRUNC) op.acc_mode |= MAY_WRITE;
  if (flags & O_APPEND) op.acc_mode |= MAY_APPEND;
  op.open_flag = flags;
  op.lookup_flags = resolve_to_lookup(resolve) | (flags & O_DIRECTORY ? LOOKUP_DIRECTORY : 0) |
                    (flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW);
  return op;
}

namespace {

// open(2) forgives: unknown bits are ignored, O_PATH drops what does not go with it.
Result<open_flags> lenient_open_flags(int flags, umode_t mode) {
  u64 f = static_cast<unsigned>(flags) & kValidFlags;
  if (f & O_PATH) f &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
  bool creates = f & (O_CREAT | __O_TMPFILE);
  return build_open_flags(f, creates ? mode & S_IALLUGO : 0, 0);
}

}  // namespace

int flags_to_fmode(int flags) {
  constexpr int kModes[] = {FMODE_READ, FMODE_WRITE, FMODE_READ | FMODE_WRITE, 0};
  return kModes[flags & O_ACCMODE];
}

// ---- A file from an inode ---------------------------------------------------------------------------------------------
namespace {

int open_nothing(inode*, file*) { return 0; }
constexpr file_operations kPathFops{.open = open_nothing};

Result<void> get_write_parts(file* f, const path* p) {
  inode* i = f->f_inode;
  if (!(f->f_mode & FMODE_WRITE)) return {};
  umode_t m = i->i_mode;
  if (S_ISCHR(m) || S_ISBLK(m) || S_ISFIFO(m) || S_ISSOCK(m)) return {};  // these write elsewhere
  TRY(check_abi(get_write_access(i)));
  if (auto r = mnt_want_write(p->mnt); !r) {
    put_write_access(i);
    return r;
  }
  f->f_mode |= FMODE_WRITER;
  return {};
}

void put_write_parts(file* f) {
  if (!(f->f_mode & FMODE_WRITER)) return;
  put_write_access(f->f_inode);
  mnt_drop_write(f->f_path.mnt);
}

}  // namespace

// f becomes open at p (referenced anew). On failure f is as it was and can be freed.
Result<void> do_dentry_open(file* f, const path* p, int flags, int (*open)(inode*, file*)) {
  inode* i = p->dentry->d_inode;
  f->f_inode = i;
  f->f_mapping = i->i_mapping;
  f->f_flags = static_cast<unsigned>(flags & ~(O_CREAT | O_EXCL | O_CLOEXEC));
  f->f_path = *p;
  if (flags & O_PATH) {
    f->f_mode = FMODE_PATH | FMODE_OPENED;
    f->f_op = &kPathFops;
    path_get(p);
    return {};
  }
  f->f_mode = static_cast<unsigned>(flags_to_fmode(flags)) | FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE;
  if (S_ISREG(i->i_mode) || S_ISDIR(i->i_mode)) f->f_mode |= FMODE_ATOMIC_POS;
  TRY(get_write_parts(f, p));
  path_get(p);
  f->f_op = i->i_fop;
  if (!open) open = f->f_op->open;
  if (open) {
    if (int err = open(i, f); err) {
      put_write_parts(f);
      path_put(&f->f_path);
      return fail(-err);
    }
  }
  f->f_mode |= FMODE_OPENED;
  f->f_flags &= ~static_cast<unsigned>(O_NOCTTY | O_TRUNC);  // the open of a terminal, of a trace, has seen them
  if (f->f_op->llseek == no_llseek) f->f_mode &= ~FMODE_LSEEK;
  if (f->f_flags & O_DIRECT && S_ISREG(i->i_mode)) {
    // There is no way around the page cache: tmpfs and ramfs refuse O_DIRECT.
    if (f->f_op->release) f->f_op->release(i, f);
    put_write_parts(f);
    path_put(&f->f_path);
    return fail(EINVAL);
  }
  return {};
}

void __fput(file* f) {
  if (f->f_mode & FMODE_OPENED) {
    if (!list_empty(&f->f_ep_links)) eventpoll_release(f);
    if (!(f->f_mode & FMODE_PATH)) {
      if (f->f_inode->i_flctx) locks_remove_file(f);
      if (f->f_op->release) f->f_op->release(f->f_inode, f);
      put_write_parts(f);
    }
    path_put(&f->f_path);
  }
  free_file(f);
}

Result<file*> dentry_open(const path* p, int flags) {
  file* f = alloc_file();
  if (!f) return fail(ENFILE);
  if (auto r = do_dentry_open(f, p, flags, nullptr); !r) {
    free_file(f);
    return std::unexpected(r.error());
  }
  return f;
}

// ---- Path to file -----------------------------------------------------------------------------------------------------
namespace {

enum class Origin : unsigned char { Found, Created };

Result<void> may_open(const path* p, int acc_mode, int flag) {
  inode* i = p->dentry->d_inode;
  switch (i->i_mode & S_IFMT) {
    case S_IFLNK:
      return fail(ELOOP);
    case S_IFDIR:
      if (acc_mode & MAY_WRITE) return fail(EISDIR);
      if (acc_mode & MAY_EXEC) return fail(EACCES);
      break;
    case S_IFBLK:
    case S_IFCHR:
      if (p->mnt->mnt_flags & MNT_NODEV || p->mnt->mnt_sb->s_user_ns != &init_user_ns) return fail(EACCES);
      [[fallthrough]];
    case S_IFIFO:
    case S_IFSOCK:
      if (acc_mode & MAY_EXEC) return fail(EACCES);
      break;
    case S_IFREG:
      if (acc_mode & MAY_EXEC && p->mnt->mnt_flags & MNT_NOEXEC) return fail(EACCES);
      break;
  }
  if (acc_mode) TRY(inode_permission(p->mnt, i, MAY_OPEN | acc_mode));
  if (flag & O_NOATIME && !inode_owner_or_capable(i)) return fail(EPERM);
  return {};
}

Result<void> truncate_opened(file* f) {
  inode* i = f->f_inode;
  if (!S_ISREG(i->i_mode)) return {};
  if (f->f_mode & FMODE_WRITER) return do_truncate(&f->f_path, 0, ATTR_MTIME | ATTR_CTIME | ATTR_OPEN, f);
  TRY(check_abi(get_write_access(i)));  // O_RDONLY|O_TRUNC truncates too
  auto r = do_truncate(&f->f_path, 0, ATTR_MTIME | ATTR_CTIME | ATTR_OPEN, f);
  put_write_access(i);
  return r;
}

Result<void> open_at(file* f, const path* p, const open_flags& op, Origin origin) {
  int flag = op.open_flag;
  inode* i = p->dentry->d_inode;
  if (flag & O_PATH) return do_dentry_open(f, p, flag, nullptr);
  if (origin == Origin::Found) {
    if (flag & O_CREAT && S_ISDIR(i->i_mode)) return fail(EISDIR);
    if (flag & O_CREAT && flag & O_EXCL) return fail(EEXIST);
    TRY(may_open(p, op.acc_mode, flag));
  }
  bool truncates = flag & O_TRUNC && origin == Origin::Found && S_ISREG(i->i_mode);
  if (truncates) TRY(mnt_want_write(p->mnt));
  Result<void> r = do_dentry_open(f, p, flag, nullptr);
  if (r && truncates) {
    r = truncate_opened(f);
    if (!r) {
      if (f->f_op->release) f->f_op->release(f->f_inode, f);
      put_write_parts(f);
      path_put(&f->f_path);
      f->f_mode = 0;
    }
  }
  if (truncates) mnt_drop_write(p->mnt);
  return r;
}

// Makes the last component if it is not there. The directory's lock is held over looking and making.
Result<PathRef> look_or_create(const PathRef& dir, const Last& last, const open_flags& op, Origin* origin) {
  inode* di = dir.ino();
  *origin = Origin::Found;
  auto access = mnt_want_write(dir.mnt());
  struct Frame {
    inode* di;
    vfsmount* m;
    ~Frame() {
      inode_unlock(di);
      if (m) mnt_drop_write(m);
    }
  };
  inode_lock(di);
  Frame frame{di, access ? dir.mnt() : nullptr};
  auto found = lookup_one(dir.dent(), last);
  if (found) return PathRef(path{mntget(dir.mnt()), *found});
  if (found.error().code() != ENOENT) return std::unexpected(found.error());
  if (!access) return std::unexpected(access.error());
  TRY(may_create(dir.get()));
  if (!di->i_op->create) return fail(EACCES);
  dentry* d = d_alloc(dir.dent(), std::string_view(last.name, last.len));
  if (!d) return fail(ENOMEM);
  auto mode = static_cast<umode_t>(op.mode & ~current_umask_of(current->fs));
  if (auto r = di->i_op->create(di, d, mode); !r) {
    dput(d);
    return std::unexpected(r.error());
  }
  d_add(d);
  *origin = Origin::Created;
  return PathRef(path{mntget(dir.mnt()), d});
}

Result<void> open_create(file* f, Walk& w, const open_flags& op) {
  PathRef dir = TRY(w.to_parent());
  for (;;) {
    const Last& last = w.last();
    if (last.type != LastType::Norm) {
      if (last.type == LastType::Root && !*last.name)  // a jumping link led here
        return open_at(f, dir.get(), op, Origin::Found);
      return fail(EISDIR);
    }
    if (last.slashes) return fail(EISDIR);
    Origin origin;
    PathRef at = TRY(look_or_create(dir, last, op, &origin));
    if (S_ISLNK(at.ino()->i_mode)) {
      if (op.open_flag & O_EXCL) return fail(EEXIST);
      if (op.open_flag & O_NOFOLLOW) return fail(ELOOP);
      TRY(w.follow_last(&dir, at.dent()));
      continue;
    }
    if (origin == Origin::Found && READ_ONCE(at.dent()->d_flags) & DCACHE_MOUNTED)
      at = Walk::cross_mounts(at.mnt(), dget(at.dent()));
    return open_at(f, at.get(), op, origin);
  }
}

Result<void> open_tmpfile(file* f, Walk& w, const open_flags& op) {
  PathRef dir = TRY(w.to_end());
  inode* di = dir.ino();
  if (!S_ISDIR(di->i_mode)) return fail(ENOTDIR);
  TRY(may_create(dir.get()));
  if (!di->i_op->tmpfile) return fail(EOPNOTSUPP);
  TRY(mnt_want_write(dir.mnt()));
  auto made = di->i_op->tmpfile(di, static_cast<umode_t>(op.mode & ~current_umask_of(current->fs)));
  mnt_drop_write(dir.mnt());
  inode* i = TRY(made);
  dentry* d = d_alloc(dir.dent(), "#tmp");
  if (!d) {
    iput(i);
    return fail(ENOMEM);
  }
  d->d_flags |= DCACHE_DELETED;
  d_instantiate(d, i);
  PathRef at(path{mntget(dir.mnt()), d});
  return do_dentry_open(f, at.get(), op.open_flag, nullptr);
}

Result<void> open_walk(file* f, Walk& w, const open_flags& op) {
  if (op.open_flag & __O_TMPFILE) return open_tmpfile(f, w, op);
  if (op.open_flag & O_CREAT) return open_create(f, w, op);
  PathRef at = TRY(w.to_end());
  return open_at(f, at.get(), op, Origin::Found);
}

Result<file*> finish(Walk& w, const open_flags& op) {
  file* f = alloc_file();
  if (!f) return fail(ENFILE);
  if (auto r = open_walk(f, w, op); !r) {
    free_file(f);
    return std::unexpected(r.error());
  }
  return f;
}

}  // namespace

Result<file*> do_filp_open(int dfd, const char* name, const open_flags& op) {
  Walk w(dfd, name, op.lookup_flags);
  return finish(w, op);
}
Result<file*> do_file_open_root(const path* root, const char* name, const open_flags& op) {
  Walk w(root, name, op.lookup_flags);
  return finish(w, op);
}
Result<file*> filp_open(const char* name, int flags, umode_t mode) {
  return do_filp_open(AT_FDCWD, name, TRY(lenient_open_flags(flags, mode)));
}
Result<file*> file_open_root(const path* root, const char* name, int flags, umode_t mode) {
  return do_file_open_root(root, name, TRY(lenient_open_flags(flags, mode)));
}

// For exec: X_OK by the file's mode bits, not on a noexec mount, and nobody writes while it is mapped (ETXTBSY).
Result<file*> do_open_execat(int dfd, const char* name, int at_flags) {
  if (at_flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return fail(EINVAL);
  open_flags op{};
  op.open_flag = O_LARGEFILE | O_RDONLY;
  op.acc_mode = MAY_EXEC;
  op.lookup_flags = (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
  FileRef f(TRY(do_filp_open(dfd, name, op)));
  if (!S_ISREG(f->f_inode->i_mode) || f->f_path.mnt->mnt_flags & MNT_NOEXEC) return fail(EACCES);
  TRY(check_abi(deny_write_access(f->f_inode)));
  return f.release();
}
Result<file*> open_exec(const char* name) { return do_open_execat(AT_FDCWD, name, 0); }

// ---- The calls ----------------------------------------------------------------------------------------------------------
namespace {

long open_fd(int dfd, const char* user_name, const open_flags& op) {
  UserName name;
  if (auto r = name.get(user_name); !r) return r.error().neg();
  int fd = get_unused_fd_flags(static_cast<unsigned>(op.open_flag));
  if (fd < 0) return fd;
  auto f = do_filp_open(dfd, name.c_str(), op);
  if (!f) {
    put_unused_fd(static_cast<unsigned>(fd));
    return f.error().neg();
  }
  fd_install(static_cast<unsigned>(fd), *f);
  return fd;
}

long do_sys_open(int dfd, const char* name, int flags, umode_t mode) {
  auto op = lenient_open_flags(flags, mode);
  return op ? open_fd(dfd, name, *op) : op.error().neg();
}

}  // namespace

SYSCALL_DEFINE4(openat, int, dfd, const char*, name, int, flags, umode_t, mode) {
  return do_sys_open(dfd, name, flags | O_LARGEFILE, mode);
}
SYSCALL_DEFINE3(open, const char*, name, int, flags, umode_t, mode) {
  return do_sys_open(AT_FDCWD, name, flags | O_LARGEFILE, mode);
}
SYSCALL_DEFINE2(creat, const char*, name, umode_t, mode) {
  return do_sys_open(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC | O_LARGEFILE, mode);
}
SYSCALL_DEFINE4(openat2, int, dfd, const char*, name, const open_how*, user_how, size_t, size) {
  if (size < sizeof(open_how)) return -EINVAL;
  if (size > 4096) return -E2BIG;
  open_how how;
  if (long err = copy_struct_from_user(&how, sizeof(how), user_how, size)) return err;
  auto op = build_open_flags(how.flags, how.mode, how.resolve);
  if (!op) return op.error().neg();
  if (how.resolve & RESOLVE_CACHED) return -EAGAIN;
  if (!(op->open_flag & O_PATH)) op->open_flag |= O_LARGEFILE;
  return open_fd(dfd, name, *op);
}

int filp_close(file* f, files_struct* id) {
  int err = 0;
  if (f->f_op->flush) err = f->f_op->flush(f);
  if (READ_ONCE(f->f_inode->i_flctx)) locks_remove_posix(f, id);
  fput(f);
  return err;
}

SYSCALL_DEFINE1(close, unsigned, fd) { return close_fd(fd); }
