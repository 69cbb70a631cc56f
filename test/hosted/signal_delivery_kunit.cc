// What becomes of signals: masks, choice of thread, order, frames, the alternate stack, init's protection. Spec 21 part C.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/ptrace.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/wait.h>

#include "kernel/signal/frame.hh"
#include "test/hosted/program.hh"

namespace {

using namespace program;

// What the handlers saw last. Programs are functions of one host process: these are shared by all of them.
int times, last_sig, last_tid;
kernel_siginfo last;
void note(int sig, unsigned long info, unsigned long) {
  times++;
  last_sig = sig;
  last_tid = static_cast<int>(gettid());
  last = user::peek<siginfo_t>(info).k;
}
void watch(int sig, unsigned long flags = 0, u64 mask = 0) {
  times = 0;
  user::sigaction(sig, note, SA_SIGINFO | flags, mask);
}
long tgkill(long tid, int sig) { return sys(__NR_tgkill, getpid(), tid, sig); }
u64 mask_now() {
  Var<u64> m;
  sys(__NR_rt_sigprocmask, 0, 0, m.addr(), 8);
  return m.get();
}

// ---- Dispositions and masks (section 12) ------------------------------------------------------------------------------------

PROGRAM_CASE(sigaction_reads_back) {  // spec 21 S-1, S-2, S-3
  struct sigaction sa{};
  sa.sa_handler = SIG_IGN;
  sa.sa_flags = ~0ul;
  sa.sa_mask = {~0ull};
  Var<struct sigaction> act(sa), old;
  MUST(sys(__NR_rt_sigaction, SIGUSR1, act.addr(), 0, 8) == 0 && sys(__NR_rt_sigaction, SIGUSR1, 0, old.addr(), 8) == 0);
  MUST(old.get().sa_flags == (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK | SA_RESTART |
                              SA_NODEFER | SA_RESETHAND));
  MUST(old.get().sa_mask.sig[0] == ~(bit(SIGKILL) | bit(SIGSTOP)));
  MUST(sys(__NR_rt_sigaction, SIGUSR1, 0, 8, 8) == -EFAULT);
  return 0;
}

PROGRAM_CASE(ignoring_discards) {  // spec 21 S-3, S-14
  watch(SIGUSR1);
  block(~0ul);
  kill(getpid(), SIGUSR1);
  tgkill(gettid(), SIGUSR1);
  kill(getpid(), SIGURG);
  MUST(pending() == (bit(SIGUSR1) | bit(SIGURG)));
  user::sigaction(SIGUSR1, 1ul);
  MUST(pending() == bit(SIGURG));
  user::sigaction(SIGURG, 0ul);  // its default is to be ignored
  MUST(pending() == 0);
  kill(getpid(), SIGUSR1);  // blocked: kept, though ignored now
  MUST(pending() == bit(SIGUSR1));
  block(0);
  MUST(pending() == 0 && times == 0);
  return 0;
}

PROGRAM_CASE(sigprocmask_rules) {  // spec 21 S-4
  Var<u64> set(bit(SIGUSR1) | bit(SIGKILL) | bit(SIGSTOP)), old;
  MUST(sys(__NR_rt_sigprocmask, SIG_BLOCK, set.addr(), 0, 4) == -EINVAL);
  MUST(sys(__NR_rt_sigprocmask, 3, set.addr(), 0, 8) == -EINVAL);
  MUST(sys(__NR_rt_sigprocmask, 99, 0, old.addr(), 8) == 0);
  MUST(sys(__NR_rt_sigprocmask, SIG_BLOCK, 8, 0, 8) == -EFAULT);
  MUST(sys(__NR_rt_sigprocmask, SIG_BLOCK, set.addr(), old.addr(), 8) == 0 && old.get() == 0 && mask_now() == bit(SIGUSR1));
  set.set(bit(SIGUSR2));
  MUST(sys(__NR_rt_sigprocmask, SIG_BLOCK, set.addr(), 0, 8) == 0 && mask_now() == (bit(SIGUSR1) | bit(SIGUSR2)));
  MUST(sys(__NR_rt_sigprocmask, SIG_UNBLOCK, set.addr(), 0, 8) == 0 && mask_now() == bit(SIGUSR1));
  MUST(sys(__NR_rt_sigprocmask, SIG_SETMASK, set.addr(), 0, 8) == 0 && mask_now() == bit(SIGUSR2));
  MUST(sys(__NR_rt_sigprocmask, SIG_SETMASK, 0, 8, 8) == -EFAULT);
  return 0;
}

PROGRAM_CASE(sigpending_rules) {  // spec 21 S-6, S-7
  watch(SIGUSR1);
  watch(SIGUSR2);
  block(bit(SIGUSR1) | bit(SIGUSR2) | bit(SIGHUP));
  MUST(kill(getpid(), SIGUSR1) == 0 && tgkill(gettid(), SIGUSR2) == 0);
  MUST(pending() == (bit(SIGUSR1) | bit(SIGUSR2)));
  Var<u64> set;
  MUST(sys(__NR_rt_sigpending, set.addr(), 16) == -EINVAL);
  block(bit(SIGUSR2));
  MUST(times == 1 && last_sig == SIGUSR1 && pending() == bit(SIGUSR2));
  return 0;
}

// ---- Waiting (S-8) --------------------------------------------------------------------------------------------------------------

long kills_soon(unsigned long what) {  // pid << 8 | sig
  nap(5);
  kill(static_cast<long>(what >> 8), static_cast<int>(what & 0xff));
  return 0;
}
long soon(int sig) { return user::fork(kills_soon, static_cast<unsigned long>(getpid()) << 8 | static_cast<unsigned long>(sig)); }
constexpr u64 kSome = 1ull << (SIGTERM - 1) | 1ull << (SIGQUIT - 1);

PROGRAM_CASE(awaited_signals_do_not_kill) {  // spec 21 S-8, S-21
  Var<u64> set(kSome);
  block(kSome);
  Var<siginfo_t> info;
  const long helper = soon(SIGTERM);
  MUST(sys(__NR_rt_sigtimedwait, set.addr(), info.addr(), 0, 8) == SIGTERM && info.get().k.si_pid == helper);
  MUST(mask_now() == kSome);
  watch(SIGUSR1, SA_RESTART);
  soon(SIGUSR1);
  MUST(sys(__NR_rt_sigtimedwait, set.addr(), 0, 0, 8) == -EINTR && times == 1);  // never restarted
  Var<__kernel_timespec> none({0, 0});
  MUST(sys(__NR_rt_sigtimedwait, set.addr(), 0, none.addr(), 8) == -EAGAIN);
  MUST(sys(__NR_rt_sigtimedwait, set.addr(), 0, none.addr(), 4) == -EINVAL);
  MUST(wait4(-1).pid > 0 && wait4(-1).pid > 0);
  return 0;
}

PROGRAM_CASE(sigsuspend_saves_the_first_mask) {  // spec 21 S-53, S-8
  static u64 in_frame, inside;
  user::sigaction(SIGUSR1, [](int, unsigned long, unsigned long uc) {
    in_frame = user::peek<u64>(uc + 0x128);
    inside = mask_now();
  }, SA_SIGINFO, bit(SIGHUP));
  block(bit(SIGUSR1) | bit(SIGUSR2));
  kill(getpid(), SIGUSR1);
  Var<u64> other(bit(SIGTERM));
  MUST(sys(__NR_rt_sigsuspend, other.addr(), 8) == -EINTR);
  MUST(in_frame == (bit(SIGUSR1) | bit(SIGUSR2)));
  MUST(inside == (bit(SIGTERM) | bit(SIGUSR1) | bit(SIGHUP)));
  MUST(mask_now() == (bit(SIGUSR1) | bit(SIGUSR2)));
  return 0;
}

// ---- Sending (section 14) ------------------------------------------------------------------------------------------------------------

PROGRAM_CASE(who_sent_it) {  // spec 21 S-9, S-18, S-19
  watch(SIGUSR1);
  kill(getpid(), SIGUSR1);
  MUST(times == 1 && last.si_code == SI_USER && last.si_pid == getpid() && last.si_uid == 0 && last.si_errno == 0);
  tgkill(gettid(), SIGUSR1);
  MUST(times == 2 && last.si_code == SI_TKILL && last.si_pid == getpid());
  sys(__NR_tkill, gettid(), SIGUSR1);
  MUST(times == 3 && last.si_code == SI_TKILL);
  // The sender's real uid, not its effective one.
  const long child = user::fork([](unsigned long parent) -> long {
    sys(__NR_setresuid, 44, 0, 0);
    kill(static_cast<long>(parent), SIGUSR1);
    return 0;
  }, static_cast<unsigned long>(getpid()));
  while (times < 4) nap(1);
  MUST(last.si_uid == 44 && last.si_pid == child);
  MUST(ends_by(child, 0));
  MUST(kill(getpid(), SIGURG) == 0);  // ignored: no error
  return 0;
}

PROGRAM_CASE(stop_and_cont_cancel) {  // spec 21 S-13
  watch(SIGCONT);
  block(~0ul);
  for (int sig : {SIGTSTP, SIGTTIN, SIGTTOU}) kill(getpid(), sig);
  MUST(pending() == (bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU)));
  tgkill(gettid(), SIGCONT);
  MUST(pending() == bit(SIGCONT));
  tgkill(gettid(), SIGTTIN);
  MUST(pending() == bit(SIGTTIN));
  return 0;
}

