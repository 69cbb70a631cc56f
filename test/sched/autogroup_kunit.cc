// Autogroups: who is in which, what the files say, and that nothing is left of them. Spec 31 F-51; the rest as a real 6.1 has it
// (docs/spec-notes.md).
// SPDX-License-Identifier: Apache-2.0
#include <linux/delay.h>

#include "fs/proc/proc.hh"
#include "kernel/cgroup/cgroup.hh"
#include "kernel/fault_inject.hh"
#include "kernel/sched/autogroup.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/task_group.hh"
#include "test/cgroup/helpers.hh"

extern "C" long sys_setsid(const pt_regs*);

namespace {

constexpr const char* kSwitch = "/autogroup_proc/sys/kernel/sched_autogroup_enabled";

int mount_files(kunit*) {
  const bool up = init_mkdir("/autogroup_proc", 0755) && do_mount("none", "/autogroup_proc", "proc", 0, nullptr);
  return up && mount_cgroup2() ? 0 : -EIO;
}
void unmount_files(kunit* test) {
  set_sched_autogroup_enabled(false);
  (void)kern_umount("/autogroup_proc", 0);
  (void)init_rmdir("/autogroup_proc");
  unmount_cgroup2(test);
}

const char* path_of(pid_t pid) {
  static char path[48];
  snprintf(path, sizeof(path), "/autogroup_proc/%d/autogroup", pid);
  return path;
}
// What a write to the file answers; 0: it was taken.
long write_nice(pid_t pid, const char* text) {
  char copy[32];
  strscpy(copy, text, sizeof(copy));
  const long n = write_pid_autogroup(nullptr, TaskRef(pid).get(), copy, strlen(text), 0);
  return n > 0 ? 0 : n;
}
// Number of the group that the file names; 0: none. Its nice value in *nice.
long group_of(pid_t pid, int* nice = nullptr) {
  const char* text = cg_read(path_of(pid));
  if (strncmp(text, "/autogroup-", 11)) return *text ? -1 : 0;
  char* end;
  const long id = simple_strtol(text + 11, &end, 10);
  if (nice) *nice = static_cast<int>(simple_strtol(end + 6, &end, 10));
  return id;
}
bool is_in_session_group(pid_t pid) {
  const TaskRef t(pid);
  const task_group* tg = READ_ONCE(t->sched_task_group);
  return tg && tg->session;
}
unsigned long weight_of_group(pid_t pid) { return READ_ONCE(TaskRef(pid)->sched_task_group->shares); }

// A process that begins a session, has a child in it, and both sleep until killed.
struct Session {
  pid_t leader, child = 0;
  long setsid_said = 0;
  completion begun;

