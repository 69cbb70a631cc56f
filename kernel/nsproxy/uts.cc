// uts namespaces.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/uts.hh"

#include <linux/slab.h>
#include <linux/string.h>

#include "kernel/cred/cred.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/kinds.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/sync/guards.hh"

uts_namespace init_uts_ns;

namespace {

constinit spinlock_t uts_lock{};  // the names of all uts namespaces

uts_namespace* to_uts(ns_common* ns) { return container_of(ns, uts_namespace, ns); }

Result<uts_namespace*> clone_uts_ns(user_namespace* user_ns, const uts_namespace* old) {
  auto* ns = TRY(make_ns<uts_namespace>(user_ns, UCOUNT_UTS_NAMESPACES, &utsns_operations));
  SpinGuard guard(uts_lock);
  ns->name = old->name;
  return ns;
}

}  // namespace

Result<uts_namespace*> copy_utsname(u64 flags, user_namespace* user_ns, uts_namespace* old) {
  if (flags & CLONE_NEWUTS) return clone_uts_ns(user_ns, old);
  refcount_inc(&old->ns.count);
  return old;
}

void put_uts_ns(uts_namespace* ns) {
  if (!refcount_dec_and_test(&ns->ns.count)) return;
  release_ns(ns, UCOUNT_UTS_NAMESPACES);
  kfree(ns);
}

new_utsname read_utsname() {
  SpinGuard guard(uts_lock);
  return current->nsproxy->uts_ns->name;
}

bool may_write_utsname() { return ns_capable(current->nsproxy->uts_ns->user_ns, CAP_SYS_ADMIN); }

void write_utsname(char (new_utsname::*which)[__NEW_UTS_LEN + 1], const char* text, size_t n) {
  SpinGuard guard(uts_lock);
  char* to = current->nsproxy->uts_ns->name.*which;
  memcpy(to, text, n);
  memset(to + n, 0, __NEW_UTS_LEN + 1 - n);
}

constinit const proc_ns_operations utsns_operations = {
    .name = "uts",
    .real_ns_name = "uts",
    .type = CLONE_NEWUTS,
    .get = [](task_struct* t) { return get_ns_of(t, [](struct nsproxy* p) { return &p->uts_ns->ns; }); },
    .put = [](ns_common* ns) { put_uts_ns(to_uts(ns)); },
    .install = [](nsset* set, ns_common* ns) { return install_ns(set, set->nsproxy->uts_ns, to_uts(ns), put_uts_ns); },
    .owner = [](ns_common* ns) { return to_uts(ns)->user_ns; },
    .get_parent = nullptr,
};
