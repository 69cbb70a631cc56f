// What allocators tell the sanitizers: nothing on x86, whose images are built without them.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

inline constexpr bool kKasan = false;
inline void kasan_poison(const volatile void*, size_t) {}
inline void kasan_unpoison(const volatile void*, size_t) {}
