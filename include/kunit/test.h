// KUnit: suites, cases, expectations, assertions, resources; macros and meaning as Linux documents them. C and C++.
// A case runs in a kernel thread of its own. EXPECT notes a failure and goes on; ASSERT ends the case's thread, without
// running destructors, as it would in C. On hosted each case also gets a freshly booted world and a leak check.
// SPDX-License-Identifier: Apache-2.0
#ifndef _KUNIT_TEST_H
#define _KUNIT_TEST_H
#include <kunit/resource.h>
#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#define KUNIT_PARAM_DESC_SIZE 128
#define KUNIT_STATUS_COMMENT_SIZE 256
#define KUNIT_SUITE_NAME_SIZE 256

struct kunit_suite;

enum kunit_status { KUNIT_SUCCESS, KUNIT_FAILURE, KUNIT_SKIPPED };

struct kunit {
	void *priv; /* the test's own; init() may set it */
	const char *name;
	const void *param_value; /* of a KUNIT_CASE_PARAM */
	int param_index;
	struct kunit_suite *suite;
	/* private */
	spinlock_t lock; /* resources, status */
	enum kunit_status status;
	struct list_head resources;
	char status_comment[KUNIT_STATUS_COMMENT_SIZE];
	void *run; /* the runner's */
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(const void *prev, char *desc);
	/* private */
	enum kunit_status status;
};

/* What a suite asks of the world its cases run in. Zeroes: what the machine gives by default. Hosted alone heeds it. */
struct kunit_world {
	unsigned cpus, memory_mb;
	const char *cmdline;
	unsigned seeds; /* run each case so often, each time with another seed of the scheduler of CPUs */
	bool replay;    /* run each seed twice and compare the traces byte for byte */
	bool parallel;  /* always a host thread per CPU, in the host's time */
	/* Not null: why the suite says nothing, or fails, without virtual time and seeds. Skipped by the parallel engine. */
	const char *deterministic;
	/* Not null: the case must kill the machine under that build, and its last words match this regular expression;
	   in builds for which it is null the case is skipped once one of the three is set. */
	const char *dies_plain, *dies_asan, *dies_tsan;
};

struct kunit_suite {
	const char name[KUNIT_SUITE_NAME_SIZE];
	int (*suite_init)(struct kunit_suite *suite);
	void (*suite_exit)(struct kunit_suite *suite);
	int (*init)(struct kunit *test); /* before each case; an error fails the case */
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases; /* ends with an empty one */
	struct kunit_world world;
};

