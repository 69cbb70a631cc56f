// The ends of tasks and threads, in kernel mode, so that each can be held at any point. Spec 21 part A.
// SPDX-License-Identifier: Apache-2.0
#include "test/fork/helpers.hh"

#include <linux/delay.h>
#include <linux/preempt.h>

#include "fs/vfs/vfs.hh"
#include "kernel/cgroup/cgroup.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/signal/sets.hh"
#include "kernel/task/io_context.hh"

namespace {

constexpr unsigned long kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

bool comes_true(const int* flag) {
  for (int i = 0; i < 1000 && !READ_ONCE(*flag); i++) msleep(1);
  return READ_ONCE(*flag);
}

// ---- Codes (section 1) -----------------------------------------------------------------------------------------------------

int ends_late_with_nine(void*) {
  msleep(30);  // does not hear that it is to die
  do_exit(exited(9));
}
int group_exit_with_four(void*) {
  user_mode_thread(ends_late_with_nine, nullptr, kThread);
  do_group_exit(exited(4));
}
void a_group_code_stays(kunit* test) {  // spec 21
  KUNIT_EXPECT_EQ(test, wait_for(spawn(group_exit_with_four)).event.status, exited(4));
}

int exits_group_late(void*) {
  msleep(30);
  do_group_exit(exited(9));  // too late: the code is there
}
int is_killed_first(void*) {
  user_mode_thread(exits_group_late, nullptr, kThread);
  return obey_signals(nullptr);
}
void a_fatal_signals_code_stays(kunit* test) {  // spec 21, S-21
  pid_t pid = spawn(is_killed_first);
  msleep(5);
  send(pid, SIGTERM);
  KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, SIGTERM);
}

// An oops ends the one task, whatever it held.
int oopses(void*) {
  preempt_disable();
  preempt_disable();
  make_task_dead(SIGSEGV);
}
void an_oops_repairs_the_preempt_count(kunit* test) {  // spec 21 X-6
  KUNIT_EXPECT_EQ(test, wait_for(spawn(oopses)).event.status, SIGSEGV);
}
int oopses_while_it_ends(void*) {
  current->flags |= PF_EXITING;  // as if do_exit() had got so far
  make_task_dead(SIGSEGV);
}
// What the task would have done next: the world counts what is left when it ends.
void finish_dying(task_struct* t) {
  exit_files(t);
  exit_fs(t);
  exit_task_namespaces(t);
  cgroup_exit(t);
  exit_io_context(t);
  atomic_dec(&t->signal->live);
  t->signal->quick_threads--;
  WRITE_ONCE(t->exit_state, EXIT_ZOMBIE);
}
// spec 21 X-5: one that oopses at its end is left as it is: no part of the end is tried again, futexes know, nobody waits for it
void an_oops_at_the_end_parks_the_task(kunit* test) {
  const pid_t nr = spawn(oopses_while_it_ends);
  TaskRef t(nr);
  msleep(5);
  KUNIT_EXPECT_EQ(test, t->exit_state, EXIT_DEAD);
  KUNIT_EXPECT_EQ(test, READ_ONCE(t->__state), unsigned{TASK_DEAD});
  KUNIT_EXPECT_EQ(test, t->futex_state, 2u);  // dead, to robust futexes
  KUNIT_EXPECT_NOT_NULL(test, t->files);
  KUNIT_EXPECT_NOT_NULL(test, t->sighand);
  KUNIT_EXPECT_EQ(test, atomic_read(&t->signal->live), 1);
  KUNIT_EXPECT_EQ(test, wait_for(nr, WEXITED | WNOHANG).result, -ECHILD);
  KUNIT_EXPECT_EQ(test, wake_up_process(t.get()), 0);
  finish_dying(t.get());
  KUNIT_EXPECT_EQ(test, wait_for(nr).result, nr);
}
int thread_oopses(void*) { make_task_dead(SIGSEGV); }
int outlives_a_thread(void*) {
  user_mode_thread(thread_oopses, nullptr, kThread);
  while (READ_ONCE(current->signal->nr_threads) > 1) msleep(1);
  do_group_exit(exited(6));
}
void an_oops_ends_one_thread(kunit* test) { KUNIT_EXPECT_EQ(test, wait_for(spawn(outlives_a_thread)).event.status, exited(6)); }

// ---- Signals on the way out (2.1) --------------------------------------------------------------------------------------------

struct Team {
  int ready = 0, handled = 0;
};
int takes_signals(void* p) {
  auto* team = static_cast<Team*>(p);
  WRITE_ONCE(team->ready, 1);
  while (!READ_ONCE(team->handled)) {
    set_current_state(TASK_INTERRUPTIBLE);
    if (!signal_pending(current)) schedule();
    __set_current_state(TASK_RUNNING);
    ksignal ksig;
    if (get_signal(&ksig)) WRITE_ONCE(team->handled, ksig.sig);
  }
  do_group_exit(exited(team->handled));
}
int leaves_a_signal_behind(void* p) {
  auto* team = static_cast<Team*>(p);
  catch_signal(SIGUSR1);
  user_mode_thread(takes_signals, p, kThread);
  while (!READ_ONCE(team->ready)) msleep(1);
  do_send_sig_info(SIGUSR1, SEND_SIG_NOINFO, current, PIDTYPE_TGID);  // we run, so we are to take it
  do_exit(exited(1));
}
void who_leaves_hands_signals_on(kunit* test) {  // spec 21 X-7, S-32
  Team team;
  KUNIT_EXPECT_EQ(test, wait_for(spawn(leaves_a_signal_behind, &team)).event.status, exited(SIGUSR1));
}

