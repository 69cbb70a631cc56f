// jiffies: the tick count, and conversions (spec 33 section 5.1). HZ is 250.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_JIFFIES_H
#define _LINUX_JIFFIES_H
#include <linux/compiler.h>
#include <linux/time64.h>
#include <linux/types.h>
#define HZ 250
#define USER_HZ 100
#define TICK_NSEC (NSEC_PER_SEC / HZ)
/* A 32-bit count would wrap five minutes after boot: finds code that compares wrongly (W-24). */
#define INITIAL_JIFFIES ((unsigned long)(unsigned)(-300 * HZ))
#define MAX_JIFFY_OFFSET ((0x7fffffffffffffffl >> 1) - 1)
CF_C_BEGIN
extern u64 jiffies_64;
CF_C_END
#define jiffies ((unsigned long)READ_ONCE(jiffies_64))
static inline u64 get_jiffies_64(void) { return READ_ONCE(jiffies_64); }
#define time_after(a, b) ((long)((unsigned long)(b) - (unsigned long)(a)) < 0)
#define time_before(a, b) time_after(b, a)
#define time_after_eq(a, b) ((long)((unsigned long)(a) - (unsigned long)(b)) >= 0)
#define time_before_eq(a, b) time_after_eq(b, a)
#define time_in_range(a, b, c) (time_after_eq(a, b) && time_before_eq(a, c))
#define time_is_before_jiffies(a) time_after(jiffies, a)
#define time_is_after_jiffies(a) time_before(jiffies, a)

/* Rounds up; hz is a parameter so that W-25's table can be tested for every tick rate. */
static inline unsigned long cf_msecs_to_jiffies(unsigned m, unsigned hz)
{
	return (int)m < 0 ? (unsigned long)MAX_JIFFY_OFFSET
			  : ((unsigned long)m * hz + MSEC_PER_SEC - 1) / MSEC_PER_SEC;
}
static inline unsigned long msecs_to_jiffies(unsigned m) { return cf_msecs_to_jiffies(m, HZ); }
static inline unsigned long usecs_to_jiffies(unsigned u)
{
	return ((unsigned long)u * HZ + USEC_PER_SEC - 1) / USEC_PER_SEC;
}
static inline unsigned long nsecs_to_jiffies(u64 n) { return (unsigned long)(n / TICK_NSEC); }
static inline unsigned jiffies_to_msecs(unsigned long j) { return (unsigned)(j * (MSEC_PER_SEC / HZ)); }
static inline unsigned jiffies_to_usecs(unsigned long j) { return (unsigned)(j * (USEC_PER_SEC / HZ)); }
static inline u64 jiffies_to_nsecs(unsigned long j) { return (u64)j * TICK_NSEC; }
static inline unsigned long timespec64_to_jiffies(const struct timespec64 *ts)
{
	s64 ns = timespec64_to_ns(ts);
	return ns >= (s64)(MAX_JIFFY_OFFSET / HZ) ? (unsigned long)MAX_JIFFY_OFFSET
						  : (unsigned long)((ns + TICK_NSEC - 1) / TICK_NSEC);
}
static inline u64 nsec_to_clock_t(u64 ns) { return ns / (NSEC_PER_SEC / USER_HZ); }
static inline u64 jiffies_to_clock_t(unsigned long j) { return nsec_to_clock_t(jiffies_to_nsecs(j)); }
static inline unsigned long clock_t_to_jiffies(unsigned long c) { return c * HZ / USER_HZ; }
#endif
