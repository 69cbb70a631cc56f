// Heap sort.
// SPDX-License-Identifier: Apache-2.0
#include <linux/sort.h>

namespace {
void swap_bytes(void* a, void* b, int size) {
  auto *x = static_cast<char*>(a), *y = static_cast<char*>(b);
  for (int i = 0; i < size; i++) {
    char t = x[i];
    x[i] = y[i];
    y[i] = t;
  }
}
}  // namespace

extern "C" void sort(void* base, size_t num, size_t size, int (*cmp)(const void*, const void*),
                     void (*swap_func)(void*, void*, int)) {
  if (!swap_func) swap_func = swap_bytes;
  auto at = [=](size_t i) { return static_cast<char*>(base) + i * size; };
  auto exchange = [=](size_t a, size_t b) { swap_func(at(a), at(b), static_cast<int>(size)); };
  // Lets element i sink in the heap of the first n.
  auto sift = [=](size_t i, size_t n) {
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
      if (child + 1 < n && cmp(at(child), at(child + 1)) < 0) child++;
      if (cmp(at(i), at(child)) >= 0) return;
      exchange(i, child);
    }
  };
  for (size_t i = num / 2; i-- > 0;) sift(i, num);
  for (size_t n = num; n-- > 1;) {
    exchange(0, n);
    sift(0, n);
  }
}
