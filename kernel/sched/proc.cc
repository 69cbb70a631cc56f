// /proc/PID/sched, /proc/PID/schedstat, /proc/schedstat. Spec 30 S-83 to S-85.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/kernel.h>

#include "fs/proc/proc.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/stats.hh"
#include "kernel/sync/guards.hh"

namespace {

void number(seq_file* m, const char* name, long long v) { seq_printf(m, "%-45s:%21lld\n", name, v); }
void number(seq_file* m, const char* name, u64 v) { number(m, name, static_cast<long long>(v)); }
void nanoseconds(seq_file* m, const char* name, u64 ns) {
  const long long v = static_cast<long long>(ns);
  seq_printf(m, "%-45s:%14lld.%06lld\n", name, v / 1'000'000, (v < 0 ? -v : v) % 1'000'000);
}

// p goes on meanwhile: each figure is as it was at some moment.
void show_averages(seq_file* m, const sched_avg& a) {
  number(m, "se.avg.load_sum", READ_ONCE(a.load_sum));
  number(m, "se.avg.runnable_sum", READ_ONCE(a.runnable_sum));
  number(m, "se.avg.util_sum", u64{READ_ONCE(a.util_sum)});
  number(m, "se.avg.load_avg", u64{READ_ONCE(a.load_avg)});
  number(m, "se.avg.runnable_avg", u64{READ_ONCE(a.runnable_avg)});
  number(m, "se.avg.util_avg", u64{READ_ONCE(a.util_avg)});
  number(m, "se.avg.last_update_time", READ_ONCE(a.last_update_time));
  number(m, "se.avg.util_est.ewma", u64{READ_ONCE(a.util_est.ewma)});
  number(m, "se.avg.util_est.enqueued", u64{READ_ONCE(a.util_est.enqueued) & 0x7fffffffu});
}

// A mean of -1 ns says that there is none.
u64 mean(u64 sum, u64 n) { return n ? sum / n : ~0ull; }

struct StatLine {
  const char* name;
  u64 sched_statistics::* value;
  bool is_time;
};
constexpr StatLine kStatLines[] = {
    {"sum_sleep_runtime", &sched_statistics::sum_sleep_runtime, true},
    {"sum_block_runtime", &sched_statistics::sum_block_runtime, true},
    {"wait_start", &sched_statistics::wait_start, true},
    {"sleep_start", &sched_statistics::sleep_start, true},
    {"block_start", &sched_statistics::block_start, true},
    {"sleep_max", &sched_statistics::sleep_max, true},
    {"block_max", &sched_statistics::block_max, true},
    {"exec_max", &sched_statistics::exec_max, true},
    {"slice_max", &sched_statistics::slice_max, true},
    {"wait_max", &sched_statistics::wait_max, true},
    {"wait_sum", &sched_statistics::wait_sum, true},
    {"wait_count", &sched_statistics::wait_count, false},
    {"iowait_sum", &sched_statistics::iowait_sum, true},
    {"iowait_count", &sched_statistics::iowait_count, false},
    {"nr_migrations_cold", &sched_statistics::nr_migrations_cold, false},
    {"nr_failed_migrations_affine", &sched_statistics::nr_failed_migrations_affine, false},
    {"nr_failed_migrations_running", &sched_statistics::nr_failed_migrations_running, false},
    {"nr_failed_migrations_hot", &sched_statistics::nr_failed_migrations_hot, false},
    {"nr_forced_migrations", &sched_statistics::nr_forced_migrations, false},
    {"nr_wakeups", &sched_statistics::nr_wakeups, false},
    {"nr_wakeups_sync", &sched_statistics::nr_wakeups_sync, false},
    {"nr_wakeups_migrate", &sched_statistics::nr_wakeups_migrate, false},
    {"nr_wakeups_local", &sched_statistics::nr_wakeups_local, false},
    {"nr_wakeups_remote", &sched_statistics::nr_wakeups_remote, false},
    {"nr_wakeups_affine", &sched_statistics::nr_wakeups_affine, false},
    {"nr_wakeups_affine_attempts", &sched_statistics::nr_wakeups_affine_attempts, false},
    {"nr_wakeups_passive", &sched_statistics::nr_wakeups_passive, false},
    {"nr_wakeups_idle", &sched_statistics::nr_wakeups_idle, false},
};

void show_statistics(seq_file* m, const task_struct* p, u64 switches) {
  static constexpr sched_statistics kNothing = {};
  const sched_statistics* s = statistics_of(p);
  if (!s) s = &kNothing;
  for (const StatLine& l : kStatLines) (l.is_time ? nanoseconds : static_cast<void (*)(seq_file*, const char*, u64)>(number))(m, l.name, READ_ONCE(s->*l.value));
  const u64 ran = READ_ONCE(p->se.sum_exec_runtime);
  nanoseconds(m, "avg_atom", mean(ran, switches));
  nanoseconds(m, "avg_per_cpu", mean(ran, READ_ONCE(p->se.nr_migrations)));
}

// ---- /proc/schedstat ----------------------------------------------------------------------------------------------------

// Time spent with anything but idle.
u64 busy_time(const rq* r) {
  const u64 now = arch::clock_ns(), since = READ_ONCE(r->idle_since);
  u64 idle = READ_ONCE(r->idle_time);
  if (since && now > since) idle += now - since;
  const u64 up = now - r->online_since;
  return up > idle ? up - idle : 0;
}

void show_cpu(seq_file* m, unsigned cpu) {
  const rq* r = cpu_rq(cpu);
  const u64 pcount = READ_ONCE(r->nr_switches) - data_race(r->idle_switches);
  seq_printf(m, "cpu%u %llu 0 %llu %llu %llu %llu %llu %llu %llu\n", cpu, READ_ONCE(r->yld_count), READ_ONCE(r->sched_count),
             READ_ONCE(r->sched_goidle), READ_ONCE(r->ttwu_count), READ_ONCE(r->ttwu_local), busy_time(r), READ_ONCE(r->run_delay),
             pcount);
}

// In words of 32 bits, as many digits as there are CPUs.
void put_mask(seq_file* m, unsigned long mask) {
  const unsigned digits = (nr_cpu_ids + 3) / 4;
  if (digits > 8)
    seq_printf(m, "%0*lx,%08lx", static_cast<int>(digits - 8), mask >> 32, mask & 0xffffffff);
  else
    seq_printf(m, "%0*lx", static_cast<int>(digits), mask);
}

void show_domain(seq_file* m, unsigned level, const sched_domain* sd) {
  seq_printf(m, "domain%u ", level);
  put_mask(m, sd->span);
  const LbStats& s = sd->stats;
  for (const IdleType t : {IdleType::Idle, IdleType::NotIdle, IdleType::NewlyIdle}) {
    const auto i = static_cast<unsigned>(t);
    for (const unsigned(LbStats::*n)[kIdleTypes] : {&LbStats::count, &LbStats::balanced, &LbStats::failed, &LbStats::imbalance,
                                                   &LbStats::gained, &LbStats::hot_gained, &LbStats::nobusyq, &LbStats::nobusyg})
      seq_printf(m, " %u", data_race((s.*n)[i]));
  }
  // Balancing at exec and fork counts nothing, and no wake-up moves a task for balance's sake.
  seq_printf(m, " %u %u %u 0 0 0 0 0 0 %u %u 0\n", data_race(s.alb_count), data_race(s.alb_failed), data_race(s.alb_pushed),
             READ_ONCE(s.ttwu_wake_remote), READ_ONCE(s.ttwu_move_affine));
}

}  // namespace

