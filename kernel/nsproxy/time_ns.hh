// Time namespaces: what CLOCK_MONOTONIC and CLOCK_BOOTTIME are ahead of the machine's. See time_namespaces(7).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/time64.h>

#include "kernel/nsproxy/nsproxy.hh"

struct timens_offsets {
  s64 monotonic, boottime;  // ns, added to the machine's clock
};
struct time_namespace {
  ns_common ns;
  user_namespace* user_ns;
  timens_offsets offsets;  // offset_lock, until frozen
  bool frozen;             // a task lives here: the offsets stay what they are
};
extern time_namespace init_time_ns;

inline time_namespace* get_time_ns(time_namespace* ns) {
  refcount_inc(&ns->ns.count);
  return ns;
}
void time_ns_entered(task_struct* t);  // current's, by setns(2)
// A set for a child: it lives in what its parent had chosen for children. Freezes its offsets.
void time_ns_enter_for_children(struct nsproxy* set);
