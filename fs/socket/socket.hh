// AF_UNIX sockets (spec 60 section 9). There is no other family: socket(2) answers EAFNOSUPPORT.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"

void socket_init();
void socket_quiesce();
void socket_exit(LeakReport& r);