int show_schedstat(seq_file* m) {
  seq_printf(m, "version 15\ntimestamp %lu\n", jiffies);
  unsigned cpu;
  for_each_online_cpu(cpu) {
    show_cpu(m, cpu);
    RcuReadGuard rcu;  // the domains may be replaced meanwhile
    unsigned level = 0;
    for (const sched_domain* sd = lowest_domain(cpu); sd; sd = sd->parent) show_domain(m, level++, sd);
  }
  return 0;
}

int show_pid_schedstat(seq_file* m, task_struct* p) {
  seq_printf(m, "%llu %llu %llu\n", READ_ONCE(p->se.sum_exec_runtime), READ_ONCE(p->run_delay), sched_info_pcount(p));
  return 0;
}

int show_pid_sched(seq_file* m, task_struct* p) {
  seq_printf(m, "%s (%d, #threads: %d)\n", p->comm, task_pid_nr_ns(p, PIDTYPE_PID, proc_pid_ns(m)), READ_ONCE(p->signal->nr_threads));
  for (int i = 0; i < 67; i++) seq_putc(m, '-');
  seq_putc(m, '\n');
  const sched_entity& se = p->se;
  nanoseconds(m, "se.exec_start", READ_ONCE(se.exec_start));
  nanoseconds(m, "se.vruntime", READ_ONCE(se.vruntime));
  nanoseconds(m, "se.sum_exec_runtime", READ_ONCE(se.sum_exec_runtime));
  number(m, "se.nr_migrations", READ_ONCE(se.nr_migrations));
  const u64 voluntary = READ_ONCE(p->nvcsw), involuntary = READ_ONCE(p->nivcsw);
  if (schedstat_enabled()) show_statistics(m, p, voluntary + involuntary);
  number(m, "nr_switches", voluntary + involuntary);
  number(m, "nr_voluntary_switches", voluntary);
  number(m, "nr_involuntary_switches", involuntary);
  number(m, "se.load.weight", u64{READ_ONCE(se.load.weight)});
  show_averages(m, se.avg);
  number(m, "policy", u64{READ_ONCE(p->policy)});
  number(m, "prio", static_cast<long long>(READ_ONCE(p->prio)));
  if (p->policy == SCHED_DEADLINE) {
    number(m, "dl.runtime", static_cast<long long>(READ_ONCE(p->dl.runtime)));
    number(m, "dl.deadline", READ_ONCE(p->dl.deadline));
  }
  const u64 first = arch::clock_ns();
  number(m, "clock-delta", arch::clock_ns() - first);
  return 0;
}

// Whatever is written zeroes the statistics. p goes on meanwhile, and its clocks (the *_start) with it.
long write_pid_sched(file*, task_struct* p, char*, size_t n, loff_t) {
  sched_statistics* s = statistics_of(p);
  if (!s) return static_cast<long>(n);
  TaskRqGuard guard(p);
  *s = {};
  return static_cast<long>(n);
}
