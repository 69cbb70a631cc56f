// NewTask: a task in the making. It owns every part acquired so far; unless published, its destructor gives them back in
// reverse order (spec 20 F-50). Private to fork.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/fork/fork.hh"

struct file;
class ForkSignals;

// In the order of acquisition. Undo runs from the last to the first.
enum class Stage : unsigned char { Task, Creds, Kthread, Files, Fs, Sighand, Signal, Mm, Namespaces, Thread, Pid, Pidfd, kCount };

class NewTask {
 public:
  explicit NewTask(const kernel_clone_args& args) : args_(args) {}
  ~NewTask() {
    if (done_) undo();
  }
  NewTask(const NewTask&) = delete;

  // S2..S28: acquires everything, touches nothing that others see.
  Result<void> prepare();
  // S29..S32: makes it visible to all. EINTR or ENOMEM if current is being killed or the namespace dies; later nothing fails.
  Result<task_struct*> publish(ForkSignals& signals);

  // Owns all that an idle task has, so that the destructor gives it back.
  void adopt_idle(task_struct* idle) {
    t_ = idle;
    for (Stage s : {Stage::Task, Stage::Creds, Stage::Kthread, Stage::Files, Stage::Fs, Stage::Sighand, Stage::Signal,
                    Stage::Namespaces, Stage::Thread})
      owns(s);
  }

 private:
  void undo();
  void owns(Stage s) { done_ |= 1u << static_cast<unsigned>(s); }
  Result<void> copy_creds();
  Result<void> check_limits();
  void reset_fields();
  Result<void> copy_resources();
  Result<void> copy_kthread();
  Result<void> copy_sighand();
  Result<void> copy_signal();
  Result<void> copy_mm();
  Result<void> copy_thread();
  Result<void> take_pid();
  Result<void> take_pidfd();
  void set_identity();
  void choose_parent();
  Result<void> may_publish();
  void become_process(const ForkSignals& signals);
  void become_thread();

  const kernel_clone_args& args_;
  task_struct* t_ = nullptr;
  struct pid* pid_ = nullptr;
  unsigned done_ = 0;
  int pidfd_ = -1;
  file* pidfd_file_ = nullptr;
};
