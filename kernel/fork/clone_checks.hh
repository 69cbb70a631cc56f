// The checks of clone as pure functions of flags and arguments: which combinations are refused, with which errno, in the
// order of the spec (20 section 9). Tables, so that a test can walk them; constexpr, so that some tests are static_asserts.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/errno.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>

#include "kernel/fork/fork.hh"
#include "mm/uaccess.hh"

inline constexpr u64 kCloneNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME;
// Namespaces that this kernel has not: as for a kernel configured without them, EINVAL.
inline constexpr u64 kCloneUnsupported = 0;

// What the checks ask about the caller.
struct CloneCaller {
  bool unkillable;  // its signal_struct is SIGNAL_UNKILLABLE: a global or namespace init
  bool other_pid_ns_for_children = false;   // than its own; need be true only with CLONE_THREAD
  bool other_time_ns_for_children = false;  // likewise; with CLONE_THREAD or CLONE_VM
};

struct CloneRule {
  const char* id;       // of the spec
  u64 all;              // broken if every one of these is given...
  u64 none;             // ...and none of these...
  u64 any;              // ...and, unless 0, at least one of these
  int error;
};

// F-21..F-28 without those that depend on the caller. F-29 comes with the namespaces, after what a limit or a lack of power refuses.
inline constexpr CloneRule kCloneRules[] = {
    {"F-21", CLONE_NEWNS | CLONE_FS, 0, 0, EINVAL},
    {"F-22", CLONE_NEWUSER | CLONE_FS, 0, 0, EINVAL},
    {"F-23", CLONE_THREAD, CLONE_SIGHAND, 0, EINVAL},
    {"F-24", CLONE_SIGHAND, CLONE_VM, 0, EINVAL},
    {"F-26", CLONE_THREAD, 0, CLONE_NEWUSER | CLONE_NEWPID, EINVAL},
    {"F-28", CLONE_PIDFD, 0, CLONE_DETACHED | CLONE_THREAD, EINVAL},
};

constexpr bool breaks(const CloneRule& r, u64 flags) {
  return (flags & r.all) == r.all && !(flags & r.none) && (!r.any || (flags & r.any));
}

// The checks at the top of copy_process (S0). 0 or a positive errno.
constexpr int validate_clone(u64 flags, const CloneCaller& caller) {
  for (const CloneRule& r : kCloneRules)
    if (breaks(r, flags)) return r.error;
  if ((flags & CLONE_PARENT) && caller.unkillable) return EINVAL;  // F-25
  if ((flags & CLONE_THREAD) && caller.other_pid_ns_for_children) return EINVAL;                // F-26
  if ((flags & (CLONE_THREAD | CLONE_VM)) && caller.other_time_ns_for_children) return EINVAL;  // F-27
  if (flags & kCloneUnsupported) return EINVAL;
  return 0;
}

// clone3's size rules, before the struct is touched (F-1, F-2).
constexpr int validate_clone3_size(size_t size) {
  if (size > 4096) return E2BIG;
  if (size < CLONE_ARGS_SIZE_VER0) return EINVAL;
  return 0;
}

inline constexpr unsigned kMaxPidLevels = 32;

// F-5..F-8: the struct has been copied in, set_tid has not.
constexpr int validate_clone3_fields(const clone_args& a, size_t size) {
  if (a.set_tid_size > kMaxPidLevels) return EINVAL;
  if (!a.set_tid != !a.set_tid_size) return EINVAL;
  if ((a.exit_signal & ~u64{CSIGNAL}) || a.exit_signal > _NSIG) return EINVAL;
  if ((a.flags & CLONE_INTO_CGROUP) && (a.cgroup > 0x7fffffff || size < CLONE_ARGS_SIZE_VER2)) return EINVAL;
  return 0;
}

// F-10..F-14.
constexpr int validate_clone3_semantics(const clone_args& a) {
  if (a.flags & ~(0xffffffffull | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP)) return EINVAL;
  if (a.flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))) return EINVAL;
  if ((a.flags & CLONE_SIGHAND) && (a.flags & CLONE_CLEAR_SIGHAND)) return EINVAL;
  if ((a.flags & (CLONE_THREAD | CLONE_PARENT)) && a.exit_signal) return EINVAL;
  if (!a.stack != !a.stack_size) return EINVAL;
  if (a.stack && (a.stack_size > TASK_SIZE_MAX || a.stack > TASK_SIZE_MAX - a.stack_size)) return EINVAL;
  return 0;
}

// F-20, in kernel_clone: both would be stored at one place.
constexpr bool pidfd_collides(const kernel_clone_args& a) {
  return (a.flags & CLONE_PIDFD) && (a.flags & CLONE_PARENT_SETTID) && a.pidfd == a.parent_tid;
}
