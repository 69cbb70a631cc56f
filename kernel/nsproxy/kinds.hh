// What the operations of most kinds of namespaces have in common. Private to the kinds.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/cred/cred.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/sync/guards.hh"

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