struct Stop {
  int ready = 0, go = 0;
  pid_t pid = 0;
};
int never_stops(void* p) {  // hears of the stop only by leaving
  auto* s = static_cast<Stop*>(p);
  WRITE_ONCE(s->ready, 1);
  while (!READ_ONCE(s->go)) msleep(1);
  do_exit(0);
}
int stops_with_a_laggard(void* p) {
  user_mode_thread(never_stops, p, kThread);
  return obey_signals(nullptr);
}
void who_leaves_counts_as_stopped(kunit* test) {  // spec 21 X-7, S-41, S-42, S-44
  Stop s;
  pid_t pid = spawn(stops_with_a_laggard, &s);
  KUNIT_ASSERT_TRUE(test, comes_true(&s.ready));
  send(pid, SIGSTOP);
  msleep(5);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WUNTRACED | WNOHANG).result, 0);  // one has not stopped yet
  WRITE_ONCE(s.go, 1);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WUNTRACED).event.status, stopped(SIGSTOP));
  end(test, pid);
}

// A SIGCONT that comes while a stop is under way: as if the stop had been completed first.
void continued_while_stopping(kunit* test) {  // spec 21 S-13, S-40
  Stop s;
  pid_t pid = spawn(stops_with_a_laggard, &s);
  KUNIT_ASSERT_TRUE(test, comes_true(&s.ready));
  send(pid, SIGSTOP);
  msleep(5);
  send(pid, SIGCONT);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WCONTINUED).event.status, 0xffff);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WUNTRACED | WNOHANG).result, 0);
  WRITE_ONCE(s.go, 1);
  msleep(5);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WUNTRACED | WNOHANG).result, 0);  // the laggard's leaving completes nothing
  end(test, pid);
}

// ---- A leader that dies first (X-28, W-9) --------------------------------------------------------------------------------------

int leader_leaves(void* p) {
  user_mode_thread(takes_signals, p, kThread);
  do_exit(exited(5));
}
void a_dead_leaders_group_lives(kunit* test) {  // spec 21 X-28, W-9, W-17, S-46
  Team team;
  pid_t pid = spawn(leader_leaves, &team);
  KUNIT_ASSERT_TRUE(test, comes_true(&team.ready));
  TaskRef leader(pid);
  while (!READ_ONCE(leader->exit_state)) msleep(1);
  KUNIT_EXPECT_EQ(test, READ_ONCE(leader->exit_state), EXIT_ZOMBIE);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WEXITED | WNOHANG).result, 0);
  KUNIT_EXPECT_EQ(test, wait_for(-1, WEXITED | WNOHANG).result, 0);
  send(pid, SIGSTOP);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WUNTRACED).event.status, stopped(SIGSTOP));
  send(pid, SIGCONT);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WCONTINUED).event.status, 0xffff);
  send(pid, SIGTERM);  // by the process's number: its threads die
  KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, SIGTERM);
}

int returns_seven(void*) { return exited(7); }
void released_but_not_freed(kunit* test) {  // spec 21 X-29
  pid_t pid = spawn(returns_seven);
  TaskRef t(pid);
  KUNIT_EXPECT_EQ(test, wait_for(pid).event.status, exited(7));
  KUNIT_EXPECT_NULL(test, find_get_task_by_vpid(pid));
  KUNIT_EXPECT_EQ(test, t->exit_state, EXIT_DEAD);
  KUNIT_EXPECT_EQ(test, t->exit_code, exited(7));
  KUNIT_EXPECT_NULL(test, t->sighand);
}

// ---- Parents (X-14, X-16, W-5, W-12, W-14) -------------------------------------------------------------------------------------

void waiters_hear_of_silent_ends(kunit* test) {  // spec 21 X-14: no signal at all, but who waits is woken
  pid_t pid = spawn(
      [](void*) {
        msleep(10);
        return exited(3);
      },
      nullptr, 0);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WEXITED | __WALL).event.status, exited(3));
}

void ends_of_others_do_not_wake(kunit* test) {  // spec 21 W-12
  pid_t slow = spawn([](void*) {
    msleep(60);
    return 0;
  });
  for (int i = 0; i < 5; i++) spawn([](void* n) {
    msleep(static_cast<unsigned>(reinterpret_cast<long>(n)));
    return 0;
  }, reinterpret_cast<void*>(5l * (i + 1)));
  const unsigned long before = current->nvcsw;
  KUNIT_EXPECT_EQ(test, wait_for(slow).result, slow);
  KUNIT_EXPECT_LE(test, current->nvcsw - before, 2ul);
  for (int i = 0; i < 5; i++) KUNIT_EXPECT_GT(test, wait_for(-1).result, 0);
}

