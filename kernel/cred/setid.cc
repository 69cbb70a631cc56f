// The system calls that read and change user and group ids. setuid(2) and its kin, credentials(7), capabilities(7).
// SPDX-License-Identifier: Apache-2.0
#include <uapi/linux/securebits.h>

#include <initializer_list>
#include <utility>

#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
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


// capabilities(7), "Effect of user ID changes on capabilities".
void fix_caps_for_uids(struct cred& n, const struct cred& old) {
  if (old.securebits & SECBIT_NO_SETUID_FIXUP) return;
  const kuid_t root = make_kuid(old.user_ns, 0);
  auto is_root = [root](kuid_t u) { return uid_eq(u, root); };
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
  const kuid_t root = make_kuid(old.user_ns, 0);
  auto is_root = [root](kuid_t u) { return uid_eq(u, root); };
  if (is_root(old.fsuid) && !is_root(n.fsuid)) n.cap_effective.bits &= ~kFsCaps;
  if (!is_root(old.fsuid) && is_root(n.fsuid)) n.cap_effective.bits |= n.cap_permitted.bits & kFsCaps;
}

// The real uid is whose processes are counted. Being over the limit is found out at exec (execve(2), EAGAIN).
bool account_to(struct cred& n, kuid_t uid) {
  user_struct* user = alloc_uid(uid);
  if (!user) return false;
  free_uid(n.user);
  n.user = user;
  if (!set_cred_ucounts(&n)) return false;
  const unsigned long limit = rlimit(RLIMIT_NPROC);
  bool over = user != &root_user && (static_cast<u64>(get_rlimit_value(n.ucounts, UCOUNT_RLIMIT_NPROC)) >= limit ||
                                     is_rlimit_overlimit(n.ucounts, UCOUNT_RLIMIT_NPROC, limit));
  if (over)
    current->flags |= PF_NPROC_EXCEEDED;
  else
    current->flags &= ~PF_NPROC_EXCEEDED;
  return true;
}

constexpr unsigned kKeep = ~0u;  // -1: leave this id as it is
bool may_setuid() { return ns_capable(current_user_ns(), CAP_SETUID); }
bool may_setgid() { return ns_capable(current_user_ns(), CAP_SETGID); }

// An id as the caller gave it, in his namespace. `bad`: it is given and means nothing there.
struct GivenUid {
  explicit GivenUid(unsigned id) : keep(id == kKeep), id(make_kuid(current_user_ns(), id)), bad(!keep && !uid_valid(this->id)) {}
  bool keep;
  kuid_t id;
  bool bad;
};
struct GivenGid {
  explicit GivenGid(unsigned id) : keep(id == kKeep), id(make_kgid(current_user_ns(), id)), bad(!keep && !gid_valid(this->id)) {}
  bool keep;
  kgid_t id;
  bool bad;
};
template <class Id>
bool among(Id id, std::initializer_list<Id> set) {
  for (Id x : set)
    if (x.val == id.val) return true;
  return false;
}

long finish_uids(NewCred& n, const struct cred& old) {
  n->fsuid = n->euid;
  if (!uid_eq(n->uid, old.uid) && !account_to(*n, n->uid)) return -EAGAIN;
  fix_caps_for_uids(*n, old);
  return n.commit();
}

unsigned shown(kuid_t id) { return from_kuid_munged(current_user_ns(), id); }
unsigned shown(kgid_t id) { return from_kgid_munged(current_user_ns(), id); }

}  // namespace

SYSCALL_DEFINE0(getuid) { return shown(current->cred->uid); }
SYSCALL_DEFINE0(geteuid) { return shown(current->cred->euid); }
SYSCALL_DEFINE0(getgid) { return shown(current->cred->gid); }
SYSCALL_DEFINE0(getegid) { return shown(current->cred->egid); }

SYSCALL_DEFINE1(setuid, unsigned, uid) {
  const kuid_t id = make_kuid(current_user_ns(), uid);
  if (!uid_valid(id)) return -EINVAL;
  NewCred n;
  if (!n) return -ENOMEM;
  const struct cred& old = *current->cred;
  if (may_setuid())
    n->uid = n->suid = id;
  else if (!among(id, {old.uid, old.suid}))
    return -EPERM;
  n->euid = id;
  return finish_uids(n, old);
}

SYSCALL_DEFINE2(setreuid, unsigned, ruid, unsigned, euid) {
  const GivenUid r(ruid), e(euid);
  if (r.bad || e.bad) return -EINVAL;
  NewCred n;
  if (!n) return -ENOMEM;
  const struct cred& old = *current->cred;
  if (!r.keep) {
    if (!among(r.id, {old.uid, old.euid}) && !may_setuid()) return -EPERM;
    n->uid = r.id;
  }
  if (!e.keep) {
    if (!among(e.id, {old.uid, old.euid, old.suid}) && !may_setuid()) return -EPERM;
    n->euid = e.id;
  }
  if (!r.keep || (!e.keep && !uid_eq(e.id, old.uid))) n->suid = n->euid;
  return finish_uids(n, old);
}