  static int run(void* p) {
    auto* s = static_cast<Session*>(p);
    s->setsid_said = call(sys_setsid);
    s->child = spawn(obey_signals);
    complete(&s->begun);
    obey_signals(nullptr);
    return 0;
  }
  explicit Session(kunit* test) {
    init_completion(&begun);
    current->signal->is_child_subreaper = true;  // its child is ours once it has ended
    leader = spawn(run, this);
    wait_for_completion(&begun);
    KUNIT_EXPECT_EQ(test, setsid_said, static_cast<long>(leader));
    KUNIT_EXPECT_GT(test, child, 0);
  }
  void finish(kunit* test) {
    end(test, leader);
    end(test, child);
  }
};

int session_groups() {
  RcuReadGuard rcu;
  int n = 0;
  task_group* tg;
  list_for_each_entry_rcu(tg, &sched_state->groups, sibling) n += tg->session;
  return n;
}
void expect_none_left(kunit* test) {
  KUNIT_EXPECT_EQ(test, atomic_long_read(&sched_state->nr_autogroups), 0l);
  KUNIT_EXPECT_EQ(test, session_groups(), 0);
}

// spec 31 F-51: each session a group, inherited by fork; made but not used while the switch is off
void a_session_is_a_group(kunit* test) {
  KUNIT_EXPECT_STREQ(test, cg_read(kSwitch), "0\n");
  KUNIT_EXPECT_STREQ(test, cg_read(path_of(current->tgid)), "");
  Session off(test);
  const long first = group_of(off.leader);
  KUNIT_EXPECT_GT(test, first, 0l);
  KUNIT_EXPECT_EQ(test, group_of(off.child), first);
  KUNIT_EXPECT_FALSE(test, is_in_session_group(off.leader));
  KUNIT_EXPECT_EQ(test, session_groups(), 0);
  set_sched_autogroup_enabled(true);
  KUNIT_EXPECT_STREQ(test, cg_read(kSwitch), "1\n");
  Session on(test);
  KUNIT_EXPECT_GT(test, group_of(on.leader), first);
  KUNIT_EXPECT_EQ(test, group_of(on.child), group_of(on.leader));
  KUNIT_EXPECT_TRUE(test, is_in_session_group(on.leader));
  KUNIT_EXPECT_TRUE(test, is_in_session_group(on.child));
  KUNIT_EXPECT_PTR_EQ(test, TaskRef(on.leader)->sched_task_group, TaskRef(on.child)->sched_task_group);
  KUNIT_EXPECT_FALSE(test, is_in_session_group(off.child));  // the switch moves nobody
  off.finish(test);
  on.finish(test);
  expect_none_left(test);
}

// spec 31 F-51: the switch counts for who forks from then on
void the_switch_is_asked_at_fork(kunit* test) {
  set_sched_autogroup_enabled(true);
  Session s(test);
  set_sched_autogroup_enabled(false);
  KUNIT_EXPECT_TRUE(test, is_in_session_group(s.leader));
  // A child of a task in the group, made while it is off: by current, from within.
  sched_autogroup_fork(current->signal, TaskRef(s.leader)->signal);
  set_sched_autogroup_enabled(true);
  const pid_t in = spawn(obey_signals);
  set_sched_autogroup_enabled(false);
  const pid_t out = spawn(obey_signals);
  KUNIT_EXPECT_TRUE(test, is_in_session_group(in));
  KUNIT_EXPECT_FALSE(test, is_in_session_group(out));
  KUNIT_EXPECT_EQ(test, group_of(in), group_of(out));
  end(test, in);
  end(test, out);
  sched_autogroup_exit(current->signal);
  s.finish(test);
  expect_none_left(test);
}

// spec 31 F-51: used only by tasks whose cgroup is the root
void a_cgroup_goes_first(kunit* test) {
  set_sched_autogroup_enabled(true);
  KUNIT_ASSERT_EQ(test, cg_write("/cg/cgroup.subtree_control", "+cpu"), 0);
  KUNIT_ASSERT_EQ(test, cg_mkdir("/cg/a"), 0);
  Session s(test);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/cgroup.procs", s.leader), 0);
  KUNIT_EXPECT_FALSE(test, is_in_session_group(s.leader));
  KUNIT_EXPECT_NOT_NULL(test, TaskRef(s.leader)->sched_task_group);
  KUNIT_EXPECT_TRUE(test, is_in_session_group(s.child));
  KUNIT_EXPECT_EQ(test, group_of(s.leader), group_of(s.child));  // what the file says is another thing
  // A session that begins there
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/cgroup.procs", current->tgid), 0);
  Session there(test);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/cgroup.procs", current->tgid), 0);
  KUNIT_EXPECT_FALSE(test, is_in_session_group(there.leader));
  KUNIT_EXPECT_FALSE(test, is_in_session_group(there.child));
  KUNIT_EXPECT_GT(test, group_of(there.leader), 0l);
  // and back
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/cgroup.procs", there.leader), 0);
  KUNIT_EXPECT_TRUE(test, is_in_session_group(there.leader));
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/cgroup.procs", s.leader), 0);
  KUNIT_EXPECT_PTR_EQ(test, TaskRef(s.leader)->sched_task_group, TaskRef(s.child)->sched_task_group);
  set_sched_autogroup_enabled(false);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/cgroup.procs", s.leader), 0);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/cgroup.procs", s.leader), 0);
  KUNIT_EXPECT_FALSE(test, is_in_session_group(s.leader));
  s.finish(test);
  there.finish(test);
  expect_none_left(test);
}

// spec 31 F-51: deadline and real-time tasks run as ever, and come back to the group
void realtime_tasks_are_not_affected(kunit* test) {
  set_sched_autogroup_enabled(true);
  Session s(test);
  {
    const TaskRef t(s.leader);
    KUNIT_EXPECT_TRUE(test, __sched_setscheduler(t.get(), {.policy = SCHED_FIFO, .rt_priority = 3}, SchedCaller::Kernel).has_value());
    wake_up_process(t.get());
    msleep(2);
    KUNIT_EXPECT_TRUE(test, __sched_setscheduler(t.get(), {.policy = SCHED_NORMAL}, SchedCaller::Kernel).has_value());
    wake_up_process(t.get());
    msleep(2);
    KUNIT_EXPECT_TRUE(test, is_in_session_group(s.leader));
  }
  s.finish(test);
  expect_none_left(test);
}

