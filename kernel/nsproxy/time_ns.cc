// Time namespaces.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/nsproxy/time_ns.hh"

#include <linux/slab.h>

#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/kinds.hh"

time_namespace init_time_ns;

namespace {

time_namespace* to_time(ns_common* ns) { return container_of(ns, time_namespace, ns); }

// A caller of setns(2) enters at once, and so must be alone with its memory: the clocks of others must not jump.
int timens_install(nsset* set, ns_common* ns) {
  time_namespace* to = to_time(ns);
  if (READ_ONCE(current->signal->nr_threads) > 1) return -EUSERS;
  if (!may_install(set, to->user_ns)) return -EPERM;
  put_time_ns(std::exchange(set->nsproxy->time_ns, get_time_ns(to)));
  put_time_ns(std::exchange(set->nsproxy->time_ns_for_children, get_time_ns(to)));
  return 0;
}

}  // namespace

Result<time_namespace*> copy_time_ns(u64 flags, user_namespace* user_ns, time_namespace* old) {
  if (!(flags & CLONE_NEWTIME)) return get_time_ns(old);
  auto* ns = static_cast<time_namespace*>(kmalloc(sizeof(time_namespace), GFP_KERNEL));
  if (!ns) return fail(ENOMEM);
  if (auto r = ns_common_init(&ns->ns, &timens_operations); !r) {
    kfree(ns);
    return fail(r.error().code());
  }
  ns->user_ns = get_user_ns(user_ns);
  ns->offsets = old->offsets;
  ns->frozen = false;
  return ns;
}

void put_time_ns(time_namespace* ns) {
  if (!refcount_dec_and_test(&ns->ns.count)) return;
  put_user_ns(ns->user_ns);
  ns_free_inum(&ns->ns);
  kfree(ns);
}

void time_ns_enter_for_children(struct nsproxy* set) {
  if (set->time_ns == set->time_ns_for_children) return;
  put_time_ns(std::exchange(set->time_ns, get_time_ns(set->time_ns_for_children)));
  WRITE_ONCE(set->time_ns->frozen, true);
}

void time_ns_entered(task_struct* t) { WRITE_ONCE(t->nsproxy->time_ns->frozen, true); }

constinit const proc_ns_operations timens_operations = {
    .name = "time",
    .real_ns_name = "time",
    .type = CLONE_NEWTIME,
    .get = [](task_struct* t) { return get_ns_of(t, [](struct nsproxy* p) { return &p->time_ns->ns; }); },
    .put = [](ns_common* ns) { put_time_ns(to_time(ns)); },
    .install = timens_install,
    .owner = [](ns_common* ns) { return to_time(ns)->user_ns; },
    .get_parent = nullptr,
};
constinit const proc_ns_operations timens_for_children_operations = {
    .name = "time_for_children",
    .real_ns_name = "time",
    .type = CLONE_NEWTIME,
    .get = [](task_struct* t) { return get_ns_of(t, [](struct nsproxy* p) { return &p->time_ns_for_children->ns; }); },
    .put = [](ns_common* ns) { put_time_ns(to_time(ns)); },
    .install = timens_install,
    .owner = [](ns_common* ns) { return to_time(ns)->user_ns; },
    .get_parent = nullptr,
};
