// struct pid and its namespaces. Spec 20 section 7.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

extern pid_namespace init_pid_ns;
extern struct pid init_struct_pid;
extern int pid_max;

Result<struct pid*> alloc_pid(pid_namespace* ns, const int* set_tid, size_t set_tid_size);  // EAGAIN ENOMEM EINVAL EEXIST EPERM
void free_pid(struct pid* pid);  // the numbers; the struct lives while referenced
void put_pid(struct pid* pid);
inline struct pid* get_pid(struct pid* pid) {
  if (pid) refcount_inc(&pid->count);
  return pid;
}
void attach_pid(task_struct* t, pid_type type);  // tasklist_lock write
void detach_pid(task_struct* t, pid_type type);
void change_pid(task_struct* t, pid_type type, struct pid* pid);
task_struct* pid_task(struct pid* pid, pid_type type);  // RCU or tasklist_lock
struct pid* find_pid_ns(int nr, pid_namespace* ns);     // RCU
struct pid* find_vpid(int nr);
struct pid* find_get_pid(int nr);
task_struct* find_task_by_vpid(int nr);      // RCU
task_struct* find_task_by_pid_ns(int nr, pid_namespace* ns);  // RCU
task_struct* find_get_task_by_vpid(int nr);  // reference taken, null: none
struct pid* get_task_pid(task_struct* t, pid_type type);
struct pid* find_ge_pid(int nr, pid_namespace* ns);  // first pid with number >= nr (for /proc), RCU
int pid_nr_ns(const struct pid* pid, const pid_namespace* ns);
int pid_vnr(const struct pid* pid);
// current's own number in a role, in its own namespace: the innermost one. No lock: it cannot go while current is here.
inline int own_pid_number(pid_type type) {
  const struct pid* pid = type == PIDTYPE_PID ? current->thread_pid : current->signal->pids[type];
  return pid->numbers[pid->level].nr;
}
int task_pid_nr_ns(task_struct* t, pid_type type, pid_namespace* ns);
pid_namespace* task_active_pid_ns(const task_struct* t);
inline struct pid* task_pid(const task_struct* t) { return t->thread_pid; }
inline struct pid* task_tgid(const task_struct* t) { return t->signal->pids[PIDTYPE_TGID]; }
inline struct pid* task_pgrp(const task_struct* t) { return t->signal->pids[PIDTYPE_PGID]; }
inline struct pid* task_session(const task_struct* t) { return t->signal->pids[PIDTYPE_SID]; }
int task_pid_vnr(task_struct* t);
int task_tgid_vnr(task_struct* t);
int task_pgrp_vnr(task_struct* t);
int task_session_vnr(task_struct* t);
bool is_child_reaper(struct pid* pid);
inline bool is_global_init(const task_struct* t) { return t->tgid == 1; }
