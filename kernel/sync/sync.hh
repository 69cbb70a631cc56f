// Boot interface of locking.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "init/report.hh"
void sync_init();
void sync_exit(LeakReport& report);
