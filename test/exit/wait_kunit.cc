// Waiting for children: what is reported, when, and to whom. Spec 21 part B and sections 4 to 8.
// SPDX-License-Identifier: Apache-2.0
#include "test/fork/helpers.hh"

#include <linux/delay.h>

#include "kernel/signal/jobctl.hh"
#include "kernel/sys/rusage.hh"

namespace {

int returns_arg(void* arg) { return static_cast<int>(reinterpret_cast<long>(arg)); }

struct Row {
  const char* what;
  int word;  // exit code word
  int status, code, cause;
};
const Row kRows[] = {
    {"exit(0)", 0, 0, CLD_EXITED, 0},
    {"exit(7)", exited(7), exited(7), CLD_EXITED, 7},
    {"exit(255)", exited(255), exited(255), CLD_EXITED, 255},
    {"killed", SIGTERM, SIGTERM, CLD_KILLED, SIGTERM},
    {"killed by 64", 64, 64, CLD_KILLED, 64},
    {"dumped", SIGSEGV | 0x80, SIGSEGV | 0x80, CLD_DUMPED, SIGSEGV},
};
void describe(const Row* r, char* desc) { strscpy(desc, r->what, KUNIT_PARAM_DESC_SIZE); }
KUNIT_ARRAY_PARAM(rows, kRows, describe);
void statuses(kunit* test) {  // spec 21 X-1, W-13
  auto* r = static_cast<const Row*>(test->param_value);
  pid_t pid = spawn(returns_arg, reinterpret_cast<void*>(static_cast<long>(r->word)));
  Waited w = wait_for(pid);
  KUNIT_EXPECT_EQ(test, w.result, pid);
  KUNIT_EXPECT_EQ(test, w.event.pid, pid);
  KUNIT_EXPECT_EQ(test, w.event.status, r->status);
  KUNIT_EXPECT_EQ(test, w.event.code, r->code);
  KUNIT_EXPECT_EQ(test, w.event.cause, r->cause);
}

void no_children(kunit* test) {  // spec 21 W-11
  become_parent();
  KUNIT_EXPECT_EQ(test, wait_for(-1).result, -ECHILD);
  KUNIT_EXPECT_EQ(test, wait_for(-1, WEXITED | WNOHANG).result, -ECHILD);
  KUNIT_EXPECT_EQ(test, wait_for(1).result, -ECHILD);  // init is nobody's child of ours
}

void nohang(kunit* test) {  // spec 21 W-10
  pid_t pid = spawn(obey_signals);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WEXITED | WNOHANG).result, 0);
  KUNIT_EXPECT_EQ(test, wait_for(-1, WEXITED | WNOHANG).result, 0);
  end(test, pid);
}

void reaped_once(kunit* test) {  // spec 21 W-14
  pid_t pid = spawn(returns_arg);
  KUNIT_EXPECT_EQ(test, wait_for(pid).result, pid);
  KUNIT_EXPECT_EQ(test, wait_for(pid).result, -ECHILD);
}

void nowait_leaves_it(kunit* test) {  // spec 21 W-13
  pid_t pid = spawn(returns_arg, reinterpret_cast<void*>(exited(3)));
  for (int i = 0; i < 2; i++) KUNIT_EXPECT_EQ(test, wait_for(pid, WEXITED | WNOWAIT).event.status, exited(3));
  KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, exited(3));
}

void a_zombie_is_not_stopped(kunit* test) {
  pid_t pid = spawn(returns_arg);
  wait_for(pid, WEXITED | WNOWAIT);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WUNTRACED | WCONTINUED).result, -ECHILD);
  wait_for(pid);
}

// spec 21 W-6: exit signal other than SIGCHLD, 0 included.
void clone_children(kunit* test) {
  pid_t plain = spawn(returns_arg), odd = spawn(returns_arg, nullptr, SIGURG), silent = spawn(returns_arg, nullptr, 0);
  KUNIT_EXPECT_EQ(test, wait_for(odd).result, -ECHILD);
  KUNIT_EXPECT_EQ(test, wait_for(silent).result, -ECHILD);
  KUNIT_EXPECT_EQ(test, wait_for(plain, WEXITED | __WCLONE).result, -ECHILD);
  KUNIT_EXPECT_EQ(test, wait_for(odd, WEXITED | __WCLONE).result, odd);
  KUNIT_EXPECT_EQ(test, wait_for(silent, WEXITED | __WALL).result, silent);
  KUNIT_EXPECT_EQ(test, wait_for(plain, WEXITED | __WALL).result, plain);
}

