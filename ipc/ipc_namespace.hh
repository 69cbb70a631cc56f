// IPC namespaces: whose System V objects a process sees.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "ipc/ids.hh"
#include "kernel/nsproxy/ns_common.hh"

struct ipc_namespace {
  ns_common ns;
  user_namespace* user_ns;
  struct ucounts* ucounts;  // who is charged for it; null for the initial one
  IpcIds sems, queues;
  int sem_limits[4];        // SEMMSL, SEMMNS, SEMOPM, SEMMNI: /proc/sys/kernel/sem
  int used_sems;            // sems.lock
  int msgmax, msgmnb, msgmni;
  atomic_long_t msg_bytes, msg_headers;
};
extern ipc_namespace init_ipc_ns;
ipc_namespace* current_ipc_ns();

// Set up and torn down with the namespace. The second may sleep.
void sem_init_ns(ipc_namespace* ns);
void sem_exit_ns(ipc_namespace* ns);
void msg_init_ns(ipc_namespace* ns);
void msg_exit_ns(ipc_namespace* ns);

// Semaphores to be undone at exit, shared by tasks made with CLONE_SYSVSEM (spec 20 S14, 60 V-20). May sleep.
Result<void> copy_semundo(u64 clone_flags, task_struct* child);
void __exit_sem(task_struct* t);
inline void exit_sem(task_struct* t) {
  if (t->sysvsem) __exit_sem(t);
}
