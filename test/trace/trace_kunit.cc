// Tracepoints: which are recorded, in which order, and their text. Runs on both machines.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/wait.h>

#include "kernel/exit/wait.hh"
#include "kernel/fork/fork.hh"
#include "kernel/sched/params.hh"
#include "kernel/sync/guards.hh"
#include "kernel/trace/internal.hh"
#include "kernel/trace/tracefs.hh"

namespace {

constexpr u32 bit(TraceEvent e) { return 1u << static_cast<unsigned>(e); }
constexpr u32 kAll = (1u << kNrSwitchableEvents) - 1;

// Recording of some events for its lifetime; then a walk over what was recorded.
struct Recording {
  Recording(kunit* t, u32 events) : test(t) {
    cursor = static_cast<TraceCursor*>(kunit_kzalloc(t, sizeof(TraceCursor), GFP_KERNEL));
    cursor->only_cpu = kAllCpus;
    KUNIT_EXPECT_TRUE(t, trace_enable_events(events, ~events).has_value());
    trace_clear(kAllCpus);
  }
  ~Recording() { stop(); }
  void stop() { (void)trace_enable_events(0, kAll); }
  bool next() {
    if (!trace_cursor_load(cursor)) return false;
    trace_cursor_pass(cursor);
    return true;
  }
  TraceEvent event() const {
    auto* c = reinterpret_cast<const TraceCommon*>(cursor->entry);
    for (unsigned k = 0; k < kNrTraceEvents; k++)
      if (trace_event_info(static_cast<TraceEvent>(k)).id == c->type) return static_cast<TraceEvent>(k);
    return TraceEvent::Print;
  }
  template <class E>
  const E& entry() const {
    return *reinterpret_cast<const E*>(cursor->entry);
  }
  kunit* test;
  TraceCursor* cursor;
};

struct Sleeper {
  completion started, finished;
  unsigned state;
  bool stop;
};
int sleeper(void* p) {
  auto* s = static_cast<Sleeper*>(p);
  complete(&s->started);
  for (;;) {
    set_current_state(s->state);
    if (READ_ONCE(s->stop)) break;
    schedule();
  }
  __set_current_state(TASK_RUNNING);
  complete(&s->finished);
  return 7;
}
task_struct* start(kunit* test, Sleeper* s, unsigned state) {
  init_completion(&s->started);
  init_completion(&s->finished);
  s->state = state;
  s->stop = false;
  task_struct* t = kthread_create(sleeper, s, "sleeper");
  KUNIT_EXPECT_FALSE(test, IS_ERR_OR_NULL(t));
  get_task_struct(t);
  return t;
}
void finish(task_struct* t, Sleeper* s) {
  WRITE_ONCE(s->stop, true);
  wake_up_state(t, TASK_NORMAL | TASK_WAKEKILL | TASK_STOPPED | TASK_TRACED);
  wait_for_completion(&s->finished);
  put_task_struct(t);
}

// ---- Text -------------------------------------------------------------------------------------------------------------

void put_comm(TraceComm& c, const char* s) { strscpy(c.text, s, sizeof(c.text)); }
void line_is(kunit* test, TraceCursor* c, u64 us, u8 flags, u8 depth, int pid, u16 id, unsigned cpu, const char* wanted) {
  auto* common = reinterpret_cast<TraceCommon*>(c->entry);
  *common = {id, flags, depth, pid};
  c->record.time = us * 1000;
  c->cpu = cpu;
  auto* text = static_cast<char*>(kunit_kzalloc(test, kTraceLine, GFP_KERNEL));
  TraceText t{text, kTraceLine};
  trace_print_line(*c, t);
  KUNIT_EXPECT_STREQ(test, text, wanted);
}
TraceCursor* empty_cursor(kunit* test) {
  KUNIT_EXPECT_TRUE(test, trace_need_rings().has_value());
  auto* c = static_cast<TraceCursor*>(kunit_kzalloc(test, sizeof(TraceCursor), GFP_KERNEL));
  c->only_cpu = kAllCpus;
  return c;
}
void name_is(int pid, const char* name) {
  SavedComm& s = traces->cpus.on(0).comms[static_cast<unsigned>(pid) % kSavedComms];
  char comm[16]{};
  strscpy(comm, name, sizeof(comm));
  s = {2, pid, ~0ull, {}};
  memcpy(s.comm, comm, sizeof(comm));
}

// spec 30 S-89
void the_examples_come_out_exactly(kunit* test) {
  TraceCursor* c = empty_cursor(test);
  name_is(1234, "bash");
  auto& e = *reinterpret_cast<SwitchEntry*>(c->entry);
  put_comm(e.prev_comm, "bash");
  put_comm(e.next_comm, "swapper/1");
  e.prev_pid = 1234;
  e.prev_prio = e.next_prio = 120;
  e.prev_state = 1;
  e.next_pid = 0;
  line_is(test, c, 12'345'678, TRACE_FLAG_IRQS_OFF, 2, 1234, 319, 1,
          "            bash-1234    [001] d..2.    12.345678: sched_switch: prev_comm=bash prev_pid=1234 prev_prio=120 "
          "prev_state=S ==> next_comm=swapper/1 next_pid=0 next_prio=120\n");
  auto& w = *reinterpret_cast<WakeEntry*>(c->entry);
  put_comm(w.comm, "bash");
  w.pid = 1234;
  w.prio = 120;
  w.target_cpu = 1;
  line_is(test, c, 12'350'001,
          TRACE_FLAG_IRQS_OFF | TRACE_FLAG_NEED_RESCHED | TRACE_FLAG_PREEMPT_RESCHED | TRACE_FLAG_HARDIRQ, 2, 0, 321, 1,
          "          <idle>-0       [001] dNh2.    12.350001: sched_wakeup: comm=bash pid=1234 prio=120 target_cpu=001\n");
  line_is(test, c, 1, TRACE_FLAG_IRQS_OFF | TRACE_FLAG_BH_OFF | TRACE_FLAG_NEED_RESCHED | TRACE_FLAG_NMI, 0x3a, 99, 322, 15,
          "           <...>-99      [015] Dnza3     0.000001: sched_waking: comm=bash pid=1234 prio=120 target_cpu=001\n");
  line_is(test, c, 123456'000000, TRACE_FLAG_BH_OFF | TRACE_FLAG_PREEMPT_RESCHED | TRACE_FLAG_HARDIRQ | TRACE_FLAG_SOFTIRQ, 0,
          1234567, 322, 0,
          "           <...>-1234567 [000] bpH.. 123456.000000: sched_waking: comm=bash pid=1234 prio=120 target_cpu=001\n");
}

void state_text(kunit* test, s64 state, const char* wanted) {
  SwitchEntry e{};
  e.prev_state = state;
  char text[200], whole[200];
  TraceText t{text, sizeof(text)};
  trace_event_info(TraceEvent::SchedSwitch).print(&e, t);
  snprintf(whole, sizeof(whole), "prev_comm= prev_pid=0 prev_prio=0 prev_state=%s ==> next_comm= next_pid=0 next_prio=0", wanted);
  KUNIT_EXPECT_STREQ(test, text, whole);
}

// spec 30 S-86
void states_have_letters(kunit* test) {
  state_text(test, 0, "R");
  state_text(test, 0x100, "R+");
  state_text(test, 0x1, "S");
  state_text(test, 0x2, "D");
  state_text(test, 0x4, "T");
  state_text(test, 0x8, "t");
  state_text(test, 0x10, "X");
  state_text(test, 0x20, "Z");
  state_text(test, 0x40, "P");
  state_text(test, 0x80, "I");
  state_text(test, 0x3, "S|D");
}

// ---- What is recorded ---------------------------------------------------------------------------------------------------

// The state that `task` left its CPU in, last.
s64 left_in(Recording* rec, int pid) {
  s64 state = -1;
  while (rec->next())
    if (rec->event() == TraceEvent::SchedSwitch && rec->entry<SwitchEntry>().prev_pid == pid) state = rec->entry<SwitchEntry>().prev_state;
  return state;
}
void leaves_in(kunit* test, unsigned state, s64 recorded) {
  Sleeper s;
  task_struct* t = start(test, &s, state);
  {
    Recording rec(test, bit(TraceEvent::SchedSwitch));
    wake_up_process(t);
    wait_for_completion(&s.started);
    wait_task_inactive(t, 0);
    KUNIT_EXPECT_EQ(test, left_in(&rec, t->pid), recorded);
  }
  finish(t, &s);
}
// spec 30 S-86
void a_switch_records_the_reported_state(kunit* test) {
  leaves_in(test, TASK_INTERRUPTIBLE, 0x1);
  leaves_in(test, TASK_UNINTERRUPTIBLE, 0x2);
  leaves_in(test, TASK_KILLABLE, 0x2);
  leaves_in(test, TASK_IDLE, 0x80);
}

// spec 30 S-86: whoever is pushed off its CPU is R+, even with a sleeping state on it
void the_preempted_are_marked(kunit* test) {
  Sleeper s;
  task_struct* t = start(test, &s, TASK_INTERRUPTIBLE);
  kthread_bind(t, raw_smp_processor_id());
  cpumask_t before = *current->cpus_ptr, here;
  cpumask_clear(&here);
  cpumask_set_cpu(raw_smp_processor_id(), &here);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &here).has_value());
  KUNIT_EXPECT_TRUE(test, __sched_setscheduler(t, {.policy = SCHED_FIFO, .rt_priority = 50}, SchedCaller::Kernel).has_value());
  {
    Recording rec(test, bit(TraceEvent::SchedSwitch));
    wake_up_process(t);  // with preempt=full it preempts us at once
    cond_resched();
    wait_for_completion(&s.started);
    rec.stop();
    s64 first = -1;
    while (first < 0 && rec.next())
      if (rec.entry<SwitchEntry>().next_pid == t->pid) first = rec.entry<SwitchEntry>().prev_state;
    KUNIT_EXPECT_EQ(test, first, 0x100);
  }
  finish(t, &s);
  KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(current, &before).has_value());
}

