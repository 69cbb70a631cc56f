// fork, vfork, clone, clone3: what user space asks, turned into kernel_clone_args. Spec 20 section 9.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/entry/syscall.hh"
#include "kernel/fork/clone_checks.hh"
#include "kernel/fork/fork.hh"
#include "kernel/pid/pid.hh"
#include "mm/uaccess.hh"

SYSCALL_DEFINE0(fork) { return to_abi(kernel_clone({.exit_signal = SIGCHLD})); }

SYSCALL_DEFINE0(vfork) { return to_abi(kernel_clone({.flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD})); }

SYSCALL_DEFINE5(clone, unsigned long, flags, unsigned long, stack, int __user*, parent_tid, int __user*, child_tid,
                unsigned long, tls) {
  return to_abi(kernel_clone({
      .flags = flags & 0xffffffff & ~u64{CSIGNAL},
      .pidfd = parent_tid,
      .child_tid = child_tid,
      .parent_tid = parent_tid,
      .exit_signal = static_cast<int>(flags & CSIGNAL),
      .stack = stack,
      .tls = tls,
  }));
}

namespace {

struct Clone3Request {
  kernel_clone_args args;
  int set_tid[kMaxPidLevels];
};

// F-1..F-9. request outlives the call, since args.set_tid points into it.
Result<void> copy_clone_args(const clone_args __user* uargs, size_t size, Clone3Request* request) {
  if (int e = validate_clone3_size(size)) return fail(e);
  clone_args a;
  TRY(check_abi(copy_struct_from_user(&a, sizeof(a), uargs, size)));
  if (int e = validate_clone3_fields(a, size)) return fail(e);
  const size_t tids = a.set_tid_size;
  if (tids && copy_from_user(request->set_tid, reinterpret_cast<const int*>(a.set_tid), tids * sizeof(int)))
    return fail(EFAULT);
  if (int e = validate_clone3_semantics(a)) return fail(e);
  request->args = {
      .flags = a.flags,
      .pidfd = reinterpret_cast<int*>(a.pidfd),
      .child_tid = reinterpret_cast<int*>(a.child_tid),
      .parent_tid = reinterpret_cast<int*>(a.parent_tid),
      .exit_signal = static_cast<int>(a.exit_signal),
      .stack = static_cast<unsigned long>(a.stack + a.stack_size),
      .stack_size = static_cast<unsigned long>(a.stack_size),
      .tls = static_cast<unsigned long>(a.tls),
      .set_tid = tids ? request->set_tid : nullptr,
      .set_tid_size = tids,
      .cgroup = static_cast<int>(a.cgroup),
  };
  return {};
}

}  // namespace

SYSCALL_DEFINE2(clone3, const clone_args __user*, uargs, size_t, size) {
  Clone3Request request;
  if (auto r = copy_clone_args(uargs, size, &request); !r) return r.error().neg();
  return to_abi(kernel_clone(request.args));
}

SYSCALL_DEFINE1(set_tid_address, int __user*, tidptr) {
  current->clear_child_tid = tidptr;
  return task_pid_vnr(current);
}
