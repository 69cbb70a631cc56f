// Stops of tracees: system calls, single steps, group stops, seized tracees, exec, threads, the end of a tracer.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/ptrace.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>
#include <uapi/linux/wait.h>

#include "test/hosted/ptrace_programs.hh"

namespace {

using namespace tracing;
using user::sys;
using user::Var;

constexpr int event_status(int event, int sig = SIGTRAP) { return stopped(sig) | event << 16; }
constexpr int kSyscallStop = stopped(SIGTRAP | 0x80);
unsigned long reg(long pid, size_t offset) {
  Var<unsigned long> word;
  return ptrace(PTRACE_PEEKUSR, pid, offset, word.addr()) ? ~0ul : word.get();
}
long set_reg(long pid, size_t offset, unsigned long v) { return ptrace(PTRACE_POKEUSR, pid, offset, v); }
#define REG(name) offsetof(user_regs_struct, name)
unsigned long event_message(long pid) {
  Var<unsigned long> word;
  return ptrace(PTRACE_GETEVENTMSG, pid, 0, word.addr()) ? ~0ul : word.get();
}
bool cont(long pid, int sig = 0) { return ptrace(PTRACE_CONT, pid, 0, static_cast<unsigned long>(sig)) == 0; }
// fn(arg) as a child that is seized before it does anything of note.
long seized(user::Fn fn, unsigned long arg, unsigned long options) {
  long pid = user::fork(fn, arg);
  return ptrace(PTRACE_SEIZE, pid, 0, options) == 0 ? pid : -1;
}

// ---- System calls (spec 10 E-20, E-21) -----------------------------------------------------------------------------------

long makes_calls(unsigned long) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  kill_self(SIGSTOP);
  long r = sys(__NR_getppid);
  return r & 0x7f;
}
long begin_syscall_trace(user::Fn fn, unsigned long arg = 0) {
  long pid = user::fork(fn, arg);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  MUST(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD) == 0);
  return pid;
}
bool to_syscall_stop(long pid) { return ptrace(PTRACE_SYSCALL, pid) == 0 && wait_status(pid) == kSyscallStop; }

// spec 10 E-7, E-20: both stops, what they show, and a changed result.
PROGRAM_CASE(syscall_stops) {
  long pid = begin_syscall_trace(makes_calls);
  MUST(to_syscall_stop(pid));  // the stop within kill() ends; getppid begins: no exit stop for a call begun untraced
  // kill(2) returns first: its exit is a stop, since PTRACE_SYSCALL was asked within it
  Var<ptrace_syscall_info> info;
  if (reg(pid, REG(orig_ax)) == __NR_kill) MUST(to_syscall_stop(pid));
  MUST(reg(pid, REG(orig_ax)) == __NR_getppid && reg(pid, REG(ax)) == static_cast<unsigned long>(-ENOSYS));
  MUST(event_message(pid) == PTRACE_EVENTMSG_SYSCALL_ENTRY);
  MUST(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(ptrace_syscall_info), info.addr()) == 80);
  ptrace_syscall_info i = info.get();
  MUST(i.op == PTRACE_SYSCALL_INFO_ENTRY && i.arch == 0xc000003e && i.entry.nr == __NR_getppid);
  MUST(i.stack_pointer == reg(pid, REG(sp)) && i.instruction_pointer == reg(pid, REG(ip)));
  MUST(to_syscall_stop(pid));
  MUST(event_message(pid) == PTRACE_EVENTMSG_SYSCALL_EXIT);
  MUST(ptrace(PTRACE_GET_SYSCALL_INFO, pid, 4, info.addr()) == 33);  // the size there is; four bytes written
  MUST(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(ptrace_syscall_info), info.addr()) == 33);
  MUST(info.get().op == PTRACE_SYSCALL_INFO_EXIT && info.get().exit.rval == getpid() && !info.get().exit.is_error);
  MUST(set_reg(pid, REG(ax), 77) == 0);
  MUST(cont(pid));
  MUST(wait_status(pid) == exited(77));
  return 0;
}

