// The system calls that read and change user and group ids. setuid(2) and its kin, credentials(7), capabilities(7).
// SPDX-License-Identifier: Apache-2.0
#include <uapi/linux/securebits.h>

#include <initializer_list>
#include <utility>

#include "kernel/cred/cred.hh"
#include "kernel/cred/user.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "mm/uaccess.hh"

namespace {

constexpr u64 bit(int cap) { return 1ull << cap; }
// What file access by a root fsuid takes with it.
constexpr u64 kFsCaps = bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_FOWNER) | bit(CAP_FSETID) |
                        bit(CAP_LINUX_IMMUTABLE) | bit(CAP_MKNOD) | bit(32 /* CAP_MAC_OVERRIDE */);

// A copy of current's credentials on its way to being committed; aborted unless it is.
class NewCred {
 public:
  NewCred() : cred_(prepare_creds()) {}
  ~NewCred() {
    if (cred_) abort_creds(cred_);
  }
  NewCred(const NewCred&) = delete;
  explicit operator bool() const { return cred_; }
  struct cred* operator->() { return cred_; }
  struct cred& operator*() { return *cred_; }
  long commit() { return commit_creds(std::exchange(cred_, nullptr)); }

 private:
  struct cred* cred_;
};

bool is_root(kuid_t u) { return u.val == 0; }

// capabilities(7), "Effect of user ID changes on capabilities".
void fix_caps_for_uids(struct cred& n, const struct cred& old) {
  if (old.securebits & SECBIT_NO_SETUID_FIXUP) return;
  bool was_root = is_root(old.uid) || is_root(old.euid) || is_root(old.suid);
  bool now_root = is_root(n.uid) || is_root(n.euid) || is_root(n.suid);
  if (was_root && !now_root) {
    if (!(old.securebits & SECBIT_KEEP_CAPS)) n.cap_permitted = n.cap_effective = {};
    n.cap_ambient = {};
  }
  if (is_root(old.euid) && !is_root(n.euid)) n.cap_effective = {};
  if (!is_root(old.euid) && is_root(n.euid)) n.cap_effective = n.cap_permitted;
}

void fix_caps_for_fsuid(struct cred& n, const struct cred& old) {
  if (old.securebits & SECBIT_NO_SETUID_FIXUP) return;
  if (is_root(old.fsuid) && !is_root(n.fsuid)) n.cap_effective.bits &= ~kFsCaps;
  if (!is_root(old.fsuid) && is_root(n.fsuid)) n.cap_effective.bits |= n.cap_permitted.bits & kFsCaps;
}

// The real uid is whose processes are counted. Being over the limit is found out at exec (execve(2), EAGAIN).
bool account_to(struct cred& n, kuid_t uid) {
  user_struct* user = alloc_uid(uid);
  if (!user) return false;
  bool over = static_cast<u64>(atomic_long_read(&user->processes)) >= rlimit(RLIMIT_NPROC) && user != &root_user;
  if (over)
    current->flags |= PF_NPROC_EXCEEDED;
  else
    current->flags &= ~PF_NPROC_EXCEEDED;
  free_uid(n.user);
  n.user = user;
  return true;
}

constexpr unsigned kKeep = ~0u;  // -1: leave this id as it is
bool may_setuid() { return ns_capable(current->cred->user_ns, CAP_SETUID); }
bool may_setgid() { return ns_capable(current->cred->user_ns, CAP_SETGID); }
template <class Id>
bool among(unsigned id, std::initializer_list<Id> set) {
  for (Id x : set)
    if (x.val == id) return true;
  return false;
}

long finish_uids(NewCred& n, const struct cred& old) {
  n->fsuid = n->euid;
  if (!uid_eq(n->uid, old.uid) && !account_to(*n, n->uid)) return -EAGAIN;
  fix_caps_for_uids(*n, old);
  return n.commit();
}

}  // namespace

SYSCALL_DEFINE0(getuid) { return current->cred->uid.val; }
SYSCALL_DEFINE0(geteuid) { return current->cred->euid.val; }
SYSCALL_DEFINE0(getgid) { return current->cred->gid.val; }
SYSCALL_DEFINE0(getegid) { return current->cred->egid.val; }

SYSCALL_DEFINE1(setuid, unsigned, uid) {
  if (uid == kKeep) return -EINVAL;
  NewCred n;
  if (!n) return -ENOMEM;
  const struct cred& old = *current->cred;
  if (may_setuid())
    n->uid = n->suid = {uid};
  else if (!among(uid, {old.uid, old.suid}))
    return -EPERM;
  n->euid = {uid};
  return finish_uids(n, old);
}

