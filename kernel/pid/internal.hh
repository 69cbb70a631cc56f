// Between the files of kernel/pid.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/pid/pid_namespace.hh"

struct kmem_cache;
Result<kmem_cache*> pid_cache_of_level(unsigned level);  // made when first asked for. May sleep. ENOMEM