// SIGCONT continues even if it is blocked or ignored.
long blocks_everything(unsigned long ignore) {
  if (ignore) user::sigaction(SIGCONT, 1ul);
  block(~0ul);
  for (;;) nap(1);
}
PROGRAM_CASE(cont_continues_in_any_case) {  // spec 21 S-13, S-45
  for (unsigned long ignore : {0ul, 1ul}) {
    const long pid = user::fork(blocks_everything, ignore);
    nap(2);
    kill(pid, SIGSTOP);
    MUST(wait4(pid, WUNTRACED).status == stopped(SIGSTOP));
    kill(pid, SIGCONT);
    MUST(wait4(pid, WCONTINUED).status == 0xffff);
    kill(pid, SIGKILL);
    MUST(ends_by(pid, SIGKILL));
  }
  return 0;
}

// ---- Choice of thread (14.1) -------------------------------------------------------------------------------------------------------

int tids[3];
long takes_any(unsigned long i) {
  tids[i] = static_cast<int>(gettid());
  for (;;) sys(__NR_pause);
}
PROGRAM_CASE(group_signals_go_round) {  // spec 21 S-20
  watch(SIGUSR1);
  for (unsigned long i = 0; i < 2; i++) {
    tids[i] = 0;
    user::thread(user::thread_stack(), takes_any, i);
    while (!tids[i]) nap(1);
  }
  block(~0ul);
  for (int i = 0; i < 4; i++) {
    times = 0;
    kill(getpid(), SIGUSR1);
    while (!times) nap(1);
    MUST(last_tid != gettid());  // who does not block it
  }
  tgkill(gettid(), SIGUSR1);  // for one thread: it waits
  times = 0;
  nap(5);
  MUST(times == 0 && pending() == bit(SIGUSR1));
  block(0);
  MUST(times == 1 && last_tid == gettid());
  kill(getpid(), SIGUSR1);  // the caller itself comes first if it takes it
  MUST(times == 2 && last_tid == gettid());
  user::exit(0);
}

