// The kernel log.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_PRINTK_H
#define _LINUX_PRINTK_H
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/types.h>
#include <stdarg.h>

#define KERN_SOH "\001"
#define KERN_SOH_ASCII '\001'
#define KERN_EMERG KERN_SOH "0"
#define KERN_ALERT KERN_SOH "1"
#define KERN_CRIT KERN_SOH "2"
#define KERN_ERR KERN_SOH "3"
#define KERN_WARNING KERN_SOH "4"
#define KERN_NOTICE KERN_SOH "5"
#define KERN_INFO KERN_SOH "6"
#define KERN_DEBUG KERN_SOH "7"
#define KERN_DEFAULT ""
#define KERN_CONT KERN_SOH "c"
#define LOGLEVEL_DEFAULT (-1)
#define LOGLEVEL_EMERG 0
#define LOGLEVEL_ALERT 1
#define LOGLEVEL_CRIT 2
#define LOGLEVEL_ERR 3
#define LOGLEVEL_WARNING 4
#define LOGLEVEL_NOTICE 5
#define LOGLEVEL_INFO 6
#define LOGLEVEL_DEBUG 7

CF_C_BEGIN
/* Any context; never sleeps. */
int _printk(const char *fmt, ...) __printf(1, 2);
int vprintk(const char *fmt, va_list args) __printf(1, 0);
void dump_stack(void);
bool cf_printk_ratelimit(void *site); /* site: one zeroed struct cf_ratelimit */
extern int console_printk[4];        /* console loglevel, default message level, minimum, boot default */
#define console_loglevel (console_printk[0])
enum { DUMP_PREFIX_NONE, DUMP_PREFIX_ADDRESS, DUMP_PREFIX_OFFSET };
void print_hex_dump(const char *level, const char *prefix, int prefix_type, int rowsize, int groupsize, const void *buf,
		    size_t len, bool ascii);
CF_C_END

struct cf_ratelimit { u64 begin; u32 printed, missed; unsigned boot; };

#define printk(...) _printk(__VA_ARGS__)
#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif
#define pr_emerg(fmt, ...) printk(KERN_EMERG pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_alert(fmt, ...) printk(KERN_ALERT pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_crit(fmt, ...) printk(KERN_CRIT pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_err(fmt, ...) printk(KERN_ERR pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_warn(fmt, ...) printk(KERN_WARNING pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_notice(fmt, ...) printk(KERN_NOTICE pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_info(fmt, ...) printk(KERN_INFO pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_cont(fmt, ...) printk(KERN_CONT fmt __VA_OPT__(, ) __VA_ARGS__)
/* Checked by the compiler, printed only where DEBUG is defined. */
#ifdef DEBUG
#define pr_debug(fmt, ...) printk(KERN_DEBUG pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#else
#define pr_debug(fmt, ...) do { if (0) printk(KERN_DEBUG pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__); } while (0)
#endif
#define printk_once(...)                                    \
	do {                                                \
		static unsigned __said_in;                  \
		if (READ_ONCE(__said_in) != cf_boot_number) { \
			WRITE_ONCE(__said_in, cf_boot_number); \
			printk(__VA_ARGS__);                \
		}                                           \
	} while (0)
#define pr_err_once(fmt, ...) printk_once(KERN_ERR pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_warn_once(fmt, ...) printk_once(KERN_WARNING pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_info_once(fmt, ...) printk_once(KERN_INFO pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define printk_ratelimited(...)                             \
	do {                                                \
		static struct cf_ratelimit __rl;            \
		if (cf_printk_ratelimit(&__rl))             \
			printk(__VA_ARGS__);                \
	} while (0)
#define pr_err_ratelimited(fmt, ...) printk_ratelimited(KERN_ERR pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_warn_ratelimited(fmt, ...) printk_ratelimited(KERN_WARNING pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#define pr_info_ratelimited(fmt, ...) printk_ratelimited(KERN_INFO pr_fmt(fmt) __VA_OPT__(, ) __VA_ARGS__)
#endif
