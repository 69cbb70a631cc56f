// I/O priority of tasks (ioprio_set(2)), kept in an object of its own since CLONE_IO shares it. There is no block layer to
// heed it: it is kept, inherited and told, and CLONE_IO means what it says.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

inline constexpr int kIoprioClassShift = 13;
enum IoprioClass : unsigned short { IOPRIO_CLASS_NONE, IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE };
constexpr unsigned short ioprio_value(unsigned cls, unsigned data) {
  return static_cast<unsigned short>(cls << kIoprioClassShift | data);
}
constexpr unsigned ioprio_class(unsigned ioprio) { return ioprio >> kIoprioClassShift & 7; }

struct io_context {
  refcount_t active;      // tasks that refer to it
  unsigned short ioprio;  // alloc_lock of any of them: a single store, read without
};

// Fork, S21 (spec 20 section 12.7). ENOMEM. The child is known to nobody.
Result<void> copy_io(u64 clone_flags, task_struct* child);
// Exit, or a fork that fails: the task lets go of it. May not hold alloc_lock.
void exit_io_context(task_struct* t);
