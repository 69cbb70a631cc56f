// pidfd_open(2) and the file behind it.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/pid/pidfd.hh"

#include "fs/proc/proc.hh"
#include "fs/vfs/poll.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/fault.hh"

namespace {

struct pid* pid_of(const file* f) { return static_cast<struct pid*>(f->private_data); }

// F-120: readable when the whole group is over.
__poll_t pidfd_poll(file* f, poll_table* pt) {
  struct pid* pid = pid_of(f);
  poll_wait(f, &pid->wait_pidfd, pt);
  RcuReadGuard rcu;
  task_struct* t = pid_task(pid, PIDTYPE_PID);
  return !t || (READ_ONCE(t->exit_state) && thread_group_empty(t)) ? EPOLLIN | EPOLLRDNORM : 0;
}

int pidfd_release(inode*, file* f) {
  put_pid(pid_of(f));
  return 0;
}

// Its number in the namespace of the mount of /proc, and in those below that it is in; -1 once it has been reaped, 0 from outside.
void pidfd_show_fdinfo(seq_file* m, file* f) {
  struct pid* pid = pid_of(f);
  pid_namespace* ns = proc_pid_ns(m);
  RcuReadGuard rcu;
  const bool alive = pid_task(pid, PIDTYPE_PID);
  const int nr = alive ? pid_nr_ns(pid, ns) : -1;
  seq_printf(m, "Pid:\t%d\nNSpid:\t%d", nr, nr);
  for (unsigned i = ns->level + 1; nr > 0 && i <= pid->level; i++) seq_printf(m, "\t%d", pid->numbers[i].nr);
  seq_putc(m, '\n');
}

constexpr file_operations kPidfdOps = [] {
  file_operations ops{};
  ops.show_fdinfo = pidfd_show_fdinfo;
  ops.poll = pidfd_poll;
  ops.release = pidfd_release;
  return ops;
}();

}  // namespace

Result<PidfdTicket> pidfd_prepare(struct pid* pid, unsigned flags) {
  if (fault_here("pidfd_fd")) return fail(EMFILE);
  const int fd = static_cast<int>(TRY(from_abi(get_unused_fd_flags(O_RDWR | O_CLOEXEC))));
  get_pid(pid);  // the file's
  auto f = fault_here("pidfd_file") ? fail(ENOMEM)
                                    : anon_inode_getfile("[pidfd]", &kPidfdOps, pid, O_RDWR | static_cast<int>(flags));
  if (f) return PidfdTicket{fd, *f};
  put_pid(pid);
  put_unused_fd(static_cast<unsigned>(fd));
  return fail(f.error().code());
}

void pidfd_abandon(PidfdTicket ticket) {
  fput(ticket.file);
  put_unused_fd(static_cast<unsigned>(ticket.fd));
}

struct pid* pidfd_pid(const struct file* f) { return f->f_op == &kPidfdOps ? pid_of(f) : nullptr; }

Result<struct pid*> pidfd_get_pid(int fd, unsigned* f_flags) {
  Fd f(static_cast<unsigned>(fd));
  if (!f || f->f_op != &kPidfdOps) return fail(EBADF);
  if (f_flags) *f_flags = f->f_flags;
  return get_pid(pid_of(f.get()));
}

SYSCALL_DEFINE2(pidfd_open, pid_t, nr, unsigned, flags) {
  if ((flags & ~static_cast<unsigned>(O_NONBLOCK)) || nr <= 0) return -EINVAL;
  struct pid* pid = find_get_pid(nr);
  if (!pid) return -ESRCH;
  PidHold hold(pid);
  {
    RcuReadGuard rcu;
    if (!pid_task(pid, PIDTYPE_TGID)) return -EINVAL;
  }
  PidfdTicket ticket = TRY_ABI(pidfd_prepare(pid, flags));
  fd_install(static_cast<unsigned>(ticket.fd), ticket.file);
  return ticket.fd;
}
