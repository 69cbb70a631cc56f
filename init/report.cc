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

void LeakReport::print() const {
  if (clean()) {
    pr_info("leak check: clean\n");
    return;
  }
  pr_err("leak check: %d findings\n", findings_);
  for (std::string_view rest = text(); !rest.empty();) {
    size_t end = rest.find('\n');
    if (end == std::string_view::npos) end = rest.size();
    pr_err("leak check: %.*s\n", static_cast<int>(end), rest.data());
    rest.remove_prefix(end < rest.size() ? end + 1 : end);
  }
}
