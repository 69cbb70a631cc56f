// Operations: waiting for children, signals, timers that send them.
// SPDX-License-Identifier: Apache-2.0
#include <linux/ptrace.h>
#include <uapi/linux/signal.h>
#include <uapi/linux/wait.h>

#include "test/fuzz/program.hh"

namespace fuzz {
namespace {

struct TimeSpec {
  long sec, nsec;
};
TimeSpec some_time(Stream& in) {
  constexpr long kNs[] = {0, 1, 1000, 1'000'000, 5'000'000, -1, 1'000'000'000};
  return {0, in.pick(kNs)};
}
unsigned wait_options(Stream& in) {
  constexpr unsigned kBits[] = {WNOHANG, WUNTRACED, WEXITED, WCONTINUED, WNOWAIT, __WNOTHREAD, __WALL, __WCLONE};
  unsigned options = 0;
  const u8 bits = in.byte();
  for (unsigned i = 0; i < 8; i++)
    if (bits >> i & 1) options |= kBits[i];
  return options;
}

// One operation inside of a handler, unless the handlers nest too deep.
void handler(int, unsigned long, unsigned long) {
  if (shared.in.over()) return;
  if (shared.second_table) {
    if (own_depth() >= kMaxDepth) return;
    own_depth()++;
    tally("operation in a handler", 0);
    run_op(shared.in);
    if (own_depth()) own_depth()--;
    return;
  }
  if (shared.handlers >= 4) return;  // who dies in one counts for good
  shared.handlers++;
  run_op(shared.in);
  shared.handlers--;
}

u64 some_mask(Stream& in) {
  const u8 how = in.byte();
  if (how < 64) return 0;
  if (how < 128) return ~0ull;
  if (how < 192) return 1ull << (some_signal(in) & 63);
  return in.word() | static_cast<u64>(in.word()) << 32;
}

}  // namespace

// ---- Wait --------------------------------------------------------------------------------------------------------------

void op_wait4(Stream& in) {
  Var<int> status;
  user::Frame usage(144);
  const unsigned options = wait_options(in);
  const int pid = some_pid(in);
  // Without WNOHANG only sometimes: many would sleep for good.
  const unsigned nohang = in.byte() < 200 ? WNOHANG : 0;
  sys(__NR_wait4, pid, some_address(in, status.addr()), (options & ~(WEXITED | WNOWAIT)) | nohang, some_address(in, usage.addr()));
}

void op_waitid(Stream& in) {
  user::Frame info(128);
  const unsigned type = in.below(5), options = wait_options(in) | (shared.second_table ? WEXITED : 0u);
  const int id = type == P_PIDFD ? some_fd(in) : some_pid(in);
  const unsigned nohang = in.byte() < 200 ? WNOHANG : 0;
  sys(__NR_waitid, type, id, some_address(in, info.addr()), options | nohang, 0);
}

// Whatever is dead.
void op_reap(Stream&) {
  for (int i = 0; i < 4; i++)
    if (sys(__NR_wait4, -1, 0, WNOHANG | __WALL, 0) <= 0) break;
}

// ---- Send ----------------------------------------------------------------------------------------------------------------

void op_kill(Stream& in) {
  const int pid = some_pid(in);
  sys(__NR_kill, pid, some_signal(in));
}
void op_tgkill(Stream& in) {
  const int tid = some_pid(in);
  const u8 how = in.byte();
  if (how < 64)
    sys(__NR_tkill, tid, some_signal(in));
  else
    sys(__NR_tgkill, how < 160 ? sys(__NR_getpid) : tid, tid, some_signal(in));
}
void op_sigqueue(Stream& in) {
  struct Info {
    int signo, errno_, code, pad;
    char rest[112];
  } info{};
  const int sig = some_signal(in), pid = some_pid(in);
  info.signo = sig;
  info.code = static_cast<s8>(in.byte());
  Var<Info> v(info);
  const u8 how = in.byte();
  if (how < 128)
    sys(__NR_rt_sigqueueinfo, pid, sig, some_address(in, v.addr()));
  else if (how < 192)
    sys(__NR_rt_tgsigqueueinfo, sys(__NR_getpid), pid, sig, v.addr());
  else
    sys(__NR_pidfd_send_signal, some_fd(in), sig, in.byte() < 128 ? 0 : v.addr(), 0);
}

// ---- Receive -------------------------------------------------------------------------------------------------------------

void op_sigaction(Stream& in) {
  constexpr unsigned long kFlags[] = {0, 1, 2, 4, 0x10000000, 0x40000000, 0x80000000, 0x08000000};  // SA_*
  const int sig = in.byte() < 100 ? SIGCHLD : some_signal(in);
  const unsigned long how = in.below(4), flags = in.pick(kFlags) | in.pick(kFlags);
  user::sigaction(sig, how >= 2 ? user::word(handler) : how, flags, in.byte() < 200 ? 0 : some_mask(in));
}

void op_sigmask(Stream& in) {
  Var<u64> mask(some_mask(in)), old;
  const unsigned how = in.below(4);
  sys(__NR_rt_sigprocmask, how, some_address(in, mask.addr()), some_address(in, old.addr()), 8);
  sys(__NR_rt_sigpending, old.addr(), 8);
}

void op_sigwait(Stream& in) {
  Var<u64> mask(some_mask(in));
  Var<TimeSpec> timeout(some_time(in));
  switch (in.below(4)) {
    case 0: sys(__NR_rt_sigsuspend, mask.addr(), 8); break;
    case 1: sys(__NR_pause); break;
    default: sys(__NR_rt_sigtimedwait, mask.addr(), 0, timeout.addr(), 8);
  }
}

void op_sleep(Stream& in) {
  Var<TimeSpec> t(some_time(in)), left;
  sys(__NR_nanosleep, t.addr(), left.addr());
}

void op_itimer(Stream& in) {
  struct Value {
    TimeSpec interval, value;  // as timeval: µs
  };
  Var<Value> v(Value{{0, in.byte() < 32 ? 3000 : 0}, {0, in.half() % 5000}});
  switch (in.below(3)) {
    case 0: sys(__NR_setitimer, in.below(4), some_address(in, v.addr()), 0); break;
    case 1: sys(__NR_alarm, in.below(2)); break;
    default: {
      Var<int> id;
      if (sys(__NR_timer_create, in.below(3), 0, id.addr()) == 0) sys(__NR_timer_settime, id.get(), 0, v.addr(), 0);
    }
  }
}

}  // namespace fuzz
