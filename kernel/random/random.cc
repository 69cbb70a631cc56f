// ChaCha20 with fast key erasure: each request takes a key of its own, and the generator's key is replaced in the same step,
// so that nobody who reads it later can tell what was given out before. Seeded from the machine's entropy at boot.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/random/random.hh"

#include <linux/string.h>

#include <bit>

#include "arch/contract/arch.hh"
#include "init/report.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

struct Generator {
  spinlock_t lock;  // key
  u32 key[8];
};
constinit Generator generator{};

constexpr u32 kZeroNonce[3] = {};

constexpr void quarter_round(u32& a, u32& b, u32& c, u32& d) {
  a += b, d = std::rotl(d ^ a, 16);
  c += d, b = std::rotl(b ^ c, 12);
  a += b, d = std::rotl(d ^ a, 8);
  c += d, b = std::rotl(b ^ c, 7);
}

// One request's stream of blocks.
class Stream {
 public:
  Stream() {
    u32 block[16];
    IrqSpinGuard guard(generator.lock);
    chacha20_block(generator.key, 0, kZeroNonce, block);
    memcpy(generator.key, block, sizeof(generator.key));
    memcpy(key_, block + 8, sizeof(key_));
  }
  ~Stream() { memset(key_, 0, sizeof(key_)); }
  void next(std::span<u32, 16> block) { chacha20_block(key_, counter_++, kZeroNonce, block); }

 private:
  u32 key_[8];
  u32 counter_ = 0;
};

}  // namespace

void chacha20_block(const u32 (&key)[8], u32 counter, const u32 (&nonce)[3], std::span<u32, 16> out) {
  u32 start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  memcpy(start + 4, key, sizeof(key));
  start[12] = counter;
  memcpy(start + 13, nonce, sizeof(nonce));
  u32 x[16];
  memcpy(x, start, sizeof(x));
  for (int i = 0; i < 10; i++) {
    for (int c = 0; c < 4; c++) quarter_round(x[c], x[4 + c], x[8 + c], x[12 + c]);
    for (int c = 0; c < 4; c++) quarter_round(x[c], x[4 + (c + 1) % 4], x[8 + (c + 2) % 4], x[12 + (c + 3) % 4]);
  }
  for (int i = 0; i < 16; i++) out[static_cast<size_t>(i)] = x[i] + start[i];
}

void crng_bytes(void* buf, size_t n) {
  Stream stream;
  u32 block[16];
  for (auto* p = static_cast<unsigned char*>(buf); n;) {
    stream.next(block);
    const size_t take = n < sizeof(block) ? n : sizeof(block);
    memcpy(p, block, take);
    p += take;
    n -= take;
  }
}

long crng_to_user(void __user* buf, size_t n) {
  Stream stream;
  u32 block[16];
  size_t done = 0;
  while (done < n) {
    stream.next(block);
    const size_t take = n - done < sizeof(block) ? n - done : sizeof(block);
    const size_t left = copy_to_user(static_cast<char*>(buf) + done, block, take);
    done += take - left;
    if (left) break;
    if (done % 4096 == 0 && signal_pending(current)) break;
  }
  return done || !n ? static_cast<long>(done) : -EFAULT;
}

void crng_init() {
  generator = {};
  spin_lock_init(&generator.lock);
  for (int i = 0; i < 8; i += 2) {
    const u64 e = arch::entropy();
    generator.key[i] = static_cast<u32>(e);
    generator.key[i + 1] = static_cast<u32>(e >> 32);
  }
}

SYSCALL_DEFINE3(getrandom, char __user*, buf, size_t, n, unsigned, flags) {
  constexpr unsigned kNonblock = 1, kRandom = 2, kInsecure = 4;
  if (flags & ~(kNonblock | kRandom | kInsecure)) return -EINVAL;
  if ((flags & (kRandom | kInsecure)) == (kRandom | kInsecure)) return -EINVAL;
  return crng_to_user(buf, n < 0x7fffffff ? n : 0x7fffffff);
}
