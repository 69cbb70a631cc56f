// container_of.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_CONTAINER_OF_H
#define _LINUX_CONTAINER_OF_H
#include <linux/types.h>
#ifdef __cplusplus
#define container_of(ptr, type, member) \
	(reinterpret_cast<type *>(reinterpret_cast<char *>(const_cast<void *>(static_cast<const volatile void *>(ptr))) - __builtin_offsetof(type, member)))
#else
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#endif
#endif
