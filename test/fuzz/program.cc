// The tasks' loop, and the table of operations.
// SPDX-License-Identifier: Apache-2.0
#include "test/fuzz/program.hh"

#include <linux/sched.h>

#include "kernel/entry/syscall_count.hh"
#include "kernel/pid/pid.hh"
#include "kernel/task/task.hh"
#include "test/fuzz/fuzz_world.hh"

FuzzInput fuzz_input;
FuzzCounts fuzz_counts;
const char* fuzz_call_name(unsigned nr) { return syscall_name(nr); }

namespace fuzz {

Shared shared;

namespace {

using Op = void (*)(Stream&);
struct Weighted {
  unsigned weight;
  Op op;
  const char* name;
};
#define OP(weight, name) {weight, op_##name, #name}
// How often each comes in a stream of random bytes. Appending keeps what committed inputs mean only if the sum stays 256:
// take from the last rows, never reorder.
constexpr Weighted kFirstOps[] = {
    OP(36, clone3), OP(20, clone), OP(12, fork), OP(6, vfork), OP(12, thread), OP(8, unshare), OP(4, setns),
    OP(3, exec), OP(24, exit), OP(8, exit_group), OP(10, wait4), OP(10, waitid), OP(22, reap), OP(12, kill),
    OP(8, tgkill), OP(4, sigqueue), OP(8, sigaction), OP(5, sigmask), OP(2, sigwait), OP(2, sleep), OP(2, itimer),
    OP(6, prctl), OP(5, group), OP(6, pidfd), OP(3, files), OP(2, memory), OP(2, limits), OP(2, ids), OP(3, sched),
    OP(3, exit_hooks), OP(4, check), OP(2, with_fault),
};
// With what else has a hand in forks, exits and stops: tracers and cgroups.
constexpr Weighted kSecondOps[] = {
    OP(40, clone3), OP(20, clone), OP(12, fork), OP(6, vfork), OP(12, thread), OP(7, unshare), OP(4, setns),
    OP(3, exec), OP(20, exit), OP(6, exit_group), OP(8, wait4), OP(8, waitid), OP(18, reap), OP(9, kill),
    OP(6, tgkill), OP(4, sigqueue), OP(7, sigaction), OP(4, sigmask), OP(2, sigwait), OP(2, sleep), OP(2, itimer),
    OP(4, prctl), OP(4, group), OP(5, pidfd), OP(4, files), OP(2, memory), OP(2, limits), OP(2, ids), OP(3, sched),
    OP(3, exit_hooks), OP(3, check), OP(2, with_fault), OP(5, ptrace), OP(5, request), OP(4, resume), OP(6, cgroup),
    OP(2, id_map),
};

struct OpTable {
  const Weighted* of[256];
};
template <size_t N>
constexpr OpTable make_table(const Weighted (&ops)[N]) {
  OpTable t{};
  unsigned at = 0;
  for (const Weighted& w : ops)
    for (unsigned i = 0; i < w.weight; i++) t.of[at++] = &w;  // more than 256 would not compile
  return t;
}
constexpr OpTable kFirst = make_table(kFirstOps), kSecond = make_table(kSecondOps);
static_assert(kFirst.of[255] && kSecond.of[255]);

}  // namespace

bool crowded() { return data_race(nr_threads) - shared.baseline >= kMaxTasks; }

void run_op(Stream& in) {
  fuzz_counts.ops++;
  const Weighted& w = *(shared.second_table ? kSecond : kFirst).of[in.byte()];
  tally(w.name, 0);
  w.op(in);
}

u8& own_depth() { return shared.depth[static_cast<unsigned>(current->pid) % 4096]; }

static long act() {
  while (!shared.in.over()) run_op(shared.in);
  return 0;
}
long actor(unsigned long) {
  own_depth() = 0;
  return act();
}

long program(unsigned long) {
  constexpr long kReadWrite = 3, kPrivateAnonymousFixed = 0x32;
  sys(__NR_mmap, kScratch, 4096, kReadWrite, kPrivateAnonymousFixed, -1, 0);
  own_depth()++;  // exec does not leave the host stack
  return act();
}
unsigned long scratch_word(Stream& in) { return kScratch + 8 * in.byte(); }

// ---- The tallies -------------------------------------------------------------------------------------------------------

static void count(FuzzTally* t, long result) {
  if (result >= 0 || result < -4095) return (void)t->succeeded++;
  t->failed++;
  t->last_errno = static_cast<int>(-result);
}
void tally(const char* name, long result) {
  for (FuzzTally& t : fuzz_counts.detail) {
    if (!t.name) t.name = name;
    if (t.name != name) continue;
    t.tried++;
    return count(&t, result);
  }
}
void tally_tried(long nr) { fuzz_counts.call[nr].tried++; }
void tally_result(long nr, long result) { count(&fuzz_counts.call[nr], result); }

// ---- Arguments ---------------------------------------------------------------------------------------------------------

int some_pid(Stream& in) {
  const u8 how = in.byte();
  switch (how >> 4) {
    case 0: return 0;
    case 1: return -1;
    case 2: return static_cast<int>(sys(__NR_getpid));
    case 3: return static_cast<int>(sys(__NR_gettid));
    case 4: return static_cast<int>(sys(__NR_getppid));
    case 5: return -static_cast<int>(sys(__NR_getpgid, 0));
    case 6: return how & 15;  // in a namespace of few numbers
    case 7: return (how & 15) == 15 ? static_cast<int>(in.word()) : -shared.pids[how & 15];
    default: return shared.pids[how & 15];
  }
}

int some_signal(Stream& in) {
  constexpr int kUsual[] = {9, 19, 18, 10, 15, 17, 20, 34};  // KILL STOP CONT USR1 TERM CHLD TSTP RT
  const u8 b = in.byte();
  return b < 128 ? kUsual[b % 8] : shared.second_table ? (b - 128) % 66 : b - 128;
}

unsigned long some_address(Stream& in, unsigned long good) {
  constexpr unsigned long kBad[] = {0, 8, ~0ul, 1ul << 47, 0x7ffffffff000};
  const u8 b = in.byte();
  return b < 0xf0 ? good : kBad[b % 5];
}

int some_relative(Stream& in) {
  const u8 how = in.byte();
  int numbers[8];
  unsigned n = 0;
  task_struct* t;
  if (how < 200) {
    list_for_each_entry(t, &current->children, sibling)
      if (n < 8) numbers[n++] = task_pid_vnr(t);
  }
  return n ? numbers[how % n] : some_pid(in);
}

int some_fd(Stream& in) {
  const u8 b = in.byte();
  return b == 255 ? -1 : b == 254 ? 0x7fffffff : b % 12;
}

void remember_pid(long pid) {
  if (pid > 0) shared.pids[shared.next_pid++ % 16] = static_cast<int>(pid);
}

}  // namespace fuzz
