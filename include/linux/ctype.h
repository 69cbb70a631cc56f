// Character classes, ASCII only.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_CTYPE_H
#define _LINUX_CTYPE_H
#include <linux/types.h>
/* Host headers may have defined these as macros. */
#undef isdigit
#undef isxdigit
#undef isalpha
#undef isupper
#undef islower
#undef isalnum
#undef isspace
#undef isprint
#undef isgraph
#undef iscntrl
#undef ispunct
#undef isascii
#undef tolower
#undef toupper
#define isdigit(c) cf_isdigit(c)
#define isupper(c) cf_isupper(c)
#define islower(c) cf_islower(c)
#define isalpha(c) cf_isalpha(c)
#define isalnum(c) cf_isalnum(c)
#define isxdigit(c) cf_isxdigit(c)
#define isspace(c) cf_isspace(c)
#define isprint(c) cf_isprint(c)
#define isgraph(c) cf_isgraph(c)
#define iscntrl(c) cf_iscntrl(c)
#define ispunct(c) cf_ispunct(c)
#define isascii(c) (((unsigned char)(c)) < 0x80)
#define tolower(c) cf_tolower(c)
#define toupper(c) cf_toupper(c)
static inline int cf_isdigit(int c) { return c >= '0' && c <= '9'; }
static inline int cf_isupper(int c) { return c >= 'A' && c <= 'Z'; }
static inline int cf_islower(int c) { return c >= 'a' && c <= 'z'; }
static inline int cf_isalpha(int c) { return cf_isupper(c) || cf_islower(c); }
static inline int cf_isalnum(int c) { return cf_isalpha(c) || cf_isdigit(c); }
static inline int cf_isxdigit(int c) { return cf_isdigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
static inline int cf_isspace(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static inline int cf_isprint(int c) { return c >= ' ' && c < 0x7f; }
static inline int cf_isgraph(int c) { return c > ' ' && c < 0x7f; }
static inline int cf_iscntrl(int c) { return (c >= 0 && c < ' ') || c == 0x7f; }
static inline int cf_ispunct(int c) { return cf_isgraph(c) && !cf_isalnum(c); }
static inline int cf_tolower(int c) { return cf_isupper(c) ? c + 32 : c; }
static inline int cf_toupper(int c) { return cf_islower(c) ? c - 32 : c; }
#endif
