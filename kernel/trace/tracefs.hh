// Between tracing, the file system that shows it, and the boot command line.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "lib/result.hh"

struct dentry;

// "sched:sched_switch", "sched_switch", "sched", "sched:*", "*:*"; with ! in front: off. text is changed. EINVAL: no such event; ENOMEM.
Result<void> trace_set_event(char* text);

void tracefs_register();
void tracefs_unregister();
Result<void> trace_make_files(dentry* root);  // at the first mount
