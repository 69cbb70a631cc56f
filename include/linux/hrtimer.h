// High-resolution timers (spec 33 section 6). Callbacks run in hard interrupt, or in the HRTIMER softirq if SOFT.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_HRTIMER_H
#define _LINUX_HRTIMER_H
#include <linux/ktime.h>
#include <linux/timekeeping.h>
#include <linux/wait_types.h>
#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID 3
#define CLOCK_MONOTONIC_RAW 4
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME 7
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9
#define CLOCK_TAI 11
#define TIMER_ABSTIME 1
#define HRTIMER_STATE_INACTIVE 0
#define HRTIMER_STATE_ENQUEUED 1
struct hrtimer_sleeper {
	struct hrtimer timer;
	struct task_struct *task; /* NULL once it has fired */
};
CF_C_BEGIN
void hrtimer_init(struct hrtimer *t, int clock, enum hrtimer_mode mode);
void hrtimer_start_range_ns(struct hrtimer *t, ktime_t time, u64 slack, enum hrtimer_mode mode);
int hrtimer_try_to_cancel(struct hrtimer *t); /* 0 inactive, 1 removed, -1 callback running */
int hrtimer_cancel(struct hrtimer *t);        /* waits; 0 or 1; not from the callback */
bool hrtimer_active(const struct hrtimer *t);
u64 hrtimer_forward(struct hrtimer *t, ktime_t now, ktime_t interval); /* W-33 */
ktime_t hrtimer_get_remaining(const struct hrtimer *t);
ktime_t hrtimer_cb_get_time(const struct hrtimer *t);
void hrtimer_init_sleeper(struct hrtimer_sleeper *s, int clock, enum hrtimer_mode mode);
void hrtimer_sleeper_start_expires(struct hrtimer_sleeper *s, enum hrtimer_mode mode);
/* State set by the caller: 0 expired, -EINTR woken before. expires NULL: no limit. */
int schedule_hrtimeout(ktime_t *expires, enum hrtimer_mode mode);
int schedule_hrtimeout_range(ktime_t *expires, u64 slack, enum hrtimer_mode mode);
int schedule_hrtimeout_range_clock(ktime_t *expires, u64 slack, enum hrtimer_mode mode, int clock);
CF_C_END
static inline void hrtimer_start(struct hrtimer *t, ktime_t time, enum hrtimer_mode mode)
{
	hrtimer_start_range_ns(t, time, 0, mode);
}
static inline void hrtimer_set_expires(struct hrtimer *t, ktime_t time) { t->expires = t->softexpires = time; }
static inline void hrtimer_set_expires_range_ns(struct hrtimer *t, ktime_t time, u64 slack)
{
	t->softexpires = time;
	t->expires = ktime_add_safe(time, (ktime_t)slack);
}
static inline void hrtimer_add_expires_ns(struct hrtimer *t, u64 ns)
{
	t->expires = ktime_add_safe(t->expires, (ktime_t)ns);
	t->softexpires = ktime_add_safe(t->softexpires, (ktime_t)ns);
}
static inline ktime_t hrtimer_get_expires(const struct hrtimer *t) { return t->expires; }
static inline ktime_t hrtimer_get_softexpires(const struct hrtimer *t) { return t->softexpires; }
static inline s64 hrtimer_get_expires_ns(const struct hrtimer *t) { return t->expires; }
static inline void hrtimer_start_expires(struct hrtimer *t, enum hrtimer_mode mode)
{
	hrtimer_start_range_ns(t, t->softexpires, (u64)(t->expires - t->softexpires), mode);
}
static inline void hrtimer_restart(struct hrtimer *t) { hrtimer_start_expires(t, HRTIMER_MODE_ABS); }
static inline bool hrtimer_is_queued(const struct hrtimer *t) { return READ_ONCE(t->state) & HRTIMER_STATE_ENQUEUED; }
static inline u64 hrtimer_forward_now(struct hrtimer *t, ktime_t interval)
{
	return hrtimer_forward(t, hrtimer_cb_get_time(t), interval);
}
#endif
