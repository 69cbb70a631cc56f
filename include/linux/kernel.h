// What nearly everything uses: formatting, rounding, logging, assertions.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_KERNEL_H
#define _LINUX_KERNEL_H
#include <linux/align.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/errno.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/stringify.h>
#include <linux/types.h>
#include <stdarg.h>

#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define DIV_ROUND_UP_ULL(n, d) DIV_ROUND_UP((u64)(n), (u64)(d))
#define DIV_ROUND_CLOSEST(x, d) (((x) + (d) / 2) / (d))
#define roundup(x, y) ((((x) + ((y) - 1)) / (y)) * (y))
#define rounddown(x, y) ((x) - (x) % (y))
#define round_up(x, y) ((((x) - 1) | ((__typeof__(x))((y) - 1))) + 1)
#define round_down(x, y) ((x) & ~((__typeof__(x))((y) - 1)))
#define upper_32_bits(n) ((u32)((u64)(n) >> 32))
#define lower_32_bits(n) ((u32)(n))
#define _RET_IP_ ((unsigned long)__builtin_return_address(0))
#define _THIS_IP_ ({ __label__ __here; __here: (unsigned long)&&__here; })
#ifndef __cplusplus
#define abs(x) ({ __typeof__(x) __x = (x); __x < 0 ? -__x : __x; })
#endif

CF_C_BEGIN
/* The conversions we know: lib/vsprintf.cc. Length as C's: what would have been written. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list args) __asm__("cf_vsnprintf") __printf(3, 0);
int snprintf(char *buf, size_t size, const char *fmt, ...) __asm__("cf_snprintf") __printf(3, 4);
int sprintf(char *buf, const char *fmt, ...) __asm__("cf_sprintf") __printf(2, 3);
int vsprintf(char *buf, const char *fmt, va_list args) __asm__("cf_vsprintf") __printf(2, 0);
/* What was written, without NUL. */
int vscnprintf(char *buf, size_t size, const char *fmt, va_list args) __printf(3, 0);
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
char *kasprintf(gfp_t gfp, const char *fmt, ...) __printf(2, 3);
char *kvasprintf(gfp_t gfp, const char *fmt, va_list args) __printf(2, 0);
int cf_sscanf(const char *s, const char *fmt, ...) __attribute__((format(scanf, 2, 3)));
int cf_vsscanf(const char *s, const char *fmt, va_list args) __attribute__((format(scanf, 2, 0)));
const char *errname(int err); /* "-ENOMEM" for -ENOMEM, "ENOMEM" for ENOMEM; NULL if unknown */
/* "4,1,2": 0 none, 1 a last number, 2 more follow after a comma, 3 a range "2-". *str moves past. */
int get_option(char **str, int *value);
char *get_options(const char *str, int nints, int *ints); /* ints[0]: how many */
unsigned long long memparse(const char *s, char **end);   /* with K M G T suffixes */
void add_taint(unsigned flag, int lockdep_ok);
int test_taint(unsigned flag);
unsigned long get_taint(void);
extern int oops_in_progress, panic_timeout, panic_on_oops, panic_on_warn;
CF_C_END
/* C++ code calls cf_sscanf: the C++ library's headers must find a C library's sscanf under its own name. */
#ifndef __cplusplus
#define sscanf cf_sscanf
#define vsscanf cf_vsscanf
#endif
struct va_format { const char *fmt; va_list *va; };
#define TAINT_PROPRIETARY_MODULE 0
#define TAINT_FORCED_MODULE 1
#define TAINT_BAD_PAGE 5
#define TAINT_USER 6
#define TAINT_DIE 7
#define TAINT_WARN 9
#define TAINT_OOT_MODULE 12
#define TAINT_TEST 18
#endif
