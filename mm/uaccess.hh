// Copies between kernel and user memory. All may sleep (they fault pages in) unless page faults are disabled.
// copy_* return the number of bytes not copied, get_user/put_user 0 or -EFAULT, as in Linux.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/errno.h>

#include "arch/contract/arch.hh"

inline constexpr unsigned long TASK_SIZE_MAX = 0x7ffffffff000;

inline bool access_ok(const void* p, unsigned long n) {
  auto a = reinterpret_cast<unsigned long>(p);
  return n <= TASK_SIZE_MAX && a <= TASK_SIZE_MAX - n;
}
[[nodiscard]] inline unsigned long copy_from_user(void* dst, const void* src, unsigned long n) {
  if (!access_ok(src, n)) [[unlikely]] return n;
  return arch::raw_copy_from_user(dst, reinterpret_cast<unsigned long>(src), n);
}
[[nodiscard]] inline unsigned long copy_to_user(void* dst, const void* src, unsigned long n) {
  if (!access_ok(dst, n)) [[unlikely]] return n;
  return arch::raw_copy_to_user(reinterpret_cast<unsigned long>(dst), src, n);
}
[[nodiscard]] inline unsigned long clear_user(void* dst, unsigned long n) {
  if (!access_ok(dst, n)) [[unlikely]] return n;
  return arch::raw_clear_user(reinterpret_cast<unsigned long>(dst), n);
}
// Copies a string with its NUL; length without NUL, max if it is longer (not terminated then), or -EFAULT.
[[nodiscard]] inline long strncpy_from_user(char* dst, const char* src, long max) {
  auto a = reinterpret_cast<unsigned long>(src);
  if (a >= TASK_SIZE_MAX) return -EFAULT;
  auto room = static_cast<long>(TASK_SIZE_MAX - a);
  long n = arch::raw_strncpy_from_user(dst, a, max < room ? max : room);
  return n == room && room < max ? -EFAULT : n;
}
template <class T>
[[nodiscard]] inline long get_user(T& value, const T* src) {
  return copy_from_user(&value, src, sizeof(T)) ? -EFAULT : 0;
}
template <class T>
[[nodiscard]] inline long put_user(const T& value, T* dst) {
  return copy_to_user(dst, &value, sizeof(T)) ? -EFAULT : 0;
}
// For extensible structs (clone3, sched_setattr): E2BIG when user bytes beyond ours are not zero; missing ones read as 0.
long copy_struct_from_user(void* dst, size_t ksize, const void* src, size_t usize);
