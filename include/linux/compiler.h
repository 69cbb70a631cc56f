// Compiler hints and single-access loads and stores.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_COMPILER_H
#define _LINUX_COMPILER_H
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier() __asm__ volatile("" ::: "memory")
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define noinline __attribute__((noinline))
#define __cold __attribute__((cold))
#define __noreturn __attribute__((noreturn))
#define __printf(a, b) __attribute__((format(printf, a, b)))
#define __aligned(x) __attribute__((aligned(x)))
#define __packed __attribute__((packed))
#define __maybe_unused __attribute__((unused))
#define __used __attribute__((used))

/* Code built with CF_RACE_POINTS lets test/explore switch CPUs at each marked access, too. */
#ifdef CF_RACE_POINTS
#ifdef __cplusplus
extern "C"
#endif
void hosted_race_point(void);
/* A store that a CPU has not let out yet (hosted::delay_store): its own reads find it, a full barrier lets it out. */
#ifdef __cplusplus
extern "C"
#endif
void hosted_race_barrier(void);
#ifdef __cplusplus
extern "C" bool hosted_race_forward(const volatile void *x, unsigned *value);
extern "C" void hosted_race_overwrite(const volatile void *x);
#endif
#define CF_RACE_POINT() hosted_race_point()
#define CF_RACE_BARRIER() (hosted_race_point(), hosted_race_barrier())
#else
#define CF_RACE_POINT() ((void)0)
#define CF_RACE_BARRIER() ((void)0)
#endif

/* One access, not torn, not repeated, not merged: relaxed atomics, so that ThreadSanitizer knows them too. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#ifdef __cplusplus
#undef READ_ONCE
template <class T> static inline __attribute__((always_inline)) T cf_read_once(const volatile T &x)
{
	CF_RACE_POINT();
#ifdef CF_RACE_POINTS
	if constexpr (__is_same(T, unsigned) || __is_same(T, int)) {
		unsigned value;
		if (hosted_race_forward(&x, &value)) return static_cast<T>(value);
	}
#endif
	return __atomic_load_n(&x, __ATOMIC_RELAXED);
}
#define READ_ONCE(x) cf_read_once(x)
#endif
#if defined(CF_RACE_POINTS) && defined(__cplusplus)
#define WRITE_ONCE(x, v) (CF_RACE_POINT(), hosted_race_overwrite(&(x)), __atomic_store_n(&(x), (v), __ATOMIC_RELAXED))
#else
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#endif
/* An access that may race by design: the value is checked again, or may be old. Hidden from ThreadSanitizer. */
#if defined(__SANITIZE_THREAD__) && defined(__cplusplus)
#define data_race(x) ([&]() __attribute__((no_sanitize("thread"))) { return (x); }())
#else
#define data_race(x) (x)
#endif

#define smp_mb() (CF_RACE_BARRIER(), __atomic_thread_fence(__ATOMIC_SEQ_CST))
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_load_acquire(p) (CF_RACE_POINT(), __atomic_load_n(p, __ATOMIC_ACQUIRE))
#define smp_store_release(p, v) (CF_RACE_POINT(), __atomic_store_n(p, v, __ATOMIC_RELEASE))
#define smp_store_mb(var, v) (CF_RACE_BARRIER(), __atomic_store_n(&(var), (v), __ATOMIC_SEQ_CST), CF_RACE_POINT())

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif
