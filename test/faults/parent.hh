// A process that a sweep is about: it has user memory and, where it leaves the kernel, a user program, but is driven from the kernel,
// so that its steps can be counted one by one. Hosted only.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/completion.h>
#include <linux/ptrace.h>
#include <uapi/linux/sched.h>

#include "kernel/fork/fork.hh"

struct kunit;

namespace faults {

// A page of user memory for the arguments of system calls. Shared, so that a fork does not make its writes faults.
inline constexpr unsigned long kPage = 4096, kArgs = 0x20000000;
inline constexpr unsigned long kCloneArgs = kArgs, kPidfd = kArgs + 0x100, kParentTid = kArgs + 0x110, kChildTid = kArgs + 0x120,
                               kSetTid = kArgs + 0x200, kFds = kArgs + 0x300, kName = kArgs + 0x400;
inline constexpr unsigned long kPrivate = 0x21000000;  // a private page with kMagic in its first word
inline constexpr unsigned kMagic = 0xfeedf00d;

// Runs body(context) in a new process whose address space is as above, with default signal handlers; waits for its end.
// May sleep. body's result is the exit status. depth: so many new pid namespaces, each in the one before; it is not an init.
void run_parent(kunit* test, int (*body)(void*), void* context);

// The same in two halves. The object stays until join().
class Process {
 public:
  void start(kunit* test, int (*body)(void*), void* context, int depth = 0);
  void join();
  pid_t nr() const { return nr_; }

 private:
  static int main(void* self);
  void descend();

  kunit* test_;
  int (*body_)(void*);
  void* context_;
  long error_;
  pid_t nr_;
  int depth_;
  completion done_, over_;  // over_: for ancestors, who must not stir before
};

// What a child that goes to user mode does: ends at once. For current, before a clone.
void children_end(unsigned long clone_flags);

// Calls a system call's function with these arguments.
template <class... A>
long call(long (*sys)(const pt_regs*), A... a) {
  const unsigned long args[6] = {(unsigned long)(long)a...};
  pt_regs regs{};
  regs.di = args[0], regs.si = args[1], regs.dx = args[2], regs.r10 = args[3], regs.r8 = args[4], regs.r9 = args[5];
  return sys(&regs);
}

// Waits until no task has this number any more, reaping whatever child ended. May sleep.
void wait_until_gone(pid_t nr);
// The same for threads of current's group: until it is alone.
void wait_until_alone();

// Takes what signals are pending, as on the way to user mode: a tracee is told of its children's ends even if it ignores them.
void take_signals();

// 200 descriptors: pipes, eventfds, copies; some close on exec. 0 or -errno.
long open_many_files();
// 50 areas: private, shared, of a file, locked, not inherited, wiped; with and without pages. 0 or -errno.
long map_many_areas();

}  // namespace faults
