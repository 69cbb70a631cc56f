// Waiting for a bit to clear or a variable to change, on hashed queues (spec 33 section 9).
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_WAIT_BIT_H
#define _LINUX_WAIT_BIT_H
#include <linux/wait.h>

struct wait_bit_key {
	void *flags;
	int bit_nr; /* -1: a variable */
	unsigned long timeout;
};
struct wait_bit_queue_entry {
	struct wait_bit_key key;
	struct wait_queue_entry wq_entry;
};
typedef int wait_bit_action_f(struct wait_bit_key *key, int mode);
CF_C_BEGIN
void wake_up_bit(void *word, int bit); /* the bit is clear, and a full barrier passed (W-53) */
void clear_and_wake_up_bit(int bit, unsigned long *word);
int out_of_line_wait_on_bit(void *word, int bit, wait_bit_action_f *action, unsigned mode);
int out_of_line_wait_on_bit_timeout(void *word, int bit, wait_bit_action_f *action, unsigned mode, unsigned long timeout);
int out_of_line_wait_on_bit_lock(void *word, int bit, wait_bit_action_f *action, unsigned mode);
int bit_wait(struct wait_bit_key *key, int mode);
int bit_wait_io(struct wait_bit_key *key, int mode);
int bit_wait_timeout(struct wait_bit_key *key, int mode);
int wake_bit_function(struct wait_queue_entry *e, unsigned mode, int flags, void *key);
void wake_up_var(void *var); /* a full barrier after the store to var */
struct wait_queue_head *__var_waitqueue(void *var);
void init_wait_var_entry(struct wait_bit_queue_entry *e, void *var, int flags);
CF_C_END
static inline bool cf_bit_set(unsigned long *word, int bit) { return smp_load_acquire(&word[bit / 64]) >> (bit % 64) & 1; }
/* 0, or -EINTR for a signal that the mode accepts. May sleep. */
static inline int wait_on_bit(unsigned long *word, int bit, unsigned mode)
{
	might_sleep();
	return cf_bit_set(word, bit) ? out_of_line_wait_on_bit(word, bit, bit_wait, mode) : 0;
}
static inline int wait_on_bit_io(unsigned long *word, int bit, unsigned mode)
{
	might_sleep();
	return cf_bit_set(word, bit) ? out_of_line_wait_on_bit(word, bit, bit_wait_io, mode) : 0;
}
static inline int wait_on_bit_timeout(unsigned long *word, int bit, unsigned mode, unsigned long timeout)
{
	might_sleep();
	return cf_bit_set(word, bit) ? out_of_line_wait_on_bit_timeout(word, bit, bit_wait_timeout, mode, timeout) : 0;
}
static inline int wait_on_bit_lock(unsigned long *word, int bit, unsigned mode)
{
	might_sleep();
	if (!(__atomic_fetch_or(&word[bit / 64], 1ul << (bit % 64), __ATOMIC_ACQUIRE) >> (bit % 64) & 1))
		return 0;
	return out_of_line_wait_on_bit_lock(word, bit, bit_wait, mode);
}
#define ___wait_var_event(var, condition, state, ret, cmd)                                 \
	({                                                                                 \
		struct wait_queue_head *__q = __var_waitqueue((void *)(var));              \
		struct wait_bit_queue_entry __be;                                          \
		long __ret = (ret);                                                        \
		init_wait_var_entry(&__be, (void *)(var), 0);                              \
		for (;;) {                                                                 \
			long __sig = prepare_to_wait_event(__q, &__be.wq_entry, (state));  \
			if (condition)                                                     \
				break;                                                     \
			if (___wait_is_interruptible(state) && __sig) {                    \
				__ret = __sig;                                             \
				break;                                                     \
			}                                                                  \
			cmd;                                                               \
		}                                                                          \
		finish_wait(__q, &__be.wq_entry);                                          \
		__ret;                                                                     \
	})
#define wait_var_event(var, c) \
	do { might_sleep(); if (!(c)) (void)___wait_var_event(var, c, TASK_UNINTERRUPTIBLE, 0, schedule()); } while (0)
#define wait_var_event_killable(var, c) \
	({ long __r = 0; might_sleep(); if (!(c)) __r = ___wait_var_event(var, c, TASK_KILLABLE, 0, schedule()); (int)__r; })
#define wait_var_event_interruptible(var, c) \
	({ long __r = 0; might_sleep(); if (!(c)) __r = ___wait_var_event(var, c, TASK_INTERRUPTIBLE, 0, schedule()); (int)__r; })
#define wait_var_event_timeout(var, c, t)                                                          \
	({ long __limit = (t), __ret = __limit;                                                    \
	   might_sleep();                                                                          \
	   if (!___wait_cond_timeout(c))                                                           \
		   __ret = ___wait_var_event(var, ___wait_cond_timeout(c), TASK_UNINTERRUPTIBLE, __limit, __ret = schedule_timeout(__ret)); \
	   __ret; })
#endif
