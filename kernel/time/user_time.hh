// Times as user space gives and takes them.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/ktime.h>
#include <linux/time64.h>

#include "lib/result.hh"
#include "mm/uaccess.hh"

struct UserItimerspec {
  __kernel_timespec it_interval, it_value;
};
struct UserItimerval {
  __kernel_old_timeval it_interval, it_value;
};

// EFAULT, or EINVAL if nanoseconds are not below a second or seconds negative.
inline Result<timespec64> get_timespec(const __kernel_timespec* from) {
  __kernel_timespec u;
  if (copy_from_user(&u, from, sizeof(u))) return fail(EFAULT);
  timespec64 ts{u.tv_sec, static_cast<long>(u.tv_nsec)};
  if (!timespec64_valid(&ts)) return fail(EINVAL);
  return ts;
}
inline __kernel_timespec user_timespec(s64 ns) {
  timespec64 ts = ns_to_timespec64(ns);
  return {ts.tv_sec, ts.tv_nsec};
}
inline long put_timespec(s64 ns, __kernel_timespec* to) { return put_user(user_timespec(ns), to); }
inline s64 to_ns(const __kernel_timespec& t) {
  timespec64 ts{t.tv_sec, static_cast<long>(t.tv_nsec)};
  return timespec64_to_ns(&ts);
}
inline bool valid(const __kernel_timespec& t) { return t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < NSEC_PER_SEC; }
inline bool valid(const __kernel_old_timeval& t) { return t.tv_sec >= 0 && t.tv_usec >= 0 && t.tv_usec < USEC_PER_SEC; }
inline s64 to_ns(const __kernel_old_timeval& t) {
  return t.tv_sec >= KTIME_SEC_MAX ? KTIME_MAX : t.tv_sec * NSEC_PER_SEC + t.tv_usec * NSEC_PER_USEC;
}
inline __kernel_old_timeval user_timeval(s64 ns) { return {ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC}; }
