// Moving bytes between kernel memory and an iov_iter.
// SPDX-License-Identifier: Apache-2.0
#include "fs/vfs/iov_iter.hh"

#include <linux/minmax.h>
#include <linux/string.h>

#include "mm/uaccess.hh"

namespace {

// copy(span, done, bytes) gives the number of bytes not copied.
template <class Copy>
size_t for_spans(iov_iter* i, size_t n, Copy&& copy) {
  if (n > i->count) n = i->count;
  size_t done = 0;
  while (done < n) {
    size_t part = iov_iter_span(i);
    if (part > n - done) part = n - done;
    size_t left = copy(i->base, done, part);
    iov_iter_take(i, part - left);
    done += part - left;
    if (left) break;
  }
  return done;
}

}  // namespace

void iov_iter_advance(iov_iter* i, size_t n) {
  for_spans(i, n, [](char*, size_t, size_t) -> size_t { return 0; });
}

size_t copy_to_iter_spans(const void* from, size_t n, iov_iter* i) {
  auto* src = static_cast<const char*>(from);
  return for_spans(i, n, [&](char* span, size_t done, size_t part) -> size_t {
    if (i->kind == ITER_USER) return copy_to_user(span, src + done, part);
    memcpy(span, src + done, part);
    return 0;
  });
}

size_t copy_from_iter_spans(void* to, size_t n, iov_iter* i) {
  auto* dst = static_cast<char*>(to);
  return for_spans(i, n, [&](char* span, size_t done, size_t part) -> size_t {
    if (i->kind == ITER_USER) return copy_from_user(dst + done, span, part);
    memcpy(dst + done, span, part);
    return 0;
  });
}

size_t iov_iter_zero(size_t n, iov_iter* i) {
  return for_spans(i, n, [&](char* span, size_t, size_t part) -> size_t {
    if (i->kind == ITER_USER) return clear_user(span, part);
    memset(span, 0, part);
    return 0;
  });
}

size_t fault_in_iov_iter_readable(const iov_iter* i, size_t n) {
  if (i->kind != ITER_USER) return 0;
  iov_iter c = *i;
  size_t done = for_spans(&c, n, [](char* span, size_t, size_t part) -> size_t {
    for (size_t at = 0; at < part; at = ((reinterpret_cast<unsigned long>(span) + at) | 4095) + 1 - reinterpret_cast<unsigned long>(span)) {
      char byte;
      if (get_user(byte, span + at)) return part - at;
    }
    char last;
    return get_user(last, span + part - 1) ? 1 : 0;
  });
  size_t want = n < i->count ? n : i->count;
  return want - done;
}
