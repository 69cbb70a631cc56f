// The signal frame of the x86-64 ABI as user space sees it. Spec 21 section 19.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/ptrace.h>
#include <uapi/linux/signal.h>

struct SigContext {
  u64 r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
  u16 cs, gs, fs, ss;
  u64 err, trapno, oldmask, cr2, fpstate, reserved[8];
};
static_assert(sizeof(SigContext) == 256);
struct UserContext {
  u64 flags, link;
  stack_t stack;
  SigContext mcontext;
  sigset_t sigmask;
};
static_assert(sizeof(UserContext) == 304 && __builtin_offsetof(UserContext, mcontext) == 0x28);
struct RtSigframe {
  u64 return_address;
  UserContext uc;
  siginfo_t info;
};
static_assert(sizeof(RtSigframe) == 440 && __builtin_offsetof(RtSigframe, info) == 0x138);

inline constexpr u64 kUcFpXstate = 1, kUcSigcontextSs = 2, kUcStrictRestoreSs = 4;
inline constexpr unsigned long kRedZone = 128;
// The only flags that a frame may set: AC OF DF TF SF ZF AF PF CF and RF (S-56).
inline constexpr unsigned long kRestorableFlags = 0x40000 | 0x800 | 0x400 | 0x100 | 0x80 | 0x40 | 0x10 | 0x4 | 0x1 | 0x10000;

// The most that delivering a signal takes on a stack: AT_MINSIGSTKSZ.
constexpr unsigned long max_sigframe_size(size_t fpu_size) { return sizeof(RtSigframe) + 8 + 15 + fpu_size + 63; }

struct FramePlace {
  unsigned long frame, fpstate;
};
// Where frame and FPU state go below sp.
constexpr FramePlace place_frame(unsigned long sp, size_t fpu_size) {
  unsigned long fp = (sp - fpu_size) & ~63ul;
  return {((fp - sizeof(RtSigframe)) & ~15ul) - 8, fpu_size ? fp : 0};
}
