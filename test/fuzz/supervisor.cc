// A fuzzed world from inside, as pid 1: starts a root program, waits until nothing happens any more, checks, kills what is
// left, checks again, and so on until the input is used up. Spec 20 and 21 as a whole; the oracle is test/support/world_check.hh and the report at power-off.
// SPDX-License-Identifier: Apache-2.0
#include <linux/delay.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <uapi/linux/ptrace.h>
#include <uapi/linux/wait.h>

#include <optional>
#include <utility>

#include "kernel/entry/syscall.hh"
#include "kernel/exit/wait.hh"
#include "kernel/fault_inject.hh"
#include "kernel/ptrace/ptrace.hh"
#include "kernel/signal/jobctl.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/task.hh"
#include "test/fuzz/fuzz_world.hh"
#include "test/fuzz/program.hh"
#include "fs/vfs/vfs.hh"
#include "test/support/world_check.hh"

namespace {

int findings_so_far;

void check(void (*what)(WorldFindings&)) {
  WorldFindings findings;
  what(findings);
  findings_so_far += findings.count();
  fuzz_counts.checks++;
}

// ---- Fault injection: whoever asks last has it -------------------------------------------------------------------------

std::optional<FaultInjection> injection;
task_struct* injected;

void disarm() {
  injection.reset();
  injected = nullptr;
}

// ---- The end of a world's programs ---------------------------------------------------------------------------------------

void reap() {
  WaitEvent event;
  while (do_wait({PIDTYPE_MAX, nullptr, WNOHANG | WEXITED | __WALL}, &event) > 0)
    ;
}

bool is_program(const task_struct* p) { return !(data_race(p->flags) & PF_KTHREAD) && p != current; }

int kill_programs() {
  int n = 0;
  RcuReadGuard rcu;
  task_struct* p;
  for_each_process(p) {
    if (!is_program(p)) continue;
    n++;
    do_send_sig_info(SIGKILL, SEND_SIG_PRIV, p, PIDTYPE_TGID);
  }
  return n;
}

// Two that trace each other and stop at each other's exit event never end, on Linux neither (docs/spec-notes.md).
void untie_tracers() {
  ReadGuard tasklist(tasklist_lock);
  task_struct *p, *t;
  for_each_process_thread(p, t) {
    if (!t->ptrace || !t->sighand) continue;
    IrqSpinGuard siglock(t->sighand->siglock);
    t->ptrace &= ~pt_event(PTRACE_EVENT_EXIT);
    if (!(t->jobctl & JOBCTL_TRACED)) continue;
    jobctl_clear(t, JOBCTL_TRACED);
    wake_up_state(t, __TASK_TRACED);
  }
}

constexpr unsigned kStep = 1;         // ms of virtual time, which moves only while all CPUs are idle
constexpr int kStalled = 12;          // so many steps without an operation: what sleeps now, sleeps for good
constexpr int kBusy = 50;            // more, until nobody is in the middle of something
constexpr int kUntie = 60;            // steps after which tracers do not hold each other any more
constexpr int kPatience = 1000;       // steps until everybody who was killed is gone

int count_programs() {
  int n = 0;
  RcuReadGuard rcu;
  task_struct* p;
  for_each_process(p) n += is_program(p) && !p->exit_state;
  return n;
}

void wait_for_stillness() {
  unsigned long last = ~0ul;
  for (int still = 0; still < kStalled && !fuzz::shared.in.over() && count_programs();) {
    msleep(kStep);
    still = fuzz::shared.in.at == last ? still + 1 : 0;
    last = fuzz::shared.in.at;
  }
  for (int more = 0; more < kBusy && !world_is_at_rest(); more++) msleep(kStep);
  msleep(kStep);
}

// True: nobody is left.
bool end_programs() {
  const unsigned long at = std::exchange(fuzz::shared.in.at, fuzz::shared.in.size);  // no more for those who live
  for (int tries = 0; tries < kPatience; tries++) {
    const int left = kill_programs();
    reap();
    if (!left) {
      fuzz::shared.in.at = at;
      return true;
    }
    if (tries == kUntie) untie_tracers();
    msleep(kStep);
  }
  pr_err("fuzz: some programs do not end\n");
  findings_so_far++;
  return false;
}

// After all programs: the tasks are those that there were before.
void check_baseline() {
  if (data_race(nr_threads) == fuzz::shared.baseline) return;
  pr_err("fuzz: %d tasks are left, there were %d\n", nr_threads, fuzz::shared.baseline);
  findings_so_far++;
}

bool write_file(const char* name, const void* text, size_t n) {
  auto f = filp_open(name, O_WRONLY | O_CREAT, 0755);
  if (!f) return false;
  loff_t pos = 0;
  const bool done = kernel_write(*f, text, n, &pos) == static_cast<ssize_t>(n);
  fput(*f);
  return done;
}

// A program may have moved us to where no more tasks are allowed.
void go_home() {
  if (!fuzz::shared.second_table) return;
  write_file("/cg/cgroup.procs", "1", 1);
  flush_signals(current);
}

// One tree of programs, from its root's start to its end: by itself, or because all of it sleeps for good.
void run_programs() {
  memset(fuzz::shared.depth, 0, sizeof fuzz::shared.depth);
  go_home();
  const long root = user::start_process(fuzz::program);
  if (root < 0) {
    pr_err("fuzz: no program can be started: %ld\n", root);
    findings_so_far++;
    return;
  }
  wait_for_stillness();
  disarm();
  check(check_world_at_rest);
  if (!end_programs()) return;
  user::wait_process(root);  // it is gone; gives back what start_process() holds
  msleep(10);                // the last of them leave their CPUs, RCU does its work
  check_baseline();
  check(check_world_at_rest);
}

}  // namespace

namespace fuzz {
void arm_fault(long nth) {
  if (nth) {
    disarm();
    injection.emplace(current, nth);
    injected = current;
  } else if (injected == current) {
    disarm();
  }
}
}  // namespace fuzz

// What programs find: /proc, /fuzz_program, /cg/a/b and /cg/c with limits.
static void furnish() {
  static unsigned char elf[user::kElfSize];
  user::make_elf(fuzz::program, elf, sizeof elf);
  (void)init_mkdir("/proc", 0755);
  const bool made = do_mount("none", "/proc", "proc", 0, nullptr) && write_file("/fuzz_program", elf, sizeof elf) &&
                    init_mkdir("/cg", 0755) && do_mount("none", "/cg", "cgroup2", 0, nullptr) && init_mkdir("/cg/a", 0755) &&
                    init_mkdir("/cg/a/b", 0755) && init_mkdir("/cg/c", 0755) &&
                    write_file("/cg/cgroup.subtree_control", "+pids", 5);
  if (made) return;
  pr_err("fuzz: the world cannot be furnished\n");
  findings_so_far++;
}

// A number that Linux never gave a meaning, here: check now.
SYSCALL_DEFINE0(tuxcall) {
  check(check_tasks);
  return 0;
}

int kunit_run_all(const char*) {
  findings_so_far = 0;
  disarm();
  fuzz::shared = {};
  const unsigned long skip = fuzz_input.size < kFuzzHeader ? fuzz_input.size : kFuzzHeader;
  fuzz::shared.second_table = fuzz_input.size && fuzz_input.data[0] & kFuzzSecondTable;
  fuzz::shared.in = {fuzz_input.data + skip, fuzz_input.size - skip, 0};
  fuzz::shared.baseline = data_race(nr_threads);
  if (fuzz::shared.second_table) furnish();
  while (!fuzz::shared.in.over() && !findings_so_far) run_programs();
  return findings_so_far;
}
