// pid namespaces: making and unmaking them, and entering them by setns(2). Spec 20 section 7.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/pid/pid_namespace.hh"

#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "kernel/cred/user_namespace.hh"
#include "kernel/nsproxy/kinds.hh"
#include "kernel/pid/internal.hh"

namespace {

pid_namespace* to_pid_ns(ns_common* ns) { return container_of(ns, pid_namespace, ns); }

// T-28. The new one holds its parent.
Result<pid_namespace*> create_pid_namespace(user_namespace* user_ns, pid_namespace* parent) {
  if (!in_userns(parent->user_ns, user_ns)) return fail(EINVAL);
  if (parent->level + 1 > kMaxPidNsLevel) return fail(ENOSPC);
  kmem_cache* cache = TRY(pid_cache_of_level(parent->level + 1));
  auto* ns = TRY(make_ns<pid_namespace>(user_ns, UCOUNT_PID_NAMESPACES, &pidns_operations));
  ns->level = parent->level + 1;
  ns->parent = get_pid_ns(parent);
  ns->pid_cache = cache;
  ns->pid_allocated = kPidAdding;
  return ns;
}

// Readers under RCU may still look numbers up in it.
void free_pid_ns_rcu(callback_head* head) {
  auto* ns = container_of(head, pid_namespace, rcu);
  ns->table.destroy();
  kfree(ns);
}

}  // namespace

Result<pid_namespace*> copy_pid_ns(u64 flags, user_namespace* user_ns, pid_namespace* old) {
  if (!(flags & CLONE_NEWPID)) return get_pid_ns(old);
  if (task_active_pid_ns(current) != old) return fail(EINVAL);  // T-28
  return create_pid_namespace(user_ns, old);
}

// Any context: struct pids go in RCU callbacks.
void put_pid_ns(pid_namespace* ns) {
  while (ns != &init_pid_ns && refcount_dec_and_test(&ns->ns.count)) {
    pid_namespace* parent = ns->parent;
    release_ns(ns, UCOUNT_PID_NAMESPACES);
    call_rcu(&ns->rcu, free_pid_ns_rcu);
    ns = parent;
  }
}

bool pid_ns_is_within(const pid_namespace* ns, const pid_namespace* ancestor) {
  while (ns->level > ancestor->level) ns = ns->parent;
  return ns == ancestor;
}

// ---- As nsfs and setns see it ---------------------------------------------------------------------------------------------

namespace {

ns_common* get_active(task_struct* t) {
  RcuReadGuard rcu;
  struct pid* pid = rcu_dereference(t->thread_pid);
  if (!pid) return nullptr;
  pid_namespace* ns = ns_of_pid(pid);
  return ns == &init_pid_ns || refcount_inc_not_zero(&ns->ns.count) ? &ns->ns : nullptr;
}

// Null too while there is nobody in it: there is no init yet, so nobody could be sent there.
ns_common* get_for_children(task_struct* t) {
  ns_common* ns = get_ns_of(t, [](struct nsproxy* p) { return &p->pid_ns_for_children->ns; });
  if (!ns || READ_ONCE(to_pid_ns(ns)->child_reaper)) return ns;
  put_pid_ns(to_pid_ns(ns));
  return nullptr;
}

// F-113: only for children, and only downwards: whoever left a namespace must not come back into view.
int pidns_install(nsset* set, ns_common* ns) {
  pid_namespace* to = to_pid_ns(ns);
  if (!may_install(set, to->user_ns)) return -EPERM;
  if (!pid_ns_is_within(to, task_active_pid_ns(current))) return -EINVAL;
  put_pid_ns(std::exchange(set->nsproxy->pid_ns_for_children, get_pid_ns(to)));
  return 0;
}

// NS_GET_PARENT: only what the caller's own namespace contains (EPERM).
ns_common* pidns_parent(ns_common* ns) {
  pid_namespace* parent = to_pid_ns(ns)->parent;
  if (!parent || !pid_ns_is_within(parent, task_active_pid_ns(current))) return static_cast<ns_common*>(ERR_PTR(-EPERM));
  return &get_pid_ns(parent)->ns;
}

constexpr proc_ns_operations make_operations(const char* name, ns_common* (*get)(task_struct*)) {
  return {
      .name = name,
      .real_ns_name = "pid",
      .type = CLONE_NEWPID,
      .get = get,
      .put = [](ns_common* ns) { put_pid_ns(to_pid_ns(ns)); },
      .install = pidns_install,
      .owner = [](ns_common* ns) { return to_pid_ns(ns)->user_ns; },
      .get_parent = pidns_parent,
  };
}

}  // namespace

constinit const proc_ns_operations pidns_operations = make_operations("pid", get_active);
constinit const proc_ns_operations pidns_for_children_operations = make_operations("pid_for_children", get_for_children);