#define KUNIT_CASE(test_name) { .run_case = test_name, .name = #test_name }
#define KUNIT_CASE_SLOW(test_name) KUNIT_CASE(test_name)
#define KUNIT_CASE_PARAM(test_name, gen_params) \
	{ .run_case = test_name, .name = #test_name, .generate_params = gen_params }

/* name_gen_params() walks the array; get_desc(element, desc) may be NULL. */
#define KUNIT_ARRAY_PARAM(name, array, get_desc)                                                        \
	static const void *name##_gen_params(const void *prev, char *desc)                              \
	{                                                                                               \
		__typeof__((array)[0]) *next_ = prev ? ((__typeof__(next_))prev) + 1 : (array);         \
		if (next_ - (array) < (long)ARRAY_SIZE((array))) {                                      \
			void (*desc_)(__typeof__(next_), char *) = get_desc;                            \
			if (desc_)                                                                      \
				desc_(next_, desc);                                                     \
			return next_;                                                                   \
		}                                                                                       \
		return NULL;                                                                            \
	}

/* Registers suites: pointers in a section that the runner walks from __start_ to __stop_kunit_suites. */
#define KUNIT_PASTE__(a, b) a##b
#define KUNIT_PASTE_(a, b) KUNIT_PASTE__(a, b)
#define kunit_test_suites(...)                                                                          \
	static struct kunit_suite *const KUNIT_PASTE_(kunit_suites_, __COUNTER__)[]                     \
		__attribute__((used, section("kunit_suites"), aligned(8))) = { __VA_ARGS__ }
#define kunit_test_suite(suite) kunit_test_suites(&suite)

#ifdef __cplusplus
/* Runs all cases that match `filter` ("suite", "suite.case", '*' and '?'; NULL: all); KTAP on the console. Returns how
   many failed. Kernel thread context. */
int kunit_run_all(const char *filter);
#endif
CF_C_BEGIN
__printf(3, 4) void kunit_log(struct kunit *test, const char *level, const char *fmt, ...);
__printf(2, 3) void kunit_mark_skipped(struct kunit *test, const char *fmt, ...);
__noreturn void kunit_abort(struct kunit *test); /* ends the running case's thread */
CF_C_END

#define kunit_info(test, fmt, ...) kunit_log(test, "", fmt, ##__VA_ARGS__)
#define kunit_warn(test, fmt, ...) kunit_log(test, "warning: ", fmt, ##__VA_ARGS__)
#define kunit_err(test, fmt, ...) kunit_log(test, "error: ", fmt, ##__VA_ARGS__)
#define kunit_skip(test, fmt, ...)                             \
	do {                                                   \
		kunit_mark_skipped(test, fmt, ##__VA_ARGS__);  \
		kunit_abort(test);                             \
	} while (0)

/* ---- How expectations are judged ---- */
enum kunit_value_kind { KUNIT_VAL_INT, KUNIT_VAL_UINT, KUNIT_VAL_PTR, KUNIT_VAL_STR, KUNIT_VAL_OTHER };
struct kunit_value {
	enum kunit_value_kind kind;
	unsigned long long bits; /* a pointer or string as a number */
};
struct kunit_loc {
	const char *file;
	int line;
	bool fatal; /* ASSERT */
};
CF_C_BEGIN
/* Each notes a failure, prints it, and does not return if loc->fatal. msg NULL: no message of the caller's. */
__printf(3, 4) void kunit_fail(struct kunit *test, const struct kunit_loc *loc, const char *msg, ...);
__printf(4, 5) void kunit_unary_failed(struct kunit *test, const struct kunit_loc *loc, const char *what, const char *msg, ...);
__printf(8, 9) void kunit_binary_failed(struct kunit *test, const struct kunit_loc *loc, const char *op, const char *left,
					const char *right, struct kunit_value l, struct kunit_value r, const char *msg, ...);
__printf(8, 9) void kunit_mem_failed(struct kunit *test, const struct kunit_loc *loc, const char *op, const void *l,
				     const void *r, size_t n, const char *what, const char *msg, ...);
bool kunit_streq(const char *a, const char *b);
bool kunit_memeq(const void *a, const void *b, size_t n);
CF_C_END

#ifdef __cplusplus
#include <type_traits>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#define KUNIT_DEFINE_OP_(name, op)                                                                         \
	struct name {                                                                                      \
		template <class A, class B> static bool holds(const A &a, const B &b)                       \
		{                                                                                          \
			constexpr bool pa = std::is_pointer_v<std::decay_t<A>>, pb = std::is_pointer_v<std::decay_t<B>>; \
			if constexpr (pa && std::is_integral_v<B>)                                         \
				return (unsigned long)a op (unsigned long)b;                               \
			else if constexpr (pb && std::is_integral_v<A>)                                    \
				return (unsigned long)a op (unsigned long)b;                               \
			else if constexpr (pa && pb)                                                       \
				return (const volatile void *)a op (const volatile void *)b;               \
			else                                                                               \
				return static_cast<bool>(a op b);                                          \
		}                                                                                          \
	};
KUNIT_DEFINE_OP_(kunit_op_eq, ==)
KUNIT_DEFINE_OP_(kunit_op_ne, !=)
KUNIT_DEFINE_OP_(kunit_op_lt, <)
KUNIT_DEFINE_OP_(kunit_op_le, <=)
KUNIT_DEFINE_OP_(kunit_op_gt, >)
KUNIT_DEFINE_OP_(kunit_op_ge, >=)
#undef KUNIT_DEFINE_OP_
#pragma GCC diagnostic pop
template <class T> inline kunit_value kunit_value_of(const T &v)
{
	using D = std::decay_t<T>;
	if constexpr (std::is_pointer_v<D>)
		return {KUNIT_VAL_PTR, (unsigned long long)(unsigned long)v};
	else if constexpr (std::is_null_pointer_v<D>)
		return {KUNIT_VAL_PTR, 0};
	else if constexpr (std::is_integral_v<D> || std::is_enum_v<D>)
		return {std::is_unsigned_v<D> && !std::is_same_v<D, bool> ? KUNIT_VAL_UINT : KUNIT_VAL_INT, (unsigned long long)v};
	else
		return {KUNIT_VAL_OTHER, 0};
}
#define KUNIT_BIN_(test, fatal_, op, opname, left, right, ...)                                            \
	do {                                                                                              \
		const auto &kl_ = (left);                                                                 \
		const auto &kr_ = (right);                                                                \
		if (!opname::holds(kl_, kr_)) {                                                            \
			const struct kunit_loc loc_ = { __FILE__, __LINE__, fatal_ };                     \
			kunit_binary_failed(test, &loc_, #op, #left, #right, kunit_value_of(kl_), kunit_value_of(kr_), __VA_ARGS__); \
		}                                                                                         \
	} while (0)
#else
#define KUNIT_BIN_(test, fatal_, op, opname, left, right, ...)                                            \
	do {                                                                                              \
		const __typeof__(left) kl_ = (left);                                                      \
		const __typeof__(right) kr_ = (right);                                                    \
		if (!(kl_ op kr_)) {                                                                      \
			const struct kunit_loc loc_ = { __FILE__, __LINE__, fatal_ };                     \
			const struct kunit_value lv_ = { KUNIT_VAL_INT, (unsigned long long)kl_ };        \
			const struct kunit_value rv_ = { KUNIT_VAL_INT, (unsigned long long)kr_ };        \
			kunit_binary_failed(test, &loc_, #op, #left, #right, lv_, rv_, __VA_ARGS__);      \
		}                                                                                         \
	} while (0)
#endif
#define KUNIT_UN_(test, fatal_, ok, what, ...)                                                            \
	do {                                                                                              \
		if (!(ok)) {                                                                              \
			const struct kunit_loc loc_ = { __FILE__, __LINE__, fatal_ };                     \
			kunit_unary_failed(test, &loc_, what, __VA_ARGS__);                               \
		}                                                                                         \
	} while (0)
#define KUNIT_STR_(test, fatal_, want_equal, op, left, right, ...)                                        \
	do {                                                                                              \
		const char *kl_ = (left), *kr_ = (right);                                                 \
		if (kunit_streq(kl_, kr_) != (want_equal)) {                                              \
			const struct kunit_loc loc_ = { __FILE__, __LINE__, fatal_ };                     \
			const struct kunit_value lv_ = { KUNIT_VAL_STR, (unsigned long long)(unsigned long)kl_ }; \
			const struct kunit_value rv_ = { KUNIT_VAL_STR, (unsigned long long)(unsigned long)kr_ }; \
			kunit_binary_failed(test, &loc_, op, #left, #right, lv_, rv_, __VA_ARGS__);       \
		}                                                                                         \
	} while (0)
#define KUNIT_MEM_(test, fatal_, want_equal, op, left, right, size, ...)                                  \
	do {                                                                                              \
		const void *kl_ = (left), *kr_ = (right);                                                 \
		const size_t kn_ = (size);                                                                \
		if (!kl_ || !kr_ || kunit_memeq(kl_, kr_, kn_) != (want_equal)) {                         \
			const struct kunit_loc loc_ = { __FILE__, __LINE__, fatal_ };                     \
			kunit_mem_failed(test, &loc_, op, kl_, kr_, kn_, #left " " op " " #right, __VA_ARGS__); \
		}                                                                                         \
	} while (0)
#define KUNIT_GOOD_PTR_(p) ((unsigned long)(p) - 1 < (unsigned long)-4096)

#define KUNIT_SUCCEED(test) do { (void)(test); } while (0)
#define KUNIT_FAIL_(test, fatal_, ...)                                        \
	do {                                                                  \
		const struct kunit_loc loc_ = { __FILE__, __LINE__, fatal_ }; \
		kunit_fail(test, &loc_, __VA_ARGS__);                         \
	} while (0)
#define KUNIT_FAIL(test, ...) KUNIT_FAIL_(test, false, __VA_ARGS__)
#define KUNIT_FAIL_AND_ABORT(test, ...) KUNIT_FAIL_(test, true, __VA_ARGS__)
#define KUNIT_ASSERT_FAILURE(test, ...) KUNIT_FAIL_(test, true, __VA_ARGS__)

/* The families: EXPECT_ and ASSERT_, plain and _MSG. */
#define KUNIT_EXPECT_TRUE(t, c) KUNIT_UN_(t, false, c, "Expected " #c " to be true", NULL)
#define KUNIT_EXPECT_TRUE_MSG(t, c, ...) KUNIT_UN_(t, false, c, "Expected " #c " to be true", __VA_ARGS__)
#define KUNIT_ASSERT_TRUE(t, c) KUNIT_UN_(t, true, c, "Expected " #c " to be true", NULL)
#define KUNIT_ASSERT_TRUE_MSG(t, c, ...) KUNIT_UN_(t, true, c, "Expected " #c " to be true", __VA_ARGS__)
#define KUNIT_EXPECT_FALSE(t, c) KUNIT_UN_(t, false, !(c), "Expected " #c " to be false", NULL)
#define KUNIT_EXPECT_FALSE_MSG(t, c, ...) KUNIT_UN_(t, false, !(c), "Expected " #c " to be false", __VA_ARGS__)
#define KUNIT_ASSERT_FALSE(t, c) KUNIT_UN_(t, true, !(c), "Expected " #c " to be false", NULL)
#define KUNIT_ASSERT_FALSE_MSG(t, c, ...) KUNIT_UN_(t, true, !(c), "Expected " #c " to be false", __VA_ARGS__)

#define KUNIT_EXPECT_EQ(t, a, b) KUNIT_BIN_(t, false, ==, kunit_op_eq, a, b, NULL)
#define KUNIT_EXPECT_EQ_MSG(t, a, b, ...) KUNIT_BIN_(t, false, ==, kunit_op_eq, a, b, __VA_ARGS__)
#define KUNIT_ASSERT_EQ(t, a, b) KUNIT_BIN_(t, true, ==, kunit_op_eq, a, b, NULL)
#define KUNIT_ASSERT_EQ_MSG(t, a, b, ...) KUNIT_BIN_(t, true, ==, kunit_op_eq, a, b, __VA_ARGS__)
#define KUNIT_EXPECT_NE(t, a, b) KUNIT_BIN_(t, false, !=, kunit_op_ne, a, b, NULL)
#define KUNIT_EXPECT_NE_MSG(t, a, b, ...) KUNIT_BIN_(t, false, !=, kunit_op_ne, a, b, __VA_ARGS__)
#define KUNIT_ASSERT_NE(t, a, b) KUNIT_BIN_(t, true, !=, kunit_op_ne, a, b, NULL)
#define KUNIT_ASSERT_NE_MSG(t, a, b, ...) KUNIT_BIN_(t, true, !=, kunit_op_ne, a, b, __VA_ARGS__)
#define KUNIT_EXPECT_LT(t, a, b) KUNIT_BIN_(t, false, <, kunit_op_lt, a, b, NULL)
#define KUNIT_EXPECT_LT_MSG(t, a, b, ...) KUNIT_BIN_(t, false, <, kunit_op_lt, a, b, __VA_ARGS__)
#define KUNIT_ASSERT_LT(t, a, b) KUNIT_BIN_(t, true, <, kunit_op_lt, a, b, NULL)
#define KUNIT_ASSERT_LT_MSG(t, a, b, ...) KUNIT_BIN_(t, true, <, kunit_op_lt, a, b, __VA_ARGS__)
#define KUNIT_EXPECT_LE(t, a, b) KUNIT_BIN_(t, false, <=, kunit_op_le, a, b, NULL)
#define KUNIT_EXPECT_LE_MSG(t, a, b, ...) KUNIT_BIN_(t, false, <=, kunit_op_le, a, b, __VA_ARGS__)
#define KUNIT_ASSERT_LE(t, a, b) KUNIT_BIN_(t, true, <=, kunit_op_le, a, b, NULL)
#define KUNIT_ASSERT_LE_MSG(t, a, b, ...) KUNIT_BIN_(t, true, <=, kunit_op_le, a, b, __VA_ARGS__)
#define KUNIT_EXPECT_GT(t, a, b) KUNIT_BIN_(t, false, >, kunit_op_gt, a, b, NULL)
#define KUNIT_EXPECT_GT_MSG(t, a, b, ...) KUNIT_BIN_(t, false, >, kunit_op_gt, a, b, __VA_ARGS__)
#define KUNIT_ASSERT_GT(t, a, b) KUNIT_BIN_(t, true, >, kunit_op_gt, a, b, NULL)
#define KUNIT_ASSERT_GT_MSG(t, a, b, ...) KUNIT_BIN_(t, true, >, kunit_op_gt, a, b, __VA_ARGS__)
#define KUNIT_EXPECT_GE(t, a, b) KUNIT_BIN_(t, false, >=, kunit_op_ge, a, b, NULL)
#define KUNIT_EXPECT_GE_MSG(t, a, b, ...) KUNIT_BIN_(t, false, >=, kunit_op_ge, a, b, __VA_ARGS__)
#define KUNIT_ASSERT_GE(t, a, b) KUNIT_BIN_(t, true, >=, kunit_op_ge, a, b, NULL)
#define KUNIT_ASSERT_GE_MSG(t, a, b, ...) KUNIT_BIN_(t, true, >=, kunit_op_ge, a, b, __VA_ARGS__)

#define KUNIT_EXPECT_PTR_EQ KUNIT_EXPECT_EQ
#define KUNIT_EXPECT_PTR_EQ_MSG KUNIT_EXPECT_EQ_MSG
#define KUNIT_ASSERT_PTR_EQ KUNIT_ASSERT_EQ
#define KUNIT_ASSERT_PTR_EQ_MSG KUNIT_ASSERT_EQ_MSG
#define KUNIT_EXPECT_PTR_NE KUNIT_EXPECT_NE
#define KUNIT_EXPECT_PTR_NE_MSG KUNIT_EXPECT_NE_MSG
#define KUNIT_ASSERT_PTR_NE KUNIT_ASSERT_NE
#define KUNIT_ASSERT_PTR_NE_MSG KUNIT_ASSERT_NE_MSG

#define KUNIT_EXPECT_NULL(t, p) KUNIT_UN_(t, false, (p) == NULL, "Expected " #p " to be null", NULL)
#define KUNIT_EXPECT_NULL_MSG(t, p, ...) KUNIT_UN_(t, false, (p) == NULL, "Expected " #p " to be null", __VA_ARGS__)
#define KUNIT_ASSERT_NULL(t, p) KUNIT_UN_(t, true, (p) == NULL, "Expected " #p " to be null", NULL)
#define KUNIT_ASSERT_NULL_MSG(t, p, ...) KUNIT_UN_(t, true, (p) == NULL, "Expected " #p " to be null", __VA_ARGS__)
#define KUNIT_EXPECT_NOT_NULL(t, p) KUNIT_UN_(t, false, (p) != NULL, "Expected " #p " not to be null", NULL)
#define KUNIT_EXPECT_NOT_NULL_MSG(t, p, ...) KUNIT_UN_(t, false, (p) != NULL, "Expected " #p " not to be null", __VA_ARGS__)
#define KUNIT_ASSERT_NOT_NULL(t, p) KUNIT_UN_(t, true, (p) != NULL, "Expected " #p " not to be null", NULL)
#define KUNIT_ASSERT_NOT_NULL_MSG(t, p, ...) KUNIT_UN_(t, true, (p) != NULL, "Expected " #p " not to be null", __VA_ARGS__)
#define KUNIT_EXPECT_NOT_ERR_OR_NULL(t, p) \
	KUNIT_UN_(t, false, KUNIT_GOOD_PTR_(p), "Expected " #p " to be neither null nor an error", NULL)
#define KUNIT_EXPECT_NOT_ERR_OR_NULL_MSG(t, p, ...) \
	KUNIT_UN_(t, false, KUNIT_GOOD_PTR_(p), "Expected " #p " to be neither null nor an error", __VA_ARGS__)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(t, p) \
	KUNIT_UN_(t, true, KUNIT_GOOD_PTR_(p), "Expected " #p " to be neither null nor an error", NULL)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(t, p, ...) \
	KUNIT_UN_(t, true, KUNIT_GOOD_PTR_(p), "Expected " #p " to be neither null nor an error", __VA_ARGS__)

#define KUNIT_EXPECT_STREQ(t, a, b) KUNIT_STR_(t, false, true, "==", a, b, NULL)
#define KUNIT_EXPECT_STREQ_MSG(t, a, b, ...) KUNIT_STR_(t, false, true, "==", a, b, __VA_ARGS__)
#define KUNIT_ASSERT_STREQ(t, a, b) KUNIT_STR_(t, true, true, "==", a, b, NULL)
#define KUNIT_ASSERT_STREQ_MSG(t, a, b, ...) KUNIT_STR_(t, true, true, "==", a, b, __VA_ARGS__)
#define KUNIT_EXPECT_STRNEQ(t, a, b) KUNIT_STR_(t, false, false, "!=", a, b, NULL)
#define KUNIT_EXPECT_STRNEQ_MSG(t, a, b, ...) KUNIT_STR_(t, false, false, "!=", a, b, __VA_ARGS__)
#define KUNIT_ASSERT_STRNEQ(t, a, b) KUNIT_STR_(t, true, false, "!=", a, b, NULL)
#define KUNIT_ASSERT_STRNEQ_MSG(t, a, b, ...) KUNIT_STR_(t, true, false, "!=", a, b, __VA_ARGS__)
#define KUNIT_EXPECT_MEMEQ(t, a, b, n) KUNIT_MEM_(t, false, true, "==", a, b, n, NULL)
#define KUNIT_EXPECT_MEMEQ_MSG(t, a, b, n, ...) KUNIT_MEM_(t, false, true, "==", a, b, n, __VA_ARGS__)
#define KUNIT_ASSERT_MEMEQ(t, a, b, n) KUNIT_MEM_(t, true, true, "==", a, b, n, NULL)
#define KUNIT_ASSERT_MEMEQ_MSG(t, a, b, n, ...) KUNIT_MEM_(t, true, true, "==", a, b, n, __VA_ARGS__)
#define KUNIT_EXPECT_MEMNEQ(t, a, b, n) KUNIT_MEM_(t, false, false, "!=", a, b, n, NULL)
#define KUNIT_EXPECT_MEMNEQ_MSG(t, a, b, n, ...) KUNIT_MEM_(t, false, false, "!=", a, b, n, __VA_ARGS__)
#define KUNIT_ASSERT_MEMNEQ(t, a, b, n) KUNIT_MEM_(t, true, false, "!=", a, b, n, NULL)
#define KUNIT_ASSERT_MEMNEQ_MSG(t, a, b, n, ...) KUNIT_MEM_(t, true, false, "!=", a, b, n, __VA_ARGS__)
#endif
