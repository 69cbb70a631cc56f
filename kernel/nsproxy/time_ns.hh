// Time namespaces: what CLOCK_MONOTONIC and CLOCK_BOOTTIME are ahead of the machine's. See time_namespaces(7).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/hrtimer.h>
#include <linux/time64.h>

#include "kernel/nsproxy/nsproxy.hh"

struct timens_offsets {
  s64 monotonic, boottime;  // ns, added to the machine's clock
};
struct time_namespace {
  ns_common ns;
  user_namespace* user_ns;
  struct ucounts* ucounts;  // who is charged for it; null for the initial one
  timens_offsets offsets;  // offset_lock, until frozen
  bool frozen;             // a task lives here: the offsets stay what they are
};
extern time_namespace init_time_ns;

s64 timens_offset_in(const time_namespace* ns, int clock);
// What current's clock is ahead of the machine's; ns.
inline s64 timens_offset(int clock) {
  const time_namespace* ns = current->nsproxy->time_ns;
  return ns == &init_time_ns ? 0 : timens_offset_in(ns, clock);
}
// A time that current names by its clock, as the machine counts it. Never negative.
inline s64 timens_to_host(int clock, s64 t) {
  const s64 offset = timens_offset(clock);
  if (!offset) [[likely]] return t;
  const s64 host = t - offset;
  return offset > 0 && t < offset ? 0 : offset < 0 && host < t ? TIME64_MAX : host;
}

// /proc/PID/timens_offsets
struct file;
struct seq_file;
int show_timens_offsets(seq_file* m, task_struct* t);
long write_timens_offsets(file* f, task_struct* t, char* text, size_t n, loff_t pos);

inline time_namespace* get_time_ns(time_namespace* ns) {
  refcount_inc(&ns->ns.count);
  return ns;
}
void time_ns_entered(task_struct* t);  // current's, by setns(2)
// The set of a child: it lives in what its parent had chosen for children, whose offsets are frozen by that. mm: the child's.
void time_ns_enter_for_children(struct nsproxy* set, mm_struct* mm);
