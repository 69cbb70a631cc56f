// What autogroups are for: sessions share a CPU evenly, whatever the number of their tasks. And sessions that begin while others
// fork, end, are moved and weighed. Spec 31 F-51.
// SPDX-License-Identifier: Apache-2.0
#include "fs/proc/proc.hh"
#include "kernel/sched/autogroup.hh"
#include "test/fork/helpers.hh"
#include "test/hosted/hogs.hh"

extern "C" long sys_setsid(const pt_regs*);

namespace {

// A session with some processes that want CPU 0 all the time, until they are killed.
struct BusySession {
  int hogs;
  pid_t leader = 0, pids[4] = {};
  completion begun;

  static int hog(void*) {
    while (!signal_pending(current)) cpu_relax();
    obey_signals(nullptr);
    return 0;
  }
  static int run(void* p) {
    auto* s = static_cast<BusySession*>(p);
    const cpumask_t first = {{1}};
    (void)set_cpus_allowed_ptr(current, &first);
    (void)__sched_setscheduler(current, {.policy = SCHED_NORMAL}, SchedCaller::Kernel);
    call(sys_setsid);
    for (int i = 0; i < s->hogs; i++) s->pids[i] = user_mode_thread(hog, nullptr, SIGCHLD);
    complete(&s->begun);
    obey_signals(nullptr);
    return 0;
  }
  explicit BusySession(int n) : hogs(n) {
    init_completion(&begun);
    current->signal->is_child_subreaper = true;
    leader = spawn(run, this);
    wait_for_completion(&begun);
  }
  u64 ran() const {
    u64 sum = 0;
    for (int i = 0; i < hogs; i++) sum += task_sched_runtime(TaskRef(pids[i]).get()) / kMs;
    return sum;
  }
  void set_nice(kunit* test, const char* nice) const {
    char text[8];
    strscpy(text, nice, sizeof(text));
    KUNIT_EXPECT_GT(test, write_pid_autogroup(nullptr, TaskRef(leader).get(), text, strlen(nice), 0), 0l);
  }
  void finish(kunit* test) {
    end(test, leader);
    for (int i = 0; i < hogs; i++) end(test, pids[i]);
  }
};

// What the first session got of the CPU while both ran, in percent.
u64 share_of(const BusySession& a, const BusySession& b) {
  const u64 a0 = a.ran(), b0 = b.ran();
  msleep(6000);
  const u64 got_a = a.ran() - a0, got_b = b.ran() - b0;
  return got_a * 100 / (got_a + got_b);
}

// spec 31 F-51: on: half each; the switch moves nobody; the nice value weighs
void sessions_share_evenly(kunit* test) {
  watch_from_above();
  set_sched_autogroup_enabled(true);
  BusySession one(1), three(3);
  expect_near(test, share_of(one, three), 50, 2, "the session of one task");
  set_sched_autogroup_enabled(false);
  expect_near(test, share_of(one, three), 50, 2, "the same, switched off");
  one.set_nice(test, "5");  // 335 against 1024
  msleep(2000);
  expect_near(test, share_of(one, three), 25, 2, "at nice 5");
  one.finish(test);
  three.finish(test);
}

// spec 31 F-51: off: as many shares as tasks
void switched_off_tasks_share(kunit* test) {
  watch_from_above();
  BusySession one(1), three(3);
  expect_near(test, share_of(one, three), 25, 2, "one of four tasks");
  set_sched_autogroup_enabled(true);
  expect_near(test, share_of(one, three), 25, 2, "the same, switched on");
  one.finish(test);
  three.finish(test);
}

// ---- All at once -----------------------------------------------------------------------------------------------------------

int short_life(void*) { return 0; }
// Begins a session of its own, with children that do so too or do not.
int restless(void* depth) {
  const long left = reinterpret_cast<long>(depth);
  become_parent();
  if (left % 2) call(sys_setsid);
  for (int i = 0; i < 2; i++) {
    if (left) user_mode_thread(restless, reinterpret_cast<void*>(left - 1), SIGCHLD);
    user_mode_thread(short_life, nullptr, SIGCHLD);
    (void)kernel_clone({.flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, .fn = short_life});
    if (i && !(left % 2)) call(sys_setsid);
  }
  while (wait_for(-1).result > 0) {
  }
  return 0;
}
// While the switch goes on and off and somebody weighs whatever group he meets.
void everything_at_once(kunit* test) {
  become_parent();
  const pid_t pid = spawn(restless, reinterpret_cast<void*>(4l));
  for (int i = 0; TaskRef(pid)->exit_state == 0; i++) {
    set_sched_autogroup_enabled(i & 1);
    char text[] = "3";
    if (i % 3 == 0) (void)write_pid_autogroup(nullptr, TaskRef(pid).get(), text, 1, 0);
    schedule_timeout_uninterruptible(1);
  }
  KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, 0);
  KUNIT_EXPECT_EQ(test, atomic_long_read(&sched_state->nr_autogroups), 0l);
  KUNIT_EXPECT_TRUE(test, list_empty(&sched_state->groups));
}

kunit_case share_cases[] = {KUNIT_CASE(sessions_share_evenly), KUNIT_CASE(switched_off_tasks_share), {}};
kunit_suite share_suite = {
    .name = "autogroup_shares", .test_cases = share_cases, .world = {.cpus = 2, .deterministic = "measures shares of CPU time"}};
kunit_test_suite(share_suite);
kunit_case race_cases[] = {KUNIT_CASE(everything_at_once), {}};
kunit_suite race_suite = {.name = "autogroup_races", .test_cases = race_cases, .world = {.cpus = 4, .seeds = 40}};
kunit_test_suite(race_suite);

}  // namespace
