// CPUs that come and go while the kernel runs (spec 30 section 10.5). One at a time, under a lock that keeps the set of online CPUs
// as it is for those who read it. The way down undoes the way up, in the opposite order.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/cpu/hotplug.hh"

#include <linux/kernel.h>
#include <linux/rwsem.h>
#include <linux/stop_machine.h>

#include "init/init.hh"
#include "init/report.hh"
#include "kernel/cpu/cpu.hh"
#include "kernel/cpu/smp.hh"
#include "kernel/rcu/rcu.hh"
#include "kernel/sched/cpu_hotplug.hh"
#include "kernel/sched/stop.hh"
#include "kernel/softirq/softirq.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/time.hh"
#include "lib/late.hh"
#include "mm/page_alloc.hh"

namespace {

struct CpuHotplug {
  rw_semaphore lock;  // readers: the set of online CPUs stays. Writer: one CPU comes or goes
  int disabled = 0;   // by whom it is not to be changed, how many; lock
};
constinit Late<CpuHotplug> hotplug;

// On the CPU that goes, in its stopper, interrupts off; all others stand still and hold no spin lock.
int take_cpu_down(void* arg) {
  const auto cpu = static_cast<unsigned>(reinterpret_cast<unsigned long>(arg));
  set_cpu_online(cpu, false);
  sched_cpu_dying();
  tick_cpu_dying();
  stopper_disable(cpu);
  return 0;
}

// What it had is ours now.
void adopt_what_is_left(unsigned cpu) {
  PreemptGuard here;
  sched_cpu_dead(cpu);
  timers_dead_cpu(cpu);
  hrtimers_dead_cpu(cpu);
  softirqs_dead_cpu(cpu);
  rcu_adopt_callbacks(cpu);
  drain_pages_of(cpu);
}

// It is inactive.
void empty_and_stop(unsigned cpu) {
  ksoftirqd_park(cpu);
  sched_cpu_wait_empty(cpu);
  const cpumask_t one = {{1ul << cpu}};
  BUG_ON(stop_machine_cpuslocked(take_cpu_down, reinterpret_cast<void*>(static_cast<unsigned long>(cpu)), &one));
  smp_wait_for_death(cpu);
  adopt_what_is_left(cpu);
  pr_info("smpboot: CPU %u is now offline\n", cpu);
}

Result<void> take_down(unsigned cpu) {
  TRY(sched_cpu_deactivate(cpu));
  empty_and_stop(cpu);
  return {};
}

Result<void> bring_up(unsigned cpu) {
  const bool first = !cpu_rq(cpu)->stopper.thread;
  TRY(stopper_create(cpu));
  Result<void> r = ksoftirqd_create(cpu);
  if (r) r = smp_start_cpu(cpu);
  if (!r) {
    if (first) stopper_destroy(cpu);
    return r;
  }
  stopper_enable(cpu);
  ksoftirqd_unpark(cpu);
  r = sched_cpu_activate(cpu);
  if (!r) empty_and_stop(cpu);
  return r;
}

bool exists(unsigned cpu) { return cpu < nr_cpu_ids && cpumask_test_cpu(cpu, cpu_present_mask); }

}  // namespace

extern "C" bool cpu_is_hotpluggable(unsigned cpu) { return cpu != 0 && exists(cpu); }

Result<void> cpu_down(unsigned cpu) {
  might_sleep();
  if (!exists(cpu)) return fail(EINVAL);
  RwsemWriteGuard guard(hotplug->lock);
  if (hotplug->disabled) return fail(EBUSY);
  if (!cpu_online(cpu)) return {};
  if (num_online_cpus() == 1 || !cpu_is_hotpluggable(cpu)) return fail(EBUSY);
  return take_down(cpu);
}

Result<void> cpu_up(unsigned cpu) {
  might_sleep();
  if (!exists(cpu)) return fail(EINVAL);
  RwsemWriteGuard guard(hotplug->lock);
  if (hotplug->disabled) return fail(EBUSY);
  return cpu_online(cpu) ? Result<void>{} : bring_up(cpu);
}

void cpu_hotplug_init() { init_rwsem(&hotplug.construct().lock); }
// The world is unmade with the CPUs that there are.
void cpu_hotplug_quiesce() { cpu_hotplug_disable(); }
void cpu_hotplug_exit(LeakReport&) { hotplug.destroy(); }

extern "C" {

void cpus_read_lock() { down_read(&hotplug->lock); }
void cpus_read_unlock() { up_read(&hotplug->lock); }
void cpu_hotplug_disable() {
  RwsemWriteGuard guard(hotplug->lock);
  hotplug->disabled++;
}
void cpu_hotplug_enable() {
  RwsemWriteGuard guard(hotplug->lock);
  WARN_ON(hotplug->disabled-- == 0);
}
int add_cpu(unsigned cpu) { return static_cast<int>(to_abi(cpu_up(cpu))); }
int remove_cpu(unsigned cpu) { return static_cast<int>(to_abi(cpu_down(cpu))); }

}  // extern "C"
