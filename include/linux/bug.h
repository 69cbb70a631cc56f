// BUG: a state that cannot be. WARN: one that should not be, but that can be survived.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_BUG_H
#define _LINUX_BUG_H
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/types.h>
CF_C_BEGIN
void cf_bug(const char *file, int line, const char *what) __noreturn __cold;
void cf_warn(const char *file, int line, const char *fmt, ...) __printf(3, 4) __cold;
void panic(const char *fmt, ...) __printf(1, 2) __noreturn __cold;
extern unsigned cf_boot_number; /* of this world: hosted boots many in one process, and `once` is once in each */
CF_C_END
#define BUG() cf_bug(__FILE__, __LINE__, 0)
#define BUG_ON(cond) do { if (unlikely(cond)) cf_bug(__FILE__, __LINE__, #cond); } while (0)
#define WARN(cond, ...)                                                  \
	({                                                               \
		bool __w = !!(cond);                                     \
		if (unlikely(__w))                                       \
			cf_warn(__FILE__, __LINE__, __VA_ARGS__);        \
		unlikely(__w);                                           \
	})
#define WARN_ON(cond) WARN(cond, "%s", #cond)
#define WARN_ONCE(cond, ...)                                             \
	({                                                               \
		static unsigned __warned_in;                             \
		bool __w = !!(cond);                                     \
		if (unlikely(__w) && READ_ONCE(__warned_in) != cf_boot_number) { \
			WRITE_ONCE(__warned_in, cf_boot_number);         \
			cf_warn(__FILE__, __LINE__, __VA_ARGS__);        \
		}                                                        \
		unlikely(__w);                                           \
	})
#define WARN_ON_ONCE(cond) WARN_ONCE(cond, "%s", #cond)
#endif
