// Boot interface of waiting.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "init/report.hh"
void wait_init();
void wait_exit(LeakReport& report);
