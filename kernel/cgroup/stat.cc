// cpu.stat: CPU time of a cgroup and its descendants. Nothing is counted while tasks run: a task remembers what it had used when
// it came to its cgroup, and leaves the difference there when it moves on or is reaped. Reading adds up those who are there, so
// it costs as many steps as there are tasks.
// SPDX-License-Identifier: Apache-2.0
#include <linux/minmax.h>

#include "kernel/cgroup/internal.hh"
#include "kernel/sched/sched.hh"

void cpu_show_extra_stat(seq_file* m, cgroup_subsys_state* css);

namespace {

constexpr u64 kNsPerUs = 1000;

CgroupTimes times_of(task_struct* t) { return {task_sched_runtime(t), READ_ONCE(t->utime), READ_ONCE(t->stime)}; }

void add(CgroupTimes* to, const CgroupTimes& n) {
  to->runtime += n.runtime;
  to->utime += n.utime;
  to->stime += n.stime;
}

CgroupTimes since_it_came(task_struct* t) {
  CgroupTimes n = times_of(t);
  const auto& base = t->cg_base;
  return {n.runtime - base.runtime, n.utime - base.utime, n.stime - base.stime};
}

void add_tasks(CgroupTimes* sum, list_head* tasks) {
  task_struct* t;
  list_for_each_entry(t, tasks, cg_list) add(sum, since_it_came(t));
}

// cgroup_mutex held.
CgroupTimes sum_of(struct cgroup* top) {
  CgroupTimes sum{};
  struct cgroup* c;
  IrqSpinGuard guard(css_set_lock);
  for_each_descendant_pre(c, top) {
    add(&sum, c->left);
    css_set* set;
    list_for_each_entry(set, &c->csets, cgrp_link) {
      add_tasks(&sum, &set->tasks);
      add_tasks(&sum, &set->mg_tasks);
      add_tasks(&sum, &set->dying_tasks);
    }
  }
  return sum;
}

CgroupTimes sum_of_system() {
  CgroupTimes sum{};
  unsigned cpu;
  for_each_online_cpu(cpu) {
    u64 user, system, idle;
    sched_cpu_times(cpu, &user, &system, &idle);
    add(&sum, {user + system, user, system});
  }
  return sum;
}

// utime and stime are counted by ticks; what is shown is the exact time, divided as they are.
void split(CgroupTimes* t) {
  if (!t->utime) {
    t->stime = t->runtime;
  } else if (!t->stime) {
    t->utime = t->runtime;
  } else {
    t->stime = static_cast<u64>(static_cast<unsigned __int128>(t->runtime) * t->stime / (t->stime + t->utime));
    t->utime = t->runtime - t->stime;
  }
}

}  // namespace

// t leaves c, or is gone. css_set_lock held. A removed cgroup's times are its ancestors'.
void cgroup_leave_times(task_struct* t, struct cgroup* c) {
  while (cgroup_is_dead(c)) c = cgroup_parent(c);
  add(&c->left, since_it_came(t));
}
void cgroup_begin_times(task_struct* t) {
  const CgroupTimes n = times_of(t);
  t->cg_base = {n.runtime, n.utime, n.stime};
}
void cgroup_inherit_times(struct cgroup* dying) { add(&cgroup_parent(dying)->left, dying->left); }

int cgroup_show_cpu_stat(seq_file* m, cgroup_subsys_state* css) {
  struct cgroup* c = css->cgroup;
  MutexGuard guard(cgroup_mutex);
  CgroupTimes t = cgroup_parent(c) ? sum_of(c) : sum_of_system();
  split(&t);
  seq_printf(m, "usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\n", t.runtime / kNsPerUs, t.utime / kNsPerUs, t.stime / kNsPerUs);
  if (cgroup_subsys_state* cpu = c->subsys[cpu_cgrp_id]) cpu_show_extra_stat(m, cpu);
  return 0;
}
