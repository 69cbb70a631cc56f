// Random numbers: SplitMix64 over a counter, keyed by the machine's entropy. Deterministic hosted runs repeat it by their seed.
// SPDX-License-Identifier: Apache-2.0
#include <linux/random.h>

#include <linux/compiler.h>
#include <linux/string.h>

#include "arch/contract/arch.hh"
#include "init/report.hh"

namespace {
struct RandomState {
  u64 key, counter;
};
constinit RandomState state{};
}  // namespace

void random_init() { state = {arch::entropy(), 0}; }
void random_exit(LeakReport&) { state = {}; }

extern "C" u64 get_random_u64(void) {
  u64 n = __atomic_add_fetch(&state.counter, 1, __ATOMIC_RELAXED);
  u64 z = READ_ONCE(state.key) + n * 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}

extern "C" void get_random_bytes(void* buf, size_t n) {
  auto* p = static_cast<unsigned char*>(buf);
  while (n) {
    u64 v = get_random_u64();
    size_t take = n < sizeof(v) ? n : sizeof(v);
    memcpy(p, &v, take);
    p += take;
    n -= take;
  }
}
