// Network namespaces.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/net.hh"

#include <linux/slab.h>

#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/kinds.hh"

struct net init_net;

namespace {
struct net* to_net(ns_common* ns) { return container_of(ns, struct net, ns); }
}  // namespace

Result<struct net*> copy_net_ns(u64 flags, user_namespace* user_ns, struct net* old) {
  if (!(flags & CLONE_NEWNET)) {
    refcount_inc(&old->ns.count);
    return old;
  }
  return make_ns<struct net>(user_ns, UCOUNT_NET_NAMESPACES, &netns_operations);
}

void put_net(struct net* ns) {
  if (!refcount_dec_and_test(&ns->ns.count)) return;
  release_ns(ns, UCOUNT_NET_NAMESPACES);
  kfree(ns);
}

constinit const proc_ns_operations netns_operations = {
    .name = "net",
    .real_ns_name = "net",
    .type = CLONE_NEWNET,
    .get = [](task_struct* t) { return get_ns_of(t, [](struct nsproxy* p) { return &p->net_ns->ns; }); },
    .put = [](ns_common* ns) { put_net(to_net(ns)); },
    .install = [](nsset* set, ns_common* ns) { return install_ns(set, set->nsproxy->net_ns, to_net(ns), put_net); },
    .owner = [](ns_common* ns) { return to_net(ns)->user_ns; },
    .get_parent = nullptr,
};
