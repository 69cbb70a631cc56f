// Changing a task's policy, priority and nice: what the system calls and the rest of the scheduler share.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/sched/rq.hh"

inline constexpr unsigned kKeepPolicy = ~0u;
struct SchedRequest {
  unsigned policy = SCHED_NORMAL;
  int nice = 0;
  unsigned rt_priority = 0;
  bool reset_on_fork = false;
  bool keep_params = false;  // SCHED_FLAG_KEEP_PARAMS: all is checked, and nothing but reset_on_fork stored
  u64 runtime = 0, deadline = 0, period = 0;  // SCHED_DEADLINE, ns
  unsigned dl_flags = 0;                      // SCHED_FLAG_RECLAIM, SCHED_FLAG_DL_OVERRUN
  bool util_clamp = false;                    // SCHED_FLAG_UTIL_CLAMP_*: there is none
  bool sugov = false;                         // a flag of the kernel's own; who may do all is told EINVAL
};
enum class SchedCaller : unsigned char { User, Kernel };  // Kernel: no privilege asked
// May not be called with locks held. EINVAL, EPERM, EBUSY, EOPNOTSUPP.
Result<void> __sched_setscheduler(task_struct* p, SchedRequest request, SchedCaller caller);

bool can_nice(const task_struct* p, int nice);

// The end of a change, without the lock: who waits may have become urgent enough for another CPU (spec 32 ).
struct PushAfter {
  rq* from = nullptr;  // null: nobody
  ~PushAfter();
};
// p's queue, locked, for a change. The lock is dropped before the end of PushAfter.
struct ParamLock : PushAfter, TaskRqGuard {
  explicit ParamLock(task_struct* p) : TaskRqGuard(p) {}
};

// While it lives p is off its queue and its parameters may be written; its end puts p back where it belongs and lets the
// classes react (spec 30 section 8.1, the steps after the checks).
class ParamChange {
 public:
  // The task that is locked; longer than this lives. new_prio: its own; what it has been given by waiters is considered.
  ParamChange(ParamLock& locked, int new_prio);
  struct Nice {
    int value;
  };
  ParamChange(ParamLock& locked, Nice nice);  // of a real-time task: its priority stays
  struct Donor {
    task_struct* task;  // null: nobody gives it anything any more
  };
  ParamChange(ParamLock& locked, Donor donor);
  ~ParamChange();
  ParamChange(const ParamChange&) = delete;

 private:
  void take_off(int new_prio);

  ParamLock& guard_;
  int old_prio_;
  const sched_class* old_class_;
  int new_prio_, flags_;
  bool queued_, running_;
};