// spec 10 E-20: the tracer changes the number, or cancels the call.
PROGRAM_CASE(syscall_is_changed_or_cancelled) {
  for (long number : {long{__NR_getpid}, -1l, 9999l}) {
    long pid = begin_syscall_trace(makes_calls);
    do MUST(to_syscall_stop(pid));
    while (reg(pid, REG(orig_ax)) != __NR_getppid);
    MUST(set_reg(pid, REG(orig_ax), static_cast<unsigned long>(number)) == 0);
    MUST(to_syscall_stop(pid));
    const unsigned long ax = reg(pid, REG(ax));
    MUST(ax == (number == __NR_getpid ? static_cast<unsigned long>(pid) : static_cast<unsigned long>(-ENOSYS)));
    MUST(ptrace(PTRACE_KILL, pid) == 0);
    MUST(wait_status(pid) == SIGKILL);
  }
  return 0;
}

// PTRACE_SYSEMU: the entry is a stop, the call is not made, there is no stop at its end.
PROGRAM_CASE(sysemu) {
  long pid = user::fork(makes_calls);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  MUST(ptrace(PTRACE_SYSEMU, pid) == 0);
  MUST(wait_status(pid) == stopped(SIGTRAP));  // no TRACESYSGOOD: a bare SIGTRAP
  MUST(reg(pid, REG(orig_ax)) == __NR_getppid);
  Var<ptrace_syscall_info> info;
  MUST(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(ptrace_syscall_info), info.addr()) == 24);
  MUST(info.get().op == PTRACE_SYSCALL_INFO_NONE);
  MUST(set_reg(pid, REG(ax), 55) == 0);
  MUST(ptrace(PTRACE_SYSEMU, pid) == 0);
  MUST(wait_status(pid) == stopped(SIGTRAP));
  MUST(reg(pid, REG(orig_ax)) == __NR_exit_group && reg(pid, REG(di)) == 55);
  MUST(cont(pid));  // the call was cancelled already; the program asks again
  MUST(wait_status(pid) == exited(55));
  return 0;
}

// A call that SIGSTOP interrupts is made again, and the tracer sees it begin anew (spec 10 section 14).
long sleeps_long(unsigned long) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  kill_self(SIGSTOP);
  Var<unsigned> word(1u);
  return sys(__NR_futex, word.addr(), 0 /* WAIT */, 1, 0) == -EINTR ? 3 : 4;
}
void nothing(int, unsigned long, unsigned long) {}
PROGRAM_CASE(interrupted_call_restarts) {
  long pid = begin_syscall_trace(sleeps_long);
  do MUST(to_syscall_stop(pid));
  while (reg(pid, REG(orig_ax)) != __NR_futex);
  MUST(ptrace(PTRACE_SYSCALL, pid) == 0);
  nap(5);
  kill(pid, SIGUSR1);
  MUST(wait_status(pid) == kSyscallStop);
  MUST(reg(pid, REG(ax)) == static_cast<unsigned long>(-ERESTARTSYS));  // as strace shows it
  MUST(ptrace(PTRACE_SYSCALL, pid) == 0);
  MUST(wait_status(pid) == stopped(SIGUSR1));
  MUST(to_syscall_stop(pid));  // dropped: the call again
  MUST(reg(pid, REG(orig_ax)) == __NR_futex && event_message(pid) == PTRACE_EVENTMSG_SYSCALL_ENTRY);
  MUST(ptrace(PTRACE_KILL, pid) == 0);
  MUST(wait_status(pid) == SIGKILL);
  return 0;
}

// ---- Single steps -----------------------------------------------------------------------------------------------------------