// A shared signal that nobody takes waits for the first to unblock it; one that a thread begins to block goes to another.
long unblocks_late(unsigned long) {
  tids[0] = static_cast<int>(gettid());
  nap(10);
  block(0);
  nap(50);
  return 0;
}
PROGRAM_CASE(shared_signals_wait_for_a_taker) {  // spec 21 S-5, S-20, S-32
  watch(SIGUSR1);
  block(~0ul);
  user::thread(user::thread_stack(), unblocks_late);
  kill(getpid(), SIGUSR1);
  nap(30);
  MUST(times == 1 && last_tid == tids[0]);
  user::exit(0);
}

PROGRAM_CASE(core_signals_end_all_threads) {  // spec 21 S-22, X-2
  const long pid = user::fork([](unsigned long) -> long {
    user::thread(user::thread_stack(), takes_any, 0);
    return takes_any(1);
  });
  nap(5);
  kill(pid, SIGQUIT);
  const Ended e = wait4(pid);
  MUST((e.status & 0x7f) == SIGQUIT);
  return 0;
}

// A thread that computes hears of a signal at once, and the signal interrupts a sleep (S-23).
long burns_for_ever(unsigned long) {
  for (;;) user::burn(1'000'000);
}
PROGRAM_CASE(running_threads_hear) {  // spec 21 S-23
  const long pid = user::fork(burns_for_ever);
  nap(3);
  kill(pid, SIGTERM);
  MUST(ends_by(pid, SIGTERM));
  return 0;
}

// ---- kill and its kin (section 15) -----------------------------------------------------------------------------------------------------

