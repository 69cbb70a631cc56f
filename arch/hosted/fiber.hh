// Fibers: stacks that one host thread takes turns on. Everything here is built without ThreadSanitizer's instrumentation,
// since a switch must not look like a call to it.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <asm/processor.h>

#define HOSTED_ENGINE __attribute__((no_sanitize("thread")))

extern "C" {
void hosted_swap(unsigned long* save_sp, unsigned long to_sp);
void hosted_fiber_start();
void __sanitizer_start_switch_fiber(void** fake_stack_save, const void* bottom, size_t size) __attribute__((weak));
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** old_bottom, size_t* old_size) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void* p, size_t n) __attribute__((weak));
void* __tsan_create_fiber(unsigned flags) __attribute__((weak));
void __tsan_destroy_fiber(void* fiber) __attribute__((weak));
void __tsan_switch_to_fiber(void* fiber, unsigned flags) __attribute__((weak));
void* __tsan_get_current_fiber() __attribute__((weak));
void __tsan_acquire(void* address) __attribute__((weak));
void __tsan_release(void* address) __attribute__((weak));
}

namespace hosted {

// Makes a fiber that will call entry(arg) on [low, low + size) when first switched to; entry begins with fiber_arrived()
// and never returns. top: where on the stack to begin; the rest above it is the caller's.
void fiber_make(hosted_fiber* f, void* low, unsigned long size, unsigned long top, void (*entry)(void*), void* arg);
// The same for one that has a sanitizer identity already.
void fiber_reset(hosted_fiber* f, unsigned long top, void (*entry)(void*), void* arg);
void fiber_destroy(hosted_fiber* f);  // not the running one
void destroy_all_fibers();            // whatever a world that died left behind

enum class Leaving : unsigned char { Returns, ForGood };
// Saves the running context in *from and goes on in *to. Orders nothing in ThreadSanitizer's eyes: who switches must
// say what is ordered.
void fiber_switch(hosted_fiber* from, hosted_fiber* to, Leaving how);
void fiber_arrived();

// An edge ThreadSanitizer could not see by itself: what went before edge_from(x) is visible after edge_to(x).
inline void edge_from(void* x) {
  if (__tsan_release) __tsan_release(x);
}
inline void edge_to(void* x) {
  if (__tsan_acquire) __tsan_acquire(x);
}

}  // namespace hosted
