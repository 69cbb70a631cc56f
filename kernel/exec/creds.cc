// Credentials of a new program: set-ID bits and root's capabilities (spec 40 section 8). File capabilities do not exist: there
// are no extended attributes.
// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>

#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/exec/exec.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"

namespace {

enum : unsigned { kUnsafeShare = 1, kUnsafePtrace = 2, kUnsafeNoNewPrivs = 4 };  // 8.1
enum : unsigned { kSecureNoRoot = 1, kSecureKeepCaps = 0x10 };
constexpr unsigned long kClearOnSetid = 0x0400000 | 0x0040000 | 0x0200000 | 0x0100000;

// euid and egid by the file's bits; true if either applied.
bool apply_setid_bits(linux_binprm* b) {
  const file* f = b->file.get();
  const inode* i = file_inode(f);
  if (!mnt_may_suid(f->f_path.mnt) || current->no_new_privs) return false;
  umode_t mode = READ_ONCE(i->i_mode);
  if (!kuid_has_mapping(b->cred->user_ns, i->i_uid) || !kgid_has_mapping(b->cred->user_ns, i->i_gid)) return false;
  bool applied = false;
  if (mode & S_ISUID) {
    b->cred->euid = i->i_uid;
    applied = true;
  }
  if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
    b->cred->egid = i->i_gid;
    applied = true;
  }
  if (applied) b->per_clear |= kClearOnSetid;
  return applied;
}

// 8.3 with empty file sets: ambient capabilities, and the root rule.
bool apply_capabilities(struct cred* n, const struct cred* old, bool setid) {
  bool root_rule = !(n->securebits & kSecureNoRoot);
  const kuid_t root = make_kuid(n->user_ns, 0);
  bool is_root = uid_eq(n->euid, root), real_root = uid_eq(n->uid, root);
  bool changed_ids = setid && (!uid_eq(n->euid, old->euid) || !gid_eq(n->egid, old->egid));
  if (changed_ids || (setid && !uid_eq(n->euid, n->uid))) n->cap_ambient = {0};
  n->cap_permitted = n->cap_effective = n->cap_ambient;
  if (root_rule && (is_root || real_root)) {
    n->cap_permitted = {n->cap_inheritable.bits | n->cap_bset.bits};
    if (is_root) n->cap_effective = n->cap_permitted;
  }
  return (n->cap_permitted.bits & ~old->cap_permitted.bits) != 0;
}

}  // namespace

void judge_safety(linux_binprm* b) {
  b->unsafe = current->no_new_privs ? kUnsafeNoNewPrivs : 0;
  if (data_race(current->ptrace)) b->unsafe |= kUnsafePtrace;
  fs_struct* fs = current->fs;
  SpinGuard guard(fs->lock);
  // A thread that comes is among the users before it is in the list, one that goes has let go of fs before it is no user any more: a
  // look in between finds a stranger too many, never one too few.
  int ours = 0;
  {
    RcuReadGuard rcu;
    task_struct* t;
    for_each_thread(current, t) ours += READ_ONCE(t->fs) == fs;
  }
  if (fs->users > ours) {
    b->unsafe |= kUnsafeShare;
  } else {
    fs->in_exec = 1;  // nobody else comes to share it until the exec has ended
    b->in_exec_set = true;
  }
}

namespace {

// The program may not be read, so its memory may be looked into only from where its file's ids mean something.
void raise_mm_owner(mm_struct* mm, const inode* i) {
  user_namespace* ns = mm->user_ns;
  while (ns->parent && (!kuid_has_mapping(ns, i->i_uid) || !kgid_has_mapping(ns, i->i_gid))) ns = ns->parent;
  if (ns == mm->user_ns) return;
  get_user_ns(ns);
  put_user_ns(mm->user_ns);
  mm->user_ns = ns;
}

}  // namespace

Result<void> bprm_creds_from_file(linux_binprm* b) {
  struct cred* n = b->cred;
  const struct cred* old = current_cred();
  b->unreadable |= !inode_permission(b->file.get()->f_path.mnt, file_inode(b->file.get()), MAY_READ);
  if (b->unreadable) raise_mm_owner(b->mm, file_inode(b->file.get()));
  bool setid = apply_setid_bits(b);
  bool gained = apply_capabilities(n, old, setid);
  bool changed = !uid_eq(n->euid, old->euid) || !gid_eq(n->egid, old->egid);
  const bool watched = (b->unsafe & ~kUnsafePtrace) || !ptracer_capable(current, n->user_ns);
  if ((changed || gained) && watched) {
    if (!ns_capable(n->user_ns, CAP_SETUID) || (b->unsafe & kUnsafeNoNewPrivs)) {
      n->euid = n->uid;
      n->egid = n->gid;
    }
    n->cap_permitted.bits &= old->cap_permitted.bits;
    n->cap_effective.bits &= n->cap_permitted.bits;
  }
  n->suid = n->fsuid = n->euid;
  n->sgid = n->fsgid = n->egid;
  n->securebits &= ~kSecureKeepCaps;
  b->secureexec = !uid_eq(n->euid, n->uid) || !gid_eq(n->egid, n->gid) ||
                  (!uid_eq(n->uid, make_kuid(n->user_ns, 0)) && (n->cap_permitted.bits & ~n->cap_ambient.bits) != 0);
  return {};
}
