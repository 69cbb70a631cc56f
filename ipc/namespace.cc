// IPC namespaces.
// SPDX-License-Identifier: Apache-2.0
#include <linux/slab.h>

#include "init/report.hh"
#include "ipc/ipc_namespace.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/kinds.hh"

ipc_namespace init_ipc_ns;

namespace {
ipc_namespace* to_ipc(ns_common* ns) { return container_of(ns, ipc_namespace, ns); }
}  // namespace

ipc_namespace* current_ipc_ns() { return current->nsproxy->ipc_ns; }

Result<ipc_namespace*> copy_ipcs(u64 flags, user_namespace* user_ns, ipc_namespace* old) {
  if (!(flags & CLONE_NEWIPC)) {
    refcount_inc(&old->ns.count);
    return old;
  }
  ipc_namespace* ns = TRY(make_ns<ipc_namespace>(user_ns, UCOUNT_IPC_NAMESPACES, &ipcns_operations));
  sem_init_ns(ns);
  msg_init_ns(ns);
  return ns;
}

void put_ipc_ns(ipc_namespace* ns) {
  if (!refcount_dec_and_test(&ns->ns.count)) return;
  sem_exit_ns(ns);
  msg_exit_ns(ns);
  release_ns(ns, UCOUNT_IPC_NAMESPACES);
  kfree(ns);
}

void ipc_init() {
  sem_init_ns(&init_ipc_ns);
  msg_init_ns(&init_ipc_ns);
}

// What programs left behind stays until power-off; this is it. The counts must agree that nothing is left then.
void ipc_exit(LeakReport& report) {
  sem_exit_ns(&init_ipc_ns);
  msg_exit_ns(&init_ipc_ns);
  report.expect_zero("System V objects", init_ipc_ns.sems.used + init_ipc_ns.queues.used);
  report.expect_zero("System V semaphores", init_ipc_ns.used_sems);
  report.expect_zero("bytes in message queues", atomic_long_read(&init_ipc_ns.msg_bytes) + atomic_long_read(&init_ipc_ns.msg_headers));
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
