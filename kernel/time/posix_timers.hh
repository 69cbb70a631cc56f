// POSIX timers and the rest of the kernel.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <uapi/linux/signal.h>

void posixtimer_rearm(kernel_siginfo* info);  // kernel/signal: a signal of a timer was taken from the queue
void posix_timers_init();
