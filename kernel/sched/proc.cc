// /proc/PID/sched. Spec 30 S-84, without the lines of schedstats, which are not collected.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>

#include "fs/proc/proc.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/rq.hh"

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

}  // namespace

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

// Whatever is written zeroes the statistics; there are none.
long write_pid_sched(file*, task_struct*, char*, size_t n, loff_t) { return static_cast<long>(n); }