struct Family {
  int ready = 0, go = 0;
  pid_t child = 0;
  task_struct* father = nullptr;
  int results[4] = {};
};
int a_child(void* p) {
  auto* f = static_cast<Family*>(p);
  while (!READ_ONCE(f->go)) msleep(1);
  return 0;
}
int mothers_thread(void* p) {
  auto* f = static_cast<Family*>(p);
  f->child = user_mode_thread(a_child, p, SIGCHLD);
  smp_store_release(&f->ready, 1);
  while (READ_ONCE(f->ready) == 1) msleep(1);
  do_exit(0);
}
int family(void* p) {
  auto* f = static_cast<Family*>(p);
  user_mode_thread(mothers_thread, p, kThread);
  while (!smp_load_acquire(&f->ready)) msleep(1);
  f->results[0] = wait_for(f->child, WEXITED | WNOHANG).result;                // a sibling thread's child is ours too
  f->results[1] = wait_for(f->child, WEXITED | WNOHANG | __WNOTHREAD).result;  // unless we say not
  WRITE_ONCE(f->ready, 2);
  while (READ_ONCE(current->signal->nr_threads) > 1) msleep(1);
  f->results[2] = wait_for(-1, WEXITED | WNOHANG | __WNOTHREAD).result;  // its mother has left: ours
  {
    TaskRef child(f->child);
    f->father = child->real_parent;
    f->results[3] = f->father == current && child->exit_signal == SIGCHLD;
  }
  WRITE_ONCE(f->go, 1);
  return wait_for(-1).result == f->child ? 0 : exited(1);
}
void threads_are_parents(kunit* test) {  // spec 21 W-5, W-11, X-16, X-18
  Family f;
  KUNIT_EXPECT_EQ(test, wait_for(spawn(family, &f)).event.status, 0);
  KUNIT_EXPECT_EQ(test, f.results[0], 0);
  KUNIT_EXPECT_EQ(test, f.results[1], -ECHILD);
  KUNIT_EXPECT_EQ(test, f.results[2], 0);
  KUNIT_EXPECT_EQ(test, f.results[3], 1);
}

struct Race {
  pid_t child = 0;
  int got[2] = {};
  int done = 0;
};
int waits_too(void* p) {
  auto* r = static_cast<Race*>(p);
  r->got[1] = wait_for(r->child).result;
  WRITE_ONCE(r->done, 1);
  do_exit(0);
}
int two_wait(void* p) {
  auto* r = static_cast<Race*>(p);
  r->child = spawn([](void*) {
    msleep(10);
    return 0;
  });
  user_mode_thread(waits_too, p, kThread);
  r->got[0] = wait_for(r->child).result;
  while (!READ_ONCE(r->done)) msleep(1);
  return 0;
}
void one_reaper(kunit* test) {  // spec 21 W-7, W-14
  Race r;
  KUNIT_EXPECT_EQ(test, wait_for(spawn(two_wait, &r)).event.status, 0);
  const int winner = r.got[0] > 0 ? 0 : 1;
  KUNIT_EXPECT_EQ(test, r.got[winner], r.child);
  KUNIT_EXPECT_EQ(test, r.got[1 - winner], -ECHILD);
}

// A zombie whose parent dies is shown to the new one.
int leaves_a_zombie(void* p) {
  auto* child = static_cast<pid_t*>(p);
  *child = spawn(returns_seven, nullptr, SIGUSR1);
  wait_for(*child, WEXITED | WNOWAIT | __WALL);
  return 0;
}
void zombies_are_inherited(kunit* test) {  // spec 21
  pid_t child = 0;
  current->signal->is_child_subreaper = true;
  wait_for(spawn(leaves_a_zombie, &child));
  KUNIT_EXPECT_EQ(test, wait_for(child).event.status, exited(7));  // a SIGCHLD child now: no __WCLONE
  current->signal->is_child_subreaper = false;
}

kunit_case cases[] = {
    KUNIT_CASE(a_group_code_stays), KUNIT_CASE(a_fatal_signals_code_stays), KUNIT_CASE(an_oops_repairs_the_preempt_count),
    KUNIT_CASE(an_oops_at_the_end_parks_the_task), KUNIT_CASE(an_oops_ends_one_thread), KUNIT_CASE(who_leaves_hands_signals_on), KUNIT_CASE(who_leaves_counts_as_stopped),
    KUNIT_CASE(continued_while_stopping), KUNIT_CASE(a_dead_leaders_group_lives), KUNIT_CASE(released_but_not_freed),
    KUNIT_CASE(waiters_hear_of_silent_ends), KUNIT_CASE(ends_of_others_do_not_wake), KUNIT_CASE(threads_are_parents),
    KUNIT_CASE(one_reaper), KUNIT_CASE(zombies_are_inherited), {},
};
kunit_suite suite = {.name = "exiting", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