PROGRAM_CASE(kill_targets) {  // spec 21 S-24, S-25, section 15
  MUST(kill(99999, 65) == -ESRCH && kill(getpid(), 65) == -EINVAL && kill(getpid(), -1) == -EINVAL);
  MUST(kill(-99999, SIGTERM) == -ESRCH);
  tids[0] = 0;
  const long tid = user::thread(user::thread_stack(), takes_any, 0);
  while (!tids[0]) nap(1);
  watch(SIGUSR1);
  block(bit(SIGUSR1));
  MUST(kill(tid, SIGUSR1) == 0);  // any thread's number means its process
  while (!times) nap(1);
  MUST(last_tid == tid && last.si_code == SI_USER);
  MUST(sys(__NR_tgkill, getpid(), -1, 0) == -EINVAL && sys(__NR_tgkill, -1, tid, 0) == -EINVAL && sys(__NR_tkill, -3, 0) == -EINVAL);
  MUST(sys(__NR_tgkill, 1, tid, 0) == -ESRCH && sys(__NR_tkill, 99999, 0) == -ESRCH);
  user::exit(0);
}

long has_no_rights(unsigned long victim) {
  const long pid = static_cast<long>(victim);
  MUST(sys(__NR_setresuid, 1000, 1000, 1000) == 0);
  MUST(kill(pid, SIGTERM) == -EPERM && kill(pid, 0) == -EPERM && sys(__NR_tgkill, pid, pid, SIGTERM) == -EPERM);
  MUST(kill(pid, SIGCONT) == 0);  // one session
  const long fd = sys(__NR_pidfd_open, pid, 0);
  MUST(sys(__NR_pidfd_send_signal, fd, SIGTERM, 0, 0) == -EPERM);
  MUST(kill(-1, SIGTERM) == 0);  // nobody could be reached, and that is no error
  MUST(sys(__NR_setsid) > 0);
  MUST(kill(pid, SIGCONT) == -EPERM);
  const long group = user::fork(waits_for_signals);
  MUST(kill(0, SIGURG) == 0);
  MUST(kill(group, SIGTERM) == 0 && ends_by(group, SIGTERM));
  return 0;
}
PROGRAM_CASE(strangers_may_not) {  // spec 21 S-25
  const long victim = user::fork(waits_for_signals);
  MUST(ends_by(user::fork(has_no_rights, static_cast<unsigned long>(victim)), 0));
  kill(victim, SIGKILL);
  MUST(ends_by(victim, SIGKILL));
  return 0;
}

PROGRAM_CASE(kill_minus_one_spares_the_caller) {  // spec 21 section 15
  const long a = user::fork(waits_for_signals), b = user::fork(waits_for_signals);
  watch(SIGTERM);
  MUST(kill(-1, SIGTERM) == 0 && times == 0);
  MUST(ends_by(a, SIGTERM) && ends_by(b, SIGTERM));
  return 0;
}

// ---- Forced signals (section 16) ------------------------------------------------------------------------------------------------------------

long faults_with_blocked(unsigned long how) {
  if (how) user::sigaction(SIGSEGV, 1ul);
  watch(SIGUSR2);
  block(bit(SIGSEGV));
  return user::peek<int>(8);
}
PROGRAM_CASE(faults_cannot_be_blocked) {  // spec 21 S-26
  for (unsigned long ignored : {0ul, 1ul}) {
    const Ended e = wait4(user::fork(faults_with_blocked, ignored));
    MUST((e.status & 0x7f) == SIGSEGV);
  }
  return 0;
}

unsigned long fault_address;
PROGRAM_CASE(tag_bits_of_addresses) {  // spec 21 S-54: this machine has none to hide
  for (unsigned long flags : {0ul, static_cast<unsigned long>(SA_EXPOSE_TAGBITS)}) {
    fault_address = 0;
    const long pid = user::fork([](unsigned long f) -> long {
      user::sigaction(SIGSEGV, [](int, unsigned long info, unsigned long) {
        fault_address = reinterpret_cast<unsigned long>(user::peek<siginfo_t>(info).k.si_addr);
        user::exit(0);
      }, SA_SIGINFO | f);
      return user::peek<int>(0x7f0012345008);
    }, flags);
    MUST(ends_by(pid, 0) && fault_address == 0x7f0012345008);
  }
  return 0;
}

