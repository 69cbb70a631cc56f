// Moves, removals, freezing, killing and controllers coming and going, against forks and exits: two hundred interleavings each.
// What is counted must come out even, a process is in one place, nothing escapes. Spec 20 section 12.10, T-6; cgroups(7).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>

#include "test/hosted/cgroup_programs.hh"

namespace {

using namespace program;

constexpr const char* kEmpty = "populated 0\nfrozen 0\n";

// Forks n children, one after the other, and takes them.
long forks(unsigned long n) {
  for (unsigned long i = 0; i < n; i++) {
    long pid = user::fork(exits_with, i & 7);
    if (pid == -EAGAIN) continue;
    MUST(pid > 0);
    MUST(ends_by(pid, exited(static_cast<int>(i & 7))));
  }
  return 0;
}

bool two_with_pids() {
  return set_up() && make_dir("/cg/a") == 0 && make_dir("/cg/b") == 0 && write_text("/cg/cgroup.subtree_control", "+pids") == 0;
}
bool both_are_empty() {
  return will_say("/cg/a/cgroup.events", kEmpty) && will_say("/cg/b/cgroup.events", kEmpty) && read_text("/cg/a/pids.current") == "0\n" &&
         read_text("/cg/b/pids.current") == "0\n" && read_text("/cg/a/cgroup.procs") == "" && read_text("/cg/b/cgroup.procs") == "";
}
const char* place(int i) { return i & 1 ? "/cg/a/cgroup.procs" : "/cg/b/cgroup.procs"; }

// Two processes fork and are moved to and fro meanwhile.
PROGRAM_CASE(moves_against_forks) {
  MUST(two_with_pids());
  long p = user::fork(forks, 4), q = user::fork(forks, 4);
  for (int i = 0; i < 6; i++) {
    for (long pid : {p, q}) {
      const long r = write_number(place(i), pid);
      MUST(r == 0 || r == -ESRCH);
    }
  }
  MUST(ends_by(p, 0) && ends_by(q, 0));
  MUST(both_are_empty());
  MUST(remove_dir("/cg/a") == 0 && remove_dir("/cg/b") == 0);
  return 0;
}

// A process whose threads come and go is in one cgroup as a whole after each move.
long ends_soon(unsigned long) { return 0; }
long makes_threads(unsigned long) {
  const unsigned long stack = user::thread_stack();
  for (int i = 0; i < 5; i++) {
    user::thread(stack - static_cast<unsigned long>(i) * 8192, ends_soon);
    if (i & 1) nap(1);
  }
  return waits_for_signals(0);
}
PROGRAM_CASE(moves_against_threads) {
  MUST(two_with_pids());
  long pid = user::fork(makes_threads);
  for (int i = 0; i < 5; i++) {
    MUST(write_number(place(i), pid) == 0);
    MUST(read_text(i & 1 ? "/cg/b/cgroup.threads" : "/cg/a/cgroup.threads") == "");
  }
  MUST(kill_and_wait(pid));
  MUST(both_are_empty());
  return 0;
}

// A cgroup can be removed once its last task has begun to be a zombie, not before.
PROGRAM_CASE(removal_against_exit) {
  MUST(two_with_pids());
  long pid = user::fork(forks, 2);
  long r = write_number("/cg/a/cgroup.procs", pid);
  MUST(r == 0 || r == -ESRCH);
  for (int i = 0;; i++) {
    r = remove_dir("/cg/a");
    if (r == 0) break;
    MUST(r == -EBUSY && i < 2000);
    nap(i > 100);
  }
  MUST(ends_by(pid, 0));
  MUST(make_dir("/cg/a") == 0);
  MUST(both_are_empty());
  return 0;
}

// CLONE_INTO_CGROUP against rmdir: into it, or ENOENT, or ENODEV.
long comes_and_goes(unsigned long) {
  for (int i = 0; i < 4; i++) {
    make_dir("/cg/b");
    remove_dir("/cg/b");
  }
  return 0;
}
PROGRAM_CASE(clone_into_against_removal) {
  MUST(two_with_pids());
  long other = user::fork(comes_and_goes);
  for (int i = 0; i < 6; i++) {
    long fd = open_at("/cg/b", O_RDONLY);
    if (fd < 0) continue;
    long pid = clone_into(fd, exits_with, 3);
    MUST(pid == -ENOENT || pid == -ENODEV || ends_by(pid, exited(3)));
    sys(__NR_close, fd);
  }
  MUST(ends_by(other, 0));
  return 0;
}

// Whatever its members are doing, a cgroup freezes, and what is frozen can be killed.
long forks_for_ever(unsigned long) {
  for (;;) {
    long pid = user::fork(exits_with, 1);
    if (pid > 0) wait4(pid, 0);
  }
}
PROGRAM_CASE(freezing_against_forks) {
  MUST(two_with_pids());
  long pid = user::fork(forks_for_ever);
  MUST(write_number("/cg/a/cgroup.procs", pid) == 0);
  MUST(write_text("/cg/a/cgroup.freeze", "1") == 0);
  MUST(will_say("/cg/a/cgroup.events", "populated 1\nfrozen 1\n"));
  MUST(write_text("/cg/a/cgroup.freeze", "0") == 0);
  MUST(write_text("/cg/a/cgroup.freeze", "1") == 0);
  MUST(write_number("/cg/b/cgroup.procs", pid) == 0);  // out of the cold, or on the way into the trap
  MUST(write_number("/cg/a/cgroup.procs", pid) == 0);
  MUST(write_text("/cg/a/cgroup.kill", "1") == 0);
  MUST(ends_by(pid, SIGKILL));
  MUST(write_text("/cg/a/cgroup.freeze", "0") == 0);
  MUST(write_text("/cg/b/cgroup.kill", "1") == 0);  // a child that was left behind
  MUST(will_say("/cg/a/cgroup.events", kEmpty) && will_say("/cg/b/cgroup.events", kEmpty));
  return 0;
}

// Nothing gets away from cgroup.kill by forking.
long multiplies(unsigned long depth) {
  if (depth)
    for (int i = 0; i < 2; i++) user::fork(multiplies, depth - 1);
  return waits_for_signals(0);
}
PROGRAM_CASE(killing_against_forks) {
  MUST(two_with_pids());
  long pid = clone_into(open_at("/cg/a", O_RDONLY), multiplies, 4);
  MUST(pid > 0);
  for (int i = 0; i < 2; i++) sys(__NR_sched_yield);
  MUST(write_text("/cg/a/cgroup.kill", "1") == 0);
  MUST(ends_by(pid, SIGKILL));
  MUST(will_say("/cg/a/cgroup.events", kEmpty));
  return 0;
}

// Controllers come and go under processes that fork: their counts come out even.
PROGRAM_CASE(controllers_against_forks) {
  MUST(set_up() && make_dir("/cg/a") == 0 && make_dir("/cg/b") == 0);
  long p = clone_into(open_at("/cg/a", O_RDONLY), forks, 4), q = clone_into(open_at("/cg/b", O_RDONLY), forks, 4);
  for (int i = 0; i < 3; i++) {
    MUST(write_text("/cg/cgroup.subtree_control", "+pids +cpu") == 0);
    MUST(write_text("/cg/cgroup.subtree_control", i & 1 ? "-pids -cpu" : "-cpu") == 0);
  }
  MUST(write_text("/cg/cgroup.subtree_control", "+pids") == 0);
  MUST(ends_by(p, 0) && ends_by(q, 0));
  MUST(both_are_empty());
  return 0;
}

// pids.max holds at every moment, and what was refused is not charged.
PROGRAM_CASE(limit_against_forks) {
  MUST(two_with_pids());
  MUST(write_text("/cg/a/pids.max", "3") == 0);
  const long fd = open_at("/cg/a", O_RDONLY);
  long p = clone_into(fd, forks, 5), q = clone_into(fd, forks, 5);
  MUST(p > 0 && q > 0);
  MUST(ends_by(p, 0) && ends_by(q, 0));
  MUST(read_text("/cg/a/pids.peak").text[0] <= '3');
  MUST(both_are_empty());
  return 0;
}

kunit_case cases[] = {KUNIT_CASE(moves_against_forks), KUNIT_CASE(moves_against_threads), KUNIT_CASE(removal_against_exit),
                      KUNIT_CASE(clone_into_against_removal), KUNIT_CASE(freezing_against_forks), KUNIT_CASE(killing_against_forks),
                      KUNIT_CASE(controllers_against_forks), KUNIT_CASE(limit_against_forks), {}};
kunit_suite suite = {.name = "cgroup_races", .test_cases = cases, .world = {.cpus = 4, .memory_mb = 64, .seeds = 200}};
kunit_test_suite(suite);

}  // namespace
