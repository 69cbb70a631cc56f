// Strings and memory. The five hottest come from the host or from the machine; the rest is lib/string.cc, under symbols of our
// own so that they do not collide with a C library's.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_STRING_H
#define _LINUX_STRING_H
#include <linux/compiler.h>
#include <linux/types.h>
CF_C_BEGIN
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

void *memchr(const void *s, int c, size_t n) __asm__("cf_memchr");
void *memchr_inv(const void *s, int c, size_t n) __asm__("cf_memchr_inv");
void *memscan(void *s, int c, size_t n) __asm__("cf_memscan");
size_t strnlen(const char *s, size_t max) __asm__("cf_strnlen");
int strcmp(const char *a, const char *b) __asm__("cf_strcmp");
int strncmp(const char *a, const char *b, size_t n) __asm__("cf_strncmp");
int strcasecmp(const char *a, const char *b) __asm__("cf_strcasecmp");
int strncasecmp(const char *a, const char *b, size_t n) __asm__("cf_strncasecmp");
char *strcpy(char *dst, const char *src) __asm__("cf_strcpy");
char *strncpy(char *dst, const char *src, size_t n) __asm__("cf_strncpy");
char *strcat(char *dst, const char *src) __asm__("cf_strcat");
char *strncat(char *dst, const char *src, size_t n) __asm__("cf_strncat");
size_t strlcpy(char *dst, const char *src, size_t size) __asm__("cf_strlcpy");
size_t strlcat(char *dst, const char *src, size_t size) __asm__("cf_strlcat");
/* Length copied without NUL, or -E2BIG when cut short (dst is terminated all the same). */
ssize_t strscpy(char *dst, const char *src, size_t size) __asm__("cf_strscpy");
ssize_t strscpy_pad(char *dst, const char *src, size_t size) __asm__("cf_strscpy_pad");
char *strchr(const char *s, int c) __asm__("cf_strchr");
char *strchrnul(const char *s, int c) __asm__("cf_strchrnul");
char *strnchr(const char *s, size_t n, int c) __asm__("cf_strnchr");
char *strrchr(const char *s, int c) __asm__("cf_strrchr");
char *strstr(const char *s, const char *what) __asm__("cf_strstr");
char *strnstr(const char *s, const char *what, size_t n) __asm__("cf_strnstr");
size_t strspn(const char *s, const char *accept) __asm__("cf_strspn");
size_t strcspn(const char *s, const char *reject) __asm__("cf_strcspn");
char *strpbrk(const char *s, const char *accept) __asm__("cf_strpbrk");
char *strsep(char **s, const char *delims) __asm__("cf_strsep");
char *skip_spaces(const char *s);
char *strim(char *s);
static inline char *strstrip(char *s) { return strim(s); }
bool sysfs_streq(const char *a, const char *b);
int match_string(const char *const *array, size_t n, const char *s);
void *memset16(u16 *p, u16 v, size_t n);
void *memset32(u32 *p, u32 v, size_t n);
void *memset64(u64 *p, u64 v, size_t n);
void memzero_explicit(void *p, size_t n);

/* Allocating: mm/util.cc. NULL in, NULL out. */
char *kstrdup(const char *s, gfp_t gfp);
char *kstrndup(const char *s, size_t max, gfp_t gfp);
void *kmemdup(const void *src, size_t n, gfp_t gfp);
char *kmemdup_nul(const char *s, size_t n, gfp_t gfp);
CF_C_END
/* Length of the prefix, 0 if it is not one. */
static inline size_t str_has_prefix(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(s, prefix, n) == 0 ? n : 0;
}
static inline bool strstarts(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }
static inline const char *kbasename(const char *path)
{
	const char *tail = strrchr(path, '/');
	return tail ? tail + 1 : path;
}
#define memset_after(obj, v, member)                                                              \
	memset((u8 *)(obj) + offsetof(__typeof__(*(obj)), member) + sizeof((obj)->member), (v),   \
	       sizeof(*(obj)) - offsetof(__typeof__(*(obj)), member) - sizeof((obj)->member))
#define memset_startat(obj, v, member) \
	memset((u8 *)(obj) + offsetof(__typeof__(*(obj)), member), (v), sizeof(*(obj)) - offsetof(__typeof__(*(obj)), member))
#endif
