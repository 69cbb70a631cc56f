// The freezer with user programs and kernel threads: who freezes, how, and what thawing gives back. Spec 33 section 10.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/freezer.h>
#include <linux/wait.h>

#include "kernel/pid/pid.hh"
#include "kernel/sched/rq.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/signal/signal.hh"
#include "test/hosted/program.hh"
#include "test/sync/threads.hh"

namespace {

using namespace program;

unsigned state_of(const task_struct* t) { return READ_ONCE(t->__state); }
unsigned long switches(const task_struct* t) { return READ_ONCE(t->nvcsw) + READ_ONCE(t->nivcsw); }

// Pid 1 runs the suites and waits for this case, not as a freezable sleeper: it is left out.
int freeze_users() {
  task_struct* init = find_get_task_by_vpid(1);
  WRITE_ONCE(init->flags, init->flags | PF_NOFREEZE);
  put_task_struct(init);
  return freeze_processes();
}

// A user process, by its task.
struct Process {
  long pid;
  task_struct* t;
  explicit Process(kunit* test, user::Fn fn, unsigned long arg = 0) {
    // As after an exec: a child of a kernel thread has its PF_NOFREEZE until then.
    WRITE_ONCE(current->flags, current->flags & ~PF_NOFREEZE);
    pid = user::start_process(fn, arg);
    WRITE_ONCE(current->flags, current->flags | PF_NOFREEZE);
    KUNIT_ASSERT_GT(test, pid, 0l);
    t = find_get_task_by_vpid(static_cast<pid_t>(pid));
    KUNIT_ASSERT_NOT_NULL(test, t);
  }
  void kill(int sig) const {
    struct pid* p = find_get_pid(static_cast<pid_t>(pid));
    (void)kill_pid_info(sig, SEND_SIG_PRIV, p);
    put_pid(p);
  }
  long end() {
    put_task_struct(t);
    return user::wait_process(pid);
  }
};

// ---- Programs ------------------------------------------------------------------------------------------------------------------

long sleeps(unsigned long ms) {
  Var<__kernel_timespec> t({static_cast<long>(ms) / 1000, static_cast<long>(ms) % 1000 * 1'000'000});
  return sys(__NR_nanosleep, t.addr(), 0) ? 1 : 0;
}
long spins(unsigned long ms) {
  for (unsigned long i = 0; i < ms; i++) user::burn(1'000'000);
  return 0;
}
int handled;
void handler(int, unsigned long, unsigned long) { handled++; }
long pauses(unsigned long) {
  user::sigaction(SIGUSR1, handler);
  sys(__NR_pause);
  return handled;
}
long vforks(unsigned long) {
  const long child = user::vfork([](unsigned long) -> long { return sleeps(300); });
  return ends_by(child, exited(0)) ? 0 : 1;
}

// ---- Kernel threads --------------------------------------------------------------------------------------------------------------

struct Worker {
  wait_queue_head wq;
  bool freezable = true, polite = true;
  int rounds = 0, frozen = 0;
  bool was_frozen = false;
};
int works(void* p) {
  auto* w = static_cast<Worker*>(p);
  if (w->freezable) set_freezable();
  while (!kthread_should_stop()) {
    if (w->polite) w->frozen += try_to_freeze();
    WRITE_ONCE(w->rounds, w->rounds + 1);
    schedule_timeout_interruptible(1);
  }
  return 0;
}
int waits_freezably(void* p) {
  auto* w = static_cast<Worker*>(p);
  set_freezable();
  while (!kthread_freezable_should_stop(&w->was_frozen)) {
    wait_event_freezable(w->wq, READ_ONCE(w->rounds) > 0 || kthread_should_stop());
    if (kthread_should_stop()) break;
    WRITE_ONCE(w->rounds, 0);
    WRITE_ONCE(w->frozen, w->frozen + 1);
  }
  return 0;
}
task_struct* start(kunit* test, int (*fn)(void*), Worker* w) {
  init_waitqueue_head(&w->wq);
  task_struct* t = kthread_run(fn, w, "worker");
  KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
  msleep(20);
  return t;
}

// ---- Who ---------------------------------------------------------------------------------------------------------------------------

// spec 33 W-54, in its order
void who_is_to_freeze(kunit* test) {
  Process user(test, waits_for_signals);
  Worker freezable, other{.freezable = false};
  task_struct *f = start(test, works, &freezable), *o = start(test, works, &other);
  KUNIT_EXPECT_FALSE(test, freezing(user.t) || freezing(f) || freezing(o));
  KUNIT_ASSERT_EQ(test, freeze_users(), 0);
  KUNIT_EXPECT_TRUE(test, freezing(user.t));
  KUNIT_EXPECT_FALSE(test, freezing(f));
  KUNIT_EXPECT_FALSE(test, freezing(o));
  KUNIT_EXPECT_FALSE(test, freezing(current));
  KUNIT_ASSERT_EQ(test, freeze_kernel_threads(), 0);
  KUNIT_EXPECT_TRUE(test, freezing(user.t));
  KUNIT_EXPECT_TRUE(test, freezing(f));
  KUNIT_EXPECT_FALSE(test, freezing(o));  // PF_NOFREEZE
  KUNIT_EXPECT_FALSE(test, freezing(current));
  set_tsk_thread_flag(user.t, TIF_MEMDIE);
  KUNIT_EXPECT_FALSE(test, freezing(user.t));
  clear_tsk_thread_flag(user.t, TIF_MEMDIE);
  thaw_kernel_threads();
  KUNIT_EXPECT_TRUE(test, freezing(user.t));
  KUNIT_EXPECT_FALSE(test, freezing(f));
  thaw_processes();
  KUNIT_EXPECT_FALSE(test, freezing(user.t));
  KUNIT_EXPECT_FALSE(test, current->flags & PF_SUSPEND_TASK);
  user.kill(SIGKILL);
  KUNIT_EXPECT_EQ(test, user.end(), SIGKILL);
  kthread_stop(f);
  kthread_stop(o);
}

// ---- User tasks ----------------------------------------------------------------------------------------------------------------------

// spec 33 W-55, W-56: who sleeps in a freezable state is frozen where it is, without running; thawed, it goes on with its sleep
void a_freezable_sleep(kunit* test) {
  Process p(test, sleeps, 300);
  const u64 began = arch::clock_ns();
  msleep(20);
  KUNIT_EXPECT_EQ(test, state_of(p.t), unsigned{TASK_INTERRUPTIBLE | TASK_FREEZABLE});
  const unsigned long before = switches(p.t);
  KUNIT_ASSERT_EQ(test, freeze_users(), 0);
  KUNIT_EXPECT_EQ(test, state_of(p.t), unsigned{TASK_FROZEN});
  KUNIT_EXPECT_TRUE(test, frozen(p.t));
  KUNIT_EXPECT_EQ(test, switches(p.t), before);
  KUNIT_EXPECT_FALSE(test, test_tsk_thread_flag(p.t, TIF_SIGPENDING));
  KUNIT_EXPECT_EQ(test, wake_up_process(p.t), 0);  // spec 33 W-58
  KUNIT_EXPECT_EQ(test, state_of(p.t), unsigned{TASK_FROZEN});
  KUNIT_EXPECT_FALSE(test, freeze_task(p.t));  // it is already
  thaw_processes();
  msleep(20);
  KUNIT_EXPECT_EQ(test, state_of(p.t), unsigned{TASK_INTERRUPTIBLE | TASK_FREEZABLE});  // it looked again
  KUNIT_EXPECT_EQ(test, p.end(), 0);
  KUNIT_EXPECT_GE(test, arch::clock_ns() - began, u64{280'000'000});
}

// spec 33 W-55, W-58: the time-out that came while it was frozen is found when it is thawed
void a_timeout_while_frozen(kunit* test) {
  Process p(test, sleeps, 100);
  msleep(20);
  KUNIT_ASSERT_EQ(test, freeze_users(), 0);
  msleep(300);
  KUNIT_EXPECT_EQ(test, state_of(p.t), unsigned{TASK_FROZEN});
  thaw_processes();
  const u64 thawed = arch::clock_ns();
  KUNIT_EXPECT_EQ(test, p.end(), 0);
  KUNIT_EXPECT_LT(test, arch::clock_ns() - thawed, u64{20'000'000});
}

// spec 33 W-55, W-57: who runs, or sleeps otherwise, comes through the signal path into the refrigerator
void running_and_sleeping_users(kunit* test) {
  Process spinner(test, spins, 400), sleeper(test, pauses), parent(test, vforks);
  msleep(20);
  KUNIT_EXPECT_EQ(test, state_of(sleeper.t), unsigned{TASK_INTERRUPTIBLE});
  KUNIT_ASSERT_EQ(test, freeze_users(), 0);
  for (const Process* p : {&spinner, &sleeper, &parent}) {
    KUNIT_EXPECT_EQ(test, state_of(p->t), unsigned{TASK_FROZEN});
    KUNIT_EXPECT_FALSE(test, READ_ONCE(p->t->on_rq));
    KUNIT_EXPECT_FALSE(test, data_race(p->t->sched_contributes_to_load));  // spec 33 W-58, 30 S-82
  }
  const u64 used = task_sched_runtime(spinner.t);
  msleep(200);
  KUNIT_EXPECT_EQ(test, task_sched_runtime(spinner.t), used);
  sleeper.kill(SIGUSR1);  // waits until it is thawed
  msleep(20);
  KUNIT_EXPECT_EQ(test, state_of(sleeper.t), unsigned{TASK_FROZEN});
  handled = 0;
  thaw_processes();
  KUNIT_EXPECT_EQ(test, sleeper.end(), exited(1));
  KUNIT_EXPECT_EQ(test, spinner.end(), 0);
  KUNIT_EXPECT_EQ(test, parent.end(), 0);
}

// spec 33 W-55: nobody notices, if nothing else happens
void freezing_goes_unnoticed(kunit* test) {
  handled = 0;
  Process sleeper(test, pauses);
  msleep(20);
  for (int i = 0; i < 3; i++) {
    KUNIT_ASSERT_EQ(test, freeze_users(), 0);
    thaw_processes();
    msleep(20);
    KUNIT_EXPECT_EQ(test, state_of(sleeper.t), unsigned{TASK_INTERRUPTIBLE});  // in pause() again
    KUNIT_EXPECT_FALSE(test, test_tsk_thread_flag(sleeper.t, TIF_SIGPENDING));
  }
  sleeper.kill(SIGUSR1);
  KUNIT_EXPECT_EQ(test, sleeper.end(), exited(1));
}

// spec 33 W-55, W-58: stopped and traced ones are frozen where they are, and put back; what was continued or killed meanwhile goes on
void stopped_and_traced_users(kunit* test) {
  Process stopped(test, waits_for_signals), continued(test, waits_for_signals), killed(test, waits_for_signals);
  Process tracer(test, [](unsigned long) -> long {
    const long child = user::fork([](unsigned long) -> long {
      sys(__NR_ptrace, 0 /* PTRACE_TRACEME */, 0, 0, 0);
      kill(getpid(), SIGSTOP);
      return 7;
    });
    Ended e = wait4(child);
    nap(200);
    if (e.status != program::stopped(SIGSTOP)) return 1;
    sys(__NR_ptrace, 7 /* PTRACE_CONT */, child, 0, 0);
    return ends_by(child, exited(7)) ? 0 : 2;
  });
  msleep(20);
  for (const Process* p : {&stopped, &continued, &killed}) p->kill(SIGSTOP);
  msleep(20);
  task_struct* tracee = list_first_entry_or_null(&tracer.t->children, task_struct, sibling);
  KUNIT_ASSERT_NOT_NULL(test, tracee);
  KUNIT_EXPECT_EQ(test, state_of(tracee), unsigned{TASK_TRACED});
  const unsigned long before = switches(stopped.t);
  KUNIT_ASSERT_EQ(test, freeze_users(), 0);
  for (const task_struct* t : {stopped.t, continued.t, killed.t, tracee}) KUNIT_EXPECT_EQ(test, state_of(t), unsigned{TASK_FROZEN});
  continued.kill(SIGCONT);
  killed.kill(SIGKILL);
  msleep(20);
  KUNIT_EXPECT_EQ(test, state_of(continued.t), unsigned{TASK_FROZEN});
  KUNIT_EXPECT_EQ(test, state_of(killed.t), unsigned{TASK_FROZEN});
  thaw_processes();
  KUNIT_EXPECT_EQ(test, state_of(stopped.t), unsigned{TASK_STOPPED});
  KUNIT_EXPECT_EQ(test, state_of(tracee), unsigned{TASK_TRACED});
  KUNIT_EXPECT_EQ(test, switches(stopped.t), before);
  KUNIT_EXPECT_EQ(test, killed.end(), SIGKILL);
  msleep(20);
  KUNIT_EXPECT_EQ(test, state_of(continued.t) & TASK_NORMAL, unsigned{TASK_INTERRUPTIBLE});
  KUNIT_EXPECT_EQ(test, tracer.end(), 0);
  for (Process* p : {&stopped, &continued}) {
    p->kill(SIGKILL);
    KUNIT_EXPECT_EQ(test, p->end(), SIGKILL);
  }
}

// ---- Kernel threads -----------------------------------------------------------------------------------------------------------------------

// spec 33 W-55, W-57: those that called set_freezable(), where they ask; others go on
void kernel_threads(kunit* test) {
  Worker polite, other{.freezable = false};
  task_struct *a = start(test, works, &polite), *b = start(test, works, &other);
  KUNIT_ASSERT_EQ(test, freeze_users(), 0);
  int rounds = READ_ONCE(polite.rounds);
  msleep(50);
  KUNIT_EXPECT_GT(test, READ_ONCE(polite.rounds), rounds);  // it is not their phase yet
  KUNIT_ASSERT_EQ(test, freeze_kernel_threads(), 0);
  KUNIT_EXPECT_EQ(test, state_of(a), unsigned{TASK_FROZEN});
  rounds = READ_ONCE(polite.rounds);
  const int others = READ_ONCE(other.rounds);
  msleep(50);
  KUNIT_EXPECT_EQ(test, READ_ONCE(polite.rounds), rounds);
  KUNIT_EXPECT_GT(test, READ_ONCE(other.rounds), others);
  thaw_processes();
  msleep(50);
  KUNIT_EXPECT_GT(test, READ_ONCE(polite.rounds), rounds);
  kthread_stop(a);
  kthread_stop(b);
  KUNIT_EXPECT_EQ(test, polite.frozen, 1);  // what try_to_freeze() said
  KUNIT_EXPECT_EQ(test, other.frozen, 0);
}

// spec 33 W-56, W-58: frozen in its wait; a wake-up that comes then is not lost, since the condition is looked at again
void a_freezable_wait(kunit* test) {
  Worker w;
  task_struct* t = start(test, waits_freezably, &w);
  const unsigned long before = switches(t);
  KUNIT_ASSERT_EQ(test, freeze_users(), 0);
  KUNIT_ASSERT_EQ(test, freeze_kernel_threads(), 0);
  KUNIT_EXPECT_EQ(test, state_of(t), unsigned{TASK_FROZEN});
  KUNIT_EXPECT_EQ(test, switches(t), before);
  WRITE_ONCE(w.rounds, 1);
  wake_up(&w.wq);
  msleep(20);
  KUNIT_EXPECT_EQ(test, READ_ONCE(w.frozen), 0);
  thaw_processes();
  msleep(20);
  KUNIT_EXPECT_EQ(test, READ_ONCE(w.frozen), 1);
  kthread_stop(t);
}

int stopped_in_the_refrigerator(void* p) {
  auto* w = static_cast<Worker*>(p);
  set_freezable();
  while (!kthread_freezable_should_stop(&w->was_frozen)) schedule_timeout_interruptible(1);
  return 5;
}
// spec 33 W-57: kthread_stop() ends the stay of who asked for that
void stopping_a_frozen_thread(kunit* test) {
  Worker w;
  task_struct* t = start(test, stopped_in_the_refrigerator, &w);
  get_task_struct(t);
  KUNIT_ASSERT_EQ(test, freeze_users(), 0);
  KUNIT_ASSERT_EQ(test, freeze_kernel_threads(), 0);
  KUNIT_EXPECT_EQ(test, state_of(t), unsigned{TASK_FROZEN});
  Thread stopper;
  stopper.start(test, [](void* p) -> int { return kthread_stop(static_cast<task_struct*>(p)); }, t);
  msleep(20);
  KUNIT_EXPECT_FALSE(test, stopper.finished());  // a wake-up alone does not reach it
  wake_up_state(t, TASK_FROZEN);                 // looks, and finds that it is to stop
  KUNIT_EXPECT_EQ(test, stopper.join(), 5);
  KUNIT_EXPECT_TRUE(test, w.was_frozen);
  put_task_struct(t);
  thaw_processes();
}

// ---- Failure -------------------------------------------------------------------------------------------------------------------------------

// spec 33 section 10: a time-out, or an event: -EBUSY, and everybody goes on
void who_refuses(kunit* test) {
  Worker rude{.polite = false}, polite;
  task_struct *r = start(test, works, &rude), *p = start(test, works, &polite);
  Process user(test, waits_for_signals);
  msleep(20);
  freeze_timeout_msecs = 200;
  KUNIT_ASSERT_EQ(test, freeze_users(), 0);
  const u64 before = arch::clock_ns();
  KUNIT_EXPECT_EQ(test, freeze_kernel_threads(), -EBUSY);
  KUNIT_EXPECT_GE(test, arch::clock_ns() - before, u64{200'000'000});
  msleep(20);
  KUNIT_EXPECT_FALSE(test, frozen(p));
  KUNIT_EXPECT_TRUE(test, frozen(user.t));  // its phase goes on
  thaw_processes();
  msleep(20);
  KUNIT_EXPECT_FALSE(test, frozen(user.t));
  freeze_timeout_msecs = 20'000;
  KUNIT_ASSERT_EQ(test, freeze_users(), 0);
  pm_system_wakeup();
  KUNIT_EXPECT_EQ(test, freeze_kernel_threads(), -EBUSY);
  thaw_processes();
  user.kill(SIGKILL);
  KUNIT_EXPECT_EQ(test, user.end(), SIGKILL);
  kthread_stop(r);
  kthread_stop(p);
}

kunit_case cases[] = {
    KUNIT_CASE(who_is_to_freeze),
    KUNIT_CASE(a_freezable_sleep),
    KUNIT_CASE(a_timeout_while_frozen),
    KUNIT_CASE(running_and_sleeping_users),
    KUNIT_CASE(freezing_goes_unnoticed),
    KUNIT_CASE(stopped_and_traced_users),
    KUNIT_CASE(kernel_threads),
    KUNIT_CASE(a_freezable_wait),
    KUNIT_CASE(stopping_a_frozen_thread),
    KUNIT_CASE(who_refuses),
    {},
};
kunit_suite suite = {.name = "freezer", .test_cases = cases, .world = {.cpus = 2, .seeds = 10}};

}  // namespace

kunit_test_suite(suite);
