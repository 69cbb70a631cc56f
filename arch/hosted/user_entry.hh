// Between user_run.cc (the kernel's half of user mode) and user.cc (the program's half).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/hosted/user_side.hh"

namespace hosted {
void user_main(void* u);  // a user fiber's first function
}
