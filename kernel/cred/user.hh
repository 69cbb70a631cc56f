// Counting per user id.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/cred/cred.hh"

struct LeakReport;
user_struct* alloc_uid(kuid_t uid);  // found or made, with a reference; null: no memory. May sleep
void free_uid(user_struct* u);       // any context
inline user_struct* get_uid(user_struct* u) {
  refcount_inc(&u->count);
  return u;
}
void users_early_init();
void users_exit(LeakReport& report);
