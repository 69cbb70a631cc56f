// Boot interface of tasklets.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "init/report.hh"
void tasklets_init();
void tasklets_dead_cpu(unsigned dead);
void tasklets_exit(LeakReport& report);
