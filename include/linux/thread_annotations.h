// Clang thread-safety attributes: who guards what. Nothing for other compilers.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_THREAD_ANNOTATIONS_H
#define _LINUX_THREAD_ANNOTATIONS_H
#if defined(__clang__) && defined(__cplusplus)
#define CF_TSA(x) __attribute__((x))
#else
#define CF_TSA(x)
#endif
#define CF_CAPABILITY(name) CF_TSA(capability(name))
#define CF_SCOPED_CAPABILITY CF_TSA(scoped_lockable)
#define GUARDED_BY(l) CF_TSA(guarded_by(l))
#define PT_GUARDED_BY(l) CF_TSA(pt_guarded_by(l))
#define REQUIRES(...) CF_TSA(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) CF_TSA(requires_shared_capability(__VA_ARGS__))
#define ACQUIRE(...) CF_TSA(acquire_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) CF_TSA(acquire_shared_capability(__VA_ARGS__))
#define RELEASE(...) CF_TSA(release_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) CF_TSA(release_shared_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) CF_TSA(release_generic_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) CF_TSA(try_acquire_capability(__VA_ARGS__))
#define TRY_ACQUIRE_SHARED(...) CF_TSA(try_acquire_shared_capability(__VA_ARGS__))
#define EXCLUDES(...) CF_TSA(locks_excluded(__VA_ARGS__))
#define ASSERT_CAPABILITY(x) CF_TSA(assert_capability(x))
#define NO_THREAD_SAFETY_ANALYSIS CF_TSA(no_thread_safety_analysis)
#endif