// spec 31 F-51: the nice value, whether there is a task_group yet or not
void nice_is_written(kunit* test) {
  Session s(test);
  int nice = -99;
  auto says = [&] { return group_of(s.leader, &nice), nice; };
  KUNIT_EXPECT_EQ(test, says(), 0);
  const struct {
    const char* text;
    long answer;
    int nice;
  } rows[] = {{"7", 0, 7},          {" 3\n", 0, 3},    {"0x8", 0, 8},       {"-20", 0, -20},     {"20", -EINVAL, -20}, {"-21", -EINVAL, -20},
              {"x", -EINVAL, -20}, {"7 8", -EINVAL, -20}, {"\n", -EINVAL, -20}, {"00000000000019", 0, 0},  // cut off at 12
              {"5", 0, 5}};
  for (const auto& r : rows) {
    KUNIT_EXPECT_EQ_MSG(test, write_nice(s.leader, r.text), r.answer, "%s", r.text);
    KUNIT_EXPECT_EQ_MSG(test, says(), r.nice, "%s", r.text);
  }
  KUNIT_EXPECT_EQ(test, write_nice(current->tgid, "5"), -EINVAL);  // in none
  // The group that is made later has the weight.
  set_sched_autogroup_enabled(true);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/cgroup.subtree_control", "+cpu"), 0);
  KUNIT_EXPECT_EQ(test, cg_mkdir("/cg/a"), 0);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/cgroup.procs", s.child), 0);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/cgroup.procs", s.child), 0);
  KUNIT_ASSERT_TRUE(test, is_in_session_group(s.child));
  KUNIT_EXPECT_EQ(test, weight_of_group(s.child), 335ul << 10);
  KUNIT_EXPECT_EQ(test, write_nice(s.leader, "-3"), 0);
  KUNIT_EXPECT_EQ(test, weight_of_group(s.child), 1991ul << 10);
  s.finish(test);
  expect_none_left(test);
}

// A zombie is in its group until it is reaped.
int begins_a_session(void* said) {
  *static_cast<long*>(said) = call(sys_setsid);
  return 0;
}
void a_zombie_is_in_it(kunit* test) {
  set_sched_autogroup_enabled(true);
  long said = 0;
  const pid_t pid = spawn(begins_a_session, &said);
  while (READ_ONCE(TaskRef(pid)->exit_state) != EXIT_ZOMBIE) schedule_timeout_uninterruptible(1);
  KUNIT_EXPECT_EQ(test, said, static_cast<long>(pid));
  KUNIT_EXPECT_GT(test, group_of(pid), 0l);
  KUNIT_EXPECT_EQ(test, write_nice(pid, "3"), 0);
  KUNIT_EXPECT_FALSE(test, is_in_session_group(pid));
  wait_for(pid);
  expect_none_left(test);
}

// ---- Threads ------------------------------------------------------------------------------------------------------------

// A process whose leader begins a session while another thread makes threads that end at once.
struct Crowd {
  atomic_t threads;
  bool done;
  long said;
  int mismatches;
};
int short_thread(void* p) {
  auto* c = static_cast<Crowd*>(p);
  if (const task_group* tg = READ_ONCE(current->sched_task_group); !tg || !tg->session) WRITE_ONCE(c->mismatches, c->mismatches + 1);
  atomic_dec(&c->threads);
  do_exit(0);
}
long make_thread(int (*fn)(void*), void* arg) {
  auto r = kernel_clone({.flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, .fn = fn, .fn_arg = arg});
  return r ? *r : r.error().neg();
}
int makes_threads(void* p) {
  auto* c = static_cast<Crowd*>(p);
  while (!READ_ONCE(c->done)) {
    atomic_inc(&c->threads);
    if (make_thread(short_thread, c) < 0) atomic_dec(&c->threads);
    schedule_timeout_uninterruptible(1);
  }
  atomic_dec(&c->threads);
  do_exit(0);
}
int crowd(void* p) {
  auto* c = static_cast<Crowd*>(p);
  atomic_inc(&c->threads);
  if (make_thread(makes_threads, c) < 0) return 1;
  msleep(2);
  c->said = call(sys_setsid);
  msleep(2);
  WRITE_ONCE(c->done, true);
  while (atomic_read(&c->threads)) schedule_timeout_uninterruptible(1);
  return 0;
}
void all_threads_come_along(kunit* test) {
  set_sched_autogroup_enabled(true);
  Session outer(test);  // so that they have a group to leave
  sched_autogroup_fork(current->signal, TaskRef(outer.leader)->signal);
  for (int i = 0; i < 3; i++) {
    Crowd c = {};
    const pid_t pid = spawn(crowd, &c);
    KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, 0);
    KUNIT_EXPECT_EQ(test, c.said, static_cast<long>(pid));
    KUNIT_EXPECT_EQ(test, c.mismatches, 0);
  }
  sched_autogroup_exit(current->signal);
  outer.finish(test);
  expect_none_left(test);
}

