// The load averages (spec 30 section 13). Sampled by whichever CPU's tick, or reader, comes first after the time; what was
// missed while every CPU was idle is made up for.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>

#include "kernel/sched/loadavg.hh"
#include "kernel/sched/rq.hh"

static long active_tasks() {
  long n = 0;
  unsigned cpu;
  // Who fell asleep on a CPU that has gone since is counted there still.
  for_each_possible_cpu(cpu) n += READ_ONCE(cpu_rq(cpu)->nr_running) + READ_ONCE(cpu_rq(cpu)->nr_uninterruptible);
  return n < 0 ? 0 : n;
}

// load_lock held.
static void sample(SchedState& s) {
  unsigned long active = active_tasks();
  while (time_after_eq(jiffies, s.load_next)) {
    WRITE_ONCE(s.load_next, s.load_next + kLoadFreq);  // read without the lock
    // Of a row of missed samples only the last knows what is runnable: the others passed with no tick, hence in idleness.
    unsigned long a = time_after_eq(jiffies, s.load_next) ? 0 : active;
    for (int i = 0; i < 3; i++) s.avenrun[i] = load_sample(s.avenrun[i], kLoadDecay[i], a);
  }
}

void load_average_tick() {
  SchedState& s = *sched_state;
  if (time_before(jiffies, READ_ONCE(s.load_next))) return;
  unsigned long flags;
  if (!raw_spin_trylock_irqsave(&s.load_lock, flags)) return;
  sample(s);
  raw_spin_unlock_irqrestore(&s.load_lock, flags);
}

void get_avenrun(unsigned long* loads, unsigned long offset, int shift) {
  load_average_tick();
  for (int i = 0; i < 3; i++) loads[i] = (READ_ONCE(sched_state->avenrun[i]) + offset) << shift;
}

unsigned long nr_running() {
  unsigned long n = 0;
  unsigned cpu;
  for_each_online_cpu(cpu) n += READ_ONCE(cpu_rq(cpu)->nr_running);
  return n;
}

unsigned long nr_iowait() {
  unsigned long n = 0;
  unsigned cpu;
  for_each_possible_cpu(cpu) n += atomic_read(&cpu_rq(cpu)->nr_iowait);
  return n;
}

unsigned long long nr_context_switches() {
  unsigned long long n = 0;
  unsigned cpu;
  for_each_possible_cpu(cpu) n += READ_ONCE(cpu_rq(cpu)->nr_switches);
  return n;
}
