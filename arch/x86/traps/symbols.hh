// Names of kernel functions, from the table that mkbzimage.py puts into the image.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

namespace x86 {
struct Symbol {
  const char* name;  // null: none
  unsigned long offset, size;
};
Symbol find_symbol(unsigned long address);
bool is_kernel_text(unsigned long address);
}  // namespace x86