// ---- Without memory -------------------------------------------------------------------------------------------------------

// setsid never fails for it: the session is in no group then.
int session_without_memory(void* p) {
  auto* nth = static_cast<long*>(p);
  long said;
  {
    FaultInjection inject(current, *nth);
    said = call(sys_setsid);
    if (!inject.fired()) *nth = 0;
  }
  return said == current->tgid ? 0 : 1 << 8;
}
void setsid_needs_no_memory(kunit* test) {
  set_sched_autogroup_enabled(true);
  for (long n = 1;; n++) {
    KUNIT_ASSERT_LT(test, n, 40l);
    long nth = n;
    const pid_t pid = spawn(session_without_memory, &nth);
    KUNIT_EXPECT_EQ_MSG(test, wait_for(pid).event.status, 0, "acquisition %ld", n);
    expect_none_left(test);
    if (nth) continue;
    KUNIT_EXPECT_GT(test, n, 2l);
    return;
  }
}

// The first fork after the switch makes the group: it does not fail either.
struct Visits {
  long n = 0, making_it = 0;  // which of them was that of the group's making
  static void see(void* p, const FaultVisit& visit) {
    auto* v = static_cast<Visits*>(p);
    v->n++;
    if (visit.step && !strcmp(visit.step, "a task group")) v->making_it = v->n;
  }
};
struct Forked {
  pid_t pid;
  bool fired, went_without;
  long making_it;
};
Forked fork_into_new_group(kunit* test, long nth) {
  set_sched_autogroup_enabled(false);
  Session s(test);
  sched_autogroup_fork(current->signal, TaskRef(s.leader)->signal);
  set_sched_autogroup_enabled(true);
  Forked f = {};
  Visits visits;
  {
    FaultInjection inject(current, nth, {Visits::see, &visits});
    f.pid = user_mode_thread(obey_signals, nullptr, SIGCHLD);
    f.fired = inject.fired();
  }
  f.making_it = visits.making_it;
  clear_tsk_thread_flag(current, TIF_SIGPENDING);  // one kind of failure is a signal
  if (f.pid > 0) {
    f.went_without = !is_in_session_group(f.pid);
    end(test, f.pid);
  }
  sched_autogroup_exit(current->signal);
  s.finish(test);
  expect_none_left(test);
  return f;
}
void fork_needs_none_for_it(kunit* test) {
  Forked f;
  for (long n = 1; (f = fork_into_new_group(test, n)).fired; n++) KUNIT_ASSERT_LT(test, n, 200l);
  KUNIT_EXPECT_GT(test, f.pid, 0);
  KUNIT_EXPECT_FALSE(test, f.went_without);
  // How many acquisitions come before depends on what lies in caches.
  for (int i = 0; i < 20 && !f.went_without; i++) f = fork_into_new_group(test, f.making_it);
  KUNIT_EXPECT_TRUE(test, f.went_without);
  KUNIT_EXPECT_GT(test, f.pid, 0);
}

kunit_case cases[] = {KUNIT_CASE(a_session_is_a_group),
                      KUNIT_CASE(the_switch_is_asked_at_fork),
                      KUNIT_CASE(a_cgroup_goes_first),
                      KUNIT_CASE(realtime_tasks_are_not_affected),
                      KUNIT_CASE(nice_is_written),
                      KUNIT_CASE(a_zombie_is_in_it),
                      KUNIT_CASE(all_threads_come_along),
                      KUNIT_CASE(setsid_needs_no_memory),
                      KUNIT_CASE(fork_needs_none_for_it),
                      {}};
kunit_suite suite = {.name = "autogroup", .init = mount_files, .exit = unmount_files, .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
