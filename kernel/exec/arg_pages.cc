// Copying arguments into pages, from the top down.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/exec/arg_pages.hh"

#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <linux/minmax.h>

#include "kernel/signal/signal.hh"
#include <linux/page_ref.h>

#include "mm/page_address.hh"
#include "mm/uaccess.hh"

namespace {
constexpr size_t kPage = 4096;
constexpr size_t kShort = 256;

class Buffer {
 public:
  explicit Buffer(size_t n) : p_(static_cast<char*>(kvmalloc(n, GFP_KERNEL))) {}
  Buffer(const Buffer&) = delete;
  ~Buffer() { kvfree(p_); }
  char* get() const { return p_; }

 private:
  char* p_;
};
}  // namespace

ArgPages::~ArgPages() {
  if (owned_)
    for (page* p : pages()) __free_page(p);
  if (pages_ != inline_) kvfree(pages_);
}

char* ArgPages::byte_at(size_t below_top) const {
  size_t index = capacity_ - 1 - (below_top - 1) / kPage;
  return static_cast<char*>(page_address(pages_[index])) + kPage - 1 - (below_top - 1) % kPage;
}

Result<void> ArgPages::grow_table() {
  size_t wanted = capacity_ * 4;
  auto** table = static_cast<page**>(kvmalloc(wanted * sizeof(page*), GFP_KERNEL));
  if (!table) return fail(ENOMEM);
  memcpy(table + wanted - count_, pages_ + capacity_ - count_, count_ * sizeof(page*));
  if (pages_ != inline_) kvfree(pages_);
  pages_ = table;
  capacity_ = wanted;
  return {};
}

Result<void> ArgPages::more_pages(size_t bytes) {
  while (count_ * kPage < used_ + bytes) {
    if (count_ == capacity_) TRY(grow_table());
    if (fatal_signal_pending(current)) return fail(ERESTARTNOHAND);
    page* p = alloc_page(GFP_KERNEL | __GFP_ZERO);
    if (!p) return fail(ENOMEM);
    pages_[capacity_ - ++count_] = p;
  }
  return {};
}

Result<void> ArgPages::push_bytes(const void* data, size_t n) {
  if (n > limit_ - used_) return fail(E2BIG);
  TRY(more_pages(n));
  auto* from = static_cast<const char*>(data);
  while (n) {  // the last piece first
    size_t room = kPage - used_ % kPage;
    size_t piece = min<size_t>(n, room);
    memcpy(byte_at(used_ + piece), from + n - piece, piece);
    used_ += piece;
    n -= piece;
  }
  return {};
}

Result<void> ArgPages::push_string(const char* text) {
  size_t n = strlen(text) + 1;
  if (n > kMaxString) return fail(E2BIG);
  return push_bytes(text, n);
}

Result<void> ArgPages::push_user_string(const char* user_text) {
  char small[kShort];
  long n = strncpy_from_user(small, user_text, kShort);
  if (n < 0) return fail(EFAULT);
  if (n < static_cast<long>(kShort)) return push_bytes(small, static_cast<size_t>(n) + 1);
  Buffer big(kMaxString);
  if (!big.get()) return fail(ENOMEM);
  n = strncpy_from_user(big.get(), user_text, kMaxString);
  if (n < 0) return fail(EFAULT);
  if (n == static_cast<long>(kMaxString)) return fail(E2BIG);
  return push_bytes(big.get(), static_cast<size_t>(n) + 1);
}

size_t ArgPages::string_length(size_t at) const {
  size_t n = 0;
  for (size_t below = at; below > 0;) {
    const char* from = byte_at(below);
    size_t here = (below - 1) % kPage + 1;  // bytes up to the end of this page
    size_t len = strnlen(from, here);
    n += len;
    if (len < here) break;
    below -= here;
  }
  return n;
}

void ArgPages::drop_first() { used_ -= string_length(used_) + 1; }
