// SEM_UNDO: what a process's end takes back. Spec 60 V-20, spec 20 S14.
// SPDX-License-Identifier: Apache-2.0
#include "ipc/sem_undo.hh"

#include <linux/minmax.h>
#include <linux/slab.h>

#include "kernel/pid/pid.hh"
#include "kernel/sync/guards.hh"

namespace {

Result<sem_undo_list*> own_list(ipc_namespace* ns) {
  if (current->sysvsem) return current->sysvsem;
  auto* list = static_cast<sem_undo_list*>(kmalloc(sizeof(sem_undo_list), GFP_KERNEL));
  if (!list) return fail(ENOMEM);
  refcount_set(&list->users, 1);
  list->ns = ns;
  INIT_LIST_HEAD(&list->undos);
  return current->sysvsem = list;
}

SemUndo* find(sem_undo_list* list, const SemArray* a) {
  SemUndo* u;
  list_for_each_entry(u, &list->undos, in_list) if (u->array == a) return u;
  return nullptr;
}

}  // namespace

namespace {

// Those of arrays that were removed: nobody looks at them any more. Lock held.
void take_dead(sem_undo_list* list, list_head* dead) {
  SemUndo *u, *next;
  list_for_each_entry_safe(u, next, &list->undos, in_list) if (!u->array) list_move(&u->in_list, dead);
}
void free_undos(list_head* undos) {
  SemUndo *u, *next;
  list_for_each_entry_safe(u, next, undos, in_list) kvfree(u);
}

// How many semaphores the array has that needs an undo; 0: it has one. Takes out what is dead, so that a list does not grow for ever.
Result<int> needs_undo(ipc_namespace* ns, int id, sem_undo_list* list, list_head* dead) {
  SpinGuard guard(ns->sems.lock);
  take_dead(list, dead);
  const SemArray* a = to_sems(TRY(ipc_find(&ns->sems, id)));
  return find(list, a) ? 0 : a->n;
}

}  // namespace

SemUndo* sem_find_undo(const SemArray* a) { return current->sysvsem ? find(current->sysvsem, a) : nullptr; }

Result<void> sem_make_undo(ipc_namespace* ns, int id) {
  sem_undo_list* list = TRY(own_list(ns));
  list_head dead;
  INIT_LIST_HEAD(&dead);
  Result<int> needed = needs_undo(ns, id, list, &dead);
  free_undos(&dead);
  const int n = TRY(std::move(needed));
  if (!n) return {};
  auto* fresh = static_cast<SemUndo*>(kvzalloc(sizeof(SemUndo) + static_cast<size_t>(n) * sizeof(short), GFP_KERNEL));
  if (!fresh) return fail(ENOMEM);
  Result<void> result{};
  {
    SpinGuard guard(ns->sems.lock);
    auto o = ipc_find(&ns->sems, id);
    if (!o || to_sems(*o)->n != n) {
      result = fail(EIDRM);
    } else if (!find(list, to_sems(*o))) {  // or another thread was faster
      fresh->array = to_sems(*o);
      list_add(&fresh->in_list, &list->undos);
      list_add(&fresh->in_array, &fresh->array->undos);
      fresh = nullptr;
    }
  }
  kvfree(fresh);
  return result;
}

void sem_undo_forget(SemArray* a, int num) {
  SemUndo* u;
  list_for_each_entry(u, &a->undos, in_array) {
    for (int i = num < 0 ? 0 : num; i < (num < 0 ? a->n : num + 1); i++) u->adjust[i] = 0;
  }
}

Result<void> copy_semundo(u64 clone_flags, task_struct* child) {
  child->sysvsem = nullptr;
  if (!(clone_flags & CLONE_SYSVSEM)) return {};
  sem_undo_list* list = TRY(own_list(current_ipc_ns()));
  refcount_inc(&list->users);
  child->sysvsem = list;
  return {};
}

namespace {

// Clamped to what a semaphore may be. Lock held.
void take_back(SemUndo* u, struct pid* by) {
  SemArray* a = u->array;
  for (int i = 0; i < a->n; i++) {
    if (!u->adjust[i]) continue;
    Semaphore& s = a->sems[i];
    s.value = clamp(s.value + u->adjust[i], 0, SEMVMX);
    put_pid(std::exchange(s.pid, get_pid(by)));
  }
  sem_wake_waiters(a);
}

}  // namespace

void __exit_sem(task_struct* t) {
  sem_undo_list* list = std::exchange(t->sysvsem, nullptr);
  if (!refcount_dec_and_test(&list->users)) return;
  while (!list_empty(&list->undos)) {
    SemUndo* u = list_first_entry(&list->undos, SemUndo, in_list);
    {
      SpinGuard guard(list->ns->sems.lock);
      list_del(&u->in_list);
      if (u->array) {
        list_del(&u->in_array);
        if (t->thread_pid) take_back(u, task_tgid(t));
      }
    }
    kvfree(u);
  }
  kfree(list);
}
