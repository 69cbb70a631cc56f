// Cgroup namespaces: made, entered, left.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup/namespace.hh"

#include "kernel/cgroup/internal.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/kinds.hh"
#include "kernel/nsproxy/nsproxy.hh"

cgroup_namespace init_cgroup_ns;

namespace {

cgroup_namespace* to_cgroup_ns(ns_common* ns) { return container_of(ns, cgroup_namespace, ns); }

struct cgroup* get_current_cgroup() {
  IrqSpinGuard guard(css_set_lock);
  struct cgroup* c = current->cgroups->dfl_cgrp;
  cgroup_get(c);
  return c;
}

Result<cgroup_namespace*> new_cgroup_ns(user_namespace* user_ns, struct ucounts* charged) {
  auto* ns = static_cast<cgroup_namespace*>(kzalloc(sizeof(cgroup_namespace), GFP_KERNEL));
  if (!ns) return fail(ENOMEM);
  if (auto r = ns_common_init(&ns->ns, &cgroupns_operations); !r) {
    kfree(ns);
    return std::unexpected(r.error());
  }
  ns->user_ns = get_user_ns(user_ns);
  ns->ucounts = charged;
  ns->root = get_current_cgroup();
  return ns;
}

}  // namespace

// EPERM, ENOSPC (max_cgroup_namespaces), ENOMEM.
Result<cgroup_namespace*> copy_cgroup_ns(u64 flags, user_namespace* user_ns, cgroup_namespace* old) {
  if (!(flags & CLONE_NEWCGROUP)) {
    refcount_inc(&old->ns.count);
    return old;
  }
  if (!ns_capable(user_ns, CAP_SYS_ADMIN)) return fail(EPERM);
  struct ucounts* charged = inc_ucount(user_ns, current_cred()->euid, UCOUNT_CGROUP_NAMESPACES);
  if (!charged) return fail(ENOSPC);
  auto fresh = new_cgroup_ns(user_ns, charged);
  if (!fresh) dec_ucount(charged, UCOUNT_CGROUP_NAMESPACES);
  return fresh;
}

void put_cgroup_ns(cgroup_namespace* ns) {
  if (!refcount_dec_and_test(&ns->ns.count)) return;
  cgroup_put(ns->root);
  dec_ucount(ns->ucounts, UCOUNT_CGROUP_NAMESPACES);
  put_user_ns(ns->user_ns);
  ns_free_inum(&ns->ns);
  kfree(ns);
}

// A task that has given up its namespaces sees everything from the top.
struct cgroup* current_cgroup_ns_root() {
  const struct nsproxy* set = current->nsproxy;
  return set ? set->cgroup_ns->root : cgroup_root();
}

constinit const proc_ns_operations cgroupns_operations = {
    .name = "cgroup",
    .real_ns_name = "cgroup",
    .type = CLONE_NEWCGROUP,
    .get = [](task_struct* t) { return get_ns_of(t, [](struct nsproxy* p) { return &p->cgroup_ns->ns; }); },
    .put = [](ns_common* ns) { put_cgroup_ns(to_cgroup_ns(ns)); },
    .install = [](nsset* set, ns_common* ns) { return install_ns(set, set->nsproxy->cgroup_ns, to_cgroup_ns(ns), put_cgroup_ns); },
    .owner = [](ns_common* ns) { return to_cgroup_ns(ns)->user_ns; },
    .get_parent = nullptr,
};

void cgroup_ns_init() {
  init_cgroup_ns = {};
  ns_common_init_static(&init_cgroup_ns.ns, &cgroupns_operations, PROC_CGROUP_INIT_INO);
  init_cgroup_ns.user_ns = &init_user_ns;
  init_cgroup_ns.root = cgroup_root();
  cgroup_get(cgroup_root());
  init_nsproxy.cgroup_ns = &init_cgroup_ns;
}

void cgroup_ns_exit(LeakReport& report) {
  report.expect_zero("references on the initial cgroup namespace", static_cast<long>(refcount_read(&init_cgroup_ns.ns.count)) - 1);
  cgroup_put(cgroup_root());
}
