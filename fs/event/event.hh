// epoll's part in the life of other files.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/vfs/vfs.hh"

void eventpoll_release(file* f);  // the last reference of a file that is watched has gone; may sleep