void oldest_first(kunit* test) {  // spec 21 W-5
  pid_t a = spawn(returns_arg), b = spawn(returns_arg);
  wait_for(a, WEXITED | WNOWAIT);
  wait_for(b, WEXITED | WNOWAIT);
  KUNIT_EXPECT_EQ(test, wait_for(-1).result, a);
  KUNIT_EXPECT_EQ(test, wait_for(-1).result, b);
}

void by_group(kunit* test) {
  pid_t pid = spawn(obey_signals);
  struct pid *own = get_task_pid(current, PIDTYPE_PGID), *other = find_get_pid(pid);
  WaitEvent event;
  KUNIT_EXPECT_EQ(test, do_wait({PIDTYPE_PGID, own, WEXITED | WNOHANG}, &event), 0);
  KUNIT_EXPECT_EQ(test, do_wait({PIDTYPE_PGID, other, WEXITED | WNOHANG}, &event), -ECHILD);
  put_pid(own);
  put_pid(other);
  end(test, pid);
}

// spec 21 X-13.
void ignored_sigchld_reaps(kunit* test) {
  become_parent();
  {
    IrqOffSpinGuard guard(current->sighand->siglock);
    set_sighandler(current->sighand, SIGCHLD, SIG_IGN);
  }
  user_mode_thread(returns_arg, nullptr, SIGCHLD);
  user_mode_thread(returns_arg, nullptr, SIGCHLD);
  KUNIT_EXPECT_EQ(test, wait_for(-1).result, -ECHILD);  // blocks until the last is gone (spec 21 W-11)
  become_parent();
}

void nocldwait_reaps(kunit* test) {
  become_parent();
  {
    IrqOffSpinGuard guard(current->sighand->siglock);
    set_sigaction(current->sighand, SIGCHLD, {{SIG_DFL, SA_NOCLDWAIT, nullptr, {}}});
  }
  user_mode_thread(returns_arg, nullptr, SIGCHLD);
  KUNIT_EXPECT_EQ(test, wait_for(-1).result, -ECHILD);
  become_parent();
}

void an_old_zombie_stays(kunit* test) {  // spec 21 X-15
  pid_t pid = spawn(returns_arg);
  wait_for(pid, WEXITED | WNOWAIT);
  {
    IrqOffSpinGuard guard(current->sighand->siglock);
    set_sighandler(current->sighand, SIGCHLD, SIG_IGN);
  }
  KUNIT_EXPECT_EQ(test, wait_for(pid).result, pid);
  become_parent();
}

// ---- Stops (spec 21 W-17, W-18) -------------------------------------------------------------------------------------------------

void stop_and_continue(kunit* test) {
  pid_t pid = spawn(obey_signals);
  send(pid, SIGSTOP);
  Waited w = wait_for(pid, WUNTRACED);
  KUNIT_EXPECT_EQ(test, w.result, pid);
  KUNIT_EXPECT_EQ(test, w.event.status, stopped(SIGSTOP));
  KUNIT_EXPECT_EQ(test, w.event.code, CLD_STOPPED);
  KUNIT_EXPECT_EQ(test, w.event.cause, SIGSTOP);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WUNTRACED | WNOHANG).result, 0);  // reported once
  KUNIT_EXPECT_EQ(test, wait_for(pid, WCONTINUED | WNOHANG).result, 0);
  send(pid, SIGCONT);
  w = wait_for(pid, WCONTINUED);
  KUNIT_EXPECT_EQ(test, w.event.status, 0xffff);
  KUNIT_EXPECT_EQ(test, w.event.code, CLD_CONTINUED);
  KUNIT_EXPECT_EQ(test, w.event.cause, SIGCONT);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WCONTINUED | WNOHANG).result, 0);
  end(test, pid);
}