SYSCALL_DEFINE3(setresuid, unsigned, ruid, unsigned, euid, unsigned, suid) {
  const GivenUid r(ruid), e(euid), s(suid);
  if (r.bad || e.bad || s.bad) return -EINVAL;
  NewCred n;
  if (!n) return -ENOMEM;
  const struct cred& old = *current->cred;
  bool foreign = false;
  for (const GivenUid* g : {&r, &e, &s}) foreign |= !g->keep && !among(g->id, {old.uid, old.euid, old.suid});
  if (foreign && !may_setuid()) return -EPERM;
  if (!r.keep) n->uid = r.id;
  if (!e.keep) n->euid = e.id;
  if (!s.keep) n->suid = s.id;
  return finish_uids(n, old);
}

SYSCALL_DEFINE3(getresuid, unsigned __user*, ruid, unsigned __user*, euid, unsigned __user*, suid) {
  const struct cred& c = *current->cred;
  return put_user(shown(c.uid), ruid) || put_user(shown(c.euid), euid) || put_user(shown(c.suid), suid) ? -EFAULT : 0;
}

SYSCALL_DEFINE1(setgid, unsigned, gid) {
  const kgid_t id = make_kgid(current_user_ns(), gid);
  if (!gid_valid(id)) return -EINVAL;
  NewCred n;
  if (!n) return -ENOMEM;
  if (may_setgid())
    n->gid = n->sgid = id;
  else if (!among(id, {n->gid, n->sgid}))
    return -EPERM;
  n->egid = n->fsgid = id;
  return n.commit();
}

SYSCALL_DEFINE2(setregid, unsigned, rgid, unsigned, egid) {
  const GivenGid r(rgid), e(egid);
  if (r.bad || e.bad) return -EINVAL;
  NewCred n;
  if (!n) return -ENOMEM;
  const struct cred& old = *current->cred;
  if (!r.keep) {
    if (!among(r.id, {old.gid, old.egid}) && !may_setgid()) return -EPERM;
    n->gid = r.id;
  }
  if (!e.keep) {
    if (!among(e.id, {old.gid, old.egid, old.sgid}) && !may_setgid()) return -EPERM;
    n->egid = e.id;
  }
  if (!r.keep || (!e.keep && !gid_eq(e.id, old.gid))) n->sgid = n->egid;
  n->fsgid = n->egid;
  return n.commit();
}

SYSCALL_DEFINE3(setresgid, unsigned, rgid, unsigned, egid, unsigned, sgid) {
  const GivenGid r(rgid), e(egid), s(sgid);
  if (r.bad || e.bad || s.bad) return -EINVAL;
  NewCred n;
  if (!n) return -ENOMEM;
  const struct cred& old = *current->cred;
  bool foreign = false;
  for (const GivenGid* g : {&r, &e, &s}) foreign |= !g->keep && !among(g->id, {old.gid, old.egid, old.sgid});
  if (foreign && !may_setgid()) return -EPERM;
  if (!r.keep) n->gid = r.id;
  if (!e.keep) n->egid = e.id;
  if (!s.keep) n->sgid = s.id;
  n->fsgid = n->egid;
  return n.commit();
}

SYSCALL_DEFINE3(getresgid, unsigned __user*, rgid, unsigned __user*, egid, unsigned __user*, sgid) {
  const struct cred& c = *current->cred;
  return put_user(shown(c.gid), rgid) || put_user(shown(c.egid), egid) || put_user(shown(c.sgid), sgid) ? -EFAULT : 0;
}

// These two answer the earlier id whatever happens (setfsuid(2)).
SYSCALL_DEFINE1(setfsuid, unsigned, uid) {
  const struct cred& old = *current->cred;
  const long was = shown(old.fsuid);
  const kuid_t id = make_kuid(old.user_ns, uid);
  if (!uid_valid(id) || (!among(id, {old.uid, old.euid, old.suid, old.fsuid}) && !may_setuid())) return was;
  NewCred n;
  if (!n) return was;
  n->fsuid = id;
  fix_caps_for_fsuid(*n, old);
  n.commit();
  return was;
}

SYSCALL_DEFINE1(setfsgid, unsigned, gid) {
  const struct cred& old = *current->cred;
  const long was = shown(old.fsgid);
  const kgid_t id = make_kgid(old.user_ns, gid);
  if (!gid_valid(id) || (!among(id, {old.gid, old.egid, old.sgid, old.fsgid}) && !may_setgid())) return was;
  NewCred n;
  if (!n) return was;
  n->fsgid = id;
  n.commit();
  return was;
}
