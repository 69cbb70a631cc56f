// Compile-time assertions.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_BUILD_BUG_H
#define _LINUX_BUILD_BUG_H
#ifdef __cplusplus
#define BUILD_BUG_ON(cond) static_assert(!(cond), #cond)
#else
#ifndef static_assert
#define static_assert(...) CF_STATIC_ASSERT_PICK(__VA_ARGS__, CF_STATIC_ASSERT2, CF_STATIC_ASSERT1)(__VA_ARGS__)
#define CF_STATIC_ASSERT_PICK(_1, _2, m, ...) m
#define CF_STATIC_ASSERT1(e) _Static_assert(e, #e)
#define CF_STATIC_ASSERT2(e, msg) _Static_assert(e, msg)
#endif
#define BUILD_BUG_ON(cond) _Static_assert(!(cond), #cond)
#endif
#define BUILD_BUG_ON_MSG(cond, msg) BUILD_BUG_ON(cond)
#define BUILD_BUG_ON_NOT_POWER_OF_2(n) BUILD_BUG_ON((n) == 0 || (((n) & ((n) - 1)) != 0))
#endif
