// Boot and end of this subsystem.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/signal/queue.hh"

void signal_init() { signal_queue_init(); }
void signal_exit(LeakReport& report) { signal_queue_exit(report); }
