// Control groups, version 2: which group each task is in, and what the rest of the kernel tells us about its tasks.
// How it works and what locks what: README.md. Spec 20 section 12.10, stages S7, S26 and S32; cgroups(7).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "init/report.hh"
#include "kernel/cgroup/threadgroup.hh"
#include "kernel/task/task.hh"

struct cgroup;
struct css_set;
struct seq_file;
struct kernel_clone_args;

extern css_set init_css_set;  // where tasks begin; holds no reference for the idle tasks

// What a fork holds between can_fork and post_fork or cancel_fork: the read side of the thread-group lock, a reference on
// the child's set and, if it was asked into a cgroup, cgroup_mutex.
struct CgroupFork {
  css_set* cset = nullptr;
  cgroup* into = nullptr;  // CLONE_INTO_CGROUP: referenced
  unsigned kill_seq = 0;   // of the child's cgroup; if it is killed before post_fork, so is the child
};
// S7: the child belongs nowhere yet.
inline void cgroup_fork(task_struct* child) {
  child->cgroups = &init_css_set;
  child->cg_base = {};
  child->frozen = 0;
  child->no_cgroup_migration = 0;
  INIT_LIST_HEAD(&child->cg_list);
}
// S26. May sleep. EAGAIN (pids.max); with CLONE_INTO_CGROUP also EBADF, ENOENT, ENODEV, EACCES, EBUSY, EOPNOTSUPP, ENOMEM.
Result<void> cgroup_can_fork(task_struct* child, const kernel_clone_args& args, CgroupFork* f);
void cgroup_cancel_fork(task_struct* child, CgroupFork* f);
void cgroup_post_fork(task_struct* child, CgroupFork* f);  // S32: the child is published and has not run

void cgroup_exit(task_struct* t);     // leaves its group's lists; 21 step 21
void cgroup_release(task_struct* t);  // reaped: controllers give back what it was charged for
void cgroup_free(task_struct* t);     // the task_struct goes. Any context

// Freezing, for the places where a task stops. None may be called with siglock held.
void cgroup_enter_frozen();                   // current sleeps where a freezer would have put it
enum class Leave : unsigned char { IfThawed, Always };
void cgroup_leave_frozen(Leave how);
inline bool cgroup_task_frozen(const task_struct* t) { return READ_ONCE(t->frozen); }

// /proc/PID/cgroup and /proc/cgroups.
int show_pid_cgroup(seq_file* m, task_struct* t);
int show_proc_cgroups(seq_file* m);

void cgroup_early_init();  // with the first task, before there is memory
void cgroup_init();
void cgroup_quiesce();
void cgroup_exit(LeakReport& report);
