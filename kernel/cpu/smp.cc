// The CPUs other than the first: their idle tasks, their start, their end (spec 10 section 6.3, section 9 row of smp_init).
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cpu/smp.hh"

#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/printk.h>

#include "arch/contract/arch.hh"
#include "init/init.hh"
#include "init/params.hh"
#include "init/report.hh"
#include "kernel/cpu/cpu.hh"
#include "kernel/fork/fork.hh"
#include "kernel/rcu/rcu.hh"
#include "kernel/sched/cpu_hotplug.hh"
#include "kernel/sched/rq.hh"
#include "kernel/time/time.hh"
#include "mm/mm_struct.hh"

namespace {

constinit task_struct* idles[NR_CPUS];  // written before the CPU starts, cleared after it has stopped
constexpr u64 kNoTimer = ~0ull;
constinit bool stopping;
constinit bool has_died[NR_CPUS];       // set by the CPU's last act, in its idle task; cleared before it is started
constinit cpumask quiet{};  // CPUs that have seen `stopping` in their idle loop: nothing of a dying task is left to do there

template <class F>
void for_each_other_cpu(F f) {
  for (unsigned cpu = 1; cpu < nr_cpu_ids; cpu++) f(cpu);
}

void drop_active_mm(task_struct* idle) {
  mm_struct* mm = idle->active_mm;
  idle->active_mm = nullptr;
  if (mm) mmdrop(mm);
}

// The idle task may still borrow the address space of whoever ran there last.
void retire_idle(unsigned cpu) {
  task_struct* idle = idles[cpu];
  if (!idle) return;
  drop_active_mm(idle);
  cpu_rq(cpu)->idle = cpu_rq(cpu)->curr = nullptr;
  unmake_idle(idle);
  idles[cpu] = nullptr;
}

}  // namespace

// While init_task is current: what the idle tasks share (files, directories) must be the kernel's, not some process's.
void smp_init() {
  stopping = false;
  cpumask_clear(&quiet);
  for_each_other_cpu([](unsigned cpu) { idles[cpu] = fork_idle(cpu); });
}

Result<void> smp_start_cpu(unsigned cpu) {
  if (!idles[cpu]) return fail(ENODEV);
  clear_tsk_thread_flag(idles[cpu], TIF_NEED_RESCHED);
  __atomic_store_n(&has_died[cpu], false, __ATOMIC_RELAXED);
  TRY(arch::start_cpu(cpu, idles[cpu]));
  while (!(__atomic_load_n(&__cpu_online_mask.bits[0], __ATOMIC_ACQUIRE) >> cpu & 1)) arch::cpu_relax();
  return {};
}

void smp_wait_for_death(unsigned cpu) {
  for (int spins = 0; !__atomic_load_n(&has_died[cpu], __ATOMIC_ACQUIRE); spins++) {
    if (spins < 1000)
      arch::cpu_relax();
    else
      schedule_timeout_uninterruptible(1);
  }
  drop_active_mm(idles[cpu]);
}

void smp_start_cpus() {
  long limit = boot_param_long("maxcpus", NR_CPUS);
  for_each_other_cpu([limit](unsigned cpu) {
    if (!idles[cpu] || static_cast<long>(num_online_cpus()) >= limit) return;
    if (Result<void> r = smp_start_cpu(cpu); !r) return (void)pr_err("CPU%u does not start: %d\n", cpu, r.error().code());
    sched_cpu_active_at_boot(cpu);
  });
  if (num_online_cpus() > 1) pr_info("smp: %u CPUs\n", num_online_cpus());
}

// First code of a CPU, on its idle task, interrupts and preemption off.
[[noreturn]] void cpu_startup() {
  mmgrab(&init_mm);
  current->active_mm = &init_mm;
  rcu_cpu_starting(arch::cpu_id());
  tick_cpu_startup();
  sched_cpu_starting();
  set_cpu_online(arch::cpu_id(), true);  // pairs with the wait in smp_start_cpus: all of the above is done
  local_irq_enable();
  cpu_startup_idle();
}

// The last a CPU does in the kernel. Preemption off; the idle task keeps nobody's address space loaded from here on.
[[noreturn]] static void die() {
  local_irq_disable();
  arch::timer_program(~0ull);
  arch::switch_mm(current->active_mm, &init_mm);
  rcu_report_dead(arch::cpu_id());
  __atomic_store_n(&has_died[arch::cpu_id()], true, __ATOMIC_RELEASE);
  arch::cpu_play_dead();
}

void smp_idle_check_stop() {
  if (!cpu_online(arch::cpu_id())) die();
  if (!READ_ONCE(stopping)) {
    if (shutdown_is_due()) arch::send_ipi(0, arch::Ipi::Reschedule);
    return;
  }
  // The stop interrupt ends whatever it meets. So it may not meet softirqs (RCU callbacks, say), which a tick would begin.
  local_irq_disable();
  while (arch::cpu_block().softirq_pending) {
    local_irq_enable();
    do_softirq();
    local_irq_disable();
  }
  arch::timer_program(kNoTimer);
  cpumask_set_cpu(arch::cpu_id(), &quiet);
  for (;;) {
    arch::idle_wait();
    local_irq_disable();
    arch::timer_program(kNoTimer);
  }
}

// On the boot CPU's idle task, with no thread left; the last one may still be on its way off another CPU. The CPUs never
// leave the stop interrupt, so that their stacks may go.
void smp_stop_others() {
  WRITE_ONCE(stopping, true);
  for_each_other_cpu([](unsigned cpu) {
    if (!cpu_online(cpu)) return;
    arch::send_ipi(cpu, arch::Ipi::Reschedule);
    while (!cpumask_test_cpu(cpu, &quiet)) arch::cpu_relax();
    arch::send_ipi(cpu, arch::Ipi::Stop);
    while (__atomic_load_n(&__cpu_online_mask.bits[0], __ATOMIC_ACQUIRE) >> cpu & 1) arch::cpu_relax();  // all it wrote is seen
    rcu_report_dead(cpu);
  });
}

void smp_exit(LeakReport&) { for_each_other_cpu(retire_idle); }
