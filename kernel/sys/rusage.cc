// getrusage(2), times(2), and what wait4 reports.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sys/rusage.hh"

#include <linux/jiffies.h>
#include <linux/timekeeping.h>

#include <linux/minmax.h>

#include "kernel/entry/syscall.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/mm_struct.hh"
#include "mm/uaccess.hh"

namespace {

constexpr u64 kNsPerTick = 10'000'000;

__kernel_old_timeval to_timeval(u64 ns) {
  return {static_cast<long>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000 / 1000)};
}

struct Totals {
  u64 utime = 0, stime = 0;
  unsigned long maxrss = 0;
};

void add_thread(rusage* ru, const task_struct* t) {
  ru->ru_nvcsw += static_cast<long>(READ_ONCE(t->nvcsw));
  ru->ru_nivcsw += static_cast<long>(READ_ONCE(t->nivcsw));
  ru->ru_minflt += static_cast<long>(READ_ONCE(t->min_flt));
  ru->ru_majflt += static_cast<long>(READ_ONCE(t->maj_flt));
}

void add_children(rusage* ru, const signal_struct* s, Totals* sum) {
  sum->utime += s->cutime;
  sum->stime += s->cstime;
  sum->maxrss = max(sum->maxrss, s->cmaxrss);
  ru->ru_nvcsw += static_cast<long>(s->cnvcsw);
  ru->ru_nivcsw += static_cast<long>(s->cnivcsw);
  ru->ru_minflt += static_cast<long>(s->cmin_flt);
  ru->ru_majflt += static_cast<long>(s->cmaj_flt);
}

void add_group(rusage* ru, task_struct* p, Totals* sum) {
  const signal_struct* s = p->signal;
  u64 utime, stime;
  thread_group_cputime_adjusted(p, &utime, &stime);
  sum->utime += utime;
  sum->stime += stime;
  sum->maxrss = max(sum->maxrss, s->maxrss);
  ru->ru_nvcsw += static_cast<long>(s->nvcsw);
  ru->ru_nivcsw += static_cast<long>(s->nivcsw);
  ru->ru_minflt += static_cast<long>(s->min_flt);
  ru->ru_majflt += static_cast<long>(s->maj_flt);
  task_struct* t;
  for_each_thread(p, t) add_thread(ru, t);
}

unsigned long present_peak(task_struct* p) {
  mm_struct* mm = get_task_mm(p);
  if (!mm) return 0;
  long pages = 0;
  for (int which : {MM_FILEPAGES, MM_ANONPAGES, MM_SHMEMPAGES}) pages += atomic_long_read(&mm->rss_stat[which]);
  const unsigned long peak = max(static_cast<unsigned long>(pages), mm->hiwater_rss) * 4;
  mmput(mm);
  return peak;
}

}  // namespace

void getrusage_of(task_struct* p, int who, rusage* ru) {
  *ru = {};
  Totals sum;
  if (who == RUSAGE_THREAD) {
    task_cputime_adjusted(p, &sum.utime, &sum.stime);
    add_thread(ru, p);
    sum.maxrss = p->signal->maxrss;
  } else {
    unsigned long flags;
    if (lock_task_sighand(p, &flags)) {
      if (who == RUSAGE_CHILDREN || who == RUSAGE_BOTH) add_children(ru, p->signal, &sum);
      if (who == RUSAGE_SELF || who == RUSAGE_BOTH) add_group(ru, p, &sum);
      unlock_task_sighand(p, flags);
    }
  }
  if (who != RUSAGE_CHILDREN) sum.maxrss = max(sum.maxrss, present_peak(p));
  ru->ru_utime = to_timeval(sum.utime);
  ru->ru_stime = to_timeval(sum.stime);
  ru->ru_maxrss = static_cast<long>(sum.maxrss);
}

SYSCALL_DEFINE2(getrusage, int, who, rusage __user*, uru) {
  if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD) return -EINVAL;
  rusage ru;
  getrusage_of(current, who, &ru);
  return put_user(ru, uru);
}

namespace {
struct tms {
  long utime, stime, cutime, cstime;
};
}  // namespace

SYSCALL_DEFINE1(times, tms __user*, utms) {
  if (utms) {
    tms t;
    {
      IrqOffSpinGuard guard(current->sighand->siglock);
      u64 utime, stime;
      thread_group_cputime_adjusted(current, &utime, &stime);
      t = {static_cast<long>(utime / kNsPerTick), static_cast<long>(stime / kNsPerTick),
           static_cast<long>(current->signal->cutime / kNsPerTick), static_cast<long>(current->signal->cstime / kNsPerTick)};
    }
    if (put_user(t, utms)) return -EFAULT;
  }
  return static_cast<long>(ktime_get_ns() / kNsPerTick);
}
