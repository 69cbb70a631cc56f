// LeakReport: what is left of a world when it is unmade. foo_exit(LeakReport&) of every subsystem writes into it.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <string_view>

struct LeakReport {
  // Anything but zero is a finding, named by what.
  void expect_zero(const char* what, long n);
  // A finding in words (printf).
  void finding(const char* fmt, ...) __attribute__((format(printf, 2, 3)));
  void print() const;  // to the log
  bool clean() const { return findings_ == 0; }
  int findings() const { return findings_; }
  // The first findings, one a line, "" if clean.
  std::string_view text() const { return {text_, used_}; }

 private:
  int findings_ = 0;
  size_t used_ = 0;
  char text_[4096];
};
