// /dev: devices announce themselves here and get their nodes, in the root's /dev and in devtmpfs.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"

// Makes numbers [dev] mean fops and /dev/NAME appear. mode: permission bits. 0 or -errno. name stays with the caller.
int device_register(const char* name, unsigned dev, umode_t mode, const file_operations* fops);
void device_unregister(const char* name, unsigned dev);

void chrdev_init();
void chrdev_quiesce();
void chrdev_exit(LeakReport& r);
