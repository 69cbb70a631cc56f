// What exit and fork ask of the terminal layer.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

// fs/tty
tty_struct* tty_kref_get(tty_struct* tty);     // null is fine
void tty_kref_put(tty_struct* tty);
void disassociate_ctty(int on_exit);           // a session leader leaves its terminal
