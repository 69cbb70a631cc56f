// Sequence counters and sequence locks (spec 33 W-49). The protected data are read while they may change: read them
// with READ_ONCE, follow no pointers, and use nothing before read_seqretry has said no.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_SEQLOCK_H
#define _LINUX_SEQLOCK_H
#include <linux/spinlock.h>

typedef struct seqcount { unsigned sequence; } seqcount_t;
typedef struct { seqcount_t seqcount; spinlock_t lock; } seqlock_t;
typedef seqcount_t seqcount_spinlock_t;
#define SEQCNT_ZERO(name) { 0 }
#define __SEQLOCK_UNLOCKED(name) { { 0 }, __SPIN_LOCK_UNLOCKED(name) }
#define DEFINE_SEQLOCK(name) seqlock_t name = __SEQLOCK_UNLOCKED(name)
#define seqcount_init(s) ((s)->sequence = 0)
#define seqlock_init(s) do { seqcount_init(&(s)->seqcount); spin_lock_init(&(s)->lock); } while (0)

#ifdef __cplusplus
static inline void cf_seq_relax(void) { arch::cpu_relax(); }
#else
void cf_seq_relax(void);
#endif
static inline unsigned raw_read_seqcount(const seqcount_t *s) { return smp_load_acquire(&s->sequence); }
static inline unsigned read_seqcount_begin(const seqcount_t *s)
{
	unsigned v;
	while ((v = smp_load_acquire(&s->sequence)) & 1)
		cf_seq_relax();
	return v;
}
/* The read barrier keeps the data's loads before the second look; pairs with the write barriers below. */
static inline int read_seqcount_retry(const seqcount_t *s, unsigned start)
{
	smp_rmb();
	return unlikely(READ_ONCE(s->sequence) != start);
}
/* Writers are serialised by the caller, preemption off. */
static inline void write_seqcount_begin(seqcount_t *s)
{
	WRITE_ONCE(s->sequence, s->sequence + 1);
	smp_wmb(); /* odd before the first store of data */
}
static inline void write_seqcount_end(seqcount_t *s) { smp_store_release(&s->sequence, s->sequence + 1); }
#define raw_write_seqcount_begin(s) write_seqcount_begin(s)
#define raw_write_seqcount_end(s) write_seqcount_end(s)
/* Two copies, for readers that may have interrupted the writer (NMI): copy [sequence & 1] is the one not being changed. */
static inline void raw_write_seqcount_latch(seqcount_t *s)
{
	smp_wmb();
	WRITE_ONCE(s->sequence, s->sequence + 1);
	smp_wmb();
}
static inline unsigned raw_read_seqcount_latch(const seqcount_t *s) { return smp_load_acquire(&s->sequence); }

static inline unsigned read_seqbegin(const seqlock_t *s) { return read_seqcount_begin(&s->seqcount); }
static inline unsigned read_seqretry(const seqlock_t *s, unsigned start) { return read_seqcount_retry(&s->seqcount, start); }
static inline void write_seqlock(seqlock_t *s) { spin_lock(&s->lock); write_seqcount_begin(&s->seqcount); }
static inline void write_sequnlock(seqlock_t *s) { write_seqcount_end(&s->seqcount); spin_unlock(&s->lock); }
static inline void write_seqlock_irq(seqlock_t *s) { spin_lock_irq(&s->lock); write_seqcount_begin(&s->seqcount); }
static inline void write_sequnlock_irq(seqlock_t *s) { write_seqcount_end(&s->seqcount); spin_unlock_irq(&s->lock); }
static inline unsigned long cf_write_seqlock_irqsave(seqlock_t *s)
{
	unsigned long f;
	spin_lock_irqsave(&s->lock, f);
	write_seqcount_begin(&s->seqcount);
	return f;
}
#define write_seqlock_irqsave(s, f) ((f) = cf_write_seqlock_irqsave(s))
static inline void write_sequnlock_irqrestore(seqlock_t *s, unsigned long f)
{
	write_seqcount_end(&s->seqcount);
	spin_unlock_irqrestore(&s->lock, f);
}
#endif
