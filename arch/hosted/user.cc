// The program's half of user mode: what stands for the instructions of a user program. Runs on user fibers.
// SPDX-License-Identifier: Apache-2.0
#include "arch/hosted/user.hh"

#include <linux/string.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>

#include "arch/hosted/parallel.hh"
#include "arch/hosted/user_entry.hh"
#include "arch/hosted/walk.hh"
#include "kernel/task/task.hh"

namespace hosted {
namespace {

// Stand for addresses of user code: where a program is while it is in the kernel. Spaced like instructions, so that the
// kernel's "two bytes back" for a restarted system call means something. Never executed.
alignas(64) const char code_addresses[64] = {};
const unsigned long kAfterSyscall = reinterpret_cast<unsigned long>(&code_addresses[16]);
const unsigned long kAtAccess = reinterpret_cast<unsigned long>(&code_addresses[32]);
const unsigned long kAtBurn = reinterpret_cast<unsigned long>(&code_addresses[40]);
const unsigned long kRestorer = reinterpret_cast<unsigned long>(&code_addresses[48]);
constexpr int kSyscallLength = 2;
constexpr unsigned long kEndsThread = 0x7468726561640001;  // in r13: return from fn is exit, not exit_group

HOSTED_ENGINE hosted_user* self() { return hosted_current()->thread.user; }

// Leaves user mode; returns when the kernel lets the program go on, maybe on another CPU, maybe with other registers.
HOSTED_ENGINE void leave(const arch::UserExit& why) {
  hosted_user* u = self();
  u->exit = why;
  Cpu& c = this_cpu();
  c.running = &u->task->thread.fiber;
  c.irqs_on = false;
  edge_from(&u->order);
  fiber_switch(&u->fiber, &u->task->thread.fiber, Leaving::Returns);
  edge_to(&u->order);
}

HOSTED_ENGINE void enter_syscall(pt_regs* r, unsigned long nr, unsigned long after) {
  r->orig_ax = nr;
  r->ax = static_cast<unsigned long>(-38);
  r->ip = r->cx = after;
  r->r11 = r->flags;
  leave({arch::UserExitKind::Syscall, 0, 0, 0});
}

// A child forked inside of a handler has the handler's stack pointer too, but not its third argument, the ucontext.
bool at_handler(pt_regs* r) { return r->dx == r->sp + 8 && user::peek<unsigned long>(r->sp) == kRestorer; }

void leave_and_come_back(const arch::UserExit& why, unsigned long at);

// No program has code in the lowest page, nor behind its last system call (an rt_sigreturn that a tracer has left out): the
// fetch of an instruction there faults.
bool has_code(unsigned long ip) {
  const unsigned long stand_ins = reinterpret_cast<unsigned long>(code_addresses);
  return ip >= 4096 && ip - stand_ins >= sizeof code_addresses;
}
void fetch() {
  while (!has_code(self()->regs->ip)) {
    const unsigned long ip = self()->regs->ip;
    leave_and_come_back({arch::UserExitKind::Fault, 14, arch::kFaultUser | arch::kFaultFetch, ip}, ip);
  }
}

// The kernel has made a signal frame: runs the handler, then returns through it, as its restorer would.
void run_handler() {
  fetch();
  pt_regs* r = self()->regs;
  auto handler = reinterpret_cast<user::Handler>(r->ip);
  unsigned long frame = r->sp;
  note(kEventSignal, 0, r->di);
  handler(static_cast<int>(r->di), r->si, r->dx);
  r->sp = frame + sizeof(unsigned long);
  enter_syscall(r, __NR_rt_sigreturn, kAfterSyscall);
}

[[noreturn]] void run_program() {
  fetch();
  pt_regs* r = self()->regs;
  bool thread = r->r13 == kEndsThread;
  auto fn = reinterpret_cast<user::Fn>(r->ip);
  long status = fn(r->r12);
  for (;;) user::sys(thread ? __NR_exit : __NR_exit_group, status);
}

enum class Where { There, BeforeSyscall };
// Follows the registers wherever the kernel has sent the program, until it is at `ip` again.
Where go_on_to(unsigned long ip, unsigned long sp) {
  for (;;) {
    pt_regs* r = self()->regs;
    if (r->sp == sp && r->ip == ip) return Where::There;
    if (r->sp == sp && r->ip == ip - kSyscallLength) return Where::BeforeSyscall;
    if (!at_handler(r)) run_program();
    run_handler();
  }
}

void leave_and_come_back(const arch::UserExit& why, unsigned long at) {
  pt_regs* r = self()->regs;
  unsigned long ip = r->ip, sp = r->sp;
  r->orig_ax = ~0ul;
  r->ip = at;
  leave(why);
  go_on_to(at, sp);
  r->ip = ip;
}

// An instruction has been executed: the trap flag, if it was set before, ends it with #DB.
constexpr unsigned kSingleStep = 0x4000;
void end_instruction(bool traps) {
  if (traps) leave_and_come_back({arch::UserExitKind::Exception, 1, kSingleStep, 0}, kAtAccess);
}
bool trap_flag() { return self()->regs->flags & X86_EFLAGS_TF; }

long do_syscall_at(long nr, const unsigned long (&a)[6], unsigned long after) {
  pt_regs* r = self()->regs;
  r->di = a[0], r->si = a[1], r->dx = a[2], r->r10 = a[3], r->r8 = a[4], r->r9 = a[5];
  unsigned long number = static_cast<unsigned long>(nr), sp = r->sp;
  for (;;) {
    enter_syscall(r, number, after);
    if (go_on_to(after, sp) == Where::There) return static_cast<long>(r->ax);
    number = r->ax;  // restarted: as the instruction would, with the number in ax
  }
}

template <class Move>
HOSTED_ENGINE bool reach(unsigned long addr, unsigned kind, unsigned* error, unsigned long part, Move& move) {
  parallel::Reach translated;
  char* p = walk(addr, kind | arch::kFaultUser, error);
  if (p) move(p, part);
  return p;
}

// One page at a time, each with the access rights of a user-mode instruction.
template <class Move>
void access(unsigned long addr, size_t n, unsigned kind, Move move) {
  const bool traps = trap_flag();
  while (n) {
    unsigned long part = 4096 - (addr & 4095);
    if (part > n) part = n;
    unsigned error;
    if (reach(addr, kind, &error, part, move)) {
      addr += part, n -= part;
    } else {
      leave_and_come_back({arch::UserExitKind::Fault, 14, error, addr}, kAtAccess);
    }
    if (engine.parallel && parallel::pending(this_cpu()))  // else a program that looks at its memory in a loop keeps its CPU for ever
      leave_and_come_back({arch::UserExitKind::Interrupt, 0, 0, 0}, kAtAccess);
  }
  end_instruction(traps);
}

HOSTED_ENGINE __attribute__((__noinline__)) void move_user(char* dst, const char* src, size_t n) {
  asm volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
}

long new_task(long nr, const unsigned long (&args)[6], user::Fn fn, unsigned long arg, unsigned long kind) {
  pt_regs* r = self()->regs;
  unsigned long r12 = r->r12, r13 = r->r13;
  r->r12 = arg;
  r->r13 = kind;
  long ret = do_syscall_at(nr, args, reinterpret_cast<unsigned long>(fn));
  r->r12 = r12, r->r13 = r13;
  return ret;
}

}  // namespace

HOSTED_ENGINE void user_main(void* p) {
  fiber_arrived();
  edge_to(&static_cast<hosted_user*>(p)->order);
  while (at_handler(self()->regs)) run_handler();
  run_program();
}

}  // namespace hosted