long handler_without_stack(unsigned long sig) {
  user::sigaction(static_cast<int>(sig), note);
  user::sigaction(SIGSEGV, note);
  user::regs().sp = 64;  // nothing is there
  kill(getpid(), static_cast<int>(sig));
  return 0;
}
PROGRAM_CASE(no_room_for_a_frame) {  // spec 21 S-27: and none for SIGSEGV's either
  for (int sig : {SIGUSR1, SIGSEGV}) MUST((wait4(user::fork(handler_without_stack, static_cast<unsigned long>(sig))).status & 0x7f) == SIGSEGV);
  return 0;
}
PROGRAM_CASE(segv_on_the_alternate_stack) {  // spec 21 S-27, S-50: the forced SIGSEGV may have a handler that fits elsewhere
  const Ended e = wait4(user::fork([](unsigned long) -> long {
    Var<stack_t> s(stack_t{reinterpret_cast<void*>(user::map(65536)), 0, 65536});
    sys(__NR_sigaltstack, s.addr(), 0);
    user::sigaction(SIGUSR1, note);
    user::sigaction(SIGSEGV, [](int, unsigned long info, unsigned long) {
      user::exit(user::peek<siginfo_t>(info).k.si_code == SI_KERNEL ? 7 : 8);
    }, SA_SIGINFO | SA_ONSTACK);
    user::regs().sp = 64;
    kill(getpid(), SIGUSR1);
    return 1;
  }));
  MUST(e.status == exited(7));
  return 0;
}
PROGRAM_CASE(no_restorer) {  // spec 21 S-52
  const Ended e = wait4(user::fork([](unsigned long) -> long {
    struct sigaction sa{};
    sa.sa_handler = reinterpret_cast<__sighandler_t>(0x1000);
    Var<struct sigaction> act(sa);
    sys(__NR_rt_sigaction, SIGUSR1, act.addr(), 0, 8);
    kill(getpid(), SIGUSR1);
    return 0;
  }));
  MUST((e.status & 0x7f) == SIGSEGV);
  return 0;
}

// ---- Delivery (section 17) ---------------------------------------------------------------------------------------------------------------------

int order[16], ordered;
void note_order(int sig, unsigned long, unsigned long) { order[ordered++] = sig; }
PROGRAM_CASE(order_of_delivery) {  // spec 21 S-30, S-31: taken lowest first, so the frames run highest first
  ordered = 0;
  const int sent[] = {SIGTERM, 40, SIGUSR1, SIGSEGV, 36, SIGCHLD, SIGTRAP, SIGHUP};
  for (int sig : sent) user::sigaction(sig, note_order);
  user::sigaction(SIGINT, note_order);
  block(~0ul);
  for (int sig : sent) tgkill(gettid(), sig);
  kill(getpid(), SIGINT);
  block(0);
  const int expected[] = {SIGINT, 40, 36, SIGCHLD, SIGTERM, SIGUSR1, SIGHUP, SIGSEGV, SIGTRAP};
  MUST(ordered == 9);
  for (int i = 0; i < 9; i++) MUST(order[i] == expected[i]);
  return 0;
}

PROGRAM_CASE(resethand_and_nodefer) {  // spec 21 section 17 step 9, S-53
  watch(SIGUSR1, SA_RESETHAND | SA_NODEFER);
  kill(getpid(), SIGUSR1);
  Var<struct sigaction> old;
  MUST(times == 1 && sys(__NR_rt_sigaction, SIGUSR1, 0, old.addr(), 8) == 0 && old.get().sa_handler == SIG_DFL);
  MUST(old.get().sa_flags & SA_RESETHAND);
  static int depth, deepest;
  depth = deepest = 0;
  user::sigaction(SIGUSR2, [](int, unsigned long, unsigned long) {
    if (++depth > deepest) deepest = depth;
    if (depth < 3) kill(getpid(), SIGUSR2);
    depth--;
  }, SA_NODEFER);
  kill(getpid(), SIGUSR2);
  MUST(deepest == 3);
  return 0;
}

// ---- Frames (section 19) -------------------------------------------------------------------------------------------------------------------------

pt_regs at_entry;
unsigned long frame_flags, frame_cs;
void registers(int, unsigned long, unsigned long uc) {
  at_entry = user::regs();
  SigContext c = user::peek<SigContext>(uc + 0x28);
  frame_flags = c.flags, frame_cs = c.cs;
  c.flags |= 0x3000 | 0x800;                  // I/O privilege, which nobody may have, and overflow
  c.flags &= ~static_cast<u64>(X86_EFLAGS_IF);
  c.r12 = 0x1212;
  user::poke(uc + 0x28, c);
  user::poke<u64>(uc + 0x128, bit(SIGKILL) | bit(SIGSTOP) | bit(SIGHUP));
}
PROGRAM_CASE(registers_of_a_handler) {  // spec 21 S-51, S-56
  user::sigaction(SIGUSR1, registers, SA_SIGINFO);
  pt_regs& r = user::regs();
  const unsigned long flags = r.flags;
  r.flags |= X86_EFLAGS_DF;
  kill(getpid(), SIGUSR1);
  MUST(at_entry.di == SIGUSR1 && at_entry.ax == 0 && at_entry.sp % 16 == 8 && at_entry.cs == USER_CS);
  MUST(!(at_entry.flags & X86_EFLAGS_DF) && (frame_flags & X86_EFLAGS_DF) && frame_cs == USER_CS);
  MUST((r.flags & X86_EFLAGS_DF) && (r.flags & 0x800) && !(r.flags & 0x3000) && (r.flags & X86_EFLAGS_IF) == (flags & X86_EFLAGS_IF));
  MUST(r.r12 == 0x1212);
  MUST(mask_now() == bit(SIGHUP));
  r.flags = flags;
  return 0;
}

