// Registers and segment bases that switches must keep, barriers between threads.
// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include <atomic>
#include <thread>

#include "test/guest/guest.hh"

using namespace guest;

namespace {

constexpr int kSetGs = 0x1001, kGetGs = 0x1004;
constexpr int kPrivateExpedited = 8, kRegisterPrivateExpedited = 16;

/// A system call with all of XMM0..XMM15 holding patterns made of `seed`; how many bytes of them it changed.
int changed_by(long nr, long a, long b, long c, uint64_t seed) {
  alignas(16) uint64_t in[32], out[32];
  for (int i = 0; i < 32; i++) in[i] = seed * 0x9e37'79b9'7f4a'7c15 + (uint64_t)i;
  asm volatile(
      "movaps (%[in]), %%xmm0\n movaps 16(%[in]), %%xmm1\n movaps 32(%[in]), %%xmm2\n movaps 48(%[in]), %%xmm3\n"
      "movaps 64(%[in]), %%xmm4\n movaps 80(%[in]), %%xmm5\n movaps 96(%[in]), %%xmm6\n movaps 112(%[in]), %%xmm7\n"
      "movaps 128(%[in]), %%xmm8\n movaps 144(%[in]), %%xmm9\n movaps 160(%[in]), %%xmm10\n movaps 176(%[in]), %%xmm11\n"
      "movaps 192(%[in]), %%xmm12\n movaps 208(%[in]), %%xmm13\n movaps 224(%[in]), %%xmm14\n movaps 240(%[in]), %%xmm15\n"
      "syscall\n"
      "movaps %%xmm0, (%[out])\n movaps %%xmm1, 16(%[out])\n movaps %%xmm2, 32(%[out])\n movaps %%xmm3, 48(%[out])\n"
      "movaps %%xmm4, 64(%[out])\n movaps %%xmm5, 80(%[out])\n movaps %%xmm6, 96(%[out])\n movaps %%xmm7, 112(%[out])\n"
      "movaps %%xmm8, 128(%[out])\n movaps %%xmm9, 144(%[out])\n movaps %%xmm10, 160(%[out])\n movaps %%xmm11, 176(%[out])\n"
      "movaps %%xmm12, 192(%[out])\n movaps %%xmm13, 208(%[out])\n movaps %%xmm14, 224(%[out])\n movaps %%xmm15, 240(%[out])\n"
      : "+a"(nr)
      : [in] "r"(in), [out] "r"(out), "D"(a), "S"(b), "d"(c)
      : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15");
  int n = 0;
  for (int i = 0; i < 32; i++) n += in[i] != out[i];
  return n;
}

std::vector<int> cpus() {
  cpu_set_t set;
  std::vector<int> r;
  sched_getaffinity(0, sizeof set, &set);
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &set)) r.push_back(i);
  return r;
}

// spec 22 C-45, C-50 | sched_yield; sched_setaffinity
TEST(Registers, VectorsStayOverSwitchesAndMigrations) {
  const auto where = cpus();
  std::vector<std::thread> threads;
  std::atomic<int> changed = 0;
  for (uint64_t me = 1; me <= 3; me++)
    threads.emplace_back([&, me] {
      for (uint64_t i = 0; i < 300; i++) {
        changed += changed_by(SYS_sched_yield, 0, 0, 0, me * 1000 + i);
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(where[i % where.size()], &one);
        changed += changed_by(SYS_sched_setaffinity, 0, sizeof one, (long)&one, me * 2000 + i);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(0, changed);
}

unsigned short gs() {
  unsigned short s;
  asm volatile("mov %%gs, %0" : "=r"(s));
  return s;
}
uint64_t gs_base() {
  uint64_t base = 77;
  EXPECT_EQ(0, sys(SYS_arch_prctl, kGetGs, &base));
  return base;
}

// spec 22 C-52, C-54 | arch_prctl ARCH_SET_GS; sched_yield
TEST(Registers, BasesStayOverSwitches) {
  expect_in_child([] {
    static uint64_t word[3] = {0, 111, 222};
    auto keeps = [](int which) {
      int wrong = sys(SYS_arch_prctl, kSetGs, &word[which]) != 0;
      for (int i = 0; i < 300; i++) {
        uint64_t seen;
        sys(SYS_sched_yield);
        asm volatile("mov %%gs:0, %0" : "=r"(seen));
        wrong += seen != word[which];
      }
      return wrong + (gs_base() != address(&word[which]));
    };
    std::atomic<int> wrong = 0;
    std::thread one([&] { wrong += keeps(1); }), two([&] { wrong += keeps(2); });
    one.join();
    two.join();
    EXPECT_EQ(0, wrong);
  });
}

// spec 22 C-54, C-55 | arch_prctl ARCH_SET_GS
TEST(Registers, SelectorAndBase) {
  expect_in_child([] {
    EXPECT_EQ(0, sys(SYS_arch_prctl, kSetGs, 0x1234'5000));
    asm volatile("mov %w0, %%gs" ::"r"(0x2b));  // its base comes from the descriptor: 0
    usleep(2000);
    EXPECT_EQ(0x2b, gs());
    EXPECT_EQ(0u, gs_base());
    EXPECT_EQ(0, sys(SYS_arch_prctl, kSetGs, 0x1234'6000));
    EXPECT_EQ(0, gs());
    usleep(2000);
    EXPECT_EQ(0x1234'6000u, gs_base());
    EXPECT_EQ(-EPERM, sys(SYS_arch_prctl, kSetGs, 1ull << 47));
    EXPECT_EQ(0x1234'6000u, gs_base());
  });
}

// spec 22 C-70 | membarrier MEMBARRIER_CMD_PRIVATE_EXPEDITED
TEST(Membarrier, OrdersThreadsThatHaveNoBarriers) {
  if (sys(SYS_membarrier, kRegisterPrivateExpedited, 0, 0)) GTEST_SKIP() << "no private membarrier";
  // One stores x and reads y with only the compiler held back; the other stores y, calls membarrier, reads x. Both reading 0 is not possible.
  constexpr int kRounds = 2000;
  static std::atomic<int> x, y, turn_a, turn_b;
  static int seen_x, seen_y;
  std::thread fast([] {
    for (int i = 1; i <= kRounds; i++) {
      while (turn_a != i) sched_yield();
      x.store(1, std::memory_order_relaxed);
      asm volatile("" ::: "memory");
      seen_y = y.load(std::memory_order_relaxed);
      turn_b = i;
    }
  });
  int both = 0;
  for (int i = 1; i <= kRounds; i++) {
    x = y = 0;
    turn_a = i;
    y.store(1, std::memory_order_relaxed);
    ASSERT_EQ(0, sys(SYS_membarrier, kPrivateExpedited, 0, 0));
    seen_x = x.load(std::memory_order_relaxed);
    while (turn_b != i) sched_yield();
    both += !seen_x && !seen_y;
  }
  fast.join();
  EXPECT_EQ(0, both);
}

}  // namespace
