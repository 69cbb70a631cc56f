// Walking a path: components, "..", symlinks, mounts.
// SPDX-License-Identifier: Apache-2.0
#include "fs/vfs/walk.hh"

#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "kernel/cred/cred.hh"
#include "kernel/sync/guards.hh"

namespace {
constexpr unsigned kNoFd = ~0u;
constexpr int kStartOver = ECHILD;  // never leaves this file

bool scoped(unsigned flags) { return flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT); }

// root or pwd of fs without a lock and without references.
path peek_path(const fs_struct* fs, const path fs_struct::* which) {
  for (;;) {
    unsigned seq = smp_load_acquire(&fs->seq);
    path p{READ_ONCE((fs->*which).mnt), READ_ONCE((fs->*which).dentry)};
    smp_rmb();
    if (!(seq & 1) && READ_ONCE(fs->seq) == seq) return p;
    arch::cpu_relax();
  }
}
}  // namespace

Walk::Walk(int dfd, const char* name, unsigned flags)
    : name_(name), dfd_(dfd), flags_(flags),
      start_fd_(dfd != AT_FDCWD && (*name != '/' || scoped(flags)) ? static_cast<unsigned>(dfd) : kNoFd, 0) {}

Walk::Walk(const path* root, const char* name, unsigned flags)
    : name_(name), dfd_(AT_FDCWD), flags_(flags | LOOKUP_IN_ROOT), start_fd_(kNoFd, 0), start_(*root) {}

Walk::~Walk() { drop_all(); }

// ---- References -----------------------------------------------------------------------------------------------------
void Walk::begin_rcu() {
  rcu_read_lock();
  rcu_ = true;
  rename_seen_ = smp_load_acquire(&rename_seq);
  mount_seen_ = smp_load_acquire(&mount_seq);
}
void Walk::end_rcu() {
  rcu_ = false;
  rcu_read_unlock();
}
bool Walk::seq_same() const {
  smp_rmb();
  return READ_ONCE(rename_seq) == rename_seen_ && READ_ONCE(mount_seq) == mount_seen_ &&
         !((rename_seen_ | mount_seen_) & 1);
}

void Walk::drop_all() {
  if (rcu_) {
    end_rcu();
  } else {
    if (at_.dentry) path_put(&at_);
    if (root_.dentry) path_put(&root_);
    for (int i = 0; i < links_used_; i++) {
      dput(links_[i].d);
      kfree(links_[i].to_free);
    }
  }
  at_ = root_ = path{};
  links_used_ = depth_ = 0;
}

// From here on we hold what we stand on. A dentry that is dying, or a tree that moved: start over.
Result<void> Walk::need_refs() {
  if (!rcu_) return {};
  int n = 0;
  bool ok = atomic_inc_not_zero(&at_.mnt->mnt_count);
  path at{ok ? at_.mnt : nullptr, nullptr}, root{};
  if (ok && (ok = dget_unless_dead(at_.dentry))) at.dentry = at_.dentry;
  if (ok && root_.dentry) {
    if ((ok = atomic_inc_not_zero(&root_.mnt->mnt_count))) root.mnt = root_.mnt;
    if (ok && (ok = dget_unless_dead(root_.dentry))) root.dentry = root_.dentry;
  }
  for (; ok && n < links_used_; n++)
    if (!dget_unless_dead(links_[n].d)) ok = false;
  if (!ok && n) n--;  // the one that failed has no reference
  smp_mb();           // pairs with seq_begin: who changes the tree looks at counts after it
  if (ok && seq_same()) {
    end_rcu();
    return {};
  }
  int held = ok ? links_used_ : n;
  Link put[kMaxSymlinks];
  for (int i = 0; i < held; i++) put[i] = links_[i];
  end_rcu();
  at_ = root_ = path{};
  links_used_ = depth_ = 0;
  for (int i = 0; i < held; i++) dput(put[i].d);
  dput(at.dentry);
  mntput(at.mnt);
  dput(root.dentry);
  mntput(root.mnt);
  return fail(kStartOver);
}

void Walk::set_at(path p) {
  if (!rcu_ && at_.dentry) path_put(&at_);
  at_ = p;
}

// ---- Where it begins --------------------------------------------------------------------------------------------------
void Walk::set_root() {
  if (root_.dentry) return;
  if (start_.dentry) {
    root_ = start_;
    if (!rcu_) path_get(&root_);
  } else if (rcu_) {
    root_ = peek_path(current->fs, &fs_struct::root);
  } else {
    get_fs_root(current->fs, &root_);
  }
}

Result<void> Walk::start() {
  rest_ = name_;
  want_dir_ = magic_ = false;
  if (start_.dentry) {
    set_root();
    at_ = root_;
    if (!rcu_) path_get(&at_);
    return {};
  }
  if (*name_ == '/' && !scoped(flags_)) {
    set_root();
    at_ = root_;
    if (!rcu_) path_get(&at_);
    return {};
  }
  if (*name_ == '/' && flags_ & LOOKUP_BENEATH) return fail(EXDEV);
  if (dfd_ == AT_FDCWD) {
    if (rcu_)
      at_ = peek_path(current->fs, &fs_struct::pwd);
    else
      get_fs_pwd(current->fs, &at_);
  } else {
    if (!start_fd_) return fail(EBADF);
    if (*name_ && !d_is_dir(start_fd_->f_path.dentry)) return fail(ENOTDIR);
    at_ = start_fd_->f_path;
    if (!rcu_) path_get(&at_);
  }
  if (scoped(flags_)) {
    root_ = at_;
    if (!rcu_) path_get(&root_);
  }
  return {};
}

