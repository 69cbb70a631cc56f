// For suites about processes: tasks that live in the kernel only, but are no kernel threads: they have signals, queue
// entries and parents like any process, and "receive" a signal where they ask for it.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <kunit/test.h>
#include <linux/string.h>
#include <linux/completion.h>
#include <linux/ptrace.h>
#include <uapi/linux/wait.h>

#include "kernel/exit/exit.hh"
#include "kernel/exit/wait.hh"
#include "kernel/fork/fork.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

constexpr int exited(int status) { return (status & 0xff) << 8; }
constexpr int stopped(int sig) { return sig << 8 | 0x7f; }

// The test's thread has all signals ignored, as kernel threads have: its children would be reaped by themselves, and would
// ignore everything too.
inline void become_parent() {
  IrqOffSpinGuard guard(current->sighand->siglock);
  flush_signal_handlers(current, 1);
}

// A process whose program is fn, in kernel mode; what fn returns is its exit code word.
inline pid_t spawn(int (*fn)(void*), void* arg = nullptr, unsigned long flags = SIGCHLD) {
  become_parent();
  return user_mode_thread(fn, arg, flags);
}

// Where the tests' handlers are; nobody ever goes there.
inline __sighandler_t test_handler() { return reinterpret_cast<__sighandler_t>(0x1000); }
inline void catch_signal(int sig, unsigned long flags = 0, u64 mask = 0) {
  IrqOffSpinGuard guard(current->sighand->siglock);
  set_sigaction(current->sighand, sig, {{test_handler(), flags, nullptr, {{mask}}}});
}

// "User mode" of a program that does nothing: sleeps, and takes what comes; ends when killed. Counts handlers that would run.
inline int obey_signals(void* handled) {
  for (;;) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (!signal_pending(current)) schedule();
    __set_current_state(TASK_RUNNING);
    ksignal ksig;
    if (get_signal(&ksig) && handled) ++*static_cast<int*>(handled);
  }
}

struct Waited {
  int result;
  WaitEvent event;
};
inline Waited wait_for(pid_t nr, unsigned options = WEXITED) {
  Waited w{0, {}};
  struct pid* pid = nr > 0 ? find_get_pid(nr) : nullptr;
  w.result = do_wait({nr > 0 ? PIDTYPE_PID : PIDTYPE_MAX, pid, options}, &w.event);
  put_pid(pid);
  return w;
}

inline int send(pid_t nr, int sig, kernel_siginfo* info = SEND_SIG_PRIV) {
  struct pid* pid = find_get_pid(nr);
  int error = kill_pid_info(sig, info, pid);
  put_pid(pid);
  return error;
}

inline void end(kunit* test, pid_t nr) {
  send(nr, SIGKILL);
  KUNIT_EXPECT_EQ(test, wait_for(nr).event.status, SIGKILL);
}

// A task by number, with a reference.
class TaskRef {
 public:
  explicit TaskRef(pid_t nr) : t_(find_get_task_by_vpid(nr)) {}
  ~TaskRef() {
    if (t_) put_task_struct(t_);
  }
  TaskRef(const TaskRef&) = delete;
  task_struct* operator->() const { return t_; }
  task_struct* get() const { return t_; }

 private:
  task_struct* t_;
};

// Calls a system call's function directly.
template <class... A>
long call(long (*sys)(const pt_regs*), A... a) {
  const unsigned long args[6] = {(unsigned long)(long)a...};
  pt_regs regs{};
  regs.di = args[0], regs.si = args[1], regs.dx = args[2], regs.r10 = args[3], regs.r8 = args[4], regs.r9 = args[5];
  return sys(&regs);
}