PROGRAM_CASE(sigreturn_of_nothing) {  // spec 21 S-56
  for (unsigned long sp : {64ul, 0x7ffffffff000ul, ~0ul, 0x8000000000000000ul}) {
    const Ended e = wait4(user::fork([](unsigned long where) -> long {
      user::regs().sp = where;
      sys(__NR_rt_sigreturn);
      return 0;
    }, sp));
    MUST((e.status & 0x7f) == SIGSEGV);
  }
  return 0;
}

PROGRAM_CASE(altstack_rules) {  // spec 21 S-57, S-58; asked of a real 6.1
  Var<stack_t> s, old;
  auto set = [&](unsigned long sp, unsigned flags, size_t size) {
    s.set(stack_t{reinterpret_cast<void*>(sp), static_cast<int>(flags), size});
    return sys(__NR_sigaltstack, s.addr(), old.addr());
  };
  auto now = [&] {
    sys(__NR_sigaltstack, 0, old.addr());
    return old.get();
  };
  MUST(set(0x10000, SS_DISABLE | SS_ONSTACK, 8192) == -EINVAL && set(0x10000, 4, 8192) == -EINVAL);
  MUST(set(0x10000, SS_ONSTACK, 8192) == 0 && now().ss_flags == 0 && now().ss_size == 8192);
  MUST(set(0x20000, SS_DISABLE | SS_AUTODISARM, 8192) == 0);
  MUST(static_cast<unsigned>(now().ss_flags) == (SS_DISABLE | SS_AUTODISARM) && !now().ss_sp && !now().ss_size);
  MUST(set(0x10000, 0, 2047) == -ENOMEM && set(0x10000, 0, 2048) == 0);
  MUST(set(0x10000, 0, ~0ul) == 0 && old.get().ss_size == 2048);  // the old one is told
  MUST(set(0x30000, 0, 4096) == -EPERM && now().ss_flags == SS_ONSTACK);  // we are on that one, it is everywhere
  MUST(sys(__NR_sigaltstack, 8, 0) == -EFAULT && sys(__NR_sigaltstack, 0, 8) == -EFAULT);
  return 0;
}

stack_t inside;
long change_inside;
PROGRAM_CASE(autodisarm) {  // spec 21 S-53, S-56, S-58
  const unsigned long base = user::map(65536), other = user::map(65536);
  static unsigned long other_base;
  other_base = other;
  Var<stack_t> s(stack_t{reinterpret_cast<void*>(base), static_cast<int>(SS_AUTODISARM), 65536}), now;
  MUST(sys(__NR_sigaltstack, s.addr(), 0) == 0);
  user::sigaction(SIGUSR1, [](int, unsigned long, unsigned long uc) {
    Var<stack_t> v;
    sys(__NR_sigaltstack, 0, v.addr());
    inside = v.get();
    v.set(stack_t{reinterpret_cast<void*>(other_base), 0, 65536});
    change_inside = sys(__NR_sigaltstack, v.addr(), 0);
    last_sig = static_cast<int>(user::peek<stack_t>(uc + 0x10).ss_size);
  }, SA_SIGINFO | SA_ONSTACK);
  kill(getpid(), SIGUSR1);
  MUST(static_cast<unsigned>(inside.ss_flags) == SS_DISABLE && change_inside == 0 && last_sig == 65536);
  sys(__NR_sigaltstack, 0, now.addr());
  MUST(now.get().ss_sp == reinterpret_cast<void*>(base) && static_cast<unsigned>(now.get().ss_flags) == SS_AUTODISARM);
  return 0;
}

// Handlers that pile up on a small alternate stack overflow it: SIGSEGV, not memory beside it.
PROGRAM_CASE(altstack_overflow) {  // spec 21 S-50
  const Ended e = wait4(user::fork([](unsigned long) -> long {
    const unsigned long base = user::map(3 * 4096);
    Var<stack_t> s(stack_t{reinterpret_cast<void*>(base + 4096), 0, 4096});
    sys(__NR_sigaltstack, s.addr(), 0);
    user::sigaction(SIGUSR1, [](int, unsigned long, unsigned long) { kill(getpid(), SIGUSR1); }, SA_ONSTACK | SA_NODEFER);
    kill(getpid(), SIGUSR1);
    return 0;
  }));
  MUST((e.status & 0x7f) == SIGSEGV);
  return 0;
}

