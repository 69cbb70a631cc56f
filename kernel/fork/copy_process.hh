// Between the files of fork, and for tests.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/fork/fork.hh"

Result<task_struct*> copy_process(const kernel_clone_args& args);  // the child is visible, and new: it has not run
