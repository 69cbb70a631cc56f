// getgroups(2), setgroups(2) and the list behind them.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cred/groups.hh"

#include <linux/slab.h>

#include <linux/sort.h>

#include "kernel/cred/user_namespace.hh"
#include "kernel/entry/syscall.hh"
#include "mm/uaccess.hh"

group_info init_groups;

void groups_early_init() {
  init_groups.ngroups = 0;
  atomic_set(&init_groups.usage, 1);
}

group_info* groups_alloc(int n) {
  auto* g = static_cast<group_info*>(kvmalloc(sizeof(group_info) + static_cast<size_t>(n) * sizeof(kgid_t), GFP_KERNEL));
  if (!g) return nullptr;
  atomic_set(&g->usage, 1);
  g->ngroups = n;
  return g;
}

void groups_free(group_info* g) {
  if (g != &init_groups) kvfree(g);
}

bool groups_search(const group_info* g, kgid_t gid) {
  int low = 0, high = g->ngroups;
  while (low < high) {
    const int mid = (low + high) / 2;
    if (g->gid[mid].val == gid.val) return true;
    if (g->gid[mid].val < gid.val)
      low = mid + 1;
    else
      high = mid;
  }
  return false;
}

static int compare_gids(const void* a, const void* b) {
  const unsigned x = static_cast<const kgid_t*>(a)->val, y = static_cast<const kgid_t*>(b)->val;
  return x < y ? -1 : x > y;
}

namespace {

// Between a list and the caller's array, in his ids. 0 or -errno.
long put_groups(const group_info* g, unsigned __user* list) {
  for (int i = 0; i < g->ngroups; i++)
    if (put_user(from_kgid_munged(current_user_ns(), g->gid[i]), list + i)) return -EFAULT;
  return 0;
}

long take_groups(group_info* g, const unsigned __user* list) {
  if (copy_from_user(g->gid, list, static_cast<size_t>(g->ngroups) * sizeof(kgid_t))) return -EFAULT;
  for (int i = 0; i < g->ngroups; i++) {
    g->gid[i] = make_kgid(current_user_ns(), g->gid[i].val);
    if (!gid_valid(g->gid[i])) return -EINVAL;
  }
  return 0;
}

}  // namespace

SYSCALL_DEFINE2(getgroups, int, size, unsigned __user*, list) {
  const group_info* g = current->cred->groups;
  if (size < 0) return -EINVAL;
  if (!size) return g->ngroups;
  if (g->ngroups > size) return -EINVAL;
  const long error = put_groups(g, list);
  return error ? error : g->ngroups;
}

SYSCALL_DEFINE2(setgroups, int, size, unsigned __user*, list) {
  if (!ns_capable(current_user_ns(), CAP_SETGID) || !userns_may_setgroups(current_user_ns())) return -EPERM;
  if (static_cast<unsigned>(size) > NGROUPS_MAX) return -EINVAL;
  group_info* g = groups_alloc(size);
  if (!g) return -ENOMEM;
  struct cred* n = nullptr;
  long error = take_groups(g, list);
  if (!error && !(n = prepare_creds())) error = -ENOMEM;
  if (error) {
    put_group_info(g);
    return error;
  }
  sort(g->gid, static_cast<size_t>(size), sizeof(kgid_t), compare_gids, nullptr);
  put_group_info(n->groups);
  n->groups = g;
  return commit_creds(n);
}