// ---- Text to components -------------------------------------------------------------------------------------------------
// The next component of rest_; false: there is none. rest_ moves past it and the slashes behind it.
bool Walk::parse(Last* c) {
  const char* p = rest_;
  while (*p == '/') p++;
  if (!*p) {
    rest_ = p;
    return false;
  }
  c->name = p;
  u32 h = 0;
  for (; *p && *p != '/'; p++) h = (h ^ static_cast<unsigned char>(*p)) * 0x01000193u;
  c->hash = h;
  c->len = static_cast<u32>(p - c->name);
  c->type = LastType::Norm;
  if (c->name[0] == '.') {
    if (c->len == 1) c->type = LastType::Dot;
    if (c->len == 2 && c->name[1] == '.') c->type = LastType::DotDot;
  }
  c->slashes = *p == '/';
  while (*p == '/') p++;
  rest_ = p;
  return true;
}

Result<void> Walk::may_search() {
  inode* i = at_.dentry->d_inode;
  umode_t mode = READ_ONCE(i->i_mode);
  if (!S_ISDIR(mode)) [[unlikely]] return fail(ENOTDIR);
  if (i->i_op->permission) [[unlikely]] {
    TRY(need_refs());
    return i->i_op->permission(i, MAY_EXEC);
  }
  if ((mode & S_IXUGO) == S_IXUGO) [[likely]] return {};
  return generic_permission(i, MAY_EXEC);
}

Result<void> Walk::walk_text(Until until) {
  for (;;) {
    Last c;
    if (!parse(&c)) {
      if (depth_ == 0) {  // nothing but slashes, or nothing at all
        last_ = Last{name_, 0, 0, LastType::Root, false};
        return {};
      }
      rest_ = rests_[--depth_];
      continue;
    }
    if (*rest_ || depth_) {  // a text is only put aside if something follows it
      TRY(component(c, true));
      continue;
    }
    if (until == Until::Parent) {
      TRY(may_search());
      last_ = c;
      return {};
    }
    if (c.slashes) want_dir_ = true;
    int before = links_used_;
    TRY(component(c, flags_ & LOOKUP_FOLLOW || c.slashes));
    if (links_used_ == before || magic_) return {};
  }
}

// ---- One step ---------------------------------------------------------------------------------------------------------
Result<void> Walk::component(const Last& c, bool follow) {
  magic_ = false;
  TRY(may_search());
  if (c.type == LastType::Dot) return {};
  if (c.type == LastType::DotDot) return dot_dot();
  dentry* d = TRY(find_child(c));
  if (!S_ISLNK(READ_ONCE(d->d_inode->i_mode)) || !follow) [[likely]] return set_at_child(d);
  return enter_link(d);
}

Result<dentry*> Walk::find_child(const Last& c) {
  dentry* d;
  if (rcu_) {
    if (c.len > NAME_MAX) [[unlikely]] return fail(ENAMETOOLONG);
    d = __d_lookup(at_.dentry, c.hash, c.name, c.len);
    if (d) [[likely]] return d;
    if (at_.dentry->d_sb->s_complete) return seq_same() ? fail(ENOENT) : fail(kStartOver);
    TRY(need_refs());
  }
  d = d_lookup_hashed(at_.dentry, c.hash, c.name, c.len);
  return d ? Result<dentry*>(d) : find_child_slow(c);
}

// A rename may carry the searcher of a hash chain away, so a miss counts only under the directory's lock.
Result<dentry*> Walk::find_child_slow(const Last& c) {
  if (c.len > NAME_MAX) return fail(ENAMETOOLONG);
  inode* dir = at_.dentry->d_inode;
  RwsemReadGuard g(dir->i_rwsem);
  if (dentry* d = d_lookup_hashed(at_.dentry, c.hash, c.name, c.len)) return d;
  if (at_.dentry->d_sb->s_complete || !dir->i_op->lookup) return fail(ENOENT);
  return dir->i_op->lookup(dir, std::string_view(c.name, c.len), at_.dentry);
}

PathRef Walk::cross_mounts(vfsmount* mnt, dentry* d) {
  path p{mntget(mnt), d};
  while (READ_ONCE(p.dentry->d_flags) & DCACHE_MOUNTED) {
    vfsmount* m = lookup_mnt(&p);
    if (!m) break;
    path_put(&p);
    p = {m, dget(m->mnt_root)};
  }
  return PathRef(p);
}

