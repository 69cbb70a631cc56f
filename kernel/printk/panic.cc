// panic, BUG, WARN, taint: what happens when the kernel finds itself wrong (spec 10 B-56).
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "arch/contract/arch.hh"
#include "init/params.hh"
#include "kernel/exit/exit.hh"
#include "kernel/printk/internal.hh"
#include "kernel/printk/printk.hh"
#include "uapi/linux/signal.h"

int oops_in_progress, panic_timeout, panic_on_oops, panic_on_warn;

namespace {

struct PanicState {
  int cpu;  // who panics, plus 1
  unsigned long tainted;
  atomic_t warnings, expected;
};
constinit PanicState panic_state{};

void wait_and_restart(int seconds) {
  if (seconds > 0) {
    printk(KERN_EMERG "Rebooting in %d seconds..\n", seconds);
    u64 end = arch::clock_ns() + static_cast<u64>(seconds) * 1000000000;
    while (arch::clock_ns() < end) arch::cpu_relax();
  }
  arch::machine_stop(arch::Stop::Restart, 1);
}

void stop_other_cpus() {
  unsigned cpu;
  for_each_online_cpu(cpu) {
    if (cpu != arch::cpu_id()) arch::send_ipi(cpu, arch::Ipi::Stop);
  }
}

void print_task_line(const char* what) {
  const task_struct* t = arch::current_task();
  printk(KERN_WARNING "CPU: %u PID: %d Comm: %.16s %s\n", arch::cpu_id(), t ? t->pid : -1, t ? t->comm : "?", what);
}

}  // namespace

void panic_options_init() {
  panic_state = {};
  oops_in_progress = 0;
  panic_timeout = static_cast<int>(boot_param_long("panic", 0));
  std::string_view v;
  panic_on_oops = arch::kCheckLocks || (boot_param("oops", &v) && v == "panic");
  panic_on_warn = boot_param_long("panic_on_warn", 0) != 0;
}

void panic_options_exit(LeakReport& report) {
  report.expect_zero("warnings that no test expected", atomic_read(&panic_state.warnings) - atomic_read(&panic_state.expected));
}

int warn_count() { return atomic_read(&panic_state.warnings); }
void expect_warnings(int n) { atomic_add(n, &panic_state.expected); }

extern "C" {

void panic(const char* fmt, ...) {
  static constinit char text[512];
  arch::irq_disable();
  preempt_disable();
  int self = static_cast<int>(arch::cpu_id()) + 1, other = cmpxchg(&panic_state.cpu, 0, self);
  if (other == self) arch::machine_stop(arch::Stop::Panic, 1);  // panic within panic
  while (other) arch::cpu_relax();                                // another CPU tells the story
  va_list args;
  va_start(args, fmt);
  vscnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  if (size_t n = strlen(text); n && text[n - 1] == '\n') text[n - 1] = 0;
  oops_in_progress = 1;
  console_loglevel = 15;
  console_flush_panic();
  printk(KERN_EMERG "Kernel panic - not syncing: %s\n", text);
  print_task_line("");
  dump_stack();
  stop_other_cpus();
  console_flush_panic();
  if (panic_timeout) wait_and_restart(panic_timeout);
  printk(KERN_EMERG "---[ end Kernel panic - not syncing: %s ]---\n", text);
  arch::machine_stop(arch::Stop::Panic, 1);
}

void cf_bug(const char* file, int line, const char* what) {
  printk(KERN_CRIT "------------[ cut here ]------------\n");
  printk(KERN_CRIT "kernel BUG at %s:%d!%s%s\n", file, line, what ? " " : "", what ? what : "");
  print_task_line("");
  if (panic_on_oops || in_interrupt() || !arch::current_task() || arch::current_task()->pid <= 1)
    panic("Fatal exception: BUG at %s:%d %s", file, line, what ? what : "");
  oops_in_progress++;
  dump_stack();
  oops_in_progress--;
  add_taint(TAINT_DIE, 0);
  printk(KERN_CRIT "---[ end trace ]---\n");
  make_task_dead(SIGSEGV);
}

void cf_warn(const char* file, int line, const char* fmt, ...) {
  char text[256];
  va_list args;
  va_start(args, fmt);
  vscnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  if (size_t n = strlen(text); n && text[n - 1] == '\n') text[n - 1] = 0;
  printk(KERN_WARNING "------------[ cut here ]------------\n");
  printk(KERN_WARNING "%s\n", text);
  printk(KERN_WARNING "WARNING: CPU: %u PID: %d at %s:%d\n", arch::cpu_id(), arch::current_task() ? arch::current_task()->pid : -1,
         file, line);
  dump_stack();
  printk(KERN_WARNING "---[ end trace ]---\n");
  atomic_inc(&panic_state.warnings);
  add_taint(TAINT_WARN, 1);
  if (panic_on_warn) panic("panic_on_warn set ...");
}

void add_taint(unsigned flag, int) { __atomic_fetch_or(&panic_state.tainted, 1ul << flag, __ATOMIC_RELAXED); }
int test_taint(unsigned flag) { return READ_ONCE(panic_state.tainted) >> flag & 1; }
unsigned long get_taint(void) { return READ_ONCE(panic_state.tainted); }

}  // extern "C"
