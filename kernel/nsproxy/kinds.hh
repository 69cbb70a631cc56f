// What the operations of most kinds of namespaces have in common. Private to the kinds.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/slab.h>

#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/sync/guards.hh"

// A new namespace of a kind: zeroes, but for what all kinds have. ENOSPC: the caller may have no more of them.
template <class Ns>
Result<Ns*> make_ns(user_namespace* user_ns, ucount_type kind, const proc_ns_operations* ops) {
  ucounts* charged = inc_ucount(user_ns, current_cred()->euid, kind);
  if (!charged) return fail(ENOSPC);
  auto* ns = static_cast<Ns*>(kzalloc(sizeof(Ns), GFP_KERNEL));
  Result<void> r = ns ? ns_common_init(&ns->ns, ops) : fail(ENOMEM);
  if (!r) {
    kfree(ns);
    dec_ucount(charged, kind);
    return fail(r.error().code());
  }
  ns->user_ns = get_user_ns(user_ns);
  ns->ucounts = charged;
  return ns;
}

// What make_ns() took, but for the memory. Any context.
template <class Ns>
void release_ns(Ns* ns, ucount_type kind) {
  ns_free_inum(&ns->ns);
  dec_ucount(ns->ucounts, kind);
  put_user_ns(ns->user_ns);
}

// ->get: the member of t's nsproxy that `pick` chooses, referenced.
template <class Pick>
ns_common* get_ns_of(task_struct* t, Pick pick) {
  SpinGuard guard(t->alloc_lock);
  if (!t->nsproxy) return nullptr;
  ns_common* ns = pick(t->nsproxy);
  refcount_inc(&ns->count);
  return ns;
}

// May set's caller enter a namespace of this owner? CAP_SYS_ADMIN in it and in its own user namespace (setns(2)).
inline bool may_install(const nsset* set, user_namespace* owner) {
  return ns_capable(owner, CAP_SYS_ADMIN) && ns_capable(set->cred->user_ns, CAP_SYS_ADMIN);
}

// ->install: `place`, a member of set's private nsproxy, becomes ns.
template <class Ns>
int install_ns(nsset* set, Ns*& place, Ns* ns, void (*put)(Ns*)) {
  if (!may_install(set, ns->user_ns)) return -EPERM;
  refcount_inc(&ns->ns.count);
  put(std::exchange(place, ns));
  return 0;
}
