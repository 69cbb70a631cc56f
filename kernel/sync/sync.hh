// Boot interface of locking.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "init/report.hh"
void sync_init();
void sync_exit(LeakReport& report);
// For tests: what might_sleep() has to report is counted between the two, and not fatal.
void atomic_sleep_expect_begin();
int atomic_sleep_expect_end();
