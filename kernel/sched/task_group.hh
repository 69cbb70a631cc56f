// Groups of fair tasks: one entity and one queue on each CPU, sharing that CPU with the group's siblings by its shares. Spec
// 31 section 8. Made and moved into by kernel/cgroup's cpu controller and by autogroups.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/sched/bandwidth.hh"
#include "kernel/sched/rq.hh"

inline constexpr unsigned long kMinShares = 2, kMaxShares = 262144, kDefaultShares = 1024;  // F-47, not scaled

// The root group has no task_group: a null pointer stands for it.
struct task_group {
  task_group* parent;         // null: below the root
  list_head children, sibling;  // changed under SchedState::groups_lock, read under RCU
  unsigned long shares;       // scaled; groups_lock, read under an rq lock
  bool idle;                  // cpu.idle
  bool session;               // an autogroup's (F-51); else a cgroup's
  atomic_long_t load_avg;     // sum of the queues' contributions (F-42)
  CfsBandwidth bandwidth;
  rcu_head rcu;
  struct PerCpuPart {
    sched_entity se;
    cfs_rq q;
  };
  PerCpuPart* cpu[NR_CPUS];
};

// May sleep. ENOMEM leaves nothing.
Result<task_group*> sched_create_group(task_group* parent);
// No task is in it and none can come. Freed after a grace period.
void sched_destroy_group(task_group* tg);
// p, which may run, joins `to`, its cgroup's (null: the root group, or its session's). No rq lock held; p's group changes under its
// pi_lock and rq lock.
void sched_move_task(task_struct* p, task_group* to);
void sched_move_session_task(task_struct* p);  // its session is another one, its cgroup is not

Result<void> sched_group_set_shares(task_group* tg, unsigned long shares);  // not scaled, clamped; EINVAL if the group is idle
Result<void> sched_group_set_idle(task_group* tg, bool idle);
Result<void> sched_group_set_bandwidth(task_group* tg, u64 quota, u64 period, u64 burst);  // ns; kNoQuota: none. EINVAL

// p's entity hangs where its group's is on that CPU. pi_lock or rq lock held.
inline void set_task_rq(task_struct* p, unsigned cpu) {
  if (task_group* tg = p->sched_task_group) [[unlikely]] {
    p->se.cfs_rq = &tg->cpu[cpu]->q;
    p->se.parent = &tg->cpu[cpu]->se;
    p->se.depth = p->se.parent->depth + 1;
    return;
  }
  p->se.cfs_rq = &cpu_rq(cpu)->cfs;
  p->se.parent = nullptr;
  p->se.depth = 0;
}
