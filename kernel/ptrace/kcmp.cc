// kcmp(2): do two processes share a part? pidfd_getfd(2): a copy of another's descriptor. Both ask ptrace's permission.
// SPDX-License-Identifier: Apache-2.0
#include <linux/random.h>

#include <utility>

#include "fs/vfs/vfs.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/pid/pidfd.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/sync/guards.hh"

namespace {

constexpr int kKinds = KCMP_EPOLL_TFD + 1;
struct Cookie {
  u64 mask, factor;
};
constinit Cookie cookies[kKinds]{};  // new with each world

class TaskRef {
 public:
  explicit TaskRef(task_struct* t) : t_(t) {}
  TaskRef(const TaskRef&) = delete;
  ~TaskRef() {
    if (t_) put_task_struct(t_);
  }
  task_struct* get() const { return t_; }
  explicit operator bool() const { return t_; }

 private:
  task_struct* t_;
};

// No exec of either while one looks. In the order of addresses, so that two callers cannot wait for each other.
class ExecHold {
 public:
  ExecHold(task_struct* a, task_struct* b) : first_(&a->signal->exec_update_lock), second_(&b->signal->exec_update_lock) {
    if (first_ > second_) std::swap(first_, second_);
    held_ = !down_read_killable(first_);
    if (held_ && second_ != first_) down_read_nested(second_, 1);  // held by execs for moments only
  }
  ~ExecHold() {
    if (!held_) return;
    if (second_ != first_) up_read(second_);
    up_read(first_);
  }
  ExecHold(const ExecHold&) = delete;
  explicit operator bool() const { return held_; }

 private:
  rw_semaphore *first_, *second_;
  bool held_;
};

// An order of kernel objects that tells nothing of their addresses: 0 equal, 1 less, 2 greater. The same for a kind as long as
// the objects live.
int order(const void* a, const void* b, int kind) {
  const Cookie c = cookies[kind];
  auto hidden = [c](const void* p) { return (reinterpret_cast<u64>(p) ^ c.mask) * c.factor; };
  const u64 x = hidden(a), y = hidden(b);
  return (x > y) << 1 | (x < y);
}

Result<int> compare_files(task_struct* a, task_struct* b, unsigned long fd1, unsigned long fd2) {
  FileRef f(fget_task(a, static_cast<unsigned>(fd1))), g(fget_task(b, static_cast<unsigned>(fd2)));
  if (!f || !g) return fail(EBADF);
  return order(f.get(), g.get(), KCMP_FILE);
}

Result<int> compare(task_struct* a, task_struct* b, int type, unsigned long i, unsigned long j) {
  switch (type) {
    case KCMP_FILE: return compare_files(a, b, i, j);
    case KCMP_VM: return order(READ_ONCE(a->mm), READ_ONCE(b->mm), type);
    case KCMP_FILES: return order(READ_ONCE(a->files), READ_ONCE(b->files), type);
    case KCMP_FS: return order(READ_ONCE(a->fs), READ_ONCE(b->fs), type);
    case KCMP_SIGHAND: return order(READ_ONCE(a->sighand), READ_ONCE(b->sighand), type);
    case KCMP_IO: return order(nullptr, nullptr, type);  // nobody has an I/O context
    case KCMP_SYSVSEM: return order(READ_ONCE(a->sysvsem), READ_ONCE(b->sysvsem), type);
    case KCMP_EPOLL_TFD: return fail(EOPNOTSUPP);
    default: return fail(EINVAL);
  }
}

task_struct* task_of(struct pid* pid) {
  RcuReadGuard rcu;
  task_struct* t = pid_task(pid, PIDTYPE_PID);
  return t ? get_task_struct(t) : nullptr;
}

Result<file*> file_of(task_struct* t, unsigned fd) {
  rw_semaphore* lock = &t->signal->exec_update_lock;
  if (down_read_killable(lock)) return fail(EINTR);
  const bool allowed = ptrace_may_access(t, PTRACE_MODE_ATTACH_REALCREDS);
  file* f = allowed ? fget_task(t, fd) : nullptr;
  up_read(lock);
  if (!allowed) return fail(EPERM);
  if (!f) return fail(EBADF);
  return f;
}

}  // namespace

void ptrace_init() {
  for (Cookie& c : cookies) c = {get_random_u64(), get_random_u64() | 1};
}

SYSCALL_DEFINE5(kcmp, pid_t, pid1, pid_t, pid2, int, type, unsigned long, i, unsigned long, j) {
  TaskRef a(find_get_task_by_vpid(pid1)), b(find_get_task_by_vpid(pid2));
  if (!a || !b) return -ESRCH;
  ExecHold hold(a.get(), b.get());
  if (!hold) return -EINTR;
  if (!ptrace_may_access(a.get(), PTRACE_MODE_READ_REALCREDS) || !ptrace_may_access(b.get(), PTRACE_MODE_READ_REALCREDS))
    return -EPERM;
  return to_abi(compare(a.get(), b.get(), type, i, j));
}

SYSCALL_DEFINE3(pidfd_getfd, int, pidfd, int, fd, unsigned, flags) {
  if (flags) return -EINVAL;
  struct pid* pid = TRY_ABI(pidfd_get_pid(pidfd));
  TaskRef t(task_of(pid));
  put_pid(pid);
  if (!t) return -ESRCH;
  FileRef f(TRY_ABI(file_of(t.get(), static_cast<unsigned>(fd))));
  return to_abi(receive_fd(f.get(), O_CLOEXEC));
}