long three_reads(unsigned long addr) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  user::sigaction(SIGUSR1, nothing);
  kill_self(SIGSTOP);
  for (int i = 0; i < 3; i++) (void)user::peek<int>(addr);
  return 9;
}
PROGRAM_CASE(single_steps) {
  long pid = user::fork(three_reads, user::map(4096));
  MUST(wait_status(pid) == stopped(SIGSTOP));
  Var<siginfo_t> info;
  MUST(ptrace(PTRACE_SINGLEBLOCK, pid) == -EIO);
  for (int i = 0; i < 3; i++) {
    MUST(!(reg(pid, REG(flags)) & X86_EFLAGS_TF));  // the trap flag is the kernel's, and not shown
    MUST(ptrace(PTRACE_SINGLESTEP, pid) == 0);
    MUST(wait_status(pid) == stopped(SIGTRAP));
    MUST(ptrace(PTRACE_GETSIGINFO, pid, 0, info.addr()) == 0 && info.get().k.si_code == TRAP_TRACE);
  }
  // A signal that is injected by a step: the next stop is the first instruction of its handler.
  MUST(ptrace(PTRACE_SINGLESTEP, pid, 0, SIGUSR1) == 0);
  MUST(wait_status(pid) == stopped(SIGTRAP));
  MUST(reg(pid, REG(ip)) == reinterpret_cast<unsigned long>(&nothing) && reg(pid, REG(di)) == SIGUSR1);
  MUST(cont(pid));
  MUST(wait_status(pid) == exited(9));
  return 0;
}

// ---- Group stops (spec 21 S-40..S-45) ------------------------------------------------------------------------------------------

// A tracer by ATTACH sees the signal first, and if it passes it, a stop without siginfo.
PROGRAM_CASE(group_stop_of_attached) {
  long pid = user::fork(waits_for_signals);
  MUST(ptrace(PTRACE_ATTACH, pid) == 0 && wait_status(pid) == stopped(SIGSTOP) && cont(pid));
  kill(pid, SIGTSTP);
  MUST(wait_status(pid) == stopped(SIGTSTP));
  Var<siginfo_t> info;
  MUST(ptrace(PTRACE_GETSIGINFO, pid, 0, info.addr()) == 0);
  MUST(ptrace(PTRACE_LISTEN, pid) == -EIO && ptrace(PTRACE_INTERRUPT, pid) == -EIO);  // not seized
  MUST(cont(pid, SIGSTOP));
  MUST(wait_status(pid) == stopped(SIGSTOP));  // the one given
  MUST(ptrace(PTRACE_GETSIGINFO, pid, 0, info.addr()) == -EINVAL);
  MUST(cont(pid));
  kill(pid, SIGKILL);
  MUST(wait_status(pid) == SIGKILL);
  return 0;
}

PROGRAM_CASE(group_stop_of_seized) {
  long pid = seized(waits_for_signals, 0, 0);
  MUST(waitpid(pid, WNOHANG).pid == 0);  // SEIZE stops nothing
  kill(pid, SIGSTOP);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  MUST(cont(pid, SIGSTOP));
  MUST(wait_status(pid) == event_status(PTRACE_EVENT_STOP, SIGSTOP));
  MUST(ptrace(PTRACE_LISTEN, pid) == 0);
  MUST(cont(pid) == false);  // listening: not to be commanded
  MUST(waitpid(pid, WNOHANG).pid == 0);
  kill(pid, SIGCONT);
  MUST(wait_status(pid) == event_status(PTRACE_EVENT_STOP, SIGTRAP));  // told that the stop is over
  MUST(cont(pid));
  MUST(wait_status(pid) == stopped(SIGCONT));  // and the signal itself
  MUST(cont(pid, SIGCONT));
  kill(pid, SIGKILL);
  MUST(wait_status(pid) == SIGKILL);
  return 0;
}

