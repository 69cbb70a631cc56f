// What the statistics count, and how the files show it. Spec 30 sections 6.6, 12 and 14. Both machines.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/string.h>

#include "fs/proc/proc.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/sched/params.hh"
#include "kernel/sched/stats.hh"
#include "kernel/trace/internal.hh"
#include "test/cgroup/helpers.hh"

namespace {

// Statistics on, for as long as it lives. (The image runs all suites in one world.)
struct Counting {
  explicit Counting(kunit* test) { KUNIT_EXPECT_TRUE(test, set_sched_schedstats(true).has_value()); }
  ~Counting() { (void)set_sched_schedstats(false); }
};

// One CPU for the case and its threads: what follows from what is known then.
struct OneCpu {
  cpumask_t before = current->cpus_mask, one = {{1ul << cpu}};
  static constexpr unsigned cpu = 0;
  OneCpu() { (void)set_cpus_allowed_ptr(current, &one); }
  ~OneCpu() { (void)set_cpus_allowed_ptr(current, &before); }
};

struct Thread {
  completion woken;
  u32 how = TASK_INTERRUPTIBLE;
  bool in_iowait = false, stop = false, spin = false;
  task_struct* task = nullptr;

  static int run(void* data) {
    auto* t = static_cast<Thread*>(data);
    current->in_iowait = t->in_iowait;
    for (;;) {
      set_current_state(READ_ONCE(t->how));
      if (READ_ONCE(t->stop)) break;
      schedule();
      complete(&t->woken);
    }
    __set_current_state(TASK_RUNNING);
    current->in_iowait = false;
    complete(&t->woken);
    return 0;
  }
  void start(kunit* test, const cpumask_t& mask) {
    init_completion(&woken);
    task = kthread_create(run, this, "counted");
    KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
    get_task_struct(task);
    KUNIT_ASSERT_TRUE(test, set_cpus_allowed_ptr(task, &mask).has_value());
    wake_up_process(task);
    wait_task_inactive(task, 0);
  }
  void sleep_for(unsigned ms) {
    msleep(ms);
    wake_up_process(task);
    wait_for_completion(&woken);
    wait_task_inactive(task, 0);
  }
  void end() {
    WRITE_ONCE(stop, true);
    wake_up_process(task);
    wait_for_completion(&woken);
    wait_task_inactive(task, 0);
    put_task_struct(task);
  }
};

struct FileText {
  char text[4096];
  explicit FileText(kunit* test, const char* path) {
    (void)init_mkdir("/proc", 0755);
    (void)do_mount("proc", "/proc", "proc", 0, nullptr);
    text[0] = 0;
    auto f = filp_open(path, O_RDONLY, 0);
    KUNIT_ASSERT_TRUE(test, f.has_value());
    loff_t pos = 0;
    const long n = kernel_read(*f, text, sizeof(text) - 1, &pos);
    fput(*f);
    (void)kern_umount("/proc", 0);  // the image's other suites want it bare
    KUNIT_ASSERT_GT(test, n, 0l);
    text[n] = 0;
  }
};

// Cases come one after the other.
void* room() {
  alignas(8) static char bytes[sizeof(FileText)];
  return bytes;
}

constexpr u64 kMs = 1'000'000;

// spec 30 S-83: how long it ran, how long it waited for a CPU, how often it got one
void the_three_figures_of_a_task(kunit* test) {
  OneCpu one;
  Thread t;
  t.start(test, one.one);
  const u64 before = sched_info_pcount(t.task);
  preempt_disable();
  const u64 delay = t.task->run_delay, of_cpu = cpu_rq(0)->run_delay;
  wake_up_process(t.task);
  mdelay(3);  // it waits for us
  preempt_enable();
  wait_for_completion(&t.woken);
  wait_task_inactive(t.task, 0);
  KUNIT_EXPECT_GE(test, t.task->run_delay - delay, 3 * kMs);
  KUNIT_EXPECT_GE(test, READ_ONCE(cpu_rq(0)->run_delay) - of_cpu, 3 * kMs);
  KUNIT_EXPECT_GT(test, sched_info_pcount(t.task), before);
  KUNIT_EXPECT_EQ(test, sched_info_pcount(t.task), u64{t.task->nvcsw + t.task->nivcsw});  // it is off its CPU
  KUNIT_EXPECT_EQ(test, sched_info_pcount(current), u64{current->nvcsw + current->nivcsw + 1});
  char path[40], want[80];
  snprintf(path, sizeof(path), "/proc/%d/schedstat", t.task->pid);
  snprintf(want, sizeof(want), "%llu %llu %llu\n", t.task->se.sum_exec_runtime, t.task->run_delay, sched_info_pcount(t.task));
  KUNIT_EXPECT_STREQ(test, (::new (room()) FileText(test, path))->text, want);
  t.end();
}

// spec 30 S-83: sleeping is not waiting, and being moved while one waits is
void sleep_is_no_delay(kunit* test) {
  OneCpu one;
  Thread t;
  t.start(test, one.one);
  const u64 delay = t.task->run_delay;
  t.sleep_for(20);
  KUNIT_EXPECT_LT(test, t.task->run_delay - delay, 15 * kMs);
  t.end();
}

// spec 30 section 14.1, 14.3: sleeping, blocking and waiting for I/O, told apart by the state and in_iowait
void sleep_block_and_iowait(kunit* test) {
  Counting on(test);
  OneCpu one;
  Thread t;
  t.start(test, one.one);
  sched_statistics* s = t.task->stats;
  KUNIT_ASSERT_NOT_NULL(test, s);
  const u64 birth = s->sum_block_runtime;  // it was born asleep
  t.sleep_for(5);
  KUNIT_EXPECT_GE(test, s->sum_sleep_runtime, 4 * kMs);
  KUNIT_EXPECT_GE(test, s->sleep_max, 4 * kMs);
  KUNIT_EXPECT_EQ(test, s->sum_block_runtime, birth);
  KUNIT_EXPECT_EQ(test, s->iowait_count, u64{0});
  KUNIT_EXPECT_NE(test, s->sleep_start, u64{0});
  KUNIT_EXPECT_EQ(test, s->block_start, u64{0});
  const u64 slept = s->sum_sleep_runtime;
  t.how = TASK_UNINTERRUPTIBLE;
  t.sleep_for(1);  // the last interruptible one
  t.sleep_for(6);
  KUNIT_EXPECT_GE(test, s->sum_block_runtime - birth, 5 * kMs);
  KUNIT_EXPECT_GE(test, s->block_max, 5 * kMs);
  KUNIT_EXPECT_GE(test, s->sum_sleep_runtime, slept + 5 * kMs);
  KUNIT_EXPECT_EQ(test, s->iowait_count, u64{0});
  t.end();
  Thread io;
  io.how = TASK_UNINTERRUPTIBLE;
  io.in_iowait = true;
  io.start(test, one.one);
  io.sleep_for(4);
  KUNIT_EXPECT_EQ(test, io.task->stats->iowait_count, u64{1});
  KUNIT_EXPECT_GE(test, io.task->stats->iowait_sum, 3 * kMs);
  io.end();
}

// spec 30 section 14.3: waiting for the CPU while another has it
void waiting_is_counted(kunit* test) {
  Counting on(test);
  OneCpu one;
  Thread t;
  t.start(test, one.one);
  sched_statistics* s = t.task->stats;
  const u64 count = s->wait_count, sum = s->wait_sum;
  preempt_disable();
  wake_up_process(t.task);
  KUNIT_EXPECT_NE(test, s->wait_start, u64{0});
  mdelay(3);
  preempt_enable();
  wait_for_completion(&t.woken);
  wait_task_inactive(t.task, 0);
  KUNIT_EXPECT_GT(test, s->wait_count, count);
  KUNIT_EXPECT_GE(test, s->wait_sum - sum, 3 * kMs);
  KUNIT_EXPECT_GE(test, s->wait_max, 3 * kMs);
  KUNIT_EXPECT_EQ(test, s->wait_start, u64{0});
  t.end();
}

// spec 30 section 6.6: who woke whom from where
void wakeups_are_counted(kunit* test) {
  Counting on(test);
  OneCpu one;
  Thread t;
  t.start(test, one.one);
  sched_statistics* s = t.task->stats;
  const u64 n = s->nr_wakeups, local = s->nr_wakeups_local, remote = s->nr_wakeups_remote, sync = s->nr_wakeups_sync;
  const u64 of_cpu = cpu_rq(0)->ttwu_count, local_of_cpu = cpu_rq(0)->ttwu_local;
  try_to_wake_up(t.task, TASK_NORMAL, WF_SYNC);
  wait_for_completion(&t.woken);
  wait_task_inactive(t.task, 0);
  KUNIT_EXPECT_EQ(test, s->nr_wakeups, n + 1);
  KUNIT_EXPECT_EQ(test, s->nr_wakeups_sync, sync + 1);
  KUNIT_EXPECT_EQ(test, s->nr_wakeups_local, local + 1);
  KUNIT_EXPECT_EQ(test, s->nr_wakeups_remote, remote);
  KUNIT_EXPECT_GE(test, READ_ONCE(cpu_rq(0)->ttwu_count), of_cpu + 1);
  KUNIT_EXPECT_GE(test, READ_ONCE(cpu_rq(0)->ttwu_local), local_of_cpu + 1);
  t.end();
  if (num_online_cpus() == 1) return;
  Thread far;
  far.start(test, {{2}});
  s = far.task->stats;
  const u64 before = s->nr_wakeups_remote;
  sched_domain* sd = lowest_domain(0);
  while (sd && !(sd->span & 2)) sd = sd->parent;
  const unsigned reached = sd ? READ_ONCE(sd->stats.ttwu_wake_remote) : 0;
  far.sleep_for(1);
  KUNIT_EXPECT_EQ(test, s->nr_wakeups_remote, before + 1);
  if (sd) KUNIT_EXPECT_GT(test, READ_ONCE(sd->stats.ttwu_wake_remote), reached);
  far.end();
}

// spec 30 section 14.1: off, nothing of it moves, and nobody is given the room
void off_counts_nothing(kunit* test) {
  (void)set_sched_schedstats(false);
  OneCpu one;
  Thread t;
  t.start(test, one.one);
  KUNIT_EXPECT_NULL(test, t.task->stats);
  const u64 ttwu = cpu_rq(0)->ttwu_count, sched = cpu_rq(0)->sched_count, yields = cpu_rq(0)->yld_count;
  t.sleep_for(1);
  sched_yield_current();
  KUNIT_EXPECT_EQ(test, cpu_rq(0)->ttwu_count, ttwu);
  KUNIT_EXPECT_EQ(test, cpu_rq(0)->sched_count, sched);
  KUNIT_EXPECT_EQ(test, cpu_rq(0)->yld_count, yields);
  t.end();
  sched_domain* sd = lowest_domain(0);
  const auto tried = [sd] {
    PreemptGuard no_preemption;
    const unsigned before = READ_ONCE(sd->stats.count[static_cast<unsigned>(IdleType::Idle)]);
    bool go_on;
    (void)load_balance(cpu_rq(0), sd, IdleType::Idle, &go_on);
    return READ_ONCE(sd->stats.count[static_cast<unsigned>(IdleType::Idle)]) - before;
  };
  if (sd) KUNIT_EXPECT_EQ(test, tried(), 0u);
  Counting on(test);
  if (sd) KUNIT_EXPECT_GE(test, tried(), 1u);
}

// Whole numbers of one line, from its second word on.
unsigned numbers(const char* line, u64* to, unsigned most) {
  unsigned n = 0;
  while (*line && *line != '\n' && *line != ' ') line++;
  while (*line == ' ' && n < most) {
    char* end;
    to[n++] = simple_strtoull(line + 1, &end, 10);
    line = end;
  }
  return n;
}
const char* line_of(const char* text, const char* begins) {
  for (const char* at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : nullptr)
    if (!strncmp(at, begins, strlen(begins))) return at;
  return nullptr;
}

// spec 30 S-85
void the_file_of_the_cpus(kunit* test) {
  Counting on(test);
  OneCpu one;
  const u64 yields = cpu_rq(0)->yld_count, sched = cpu_rq(0)->sched_count;
  sched_yield_current();
  KUNIT_EXPECT_GE(test, cpu_rq(0)->yld_count, yields + 1);
  KUNIT_EXPECT_GE(test, cpu_rq(0)->sched_count, sched + 1);
  const u64 goidle = cpu_rq(0)->sched_goidle;
  msleep(2);
  KUNIT_EXPECT_GT(test, cpu_rq(0)->sched_goidle, goidle);
  mdelay(1);
  auto* file = ::new (room()) FileText(test, "/proc/schedstat");
  KUNIT_EXPECT_EQ(test, strncmp(file->text, "version 15\ntimestamp ", 21), 0);
  u64 n[40];
  unsigned cpu;
  for_each_online_cpu(cpu) {
    char name[16];
    snprintf(name, sizeof(name), "cpu%u ", cpu);
    const char* line = line_of(file->text, name);
    KUNIT_ASSERT_NOT_NULL(test, line);
    KUNIT_EXPECT_EQ(test, numbers(line, n, 40), 9u);
    KUNIT_EXPECT_EQ(test, n[1], u64{0});
    if (cpu) continue;
    KUNIT_EXPECT_GE(test, n[0], yields + 1);  // yld_count
    KUNIT_EXPECT_GE(test, n[2], n[3]);       // __schedule came more often than idle was picked
    KUNIT_EXPECT_GE(test, n[4], n[5]);       // ttwu, of which local
    KUNIT_EXPECT_GT(test, n[6], u64{0});     // cpu_time
    KUNIT_EXPECT_GT(test, n[8], u64{0});     // pcount
  }
  const char* domain = line_of(file->text, "domain0 ");
  KUNIT_EXPECT_EQ(test, domain != nullptr, lowest_domain(0) != nullptr);
  if (!domain) return;
  char* end;
  KUNIT_EXPECT_EQ(test, simple_strtoull(domain + 8, &end, 16), u64{lowest_domain(0)->span});
  KUNIT_EXPECT_EQ(test, numbers(end, n, 40), 36u);
}

// spec 30 S-84, S-85: a CPU's time of being busy stands still while it idles
void idle_time_is_no_cpu_time(kunit* test) {
  OneCpu one;
  const u64 idle = READ_ONCE(cpu_rq(0)->idle_time), picks = READ_ONCE(cpu_rq(0)->idle_switches);
  msleep(20);
  KUNIT_EXPECT_GE(test, READ_ONCE(cpu_rq(0)->idle_time) - idle, 10 * kMs);
  KUNIT_EXPECT_GT(test, READ_ONCE(cpu_rq(0)->idle_switches), picks);
}

// spec 30 S-84: with the switch on the file has the rest; a write zeroes it
void a_tasks_file_with_statistics(kunit* test) {
  Counting on(test);
  OneCpu one;
  Thread t;
  t.start(test, one.one);
  t.sleep_for(2);
  char path[40];
  snprintf(path, sizeof(path), "/proc/%d/sched", t.task->pid);
  auto* file = ::new (room()) FileText(test, path);
  static constexpr const char* kOrder[] = {
      "se.nr_migrations", "sum_sleep_runtime", "sum_block_runtime", "wait_start", "sleep_start", "block_start", "sleep_max", "block_max",
      "exec_max", "slice_max", "wait_max", "wait_sum", "wait_count", "iowait_sum", "iowait_count", "nr_migrations_cold",
      "nr_failed_migrations_affine", "nr_failed_migrations_running", "nr_failed_migrations_hot", "nr_forced_migrations", "nr_wakeups",
      "nr_wakeups_sync", "nr_wakeups_migrate", "nr_wakeups_local", "nr_wakeups_remote", "nr_wakeups_affine", "nr_wakeups_affine_attempts",
      "nr_wakeups_passive", "nr_wakeups_idle", "avg_atom", "avg_per_cpu", "nr_switches"};
  const char* at = file->text;
  for (const char* name : kOrder) {
    char line[64];
    snprintf(line, sizeof(line), "%-45s:", name);
    const char* found = line_of(at, line);
    KUNIT_ASSERT_TRUE_MSG(test, found != nullptr, "%s", name);
    at = found;
  }
  KUNIT_EXPECT_NOT_NULL(test, line_of(file->text, "nr_wakeups                                   :                    2\n"));
  char x[] = "x";
  KUNIT_EXPECT_EQ(test, write_pid_sched(nullptr, t.task, x, 1, 0), 1l);
  KUNIT_EXPECT_EQ(test, t.task->stats->nr_wakeups, u64{0});
  t.end();
}

// spec 30 S-80: three averages with two digits, who runs of how many, the last number given out
void the_file_of_the_load(kunit* test) {
  auto* file = ::new (room()) FileText(test, "/proc/loadavg");
  const char* at = file->text;
  unsigned long shown[3], load[3];
  get_avenrun(load, 10, 0);
  char* end = nullptr;
  for (int i = 0; i < 3; i++) {
    const unsigned long whole = simple_strtoull(at, &end, 10);
    KUNIT_ASSERT_EQ(test, *end, '.');
    const char* digits = end + 1;
    const unsigned long hundredths = simple_strtoull(digits, &end, 10);
    KUNIT_EXPECT_EQ(test, end - digits, 2l);
    KUNIT_ASSERT_EQ(test, *end, ' ');
    at = end + 1;
    shown[i] = whole * 100 + hundredths;
  }
  for (int i = 0; i < 3; i++)
    KUNIT_EXPECT_LE(test, shown[i] > (load[i] * 100 >> 11) ? shown[i] - (load[i] * 100 >> 11) : 0ul, 10ul);
  const unsigned long running = simple_strtoull(at, &end, 10);
  KUNIT_EXPECT_GE(test, running, 1ul);  // the reader
  KUNIT_ASSERT_EQ(test, *end, '/');
  const unsigned long threads = simple_strtoull(end + 1, &end, 10);
  KUNIT_EXPECT_GE(test, threads, running);
  KUNIT_ASSERT_EQ(test, *end, ' ');
  const unsigned long last = simple_strtoull(end + 1, &end, 10);
  KUNIT_EXPECT_GE(test, last, static_cast<unsigned long>(current->pid));
  KUNIT_EXPECT_STREQ(test, static_cast<const char*>(end), "\n");
}

// spec 30 section 15.1: the events, and the delays that they tell
struct Seen {
  trace_export e;
  s32 pid;
  u64 wait = 0, sleep = 0, blocked = 0, iowait = 0;

