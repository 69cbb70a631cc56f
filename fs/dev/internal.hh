// What the files of fs/dev share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

void mem_devices_init();
void mem_devices_quiesce();