// spec 30 S-88
void a_wake_up_is_told_in_order(kunit* test) {
  Sleeper s;
  task_struct* t = start(test, &s, TASK_INTERRUPTIBLE);
  wake_up_process(t);
  wait_for_completion(&s.started);
  wait_task_inactive(t, 0);
  {
    Recording rec(test, bit(TraceEvent::SchedWaking) | bit(TraceEvent::SchedMigrateTask) | bit(TraceEvent::SchedWakeup) |
                            bit(TraceEvent::SchedSwitch));
    WRITE_ONCE(s.stop, true);
    const int waker = current->pid;
    wake_up_process(t);
    wait_for_completion(&s.finished);
    rec.stop();
    int step = 0;
    while (rec.next()) {
      const TraceEvent e = rec.event();
      const auto& wake = rec.entry<WakeEntry>();
      if (e == TraceEvent::SchedWaking && wake.pid == t->pid) {
        KUNIT_EXPECT_EQ(test, step, 0);
        KUNIT_EXPECT_EQ(test, wake.common.pid, waker);
        KUNIT_EXPECT_TRUE(test, wake.common.flags & TRACE_FLAG_IRQS_OFF);
        step = 1;
      } else if (e == TraceEvent::SchedMigrateTask && rec.entry<MigrateEntry>().pid == t->pid && step < 3) {
        KUNIT_EXPECT_EQ(test, step, 1);
        KUNIT_EXPECT_NE(test, rec.entry<MigrateEntry>().orig_cpu, rec.entry<MigrateEntry>().dest_cpu);
      } else if (e == TraceEvent::SchedWakeup && wake.pid == t->pid) {
        KUNIT_EXPECT_EQ(test, step, 1);
        step = 2;
      } else if (e == TraceEvent::SchedSwitch && rec.entry<SwitchEntry>().next_pid == t->pid) {
        KUNIT_EXPECT_EQ(test, step, 2);
        step = 3;
        break;
      }
    }
    KUNIT_EXPECT_EQ(test, step, 3);
  }
  put_task_struct(t);
}

