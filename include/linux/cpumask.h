// Sets of CPUs.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_CPUMASK_H
#define _LINUX_CPUMASK_H
#include <linux/compiler.h>
#include <linux/types.h>
#define NR_CPUS 64
/* One word: the number of CPUs is at most 64, which is what an x86 guest of ours is given. */
typedef struct cpumask { unsigned long bits[1]; } cpumask_t;
extern unsigned int nr_cpu_ids;
extern struct cpumask __cpu_possible_mask, __cpu_online_mask, __cpu_active_mask, __cpu_present_mask, __cpu_dying_mask;
#define cpu_possible_mask ((const struct cpumask *)&__cpu_possible_mask)
#define cpu_online_mask ((const struct cpumask *)&__cpu_online_mask)
#define cpu_active_mask ((const struct cpumask *)&__cpu_active_mask)
#define cpu_present_mask ((const struct cpumask *)&__cpu_present_mask)
static inline bool cpumask_test_cpu(unsigned cpu, const struct cpumask *m) { return READ_ONCE(m->bits[0]) >> cpu & 1; }
static inline void cpumask_set_cpu(unsigned cpu, struct cpumask *m) { __atomic_fetch_or(&m->bits[0], 1ul << cpu, __ATOMIC_SEQ_CST); }
static inline void cpumask_clear_cpu(unsigned cpu, struct cpumask *m) { __atomic_fetch_and(&m->bits[0], ~(1ul << cpu), __ATOMIC_SEQ_CST); }
static inline void cpumask_clear(struct cpumask *m) { WRITE_ONCE(m->bits[0], 0ul); }
static inline void cpumask_setall(struct cpumask *m) { WRITE_ONCE(m->bits[0], ~0ul); }
static inline void cpumask_copy(struct cpumask *d, const struct cpumask *s) { WRITE_ONCE(d->bits[0], READ_ONCE(s->bits[0])); }
static inline bool cpumask_and(struct cpumask *d, const struct cpumask *a, const struct cpumask *b) { return (d->bits[0] = READ_ONCE(a->bits[0]) & READ_ONCE(b->bits[0])) != 0; }
static inline bool cpumask_intersects(const struct cpumask *a, const struct cpumask *b) { return (READ_ONCE(a->bits[0]) & READ_ONCE(b->bits[0])) != 0; }
static inline bool cpumask_subset(const struct cpumask *a, const struct cpumask *b) { return (READ_ONCE(a->bits[0]) & ~READ_ONCE(b->bits[0])) == 0; }
static inline bool cpumask_equal(const struct cpumask *a, const struct cpumask *b) { return READ_ONCE(a->bits[0]) == READ_ONCE(b->bits[0]); }
static inline bool cpumask_empty(const struct cpumask *m) { return READ_ONCE(m->bits[0]) == 0; }
static inline unsigned cpumask_weight(const struct cpumask *m) { return (unsigned)__builtin_popcountl(READ_ONCE(m->bits[0])); }
static inline unsigned cpumask_next(int n, const struct cpumask *m)
{
	unsigned long w = n + 1 >= 64 ? 0 : READ_ONCE(m->bits[0]) & (~0ul << (n + 1));
	return w ? (unsigned)__builtin_ctzl(w) : NR_CPUS;
}
static inline unsigned cpumask_first(const struct cpumask *m) { return cpumask_next(-1, m); }
#define for_each_cpu(cpu, mask) for ((cpu) = cpumask_first(mask); (cpu) < NR_CPUS; (cpu) = cpumask_next((int)(cpu), (mask)))
#define for_each_possible_cpu(cpu) for_each_cpu((cpu), cpu_possible_mask)
#define for_each_online_cpu(cpu) for_each_cpu((cpu), cpu_online_mask)
#define num_online_cpus() cpumask_weight(cpu_online_mask)
#define num_possible_cpus() cpumask_weight(cpu_possible_mask)
#define cpu_active(cpu) cpumask_test_cpu((cpu), cpu_active_mask)
#define cpu_online(cpu) cpumask_test_cpu((cpu), cpu_online_mask)
#endif
