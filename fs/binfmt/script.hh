// The first line of a script, taken apart. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include "lib/result.hh"

struct ScriptLine {
  const char* interpreter;
  const char* argument;  // null: none
};
// Works in place on the first bytes of the file (zero-filled past its end). ENOEXEC: not a script.
Result<ScriptLine> parse_script_line(char* buf, size_t size);
