// ptrace(2): what the tracer asks.
//
// A request to a stopped tracee first freezes it (JOBCTL_PTRACE_FROZEN) and waits until it is off its CPU: from then on its
// registers, memory and siginfo are the tracer's, and lie still.
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>

#include "arch/contract/arch.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/ptrace/internal.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/internal.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/signal/queue.hh"
#include "kernel/signal/sets.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

// ---- Holding a tracee still ---------------------------------------------------------------------------------------------

// siglock. A listening one is not to be commanded, a killed one is on its way.
bool freeze_locked(task_struct* t) {
  if (!task_is_traced(t) || (t->jobctl & JOBCTL_LISTENING) || __fatal_signal_pending(t)) return false;
  jobctl_set(t, JOBCTL_PTRACE_FROZEN);
  return true;
}

// Is t current's tracee? With `freeze`, is it stopped; if so it is held so.
bool hold_tracee(task_struct* t, bool freeze) {
  {
    ReadGuard tasklist(tasklist_lock);
    if (!t->ptrace || t->parent != current) return false;
    if (!freeze) return true;
    IrqOffSpinGuard siglock(t->sighand->siglock);  // a tracee has not been released
    if (!freeze_locked(t)) return false;
  }
  wait_task_inactive(t, TASK_TRACED);
  return true;
}

// It may have been let go already, and be dead by now.
void release_tracee(task_struct* t) {
  unsigned long flags;
  if (!lock_task_sighand(t, &flags)) return;
  jobctl_clear(t, JOBCTL_PTRACE_FROZEN);
  if (__fatal_signal_pending(t)) {
    jobctl_clear(t, JOBCTL_TRACED);
    wake_up_state(t, __TASK_TRACED);
  }
  unlock_task_sighand(t, flags);
}

// ---- Memory ---------------------------------------------------------------------------------------------------------------

// Undumpable memory only to who had the capability when he attached.
bool access_word(task_struct* t, unsigned long addr, unsigned long* word, RemoteAccess how) {
  mm_struct* mm = get_task_mm(t);
  if (!mm) return false;
  const bool allowed = get_dumpable(mm) == SUID_DUMP_USER || ptracer_capable(t, mm->user_ns);
  const bool done = allowed && access_remote_vm(mm, addr, word, sizeof(*word), how) == sizeof(*word);
  mmput(mm);
  return done;
}

long peek_data(task_struct* t, unsigned long addr, unsigned long to) {
  unsigned long word;
  if (!access_word(t, addr, &word, RemoteAccess::ForceRead)) return -EIO;
  return put_user(word, reinterpret_cast<unsigned long*>(to)) ? -EFAULT : 0;
}

long poke_data(task_struct* t, unsigned long addr, unsigned long word) {
  return access_word(t, addr, &word, RemoteAccess::ForceWrite) ? 0 : -EIO;
}

long peek_user_to(task_struct* t, unsigned long offset, unsigned long to) {
  unsigned long word;
  if (long error = peek_user(t, offset, &word)) return error;
  return put_user(word, reinterpret_cast<unsigned long*>(to)) ? -EFAULT : 0;
}

// ---- Going on ---------------------------------------------------------------------------------------------------------------

void set_work(task_struct* t, unsigned long bit, bool on) {
  if (on)
    __atomic_fetch_or(&t->thread_info.syscall_work, bit, __ATOMIC_RELAXED);
  else
    __atomic_fetch_and(&t->thread_info.syscall_work, ~bit, __ATOMIC_RELAXED);
}

long resume(task_struct* t, long request, unsigned long sig) {
  if (!valid_signal(sig)) return -EIO;
  set_work(t, SYSCALL_WORK_SYSCALL_TRACE, request == PTRACE_SYSCALL);
  set_work(t, SYSCALL_WORK_SYSCALL_EMU, request == PTRACE_SYSEMU || request == PTRACE_SYSEMU_SINGLESTEP);
  if (request == PTRACE_SINGLESTEP || request == PTRACE_SYSEMU_SINGLESTEP)
    user_enable_single_step(t);
  else
    user_disable_single_step(t);
  IrqOffSpinGuard siglock(t->sighand->siglock);
  WRITE_ONCE(t->exit_code, static_cast<int>(sig));
  jobctl_clear(t, JOBCTL_TRACED);
  wake_up_state(t, __TASK_TRACED);
  return 0;
}

