// From a booted kernel to the first user program (spec 10 section 9, B-49..B-53).
// SPDX-License-Identifier: Apache-2.0
#pragma once

// Unpacks the initramfs, opens the console, and execs init. Returns when the exec has succeeded; panics if there is no init.
// Called by pid 1 in kernel mode.
void start_init_process();
