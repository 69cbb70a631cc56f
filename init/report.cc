// LeakReport.
// SPDX-License-Identifier: Apache-2.0
#include "init/report.hh"

#include <linux/kernel.h>

void LeakReport::expect_zero(const char* what, long n) {
  if (n != 0) finding("%s: %ld", what, n);
}

void LeakReport::finding(const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  findings_++;
  used_ += static_cast<size_t>(vscnprintf(text_ + used_, sizeof(text_) - used_, fmt, args));
  used_ += static_cast<size_t>(scnprintf(text_ + used_, sizeof(text_) - used_, "\n"));
  va_end(args);
}