long set_options(task_struct* t, unsigned long options) {
  if (options & ~static_cast<unsigned long>(PTRACE_O_MASK)) return -EINVAL;
  if (options & PTRACE_O_SUSPEND_SECCOMP) return -EINVAL;  // there is no seccomp
  IrqOffSpinGuard siglock(t->sighand->siglock);
  WRITE_ONCE(t->ptrace, (t->ptrace & (PT_PTRACED | PT_SEIZED)) | pt_options(options));
  return 0;
}

// ---- Signals ------------------------------------------------------------------------------------------------------------------

long get_siginfo(task_struct* t, unsigned long to) {
  kernel_siginfo info;
  {
    IrqOffSpinGuard siglock(t->sighand->siglock);
    if (!t->last_siginfo) return -EINVAL;
    info = *t->last_siginfo;
  }
  return copy_siginfo_to_user(reinterpret_cast<void*>(to), &info);
}

long set_siginfo(task_struct* t, unsigned long from) {
  kernel_siginfo info;
  if (copy_from_user(&info, reinterpret_cast<void*>(from), sizeof(info))) return -EFAULT;
  IrqOffSpinGuard siglock(t->sighand->siglock);
  if (!t->last_siginfo) return -EINVAL;
  *t->last_siginfo = info;
  return 0;
}

bool nth_pending(task_struct* t, const sigpending* pending, u64 n, kernel_siginfo* info) {
  IrqOffSpinGuard siglock(t->sighand->siglock);
  sigqueue* q;
  list_for_each_entry(q, &pending->list, list) {
    if (n--) continue;
    *info = q->info;
    return true;
  }
  return false;
}

long peek_siginfo(task_struct* t, unsigned long uargs, unsigned long to) {
  ptrace_peeksiginfo_args args;
  if (get_user(args, reinterpret_cast<ptrace_peeksiginfo_args*>(uargs))) return -EFAULT;
  if ((args.flags & ~PTRACE_PEEKSIGINFO_SHARED) || args.nr < 0) return -EINVAL;
  const sigpending* pending = args.flags & PTRACE_PEEKSIGINFO_SHARED ? &t->signal->shared_pending : &t->pending;
  s32 done = 0;
  kernel_siginfo info;
  for (; done < args.nr && nth_pending(t, pending, args.off + static_cast<u64>(done), &info); done++) {
    if (copy_siginfo_to_user(reinterpret_cast<void*>(to + static_cast<unsigned long>(done) * SI_MAX_SIZE), &info))
      return done ? done : -EFAULT;
    if (signal_pending(current)) {
      done++;
      break;
    }
  }
  return done;
}

// A mask that a system call has put aside is the real one.
long get_sigmask(task_struct* t, unsigned long size, unsigned long to) {
  if (size != sizeof(sigset_t)) return -EINVAL;
  const sigset_t mask = t->restore_sigmask ? t->saved_sigmask : t->blocked;
  return put_user(mask, reinterpret_cast<sigset_t*>(to)) ? -EFAULT : 0;
}

long set_sigmask(task_struct* t, unsigned long size, unsigned long from) {
  if (size != sizeof(sigset_t)) return -EINVAL;
  sigset_t mask;
  if (get_user(mask, reinterpret_cast<sigset_t*>(from))) return -EFAULT;
  mask.sig[0] &= ~kSigOnly;
  IrqOffSpinGuard siglock(t->sighand->siglock);  // the task itself looks anew what is pending when it goes on
  t->blocked = mask;
  t->restore_sigmask = 0;
  return 0;
}

// ---- Seized tracees -------------------------------------------------------------------------------------------------------------

long interrupt(task_struct* t) {
  unsigned long flags;
  if (!(READ_ONCE(t->ptrace) & PT_SEIZED) || !lock_task_sighand(t, &flags)) return -EIO;
  if (task_set_jobctl_pending(t, JOBCTL_TRAP_STOP)) ptrace_signal_wake_up(t, t->jobctl & JOBCTL_LISTENING);
  unlock_task_sighand(t, flags);
  return 0;
}

long listen(task_struct* t) {
  if (!(t->ptrace & PT_SEIZED)) return -EIO;
  IrqOffSpinGuard siglock(t->sighand->siglock);
  const kernel_siginfo* info = t->last_siginfo;
  if (!info || info->si_code >> 8 != PTRACE_EVENT_STOP) return -EIO;
  jobctl_set(t, JOBCTL_LISTENING);
  // What came between the stop and now is told at once.
  if (t->jobctl & JOBCTL_TRAP_NOTIFY) ptrace_signal_wake_up(t, true);
  return 0;
}

