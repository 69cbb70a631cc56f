// nsfs: files that stand for namespaces and keep them. Where they come from: /proc/PID/ns, ioctls of ioctl_ns(2).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"
#include "kernel/nsproxy/ns_common.hh"

inline constexpr long NSFS_MAGIC = 0x6e736673;

Result<path> ns_get_path(task_struct* t, const proc_ns_operations* ops);  // referenced. ENOENT: t has none any more. May sleep
ns_common* get_proc_ns(const file* f);  // borrowed from the file; null: f is no nsfs file