PROGRAM_CASE(interrupt) {
  long pid = seized(waits_for_signals, 0, 0);
  for (int i = 0; i < 2; i++) {
    MUST(ptrace(PTRACE_INTERRUPT, pid) == 0);
    MUST(wait_status(pid) == event_status(PTRACE_EVENT_STOP));
    MUST(cont(pid));
  }
  MUST(ptrace(PTRACE_INTERRUPT, pid) == 0);
  MUST(wait_status(pid) == event_status(PTRACE_EVENT_STOP));
  MUST(ptrace(PTRACE_LISTEN, pid) == 0);
  MUST(ptrace(PTRACE_INTERRUPT, pid) == 0);  // out of listening
  MUST(wait_status(pid) == event_status(PTRACE_EVENT_STOP));
  MUST(ptrace(PTRACE_DETACH, pid) == 0);
  kill(pid, SIGKILL);
  MUST(wait_status(pid) == SIGKILL);
  return 0;
}

// The real parent of another's tracee is told of the group's stop all the same, and once (S-42, T-2).
long traces(unsigned long pid) {
  MUST(ptrace(PTRACE_SEIZE, static_cast<long>(pid)) == 0);
  for (;;) {
    int status = wait_status(static_cast<long>(pid));
    if ((status & 0xff) != 0x7f) return 0;
    if (status >> 16 == PTRACE_EVENT_STOP)
      ptrace(PTRACE_LISTEN, static_cast<long>(pid));  // ESRCH: killed meanwhile
    else
      cont(static_cast<long>(pid), status >> 8 & 0xff);
  }
}
PROGRAM_CASE(parent_and_tracer_both_see) {
  long pid = user::fork(waits_for_signals);
  long tracer = user::fork(traces, static_cast<unsigned long>(pid));
  nap(5);
  kill(pid, SIGSTOP);
  MUST(waitpid(pid, WUNTRACED).status == stopped(SIGSTOP));
  kill(pid, SIGKILL);
  MUST(waitpid(pid, 0).status == SIGKILL);  // after the tracer, as it must be seen by both (W-14, W-16)
  MUST(waitpid(tracer, 0).status == exited(0));
  return 0;
}

// ---- Fork of a seized tracee (F-98) ----------------------------------------------------------------------------------------------

long forks_when_told(unsigned long how) {
  while (user::peek<int>(how) == 0) nap(1);
  long pid = user::fork(exits_with, 2);
  Ended e = waitpid(pid, 0);
  return e.status == exited(2) ? 6 : 5;
}
unsigned long shared_page() {
  return static_cast<unsigned long>(sys(__NR_mmap, 0, 4096, 3, 0x21 /* SHARED|ANONYMOUS */, -1, 0));
}
PROGRAM_CASE(child_of_seized_begins_with_a_trap) {
  unsigned long go = shared_page();
  long pid = seized(forks_when_told, go, PTRACE_O_TRACEFORK);
  user::poke(go, 1);
  MUST(wait_status(pid) == event_status(PTRACE_EVENT_FORK));
  long child = static_cast<long>(event_message(pid));
  MUST(wait_status(child) == event_status(PTRACE_EVENT_STOP));
  MUST(cont(child) && cont(pid));
  MUST(wait_status(child) == exited(2));
  MUST(wait_status(pid) == stopped(SIGCHLD));
  MUST(cont(pid, SIGCHLD));
  MUST(wait_status(pid) == exited(6));
  return 0;
}

// ---- Threads and exec ---------------------------------------------------------------------------------------------------------------

long thread_waits(unsigned long) { return waits_for_signals(0); }
long has_thread(unsigned long shared) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  kill_self(SIGSTOP);
  user::thread(user::thread_stack(), thread_waits);
  while (user::peek<int>(shared) == 0) nap(1);
  return 8;
}
// spec 21 W-5, W-6: a tracee that is a thread is waited for by its own number; exit_group ends both, each told of.
PROGRAM_CASE(threads_are_tracees) {
  unsigned long go = shared_page();
  long pid = user::fork(has_thread, go);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  MUST(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE) == 0 && cont(pid));
  MUST(wait_status(pid) == event_status(PTRACE_EVENT_CLONE));
  long tid = static_cast<long>(event_message(pid));
  MUST(wait_status(tid) == stopped(SIGSTOP));
  MUST(state_of(tid) == 't');
  MUST(cont(pid) && cont(tid));
  user::poke(go, 1);
  MUST(wait_status(tid) == exited(8));  // its end comes first: a leader is told of when it is alone (W-9)
  MUST(wait_status(pid) == exited(8));
  MUST(waitpid(-1, static_cast<int>(__WALL)).pid == -ECHILD);
  return 0;
}

