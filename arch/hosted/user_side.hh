// The fiber that plays a task's user mode. Private to arch/hosted; what programs see of it is user.hh.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/hosted/engine.hh"

struct hosted_user {
  hosted_fiber fiber;
  task_struct* task;
  pt_regs* regs;        // the registers of the program: at the top of the task's kernel stack
  arch::UserExit exit;  // why it left user mode
  hosted_user *next, **link;  // all of this world
  char order;           // ThreadSanitizer's handle: kernel and user side of one task are one thread
};

namespace hosted {

void user_side_destroy(task_struct* t);  // t never runs again
void user_side_forget(task_struct* t);   // exec: the next user_run() starts a new program
void user_side_clear();  // a world is over: whatever is left of it
void user_process_clear();

}  // namespace hosted
