// The initial namespaces, and what fork and exit do about namespaces.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/nsproxy.hh"

#include <linux/bug.h>

#include "kernel/fork/clone_checks.hh"
#include "kernel/sync/guards.hh"

void put_nsproxy(struct nsproxy* ns) {
  // init_nsproxy is the only one and holds a reference of its own.
  if (refcount_dec_and_test(&ns->count)) BUG();
}

Result<struct nsproxy*> copy_namespaces(u64 flags, struct nsproxy* parent) {
  if (flags & kCloneNewNamespaces) return fail(EINVAL);  // as a kernel built without them answers
  get_nsproxy(parent);
  return parent;
}

void exit_task_namespaces(task_struct* t) {
  struct nsproxy* ns = t->nsproxy;
  if (!ns) return;
  {
    SpinGuard guard(t->alloc_lock);
    t->nsproxy = nullptr;
  }
  put_nsproxy(ns);
}
