// Operations: making tasks, leaving what is shared, namespaces, exec, exit.
// SPDX-License-Identifier: Apache-2.0
#include <linux/errno.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>
#include <uapi/linux/wait.h>

#include "test/fuzz/fuzz_world.hh"
#include "test/fuzz/program.hh"

namespace fuzz {
namespace {

constexpr unsigned long kThreadFlags =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
// Where one flag alone would mostly be refused.
constexpr unsigned long kFlagSets[] = {
    0,
    CLONE_VM,
    CLONE_VM | CLONE_SIGHAND,
    CLONE_FILES | CLONE_FS,
    CLONE_PARENT,
    kThreadFlags,
    kThreadFlags | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID,
    CLONE_PIDFD,
    CLONE_VFORK,
    CLONE_VM | CLONE_VFORK,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUSER | CLONE_NEWPID,
    CLONE_NEWNS,
    CLONE_NEWUTS | CLONE_NEWIPC,
    CLONE_NEWCGROUP | CLONE_NEWNET,
    CLONE_PTRACE | CLONE_PARENT_SETTID,
};

// A set that makes sense, with up to two bits turned over.
unsigned long some_flags(Stream& in) {
  const u8 how = in.byte();
  unsigned long flags = kFlagSets[how % (sizeof kFlagSets / sizeof *kFlagSets)];
  for (int n = how >> 6; n > 1; n--) flags ^= 1ul << (8 + in.byte() % 24);
  return flags;
}

constexpr unsigned long kStackSize = 64 << 10;
// A child in the caller's memory needs a stack of its own, unless the caller sleeps until it has done with it.
bool needs_stack(unsigned long flags) { return (flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM; }
// A vfork child with a stack of its own would write its signal frames over its parent's, if that is on the alternate stack.
bool may_have_stack(unsigned long flags) { return (flags & (CLONE_VM | CLONE_VFORK)) != (CLONE_VM | CLONE_VFORK); }
unsigned long new_stack() {
  const unsigned long low = user::map(kStackSize);
  return low < -4096ul ? low : 0;
}

// For the report: which flags were asked for, and got.
long count_flags(unsigned long flags, long result) {
  for (unsigned bit = 8; bit < 64; bit++) {
    if (!(flags >> bit & 1)) continue;
    FuzzTally& t = fuzz_counts.clone_flag[bit];
    t.tried++;
    if (result >= 0) {
      t.succeeded++;
    } else {
      t.failed++;
      t.last_errno = static_cast<int>(-result);
    }
  }
  return result;
}

long count_clone(const char* by, unsigned long flags, long pid) {
  tally(by, count_flags(flags, pid));
  fuzz_counts.clone_calls++;
  if (pid <= 0) return pid;
  fuzz_counts.clones_made++;
  remember_pid(pid);
  return pid;
}

// Too many tasks already: makes room instead. True: there is none.
bool make_room(Stream& in) {
  if (!crowded()) return false;
  op_reap(in);
  return crowded();
}

// Some numbers for set_tid: low ones, which new namespaces use, and ones that were given out.
struct Tids {
  int tid[4];
};
void fill_set_tid(Stream& in, Tids* tids) {
  for (int& t : tids->tid) t = in.byte() < 128 ? 1 + in.below(6) : some_pid(in);
}

struct Clone3Memory {
  Var<clone_args> args;
  Var<Tids> set_tid;
};

void fill_stack(Stream& in, clone_args& a) {
  const u8 how = in.byte();
  if (needs_stack(a.flags) || (how < 40 && may_have_stack(a.flags))) {
    a.stack = new_stack();
    a.stack_size = a.stack ? kStackSize : 0;
    if (!a.stack) a.flags &= ~u64{CLONE_VM};
  } else if (how > 250) {
    a.stack = how & 1 ? 0 : ~0ul - 4096;
    a.stack_size = kStackSize;
  }
}

clone_args make_clone_args(Stream& in, Clone3Memory& m) {
  clone_args a{};
  a.flags = some_flags(in);
  const u8 odd = in.byte();
  if (odd == 1 || (shared.second_table && odd >= 6 && odd < 16)) a.flags |= CLONE_INTO_CGROUP;
  if (odd == 2) a.flags |= 1ull << (32 + in.byte() % 32);
  if (odd == 3) a.flags |= CLONE_NEWTIME;
  if (odd == 4) a.flags |= CLONE_CLEAR_SIGHAND;
  const u8 sig = in.byte();
  a.exit_signal = a.flags & (CLONE_THREAD | CLONE_PARENT) ? (sig == 255 ? SIGCHLD : 0) : sig < 128 ? SIGCHLD : sig - 128;
  fill_stack(in, a);
  if (odd >= 240) {
    Tids tids;
    fill_set_tid(in, &tids);
    m.set_tid.set(tids);
    a.set_tid = some_address(in, m.set_tid.addr());
    a.set_tid_size = in.below(6);
  }
  if (odd == 5) a.tls = in.byte() ? ~0ul : 0x1000;
  a.pidfd = some_address(in, kScratch + 2048);
  a.parent_tid = some_address(in, kScratch + 2056);
  a.child_tid = some_address(in, scratch_word(in));
  if (a.flags & CLONE_INTO_CGROUP) a.cgroup = static_cast<u64>(shared.second_table ? open_cgroup(in) : some_fd(in));
  return a;
}

}  // namespace

void op_clone3(Stream& in) {
  if (make_room(in)) return;
  constexpr size_t kSizes[] = {88, 88, 88, 88, 88, 80, 64, 63, 72, 96, 4096, 4097, 0};
  Clone3Memory m;
  const clone_args a = make_clone_args(in, m);
  m.args.set(a);
  const u8 odd = in.byte();
  const size_t size = odd < 240 ? 88 : in.pick(kSizes);
  // The copy may stop short of the stack: then the child would run on the caller's.
  if (size < 88 && needs_stack(a.flags) && size < 56) return;
  const unsigned long at = odd == 239 ? some_address(in, 8) : m.args.addr();
  const long result = count_clone("clone3 call", a.flags, user::clone3(at, size, a.flags, actor));
  if (a.set_tid) tally("clone3 with set_tid", result);
  if (a.flags & CLONE_INTO_CGROUP && shared.second_table) sys(__NR_close, a.cgroup);
}

void op_clone(Stream& in) {
  if (make_room(in)) return;
  unsigned long flags = some_flags(in), stack = 0;
  const u8 sig = in.byte();
  flags |= sig < 200 ? static_cast<unsigned>(SIGCHLD) : sig & CSIGNAL;
  if (needs_stack(flags) || (in.byte() < 40 && may_have_stack(flags))) {
    stack = new_stack();
    if (!stack) return;
    stack += kStackSize - 64;
  }
  const unsigned long parent_tid = some_address(in, kScratch + 2056), child_tid = some_address(in, scratch_word(in));
  const unsigned long tls = in.byte() == 255 ? ~0ul : 0;
  count_clone("clone call", flags & ~u64{CSIGNAL}, user::clone(flags, stack, actor, 0, parent_tid, child_tid, tls));
}

void op_fork(Stream& in) {
  if (!make_room(in)) count_clone("fork call", 0, user::fork(actor));
}
void op_vfork(Stream& in) {
  if (!make_room(in)) count_clone("vfork call", 0, user::vfork(actor));
}
void op_thread(Stream& in) {
  if (make_room(in)) return;
  const unsigned long low = new_stack();
  if (low) count_clone("thread call", kThreadFlags, user::thread(low + kStackSize - 64, actor));
}

// ---- Sharing no more -------------------------------------------------------------------------------------------------

void op_unshare(Stream& in) {
  constexpr unsigned long kBits[] = {CLONE_FS,      CLONE_FILES,  CLONE_NEWNS,  CLONE_NEWUTS,    CLONE_NEWIPC,  CLONE_NEWUSER,
                                     CLONE_NEWPID,  CLONE_NEWNET, CLONE_VM,     CLONE_NEWCGROUP, CLONE_NEWTIME, CLONE_THREAD,
                                     CLONE_SIGHAND, CLONE_SYSVSEM};
  const u8 how = in.byte();
  unsigned long flags = in.pick(kBits);
  if (how > 128) flags |= in.pick(kBits);
  if (how > 250) flags |= in.word();
  sys(__NR_unshare, flags);
}

// Of a child or another, by its pidfd, one kind or more.
static void enter_relative(Stream& in) {
  const int pid = some_relative(in);
  const long fd = sys(__NR_pidfd_open, pid, 0);
  if (fd < 0) return;
  constexpr unsigned long kKinds[] = {CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWTIME,
                                      CLONE_NEWPID, CLONE_NEWPID | CLONE_NEWUSER};
  const unsigned long kind = in.pick(kKinds);
  tally(kind & CLONE_NEWPID ? "setns pid" : kind & CLONE_NEWUSER ? "setns user" : "setns", sys(__NR_setns, fd, kind));
  sys(__NR_close, fd);
}

void op_setns(Stream& in) {
  constexpr unsigned long kKinds[] = {0,           CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,
                                      CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWPID | CLONE_NEWUSER};
  if (shared.second_table) return enter_relative(in);
  const int fd = some_fd(in);
  sys(__NR_setns, fd, in.pick(kKinds));
}

// A program that goes on with the input; the file is made by the first who wants it.
void op_exec(Stream&) {
  if (shared.second_table && own_depth() >= kMaxDepth) return;
  user::Str path("/fuzz_program");
  constexpr long kWriteCreate = 0101, kMode = 0755;
  const long fd = shared.second_table ? -1 : sys(__NR_open, path.addr(), kWriteCreate, kMode);
  if (fd >= 0) {
    static unsigned char elf[user::kElfSize];
    const size_t n = user::make_elf(program, elf, sizeof elf);
    user::Frame copy(n);
    user::write_bytes(copy.addr(), elf, n);
    sys(__NR_write, fd, copy.addr(), n);
    sys(__NR_close, fd);
  }
  Var<unsigned long> nothing(0ul);
  sys(__NR_execve, path.addr(), nothing.addr(), nothing.addr());
}

// ---- Ends ------------------------------------------------------------------------------------------------------------

void op_exit(Stream& in) { sys(__NR_exit, in.byte()); }
void op_exit_group(Stream& in) { sys(__NR_exit_group, in.byte()); }

}  // namespace fuzz
