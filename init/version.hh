// What uname(2), /proc/version and the banner say.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#define CLEANFORK_VERSION "0.1"
#define UTS_SYSNAME "Linux"  // programs test for it: the ABI is Linux's
#define UTS_RELEASE "6.1.0-cleanfork"
#define UTS_VERSION "#1 SMP PREEMPT"
#define UTS_MACHINE "x86_64"