int ends_at_once(void*) { return 0; }

// spec 30 S-87: the fork is told by the parent, before the child is woken; its end, and when it is gone
void a_life_is_told(kunit* test) {
  Recording rec(test, bit(TraceEvent::SchedProcessFork) | bit(TraceEvent::SchedWakeupNew) | bit(TraceEvent::SchedProcessExit) |
                          bit(TraceEvent::SchedProcessFree) | bit(TraceEvent::SchedProcessWait));
  const pid_t child = kernel_thread(ends_at_once, nullptr, SIGCHLD);
  KUNIT_ASSERT_GT(test, child, 0);
  WaitEvent event;
  (void)do_wait({PIDTYPE_MAX, nullptr, WEXITED}, &event);
  for (int tries = 0; tries < 20; tries++) msleep(10);
  rec.stop();
  constexpr TraceEvent kOrder[] = {TraceEvent::SchedProcessFork, TraceEvent::SchedWakeupNew, TraceEvent::SchedProcessExit,
                                   TraceEvent::SchedProcessFree};
  unsigned step = 0;
  bool waited = false;
  while (rec.next()) {
    if (rec.event() == TraceEvent::SchedProcessWait) {
      waited |= rec.entry<TaskEntry>().common.pid == current->pid;
      continue;
    }
    const bool fork = rec.event() == TraceEvent::SchedProcessFork;
    if (fork ? rec.entry<ForkEntry>().child_pid != child : rec.entry<TaskEntry>().pid != child) continue;
    KUNIT_ASSERT_LT(test, step, 4u);
    KUNIT_EXPECT_EQ(test, rec.event(), kOrder[step]);
    if (fork) {
      KUNIT_EXPECT_EQ(test, rec.entry<ForkEntry>().parent_pid, current->pid);
      KUNIT_EXPECT_EQ(test, rec.entry<ForkEntry>().common.pid, current->pid);
    }
    step++;
  }
  KUNIT_EXPECT_EQ(test, step, 4u);
  KUNIT_EXPECT_TRUE(test, waited);
}