// ---- Init's protection (section 20) -------------------------------------------------------------------------------------------------------------

int ns_stage;
long inits_life(unsigned long) {
  MUST(getpid() == 1);
  for (int sig : {SIGKILL, SIGSTOP, SIGTERM, SIGSEGV, SIGHUP}) MUST(kill(1, sig) == 0);  // its own: dropped
  block(bit(SIGHUP));
  kill(1, SIGHUP);
  MUST(pending() == bit(SIGHUP));
  block(0);  // dropped at delivery
  watch(SIGUSR1);
  kill(1, SIGUSR1);
  MUST(times == 1 && last.si_pid == 1);
  const long child = user::fork([](unsigned long) -> long {
    MUST(kill(1, SIGKILL) == 0 && kill(1, SIGTERM) == 0);
    return 0;
  });
  MUST(ends_by(child, 0));
  ns_stage = 1;
  while (times < 2) nap(1);
  MUST(last.si_pid == 0 && last.si_code == SI_USER);  // from above
  ns_stage = 2;
  return waits_for_signals(0);
}
PROGRAM_CASE(a_namespaces_init) {  // spec 21 S-12, S-14, S-18, S-60, X-23, section 20
  ns_stage = 0;
  const long pid = user::clone(CLONE_NEWPID | SIGCHLD, 0, inits_life);
  MUST(pid > 0);
  for (int i = 0; i < 500 && ns_stage < 1; i++) nap(1);
  MUST(ns_stage == 1 && kill(pid, SIGUSR1) == 0);
  for (int i = 0; i < 500 && ns_stage < 2; i++) nap(1);
  MUST(ns_stage == 2);
  MUST(kill(pid, SIGTERM) == 0);  // by default: dropped, even from above
  nap(3);
  MUST(wait4(pid, WNOHANG).pid == 0);
  kill(pid, SIGSTOP);
  MUST(wait4(pid, WUNTRACED).status == stopped(SIGSTOP));
  kill(pid, SIGCONT);
  kill(pid, SIGKILL);
  MUST(ends_by(pid, SIGKILL));
  return 0;
}

long inits_new_program(unsigned long) {
  kill(1, SIGKILL);
  kill(1, SIGTERM);
  return 3;
}
long init_execs(unsigned long) {
  static unsigned char elf[user::kElfSize];
  const size_t size = user::make_elf(inits_new_program, elf, sizeof(elf));
  user::Str path("/init2");
  const long fd = sys(__NR_open, path.addr(), O_RDWR | O_CREAT, 0755);
  const unsigned long at = user::map(sizeof(elf));
  user::write_bytes(at, elf, size);
  MUST(sys(__NR_write, fd, at, size) == static_cast<long>(size) && sys(__NR_close, fd) == 0);
  return sys(__NR_execve, path.addr(), 0, 0);
}
// spec 60 E-3
PROGRAM_CASE(a_signalfd_is_polled) {
  block(bit(SIGUSR1));
  Var<u64> set(bit(SIGUSR1));
  const long fd = sys(__NR_signalfd4, -1, set.addr(), 8, 0);
  MUST(fd >= 0);
  struct Poll {
    int fd;
    short events, revents;
  };
  Var<Poll> poll(Poll{static_cast<int>(fd), 1 /* POLLIN */, 0});
  MUST(sys(__NR_poll, poll.addr(), 1, 0) == 0);
  kill(getpid(), SIGUSR1);
  MUST(sys(__NR_poll, poll.addr(), 1, 0) == 1 && poll.get().revents == 1);
  return 0;
}
PROGRAM_CASE(exec_keeps_the_protection) {  // spec 21 S-61
  const long pid = user::clone(CLONE_NEWPID | SIGCHLD, 0, init_execs);
  MUST(pid > 0 && ends_by(pid, exited(3)));
  return 0;
}

long init_faults(unsigned long) { return user::peek<int>(8); }
PROGRAM_CASE(an_init_dies_of_its_fault) {  // spec 21 S-26, section 20
  const long pid = user::clone(CLONE_NEWPID | SIGCHLD, 0, init_faults);
  const Ended e = wait4(pid);
  MUST(e.pid == pid && (e.status & 0x7f) == SIGSEGV);
  return 0;
}

// ---- exec and fork (section 21) --------------------------------------------------------------------------------------------------------------------

