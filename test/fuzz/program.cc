// The tasks' loop, and the table of operations.
// SPDX-License-Identifier: Apache-2.0
#include "test/fuzz/program.hh"

#include <linux/sched.h>

#include "kernel/task/task.hh"
#include "test/fuzz/fuzz_world.hh"

FuzzInput fuzz_input;
FuzzCounts fuzz_counts;

namespace fuzz {

Shared shared;

namespace {

using Op = void (*)(Stream&);
struct Weighted {
  unsigned weight;
  Op op;
};
// How often each comes in a stream of random bytes. Appending keeps what committed inputs mean only if the sum stays 256:
// take from the last rows, never reorder.
constexpr Weighted kOps[] = {
    {36, op_clone3}, {20, op_clone},    {12, op_fork},     {6, op_vfork},    {12, op_thread},    {8, op_unshare},  {4, op_setns},
    {3, op_exec},    {24, op_exit},     {8, op_exit_group}, {10, op_wait4},  {10, op_waitid},    {22, op_reap},    {12, op_kill},
    {8, op_tgkill},  {4, op_sigqueue},  {8, op_sigaction}, {5, op_sigmask},  {2, op_sigwait},    {2, op_sleep},    {2, op_itimer},
    {6, op_prctl},   {5, op_group},     {6, op_pidfd},     {3, op_files},    {2, op_memory},     {2, op_limits},   {2, op_ids},
    {3, op_sched},   {3, op_exit_hooks}, {4, op_check},    {2, op_with_fault},
};

struct OpTable {
  Op of[256];
};
constexpr OpTable make_table() {
  OpTable t{};
  unsigned at = 0;
  for (const Weighted& w : kOps)
    for (unsigned i = 0; i < w.weight; i++) t.of[at++] = w.op;
  return t;
}
constexpr unsigned sum_of_weights() {
  unsigned sum = 0;
  for (const Weighted& w : kOps) sum += w.weight;
  return sum;
}
static_assert(sum_of_weights() == 256);
constexpr OpTable kTable = make_table();

}  // namespace

bool crowded() { return data_race(nr_threads) - shared.baseline >= kMaxTasks; }

void run_op(Stream& in) {
  fuzz_counts.ops++;
  kTable.of[in.byte()](in);
}

long actor(unsigned long) {
  while (!shared.in.over()) run_op(shared.in);
  return 0;
}

long program(unsigned long) {
  constexpr long kReadWrite = 3, kPrivateAnonymousFixed = 0x32;
  sys(__NR_mmap, kScratch, 4096, kReadWrite, kPrivateAnonymousFixed, -1, 0);
  return actor(0);
}
unsigned long scratch_word(Stream& in) { return kScratch + 8 * in.byte(); }

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
  return b < 128 ? kUsual[b % 8] : b - 128;
}

unsigned long some_address(Stream& in, unsigned long good) {
  constexpr unsigned long kBad[] = {0, 8, ~0ul, 1ul << 47, 0x7ffffffff000};
  const u8 b = in.byte();
  return b < 0xf0 ? good : kBad[b % 5];
}

int some_fd(Stream& in) {
  const u8 b = in.byte();
  return b == 255 ? -1 : b == 254 ? 0x7fffffff : b % 12;
}

void remember_pid(long pid) {
  if (pid > 0) shared.pids[shared.next_pid++ % 16] = static_cast<int>(pid);
}

}  // namespace fuzz
