// Names of the system: uname(2), sethostname(2), setdomainname(2); personality(2), getcpu(2).
// SPDX-License-Identifier: Apache-2.0
#include <linux/string.h>

#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/nsproxy/uts.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr unsigned long kPersonalityMask = 0xffffffff;

long set_name(char (new_utsname::*name)[__NEW_UTS_LEN + 1], const char __user* from, int len) {
  if (!may_write_utsname()) return -EPERM;
  if (len < 0 || len > __NEW_UTS_LEN) return -EINVAL;
  char text[__NEW_UTS_LEN];
  if (copy_from_user(text, from, static_cast<unsigned long>(len))) return -EFAULT;
  write_utsname(name, text, static_cast<size_t>(len));
  return 0;
}

}  // namespace

SYSCALL_DEFINE1(uname, new_utsname __user*, to) {
  const new_utsname copy = read_utsname();
  return copy_to_user(to, &copy, sizeof(copy)) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(sethostname, const char __user*, name, int, len) { return set_name(&new_utsname::nodename, name, len); }
SYSCALL_DEFINE2(setdomainname, const char __user*, name, int, len) { return set_name(&new_utsname::domainname, name, len); }

// Stored and given back; only some of its flags mean anything to exec and mmap.
SYSCALL_DEFINE1(personality, unsigned, value) {
  const unsigned long old = current->personality;
  if (value != 0xffffffff) current->personality = value & kPersonalityMask;
  return static_cast<long>(old);
}

SYSCALL_DEFINE3(getcpu, unsigned __user*, cpu, unsigned __user*, node, void __user*, unused) {
  const unsigned here = task_cpu(current);
  if (cpu && put_user(here, cpu)) return -EFAULT;
  return node && put_user(0u, node) ? -EFAULT : 0;
}
