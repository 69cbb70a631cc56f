// The files that hold records, not settings.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"
#include "kernel/trace/internal.hh"

// d_fsdata of the dentry: the CPU, or kAllCpus.
extern const file_operations kTraceFops, kTracePipeFops, kTraceMarkerFops;
