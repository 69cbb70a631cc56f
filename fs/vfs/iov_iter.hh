// iov_iter: the memory that a read fills or a write empties. One or many spans, all of user memory or all of the kernel's.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>
#include <uapi/linux/fcntl.h>

#include "mm/uaccess.hh"

struct page;

enum : unsigned char { ITER_USER, ITER_KVEC };

struct iov_iter {
  size_t count;        // bytes left in all spans
  char* base;          // where the present span goes on
  size_t len;          // bytes left of the present span (may exceed count)
  const iovec* next;   // spans after the present one; kernel memory
  unsigned char kind;  // ITER_*
};

inline void iov_iter_ubuf(iov_iter* i, void* buf, size_t n) { *i = {n, static_cast<char*>(buf), n, nullptr, ITER_USER}; }
inline void iov_iter_kbuf(iov_iter* i, void* buf, size_t n) { *i = {n, static_cast<char*>(buf), n, nullptr, ITER_KVEC}; }
inline size_t iov_iter_count(const iov_iter* i) { return i->count; }
inline void iov_iter_truncate(iov_iter* i, size_t n) {
  if (i->count > n) i->count = n;
}
// What may be used of the present span; steps to the next one when it is used up. count must not be 0.
inline size_t iov_iter_span(iov_iter* i) {
  while (i->len == 0) {
    i->base = static_cast<char*>(i->next->iov_base);
    i->len = i->next->iov_len;
    i->next++;
  }
  return i->len < i->count ? i->len : i->count;
}
inline void iov_iter_take(iov_iter* i, size_t n) {  // n bytes of the present span are done
  i->base += n;
  i->len -= n;
  i->count -= n;
}
void iov_iter_advance(iov_iter* i, size_t n);

// Copy up to n bytes, advance, and return how many were copied; fewer than min(n, count) means a bad user address.
// May fault and sleep unless page faults are disabled.
size_t copy_to_iter_spans(const void* from, size_t n, iov_iter* i);
size_t copy_from_iter_spans(void* to, size_t n, iov_iter* i);
// Nearly every read and write is one span of user memory.
inline bool iov_iter_in_one_user_span(const iov_iter* i, size_t n) {
  return i->kind == ITER_USER && n <= i->len && n <= i->count;
}
inline size_t copy_to_iter(const void* from, size_t n, iov_iter* i) {
  if (!iov_iter_in_one_user_span(i, n)) [[unlikely]] return copy_to_iter_spans(from, n, i);
  size_t done = n - copy_to_user(i->base, from, n);
  iov_iter_take(i, done);
  return done;
}
inline size_t copy_from_iter(void* to, size_t n, iov_iter* i) {
  if (!iov_iter_in_one_user_span(i, n)) [[unlikely]] return copy_from_iter_spans(to, n, i);
  size_t done = n - copy_from_user(to, i->base, n);
  iov_iter_take(i, done);
  return done;
}
size_t iov_iter_zero(size_t n, iov_iter* i);
// Touches the first n bytes of user memory so that a copy with page faults disabled is likely to work.
// Returns how many bytes are NOT accessible.
size_t fault_in_iov_iter_readable(const iov_iter* i, size_t n);
