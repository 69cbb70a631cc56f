// A pid namespace: its numbers and who reaps in it. Spec 20 section 7.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/nsproxy/ns_common.hh"
#include "kernel/pid/pid.hh"

inline constexpr int kReservedPids = 300;           // after the first wrap numbering restarts here (T-21)
inline constexpr int kPidMaxLimit = 4 * 1024 * 1024;  // T-22
inline constexpr int kPidMaxDefault = 32768;

// number -> struct pid, a radix tree of three fixed levels. Leaves stay once made: they are bounded by pid_max / 512 pages
// and readers under RCU need not fear for them.
class PidTable {
 public:
  static constexpr unsigned kLeafSlots = 512, kMidSlots = 256, kTopSlots = kPidMaxLimit / (kLeafSlots * kMidSlots);
  struct Leaf {
    struct pid* slot[kLeafSlots];
  };
  struct Mid {
    Leaf* leaf[kMidSlots];
    unsigned short used[kMidSlots];
  };

  struct pid* find(int nr) const;              // RCU; null: free or reserved
  struct pid* find_ge(int nr, int limit) const;  // RCU; first with number >= nr
  // First number in [low, high) that is free; -EAGAIN: none, -ENOMEM: its leaf is missing (grow() and retry). Table lock.
  int reserve_in(int low, int high);
  bool grow(int nr);                           // makes the leaf for nr; may sleep, no lock held
  void publish(int nr, struct pid* pid);       // table lock
  void release(int nr);                        // table lock
  void destroy();

 private:
  Mid* mid_of(int nr) const;  // null: not made yet
  Leaf* leaf_of(int nr) const;
  Mid* top_[kTopSlots];
};

inline constexpr unsigned kMaxPidNsLevel = 32;

struct kmem_cache;
struct pid_namespace {
  ns_common ns;
  unsigned level;
  pid_namespace* parent;      // referenced
  user_namespace* user_ns;    // referenced
  struct ucounts* ucounts;    // who is charged for it; null for the initial one
  task_struct* child_reaper;  // tasklist_lock to change
  int last;                   // number given out last; table lock
  unsigned pid_allocated;     // numbers in use, plus kPidAdding while new ones are allowed; table lock
  int reboot;                 // what its init's end is to look like (reboot(2)): a signal number, or 0
  kmem_cache* pid_cache;      // struct pids of this level
  struct rcu_head rcu;
  PidTable table;
};
inline constexpr unsigned kPidAdding = 1u << 31;

inline pid_namespace* ns_of_pid(const struct pid* pid) { return pid ? pid->numbers[pid->level].ns : nullptr; }
// The initial one is not counted: it is always there, and every fork would write to it.
inline pid_namespace* get_pid_ns(pid_namespace* ns) {
  if (ns != &init_pid_ns) refcount_inc(&ns->ns.count);
  return ns;
}
void put_pid_ns(pid_namespace* ns);  // any context
bool pid_ns_is_within(const pid_namespace* ns, const pid_namespace* ancestor);
void disable_pid_allocation(pid_namespace* ns);  // no more numbers: forks into it fail
// exit: the last thread of ns's init kills and reaps everybody else in it (spec 21 X-22). May sleep.
void zap_pid_ns_processes(pid_namespace* ns);
