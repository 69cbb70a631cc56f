// What the tasks of a fuzzed world do: each takes the next operation from the input, which they share, whenever it gets to run.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include "arch/hosted/user.hh"

namespace fuzz {

using user::Var;

// Counts what came of something, for the report. name: a literal.
void tally(const char* name, long result);
void tally_tried(long nr);
void tally_result(long nr, long result);

// A system call, counted. One that does not return counts as tried.
template <class... A>
long sys(long nr, A... a) {
  tally_tried(nr);
  const long result = user::sys(nr, a...);
  tally_result(nr, result);
  return result;
}

// The input as a stream. At its end every byte is 0.
struct Stream {
  const unsigned char* data;
  unsigned long size, at;
  bool over() const { return at >= size; }
  u8 byte() { return over() ? 0 : data[at++]; }
  u16 half() { return static_cast<u16>(byte() | byte() << 8); }
  u32 word() { return half() | static_cast<u32>(half()) << 16; }
  // One of n.
  unsigned below(unsigned n) { return byte() % n; }
  template <class T, size_t N>
  T pick(const T (&table)[N]) {
    return table[byte() % N];
  }
};

// All that the tasks of a world share outside its memory. Programs are not preempted between system calls and memory accesses,
// so it needs no lock.
struct Shared {
  Stream in;
  int pids[16];       // children lately made, as their parents know them
  unsigned next_pid;
  unsigned handlers;  // first table: running signal handlers, over all tasks
  bool second_table;  // which table of operations
  u8 depth[4096];     // second table: of handlers and execs that a task is in, by its number
  int baseline;       // nr_threads before the first program
};
extern Shared shared;

inline constexpr int kMaxTasks = 24;  // the root program's descendants, dead ones included until they are reaped
bool crowded();                       // so many, or more

// Runs operations until the input ends or the task does. arg: unused.
long actor(unsigned long);
// How deep the calling task is in handlers and execs, which share one host stack.
u8& own_depth();
inline constexpr int kMaxDepth = 4;
// The same for a program that has no memory yet: the first, and what was exec'ed.
long program(unsigned long);

// A page of every program's: words that the kernel writes when a task ends must not lie on a stack that is in use otherwise.
inline constexpr unsigned long kScratch = 0x20000000;
unsigned long scratch_word(Stream& in);
void run_op(Stream& in);  // one

int some_pid(Stream& in);             // of a task, a group, or nonsense
int some_relative(Stream& in);        // mostly a child; the kernel's list is asked: a program would remember
int some_signal(Stream& in);          // mostly 1..64
unsigned long some_address(Stream& in, unsigned long good);  // good, mostly
int some_fd(Stream& in);
void remember_pid(long pid);

// The families of operations.
void op_clone3(Stream& in);
void op_clone(Stream& in);
void op_fork(Stream& in);
void op_vfork(Stream& in);
void op_thread(Stream& in);
void op_unshare(Stream& in);
void op_setns(Stream& in);
void op_exec(Stream& in);
void op_exit(Stream& in);
void op_exit_group(Stream& in);
void op_wait4(Stream& in);
void op_waitid(Stream& in);
void op_reap(Stream& in);
void op_kill(Stream& in);
void op_tgkill(Stream& in);
void op_sigqueue(Stream& in);
void op_sigaction(Stream& in);
void op_sigmask(Stream& in);
void op_sigwait(Stream& in);
void op_sleep(Stream& in);
void op_itimer(Stream& in);
void op_prctl(Stream& in);
void op_group(Stream& in);
void op_pidfd(Stream& in);
void op_files(Stream& in);
void op_memory(Stream& in);
void op_limits(Stream& in);
void op_ids(Stream& in);
void op_sched(Stream& in);
void op_exit_hooks(Stream& in);
void op_check(Stream& in);
void op_ptrace(Stream& in);    // begins to trace, or is traced
void op_request(Stream& in);   // to one of the caller's tracees
void op_resume(Stream& in);    // lets tracees go on that have stopped
void op_cgroup(Stream& in);
long open_cgroup(Stream& in);  // a directory's fd, or -errno
void op_id_map(Stream& in);    // in a user namespace: who is who outside
void op_with_fault(Stream& in);  // the next operation, with its n-th acquisition failing

// Lets the n-th acquisition of the calling task fail from now on; 0: none.
void arm_fault(long nth);

}  // namespace fuzz
