// System V semaphores. Private to ipc/.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/list.h>
#include <linux/types.h>

#include "ipc/ipc_namespace.hh"

enum : int { GETPID = 11, GETVAL = 12, GETALL = 13, GETNCNT = 14, GETZCNT = 15, SETVAL = 16, SETALL = 17, SEM_STAT = 18, SEM_INFO = 19, SEM_STAT_ANY = 20 };
inline constexpr int SEMVMX = 32767, SEM_UNDO = 0x1000;

struct sembuf {
  unsigned short sem_num;
  short sem_op, sem_flg;
};

struct Semaphore {
  int value;
  struct pid* pid;  // who changed it last; referenced
};

struct SemArray {
  IpcObject ipc;  // first; all below: the namespace's sems.lock
  int n;
  s64 otime, ctime;         // seconds
  list_head waiting;        // SemWait, in the order of arrival
  list_head undos;          // SemUndo::in_array
  Semaphore sems[];
};
inline SemArray* to_sems(IpcObject* o) { return container_of(o, SemArray, ipc); }

// What one list of undos is to add to an array.
struct SemUndo {
  list_head in_list, in_array;
  SemArray* array;  // null: removed
  short adjust[];
};

struct sem_undo_list {
  refcount_t users;    // tasks
  ipc_namespace* ns;   // of all that is in it; not counted: it is dropped when its tasks leave
  list_head undos;     // SemUndo::in_list; ns->sems.lock
};

// A call that sleeps, on its stack.
struct SemWait {
  list_head list;
  task_struct* task;
  const sembuf* ops;
  unsigned n;
  SemUndo* undo;
  struct pid* pid;
  int blocked_on;     // index in ops
  bool over;          // the answer is in `error`
  int error;
};

extern const IpcKind kSemKind;

// Applies all of w's operations or none. 0 done, 1 would have to wait, or an errno (negative). Lock held.
int sem_try(SemArray* a, SemWait* w);
void sem_wake_waiters(SemArray* a);  // after a change. Lock held
void sem_undo_forget(SemArray* a, int num);  // SETVAL and SETALL: nothing is to be undone any more. -1: of all. Lock held
