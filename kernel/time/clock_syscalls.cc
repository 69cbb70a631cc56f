// clock_gettime(2) and its kin, nanosleep(2), gettimeofday(2), time(2).
// SPDX-License-Identifier: Apache-2.0
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/sched.h>

#include "kernel/cred/capability.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/pid/pid.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/cpu_timers.hh"
#include "kernel/time/time.hh"
#include "kernel/time/user_time.hh"

namespace {

// Now, in ns, by any clock that can be read, as the caller's time namespace counts it.
Result<u64> read_clock(int clock) {
  const auto ahead = static_cast<u64>(timens_offset(clock));
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_ALARM: return static_cast<u64>(ktime_get_real());
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW: return static_cast<u64>(ktime_get()) + ahead;
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM: return static_cast<u64>(ktime_get_boottime()) + ahead;
    case CLOCK_TAI: return static_cast<u64>(ktime_get_clocktai());
    case CLOCK_REALTIME_COARSE: return static_cast<u64>(ktime_get_coarse_real());
    case CLOCK_MONOTONIC_COARSE: return static_cast<u64>(ktime_get_coarse()) + ahead;
    default: return read_cpu_clock(clock);
  }
}

Result<s64> resolution(int clock) {
  switch (clock) {
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE: return static_cast<s64>(TICK_NSEC);
    default: break;
  }
  TRY(read_clock(clock));
  auto cpu = CpuClock::of_id(clock);
  return cpu && cpu->kind != CpuClockKind::Runtime ? static_cast<s64>(TICK_NSEC) : 1;
}

bool can_sleep_on(int clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI;
}

long sleep_on(int clock, int flags, const __kernel_timespec __user* request, __kernel_timespec __user* rest) {
  auto ts = get_timespec(request);
  if (!ts) return ts.error().neg();
  const bool absolute = flags & TIMER_ABSTIME;
  current->restart_block.fn = do_no_restart_syscall;
  current->restart_block.nanosleep.rmtp = absolute ? nullptr : rest;
  if (!can_sleep_on(clock)) return cpu_clock_nanosleep(clock, flags, static_cast<u64>(timespec64_to_ktime(*ts)));
  if (absolute) return hrtimer_nanosleep(timens_to_host(clock, timespec64_to_ktime(*ts)), HRTIMER_MODE_ABS, clock);
  return hrtimer_nanosleep(timespec64_to_ktime(*ts), HRTIMER_MODE_REL, clock);
}

struct Timezone {
  int minuteswest, dsttime;
};

}  // namespace

SYSCALL_DEFINE2(clock_gettime, int, clock, __kernel_timespec __user*, to) {
  auto now = read_clock(clock);
  if (!now) return now.error().neg();
  return put_timespec(static_cast<s64>(*now), to);
}

SYSCALL_DEFINE2(clock_getres, int, clock, __kernel_timespec __user*, to) {
  auto r = resolution(clock);
  if (!r) return r.error().neg();
  return to ? put_timespec(*r, to) : 0;
}

SYSCALL_DEFINE2(clock_settime, int, clock, const __kernel_timespec __user*, from) {
  if (clock < 0 && read_cpu_clock(clock)) return -EPERM;  // nobody may turn back what somebody has used
  if (clock != CLOCK_REALTIME) return -EINVAL;
  __kernel_timespec u;
  if (copy_from_user(&u, from, sizeof(u))) return -EFAULT;
  if (!valid(u)) return -EINVAL;
  if (!capable(CAP_SYS_TIME)) return -EPERM;
  timespec64 ts{u.tv_sec, static_cast<long>(u.tv_nsec)};
  return do_settimeofday64(&ts);
}

SYSCALL_DEFINE2(nanosleep, const __kernel_timespec __user*, request, __kernel_timespec __user*, rest) {
  return sleep_on(CLOCK_MONOTONIC, 0, request, rest);
}

SYSCALL_DEFINE4(clock_nanosleep, int, clock, int, flags, const __kernel_timespec __user*, request,
                __kernel_timespec __user*, rest) {
  const bool cpu_time = clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID;  // the thread's own clock is only there by its number
  if (!can_sleep_on(clock) && !cpu_time) return read_clock(clock) ? -EOPNOTSUPP : -EINVAL;
  return sleep_on(clock, flags, request, rest);
}

SYSCALL_DEFINE2(gettimeofday, __kernel_old_timeval __user*, tv, Timezone __user*, tz) {
  if (tv && put_user(user_timeval(ktime_get_real()), tv)) return -EFAULT;
  const Timezone utc{};
  return tz && put_user(utc, tz) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(settimeofday, const __kernel_old_timeval __user*, tv, const Timezone __user*, tz) {
  __kernel_old_timeval t{};
  Timezone zone{};
  if (tv && copy_from_user(&t, tv, sizeof(t))) return -EFAULT;
  if (tz && copy_from_user(&zone, tz, sizeof(zone))) return -EFAULT;
  if (tv && !valid(t)) return -EINVAL;
  if (tz && (zone.minuteswest > 15 * 60 || zone.minuteswest < -15 * 60)) return -EINVAL;
  if (!capable(CAP_SYS_TIME)) return -EPERM;
  if (!tv) return 0;
  const timespec64 ts = ns_to_timespec64(to_ns(t));
  return do_settimeofday64(&ts);
}

SYSCALL_DEFINE1(time, long __user*, to) {
  const long now = ktime_get_real_seconds();
  return to && put_user(now, to) ? -EFAULT : now;
}
