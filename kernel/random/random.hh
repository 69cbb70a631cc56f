// The kernel's cryptographic generator: what getrandom(2) and /dev/urandom give out. For everything else: linux/random.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <span>

// ChaCha20's block function (RFC 8439 section 2.3): 64 bytes from key, block counter and nonce.
void chacha20_block(const u32 (&key)[8], u32 counter, const u32 (&nonce)[3], std::span<u32, 16> out);

void crng_bytes(void* buf, size_t n);  // any context
// The same into user memory; bytes written, or -EFAULT if none. May sleep; ends early when a signal is pending.
long crng_to_user(void __user* buf, size_t n);