long after_exec(unsigned long) {
  Var<struct sigaction> old;
  MUST(sys(__NR_rt_sigaction, SIGUSR1, 0, old.addr(), 8) == 0 && old.get().sa_handler == SIG_DFL);
  for (int sig : {SIGUSR2, SIGCHLD}) MUST(sys(__NR_rt_sigaction, sig, 0, old.addr(), 8) == 0 && old.get().sa_handler == SIG_IGN);
  MUST(mask_now() == bit(SIGHUP) && pending() == bit(SIGHUP));
  Var<stack_t> s;
  sys(__NR_sigaltstack, 0, s.addr());
  MUST(s.get().ss_flags == SS_DISABLE);
  return 0;
}
long signals_then_exec(unsigned long) {
  static unsigned char elf[user::kElfSize];
  const size_t size = user::make_elf(after_exec, elf, sizeof(elf));
  user::Str path("/after_exec");
  const long fd = sys(__NR_open, path.addr(), O_RDWR | O_CREAT, 0755);
  const unsigned long at = user::map(sizeof(elf));
  user::write_bytes(at, elf, size);
  MUST(sys(__NR_write, fd, at, size) == static_cast<long>(size) && sys(__NR_close, fd) == 0);
  watch(SIGUSR1);
  user::sigaction(SIGUSR2, 1ul);
  user::sigaction(SIGCHLD, 1ul);
  Var<stack_t> s(stack_t{reinterpret_cast<void*>(user::map(8192)), 0, 8192});
  sys(__NR_sigaltstack, s.addr(), 0);
  block(bit(SIGHUP));
  kill(getpid(), SIGHUP);
  return sys(__NR_execve, path.addr(), 0, 0);
}
PROGRAM_CASE(exec_and_signals) {  // spec 21 section 21
  MUST(ends_by(user::fork(signals_then_exec), 0));
  return 0;
}

PROGRAM_CASE(fork_and_signals) {  // spec 21 section 21, 20 section 18
  watch(SIGUSR1);
  block(bit(SIGUSR2));
  kill(getpid(), SIGUSR2);
  Var<stack_t> s(stack_t{reinterpret_cast<void*>(0x10000), 0, 8192});
  sys(__NR_sigaltstack, s.addr(), 0);
  const long pid = user::fork([](unsigned long) -> long {
    MUST(pending() == 0 && mask_now() == bit(SIGUSR2));
    Var<stack_t> now;
    sys(__NR_sigaltstack, 0, now.addr());
    MUST(now.get().ss_size == 8192);
    kill(getpid(), SIGUSR1);
    MUST(times == 1);
    return 0;
  });
  MUST(ends_by(pid, 0) && pending() == bit(SIGUSR2));
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(sigaction_reads_back), KUNIT_CASE(ignoring_discards), KUNIT_CASE(sigprocmask_rules), KUNIT_CASE(sigpending_rules),
    KUNIT_CASE(awaited_signals_do_not_kill), KUNIT_CASE(sigsuspend_saves_the_first_mask), KUNIT_CASE(who_sent_it),
    KUNIT_CASE(stop_and_cont_cancel), KUNIT_CASE(cont_continues_in_any_case), KUNIT_CASE(group_signals_go_round),
    KUNIT_CASE(shared_signals_wait_for_a_taker), KUNIT_CASE(core_signals_end_all_threads), KUNIT_CASE(running_threads_hear),
    KUNIT_CASE(kill_targets), KUNIT_CASE(strangers_may_not), KUNIT_CASE(kill_minus_one_spares_the_caller),
    KUNIT_CASE(faults_cannot_be_blocked), KUNIT_CASE(tag_bits_of_addresses), KUNIT_CASE(no_room_for_a_frame), KUNIT_CASE(segv_on_the_alternate_stack),
    KUNIT_CASE(no_restorer), KUNIT_CASE(order_of_delivery), KUNIT_CASE(resethand_and_nodefer), KUNIT_CASE(registers_of_a_handler),
    KUNIT_CASE(sigreturn_of_nothing), KUNIT_CASE(altstack_rules), KUNIT_CASE(autodisarm), KUNIT_CASE(altstack_overflow),
    KUNIT_CASE(a_namespaces_init), KUNIT_CASE(a_signalfd_is_polled), KUNIT_CASE(exec_keeps_the_protection), KUNIT_CASE(an_init_dies_of_its_fault),
    KUNIT_CASE(exec_and_signals), KUNIT_CASE(fork_and_signals), {},
};
kunit_suite suite = {.name = "signal_delivery", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
