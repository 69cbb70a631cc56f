// Cgroups as programs see them: CLONE_INTO_CGROUP, freezing, killing, threads, delegation, namespaces. Spec 20 section 12.10,
// cgroups(7), cgroup_namespaces(7); errnos as a real 6.1 gave them (docs/spec-notes.md).
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <uapi/linux/poll.h>

#include "test/hosted/cgroup_programs.hh"

namespace {

using namespace program;

// ---- CLONE_INTO_CGROUP (spec 20 12.10, S26) ----------------------------------------------------------------------------------

long is_in_a(unsigned long) { return cgroup_is("0::/a\n") ? 0 : 1; }
PROGRAM_CASE(clone_into_cgroup) {
  MUST(set_up());
  make_dir("/cg/a");
  const long fd = open_at("/cg/a", O_RDONLY | O_DIRECTORY), path = open_at("/cg/a", O_PATH);
  MUST(ends_by(clone_into(fd, is_in_a), 0));
  MUST(ends_by(clone_into(path, is_in_a), 0));
  MUST(clone_into(99, is_in_a) == -EBADF);
  MUST(clone_into(open_at("/", O_RDONLY), is_in_a) == -EBADF);
  MUST(clone_into(open_at("/cg/a/cgroup.procs", O_RDONLY), is_in_a) == -EBADF);
  MUST(clone_into(fd, is_in_a, 0, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) == -EOPNOTSUPP);  // another domain
  make_dir("/cg/g");
  const long gone = open_at("/cg/g", O_RDONLY);
  MUST(remove_dir("/cg/g") == 0);
  MUST(clone_into(gone, is_in_a) == -ENOENT);
  make_dir("/cg/a/t");
  MUST(write_text("/cg/a/t/cgroup.type", "threaded") == 0);
  make_dir("/cg/a/u");
  MUST(clone_into(open_at("/cg/a/u", O_RDONLY), is_in_a) == -EOPNOTSUPP);  // domain invalid
  long pid = clone_into(open_at("/cg/a/t", O_RDONLY), [](unsigned long) -> long { return !cgroup_is("0::/a/t\n"); });
  MUST(ends_by(pid, 0));
  return 0;
}

// spec 20 S26: EAGAIN, and it is counted
PROGRAM_CASE(clone_into_full_cgroup) {
  MUST(set_up());
  make_dir("/cg/a");
  MUST(write_text("/cg/cgroup.subtree_control", "+pids") == 0);
  MUST(write_text("/cg/a/pids.max", "0") == 0);
  const long fd = open_at("/cg/a", O_RDONLY);
  MUST(clone_into(fd, is_in_a) == -EAGAIN);
  MUST(read_text("/cg/a/pids.events") == "max 1\n");
  MUST(write_text("/cg/a/pids.max", "1") == 0);
  MUST(ends_by(clone_into(fd, is_in_a), 0));
  MUST(read_text("/cg/a/pids.current") == "0\n");
  return 0;
}

// Whoever may not write to cgroup.procs of both ends' meeting place may not (EACCES), also if the target is his.
long may_not(unsigned long fd) {
  MUST(sys(__NR_setuid, 1000) == 0);
  MUST(clone_into(static_cast<long>(fd), is_in_a) == -EACCES);
  MUST(write_text("/cg/a/cgroup.procs", "0") == -EACCES);
  MUST(make_dir("/cg/a/mine") == 0);
  return 0;
}
long stays_within(unsigned long) {
  MUST(write_text("/cg/a/cgroup.procs", "0") == 0);
  MUST(sys(__NR_setuid, 1000) == 0);
  MUST(write_text("/cg/a/mine/cgroup.procs", "0") == 0);
  MUST(cgroup_is("0::/a/mine\n"));
  MUST(ends_by(clone_into(open_at("/cg/a", O_RDONLY), is_in_a), 0));
  MUST(write_text("/cg/cgroup.procs", "0") == -EACCES);
  return 0;
}
PROGRAM_CASE(delegation) {
  MUST(set_up());
  make_dir("/cg/a");
  const long fd = open_at("/cg/a", O_RDONLY);
  MUST(own_dir("/cg/a", 1000) == 0 && own_dir("/cg/a/cgroup.procs", 1000) == 0);
  MUST(ends_by(user::fork(may_not, static_cast<unsigned long>(fd)), 0));
  MUST(ends_by(user::fork(stays_within), 0));
  return 0;
}

// ---- Freezing ------------------------------------------------------------------------------------------------------------------

constexpr const char* kFrozen = "populated 1\nfrozen 1\n";
constexpr const char* kThawed = "populated 1\nfrozen 0\n";

long counts_up(unsigned long at) {
  for (;;) {
    user::poke<int>(at, user::peek<int>(at) + 1);
    nap(1);
  }
}
PROGRAM_CASE(freeze_and_thaw) {
  MUST(set_up());
  make_dir("/cg/a");
  const unsigned long page = shared_page();
  long pid = user::fork(counts_up, page);
  MUST(write_number("/cg/a/cgroup.procs", pid) == 0);
  MUST(write_text("/cg/a/cgroup.freeze", "2") == -ERANGE);
  MUST(write_text("/cg/a/cgroup.freeze", "x") == -EINVAL);
  MUST(write_text("/cg/a/cgroup.freeze", "1") == 0);
  MUST(will_say("/cg/a/cgroup.events", kFrozen));
  const int seen = shared_int(page);
  nap(20);
  MUST(shared_int(page) == seen);
  MUST(write_text("/cg/a/cgroup.freeze", "0") == 0);
  MUST(will_say("/cg/a/cgroup.events", kThawed));
  nap(20);
  MUST(shared_int(page) > seen);
  MUST(kill_and_wait(pid));
  return 0;
}

volatile int caught;
void note_signal(int, unsigned long, unsigned long) { caught = caught + 1; }
long catches(unsigned long) {
  user::sigaction(SIGUSR1, note_signal, 0);
  while (!caught) sys(__NR_pause);
  return 5;
}
PROGRAM_CASE(signals_of_the_frozen_wait_but_sigkill) {
  MUST(set_up());
  make_dir("/cg/a");
  caught = 0;
  long pid = user::fork(catches);
  MUST(write_number("/cg/a/cgroup.procs", pid) == 0);
  nap(5);
  MUST(write_text("/cg/a/cgroup.freeze", "1") == 0);
  MUST(will_say("/cg/a/cgroup.events", kFrozen));
  kill(pid, SIGUSR1);
  nap(5);
  MUST(caught == 0);
  MUST(read_text("/cg/a/cgroup.events") == kFrozen);
  MUST(write_text("/cg/a/cgroup.freeze", "0") == 0);
  MUST(ends_by(pid, exited(5)));

  pid = sleeper_in("/cg/a/cgroup.procs");
  MUST(write_text("/cg/a/cgroup.freeze", "1") == 0);
  MUST(will_say("/cg/a/cgroup.events", kFrozen));
  MUST(kill_and_wait(pid));
  MUST(will_say("/cg/a/cgroup.events", "populated 0\nfrozen 1\n"));
  pid = sleeper_in("/cg/a/cgroup.procs");
  MUST(will_say("/cg/a/cgroup.events", kFrozen));
  kill(pid, SIGUSR1);  // kills by default, and that is as good as SIGKILL; not so while it is on its way into the trap
  MUST(ends_by(pid, SIGUSR1));
  return 0;
}

PROGRAM_CASE(stopped_counts_as_frozen) {
  MUST(set_up());
  make_dir("/cg/a");
  long pid = sleeper_in("/cg/a/cgroup.procs");
  kill(pid, SIGSTOP);
  MUST(wait4(pid, 2).status == stopped(SIGSTOP));
  MUST(write_text("/cg/a/cgroup.freeze", "1") == 0);
  MUST(will_say("/cg/a/cgroup.events", kFrozen));
  kill(pid, SIGCONT);
  nap(5);
  MUST(will_say("/cg/a/cgroup.events", kFrozen));  // into the trap
  kill(pid, SIGSTOP);
  nap(5);
  MUST(wait4(pid, 3).pid == 0);  // it does not get so far
  MUST(write_text("/cg/a/cgroup.freeze", "0") == 0);
  MUST(wait4(pid, 2).status == stopped(SIGSTOP));
  MUST(kill_and_wait(pid));
  return 0;
}

PROGRAM_CASE(frozen_children_and_moves) {
  MUST(set_up());
  make_dir("/cg/a");
  MUST(write_text("/cg/a/cgroup.freeze", "1") == 0);
  MUST(read_text("/cg/a/cgroup.events") == "populated 0\nfrozen 1\n");
  make_dir("/cg/a/b");
  MUST(read_text("/cg/a/b/cgroup.events") == "populated 0\nfrozen 1\n");
  MUST(read_text("/cg/a/b/cgroup.freeze") == "0\n");
  const unsigned long page = shared_page();
  long pid = clone_into(open_at("/cg/a/b", O_RDONLY), counts_up, page);
  MUST(pid > 0);
  MUST(will_say("/cg/a/b/cgroup.events", kFrozen));
  MUST(will_say("/cg/a/cgroup.events", kFrozen));
  MUST(shared_int(page) == 0);  // not one instruction
  MUST(write_text("/cg/a/b/cgroup.freeze", "1") == 0);
  MUST(write_text("/cg/a/cgroup.freeze", "0") == 0);
  MUST(read_text("/cg/a/cgroup.events") == kThawed);
  MUST(read_text("/cg/a/b/cgroup.events") == kFrozen);
  MUST(write_number("/cg/cgroup.procs", pid) == 0);
  nap(20);
  MUST(shared_int(page) > 0);
  MUST(read_text("/cg/a/b/cgroup.events") == "populated 0\nfrozen 1\n");
  MUST(write_number("/cg/a/b/cgroup.procs", pid) == 0);
  MUST(will_say("/cg/a/b/cgroup.events", kFrozen));
  MUST(kill_and_wait(pid));
  return 0;
}

// ---- cgroup.kill -----------------------------------------------------------------------------------------------------------------

PROGRAM_CASE(kill_a_tree) {
  MUST(set_up());
  make_dir("/cg/a");
  make_dir("/cg/a/b");
  long p = sleeper_in("/cg/a/cgroup.procs"), q = sleeper_in("/cg/a/b/cgroup.procs");
  MUST(write_text("/cg/a/cgroup.kill", "0") == -ERANGE);
  MUST(write_text("/cg/a/cgroup.kill", "x") == -EINVAL);
  MUST(write_text("/cg/a/cgroup.freeze", "1") == 0);
  MUST(write_text("/cg/a/cgroup.kill", "1") == 0);
  MUST(ends_by(p, SIGKILL) && ends_by(q, SIGKILL));
  make_dir("/cg/a/t");
  MUST(write_text("/cg/a/t/cgroup.type", "threaded") == 0);
  MUST(write_text("/cg/a/t/cgroup.kill", "1") == -EOPNOTSUPP);
  return 0;
}

// ---- Notification ------------------------------------------------------------------------------------------------------------------

PROGRAM_CASE(events_can_be_polled) {
  MUST(set_up());
  make_dir("/cg/a");
  long pid = sleeper_in("/cg/a/cgroup.procs");
  const long fd = open_at("/cg/a/cgroup.events", O_RDONLY);
  Var<pollfd> pf(pollfd{static_cast<int>(fd), POLLPRI, 0});
  auto poll = [&](int ms) { return sys(__NR_poll, pf.addr(), 1, ms); };
  MUST(poll(0) == 1 && pf.get().revents == (POLLPRI | POLLERR));  // not read yet
  Var<Text> buf;
  sys(__NR_read, fd, buf.addr(), sizeof(Text));
  MUST(poll(0) == 0);
  kill(pid, SIGKILL);
  MUST(poll(1000) == 1 && pf.get().revents == (POLLPRI | POLLERR));
  sys(__NR_lseek, fd, 0, 0);
  MUST(sys(__NR_read, fd, buf.addr(), sizeof(Text)) > 0 && buf.get() == "populated 0\nfrozen 0\n");
  MUST(poll(0) == 0);
  MUST(remove_dir("/cg/a") == 0);
  MUST(poll(0) == 1);
  sys(__NR_lseek, fd, 0, 0);
  MUST(sys(__NR_read, fd, buf.addr(), sizeof(Text)) == -ENODEV);
  MUST(ends_by(pid, SIGKILL));
  return 0;
}

// ---- Threads -------------------------------------------------------------------------------------------------------------------------

long thread_sleeps(unsigned long at) {
  user::poke<int>(at, static_cast<int>(gettid()));
  return waits_for_signals(0);
}
long has_a_thread(unsigned long at) {
  user::thread(user::thread_stack(), thread_sleeps, at);
  return waits_for_signals(0);
}
PROGRAM_CASE(threaded_cgroups) {
  MUST(set_up());
  make_dir("/cg/a");
  make_dir("/cg/a/t");
  MUST(write_text("/cg/a/t/cgroup.type", "domain") == -EINVAL);
  MUST(write_text("/cg/a/t/cgroup.type", "threaded") == 0);
  MUST(read_text("/cg/a/t/cgroup.type") == "threaded\n");
  MUST(read_text("/cg/a/cgroup.type") == "domain threaded\n");
  make_dir("/cg/a/u");
  MUST(read_text("/cg/a/u/cgroup.type") == "domain invalid\n");
  const unsigned long page = shared_page();
  long pid = user::fork(has_a_thread, page);
  while (!shared_int(page)) nap(1);
  const long tid = shared_int(page);
  MUST(write_number("/cg/a/u/cgroup.procs", pid) == -EOPNOTSUPP);
  MUST(write_number("/cg/a/t/cgroup.threads", tid) == -EOPNOTSUPP);  // not its domain
  MUST(write_number("/cg/a/cgroup.procs", pid) == 0);
  MUST(write_number("/cg/a/t/cgroup.threads", tid) == 0);
  char nr[64];
  snprintf(nr, sizeof(nr), "%ld\n", tid);
  MUST(read_text("/cg/a/t/cgroup.threads") == nr);
  MUST(read_text("/cg/a/t/cgroup.procs") == "-95");
  snprintf(nr, sizeof(nr), "%ld\n", pid);
  MUST(read_text("/cg/a/cgroup.procs") == nr);
  MUST(read_text("/cg/a/cgroup.threads") == nr);
  snprintf(nr, sizeof(nr), "/proc/%ld/task/%ld/cgroup", pid, tid);
  MUST(read_text(nr) == "0::/a/t\n");
  MUST(read_text("/cg/a/t/cgroup.events") == kThawed);
  MUST(write_number("/cg/cgroup.threads", tid) == -EOPNOTSUPP);
  MUST(write_number("/cg/a/cgroup.procs", tid) == 0);  // the process whose thread it is
  MUST(read_text("/cg/a/t/cgroup.threads") == "");
  MUST(kill_and_wait(pid));
  MUST(remove_dir("/cg/a/t") == 0 && remove_dir("/cg/a/u") == 0);
  MUST(read_text("/cg/a/cgroup.type") == "domain\n");
  return 0;
}

// A cgroup with tasks that hands out a threaded controller is a thread root; with populated domains below it cannot be one.
PROGRAM_CASE(no_internal_processes) {
  MUST(set_up());
  make_dir("/cg/a");
  make_dir("/cg/a/n");
  MUST(write_text("/cg/cgroup.subtree_control", "+pids") == 0);
  MUST(write_text("/cg/a/cgroup.subtree_control", "+pids") == 0);
  long p = sleeper_in("/cg/a/n/cgroup.procs");
  MUST(p > 0);
  MUST(sleeper_in("/cg/a/cgroup.procs") == -EBUSY);
  MUST(kill_and_wait(p));
  p = sleeper_in("/cg/a/cgroup.procs");
  MUST(p > 0);
  MUST(read_text("/cg/a/cgroup.type") == "domain threaded\n");
  MUST(read_text("/cg/a/n/cgroup.type") == "domain invalid\n");
  MUST(kill_and_wait(p));
  return 0;
}

// ---- Namespaces ------------------------------------------------------------------------------------------------------------------------

long in_a_namespace(unsigned long) {
  MUST(write_text("/cg/a/n/cgroup.procs", "0") == 0);
  MUST(sys(__NR_unshare, CLONE_NEWCGROUP) == 0);
  MUST(cgroup_is("0::/\n"));
  MUST(read_text("/proc/1/cgroup") == "0::/../..\n");
  make_dir("/cg2");
  MUST(mount_at("/cg2") == 0);
  MUST(read_text("/cg2/cgroup.type") == "domain\n");
  MUST(write_text("/cg/a/cgroup.procs", "0") == 0);
  MUST(cgroup_is("0::/..\n"));
  return 0;
}
PROGRAM_CASE(namespaces) {
  MUST(set_up());
  make_dir("/cg/a");
  make_dir("/cg/a/n");
  MUST(ends_by(user::fork(in_a_namespace), 0));
  MUST(ends_by(user::fork([](unsigned long) -> long {
    sys(__NR_setuid, 1000);
    return sys(__NR_unshare, CLONE_NEWCGROUP) == -EPERM ? 0 : 1;
  }), 0));
  return 0;
}

long delegated(unsigned long) {
  MUST(write_text("/cg/a/n/cgroup.procs", "0") == 0);
  MUST(sys(__NR_unshare, CLONE_NEWCGROUP) == 0);
  MUST(write_text("/cg/a/n/cgroup.procs", "0") == 0);
  MUST(write_text("/cg/a/cgroup.procs", "0") == -ENOENT);
  MUST(write_text("/cg/a/n/cgroup.freeze", "0") == -EPERM);
  MUST(write_text("/cg/a/n/cgroup.max.depth", "3") == -EPERM);
  MUST(write_text("/cg/a/n/cgroup.kill", "1") == -EPERM);
  MUST(write_text("/cg/a/n/cgroup.subtree_control", "") == 0);
  MUST(write_text("/cg/a/pids.max", "5") == 0);
  return 0;
}
PROGRAM_CASE(nsdelegate) {
  MUST(set_up("nsdelegate"));
  MUST(mount_at("/cg", "nonsense") == -EINVAL);
  make_dir("/cg/a");
  make_dir("/cg/a/n");
  MUST(write_text("/cg/cgroup.subtree_control", "+pids") == 0);
  MUST(ends_by(user::fork(delegated), 0));
  return 0;
}

kunit_case cases[] = {
    KUNIT_CASE(clone_into_cgroup), KUNIT_CASE(clone_into_full_cgroup), KUNIT_CASE(delegation), KUNIT_CASE(freeze_and_thaw),
    KUNIT_CASE(signals_of_the_frozen_wait_but_sigkill), KUNIT_CASE(stopped_counts_as_frozen),
    KUNIT_CASE(frozen_children_and_moves), KUNIT_CASE(kill_a_tree), KUNIT_CASE(events_can_be_polled),
    KUNIT_CASE(threaded_cgroups), KUNIT_CASE(no_internal_processes), KUNIT_CASE(namespaces), KUNIT_CASE(nsdelegate), {}};
kunit_suite suite = {.name = "cgroups", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