// spec 40 X-41 and section 9: exec by a thread: it takes the leader's number, the message is its former one.
long after_exec(unsigned long) { return 11; }
bool make_program(const char* path) {
  static unsigned char elf[user::kElfSize];
  size_t n = user::make_elf(after_exec, elf, sizeof(elf));
  user::Str name(path);
  long fd = sys(__NR_open, name.addr(), O_CREAT | O_WRONLY, 0755);
  if (fd < 0) return false;
  unsigned long at = user::map(n);
  user::write_bytes(at, elf, n);
  bool ok = sys(__NR_write, fd, at, n) == static_cast<long>(n);
  sys(__NR_close, fd);
  return ok;
}
long execs(unsigned long) {
  user::Str name("/prog");
  return sys(__NR_execve, name.addr(), 0, 0) & 0x7f;
}
long thread_execs(unsigned long) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  kill_self(SIGSTOP);
  user::thread(user::thread_stack(), execs);
  return waits_for_signals(0);
}
PROGRAM_CASE(exec_by_a_thread) {
  MUST(make_program("/prog"));
  long pid = user::fork(thread_execs);
  MUST(wait_status(pid) == stopped(SIGSTOP));
  MUST(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC) == 0 && cont(pid));
  MUST(wait_status(pid) == event_status(PTRACE_EVENT_CLONE));
  long tid = static_cast<long>(event_message(pid));
  MUST(wait_status(tid) == stopped(SIGSTOP));
  MUST(cont(pid) && cont(tid));  // the leader first: the exec ends it
  MUST(wait_status(pid) == event_status(PTRACE_EVENT_EXEC));
  MUST(event_message(pid) == static_cast<unsigned long>(tid));
  MUST(cont(tid) == false && cont(pid));
  MUST(wait_status(pid) == exited(11));
  return 0;
}

// without the option, a SIGTRAP after execve for who was attached; nothing for the seized.
long execs_traced(unsigned long traced) {
  if (traced) MUST(ptrace(PTRACE_TRACEME) == 0);
  if (!traced) nap(5);
  return execs(0);
}
PROGRAM_CASE(exec_without_the_option) {
  MUST(make_program("/prog"));
  long pid = user::fork(execs_traced, 1);
  MUST(wait_status(pid) == stopped(SIGTRAP));
  MUST(cont(pid));
  MUST(wait_status(pid) == exited(11));
  pid = seized(execs_traced, 0, 0);
  MUST(wait_status(pid) == exited(11));
  return 0;
}

// ---- The tracer goes -------------------------------------------------------------------------------------------------------------------

long attaches_and_ends(unsigned long arg) {
  const long pid = static_cast<long>(arg & 0xffff);
  MUST(ptrace(PTRACE_SEIZE, pid, 0, arg & 0x10000 ? PTRACE_O_EXITKILL : 0) == 0);
  if (arg & 0x20000) {
    MUST(ptrace(PTRACE_INTERRUPT, pid) == 0);
    MUST(wait_status(pid) == event_status(PTRACE_EVENT_STOP));
  }
  return 0;
}
// spec 21 section 4 point 1: tracees go on, or die with EXITKILL.
PROGRAM_CASE(end_of_the_tracer) {
  for (unsigned long how : {0ul, 0x10000ul, 0x20000ul, 0x30000ul}) {
    long pid = user::fork(waits_for_signals);
    long tracer = user::fork(attaches_and_ends, static_cast<unsigned long>(pid) | how);
    MUST(waitpid(tracer, 0).status == exited(0));
    if (!(how & 0x10000)) {
      nap(5);
      MUST(state_of(pid) == 'S');
      kill(pid, SIGTERM);
    }
    MUST(waitpid(pid, 0).status == (how & 0x10000 ? SIGKILL : SIGTERM));
  }
  return 0;
}