void nowait_keeps_the_stop(kunit* test) {
  pid_t pid = spawn(obey_signals);
  send(pid, SIGSTOP);
  for (int i = 0; i < 2; i++) KUNIT_EXPECT_EQ(test, wait_for(pid, WUNTRACED | WNOWAIT).event.status, stopped(SIGSTOP));
  KUNIT_EXPECT_EQ(test, wait_for(pid, WUNTRACED).event.status, stopped(SIGSTOP));
  end(test, pid);
}

void a_stopped_one_can_be_killed(kunit* test) {  // spec 21 S-46
  pid_t pid = spawn(obey_signals);
  send(pid, SIGSTOP);
  wait_for(pid, WUNTRACED);
  send(pid, SIGKILL);
  Waited w = wait_for(pid, WEXITED | WCONTINUED);
  KUNIT_EXPECT_EQ(test, w.event.status, SIGKILL);
}

void stopped_without_being_asked(kunit* test) {
  pid_t pid = spawn(obey_signals);
  send(pid, SIGSTOP);
  wait_for(pid, WUNTRACED | WNOWAIT);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WEXITED | WNOHANG).result, 0);
  end(test, pid);
}

// ---- Relatives (sections 4 and 5) ----------------------------------------------------------------------------------------

struct Orphan {
  completion ready, go;
  pid_t child = 0, adopted_by = 0;
};
int orphan(void* p) {
  auto* o = static_cast<Orphan*>(p);
  complete(&o->ready);
  wait_for_completion(&o->go);
  o->adopted_by = current->real_parent->pid;
  return exited(9);
}
int leaves_an_orphan(void* p) {
  auto* o = static_cast<Orphan*>(p);
  o->child = user_mode_thread(orphan, p, SIGCHLD);
  wait_for_completion(&o->ready);
  return 0;
}
void subreaper_adopts(kunit* test) {  // spec 21 X-16 (b), X-18
  Orphan o;
  init_completion(&o.ready);
  init_completion(&o.go);
  current->signal->is_child_subreaper = true;
  pid_t pid = spawn(leaves_an_orphan, &o);
  KUNIT_EXPECT_EQ(test, wait_for(pid).result, pid);
  complete(&o.go);
  Waited w = wait_for(-1);
  KUNIT_EXPECT_EQ(test, w.result, o.child);
  KUNIT_EXPECT_EQ(test, w.event.status, exited(9));
  KUNIT_EXPECT_EQ(test, o.adopted_by, current->pid);
  current->signal->is_child_subreaper = false;
}

void init_adopts(kunit* test) {  // spec 21 X-16 (c)
  Orphan o;
  init_completion(&o.ready);
  init_completion(&o.go);
  wait_for(spawn(leaves_an_orphan, &o));
  TaskRef child(o.child);
  KUNIT_ASSERT_NOT_NULL(test, child.get());
  KUNIT_EXPECT_TRUE(test, is_global_init(child->real_parent));
  KUNIT_EXPECT_EQ(test, child->exit_signal, SIGCHLD);
  complete(&o.go);
  while (!READ_ONCE(child->exit_state)) msleep(1);
}

// spec 21 X-17.
struct Bereaved {
  completion ready;
  pid_t pid = 0;
};
int set_deathsig(void* p) {
  current->pdeath_signal = SIGUSR1;
  complete(&static_cast<Bereaved*>(p)->ready);
  return obey_signals(nullptr);
}
int dies_before_its_child(void* p) {
  auto* b = static_cast<Bereaved*>(p);
  b->pid = user_mode_thread(set_deathsig, p, SIGCHLD);
  wait_for_completion(&b->ready);
  return 0;
}
void parent_death_signal(kunit* test) {
  Bereaved b;
  init_completion(&b.ready);
  current->signal->is_child_subreaper = true;
  pid_t parent = spawn(dies_before_its_child, &b);
  wait_for(parent);
  KUNIT_EXPECT_EQ(test, wait_for(b.pid).event.status, SIGUSR1);
  current->signal->is_child_subreaper = false;
}

// ---- Threads (spec 21 X-2..X-4, X-28) ----------------------------------------------------------------------------------------------

constexpr unsigned long kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

