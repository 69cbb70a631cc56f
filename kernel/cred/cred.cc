// Credentials: immutable once published, replaced as a whole. Spec 20 12.2, capabilities(7).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/cred.hh"

#include <arch/sanitize.hh>
#include <linux/bug.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <uapi/linux/securebits.h>

#include "init/report.hh"
#include "kernel/cred/groups.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/cred/user.hh"
#include "kernel/cred/user_namespace.hh"
#include "mm/mm_struct.hh"

struct cred init_cred;

namespace {

constinit kmem_cache* cred_cache;

void release_parts(struct cred* c) {
  put_group_info(c->groups);
  free_uid(c->user);
  put_ucounts(c->ucounts);
  put_user_ns(c->user_ns);
  kmem_cache_free(cred_cache, c);
}

bool subset(kernel_cap_t a, kernel_cap_t of) { return !(a.bits & ~of.bits); }

// Is what `now` may do among what `was` may? Who owns the namespace of `now`, or one above it, from his own, has all in it.
bool powers_subset(const struct cred* was, const struct cred* now) {
  if (was->user_ns == now->user_ns) return subset(now->cap_permitted, was->cap_permitted);
  for (const user_namespace* ns = now->user_ns; ns->parent; ns = ns->parent)
    if (ns->parent == was->user_ns && uid_eq(ns->owner, was->euid)) return true;
  return false;
}

// A process whose identity changed is not to be looked into by its old peers.
bool identity_changed(const struct cred* was, const struct cred* now) {
  return !uid_eq(was->euid, now->euid) || !gid_eq(was->egid, now->egid) || !uid_eq(was->fsuid, now->fsuid) ||
         !gid_eq(was->fsgid, now->fsgid) || !powers_subset(was, now);
}

constexpr unsigned long kDumpableMask = 3;

}  // namespace

struct cred* prepare_creds() {
  auto* n = static_cast<struct cred*>(kmem_cache_alloc(cred_cache, GFP_KERNEL));
  if (!n) return nullptr;
  memcpy_racy(n, current->cred, sizeof(*n));  // only the count may change meanwhile
  atomic_set(&n->usage, 1);
  get_group_info(n->groups);
  get_uid(n->user);
  get_ucounts(n->ucounts);
  get_user_ns(n->user_ns);
  return n;
}

int commit_creds(struct cred* n) {
  task_struct* self = current;
  const struct cred* old = self->real_cred;
  BUG_ON(self->cred != old);  // not while the subjective ones are overridden
  get_cred(n);                // one reference for each of the two pointers
  if (identity_changed(old, n)) {
    if (self->mm) __atomic_fetch_and(&self->mm->flags, ~kDumpableMask, __ATOMIC_RELAXED);
    self->pdeath_signal = 0;
  }
  const bool others_process = n->ucounts != old->ucounts;
  if (others_process) charge_process(n->ucounts);
  __atomic_store_n(&self->real_cred, n, __ATOMIC_RELEASE);
  __atomic_store_n(&self->cred, n, __ATOMIC_RELEASE);
  if (others_process) uncharge_process(old->ucounts);
  put_cred(old);
  put_cred(old);
  return 0;
}

bool set_cred_ucounts(struct cred* n) {
  if (n->ucounts->ns == n->user_ns && uid_eq(n->ucounts->uid, n->uid)) return true;
  struct ucounts* fresh = alloc_ucounts(n->user_ns, n->uid);
  if (!fresh) return false;
  put_ucounts(n->ucounts);
  n->ucounts = fresh;
  return true;
}

void abort_creds(struct cred* n) { put_cred(n); }

// Others read a task's credentials under RCU, so the memory waits for them.
void __put_cred(struct cred* c) {
  call_rcu(&c->rcu, [](callback_head* head) { release_parts(container_of(head, struct cred, rcu)); });
}

const struct cred* override_creds(const struct cred* n) {
  const struct cred* old = current->cred;
  WRITE_ONCE(current->cred, get_cred(n));
  return old;
}

void revert_creds(const struct cred* old) {
  const struct cred* overriding = current->cred;
  WRITE_ONCE(current->cred, old);
  put_cred(overriding);
}

// user_namespaces(7): a capability counts in the namespace it was got in and in those below it; the owner of a namespace,
// from the parent, has all in it.
bool cred_has_cap(const struct cred* c, const user_namespace* target, int cap) {
  for (const user_namespace* ns = target; ns; ns = ns->parent) {
    if (ns == c->user_ns) return c->cap_effective.bits >> cap & 1;
    if (ns->level <= c->user_ns->level) return false;
    if (ns->parent == c->user_ns && uid_eq(ns->owner, c->euid)) return true;
  }
  return false;
}

bool ns_capable(user_namespace* ns, int cap) {
  if (!cred_has_cap(current->cred, ns, cap)) return false;
  if (!(current->flags & PF_SUPERPRIV)) WRITE_ONCE(current->flags, current->flags | PF_SUPERPRIV);
  return true;
}

// Power over a file of these ids: they must mean something in our namespace.
bool capable_wrt_ids(kuid_t uid, kgid_t gid, int cap) {
  user_namespace* ns = current_user_ns();
  return kuid_has_mapping(ns, uid) && kgid_has_mapping(ns, gid) && ns_capable(ns, cap);
}

bool capable(int cap) { return ns_capable(&init_user_ns, cap); }

bool in_group_p(kgid_t g) { return gid_eq(g, current->cred->fsgid) || groups_search(current->cred->groups, g); }
bool in_egroup_p(kgid_t g) { return gid_eq(g, current->cred->egid) || groups_search(current->cred->groups, g); }

// ---- Life -------------------------------------------------------------------------------------------------------

void cred_early_init() {
  users_early_init();
  groups_early_init();
  user_namespace_early_init();
  ucounts_early_init();
  init_cred = {};
  atomic_set(&init_cred.usage, 4);  // init_task's two pointers and one for those who borrow it
  init_cred.cap_permitted = init_cred.cap_effective = init_cred.cap_bset = kCapFull;
  init_cred.user = get_uid(&root_user);
  init_cred.ucounts = get_ucounts(&init_ucounts);
  init_cred.user_ns = &init_user_ns;
  init_cred.groups = &init_groups;
  get_group_info(&init_groups);
}

void cred_init() {
  cred_cache = kmem_cache_create("cred", sizeof(struct cred), 0, SLAB_HWCACHE_ALIGN | SLAB_PANIC, nullptr);
}

void cred_exit(LeakReport& report) {
  report.expect_zero("references to init_cred", atomic_read(&init_cred.usage) - 4);
  free_uid(&root_user);
  users_exit(report);
  put_ucounts(&init_ucounts);
  ucounts_exit(report);
  kmem_cache_destroy(cred_cache);
}