// A zombie whose tracer never waited is its parent's when the tracer ends (section 4 point 1).
long seizes_and_kills(unsigned long pid) {
  MUST(ptrace(PTRACE_SEIZE, static_cast<long>(pid)) == 0);
  kill(static_cast<long>(pid), SIGKILL);
  nap(20);
  return 0;
}
PROGRAM_CASE(zombie_of_a_dead_tracer) {
  long pid = user::fork(waits_for_signals);
  long tracer = user::fork(seizes_and_kills, static_cast<unsigned long>(pid));
  nap(5);
  MUST(waitpid(pid, WNOHANG).pid == 0);  // dead, but its tracer's still (W-7, W-8)
  MUST(waitpid(tracer, 0).status == exited(0));
  MUST(waitpid(pid, 0).status == SIGKILL);
  return 0;
}

// ---- What rests on the same permission ----------------------------------------------------------------------------------------------------

PROGRAM_CASE(process_vm_calls) {
  unsigned long at = user::map(3 * 4096);
  user::poke(at + 4090, 0x1122334455667788ul);
  long pid = user::fork(waits_for_signals);
  Var<unsigned long> word(0ul);
  Var<iovec> local(iovec{word.ptr(), 8}), remote(iovec{reinterpret_cast<void*>(at + 4090), 8});
  MUST(sys(__NR_process_vm_readv, pid, local.addr(), 1, remote.addr(), 1, 0) == 8 && word.get() == 0x1122334455667788ul);
  MUST(sys(__NR_process_vm_readv, pid, local.addr(), 1, remote.addr(), 1, 1) == -EINVAL);
  MUST(sys(__NR_process_vm_readv, 999, local.addr(), 1, remote.addr(), 1, 0) == -ESRCH);
  MUST(sys(__NR_process_vm_readv, 999, local.addr(), 0, remote.addr(), 1, 0) == 0);
  MUST(sys(__NR_process_vm_readv, pid, local.addr(), 1, remote.addr(), 1025, 0) == -EINVAL);
  MUST(sys(__NR_process_vm_readv, pid, local.addr(), 1, 8, 1, 0) == -EFAULT);
  MUST(sys(__NR_process_vm_readv, 2, local.addr(), 1, remote.addr(), 1, 0) == -ESRCH);  // no memory
  word.set(42);
  MUST(sys(__NR_process_vm_writev, pid, local.addr(), 1, remote.addr(), 1, 0) == 8);
  word.set(0);
  MUST(sys(__NR_process_vm_readv, pid, local.addr(), 1, remote.addr(), 1, 0) == 8 && word.get() == 42);
  remote.set({reinterpret_cast<void*>(at + 3 * 4096 - 4), 8});  // half of it is there
  MUST(sys(__NR_munmap, at + 2 * 4096, 4096) == 0);
  long r = sys(__NR_process_vm_readv, pid, local.addr(), 1, remote.addr(), 1, 0);
  MUST(r == 8 || r == 4 || r == -EFAULT);
  remote.set({reinterpret_cast<void*>(8), 8});
  MUST(sys(__NR_process_vm_readv, pid, local.addr(), 1, remote.addr(), 1, 0) == -EFAULT);
  kill(pid, SIGKILL);
  MUST(wait_status(pid) == SIGKILL);
  return 0;
}

PROGRAM_CASE(kcmp_compares) {
  long pid = user::fork(waits_for_signals), me = getpid();
  MUST(sys(__NR_kcmp, me, me, KCMP_VM, 0, 0) == 0);
  long ab = sys(__NR_kcmp, me, pid, KCMP_VM, 0, 0), ba = sys(__NR_kcmp, pid, me, KCMP_VM, 0, 0);
  MUST((ab == 1 && ba == 2) || (ab == 2 && ba == 1));
  MUST(sys(__NR_kcmp, me, 999, KCMP_VM, 0, 0) == -ESRCH);
  MUST(sys(__NR_kcmp, me, pid, 99, 0, 0) == -EINVAL);
  MUST(sys(__NR_kcmp, me, me, KCMP_FILE, 98, 99) == -EBADF);
  MUST(sys(__NR_kcmp, me, pid, KCMP_IO, 0, 0) == 0);
  kill(pid, SIGKILL);
  MUST(wait_status(pid) == SIGKILL);
  return 0;
}

