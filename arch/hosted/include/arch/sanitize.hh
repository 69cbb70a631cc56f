// What allocators tell the sanitizers: memory that nobody owns must not be touched (AddressSanitizer builds only).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kKasan = true;
extern "C" void __asan_poison_memory_region(const volatile void* p, size_t n);
extern "C" void __asan_unpoison_memory_region(const volatile void* p, size_t n);
// Any context. Granularity 8 bytes: a partial last granule is rounded as AddressSanitizer does.
inline void kasan_poison(const volatile void* p, size_t n) { __asan_poison_memory_region(p, n); }
inline void kasan_unpoison(const volatile void* p, size_t n) { __asan_unpoison_memory_region(p, n); }
#else
inline constexpr bool kKasan = false;
inline void kasan_poison(const volatile void*, size_t) {}
inline void kasan_unpoison(const volatile void*, size_t) {}
#endif

// memcpy from memory that others may write meanwhile, by design: not seen by ThreadSanitizer.
#ifdef __SANITIZE_THREAD__
void memcpy_racy(void* dst, const void* src, size_t n);
#else
inline void memcpy_racy(void* dst, const void* src, size_t n) { __builtin_memcpy(dst, src, n); }
#endif
