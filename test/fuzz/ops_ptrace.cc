// Operations: tracing. Who is traced by whom and stopped where is what fork, exit, wait and signals must get right.
// SPDX-License-Identifier: Apache-2.0
#include <linux/list.h>
#include <uapi/linux/ptrace.h>
#include <uapi/linux/wait.h>

#include "kernel/pid/pid.hh"
#include "kernel/task/task.hh"
#include "test/fuzz/program.hh"

namespace fuzz {
namespace {

// The caller's n-th tracee or so, 0 if it has none. Looks at the kernel's list: a debugger would remember.
int some_tracee(Stream& in) {
  int numbers[8];
  unsigned n = 0;
  task_struct* t;
  list_for_each_entry(t, &current->ptraced, ptrace_entry)
    if (n < 8) numbers[n++] = task_pid_vnr(t);
  const u8 which = in.byte();
  return n ? numbers[which % n] : which >= 240 ? some_pid(in) : 0;
}

// Half of the time all events of forks and exits, else any.
unsigned long some_options(Stream& in) {
  const u8 how = in.byte();
  if (how < 64) return 0;
  if (how < 160) return PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT;
  return (in.byte() & ~(1u << PTRACE_EVENT_SECCOMP)) | (how & 1 ? PTRACE_O_EXITKILL : 0u) | (how == 160 ? 1u << 30 : 0u);
}

struct Request {
  long nr;
  const char* name;
};
#define REQUEST(name) {PTRACE_##name, "ptrace " #name}
long trace(const Request& r, int pid, unsigned long addr, unsigned long data) {
  const long result = sys(__NR_ptrace, r.nr, pid, addr, data);
  tally(r.name, result);
  return result;
}

// Registers go back as they came: a hosted program's others would lead nowhere.
void registers(int pid) {
  constexpr Request kGet = REQUEST(GETREGS), kSet = REQUEST(SETREGS);
  user::Frame regs(27 * 8);
  if (trace(kGet, pid, 0, regs.addr()) == 0) trace(kSet, pid, 0, regs.addr());
}

void look(Stream& in, int pid) {
  constexpr Request kInfo[] = {REQUEST(GETSIGINFO), REQUEST(GETEVENTMSG)};
  constexpr Request kPeek = REQUEST(PEEKDATA), kPoke = REQUEST(POKEDATA), kPending = REQUEST(PEEKSIGINFO);
  constexpr Request kMasks[] = {REQUEST(GETSIGMASK), REQUEST(SETSIGMASK)};
  user::Frame buffer(256);
  switch (in.below(5)) {
    case 0: trace(in.pick(kInfo), pid, 0, some_address(in, buffer.addr())); break;
    case 1: trace(kPeek, pid, some_address(in, kScratch), buffer.addr()); break;
    case 2: trace(kPoke, pid, kScratch + 8 * in.byte(), in.byte()); break;
    case 3: {
      struct Which {
        u64 from;
        u32 flags;
        int count;
      };
      Var<Which> which(Which{in.below(3), in.below(3), 2});
      trace(kPending, pid, which.addr(), buffer.addr());
      break;
    }
    default: {
      Var<u64> mask(in.byte() < 128 ? 0ull : 1ull << (in.byte() & 63));
      trace(in.pick(kMasks), pid, 8, mask.addr());
    }
  }
}

constexpr Request kGoOn[] = {REQUEST(CONT), REQUEST(CONT), REQUEST(CONT),   REQUEST(SYSCALL), REQUEST(SYSCALL),
                             REQUEST(SINGLESTEP), REQUEST(LISTEN), REQUEST(DETACH), REQUEST(SYSEMU)};

}  // namespace

void op_ptrace(Stream& in) {
  constexpr Request kSeize = REQUEST(SEIZE), kAttach = REQUEST(ATTACH), kMe = REQUEST(TRACEME);
  const u8 how = in.byte();
  if (how < 60) return (void)trace(kMe, 0, 0, 0);
  const int pid = some_relative(in);
  if (how < 120)
    trace(kAttach, pid, 0, 0);
  else
    trace(kSeize, pid, how >= 250, some_options(in));
}

void op_request(Stream& in) {
  constexpr Request kInterrupt = REQUEST(INTERRUPT), kKill = REQUEST(KILL), kOptions = REQUEST(SETOPTIONS);
  const int pid = some_tracee(in);
  if (!pid) return;
  switch (const u8 how = in.byte(); how % 8) {
    case 0:
    case 1: trace(kInterrupt, pid, 0, 0); break;
    case 2: trace(kOptions, pid, 0, some_options(in)); break;
    case 3: registers(pid); break;
    case 4: trace(how < 32 ? kKill : kInterrupt, pid, 0, 0); break;
    case 5: trace(in.pick(kGoOn), pid, 0, some_signal(in)); break;
    default: look(in, pid);
  }
}

// As a debugger's loop: waits for what is there, lets it go on with the signal that it stopped for, or without.
void op_resume(Stream& in) {
  for (int turns = 1 + in.below(4); turns; turns--) {
    Var<int> status(0);
    const u8 how = in.byte();
    const long pid = sys(__NR_wait4, -1, status.addr(), __WALL | (how < 250 ? WNOHANG : 0), 0);
    if (pid <= 0) break;
    if ((status.get() & 0xff) != 0x7f) continue;
    const int sig = status.get() >> 8 & 0x7f;
    trace(in.pick(kGoOn), static_cast<int>(pid), 0, how & 1 && sig != 5 ? sig : 0);
  }
}

}  // namespace fuzz
