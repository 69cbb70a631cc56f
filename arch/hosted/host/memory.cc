// The hosted machine's memory: an arena at a fixed address, views of its pages for vmalloc, stacks for fibers.
// System calls are made directly, past the sanitizers' interceptors: shadow memory is looked after where it matters.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "arch/hosted/host/host_api.hh"

extern "C" void __asan_poison_memory_region(const volatile void* p, unsigned long n) __attribute__((weak));
extern "C" void __asan_unpoison_memory_region(const volatile void* p, unsigned long n) __attribute__((weak));

// Called from any fiber; ThreadSanitizer must not take what they share here for theirs.
#define NOT_TRACED __attribute__((no_sanitize("thread")))

namespace {

// As in arch/machine.hh, which host code cannot include; asserted equal in arch/hosted/boot.cc through host_layout.
constexpr unsigned long kArenaBase = 0x7e9000000000ul, kVmallocBase = 0x7eb000000000ul, kVmallocSize = 4ul << 30;
constexpr unsigned long kRamStart = 1 << 20;

int arena_fd = -1;
unsigned long arena_size;

NOT_TRACED long raw_mmap(unsigned long at, unsigned long size, int prot, int flags, int fd, unsigned long offset) {
  long r = syscall(SYS_mmap, at, size, prot, flags, fd, offset);
  return r == -1 ? -errno : r;
}

NOT_TRACED int reserve_vmalloc() {
  long r = raw_mmap(kVmallocBase, kVmallocSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  return r < 0 ? static_cast<int>(-r) : 0;
}

constexpr unsigned long kPage = 4096, kPages = kVmallocSize / kPage;
// What the host has mapped at each page of the vmalloc area: a physical page number, and kLive if the kernel wants it so;
// 0: nothing.
unsigned views[kPages];
constexpr unsigned kLive = 1u << 31;

NOT_TRACED void drop_stale(unsigned long page) {
  if (page >= kPages || !views[page] || views[page] & kLive) return;
  raw_mmap(kVmallocBase + page * kPage, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  views[page] = 0;
}

// Makes n places from `first` show the pages from `page`; nothing to do where they do.
NOT_TRACED int show(unsigned long first, unsigned page, unsigned long n) {
  bool same = true;
  for (unsigned long i = 0; i < n; i++) {
    same &= (views[first + i] & ~kLive) == page + i;
    views[first + i] = static_cast<unsigned>(page + i) | kLive;
  }
  if (same) return 0;
  long r = raw_mmap(kVmallocBase + first * kPage, n * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
                    arena_fd, page * kPage);
  return r < 0 ? static_cast<int>(-r) : 0;
}

void tell_asan(void (*what)(const volatile void*, unsigned long), unsigned long va, unsigned long size) {
  if (what) what(reinterpret_cast<void*>(va), size);
}

constexpr unsigned long kGuard = 16384;
struct FreeStack {
  FreeStack* next;
  unsigned long size;
};
FreeStack* free_stacks;  // written at the high end, which is in use anyway

}  // namespace

extern "C" {

// The first call makes the arena; later ones grow it. What lies in it is not cleared between worlds: a kernel that
// depends on fresh memory being zero is wrong, and the replay tests would tell.
NOT_TRACED int host_map_arena(unsigned long size) {
  if (arena_fd < 0) {
    arena_fd = static_cast<int>(syscall(SYS_memfd_create, "cleanfork-ram", MFD_CLOEXEC));
    if (arena_fd < 0) return errno;
    if (int err = reserve_vmalloc()) return err;
  }
  if (size <= arena_size) return 0;
  if (ftruncate(arena_fd, static_cast<off_t>(kRamStart + size))) return errno;
  long r = raw_mmap(kArenaBase + kRamStart, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, arena_fd, kRamStart);
  if (r < 0) return static_cast<int>(-r);
  madvise(reinterpret_cast<void*>(kArenaBase + kRamStart), size, MADV_HUGEPAGE);
  arena_size = size;
  return 0;
}

// Worlds that follow each other mostly map the same pages at the same places: a view outlives its vunmap until the place is
// wanted for something else, or for a guard page. AddressSanitizer is told that nobody may touch it meanwhile.
NOT_TRACED int host_vmap(unsigned long va, const unsigned* pages, unsigned long n) {
  unsigned long first = (va - kVmallocBase) / kPage;
  drop_stale(first - 1);
  drop_stale(first + n);
  tell_asan(__asan_unpoison_memory_region, va, n * kPage);
  for (unsigned long i = 0; i < n;) {
    unsigned long run = 1;  // one mapping for what lies together
    while (i + run < n && pages[i + run] == pages[i] + run) run++;
    if (int err = show(first + i, pages[i], run)) {
      for (unsigned long k = 0; k < i; k++) views[first + k] &= ~kLive;
      return err;
    }
    i += run;
  }
  return 0;
}

NOT_TRACED void host_vunmap(unsigned long va, unsigned long size) {
  unsigned long first = (va - kVmallocBase) / kPage, n = size / kPage;
  for (unsigned long i = 0; i < n; i++) views[first + i] &= ~kLive;
  tell_asan(__asan_poison_memory_region, va, size);
}

NOT_TRACED char* host_stack_alloc(unsigned long size) {
  for (FreeStack** p = &free_stacks; *p; p = &(*p)->next) {
    if ((*p)->size != size) continue;
    char* top = reinterpret_cast<char*>(*p) + sizeof(FreeStack);
    *p = (*p)->next;
    return top - size;
  }
  long r = raw_mmap(0, size + kGuard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (r < 0) return nullptr;
  char* low = reinterpret_cast<char*>(r) + kGuard;
  if (syscall(SYS_mprotect, low, size, PROT_READ | PROT_WRITE)) return nullptr;
  return low;
}

NOT_TRACED void host_stack_free(char* low, unsigned long size) {
  auto* f = reinterpret_cast<FreeStack*>(low + size) - 1;
  f->size = size;
  f->next = free_stacks;
  free_stacks = f;
}

NOT_TRACED void host_echo(const char* text, unsigned long size) {
  while (size) {
    long n = syscall(SYS_write, 2, text, size);
    if (n <= 0) return;
    text += n, size -= static_cast<unsigned long>(n);
  }
}

void host_abort() { abort(); }

}  // extern "C"
