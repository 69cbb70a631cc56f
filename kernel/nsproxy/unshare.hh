// The checks of unshare(2), as pure functions. Spec 20 F-110, F-111.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/fork/clone_checks.hh"

inline constexpr u64 kUnshareFlags = CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM |
                                     CLONE_NEWUSER | kCloneNewNamespaces;
struct UnshareCaller {
  bool threads, shares_handlers, shares_memory;
};

constexpr u64 unshare_implied(u64 flags) {
  if (flags & CLONE_NEWUSER) flags |= CLONE_THREAD | CLONE_FS;
  if (flags & CLONE_NEWNS) flags |= CLONE_FS;
  if (flags & CLONE_VM) flags |= CLONE_SIGHAND;
  if (flags & CLONE_SIGHAND) flags |= CLONE_THREAD;
  if (flags & CLONE_NEWIPC) flags |= CLONE_SYSVSEM;
  return flags;
}

// flags with the implied ones. 0 or a positive errno; namespaces that this kernel has not are EINVAL.
constexpr int validate_unshare(u64 flags, const UnshareCaller& caller) {
  if (flags & ~kUnshareFlags) return EINVAL;
  if ((flags & CLONE_THREAD) && caller.threads) return EINVAL;
  if ((flags & CLONE_SIGHAND) && caller.shares_handlers) return EINVAL;
  if ((flags & CLONE_VM) && caller.shares_memory) return EINVAL;
  return flags & kCloneUnsupported ? EINVAL : 0;
}
