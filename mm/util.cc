// Copies on the heap, and what chooses between kmalloc and vmalloc.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

extern "C" {

void* kmemdup(const void* src, size_t n, gfp_t gfp) {
  void* p = kmalloc(n, gfp);
  if (p) memcpy(p, src, n);
  return p;
}
char* kmemdup_nul(const char* s, size_t n, gfp_t gfp) {
  auto* p = static_cast<char*>(kmalloc(n + 1, gfp));
  if (!p) return nullptr;
  memcpy(p, s, n);
  p[n] = 0;
  return p;
}
char* kstrdup(const char* s, gfp_t gfp) { return s ? kmemdup_nul(s, strlen(s), gfp) : nullptr; }
char* kstrndup(const char* s, size_t max, gfp_t gfp) { return s ? kmemdup_nul(s, strnlen(s, max), gfp) : nullptr; }

char* kvasprintf(gfp_t gfp, const char* fmt, va_list args) {
  va_list copy;
  va_copy(copy, args);
  size_t n = static_cast<size_t>(vsnprintf(nullptr, 0, fmt, copy)) + 1;
  va_end(copy);
  auto* p = static_cast<char*>(kmalloc(n, gfp));
  if (p) vsnprintf(p, n, fmt, args);
  return p;
}

void* krealloc(const void* p, size_t size, gfp_t gfp) {
  if (size == 0) {
    kfree(p);
    return ZERO_SIZE_PTR;
  }
  size_t old = ksize(p);
  if (old >= size) return const_cast<void*>(p);
  void* n = kmalloc(size, gfp);
  if (!n) return nullptr;
  if (old) memcpy(n, p, old);
  kfree(p);
  return n;
}

void kfree_sensitive(const void* p) {
  if (size_t n = ksize(p)) memzero_explicit(const_cast<void*>(p), n);
  kfree(p);
}

void* kvmalloc(size_t size, gfp_t gfp) {
  gfp_t first = size > 4096 ? gfp | __GFP_NOWARN | __GFP_NORETRY : gfp;  // the fallback will do
  if (void* p = kmalloc(size, size > 4096 ? first & ~__GFP_NOFAIL : first)) return p;
  if (size <= 4096 || size > INT_MAX || !(gfp & __GFP_DIRECT_RECLAIM)) return nullptr;
  return __vmalloc(size, gfp);
}
void kvfree(const void* p) {
  if (is_vmalloc_addr(p)) vfree(p);
  else kfree(p);
}
void* kvrealloc(const void* p, size_t oldsize, size_t newsize, gfp_t gfp) {
  if (oldsize >= newsize) return const_cast<void*>(p);
  void* n = kvmalloc(newsize, gfp);
  if (!n) return nullptr;
  if (oldsize) memcpy(n, p, oldsize);
  kvfree(p);
  return n;
}

}  // extern "C"
