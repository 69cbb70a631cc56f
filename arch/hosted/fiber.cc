// Fibers and what the sanitizers must be told of them (notes: toolchain; spec 22 section 14).
// SPDX-License-Identifier: Apache-2.0
#include "arch/hosted/engine.hh"

namespace hosted {
namespace {

// Identities of ThreadSanitizer's that are in use, so that a world which died can be cleared away.
constexpr unsigned kMaxIdentities = 8192;
void* identities[kMaxIdentities];
unsigned identity_count;

constexpr unsigned kNoSync = 1;

HOSTED_ENGINE void* new_identity() {
  if (!__tsan_create_fiber) return nullptr;
  EngineLock lock;
  if (identity_count == kMaxIdentities) __builtin_trap();
  return identities[identity_count++] = __tsan_create_fiber(0);
}

HOSTED_ENGINE void drop_identity(void* id) {
  if (!id) return;
  EngineLock lock;
  for (unsigned i = identity_count; i-- > 0;) {
    if (identities[i] != id) continue;
    identities[i] = identities[--identity_count];
    __tsan_destroy_fiber(id);
    return;
  }
}

// Tasks that died on this stack, or whose world did, never unwound: their frames' red zones are still there.
HOSTED_ENGINE void forget_poison(const hosted_fiber* f) {
  if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(reinterpret_cast<void*>(f->stack_low), f->stack_size);
}

}  // namespace

HOSTED_ENGINE void fiber_reset(hosted_fiber* f, unsigned long top, void (*entry)(void*), void* arg) {
  forget_poison(f);  // before the first word is written
  // hosted_swap pops r15 r14 r13 r12 rbx rbp and returns to hosted_fiber_start with the stack 16-byte aligned.
  auto* frame = reinterpret_cast<unsigned long*>(top & ~15ul) - 9;
  frame[0] = frame[1] = 0;
  frame[2] = reinterpret_cast<unsigned long>(arg);
  frame[3] = reinterpret_cast<unsigned long>(entry);
  frame[4] = frame[5] = 0;
  frame[6] = reinterpret_cast<unsigned long>(&hosted_fiber_start);
  frame[7] = frame[8] = 0;
  f->sp = reinterpret_cast<unsigned long>(frame);
  f->fake_stack = nullptr;
}

HOSTED_ENGINE void fiber_make(hosted_fiber* f, void* low, unsigned long size, unsigned long top, void (*entry)(void*),
                              void* arg) {
  f->stack_low = reinterpret_cast<unsigned long>(low);
  f->stack_size = size;
  f->tsan = new_identity();
  fiber_reset(f, top, entry, arg);
}

HOSTED_ENGINE void fiber_destroy(hosted_fiber* f) {
  drop_identity(f->tsan);
  f->tsan = nullptr;
  f->sp = 0;
}

HOSTED_ENGINE void destroy_all_fibers() {
  while (identity_count) __tsan_destroy_fiber(identities[--identity_count]);
}

HOSTED_ENGINE void fiber_switch(hosted_fiber* from, hosted_fiber* to, Leaving how) {
  if (__sanitizer_start_switch_fiber)
    __sanitizer_start_switch_fiber(how == Leaving::ForGood ? nullptr : &from->fake_stack,
                                   reinterpret_cast<void*>(to->stack_low), to->stack_size);
  if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(to->tsan, kNoSync);
  hosted_swap(&from->sp, to->sp);
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(from->fake_stack, nullptr, nullptr);
}

HOSTED_ENGINE void fiber_arrived() {
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
}

}  // namespace hosted