  static u64* of(Seen* s, u16 type) {
    const auto is = [type](TraceEvent e) { return type == trace_event_info(e).id; };
    if (is(TraceEvent::SchedStatWait)) return &s->wait;
    if (is(TraceEvent::SchedStatSleep)) return &s->sleep;
    if (is(TraceEvent::SchedStatBlocked)) return &s->blocked;
    return is(TraceEvent::SchedStatIowait) ? &s->iowait : nullptr;
  }
  static void write(trace_export* e, unsigned, u64, const TraceCommon* entry, size_t) {
    auto* s = container_of(e, Seen, e);
    u64* sum = of(s, entry->type);
    if (sum && reinterpret_cast<const StatEntry*>(entry)->pid == READ_ONCE(s->pid))
      *sum += reinterpret_cast<const StatEntry*>(entry)->delay;
  }
};
void the_events_tell_the_delays(kunit* test) {
  Counting on(test);
  OneCpu one;
  constexpr u32 kWanted = 1u << static_cast<unsigned>(TraceEvent::SchedStatWait) | 1u << static_cast<unsigned>(TraceEvent::SchedStatSleep) |
                          1u << static_cast<unsigned>(TraceEvent::SchedStatBlocked) | 1u << static_cast<unsigned>(TraceEvent::SchedStatIowait);
  KUNIT_ASSERT_TRUE(test, trace_enable_events(kWanted, 0).has_value());
  Seen seen{.e = {nullptr, Seen::write}, .pid = 0};
  Thread t;
  t.how = TASK_UNINTERRUPTIBLE;
  t.in_iowait = true;
  t.start(test, one.one);
  WRITE_ONCE(seen.pid, t.task->pid);
  const sched_statistics before = *t.task->stats;
  register_ftrace_export(&seen.e);
  t.sleep_for(3);
  WRITE_ONCE(t.how, TASK_INTERRUPTIBLE);
  t.sleep_for(2);  // the last in that state
  t.sleep_for(2);
  unregister_ftrace_export(&seen.e);
  KUNIT_EXPECT_TRUE(test, trace_enable_events(0, kWanted).has_value());
  const sched_statistics& s = *t.task->stats;
  KUNIT_EXPECT_EQ(test, seen.wait, s.wait_sum - before.wait_sum);
  KUNIT_EXPECT_EQ(test, seen.blocked, s.sum_block_runtime - before.sum_block_runtime);
  KUNIT_EXPECT_EQ(test, seen.iowait, s.iowait_sum - before.iowait_sum);
  KUNIT_EXPECT_EQ(test, seen.sleep + seen.blocked, s.sum_sleep_runtime - before.sum_sleep_runtime);
  KUNIT_EXPECT_GE(test, seen.sleep, 1 * kMs);
  KUNIT_EXPECT_GE(test, seen.blocked, 3 * kMs);
  t.end();
}

kunit_case cases[] = {
    KUNIT_CASE(the_three_figures_of_a_task), KUNIT_CASE(sleep_is_no_delay), KUNIT_CASE(sleep_block_and_iowait),
    KUNIT_CASE(waiting_is_counted), KUNIT_CASE(wakeups_are_counted), KUNIT_CASE(off_counts_nothing),
    KUNIT_CASE(the_file_of_the_cpus), KUNIT_CASE(idle_time_is_no_cpu_time), KUNIT_CASE(a_tasks_file_with_statistics),
    KUNIT_CASE(the_file_of_the_load), KUNIT_CASE(the_events_tell_the_delays), {},
};
kunit_suite suite = {.name = "sched_stats", .test_cases = cases};
}  // namespace
kunit_test_suite(suite);
