// GUARDED_BY, REQUIRES and the rest, for C++ files.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/thread_annotations.h>