SYSCALL_DEFINE2(setreuid, unsigned, ruid, unsigned, euid) {
  NewCred n;
  if (!n) return -ENOMEM;
  const struct cred& old = *current->cred;
  if (ruid != kKeep) {
    if (!among(ruid, {old.uid, old.euid}) && !may_setuid()) return -EPERM;
    n->uid = {ruid};
  }
  if (euid != kKeep) {
    if (!among(euid, {old.uid, old.euid, old.suid}) && !may_setuid()) return -EPERM;
    n->euid = {euid};
  }
  if (ruid != kKeep || (euid != kKeep && euid != old.uid.val)) n->suid = n->euid;
  return finish_uids(n, old);
}

SYSCALL_DEFINE3(setresuid, unsigned, ruid, unsigned, euid, unsigned, suid) {
  NewCred n;
  if (!n) return -ENOMEM;
  const struct cred& old = *current->cred;
  bool foreign = false;
  for (unsigned id : {ruid, euid, suid}) foreign |= id != kKeep && !among(id, {old.uid, old.euid, old.suid});
  if (foreign && !may_setuid()) return -EPERM;
  if (ruid != kKeep) n->uid = {ruid};
  if (euid != kKeep) n->euid = {euid};
  if (suid != kKeep) n->suid = {suid};
  return finish_uids(n, old);
}

SYSCALL_DEFINE3(getresuid, unsigned __user*, ruid, unsigned __user*, euid, unsigned __user*, suid) {
  const struct cred& c = *current->cred;
  return put_user(c.uid.val, ruid) || put_user(c.euid.val, euid) || put_user(c.suid.val, suid) ? -EFAULT : 0;
}

SYSCALL_DEFINE1(setgid, unsigned, gid) {
  if (gid == kKeep) return -EINVAL;
  NewCred n;
  if (!n) return -ENOMEM;
  if (may_setgid())
    n->gid = n->sgid = {gid};
  else if (!among(gid, {n->gid, n->sgid}))
    return -EPERM;
  n->egid = n->fsgid = {gid};
  return n.commit();
}

SYSCALL_DEFINE2(setregid, unsigned, rgid, unsigned, egid) {
  NewCred n;
  if (!n) return -ENOMEM;
  const struct cred& old = *current->cred;
  if (rgid != kKeep) {
    if (!among(rgid, {old.gid, old.egid}) && !may_setgid()) return -EPERM;
    n->gid = {rgid};
  }
  if (egid != kKeep) {
    if (!among(egid, {old.gid, old.egid, old.sgid}) && !may_setgid()) return -EPERM;
    n->egid = {egid};
  }
  if (rgid != kKeep || (egid != kKeep && egid != old.gid.val)) n->sgid = n->egid;
  n->fsgid = n->egid;
  return n.commit();
}

SYSCALL_DEFINE3(setresgid, unsigned, rgid, unsigned, egid, unsigned, sgid) {
  NewCred n;
  if (!n) return -ENOMEM;
  const struct cred& old = *current->cred;
  bool foreign = false;
  for (unsigned id : {rgid, egid, sgid}) foreign |= id != kKeep && !among(id, {old.gid, old.egid, old.sgid});
  if (foreign && !may_setgid()) return -EPERM;
  if (rgid != kKeep) n->gid = {rgid};
  if (egid != kKeep) n->egid = {egid};
  if (sgid != kKeep) n->sgid = {sgid};
  n->fsgid = n->egid;
  return n.commit();
}

SYSCALL_DEFINE3(getresgid, unsigned __user*, rgid, unsigned __user*, egid, unsigned __user*, sgid) {
  const struct cred& c = *current->cred;
  return put_user(c.gid.val, rgid) || put_user(c.egid.val, egid) || put_user(c.sgid.val, sgid) ? -EFAULT : 0;
}

// These two answer the earlier id whatever happens (setfsuid(2)).
SYSCALL_DEFINE1(setfsuid, unsigned, uid) {
  const struct cred& old = *current->cred;
  const long was = old.fsuid.val;
  if (uid == kKeep || (!among(uid, {old.uid, old.euid, old.suid, old.fsuid}) && !may_setuid())) return was;
  NewCred n;
  if (!n) return was;
  n->fsuid = {uid};
  fix_caps_for_fsuid(*n, old);
  n.commit();
  return was;
}

SYSCALL_DEFINE1(setfsgid, unsigned, gid) {
  const struct cred& old = *current->cred;
  const long was = old.fsgid.val;
  if (gid == kKeep || (!among(gid, {old.gid, old.egid, old.sgid, old.fsgid}) && !may_setgid())) return was;
  NewCred n;
  if (!n) return was;
  n->fsgid = {gid};
  n.commit();
  return was;
}