PROGRAM_CASE(pidfd_getfd_copies) {
  Var<u64> ends;
  MUST(sys(__NR_pipe2, ends.addr(), 0) == 0);
  const int write_end = user::peek<int>(ends.addr() + 4), read_end = user::peek<int>(ends.addr());
  long pid = user::fork(waits_for_signals);
  long pidfd = sys(__NR_pidfd_open, pid, 0);
  MUST(sys(__NR_close, write_end) == 0);
  MUST(sys(__NR_pidfd_getfd, pidfd, 99, 0) == -EBADF);
  MUST(sys(__NR_pidfd_getfd, pidfd, write_end, 1) == -EINVAL);
  MUST(sys(__NR_pidfd_getfd, 99, write_end, 0) == -EBADF);
  long copy = sys(__NR_pidfd_getfd, pidfd, write_end, 0);
  MUST(copy >= 0 && sys(__NR_kcmp, getpid(), pid, KCMP_FILE, copy, write_end) == 0);
  Var<char> c('x');
  MUST(sys(__NR_write, copy, c.addr(), 1) == 1 && sys(__NR_read, read_end, c.addr(), 1) == 1);
  kill(pid, SIGKILL);
  MUST(wait_status(pid) == SIGKILL);
  MUST(sys(__NR_pidfd_getfd, pidfd, write_end, 0) == -ESRCH);
  return 0;
}

long reads_and_calls(unsigned long addr) {
  MUST(ptrace(PTRACE_TRACEME) == 0);
  kill_self(SIGSTOP);
  (void)user::peek<int>(addr);
  sys(__NR_getppid);
  return 9;
}
// A step over a system call ends when the call does (spec 10 E-21).
PROGRAM_CASE(step_over_a_call) {
  long pid = user::fork(reads_and_calls, user::map(4096));
  MUST(wait_status(pid) == stopped(SIGSTOP));
  for (unsigned long ax : {0ul, static_cast<unsigned long>(getpid())}) {
    MUST(ptrace(PTRACE_SINGLESTEP, pid) == 0);
    MUST(wait_status(pid) == stopped(SIGTRAP));
    MUST(reg(pid, REG(ax)) == ax);
  }
  MUST(cont(pid));
  MUST(wait_status(pid) == exited(9));
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(step_over_a_call),
    KUNIT_CASE(syscall_stops),
    KUNIT_CASE(syscall_is_changed_or_cancelled),
    KUNIT_CASE(sysemu),
    KUNIT_CASE(interrupted_call_restarts),
    KUNIT_CASE(single_steps),
    KUNIT_CASE(group_stop_of_attached),
    KUNIT_CASE(group_stop_of_seized),
    KUNIT_CASE(interrupt),
    KUNIT_CASE(parent_and_tracer_both_see),
    KUNIT_CASE(child_of_seized_begins_with_a_trap),
    KUNIT_CASE(threads_are_tracees),
    KUNIT_CASE(exec_by_a_thread),
    KUNIT_CASE(exec_without_the_option),
    KUNIT_CASE(end_of_the_tracer),
    KUNIT_CASE(zombie_of_a_dead_tracer),
    KUNIT_CASE(process_vm_calls),
    KUNIT_CASE(kcmp_compares),
    KUNIT_CASE(pidfd_getfd_copies),
    {},
};
kunit_suite suite = {.name = "ptrace_stops", .test_cases = cases, .world = {.cpus = 3, .memory_mb = 64, .seeds = 20}};
kunit_test_suite(suite);

}  // namespace