int exits_nine(void*) {
  msleep(40);
  do_exit(exited(9));
}
int leader_exits_first(void*) {
  user_mode_thread(exits_nine, nullptr, kThread);
  do_exit(exited(5));
}
void the_last_thread_decides(kunit* test) {  // spec 21 X-4
  pid_t pid = spawn(leader_exits_first);
  msleep(10);
  TaskRef leader(pid);
  KUNIT_EXPECT_EQ(test, READ_ONCE(leader->exit_state), EXIT_ZOMBIE);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WEXITED | WNOHANG).result, 0);  // spec 21 X-28: not waitable yet
  KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, exited(9));
}

int sleeps_for_ever(void*) { return obey_signals(nullptr); }
int group_exits(void*) {
  for (int i = 0; i < 3; i++) user_mode_thread(sleeps_for_ever, nullptr, kThread);
  do_group_exit(exited(4));
}
void group_exit_takes_all(kunit* test) {  // spec 21 X-2
  const int before = nr_threads;
  KUNIT_EXPECT_EQ(test, wait_for(spawn(group_exits)).event.status, exited(4));
  KUNIT_EXPECT_EQ(test, nr_threads, before);
}

int makes_threads(void*) {
  for (int i = 0; i < 3; i++) user_mode_thread(sleeps_for_ever, nullptr, kThread);
  return obey_signals(nullptr);
}
void a_fatal_signal_takes_all(kunit* test) {  // spec 21 S-21
  const int before = nr_threads;
  pid_t pid = spawn(makes_threads);
  msleep(2);
  KUNIT_EXPECT_EQ(test, nr_threads, before + 4);
  send(pid, SIGTERM);
  KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, SIGTERM);
  KUNIT_EXPECT_EQ(test, nr_threads, before);
}

void all_threads_stop(kunit* test) {  // spec 21 S-41, S-42
  pid_t pid = spawn(makes_threads);
  msleep(2);
  send(pid, SIGSTOP);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WUNTRACED).event.status, stopped(SIGSTOP));
  {
    TaskRef leader(pid);
    RcuReadGuard rcu;
    task_struct* t;
    for_each_thread(leader.get(), t) KUNIT_EXPECT_TRUE(test, task_is_stopped(t));
  }
  end(test, pid);
}

// ---- Usage (spec 21 W-4, W-15) ------------------------------------------------------------------------------------------------------

int counts_faults(void*) {
  current->min_flt = 11;
  current->nvcsw = 0;
  return 0;
}
void usage_is_reported_and_added(kunit* test) {
  const unsigned long before = current->signal->cmin_flt;
  pid_t pid = spawn(counts_faults);
  struct pid* p = find_get_pid(pid);
  rusage ru;
  WaitEvent event;
  event.usage = &ru;
  KUNIT_EXPECT_EQ(test, do_wait({PIDTYPE_PID, p, WEXITED}, &event), pid);
  put_pid(p);
  KUNIT_EXPECT_EQ(test, ru.ru_minflt, 11l);
  KUNIT_EXPECT_EQ(test, current->signal->cmin_flt, before + 11);
}

kunit_case cases[] = {
    KUNIT_CASE_PARAM(statuses, rows_gen_params), KUNIT_CASE(no_children), KUNIT_CASE(nohang), KUNIT_CASE(reaped_once),
    KUNIT_CASE(nowait_leaves_it), KUNIT_CASE(a_zombie_is_not_stopped), KUNIT_CASE(clone_children), KUNIT_CASE(oldest_first),
    KUNIT_CASE(by_group), KUNIT_CASE(ignored_sigchld_reaps), KUNIT_CASE(nocldwait_reaps), KUNIT_CASE(an_old_zombie_stays),
    KUNIT_CASE(stop_and_continue), KUNIT_CASE(nowait_keeps_the_stop), KUNIT_CASE(a_stopped_one_can_be_killed),
    KUNIT_CASE(stopped_without_being_asked), KUNIT_CASE(subreaper_adopts), KUNIT_CASE(init_adopts),
    KUNIT_CASE(parent_death_signal), KUNIT_CASE(the_last_thread_decides), KUNIT_CASE(group_exit_takes_all),
    KUNIT_CASE(a_fatal_signal_takes_all), KUNIT_CASE(all_threads_stop), KUNIT_CASE(usage_is_reported_and_added), {},
};
kunit_suite suite = {.name = "waiting", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
