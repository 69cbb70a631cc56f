// start_kernel, pid 1 and pid 2 (spec 10 sections 7-9), and the same way back at power-off.
// SPDX-License-Identifier: Apache-2.0
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "fs/vfs/vfs.hh"
#include "init/init.hh"
#include "init/params.hh"
#include "init/start_init.hh"
#include "init/version.hh"
#include "kernel/cpu/smp.hh"
#include "kernel/exit/exit.hh"
#include "kernel/fork/fork.hh"
#include "kernel/rcu/rcu.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/softirq/softirq.hh"
#include "kernel/sync/guards.hh"

SystemState system_state;
unsigned cf_boot_number;

#define DECLARE_STEP(name)        \
  void name##_init();             \
  void name##_quiesce() __attribute__((weak)); \
  void name##_exit(LeakReport&) __attribute__((weak));
#define STEP(name) InitStep{#name, name##_init, name##_quiesce, name##_exit}

// A subsystem that has a part in boot. quiesce and exit are optional.
#define FOR_EACH_EARLY_STEP(X)                                                                                      \
  X(task) X(cpu) X(printk) X(params) X(page_alloc) X(slab) X(vmalloc) X(radix) X(sync) X(wait) X(sched) X(cpu_hotplug) X(rcu) X(timekeeping) X(timers) X(hrtimers) X(softirq) X(freezer) X(kthread)
#define FOR_EACH_LATE_STEP(X)                                                                                       \
  X(random) X(crng) X(namespaces) X(pid) X(cred) X(mm) X(fork) X(signal) X(ptrace) X(posix_timers) X(futex) X(filemap) X(vdso) X(vfs) X(nsfs) X(ipc) X(pipe) X(socket) X(ramfs) X(sysfs) X(trace) X(cgroup) X(chrdev) X(kmsg) X(tty) X(coredump) X(membarrier) X(proc) X(smp)
FOR_EACH_EARLY_STEP(DECLARE_STEP)
FOR_EACH_LATE_STEP(DECLARE_STEP)

// The order is spec 10 section 7's; each row needs only rows above it.
constexpr InitStep kEarlySteps[] = {
#define X(name) STEP(name),
    FOR_EACH_EARLY_STEP(X)
#undef X
};
// From here on interrupts are enabled (row 27).
constexpr InitStep kLateSteps[] = {
#define X(name) STEP(name),
    FOR_EACH_LATE_STEP(X)
#undef X
};

int kunit_run_all(const char* filter) __attribute__((weak));  // images with suites linked in have it