// ---- The rest ---------------------------------------------------------------------------------------------------------------------

constexpr u32 kRseqSize = 32;  // of the structure, registered or not

long get_rseq_configuration(task_struct* t, unsigned long size, unsigned long to) {
  const ptrace_rseq_configuration c = {reinterpret_cast<u64>(t->rseq), kRseqSize, t->rseq_sig, 0, 0};
  const unsigned long n = size < sizeof(c) ? size : sizeof(c);
  return copy_to_user(reinterpret_cast<void*>(to), &c, n) ? -EFAULT : static_cast<long>(sizeof(c));
}

// The tracee is current's, and stopped but for INTERRUPT and KILL.
long request_of(task_struct* t, long request, unsigned long addr, unsigned long data) {
  switch (request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA: return peek_data(t, addr, data);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA: return poke_data(t, addr, data);
    case PTRACE_PEEKUSR: return peek_user_to(t, addr, data);
    case PTRACE_POKEUSR: return poke_user(t, addr, data);
    case PTRACE_GETREGS: return get_regs(t, data);
    case PTRACE_SETREGS: return set_regs(t, data);
    case PTRACE_GETFPREGS: return get_fp_regs(t, data);
    case PTRACE_SETFPREGS: return set_fp_regs(t, data);
    case PTRACE_GETREGSET: return regset(t, addr, data, Direction::Get);
    case PTRACE_SETREGSET: return regset(t, addr, data, Direction::Set);
    case PTRACE_OLDSETOPTIONS:
    case PTRACE_SETOPTIONS: return set_options(t, data);
    case PTRACE_GETEVENTMSG: return put_user(t->ptrace_message, reinterpret_cast<unsigned long*>(data)) ? -EFAULT : 0;
    case PTRACE_GETSIGINFO: return get_siginfo(t, data);
    case PTRACE_SETSIGINFO: return set_siginfo(t, data);
    case PTRACE_PEEKSIGINFO: return peek_siginfo(t, addr, data);
    case PTRACE_GETSIGMASK: return get_sigmask(t, addr, data);
    case PTRACE_SETSIGMASK: return set_sigmask(t, addr, data);
    case PTRACE_INTERRUPT: return interrupt(t);
    case PTRACE_LISTEN: return listen(t);
    case PTRACE_DETACH: return to_abi(ptrace_detach(t, data));
    case PTRACE_CONT:
    case PTRACE_SYSCALL:
    case PTRACE_SINGLESTEP:
    case PTRACE_SYSEMU:
    case PTRACE_SYSEMU_SINGLESTEP: return resume(t, request, data);
    case PTRACE_KILL: send_sig_info(SIGKILL, SEND_SIG_NOINFO, t); return 0;
    case PTRACE_ARCH_PRCTL: return arch_prctl_of(t, data, addr);
    case PTRACE_GET_SYSCALL_INFO: return get_syscall_info(t, addr, data);
    case PTRACE_GET_RSEQ_CONFIGURATION: return get_rseq_configuration(t, addr, data);
    default: return -EIO;  // SINGLEBLOCK, SECCOMP_*: not there
  }
}

bool needs_stop(long request) { return request != PTRACE_KILL && request != PTRACE_INTERRUPT; }

long ptrace_task(task_struct* t, long request, unsigned long addr, unsigned long data) {
  if (request == PTRACE_ATTACH || request == PTRACE_SEIZE) return to_abi(ptrace_attach(t, request, addr, data));
  const bool freeze = needs_stop(request);
  if (!hold_tracee(t, freeze)) return -ESRCH;
  const long result = request_of(t, request, addr, data);
  if (freeze && (result || request != PTRACE_DETACH)) release_tracee(t);
  return result;
}

}  // namespace

SYSCALL_DEFINE4(ptrace, long, request, pid_t, pid, unsigned long, addr, unsigned long, data) {
  if (request == PTRACE_TRACEME) return to_abi(ptrace_traceme());
  task_struct* t = find_get_task_by_vpid(pid);
  if (!t) return -ESRCH;
  const long result = ptrace_task(t, request, addr, data);
  put_task_struct(t);
  return result;
}
