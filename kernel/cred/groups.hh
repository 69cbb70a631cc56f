// Supplementary groups: an immutable sorted list.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/cred/cred.hh"

inline constexpr int NGROUPS_MAX = 65536;
extern group_info init_groups;  // none
group_info* groups_alloc(int n);  // null: no memory. May sleep
void groups_free(group_info* g);
bool groups_search(const group_info* g, kgid_t gid);
void groups_early_init();
inline group_info* get_group_info(group_info* g) {
  atomic_inc(&g->usage);
  return g;
}
inline void put_group_info(group_info* g) {
  if (atomic_dec_and_test(&g->usage)) groups_free(g);
}
