// ArgPages: the strings of a new program, in pages that become the top of its stack. Strings are put in from the top down, so
// the last one put in comes first in memory (spec 40 section 6).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <span>

#include "lib/result.hh"

struct page;

class ArgPages {
 public:
  static constexpr size_t kMaxString = 131072;  // MAX_ARG_STRLEN, with NUL

  ArgPages() = default;
  ArgPages(const ArgPages&) = delete;
  ~ArgPages();

  void set_limit(size_t bytes) { limit_ = bytes; }  // what may be used in all; exceeding it is E2BIG
  size_t used() const { return used_; }
  Result<void> push_bytes(const void* data, size_t n);     // ENOMEM, E2BIG
  Result<void> push_string(const char* text);              // kernel string with its NUL
  Result<void> push_user_string(const char* user_text);    // EFAULT, E2BIG, ENOMEM
  void drop_first();                                       // the string put in last
  // Length without NUL of the string that starts `at` bytes below the top.
  size_t string_length(size_t at) const;
  // All pages, lowest first, for the stack to take over; what was never written of the lowest one is zero.
  std::span<page* const> pages() const { return {pages_ + capacity_ - count_, count_}; }
  void pages_taken() { owned_ = false; }  // the stack has them now; they may still be read

 private:
  Result<void> more_pages(size_t bytes);
  Result<void> grow_table();
  char* byte_at(size_t below_top) const;  // the byte that lies so many bytes below the top

  static constexpr size_t kInline = 8;
  page* inline_[kInline];
  page** pages_ = inline_;     // filled from the end: pages_[capacity_ - 1] is the top page
  size_t capacity_ = kInline, count_ = 0;
  size_t used_ = 0, limit_ = ~size_t{0};
  bool owned_ = true;
};
