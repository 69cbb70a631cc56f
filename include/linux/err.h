// Errors in pointers: the last MAX_ERRNO addresses are never objects.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_ERR_H
#define _LINUX_ERR_H
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/types.h>
#define IS_ERR_VALUE(x) unlikely((unsigned long)(x) >= (unsigned long)-MAX_ERRNO)
#ifdef __cplusplus
/* Converts to any pointer, as void * does in C. */
struct cf_err_ptr {
	long error;
	template <class T> operator T *() const { return reinterpret_cast<T *>(error); }
};
static inline cf_err_ptr ERR_PTR(long error) { return cf_err_ptr{error}; }
template <class T> static inline cf_err_ptr ERR_CAST(T *ptr) { return cf_err_ptr{reinterpret_cast<long>(ptr)}; }
#else
static inline void * __must_check ERR_PTR(long error) { return (void *)error; }
static inline void * __must_check ERR_CAST(const void *ptr) { return (void *)ptr; }
#endif
static inline long __must_check PTR_ERR(const void *ptr) { return (long)ptr; }
static inline bool __must_check IS_ERR(const void *ptr) { return IS_ERR_VALUE(ptr); }
static inline bool __must_check IS_ERR_OR_NULL(const void *ptr) { return unlikely(!ptr) || IS_ERR_VALUE(ptr); }
static inline int __must_check PTR_ERR_OR_ZERO(const void *ptr) { return IS_ERR(ptr) ? (int)PTR_ERR(ptr) : 0; }
#endif
