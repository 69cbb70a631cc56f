// The system calls that send signals, as programs use them: who may, what the receiver is told. Spec 21 sections 13 to 15.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/resource.h>
#include <uapi/linux/signal.h>
#include <uapi/linux/wait.h>

#include "arch/hosted/user.hh"
#include "test/hosted/program.hh"

namespace {

using namespace program;

// A siginfo in user memory, with something in its last bytes, which lie outside what the kernel keeps.
struct UserInfo {
  Var<siginfo_t> var;
  unsigned long addr() const { return var.addr(); }
  void set(int sig, int code, int value = 0, char last = 0) {
    siginfo_t s{};
    s.k.si_signo = sig;
    s.k.si_code = code;
    s.k.si_int = value;
    s.pad[120] = last;
    var.set(s);
  }
};

// ---- rt_sigqueueinfo, rt_tgsigqueueinfo ----------------------------------------------------------------------------------

// spec 21 section 15: the kernel's and kill(2)'s codes only to oneself, and that is asked before existence.
PROGRAM_CASE(queue_rules) {
  UserInfo info;
  const long self = getpid();
  for (int code : {SI_USER, SI_TKILL, SI_KERNEL, 3}) {
    info.set(SIGRTMIN, code);
    MUST(sys(__NR_rt_sigqueueinfo, 99999, SIGRTMIN, info.addr()) == -EPERM);
    MUST(sys(__NR_rt_tgsigqueueinfo, 99999, 99999, SIGRTMIN, info.addr()) == -EPERM);
  }
  info.set(SIGRTMIN, SI_QUEUE);
  MUST(sys(__NR_rt_sigqueueinfo, 99999, SIGRTMIN, info.addr()) == -ESRCH);
  MUST(sys(__NR_rt_sigqueueinfo, self, 65, info.addr()) == -EINVAL);
  MUST(sys(__NR_rt_tgsigqueueinfo, 0, self, SIGRTMIN, info.addr()) == -EINVAL);
  MUST(sys(__NR_rt_tgsigqueueinfo, self, -1, SIGRTMIN, info.addr()) == -EINVAL);
  MUST(sys(__NR_rt_tgsigqueueinfo, self + 1, self, SIGRTMIN, info.addr()) == -ESRCH);
  MUST(sys(__NR_rt_sigqueueinfo, self, SIGRTMIN, 8) == -EFAULT);
  info.set(SIGCHLD, SI_USER);
  MUST(sys(__NR_rt_sigqueueinfo, self, SIGCHLD, info.addr()) == 0);
  return 0;
}

// Of a kind that the kernel knows it takes its part; of others, what it would lose must be empty. Asked of a real 6.1.
PROGRAM_CASE(unknown_kinds_must_fit) {
  block(~0ul);
  UserInfo info;
  const long self = getpid();
  struct Row {
    int code;
    long result;
  };
  for (Row r : {Row{-70, -E2BIG}, {-60, 0}, {-10, -E2BIG}, {-8, -E2BIG}, {-7, 0}, {-6, 0}, {-1, 0}, {0, 0}, {6, 0}, {7, -E2BIG}}) {
    info.set(40, r.code, 0, 1);
    MUST(sys(__NR_rt_sigqueueinfo, self, 40, info.addr()) == r.result);
  }
  info.set(SIGCHLD, CLD_CONTINUED, 0, 1);
  MUST(sys(__NR_rt_sigqueueinfo, self, SIGCHLD, info.addr()) == 0);
  info.set(SIGCHLD, 9, 0, 1);
  MUST(sys(__NR_rt_sigqueueinfo, self, SIGCHLD, info.addr()) == -E2BIG);
  info.set(40, -70, 0, 0);
  MUST(sys(__NR_rt_sigqueueinfo, self, 40, info.addr()) == 0);
  return 0;
}

// spec 21 S-15, S-17: each instance of a real-time signal queues, up to the limit of the target's user; then EAGAIN, except
// for kill(), of which the bit is left.
PROGRAM_CASE(realtime_queue_is_limited) {
  MUST(sys(__NR_setuid, 1234) == 0);
  Var<rlimit> limit(rlimit{3, 3});
  MUST(sys(__NR_prlimit64, 0, RLIMIT_SIGPENDING, limit.addr(), 0) == 0);
  block(~0ul);
  const long self = getpid();
  UserInfo info;
  for (int i = 0; i < 3; i++) {
    info.set(40, SI_QUEUE, i);
    MUST(sys(__NR_rt_sigqueueinfo, self, 40, info.addr()) == 0);
  }
  MUST(sys(__NR_rt_sigqueueinfo, self, 40, info.addr()) == -EAGAIN);
  MUST(sys(__NR_tgkill, self, self, 40) == -EAGAIN);
  MUST(kill(self, 41) == 0);
  info.set(SIGUSR2, SI_QUEUE, 9);
  MUST(sys(__NR_rt_sigqueueinfo, self, SIGUSR2, info.addr()) == 0);  // standard: the number arrives, the rest is lost
  Var<u64> all(~0ul);
  Var<siginfo_t> got;
  MUST(sys(__NR_rt_sigtimedwait, all.addr(), got.addr(), 0, 8) == SIGUSR2 && got.get().k.si_code == SI_USER);
  for (int i = 0; i < 3; i++)
    MUST(sys(__NR_rt_sigtimedwait, all.addr(), got.addr(), 0, 8) == 40 && got.get().k.si_int == i);
  MUST(sys(__NR_rt_sigtimedwait, all.addr(), got.addr(), 0, 8) == 41 && got.get().k.si_pid == 0);
  return 0;
}

// ---- pidfd_send_signal -------------------------------------------------------------------------------------------------------

PROGRAM_CASE(pidfd_rules) {  // spec 21 section 15
  long pid = user::fork(waits_for_signals);
  const long fd = sys(__NR_pidfd_open, pid, 0);
  MUST(fd >= 0);
  UserInfo info;
  MUST(sys(__NR_pidfd_send_signal, fd, 0, 0, 1) == -EINVAL);
  MUST(sys(__NR_pidfd_send_signal, 99, 0, 0, 0) == -EBADF);
  MUST(sys(__NR_pidfd_send_signal, fd, 65, 0, 0) == -EINVAL);
  MUST(sys(__NR_pidfd_send_signal, fd, 0, 0, 0) == 0);
  MUST(sys(__NR_pidfd_send_signal, fd, SIGUSR1, 8, 0) == -EFAULT);
  info.set(SIGUSR1, SI_QUEUE);
  MUST(sys(__NR_pidfd_send_signal, fd, SIGUSR2, info.addr(), 0) == -EINVAL);
  for (int code : {SI_USER, SI_TKILL}) {
    info.set(SIGUSR1, code);
    MUST(sys(__NR_pidfd_send_signal, fd, SIGUSR1, info.addr(), 0) == -EPERM);
  }
  info.set(SIGKILL, SI_QUEUE);
  MUST(sys(__NR_pidfd_send_signal, fd, SIGKILL, info.addr(), 0) == 0);
  Var<siginfo_t> end;
  MUST(sys(__NR_waitid, P_PID, pid, end.addr(), WEXITED | WNOWAIT, 0) == 0 && end.get().k.si_status == SIGKILL);
  MUST(sys(__NR_pidfd_send_signal, fd, SIGKILL, 0, 0) == 0);  // a zombie takes anything
  MUST(ends_by(pid, SIGKILL));
  MUST(sys(__NR_pidfd_send_signal, fd, SIGKILL, 0, 0) == -ESRCH);
  return 0;
}

// A directory /proc/PID serves as a pidfd here, and here alone; nothing else of /proc does. Asked of a real 6.1.
PROGRAM_CASE(proc_directories_are_pidfds) {
  user::Str dir("/mnt"), type("proc");
  MUST(sys(__NR_mkdir, dir.addr(), 0755) == 0 && sys(__NR_mount, type.addr(), dir.addr(), type.addr(), 0, 0) == 0);
  const long pid = user::fork(waits_for_signals);
  auto open = [&](const char* tail, int flags) {
    char path[64] = "/mnt/";
    append_number(path, pid);
    __builtin_strcat(path, tail);
    user::Str p(path);
    return sys(__NR_open, p.addr(), flags, 0);
  };
  char task[32] = "/task/";
  append_number(task, pid);
  const long fd = open("", O_RDONLY | O_DIRECTORY), by_path = open("", O_PATH), thread = open(task, O_RDONLY), fds = open("/fd", O_RDONLY);
  MUST(fd >= 0 && by_path >= 0 && thread >= 0 && fds >= 0);
  MUST(sys(__NR_pidfd_send_signal, fd, 0, 0, 0) == 0);
  for (long other : {by_path, thread, fds}) MUST(sys(__NR_pidfd_send_signal, other, 0, 0, 0) == -EBADF);
  MUST(sys(__NR_waitid, P_PIDFD, fd, 0, WEXITED | WNOHANG, 0) == -EBADF);
  MUST(sys(__NR_pidfd_send_signal, fd, SIGTERM, 0, 0) == 0);
  MUST(ends_by(pid, SIGTERM));
  MUST(sys(__NR_pidfd_send_signal, fd, 0, 0, 0) == -ESRCH);
  for (long f : {fd, by_path, thread, fds}) MUST(sys(__NR_close, f) == 0);
  MUST(sys(__NR_umount2, dir.addr(), 0) == 0);
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(queue_rules), KUNIT_CASE(unknown_kinds_must_fit), KUNIT_CASE(realtime_queue_is_limited), KUNIT_CASE(pidfd_rules),
    KUNIT_CASE(proc_directories_are_pidfds), {},
};
kunit_suite suite = {.name = "signal_calls", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