namespace user {

using hosted::engine;
using hosted::self;

long syscall6(long nr, const unsigned long (&args)[6]) { return hosted::do_syscall_at(nr, args, hosted::kAfterSyscall); }

void read_bytes(void* dst, unsigned long addr, size_t n) {
  auto* to = static_cast<char*>(dst);
  hosted::access(addr, n, 0, [&](char* p, size_t part) {
    hosted::move_user(to, p, part);
    to += part;
  });
}

void write_bytes(unsigned long addr, const void* src, size_t n) {
  auto* from = static_cast<const char*>(src);
  hosted::access(addr, n, arch::kFaultWrite, [&](char* p, size_t part) {
    hosted::move_user(p, from, part);
    from += part;
  });
}

unsigned compare_exchange(unsigned long addr, unsigned old, unsigned desired) {
  hosted::access(addr, sizeof old, arch::kFaultWrite, [&](char* p, size_t) __attribute__((no_sanitize("thread"))) {
    __atomic_compare_exchange_n(reinterpret_cast<unsigned*>(p), &old, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  });
  return old;
}

pt_regs& regs() { return *self()->regs; }

Frame::Frame(size_t n) : before_(regs().sp) { addr_ = regs().sp = (before_ - n) & ~15ul; }
Frame::~Frame() { regs().sp = before_; }

long fork(Fn fn, unsigned long arg) { return hosted::new_task(__NR_fork, {}, fn, arg, 0); }
long vfork(Fn fn, unsigned long arg) { return hosted::new_task(__NR_vfork, {}, fn, arg, 0); }

long clone(unsigned long flags, unsigned long stack, Fn fn, unsigned long arg, unsigned long parent_tid,
           unsigned long child_tid, unsigned long tls) {
  unsigned long kind = flags & CLONE_THREAD ? hosted::kEndsThread : 0;
  return hosted::new_task(__NR_clone, {flags, stack, parent_tid, child_tid, tls}, fn, arg, kind);
}

long clone3(unsigned long args, size_t size, unsigned long flags, Fn fn, unsigned long arg) {
  return hosted::new_task(__NR_clone3, {args, size}, fn, arg, flags & CLONE_THREAD ? hosted::kEndsThread : 0);
}

long thread(unsigned long stack, Fn fn, unsigned long arg) {
  return clone(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, stack, fn, arg);
}

unsigned long map(size_t n) {
  constexpr unsigned long kReadWrite = 3, kPrivateAnonymous = 0x22;
  return static_cast<unsigned long>(sys(__NR_mmap, 0, n, kReadWrite, kPrivateAnonymous, -1, 0));
}
unsigned long thread_stack() { return map(64 << 10) + (64 << 10) - 64; }  // a program may look at its stack pointer

long sigaction(int sig, unsigned long handler, unsigned long flags, unsigned long mask) {
  struct {
    unsigned long handler, flags, restorer, mask;
  } act{handler, flags | 0x04000000 /* SA_RESTORER */, hosted::kRestorer, mask};
  Var<decltype(act)> v(act);
  return sys(__NR_rt_sigaction, sig, v.addr(), 0, 8);
}

// What comes up meanwhile waits for the next system call.
HOSTED_ENGINE Uninterrupted::Uninterrupted() {
  hosted::this_cpu().irqs_on = false;
  arch::preempt_count_add(1);
}
HOSTED_ENGINE Uninterrupted::~Uninterrupted() {
  arch::preempt_count_add(-1);
  hosted::this_cpu().irqs_on = true;
}

HOSTED_ENGINE void burn(u64 ns) {
  for (;;) {
    hosted::Cpu& c = hosted::this_cpu();
    c.burn_ns = ns;
    c.burning = ns != 0;
    engine.parallel ? hosted::parallel::burn_on(c) : hosted::wait_until_runnable();
    c.burning = false;
    ns = c.burn_ns;
    if (!hosted::parallel::pending(c) && !ns) return;
    hosted::leave_and_come_back({arch::UserExitKind::Interrupt, 0, 0, 0}, hosted::kAtBurn);
  }
}

void raise_exception(unsigned vector, unsigned error) {
  hosted::leave_and_come_back({arch::UserExitKind::Exception, static_cast<unsigned char>(vector), error, 0},
                              hosted::kAtAccess);
}

void exit(int status) {
  for (;;) sys(__NR_exit_group, status);
}

HOSTED_ENGINE void mark(unsigned long a, unsigned long b) { hosted::note(kEventMark, a, b); }

}  // namespace user
