// The life of user namespaces, and entering them. user_namespaces(7), spec 20 F-61, F-113.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/user_namespace.hh"

#include <linux/err.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/sync/guards.hh"

user_namespace init_user_ns;
int overflowuid, overflowgid;

namespace {

static_assert(ARRAY_SIZE(user_namespace{}.ucount_max) == UCOUNT_COUNTS);
static_assert(ARRAY_SIZE(user_namespace{}.rlimit_max) == UCOUNT_RLIMIT_COUNTS);

constexpr int kLimitOf[UCOUNT_RLIMIT_COUNTS] = {RLIMIT_NPROC, RLIMIT_MSGQUEUE, RLIMIT_SIGPENDING, RLIMIT_MEMLOCK};

long as_long(unsigned long limit) { return limit > static_cast<unsigned long>(LONG_MAX) ? LONG_MAX : static_cast<long>(limit); }

// What a namespace is made of, once it may be made. The first reference is the caller's.
user_namespace* new_user_ns(user_namespace* parent, const struct cred* maker, ucounts* charged) {
  auto* ns = static_cast<user_namespace*>(kzalloc(sizeof(user_namespace), GFP_KERNEL));
  if (!ns) return nullptr;
  if (!ns_common_init(&ns->ns, &userns_operations)) {
    kfree(ns);
    return nullptr;
  }
  ns->level = parent->level + 1;
  ns->parent = get_user_ns(parent);
  ns->owner = maker->euid;
  ns->group = maker->egid;
  ns->parent_could_setfcap = maker->cap_effective.bits >> CAP_SETFCAP & 1;
  ns->flags = READ_ONCE(parent->flags);
  ns->ucounts = charged;
  for (int& max : ns->ucount_max) max = INT_MAX;
  for (int i = 0; i < UCOUNT_RLIMIT_COUNTS; i++) ns->rlimit_max[i] = as_long(rlimit(kLimitOf[i]));
  return ns;
}

}  // namespace

void set_cred_user_ns(struct cred* n, user_namespace* ns) {
  n->securebits = 0;
  n->cap_inheritable = n->cap_ambient = {};
  n->cap_permitted = n->cap_effective = n->cap_bset = kCapFull;
  n->user_ns = ns;
}

int create_user_ns(struct cred* n) {
  user_namespace* parent = n->user_ns;
  if (parent->level > kUserNsMaxLevel) return -ENOSPC;
  ucounts* charged = inc_ucount(parent, n->euid, UCOUNT_USER_NAMESPACES);
  if (!charged) return -ENOSPC;
  auto undone = [charged](int error) {
    dec_ucount(charged, UCOUNT_USER_NAMESPACES);
    return -error;
  };
  // A chroot would otherwise be left by whoever gets CAP_SYS_CHROOT over himself.
  if (current_chrooted()) return undone(EPERM);
  if (!kuid_has_mapping(parent, n->euid) || !kgid_has_mapping(parent, n->egid)) return undone(EPERM);
  user_namespace* ns = new_user_ns(parent, n, charged);
  if (!ns) return undone(ENOMEM);
  set_cred_user_ns(n, ns);
  if (!set_cred_ucounts(n)) {
    n->user_ns = parent;
    put_user_ns(ns);
    return -ENOMEM;
  }
  put_user_ns(parent);
  return 0;
}

int unshare_userns(unsigned long flags, struct cred** new_cred) {
  *new_cred = nullptr;
  if (!(flags & CLONE_NEWUSER)) return 0;
  struct cred* n = prepare_creds();
  if (!n) return -ENOMEM;
  if (int error = create_user_ns(n)) {
    put_cred(n);
    return error;
  }
  *new_cred = n;
  return 0;
}

// A chain of namespaces may end with its last member; hence no recursion.
void __put_user_ns(user_namespace* ns) {
  do {
    user_namespace* parent = ns->parent;
    for (IdMap* map : {&ns->uid_map, &ns->gid_map, &ns->projid_map}) free_id_map(map);
    dec_ucount(ns->ucounts, UCOUNT_USER_NAMESPACES);  // the parent is held here
    ns_free_inum(&ns->ns);
    kfree(ns);
    ns = parent;
  } while (refcount_dec_and_test(&ns->ns.count));
}

bool in_userns(const user_namespace* ancestor, const user_namespace* child) {
  while (child->level > ancestor->level) child = child->parent;
  return child == ancestor;
}

// Not before there are group ids at all, and not where they might be dropped to gain access.
bool userns_may_setgroups(user_namespace* ns) {
  return __atomic_load_n(&ns->gid_map.nr, __ATOMIC_ACQUIRE) && READ_ONCE(ns->flags) & USERNS_SETGROUPS_ALLOWED;
}

// ---- As nsfs and setns see it ----------------------------------------------------------------------------------------

namespace {

user_namespace* to_user_ns(ns_common* ns) { return container_of(ns, user_namespace, ns); }

ns_common* userns_get(task_struct* t) {
  RcuReadGuard rcu;
  return &get_user_ns(rcu_dereference(t->real_cred)->user_ns)->ns;
}

// F-113. Not into the namespace one is in: that would give back the capabilities one had dropped.
int userns_install(nsset* set, ns_common* ns) {
  user_namespace* to = to_user_ns(ns);
  if (to == current_user_ns() || !thread_group_empty(current) || READ_ONCE(current->fs->users) != 1) return -EINVAL;
  if (!ns_capable(to, CAP_SYS_ADMIN)) return -EPERM;
  auto* n = const_cast<struct cred*>(set->cred);
  put_user_ns(n->user_ns);
  set_cred_user_ns(n, get_user_ns(to));
  return set_cred_ucounts(n) ? 0 : -ENOMEM;
}

// Only what is below the caller's own can be asked about.
ns_common* userns_get_parent(ns_common* ns) {
  user_namespace* parent = to_user_ns(ns)->parent;
  if (!parent || !in_userns(current_user_ns(), parent)) return static_cast<ns_common*>(ERR_PTR(-EPERM));
  return &get_user_ns(parent)->ns;
}

}  // namespace

constinit const proc_ns_operations userns_operations = {
    .name = "user",
    .real_ns_name = "user",
    .type = CLONE_NEWUSER,
    .get = userns_get,
    .put = [](ns_common* ns) { put_user_ns(to_user_ns(ns)); },
    .install = userns_install,
    .owner = [](ns_common* ns) { return to_user_ns(ns)->parent; },
    .get_parent = userns_get_parent,
};

// ---- Life -------------------------------------------------------------------------------------------------------------

void user_namespace_early_init() {
  user_namespace& ns = init_user_ns;
  ns = {};
  ns_common_init_static(&ns.ns, &userns_operations, PROC_USER_INIT_INO);  // its reference is never given back
  ns.flags = USERNS_SETGROUPS_ALLOWED;
  for (IdMap* map : {&ns.uid_map, &ns.gid_map, &ns.projid_map}) identity_map(map);
  for (int& max : ns.ucount_max) max = INT_MAX;  // user_namespace_init knows better
  for (long& max : ns.rlimit_max) max = LONG_MAX;
  overflowuid = overflowgid = 65534;
}

// When the number of threads is known.
void user_namespace_init() {
  for (int& max : init_user_ns.ucount_max) max = max_threads / 2;
}
