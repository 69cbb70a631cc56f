// /proc/sys: variables that may be read, and some of them written.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "fs/proc/proc.hh"
