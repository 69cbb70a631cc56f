// IPC namespaces.
// SPDX-License-Identifier: Apache-2.0
#include <linux/slab.h>

#include "ipc/ipc_namespace.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/kinds.hh"

ipc_namespace init_ipc_ns;

namespace {
ipc_namespace* to_ipc(ns_common* ns) { return container_of(ns, ipc_namespace, ns); }
}  // namespace

Result<ipc_namespace*> copy_ipcs(u64 flags, user_namespace* user_ns, ipc_namespace* old) {
  if (!(flags & CLONE_NEWIPC)) {
    refcount_inc(&old->ns.count);
    return old;
  }
  return make_ns<ipc_namespace>(user_ns, UCOUNT_IPC_NAMESPACES, &ipcns_operations);
}

void put_ipc_ns(ipc_namespace* ns) {
  if (!refcount_dec_and_test(&ns->ns.count)) return;
  release_ns(ns, UCOUNT_IPC_NAMESPACES);
  kfree(ns);
}

constinit const proc_ns_operations ipcns_operations = {
    .name = "ipc",
    .real_ns_name = "ipc",
    .type = CLONE_NEWIPC,
    .get = [](task_struct* t) { return get_ns_of(t, [](struct nsproxy* p) { return &p->ipc_ns->ns; }); },
    .put = [](ns_common* ns) { put_ipc_ns(to_ipc(ns)); },
    .install = [](nsset* set, ns_common* ns) { return install_ns(set, set->nsproxy->ipc_ns, to_ipc(ns), put_ipc_ns); },
    .owner = [](ns_common* ns) { return to_ipc(ns)->user_ns; },
    .get_parent = nullptr,
};