void stopping_a_thread_is_told(kunit* test) {
  Recording rec(test, bit(TraceEvent::SchedKthreadStop) | bit(TraceEvent::SchedKthreadStopRet));
  task_struct* t = kthread_run(
      [](void*) {
        while (!kthread_should_stop()) schedule_timeout_interruptible(1);
        return 42;
      },
      nullptr, "stoppable");
  const int pid = t->pid;
  msleep(10);  // stopped before it ran it would answer -EINTR
  KUNIT_EXPECT_EQ(test, kthread_stop(t), 42);
  KUNIT_ASSERT_TRUE(test, rec.next());
  KUNIT_EXPECT_EQ(test, rec.event(), TraceEvent::SchedKthreadStop);
  KUNIT_EXPECT_EQ(test, rec.entry<KthreadEntry>().pid, pid);
  KUNIT_EXPECT_STREQ(test, rec.entry<KthreadEntry>().comm.text, "stoppable");
  KUNIT_ASSERT_TRUE(test, rec.next());
  KUNIT_EXPECT_EQ(test, rec.event(), TraceEvent::SchedKthreadStopRet);
  KUNIT_EXPECT_EQ(test, rec.entry<IntEntry>().value, 42);
}

void run_time_is_told(kunit* test) {
  Recording rec(test, bit(TraceEvent::SchedStatRuntime));
  const u64 before = current->se.sum_exec_runtime;
  const u64 until = arch::clock_ns() + 5'000'000;
  while (arch::clock_ns() < until) cpu_relax();
  msleep(2);
  const u64 ran = current->se.sum_exec_runtime - before;
  rec.stop();
  u64 told = 0;
  while (rec.next())
    if (rec.entry<RuntimeEntry>().pid == current->pid) told += rec.entry<RuntimeEntry>().runtime;
  KUNIT_EXPECT_GT(test, told, 0u);
  KUNIT_EXPECT_LE(test, told > ran ? told - ran : ran - told, 10'000'000u);
}

void off_means_nothing_is_recorded(kunit* test) {
  Recording rec(test, kAll);
  trace_set_on(false);
  KUNIT_EXPECT_EQ(test, trace_events_live, 0u);
  trace_clear(kAllCpus);
  msleep(2);
  KUNIT_EXPECT_FALSE(test, rec.next());
  trace_set_on(true);
  msleep(2);
  KUNIT_EXPECT_TRUE(test, rec.next());
}

void events_are_named(kunit* test) {
  struct Case {
    const char* text;
    bool ok;
    u32 then;
  };
  constexpr u32 kSwitch = bit(TraceEvent::SchedSwitch), kWakeup = bit(TraceEvent::SchedWakeup);
  constexpr Case kCases[] = {{"sched:sched_switch", true, kSwitch}, {"sched_wakeup", true, kSwitch | kWakeup},
                             {"sched:nothing", false, kSwitch | kWakeup}, {"irq:sched_switch", false, kSwitch | kWakeup},
                             {"!*:sched_switch", true, kWakeup}, {"!sched", true, 0}, {"sched:*", true, kAll},
                             {"!sched:*", true, 0}, {"sched:sched_sw*", false, 0}};
  (void)trace_enable_events(0, kAll);
  for (const Case& c : kCases) {
    char text[40];
    strscpy(text, c.text, sizeof(text));
    KUNIT_EXPECT_EQ_MSG(test, trace_set_event(text).has_value(), c.ok, "%s", c.text);
    KUNIT_EXPECT_EQ_MSG(test, traces->enabled, c.then, "%s", c.text);
  }
  (void)trace_enable_events(0, kAll);
}

void too_large_a_ring_is_refused(kunit* test) {
  const unsigned before = traces->cpus.on(0).pages;
  KUNIT_EXPECT_FALSE(test, trace_resize(0, 1u << 27).has_value());
  KUNIT_EXPECT_EQ(test, traces->cpus.on(0).pages, before);
}

