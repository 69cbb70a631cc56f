// The fail points of this area that are not allocations (those ask for themselves). The name says where, for the reader.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/fault_inject.hh"

inline bool fault_here(const char* step) { return should_fail(FailPoint::Other, step); }
