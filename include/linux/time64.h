// Units of time and timespec64 arithmetic.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_TIME64_H
#define _LINUX_TIME64_H
#include <linux/types.h>
#include <uapi/linux/resource.h>
#define MSEC_PER_SEC 1000l
#define USEC_PER_MSEC 1000l
#define NSEC_PER_USEC 1000l
#define NSEC_PER_MSEC 1000000l
#define USEC_PER_SEC 1000000l
#define NSEC_PER_SEC 1000000000l
#define TIME64_MAX ((s64)0x7fffffffffffffffll)
struct itimerspec64 { struct timespec64 it_interval, it_value; };
static inline struct timespec64 ns_to_timespec64(s64 ns)
{
	struct timespec64 ts = { ns / NSEC_PER_SEC, (long)(ns % NSEC_PER_SEC) };
	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += NSEC_PER_SEC;
	}
	return ts;
}
static inline s64 timespec64_to_ns(const struct timespec64 *ts)
{
	s64 max = TIME64_MAX / NSEC_PER_SEC; /* saturates */
	if (ts->tv_sec >= max)
		return TIME64_MAX;
	if (ts->tv_sec <= -max)
		return -TIME64_MAX - 1;
	return ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
}
static inline bool timespec64_valid(const struct timespec64 *ts)
{
	return ts->tv_sec >= 0 && (unsigned long)ts->tv_nsec < (unsigned long)NSEC_PER_SEC;
}
#endif
