// What a task's end means for its relatives: children get a new parent, orphaned groups are told, the parent is told.
// Spec 21 sections 4 to 7. tasklist_lock is held for writing throughout.
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>

#include "kernel/exit/internal.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

// Tasks to release once the lock is dropped; linked by ptrace_entry, which nobody else needs of a dead task.
using DeadList = list_head;

void bury(task_struct* t, DeadList* dead) {
  WRITE_ONCE(t->exit_state, EXIT_DEAD);
  list_add(&t->ptrace_entry, dead);
}

// ---- Orphaned process groups (section 7) ------------------------------------------------------------------------------

task_struct* next_in_pgrp(hlist_node* n) {
  return n ? reinterpret_cast<task_struct*>(reinterpret_cast<char*>(n - PIDTYPE_PGID) - offsetof(task_struct, pid_links)) : nullptr;
}
#define for_each_in_pgrp(p, pgrp) \
  for (p = next_in_pgrp((pgrp)->tasks[PIDTYPE_PGID].first); p; p = next_in_pgrp(p->pid_links[PIDTYPE_PGID].next))

bool links_to_session(struct pid* pgrp, const task_struct* p) {
  task_struct* parent = p->real_parent;
  return task_pgrp(parent) != pgrp && task_session(parent) == task_session(p);
}

// leaving: about to go, does not count.
bool is_orphaned(struct pid* pgrp, const task_struct* leaving) {
  task_struct* p;
  for_each_in_pgrp(p, pgrp) {
    if (p == leaving || (p->exit_state && thread_group_empty(p)) || is_global_init(p->real_parent)) continue;
    if (links_to_session(pgrp, p)) return false;
  }
  return true;
}

bool has_stopped_member(struct pid* pgrp) {
  task_struct* p;
  for_each_in_pgrp(p, pgrp) if (p->signal->flags & SIGNAL_STOP_STOPPED) return true;
  return false;
}

// p loses `parent`, by its own end or the parent's.
void check_orphaned_pgrp(task_struct* p, task_struct* parent, const task_struct* leaving) {
  struct pid* pgrp = task_pgrp(p);
  if (task_pgrp(parent) == pgrp || task_session(parent) != task_session(p)) return;
  if (!is_orphaned(pgrp, leaving) || !has_stopped_member(pgrp)) return;
  __kill_pgrp_info(SIGHUP, SEND_SIG_PRIV, pgrp);
  __kill_pgrp_info(SIGCONT, SEND_SIG_PRIV, pgrp);
}

// ---- Reparenting (section 5) ------------------------------------------------------------------------------------------

task_struct* live_thread(task_struct* p) {
  task_struct* t;
  for_each_thread(p, t) if (!(data_race(t->flags) & PF_EXITING)) return t;
  return nullptr;
}

// the reaper of the namespace is going; another thread of it takes over. False: there is none left.
bool hand_over_reaping(task_struct* reaper, pid_namespace* ns) {
  task_struct* heir = live_thread(reaper);
  if (!heir && ns == &init_pid_ns) heir = &init_task;  // only when the world ends: a dead init is a panic otherwise
  if (heir) ns->child_reaper = heir;
  return heir;
}

//
task_struct* find_new_parent(task_struct* father) {
  task_struct* reaper = task_active_pid_ns(father)->child_reaper;
  if (task_struct* t = live_thread(father)) return t;
  if (!father->signal->has_child_subreaper) return reaper;
  const unsigned level = task_pid(father)->level;
  for (task_struct* p = father->real_parent; p != &init_task && task_pid(p)->level == level; p = p->real_parent) {
    if (!p->signal->is_child_subreaper) continue;
    if (task_struct* t = live_thread(p)) return t;
  }
  return reaper;
}

//
void adopt_threads(task_struct* child, task_struct* parent) {
  task_struct* t;
  for_each_thread(child, t) {
    rcu_assign_pointer(t->real_parent, parent);
    if (!t->ptrace) t->parent = parent;
    if (int sig = data_race(t->pdeath_signal)) group_send_sig_info(sig, SEND_SIG_NOINFO, t, PIDTYPE_TGID);
  }
}

// into another process.
void adopt_by_stranger(task_struct* child, task_struct* father, DeadList* dead) {
  if (child->exit_state == EXIT_DEAD) return;
  child->exit_signal = SIGCHLD;
  if (!child->ptrace && child->exit_state == EXIT_ZOMBIE && thread_group_empty(child) && do_notify_parent(child, SIGCHLD))
    bury(child, dead);
  check_orphaned_pgrp(child, father, nullptr);
}

void forget_children(task_struct* father, DeadList* dead) {
  if (list_empty(&father->children)) return;
  task_struct* parent = find_new_parent(father);
  task_struct *child, *next;
  list_for_each_entry_safe(child, next, &father->children, sibling) {
    adopt_threads(child, parent);
    if (!same_thread_group(parent, father)) adopt_by_stranger(child, father, dead);
  }
  list_splice_tail_init(&father->children, &parent->children);
}

// Section 4, point 6. True: nobody will wait for it.
bool tell_parent(task_struct* self) {
  if (self->ptrace) [[unlikely]] {
    // The tracer hears of each thread; by the child's own signal if that is what a parent would get.
    const bool as_parent = thread_group_leader(self) && thread_group_empty(self) && !ptrace_reparented(self);
    return do_notify_parent(self, as_parent ? self->exit_signal : SIGCHLD);
  }
  if (!thread_group_leader(self)) return true;
  return thread_group_empty(self) && do_notify_parent(self, self->exit_signal);
}

}  // namespace

bool is_current_pgrp_orphaned() {
  ReadGuard guard(tasklist_lock);
  return is_orphaned(task_pgrp(current), nullptr);
}

namespace {

// False: self is the last of its namespace's init; the others must go first, and self keeps its children till then.
bool try_notify(task_struct* self, bool group_dead, DeadList* dead) {
  IrqOffWriteGuard guard(tasklist_lock);
  if (!list_empty(&self->ptraced)) [[unlikely]] exit_ptrace(self, dead);
  pid_namespace* ns = task_active_pid_ns(self);
  if (ns->child_reaper == self) [[unlikely]]
    if (!hand_over_reaping(self, ns) && (ns->pid_allocated & kPidAdding)) return false;
  forget_children(self, dead);
  if (group_dead) check_orphaned_pgrp(self->group_leader, self->group_leader->real_parent, self->group_leader);
  WRITE_ONCE(self->exit_state, EXIT_ZOMBIE);
  if (tell_parent(self)) bury(self, dead);
  // An exec in another thread waits for its leader to become a zombie.
  if (self->signal->notify_count < 0) wake_up_process(self->signal->group_exec_task);
  return true;
}

void release_all(DeadList* dead) {
  while (!list_empty(dead)) {
    task_struct* t = list_first_entry(dead, task_struct, ptrace_entry);
    list_del_init(&t->ptrace_entry);
    release_task(t);
  }
}

}  // namespace

void exit_notify(task_struct* self, bool group_dead) {
  LIST_HEAD(dead);
  if (!try_notify(self, group_dead, &dead)) [[unlikely]] {
    release_all(&dead);
    zap_pid_ns_processes(task_active_pid_ns(self));
    try_notify(self, group_dead, &dead);
  }
  release_all(&dead);
}