namespace {

struct Shutdown {
  bool requested, ready;
  arch::Stop how;
  int status;
};
constinit Shutdown shutdown_state{};
constinit completion kthreadd_done{};

void run_steps(std::span<const InitStep> steps) {
  for (const InitStep& s : steps) s.init();
}

void mark_stack_end(task_struct* t) { *static_cast<u64*>(t->stack) = STACK_END_MAGIC; }

int kernel_init(void*);

// Dead children of p are reaped by nobody's wait.
void ignore_children(task_struct* p) {
  unsigned long flags;
  if (sighand_struct* sighand = lock_task_sighand(p, &flags)) {
    set_sighandler(sighand, SIGCHLD, SIG_IGN);
    p->signal->flags &= ~SIGNAL_UNKILLABLE;
    unlock_task_sighand(p, flags);
  }
}

// Spec B-45: pid 1 first, so that it gets number 1; then kthreadd, then pid 1 may go on.
[[noreturn]] void rest_init() {
  if (user_mode_thread(kernel_init, nullptr, CLONE_FS | SIGCHLD) != 1) panic("cannot make pid 1");
  if (kernel_thread(kthreadd, nullptr, CLONE_FS | CLONE_FILES | SIGCHLD) < 0) panic("cannot make kthreadd");
  // Pid 1 and 2 may end, when the world does, and the idle task waits for nobody. Not before they are made: they inherit it.
  ignore_children(&init_task);
  system_state = SYSTEM_SCHEDULING;
  complete(&kthreadd_done);
  schedule_preempt_disabled();
  cpu_startup_idle();
}

void run_kunit_and_stop() {
  std::string_view enabled, filter;
  if (!boot_param("kunit.enable", &enabled) || enabled == "0") return;
  if (!kunit_run_all) panic("kunit.enable given, but no suites are linked in");
  char pattern[128] = "*";
  if (boot_param("kunit.filter", &filter) && filter.size() < sizeof(pattern)) {
    memcpy(pattern, filter.data(), filter.size());
    pattern[filter.size()] = 0;
  }
  int failed = kunit_run_all(pattern);
  request_shutdown(arch::Stop::PowerOff, failed ? 1 : 0);
  do_exit(0);
}

int kernel_init(void*) {
  wait_for_completion(&kthreadd_done);  // B-46
  smp_start_cpus();
  spawn_stoppers();
  sched_init_smp();
  spawn_ksoftirqd();
  system_state = SYSTEM_RUNNING;
  run_kunit_and_stop();
  start_init_process();
  return 0;  // to user mode (B-55)
}

// ---- The way back -----------------------------------------------------------------------------------------------

// Kills every user process there is; true if there was one. Dead children are reaped by nobody's wait: their parents
// ignore SIGCHLD now.
bool kill_user_processes() {
  bool any = false;
  RcuReadGuard rcu;
  task_struct* p;
  for_each_process(p) {
    if (data_race(p->flags) & PF_KTHREAD) continue;
    any = true;
    ignore_children(p);
    do_send_sig_info(SIGKILL, SEND_SIG_PRIV, p, PIDTYPE_TGID);
  }
  return any;
}

void for_each_step_backwards(std::span<const InitStep> steps, void (*visit)(const InitStep&, void*), void* context) {
  for (size_t i = steps.size(); i-- > 0;) visit(steps[i], context);
}

int shutdown_thread(void*) {
  for (int tries = 0; kill_user_processes(); tries++) {
    if (tries == 10000) {
      pr_err("shutdown: some processes do not end\n");
      break;
    }
    msleep(1);
  }
  auto quiesce = [](const InitStep& s, void*) {
    if (s.quiesce) s.quiesce();
  };
  for_each_step_backwards(kLateSteps, quiesce, nullptr);
  for_each_step_backwards(kEarlySteps, quiesce, nullptr);
  kthreadd_stop();
  WRITE_ONCE(shutdown_state.ready, true);
  return 0;
}

[[noreturn]] void unmake_world() {
  smp_stop_others();
  rcu_drain();  // the last tasks to end left theirs
  local_irq_disable();
  LeakReport report;
  auto leave = [](const InitStep& s, void* r) {
    if (s.exit) s.exit(*static_cast<LeakReport*>(r));
  };
  for_each_step_backwards(kLateSteps, leave, &report);
  local_irq_enable();
  rcu_drain();  // and so did the subsystems
  local_irq_disable();
  for_each_step_backwards(kEarlySteps, leave, &report);
  report.print();
  int status = shutdown_state.status;
  arch::Stop how = shutdown_state.how;
  arch::machine_stop(how, report.clean() ? status : status ? status : 2);
}

}  // namespace

void request_shutdown(arch::Stop how, int status) {
  if (xchg(&shutdown_state.requested, true)) return;
  shutdown_state.how = how;
  shutdown_state.status = status;
  system_state = how == arch::Stop::Halt ? SYSTEM_HALT : how == arch::Stop::Restart ? SYSTEM_RESTART : SYSTEM_POWER_OFF;
  ignore_children(&init_task);  // before pid 1, its child, may die
  task_struct* t = kthread_run(shutdown_thread, nullptr, "kshutdown");
  if (IS_ERR(t)) arch::machine_stop(how, status);  // no memory for a tidy end
}

bool shutdown_is_due() { return READ_ONCE(shutdown_state.ready) && data_race(nr_threads) == 0; }
void idle_check_shutdown() {
  if (shutdown_is_due()) unmake_world();
}

extern "C" [[noreturn]] void start_kernel() {
  system_state = SYSTEM_BOOTING;
  cf_boot_number++;
  shutdown_state = {};
  init_completion(&kthreadd_done);
  mark_stack_end(&init_task);
  run_steps(kEarlySteps);
  pr_notice("Cleanfork version %s\n", CLEANFORK_VERSION);
  pr_notice("Command line: %.*s\n", static_cast<int>(arch::boot_info().command_line.size()),
            arch::boot_info().command_line.data());
  WARN_ON(!irqs_disabled());  // row 26
  local_irq_enable();
  run_steps(kLateSteps);
  rest_init();
}