void a_new_size_keeps_the_newest(kunit* test) {
  KUNIT_ASSERT_TRUE(test, trace_resize(kAllCpus, 64).has_value());
  trace_clear(kAllCpus);
  for (int k = 0; k < 1000; k++) {
    IntEntry e{{}, k};
    trace_record(TraceEvent::Print, &e.common, sizeof(e));
  }
  KUNIT_ASSERT_TRUE(test, trace_resize(kAllCpus, kMinRingPages).has_value());
  TraceCursor* c = empty_cursor(test);
  int n = 0, last = -1;
  for (; trace_cursor_load(c); trace_cursor_pass(c), n++) {
    const int v = reinterpret_cast<IntEntry*>(c->entry)->value;
    if (num_online_cpus() == 1 && last >= 0) KUNIT_EXPECT_EQ(test, v, last + 1);
    last = v;
  }
  KUNIT_EXPECT_GT(test, n, 100);
  KUNIT_EXPECT_EQ(test, last, 999);
  KUNIT_EXPECT_TRUE(test, trace_resize(kAllCpus, kBootRingPages).has_value());
  trace_clear(kAllCpus);
}

// ---- The ring -------------------------------------------------------------------------------------------------------

struct Numbered {
  u64 n;
  char more[64];
};
void the_ring_overwrites_the_oldest(kunit* test) {
  alignas(8) static u64 memory[256];
  static TraceRing ring;
  ring.attach(memory, 256);
  TraceRing::Record r;
  Numbered e{};
  KUNIT_EXPECT_FALSE(test, ring.read(0, &r, &e, sizeof(e)));
  for (u64 n = 0; n < 1000; n++) {
    e.n = n;
    ring.write(n * 10, 0, &e, 8 + n % 64);
    u64 pos = 0, expected = 0, count = 0;
    Numbered got{};
    while (ring.read(pos, &r, &got, sizeof(got))) {
      if (!count) expected = got.n;
      if (got.n != expected || r.time != expected * 10 || r.size != 8 + expected % 64) {
        KUNIT_FAIL(test, "record %llu where %llu was expected", got.n, expected);
        return;
      }
      pos = r.next;
      count++;
      expected++;
    }
    KUNIT_EXPECT_EQ(test, expected, n + 1);
    KUNIT_EXPECT_EQ(test, count, ring.entries());
    KUNIT_EXPECT_EQ(test, ring.entries() + ring.overrun(), n + 1);
  }
  KUNIT_EXPECT_GT(test, ring.entries(), 20u);
}

void what_is_consumed_is_gone(kunit* test) {
  alignas(8) static u64 memory[64];
  static TraceRing ring;
  ring.attach(memory, 64);
  for (u64 n = 0; n < 5; n++) ring.write(n, 0, &n, 8);
  TraceRing::Record r;
  u64 v;
  KUNIT_ASSERT_TRUE(test, ring.read(0, &r, &v, 8));
  ring.consume(r.next, 1);
  KUNIT_EXPECT_EQ(test, ring.entries(), 4u);
  KUNIT_ASSERT_TRUE(test, ring.read(0, &r, &v, 8));
  KUNIT_EXPECT_EQ(test, v, 1u);
  ring.clear();
  KUNIT_EXPECT_FALSE(test, ring.read(0, &r, &v, 8));
  KUNIT_EXPECT_EQ(test, ring.entries(), 0u);
}

}  // namespace

static kunit_case cases[] = {
    KUNIT_CASE(the_examples_come_out_exactly),
    KUNIT_CASE(states_have_letters),
    KUNIT_CASE(a_switch_records_the_reported_state),
    KUNIT_CASE(the_preempted_are_marked),
    KUNIT_CASE(a_wake_up_is_told_in_order),
    KUNIT_CASE(a_life_is_told),
    KUNIT_CASE(stopping_a_thread_is_told),
    KUNIT_CASE(run_time_is_told),
    KUNIT_CASE(off_means_nothing_is_recorded),
    KUNIT_CASE(events_are_named),
    KUNIT_CASE(too_large_a_ring_is_refused),
    KUNIT_CASE(a_new_size_keeps_the_newest),
    KUNIT_CASE(the_ring_overwrites_the_oldest),
    KUNIT_CASE(what_is_consumed_is_gone),
    {},
};
static kunit_suite suite = {.name = "trace", .test_cases = cases};
kunit_test_suite(suite);
