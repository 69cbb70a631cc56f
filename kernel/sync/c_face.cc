// What C++ inlines, modules written in C call: the same functions under their C names.
// SPDX-License-Identifier: Apache-2.0
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

// CF_C(name, result, (parameters), (arguments)): C symbol `name` calls the C++ inline function of that name.
#define CF_C(name, result, parameters, arguments)                     \
  extern "C" result cf_c_##name parameters __asm__(#name);            \
  extern "C" __attribute__((used)) result cf_c_##name parameters NO_THREAD_SAFETY_ANALYSIS { return name arguments; }
#define CF_C_AS(symbol, result, parameters, expression)               \
  extern "C" result cf_c_##symbol parameters __asm__(#symbol);        \
  extern "C" __attribute__((used)) result cf_c_##symbol parameters { return expression; }

CF_C(preempt_count, int, (), ())
CF_C(preempt_count_add, void, (int n), (n))
CF_C(preempt_count_sub, void, (int n), (n))
CF_C(preempt_disable, void, (), ())
CF_C(preempt_enable, void, (), ())
CF_C(preempt_enable_no_resched, void, (), ())
CF_C(cf_irqs_disabled, bool, (), ())
CF_C(cf_cpu_id, unsigned, (), ())
CF_C(cf_might_sleep, void, (const char* file, int line), (file, line))
CF_C(cond_resched, int, (), ())
CF_C_AS(cf_irq_save, unsigned long, (), arch::irq_save())
CF_C_AS(cf_irq_restore, void, (unsigned long f), arch::irq_restore(f))
CF_C_AS(cf_irq_disable, void, (), arch::irq_disable())
CF_C_AS(cf_irq_enable, void, (), arch::irq_enable())
CF_C_AS(cf_seq_relax, void, (), arch::cpu_relax())
CF_C(cf_assert_held, void, (const void* lock, const lock_class_key* key), (lock, key))

CF_C(__raw_spin_lock_init, void, (raw_spinlock_t * l, lock_class_key* k), (l, k))
CF_C(__rwlock_init, void, (rwlock_t * l, lock_class_key* k), (l, k))
#define CF_LOCK0(name, type) CF_C(name, void, (type * l), (l))
#define CF_LOCK_SAVE(name, type) CF_C(name, unsigned long, (type * l), (l))
#define CF_LOCK_RESTORE(name, type) CF_C(name, void, (type * l, unsigned long f), (l, f))
#define CF_LOCK_TRY(name, type) CF_C(name, int, (type * l), (l))
CF_LOCK0(_raw_spin_lock, raw_spinlock_t)
CF_LOCK0(_raw_spin_unlock, raw_spinlock_t)
CF_C(_raw_spin_lock_nested, void, (raw_spinlock_t * l, unsigned s), (l, s))
CF_LOCK_SAVE(_raw_spin_lock_irqsave, raw_spinlock_t)
CF_C(_raw_spin_lock_irqsave_nested, unsigned long, (raw_spinlock_t * l, unsigned s), (l, s))
CF_LOCK_RESTORE(_raw_spin_unlock_irqrestore, raw_spinlock_t)
CF_LOCK0(_raw_spin_lock_irq, raw_spinlock_t)
CF_LOCK0(_raw_spin_unlock_irq, raw_spinlock_t)
CF_LOCK0(_raw_spin_lock_bh, raw_spinlock_t)
CF_LOCK0(_raw_spin_unlock_bh, raw_spinlock_t)
CF_LOCK_TRY(_raw_spin_trylock, raw_spinlock_t)
CF_LOCK_TRY(_raw_spin_trylock_bh, raw_spinlock_t)
CF_C(cf_spin_trylock_irqsave, int, (raw_spinlock_t * l, unsigned long* f), (l, f))
CF_C(raw_spin_is_locked, bool, (const raw_spinlock_t* l), (l))
CF_C(raw_spin_is_contended, bool, (const raw_spinlock_t* l), (l))
CF_LOCK0(_raw_read_lock, rwlock_t)
CF_LOCK0(_raw_read_unlock, rwlock_t)
CF_LOCK0(_raw_write_lock, rwlock_t)
CF_LOCK0(_raw_write_unlock, rwlock_t)
CF_LOCK_SAVE(_raw_read_lock_irqsave, rwlock_t)
CF_LOCK_RESTORE(_raw_read_unlock_irqrestore, rwlock_t)
CF_LOCK0(_raw_read_lock_irq, rwlock_t)
CF_LOCK0(_raw_read_unlock_irq, rwlock_t)
CF_LOCK_SAVE(_raw_write_lock_irqsave, rwlock_t)
CF_LOCK_RESTORE(_raw_write_unlock_irqrestore, rwlock_t)
CF_LOCK0(_raw_write_lock_irq, rwlock_t)
CF_LOCK0(_raw_write_unlock_irq, rwlock_t)
CF_LOCK0(_raw_read_lock_bh, rwlock_t)
CF_LOCK0(_raw_read_unlock_bh, rwlock_t)
CF_LOCK0(_raw_write_lock_bh, rwlock_t)
CF_LOCK0(_raw_write_unlock_bh, rwlock_t)
CF_LOCK_TRY(_raw_read_trylock, rwlock_t)
CF_LOCK_TRY(_raw_write_trylock, rwlock_t)

CF_LOCK0(mutex_lock, struct mutex)
CF_C(mutex_lock_nested, void, (struct mutex * m, unsigned s), (m, s))
CF_LOCK0(mutex_unlock, struct mutex)
CF_C(mutex_is_locked, bool, (const struct mutex* m), (m))
CF_LOCK0(down_read, rw_semaphore)
CF_C(down_read_nested, void, (rw_semaphore * s, int n), (s, n))
CF_LOCK0(up_read, rw_semaphore)
CF_LOCK0(down_write, rw_semaphore)
CF_C(down_write_nested, void, (rw_semaphore * s, int n), (s, n))
CF_LOCK0(up_write, rw_semaphore)
CF_C(rwsem_is_locked, int, (const rw_semaphore* s), (s))
CF_C(rwsem_is_contended, int, (const rw_semaphore* s), (s))
