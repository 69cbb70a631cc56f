// schedlab in the kernel: makes the workload's processes and control groups in a fresh world, and hands each tracepoint to the host.
// Tasks are user programs that spend virtual CPU time; all else they do is system calls.
// SPDX-License-Identifier: Apache-2.0
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/sched.h>

#include "arch/hosted/user.hh"
#include "kernel/signal/signal.hh"
#include "kernel/trace/internal.hh"
#include "tools/schedlab/lab_api.hh"

const LabWorkload* lab_workload;

namespace {

using user::sys;

// ---- What tasks do ------------------------------------------------------------------------------------------------------

// In memory that all processes share: a word for each lock, task (suspended and resumed) and barrier.
unsigned long shared_words;
unsigned long lock_word(unsigned object) { return shared_words + object * 4ul; }
constexpr int kFutexWait = 0, kFutexWake = 1;

struct Random {
  u64 state;
  long between(long low, long high) {
    if (high <= low) return low;
    u64 z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    return low + static_cast<long>(z % static_cast<u64>(high - low + 1));
  }
};

void sleep_until(u64 t) {
  user::Var<__kernel_timespec> ts({static_cast<long long>(t / 1'000'000'000), static_cast<long>(t % 1'000'000'000)});
  sys(__NR_clock_nanosleep, 1 /* CLOCK_MONOTONIC */, 1 /* TIMER_ABSTIME */, ts.addr(), 0);
}

// A futex mutex: 0 free, 1 held, 2 held and awaited.
void lock(unsigned long word) {
  if (user::compare_exchange(word, 0, 1) == 0) return;
  for (;;) {
    unsigned v = user::compare_exchange(word, 1, 2);
    if (v == 0) v = user::compare_exchange(word, 0, 2);
    if (v == 0) return;
    sys(__NR_futex, word, kFutexWait, 2, 0, 0, 0);
  }
}
void unlock(unsigned long word) {
  if (user::compare_exchange(word, 1, 0) == 1) return;
  user::poke<unsigned>(word, 0);
  sys(__NR_futex, word, kFutexWake, 1, 0, 0, 0);
}
// suspend sleeps until somebody has resumed it; a resume that came before is not lost.
void suspend(unsigned long word) {
  while (user::compare_exchange(word, 1, 0) != 1) sys(__NR_futex, word, kFutexWait, 0, 0, 0, 0);
}
void resume(unsigned long word) {
  user::poke<unsigned>(word, 1);
  sys(__NR_futex, word, kFutexWake, 1, 0, 0, 0);
}
void meet(unsigned long word, unsigned size) {
  const unsigned before = user::peek<unsigned>(word), round = before >> 16;
  if ((before & 0xffff) + 1 == size) {
    user::poke<unsigned>(word, (round + 1) << 16);
    sys(__NR_futex, word, kFutexWake, 0x7fffffff, 0, 0, 0);
    return;
  }
  unsigned expected = before, now;
  while ((now = user::compare_exchange(word, expected, expected + 1)) != expected) expected = now;
  while ((now = user::peek<unsigned>(word)) >> 16 == round) sys(__NR_futex, word, kFutexWait, now, 0, 0, 0);
}

struct Running {
  LabTask* task;
  Random random;
  u64 timer;  // when the period in hand began
};

void do_op(Running* r, const LabOp& op) {
  const long ns = r->random.between(op.low, op.high);
  switch (op.kind) {
    case LabOpKind::Run: user::burn(static_cast<u64>(ns)); break;
    case LabOpKind::Sleep: sleep_until(arch::clock_ns() + static_cast<u64>(ns)); break;
    case LabOpKind::Timer:
      r->timer += static_cast<u64>(ns);
      if (r->timer > arch::clock_ns())
        sleep_until(r->timer);
      else if (arch::clock_ns() - r->timer > static_cast<u64>(ns))
        r->timer = arch::clock_ns();  // hopelessly late: begin anew
      break;
    case LabOpKind::Lock: lock(lock_word(op.object)); break;
    case LabOpKind::Unlock: unlock(lock_word(op.object)); break;
    case LabOpKind::Suspend: suspend(lock_word(op.object)); break;
    case LabOpKind::Resume: resume(lock_word(op.object)); break;
    case LabOpKind::Yield: sys(__NR_sched_yield); break;
    case LabOpKind::Barrier: meet(lock_word(op.object), lab_workload->barrier_sizes[op.object]); break;
  }
}

struct SchedAttr {
  u32 size, policy;
  u64 flags;
  s32 nice;
  u32 priority;
  u64 runtime, deadline, period;
};

long write_file(const char* path, const char* text) {
  user::Str p(path), t(text);
  const long fd = sys(__NR_open, p.addr(), O_WRONLY, 0);
  if (fd < 0) return fd;
  const long n = sys(__NR_write, fd, t.addr(), strlen(text));
  sys(__NR_close, fd);
  return n < 0 ? n : 0;
}

long take_parameters(const LabTask& t) {
  user::Str name(t.name);
  sys(__NR_prctl, 15 /* PR_SET_NAME */, name.addr(), 0, 0, 0);
  if (t.group >= 0) {
    char path[96];
    snprintf(path, sizeof(path), "/cg%s/cgroup.procs", lab_workload->groups[t.group].path);
    if (long e = write_file(path, "0")) return e;
  }
  if (t.affinity) {
    user::Var<unsigned long> mask(t.affinity);
    if (long e = sys(__NR_sched_setaffinity, 0, 8, mask.addr()); e < 0) return e;
  }
  if (!t.policy && !t.nice) return 0;
  user::Var<SchedAttr> attr({sizeof(SchedAttr), t.policy, 0, t.nice, t.priority, t.dl_runtime, t.dl_deadline, t.dl_period});
  return sys(__NR_sched_setattr, 0, attr.addr(), 0);
}

long lab_program(unsigned long index) {
  LabTask* t = &lab_workload->tasks[index];
  t->pid = static_cast<int>(sys(__NR_gettid));
  const LabEvent born{arch::clock_ns(), LabEventKind::Born, arch::cpu_id(), t->pid, 0, 0, 0};
  lab_event(&born);
  t->error = static_cast<int>(take_parameters(*t));
  Running r{t, {lab_workload->seed * 1000003 + index}, 0};
  if (t->delay) sleep_until(arch::clock_ns() + t->delay);
  r.timer = arch::clock_ns();
  for (long n = 0; t->loops < 0 || n < t->loops; n++)
    for (unsigned k = 0; k < t->phases; k++) {
      const LabPhase& phase = lab_workload->phases[t->first_phase + k];
      for (long m = 0; m < phase.loops; m++)
        for (unsigned o = 0; o < phase.ops; o++) do_op(&r, lab_workload->ops[phase.first_op + o]);
    }
  return 0;
}

// ---- The world around them ----------------------------------------------------------------------------------------------

void enable_cpu_controller(const char* dir) {
  char path[96];
  snprintf(path, sizeof(path), "/cg%s/cgroup.subtree_control", dir);
  if (long e = write_file(path, "+cpu")) {
    char text[128];
    snprintf(text, sizeof(text), "%s: error %ld", path, -e);
    lab_problem(text);
  }
}

void set_group(const LabGroup& g, const char* file, const char* value) {
  char path[96], text[160];
  snprintf(path, sizeof(path), "/cg%s/%s", g.path, file);
  if (long e = write_file(path, value)) {
    snprintf(text, sizeof(text), "%s: '%s' refused: error %ld", path, value, -e);
    lab_problem(text);
  }
}

void make_groups() {
  if (!lab_workload->nr_groups) return;
  user::Str dir("/cg"), none("none"), type("cgroup2"), empty("");
  sys(__NR_mkdir, dir.addr(), 0755);
  if (sys(__NR_mount, none.addr(), dir.addr(), type.addr(), 0, empty.addr())) lab_problem("cgroup2 cannot be mounted");
  enable_cpu_controller("");
  for (unsigned k = 0; k < lab_workload->nr_groups; k++) {
    const LabGroup& g = lab_workload->groups[k];
    char path[96], value[64];
    snprintf(path, sizeof(path), "/cg%s", g.path);
    user::Str p(path);
    sys(__NR_mkdir, p.addr(), 0755);
    bool has_children = false;
    for (unsigned j = 0; j < lab_workload->nr_groups; j++) {
      const char* other = lab_workload->groups[j].path;
      const size_t n = strlen(g.path);
      has_children |= strncmp(other, g.path, n) == 0 && other[n] == '/';
    }
    if (has_children) enable_cpu_controller(g.path);
    if (g.weight) {
      snprintf(value, sizeof(value), "%ld", g.weight);
      set_group(g, "cpu.weight", value);
    }
    if (g.quota_us) {
      snprintf(value, sizeof(value), "%ld %ld", g.quota_us, g.period_us);
      set_group(g, "cpu.max", value);
    }
  }
}

void note(LabEventKind kind) {
  const LabEvent e{arch::clock_ns(), kind, 0, 0, 0, 0, 0};
  lab_event(&e);
}

long lab_main(unsigned long) {
  make_groups();
  shared_words = static_cast<unsigned long>(sys(__NR_mmap, 0, (lab_workload->nr_objects + 1) * 4ul, 3 /* read, write */,
                                                0x21 /* MAP_SHARED | MAP_ANONYMOUS */, -1, 0));
  const u64 end = arch::clock_ns() + lab_workload->duration;
  note(LabEventKind::Start);
  for (unsigned k = 0; k < lab_workload->nr_tasks; k++)
    if (user::fork(lab_program, k) < 0) lab_problem("a task could not be made: no memory");
  sleep_until(end);
  note(LabEventKind::End);
  for (unsigned k = 0; k < lab_workload->nr_tasks; k++)
    if (lab_workload->tasks[k].pid) sys(__NR_kill, lab_workload->tasks[k].pid, SIGKILL);
  for (unsigned k = 0; k < lab_workload->nr_tasks; k++) sys(__NR_wait4, -1, 0, 0, 0);
  return 0;
}

// ---- Tracepoints to the host --------------------------------------------------------------------------------------------

void text_to_host(unsigned cpu, u64 time, const TraceCommon* common, size_t size) {
  static TraceCursor at;  // interrupts are off, and no CPU goes on meanwhile
  static char line[kTraceLine];
  at.cpu = cpu;
  at.record.time = time;
  memcpy(at.entry, common, size);
  TraceText text{line, sizeof(line)};
  trace_print_line(at, text);
  lab_text(line, text.used);
}

void to_host(trace_export*, unsigned cpu, u64 time, const TraceCommon* common, size_t size) {
  if (lab_workload->wants_text) text_to_host(cpu, time, common, size);
  const TraceEventInfo* info = trace_event_by_id(common->type);
  LabEvent e{time, LabEventKind::Switch, cpu, 0, 0, 0, 0};
  if (info == &trace_event_info(TraceEvent::SchedSwitch)) {
    auto* s = reinterpret_cast<const SwitchEntry*>(common);
    e.pid = s->prev_pid;
    e.next = s->next_pid;
    e.prio = s->next_prio;
    e.state = s->prev_state;
  } else if (info == &trace_event_info(TraceEvent::SchedMigrateTask)) {
    auto* m = reinterpret_cast<const MigrateEntry*>(common);
    e.kind = LabEventKind::Migrate;
    e.pid = m->pid;
    e.next = m->dest_cpu;
  } else if (info == &trace_event_info(TraceEvent::SchedProcessExit)) {
    e.kind = LabEventKind::Exit;
    e.pid = reinterpret_cast<const TaskEntry*>(common)->pid;
  } else {
    auto* w = reinterpret_cast<const WakeEntry*>(common);
    e.kind = info == &trace_event_info(TraceEvent::SchedWaking) ? LabEventKind::Waking : LabEventKind::Wakeup;
    e.pid = w->pid;
    e.prio = w->prio;
  }
  lab_event(&e);
}

constexpr u32 bit(TraceEvent e) { return 1u << static_cast<unsigned>(e); }
constexpr u32 kEvents = bit(TraceEvent::SchedSwitch) | bit(TraceEvent::SchedMigrateTask) | bit(TraceEvent::SchedProcessExit) |
                        bit(TraceEvent::SchedWaking) | bit(TraceEvent::SchedWakeup) | bit(TraceEvent::SchedWakeupNew);

}  // namespace

// What pid 1 runs in a world that was booted with kunit.enable.
int kunit_run_all(const char*) {
  static trace_export to;
  to = {nullptr, to_host};
  (void)trace_resize(kAllCpus, kMinRingPages);  // the host hears of each event as it happens
  register_ftrace_export(&to);
  if (!trace_enable_events(kEvents, 0)) lab_problem("no memory for tracing");
  const long status = user::run_process(lab_main);
  (void)trace_enable_events(0, kEvents);
  unregister_ftrace_export(&to);
  if (status) lab_problem("the workload's first process failed");
  return status != 0;
}
