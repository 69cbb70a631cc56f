// Why an entity enters or leaves a queue (spec 30 section 3). ENQUEUE_x and DEQUEUE_x of one value are a pair.
// SPDX-License-Identifier: Apache-2.0
#pragma once

enum : int {
  DEQUEUE_SLEEP = 0x01, ENQUEUE_WAKEUP = 0x01,   // really sleeps, really wakes; else a transient removal
  DEQUEUE_SAVE = 0x02, ENQUEUE_RESTORE = 0x02,   // around a change of parameters
  DEQUEUE_MOVE = 0x04, ENQUEUE_MOVE = 0x04,      // ... after which the position may differ
  DEQUEUE_NOCLOCK = 0x08, ENQUEUE_NOCLOCK = 0x08,  // the rq clock is up to date
  ENQUEUE_HEAD = 0x10,
  ENQUEUE_MIGRATED = 0x40,
};
