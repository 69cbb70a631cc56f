// NewTask: a task in the making. It owns what its stages have taken so far; unless published, its destructor gives all of it
// back, from the last to the first (spec 20 F-50). Private to fork.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

#include "kernel/cgroup/cgroup.hh"
#include "kernel/fork/fork.hh"

struct file;
class ForkSignals;

class NewTask {
 public:
  // A row of spec 20 section 11. A stage that fails has undone itself; give_back undoes one that succeeded, and is null where
  // nothing was taken. It may sleep: no lock is held (F-55).
  struct Stage {
    const char* id;    // of the spec
    const char* what;
    Result<void> (NewTask::*take)();
    void (NewTask::*give_back)();
  };
  static std::span<const Stage> stages();

  explicit NewTask(const kernel_clone_args& args) : args_(args) {}
  ~NewTask() {
    while (taken_) give_back_last();
  }
  NewTask(const NewTask&) = delete;

  // S2..S28: acquires everything, touches nothing that others see.
  Result<void> prepare();
  // S29..S32: makes it visible to all. EINTR or ENOMEM if current is being killed or the namespace dies; later nothing fails.
  Result<task_struct*> publish(ForkSignals& signals);

  // Owns all that an idle task has, so that the destructor gives it back.
  void adopt_idle(task_struct* idle);

 private:
  static const Stage kStages[];

  // The stages, in order; take_x() and give_x().
  Result<void> take_task();
  void give_task();
  Result<void> take_creds();
  void give_creds();
  Result<void> check_limits();
  Result<void> reset_fields();
  Result<void> take_kthread();
  void give_kthread();
  Result<void> take_sched();
  Result<void> take_semundo();
  void give_semundo();
  Result<void> take_files();
  void give_files();
  Result<void> take_fs();
  void give_fs();
  Result<void> take_sighand();
  void give_sighand();
  Result<void> take_signal();
  void give_signal();
  Result<void> take_mm();
  void give_mm();
  Result<void> take_namespaces();
  void give_namespaces();
  Result<void> take_io();
  void give_io();
  Result<void> take_thread();
  void give_thread();
  Result<void> take_pid();
  void give_pid();
  Result<void> take_pidfd();
  void give_pidfd();
  Result<void> set_identity();
  Result<void> take_cgroup();
  void give_cgroup();
  Result<void> place();

  void give_back_last();
  void choose_parent();
  Result<void> may_publish();
  void become_process(const ForkSignals& signals);
  void become_thread();

  const kernel_clone_args& args_;
  task_struct* t_ = nullptr;
  struct pid* pid_ = nullptr;
  unsigned taken_ = 0;  // so many rows of kStages
  int pidfd_ = -1;
  file* pidfd_file_ = nullptr;
  CgroupFork cgroup_;
};