// d is ours: referenced unless rcu_.
Result<void> Walk::set_at_child(dentry* d) {
  if (rcu_) {
    path p{at_.mnt, d};
    while (READ_ONCE(p.dentry->d_flags) & DCACHE_MOUNTED) [[unlikely]] {
      vfsmount* m = __lookup_mnt(p.mnt, p.dentry);
      if (!m) break;
      if (flags_ & LOOKUP_NO_XDEV) return fail(EXDEV);
      p = {m, m->mnt_root};
    }
    at_ = p;
    return {};
  }
  PathRef p = cross_mounts(at_.mnt, d);
  if (p.mnt() != at_.mnt && flags_ & LOOKUP_NO_XDEV) return fail(EXDEV);
  set_at(p.release());
  return {};
}

Result<void> Walk::dot_dot() {
  set_root();
  for (;;) {  // up through what is mounted here
    if (at_ == root_) return flags_ & LOOKUP_BENEATH ? fail(EXDEV) : Result<void>{};
    if (at_.dentry != at_.mnt->mnt_root) break;
    if (READ_ONCE(at_.mnt->mnt_parent) == at_.mnt) return {};
    if (flags_ & LOOKUP_NO_XDEV) return fail(EXDEV);
    path up;
    {
      SpinGuard g(mount_lock);
      up = {at_.mnt->mnt_parent, at_.mnt->mnt_mountpoint};
      if (!rcu_) path_get(&up);
    }
    set_at(up);
  }
  if (rcu_) return set_at_child(READ_ONCE(at_.dentry->d_parent));
  dentry* parent;
  {
    SpinGuard g(dcache_lock);
    parent = dget(at_.dentry->d_parent);
  }
  return set_at_child(parent);
}

Result<void> Walk::jump(path p) {
  PathRef hold(p);
  if (flags_ & LOOKUP_NO_MAGICLINKS) return fail(ELOOP);
  if (scoped(flags_)) return fail(EXDEV);
  if (flags_ & LOOKUP_NO_XDEV && p.mnt != at_.mnt) return fail(EXDEV);
  set_at(hold.release());
  magic_ = true;
  return {};
}

// The sticky rule for symlinks (protected_symlinks) is off, as Linux's default.
Result<void> Walk::enter_link(dentry* d) {
  inode* i = d->d_inode;
  if (links_used_ == kMaxSymlinks || flags_ & LOOKUP_NO_SYMLINKS || READ_ONCE(at_.mnt->mnt_flags) & MNT_NOSYMFOLLOW) {
    if (!rcu_) dput(d);
    return fail(ELOOP);
  }
  if (rcu_ && !i->i_link) {
    if (!dget_unless_dead(d)) return fail(kStartOver);
    if (auto r = need_refs(); !r) {
      dput(d);
      return r;
    }
  }
  Link& l = links_[links_used_];
  l = {d, nullptr};
  const char* text = i->i_link;
  links_used_++;  // from here the link is held by the walk
  if (!text) {
    LinkTarget t = TRY(i->i_op->get_link(d, i));
    l.to_free = t.to_free;
    if (t.jump.dentry) return jump(t.jump);
    text = t.text;
  }
  if (!*text) return fail(ENOENT);
  if (*rest_) rests_[depth_++] = rest_;
  rest_ = text;
  if (*text == '/') {
    if (flags_ & LOOKUP_BENEATH) return fail(EXDEV);
    set_root();
    if (flags_ & LOOKUP_NO_XDEV && root_.mnt != at_.mnt) return fail(EXDEV);
    path p = root_;
    if (!rcu_) path_get(&p);
    set_at(p);
  }
  return {};
}

// ---- The whole ----------------------------------------------------------------------------------------------------------
Result<PathRef> Walk::attempt(Until until) {
  TRY(start());
  TRY(walk_text(until));
  TRY(need_refs());
  if (until == Until::End && (want_dir_ || flags_ & LOOKUP_DIRECTORY) && !d_is_dir(at_.dentry)) return fail(ENOTDIR);
  return PathRef(std::exchange(at_, path{}));
}

Result<PathRef> Walk::run(Until until) {
  if (!*name_ && !(flags_ & LOOKUP_EMPTY)) return fail(ENOENT);
  if (lazy_ok_) begin_rcu();
  auto r = attempt(until);
  if (r) return r;
  if (rcu_ && r.error().code() != kStartOver && !seq_same()) r = fail(kStartOver);
  drop_all();
  if (r.error().code() != kStartOver) return r;
  r = attempt(until);
  return r;
}

Result<PathRef> Walk::to_end() { return run(Until::End); }
Result<PathRef> Walk::to_parent() { return run(Until::Parent); }

Result<void> Walk::follow_last(PathRef* dir, dentry* d) {
  at_ = dir->release();
  const char* was = rest_;
  if (last_.slashes && !*was) want_dir_ = true;
  if (auto r = enter_link(dget(d)); !r) return r;
  if (magic_) {
    *dir = PathRef(std::exchange(at_, path{}));
    last_ = Last{"", 0, 0, LastType::Root, want_dir_};
    return {};
  }
  TRY(walk_text(Until::Parent));
  if (want_dir_) last_.slashes = true;
  *dir = PathRef(std::exchange(at_, path{}));
  return {};
}
