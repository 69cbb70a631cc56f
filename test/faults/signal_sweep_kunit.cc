// What comes from outside at every preemption point of a fork: signals, the death of those around, what siblings do. The child is there
// whole or not at all, the call returns what it did, no signal is lost, and nothing is left. Spec 20 F-40, F-53, F-54, F-94, F-95, T-25;
// spec 21, S-13, S-21, S-46.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <uapi/linux/ptrace.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>
#include <uapi/linux/wait.h>

#include "arch/hosted/appointment.hh"
#include "arch/hosted/user.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "test/faults/parent.hh"
#include "test/faults/snapshot.hh"

namespace {

using user::sys;
using user::Var;

enum class Kind : unsigned char { Fork, Vfork, Thread, Clone3 };
constexpr const char* kKindNames[] = {"fork", "vfork", "thread", "clone3"};

enum class Event : unsigned char {
  Kill, Stop, Handled, HandledRestart, Group, ParentDies, TracerDies, InitDies, SiblingExits, SiblingEndsAll, SiblingExecs,
};
constexpr const char* kEventNames[] = {"SIGKILL",       "SIGSTOP and SIGCONT", "a handled signal", "a handled signal, SA_RESTART",
                                       "a signal to the process group", "its parent's death", "its tracer's death",
                                       "its namespace init's death", "a sibling's exit", "a sibling's exit_group", "a sibling's exec"};

// Who acts has this CPU for itself; all others share the rest.
constexpr unsigned kActorCpu = 1;
constexpr unsigned long kOtherCpus = 5;
constexpr long kNever = -100'000;

// What shall happen, and what came of it. Programs run on fibers of one host thread, but ThreadSanitizer cannot know: atomics.
template <class T>
struct Shared {
  T v;
  operator T() const { return __atomic_load_n(&v, __ATOMIC_ACQUIRE); }
  T operator=(T n) { return __atomic_store_n(&v, n, __ATOMIC_RELEASE), n; }
  void operator++(int) { __atomic_fetch_add(&v, 1, __ATOMIC_ACQ_REL); }
};
struct Story {
  Kind kind;
  Event event;
  unsigned long at;
  Shared<int> forker, manager, tracer;  // global numbers; 0: not there yet
  Shared<bool> actor_ready, acted, tracing, over, met, saw_stop, had_child;
  Shared<long> result, status;  // of the call; of the forker as its parent was told
  Shared<int> children, child_pid, child_status, in_forker, in_child;
  Shared<unsigned long> points;
};
Story story;

int own_number() { return current->tgid; }
void pause_a_little() {
  sys(__NR_sched_yield);
  user::burn(10'000);
}
template <class Condition>
void wait_for(Condition c) {
  while (!c()) pause_a_little();
}
void run_on(unsigned long cpus) {
  Var<unsigned long> mask(cpus);
  sys(__NR_sched_setaffinity, 0, sizeof cpus, mask.addr());
}

bool by_sibling(Event e) { return e >= Event::SiblingExits; }

// ---- Who forks -----------------------------------------------------------------------------------------------------------------

void on_signal(int, unsigned long, unsigned long) {
  if (own_number() != story.forker) {
    story.in_child++;
    return;
  }
  // The signal may come as late as in wait4(), when the child has been reaped.
  story.had_child = story.result > 0 || !list_empty(&current->group_leader->children) || READ_ONCE(current->signal->nr_threads) > 1;
  story.in_forker++;
}

// What was to happen has begun at its point, but may have had to wait for locks.
bool nothing_more_comes() { return story.acted || by_sibling(story.event) || !hosted::appointment_met(); }

long child(unsigned long) {
  story.children++;
  story.child_pid = current->pid;
  if (story.kind == Kind::Vfork)
    pause_a_little();
  else
    wait_for([] { return story.over && nothing_more_comes(); });
  return 7;
}

long make_child() {
  switch (story.kind) {
    case Kind::Fork: return user::fork(child);
    case Kind::Vfork: return user::vfork(child);
    case Kind::Thread: return user::thread(user::thread_stack(), child);
    case Kind::Clone3: {
      clone_args a{};
      Var<int> pidfd, tid;
      a.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_FS;
      a.pidfd = pidfd.addr(), a.parent_tid = a.child_tid = tid.addr(), a.exit_signal = SIGCHLD;
      Var<clone_args> args(a);
      return user::clone3(args.addr(), sizeof a, a.flags, child);
    }
  }
  return -ENOSYS;
}

long program_of_exec(unsigned long) {
  story.over = true;
  return 0;
}

// A thread of the forker's, alone on its CPU.
long sibling(unsigned long) {
  run_on(1ul << kActorCpu);
  user::Str program("/program");
  story.actor_ready = true;
  wait_for([] { return hosted::appointment_met() || story.over; });
  if (!hosted::appointment_met()) return 0;
  if (story.event == Event::SiblingEndsAll) user::exit(3);
  if (story.event == Event::SiblingExecs) sys(__NR_execve, program.addr(), 0, 0);
  return 0;
}

long forker(unsigned long) {
  sys(__NR_setpgid, 0, 0);
  user::sigaction(SIGUSR1, on_signal, story.event == Event::HandledRestart ? SA_RESTART : 0);
  story.forker = own_number();
  if (by_sibling(story.event)) user::thread(user::thread_stack(), sibling);
  wait_for([] { return story.actor_ready && (story.event != Event::TracerDies || story.tracing); });
  hosted::appointment_make(current, story.at, kActorCpu);
  const long result = make_child();
  story.points = hosted::appointment_end();
  story.result = result;
  story.over = true;
  if (story.kind == Kind::Thread && result > 0) wait_for([] { return story.children != 0; });
  if (story.kind != Kind::Thread && result > 0) {
    Var<int> status(-1);
    while (sys(__NR_wait4, result, status.addr(), 0, 0) == -EINTR) {}
    story.child_status = status.get();
  }
  wait_for(nothing_more_comes);
  // Whoever ends or replaces us all is on the way.
  if (hosted::appointment_met() && (story.event == Event::SiblingEndsAll || story.event == Event::SiblingExecs)) wait_for([] { return false; });
  return 0;
}

// ---- Those around --------------------------------------------------------------------------------------------------------------

long manager(unsigned long) {
  story.manager = own_number();
  const long nr = user::fork(forker);
  Var<int> status(-1);
  if (sys(__NR_wait4, nr, status.addr(), 0, 0) == nr) story.status = status.get();
  story.over = true;
  return 0;
}
long first(unsigned long) {
  run_on(kOtherCpus);
  const unsigned long flags = story.event == Event::InitDies ? CLONE_NEWPID : 0;
  const long nr = user::clone(flags | SIGCHLD, 0, manager);
  sys(__NR_wait4, nr, 0, 0, 0);
  return 0;
}

bool forker_is_stopped() {
  RcuReadGuard rcu;
  task_struct* t = find_task_by_vpid(story.forker);
  return t && READ_ONCE(t->signal->flags) & SIGNAL_STOP_STOPPED;
}

void act() {
  const long forker = story.forker;
  switch (story.event) {
    case Event::Kill: sys(__NR_kill, forker, SIGKILL); return;
    case Event::Handled:
    case Event::HandledRestart: sys(__NR_kill, forker, SIGUSR1); return;
    case Event::Group: sys(__NR_kill, -forker, SIGUSR1); return;
    case Event::ParentDies:
    case Event::InitDies: sys(__NR_kill, story.manager, SIGKILL); return;
    case Event::TracerDies: sys(__NR_kill, story.tracer, SIGKILL); return;
    case Event::Stop:
      sys(__NR_kill, forker, SIGSTOP);
      for (int i = 0; i < 300 && !story.saw_stop; i++) {
        pause_a_little();
        if (forker_is_stopped()) story.saw_stop = true;
      }
      sys(__NR_kill, forker, SIGCONT);
      return;
    default: return;
  }
}

long actor(unsigned long) {
  run_on(1ul << kActorCpu);
  story.actor_ready = true;
  wait_for([] { return hosted::appointment_met() || story.over; });
  if (hosted::appointment_met()) act();
  story.acted = true;
  return 0;
}

long tracer(unsigned long) {
  run_on(kOtherCpus);
  story.tracer = own_number();
  wait_for([] { return story.forker != 0; });
  constexpr unsigned long kOptions = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORKDONE;
  sys(__NR_ptrace, PTRACE_SEIZE, static_cast<int>(story.forker), 0, kOptions);
  story.tracing = true;
  Var<int> status;
  for (;;) {
    const long nr = sys(__NR_wait4, -1, status.addr(), __WALL, 0);
    if (nr < 0) return 0;
    if ((status.get() & 0xff) != 0x7f) continue;
    const int sig = status.get() >> 8;  // an event: nothing to inject
    sys(__NR_ptrace, PTRACE_CONT, nr, 0, sig > 0xff || sig == SIGTRAP ? 0 : sig);
  }
}

// ---- What may come of it ---------------------------------------------------------------------------------------------------------

bool forker_is_killed(Event e) { return e == Event::Kill || e == Event::InitDies || e == Event::SiblingEndsAll || e == Event::SiblingExecs; }

// Null, or what is not as the spec allows.
const char* judge() {
  const Event e = story.event;
  const bool returned = story.result != kNever;
  if (story.children > 1) return "the child ran twice";
  if (returned && story.result < 0) return "the call failed";
  if (!returned && !forker_is_killed(e)) return "the call never returned";
  if (returned && !story.children && !forker_is_killed(e)) return "the child never ran";
  if (returned && story.kind != Kind::Thread && !forker_is_killed(e) && story.child_status != 7 << 8) return "the child did not end as it should";
  if (!story.met) return nullptr;
  switch (e) {
    case Event::Kill: return story.status == SIGKILL ? nullptr : "SIGKILL did not kill";
    case Event::SiblingEndsAll: return story.status == 3 << 8 ? nullptr : "exit_group's status is not the process's";
    case Event::SiblingExecs: return story.status == 0 ? nullptr : "the program that was executed did not end well";
    case Event::Handled:
    case Event::HandledRestart:
      if (story.in_child) return "the child got its parent's signal";
      return story.in_forker == 1 ? nullptr : "the handler did not run once";
    case Event::Group:
      if (story.kind == Kind::Thread) return story.in_forker == 1 ? nullptr : "the handler did not run once";
      if (story.in_forker != 1) return "the handler did not run once";
      // F-94: either the fork began over again after the signal, or the child got it too. A vfork child may have ended before.
      if (story.in_child != story.had_child && !(story.kind == Kind::Vfork && !story.in_child)) return "parent and child disagree about the group's signal";
      return nullptr;
    case Event::Stop: return story.saw_stop || story.kind == Kind::Vfork ? nullptr : "SIGSTOP did not stop";
    default: return nullptr;
  }
}

// An idle CPU keeps the tables of who ran there last: let that be us, so that no dead address space is left.
void be_everywhere() {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    cpumask_t one{};
    cpumask_set_cpu(cpu, &one);
    (void)set_cpus_allowed_ptr(current, &one);
    msleep(1);
  }
  const cpumask_t others{{kOtherCpus}};
  (void)set_cpus_allowed_ptr(current, &others);
}

void tell_of_tasks(kunit* test) {
  RcuReadGuard rcu;
  task_struct *p, *t;
  for_each_process_thread(p, t) {
    if (t->flags & PF_KTHREAD) continue;
    kunit_info(test, "task %d of %d, parent %d: state 0x%x exit 0x%x pending 0x%llx shared 0x%llx flags 0x%lx jobctl 0x%lx cpu %u on_rq %d", t->pid, t->tgid,
               t->real_parent->pid, t->__state, t->exit_state, t->pending.signal.sig[0], t->signal->shared_pending.signal.sig[0], t->thread_info.flags, t->jobctl, t->cpu, t->on_rq);
  }
  kunit_info(test, "forker %d manager %d tracer %d actor ready %d over %d met %d children %d result %ld", (int)story.forker, (int)story.manager, (int)story.tracer,
             (bool)story.actor_ready, (bool)story.over, hosted::appointment_met(), (int)story.children, (long)story.result);
}

// One telling: the forker's call with the event at its n-th point. False: it has no such point.
bool tell(kunit* test, Snapshot& before, Snapshot& now) {
  const int threads = nr_threads;
  const long root = user::start_process(first);
  KUNIT_ASSERT_GT(test, root, 0l);
  const long act_nr = by_sibling(story.event) ? 0 : user::start_process(actor);
  const long trace_nr = story.event == Event::TracerDies ? user::start_process(tracer) : 0;
  user::wait_process(root);
  // Whoever the killed manager left behind ends by itself; but nobody shall wait for one who cannot come any more.
  for (int i = 0; i < 4000 && nr_threads > threads; i++) {
    if (i == 1000) story.over = true;
    msleep(1);
  }
  story.met = hosted::appointment_met();
  hosted::appointment_end();
  story.over = true;
  if (act_nr) user::wait_process(act_nr);
  if (trace_nr) user::wait_process(trace_nr);
  char what[120];
  snprintf(what, sizeof what, "%s with %s at point %lu", kKindNames[static_cast<int>(story.kind)],
           kEventNames[static_cast<int>(story.event)], story.at);
  if (nr_threads > threads) {
    KUNIT_FAIL(test, "%s: %d tasks are left", what, nr_threads - threads);
    tell_of_tasks(test);
    return false;
  }
  if (const char* wrong = judge())
    KUNIT_FAIL(test, "%s: %s (result %ld, status 0x%lx, children %d, handled %d+%d, had child %d)", what, wrong, (long)story.result,
               (long)story.status, (int)story.children, (int)story.in_forker, (int)story.in_child, (bool)story.had_child);
  be_everywhere();
  settle();
  now.take(current);
  now.same_as(before, test, what);
  return story.met;
}

void set_scene(Kind kind, Event event, unsigned long at) {
  story = {};
  hosted::appointment_make(nullptr, 0, 0);
  story.kind = kind, story.event = event, story.at = at;
  story.result = story.status = kNever;
}

void sweep_points(kunit* test, Kind kind, Event event, unsigned long stride) {
  Snapshot before, now;
  be_everywhere();
  for (int i = 0; i < 2; i++) {  // nothing happens: caches get warm
    set_scene(kind, event, 0);
    tell(test, now, now);
  }
  const unsigned long points = story.points;
  before.take(current);
  unsigned long times = 0;
  for (unsigned long at = 1; test->status == KUNIT_SUCCESS; at += stride) {
    set_scene(kind, event, at);
    if (!tell(test, before, now)) break;
    times++;
  }
  kunit_info(test, "%s with %s: %lu preemption points, %lu of them visited", kKindNames[static_cast<int>(kind)],
             kEventNames[static_cast<int>(event)], points, times);
  KUNIT_EXPECT_GT(test, times, 20ul / stride);
}

void make_program(kunit* test) {
  static unsigned char elf[user::kElfSize];
  const size_t n = user::make_elf(program_of_exec, elf, sizeof elf);
  auto f = filp_open("/program", O_WRONLY | O_CREAT, 0755);
  KUNIT_ASSERT_TRUE(test, f.has_value());
  loff_t pos = 0;
  KUNIT_EXPECT_EQ(test, kernel_write(*f, elf, n, &pos), static_cast<ssize_t>(n));
  fput(*f);
}

#if defined(__SANITIZE_THREAD__)
constexpr unsigned long kStride = 3;
#else
constexpr unsigned long kStride = 1;
#endif

void sweep_event(kunit* test, Event event) {
  if (event == Event::SiblingExecs) make_program(test);
  struct Context {
    kunit* test;
    Event event;
  } context{test, event};
  faults::run_parent(test, [](void* p) {
    auto* c = static_cast<Context*>(p);
    {
      IrqOffSpinGuard guard(current->sighand->siglock);
      set_sighandler(current->sighand, SIGCHLD, SIG_IGN);  // those that are started, or left behind, are reaped by themselves
      current->signal->is_child_subreaper = true;
    }
    for (Kind kind : {Kind::Fork, Kind::Vfork, Kind::Thread, Kind::Clone3}) if (c->test->status == KUNIT_SUCCESS) sweep_points(c->test, kind, c->event, kStride);
    return 0;
  }, &context);
}

void kill(kunit* test) { sweep_event(test, Event::Kill); }
void stop(kunit* test) { sweep_event(test, Event::Stop); }
void handled(kunit* test) { sweep_event(test, Event::Handled); }
void handled_restart(kunit* test) { sweep_event(test, Event::HandledRestart); }
void group(kunit* test) { sweep_event(test, Event::Group); }
void parent_dies(kunit* test) { sweep_event(test, Event::ParentDies); }
void tracer_dies(kunit* test) { sweep_event(test, Event::TracerDies); }
void init_dies(kunit* test) { sweep_event(test, Event::InitDies); }
void sibling_exits(kunit* test) { sweep_event(test, Event::SiblingExits); }
void sibling_ends_all(kunit* test) { sweep_event(test, Event::SiblingEndsAll); }
void sibling_execs(kunit* test) { sweep_event(test, Event::SiblingExecs); }

kunit_case cases[] = {
    KUNIT_CASE(kill), KUNIT_CASE(stop), KUNIT_CASE(handled), KUNIT_CASE(handled_restart), KUNIT_CASE(group), KUNIT_CASE(parent_dies),
    KUNIT_CASE(tracer_dies), KUNIT_CASE(init_dies), KUNIT_CASE(sibling_exits), KUNIT_CASE(sibling_ends_all), KUNIT_CASE(sibling_execs), {},
};
kunit_suite suite = {.name = "signal_sweep", .test_cases = cases, .world = {.cpus = 3, .memory_mb = 128, .deterministic = "steers by yield points"}};
kunit_test_suite(suite);

}  // namespace
