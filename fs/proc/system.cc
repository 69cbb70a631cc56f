// /proc/meminfo, stat, uptime, loadavg, version and the like: the state of the whole system.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "fs/proc/proc.hh"
#include "fs/proc/system.hh"
#include "init/init.hh"
#include "init/version.hh"
#include "kernel/entry/entry.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/pid/pid.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/sched/sched.hh"
#include "kernel/sync/guards.hh"
#include "mm/usage.hh"
#include "mm/page_alloc.hh"
#include "mm/slab.hh"

namespace {

struct CpuTimes {
  u64 user, system, idle;  // ns
};
CpuTimes cpu_times(unsigned cpu) {
  CpuTimes t;
  sched_cpu_times(cpu, &t.user, &t.system, &t.idle);
  return t;
}

void print_cpu_line(seq_file* m, const char* name, const CpuTimes& t) {
  constexpr u64 kTickNs = 10000000;
  seq_printf(m, "%s %llu 0 %llu %llu 0 0 0 0 0 0\n", name, t.user / kTickNs, t.system / kTickNs, t.idle / kTickNs);
}

}  // namespace

int show_meminfo(seq_file* m) {
  auto line = [m](const char* name, unsigned long pages) { seq_printf(m, "%-16s%8lu kB\n", name, pages << 2); };
  MemoryUse use = memory_use();
  line("MemTotal:", totalram_pages());
  line("MemFree:", nr_free_pages());
  line("MemAvailable:", nr_free_pages());  // nothing can be reclaimed: there is no disk
  line("Buffers:", 0);
  line("Cached:", use.file + use.shmem);
  line("SwapCached:", 0);
  line("AnonPages:", use.anon);
  line("Mapped:", use.mapped);
  line("Shmem:", use.shmem);
  line("KReclaimable:", 0);
  line("Slab:", use.slab);
  line("SReclaimable:", 0);
  line("SUnreclaim:", use.slab);
  line("KernelStack:", use.stacks);
  line("PageTables:", use.page_tables);
  line("SwapTotal:", 0);
  line("SwapFree:", 0);
  line("CommitLimit:", use.commit_limit);
  line("Committed_AS:", use.committed);
  return 0;
}

int show_buddyinfo(seq_file* m) {
  seq_printf(m, "Node 0, zone %8s ", "Normal");
  for (unsigned order = 0; order < MAX_ORDER; order++) seq_printf(m, "%6lu ", nr_free_blocks(order));
  seq_putc(m, '\n');
  return 0;
}

// slabinfo(5)
int show_slabinfo(seq_file* m) {
  seq_printf(m, "slabinfo - version: 2.1\n"
                "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> "
                "<sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
  for_each_slab_cache(
      [](const SlabInfo& i, void* context) {
        seq_printf(static_cast<seq_file*>(context), "%-17s %6lu %6lu %6u %4u %4u : tunables %4u %4u %4u : slabdata %6lu %6lu %6lu\n",
                   i.name, i.active_objects, i.total_objects, i.object_size, i.objects_per_slab, i.pages_per_slab, 0u, 0u, 0u, i.slabs,
                   i.slabs, 0ul);
      },
      m);
  return 0;
}

int show_proc_stat(seq_file* m) {
  CpuTimes sum{};
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    CpuTimes t = cpu_times(cpu);
    sum.user += t.user;
    sum.system += t.system;
    sum.idle += t.idle;
  }
  print_cpu_line(m, "cpu ", sum);
  for_each_online_cpu(cpu) {
    char name[12];
    snprintf(name, sizeof(name), "cpu%u", cpu);
    print_cpu_line(m, name, cpu_times(cpu));
  }
  u64 boot = static_cast<u64>(ktime_get_real() - ktime_get_boottime()) / 1000000000;
  seq_printf(m, "ctxt %llu\nbtime %llu\nprocesses %lu\nprocs_running %lu\nprocs_blocked %lu\n", nr_context_switches(), boot, total_forks,
             nr_running(), nr_iowait());
  return 0;
}

int show_uptime(seq_file* m) {
  u64 idle = 0;
  unsigned cpu;
  for_each_possible_cpu(cpu) idle += cpu_times(cpu).idle;
  auto print = [m](u64 ns, char end) { seq_printf(m, "%llu.%02llu%c", ns / 1000000000, ns / 10000000 % 100, end); };
  print(ktime_get_boottime_ns() + static_cast<u64>(timens_offset(CLOCK_BOOTTIME)), ' ');
  print(idle, '\n');
  return 0;
}

int show_loadavg(seq_file* m) {
  unsigned long load[3];
  get_avenrun(load, (1ul << 11) / 200, 0);
  for (unsigned long l : load) seq_printf(m, "%lu.%02lu ", l >> 11, (l & 2047) * 100 >> 11);
  seq_printf(m, "%lu/%d %d\n", nr_running(), READ_ONCE(nr_threads), READ_ONCE(proc_pid_ns(m)->last));
  return 0;
}

int show_version(seq_file* m) {
  seq_printf(m, "%s version %s (cleanfork@localhost) (%s) %s\n", UTS_SYSNAME, UTS_RELEASE, __VERSION__, UTS_VERSION);
  return 0;
}

int show_cmdline(seq_file* m) {
  std::string_view line = arch::boot_info().command_line;
  seq_write(m, line.data(), line.size());
  seq_putc(m, '\n');
  return 0;
}

int show_cpuinfo(seq_file* m) {
  unsigned cpu;
  for_each_online_cpu(cpu) arch::show_cpuinfo(cpu, [](void* to, const char* text) { seq_puts(static_cast<seq_file*>(to), text); }, m);
  return 0;
}

int show_enosys(seq_file* m) {
  for (unsigned nr = 0; nr < 512; nr++)
    if (long n = syscall_enosys_count(nr)) seq_printf(m, "%u %ld\n", nr, n);
  return 0;
}

long write_sysrq(const ProcFile*, char* text, size_t n) {
  switch (text[0]) {
    case 'c': panic("sysrq triggered crash");
    case 'b': request_shutdown(arch::Stop::Restart, 0); break;
    case 'o': request_shutdown(arch::Stop::PowerOff, 0); break;
    default: pr_info("sysrq: HELP : crash(c) reboot(b) poweroff(o)\n");
  }
  return static_cast<long>(n);
}
