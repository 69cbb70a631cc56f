// Between the files of kernel/exit, and for exec.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/exit/exit.hh"

void exit_notify(task_struct* self, bool group_dead);
