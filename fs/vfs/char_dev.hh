// The registered character devices, for /proc/devices.
// SPDX-License-Identifier: Apache-2.0
#pragma once

void for_each_chrdev(void (*visit)(unsigned major, const char* name, void*), void* context);  // a spinlock is held
