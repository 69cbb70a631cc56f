// capget(2), capset(2), and the parts of prctl(2) about capabilities.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/capability.hh"

#include <linux/rcupdate.h>
#include <uapi/linux/securebits.h>

#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr u32 kVersion1 = 0x19980330, kVersion2 = 0x20071026, kVersion3 = 0x20080522;
struct user_cap_header {
  u32 version;
  int pid;
};
struct user_cap_data {
  u32 effective, permitted, inheritable;
};

// How many user_cap_data follow the header; 0: unknown version, and the header has been told the one we speak.
Result<unsigned> check_version(user_cap_header __user* header) {
  u32 version;
  if (get_user(version, &header->version)) return fail(EFAULT);
  if (version == kVersion1) return 1;
  if (version == kVersion2 || version == kVersion3) return 2;
  if (put_user(kVersion3, &header->version)) return fail(EFAULT);
  return fail(EINVAL);
}

struct CapSets {
  kernel_cap_t effective, permitted, inheritable;
};

Result<CapSets> caps_of(int pid) {
  auto sets = [](const struct cred& c) { return CapSets{c.cap_effective, c.cap_permitted, c.cap_inheritable}; };
  if (!pid || pid == task_pid_vnr(current)) return sets(*current->cred);
  RcuReadGuard rcu;
  task_struct* t = find_task_by_vpid(pid);
  if (!t) return fail(ESRCH);
  return sets(*READ_ONCE(t->real_cred));
}

bool subset(kernel_cap_t a, u64 of) { return !(a.bits & ~of); }

// capabilities(7), "Thread capability sets": the four rules of capset.
bool capset_allowed(const struct cred& old, const CapSets& n) {
  u64 inheritable_limit = old.cap_inheritable.bits | old.cap_permitted.bits;
  if (!cred_has_cap(&old, old.user_ns, CAP_SETPCAP) && !subset(n.inheritable, inheritable_limit)) return false;
  return subset(n.inheritable, old.cap_inheritable.bits | old.cap_bset.bits) && subset(n.permitted, old.cap_permitted.bits) &&
         subset(n.effective, n.permitted.bits);
}

}  // namespace

SYSCALL_DEFINE2(capget, user_cap_header __user*, header, user_cap_data __user*, data) {
  auto words = check_version(header);
  if (!words) return !data && words.error() == Errno(EINVAL) ? 0 : words.error().neg();
  int pid;
  if (get_user(pid, &header->pid)) return -EFAULT;
  if (pid < 0) return -EINVAL;
  auto sets = caps_of(pid);
  if (!sets) return sets.error().neg();
  if (!data) return 0;
  user_cap_data out[2];
  for (unsigned i = 0; i < 2; i++)
    out[i] = {static_cast<u32>(sets->effective.bits >> 32 * i), static_cast<u32>(sets->permitted.bits >> 32 * i),
              static_cast<u32>(sets->inheritable.bits >> 32 * i)};
  return copy_to_user(data, out, *words * sizeof(out[0])) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(capset, user_cap_header __user*, header, const user_cap_data __user*, data) {
  auto words = check_version(header);
  if (!words) return words.error().neg();
  int pid;
  if (get_user(pid, &header->pid)) return -EFAULT;
  if (pid && pid != task_pid_vnr(current)) return -EPERM;
  user_cap_data in[2] = {};
  if (copy_from_user(in, data, *words * sizeof(in[0]))) return -EFAULT;
  auto join = [&](u32 user_cap_data::*m) { return kernel_cap_t{(in[0].*m | u64{in[1].*m} << 32) & kCapFull.bits}; };
  CapSets want{join(&user_cap_data::effective), join(&user_cap_data::permitted), join(&user_cap_data::inheritable)};
  if (!capset_allowed(*current->cred, want)) return -EPERM;
  struct cred* n = prepare_creds();
  if (!n) return -ENOMEM;
  n->cap_effective = want.effective;
  n->cap_permitted = want.permitted;
  n->cap_inheritable = want.inheritable;
  n->cap_ambient.bits &= want.permitted.bits & want.inheritable.bits;
  return commit_creds(n);
}

// ---- prctl -------------------------------------------------------------------------------------------------------

namespace {

template <class Change>
long change_creds(Change change) {
  struct cred* n = prepare_creds();
  if (!n) return -ENOMEM;
  change(*n);
  return commit_creds(n);
}
bool valid_cap(unsigned long cap) { return cap <= CAP_LAST_CAP; }

enum { kAmbientIsSet = 1, kAmbientRaise = 2, kAmbientLower = 3, kAmbientClearAll = 4 };

}  // namespace

long prctl_capbset_read(unsigned long cap) { return valid_cap(cap) ? current->cred->cap_bset.bits >> cap & 1 : -EINVAL; }

long prctl_capbset_drop(unsigned long cap) {
  if (!ns_capable(current->cred->user_ns, CAP_SETPCAP)) return -EPERM;
  if (!valid_cap(cap)) return -EINVAL;
  return change_creds([&](struct cred& n) { n.cap_bset.bits &= ~(1ull << cap); });
}

long prctl_get_securebits() { return current->cred->securebits; }

long prctl_set_securebits(unsigned long bits) {
  const unsigned old = current->cred->securebits;
  bool unlocks = ((old & SECURE_ALL_LOCKS) >> 1) & (old ^ bits);
  bool drops_lock = old & SECURE_ALL_LOCKS & ~bits;
  if (unlocks || drops_lock || (bits & ~(SECURE_ALL_LOCKS | SECURE_ALL_BITS)) ||
      !ns_capable(current->cred->user_ns, CAP_SETPCAP))
    return -EPERM;
  return change_creds([&](struct cred& n) { n.securebits = static_cast<unsigned>(bits); });
}

long prctl_get_keepcaps() { return !!(current->cred->securebits & SECBIT_KEEP_CAPS); }

long prctl_set_keepcaps(unsigned long on) {
  if (on > 1) return -EINVAL;
  if (current->cred->securebits & SECBIT_KEEP_CAPS_LOCKED) return -EPERM;
  return change_creds([&](struct cred& n) {
    n.securebits &= ~SECBIT_KEEP_CAPS;
    if (on) n.securebits |= SECBIT_KEEP_CAPS;
  });
}

long prctl_cap_ambient(unsigned long op, unsigned long cap) {
  if (op == kAmbientClearAll) return cap ? -EINVAL : change_creds([](struct cred& n) { n.cap_ambient = {}; });
  if (!valid_cap(cap) || op < kAmbientIsSet || op > kAmbientLower) return -EINVAL;
  const struct cred& c = *current->cred;
  if (op == kAmbientIsSet) return c.cap_ambient.bits >> cap & 1;
  if (op == kAmbientLower) return change_creds([&](struct cred& n) { n.cap_ambient.bits &= ~(1ull << cap); });
  if (!(c.cap_permitted.bits & c.cap_inheritable.bits & 1ull << cap) || (c.securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
    return -EPERM;
  return change_creds([&](struct cred& n) { n.cap_ambient.bits |= 1ull << cap; });
}
