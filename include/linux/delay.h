// Sleeping and busy-waiting delays (spec 33 section 4).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_DELAY_H
#define _LINUX_DELAY_H
#include <linux/types.h>
CF_C_BEGIN
void msleep(unsigned ms);                          /* at least ms, not interruptible */
unsigned long msleep_interruptible(unsigned ms);   /* remaining ms */
void usleep_range_state(unsigned long min, unsigned long max, unsigned state);
void ndelay(unsigned long ns);                     /* busy, any context */
void udelay(unsigned long us);
void mdelay(unsigned long ms);
CF_C_END
static inline void usleep_range(unsigned long min, unsigned long max) { usleep_range_state(min, max, 2 /* TASK_UNINTERRUPTIBLE */); }
static inline void ssleep(unsigned s) { msleep(s * 1000); }
static inline void fsleep(unsigned long us)
{
	if (us <= 10)
		udelay(us);
	else if (us <= 20000)
		usleep_range(us, 2 * us);
	else
		msleep((unsigned)((us + 999) / 1000));
}
#endif
