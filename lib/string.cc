// Strings: what linux/string.h declares beyond the five functions that the machine provides.
// SPDX-License-Identifier: Apache-2.0
#include <linux/string.h>

#include <linux/ctype.h>
#include <linux/errno.h>

namespace {
int cmp(unsigned char a, unsigned char b) { return a < b ? -1 : a > b; }
bool contains(const char* set, char c) {
  for (; *set; set++)
    if (*set == c) return true;
  return false;
}
}  // namespace

extern "C" {

void* memchr(const void* s, int c, size_t n) {
  auto* p = static_cast<const unsigned char*>(s);
  for (size_t i = 0; i < n; i++)
    if (p[i] == static_cast<unsigned char>(c)) return const_cast<unsigned char*>(p + i);
  return nullptr;
}

// The first byte that is not c.
void* memchr_inv(const void* s, int c, size_t n) {
  auto* p = static_cast<const unsigned char*>(s);
  for (size_t i = 0; i < n; i++)
    if (p[i] != static_cast<unsigned char>(c)) return const_cast<unsigned char*>(p + i);
  return nullptr;
}

void* memscan(void* s, int c, size_t n) {
  void* p = memchr(s, c, n);
  return p ? p : static_cast<char*>(s) + n;
}

size_t strnlen(const char* s, size_t max) {
  size_t n = 0;
  while (n < max && s[n]) n++;
  return n;
}

int strcmp(const char* a, const char* b) {
  while (*a && *a == *b) a++, b++;
  return cmp(static_cast<unsigned char>(*a), static_cast<unsigned char>(*b));
}

int strncmp(const char* a, const char* b, size_t n) {
  for (; n; a++, b++, n--)
    if (*a != *b || !*a) return cmp(static_cast<unsigned char>(*a), static_cast<unsigned char>(*b));
  return 0;
}

int strcasecmp(const char* a, const char* b) { return strncasecmp(a, b, ~size_t{0}); }

int strncasecmp(const char* a, const char* b, size_t n) {
  for (; n; a++, b++, n--) {
    int x = tolower(static_cast<unsigned char>(*a)), y = tolower(static_cast<unsigned char>(*b));
    if (x != y || !x) return x - y;
  }
  return 0;
}

char* strcpy(char* dst, const char* src) {
  memcpy(dst, src, strlen(src) + 1);
  return dst;
}

char* strncpy(char* dst, const char* src, size_t n) {
  size_t len = strnlen(src, n);
  memcpy(dst, src, len);
  memset(dst + len, 0, n - len);
  return dst;
}

char* strcat(char* dst, const char* src) {
  strcpy(dst + strlen(dst), src);
  return dst;
}

char* strncat(char* dst, const char* src, size_t n) {
  size_t at = strlen(dst), len = strnlen(src, n);
  memcpy(dst + at, src, len);
  dst[at + len] = 0;
  return dst;
}

size_t strlcpy(char* dst, const char* src, size_t size) {
  size_t len = strlen(src);
  if (size) {
    size_t n = len < size ? len : size - 1;
    memcpy(dst, src, n);
    dst[n] = 0;
  }
  return len;
}

size_t strlcat(char* dst, const char* src, size_t size) {
  size_t at = strnlen(dst, size);
  return at + strlcpy(dst + at, src, size - at);
}

ssize_t strscpy(char* dst, const char* src, size_t size) {
  if (!size) return -E2BIG;
  size_t len = strnlen(src, size);
  bool cut = len == size;
  if (cut) len--;
  memcpy(dst, src, len);
  dst[len] = 0;
  return cut ? -E2BIG : static_cast<ssize_t>(len);
}

ssize_t strscpy_pad(char* dst, const char* src, size_t size) {
  ssize_t n = strscpy(dst, src, size);
  if (n >= 0) memset(dst + n, 0, size - static_cast<size_t>(n));
  return n;
}

char* strchrnul(const char* s, int c) {
  while (*s && *s != static_cast<char>(c)) s++;
  return const_cast<char*>(s);
}

char* strchr(const char* s, int c) {
  char* p = strchrnul(s, c);
  return *p == static_cast<char>(c) ? p : nullptr;
}

char* strnchr(const char* s, size_t n, int c) {
  for (; n; s++, n--) {
    if (*s == static_cast<char>(c)) return const_cast<char*>(s);
    if (!*s) break;
  }
  return nullptr;
}

char* strrchr(const char* s, int c) {
  const char* found = nullptr;
  do {
    if (*s == static_cast<char>(c)) found = s;
  } while (*s++);
  return const_cast<char*>(found);
}

char* strstr(const char* s, const char* what) {
  size_t n = strlen(what);
  for (;; s++) {
    if (!strncmp(s, what, n)) return const_cast<char*>(s);
    if (!*s) return nullptr;
  }
}

char* strnstr(const char* s, const char* what, size_t n) {
  size_t len = strlen(what);
  for (; n >= len; s++, n--) {
    if (!memcmp(s, what, len)) return const_cast<char*>(s);
    if (!*s) break;
  }
  return nullptr;
}

size_t strspn(const char* s, const char* accept) {
  size_t n = 0;
  while (s[n] && contains(accept, s[n])) n++;
  return n;
}

size_t strcspn(const char* s, const char* reject) {
  size_t n = 0;
  while (s[n] && !contains(reject, s[n])) n++;
  return n;
}

char* strpbrk(const char* s, const char* accept) {
  s += strcspn(s, accept);
  return *s ? const_cast<char*>(s) : nullptr;
}

char* strsep(char** s, const char* delims) {
  char* start = *s;
  if (!start) return nullptr;
  char* end = strpbrk(start, delims);
  if (end) *end++ = 0;
  *s = end;
  return start;
}

char* skip_spaces(const char* s) {
  while (isspace(static_cast<unsigned char>(*s))) s++;
  return const_cast<char*>(s);
}

// Takes white space off both ends; the end in place.
char* strim(char* s) {
  size_t n = strlen(s);
  while (n && isspace(static_cast<unsigned char>(s[n - 1]))) n--;
  s[n] = 0;
  return skip_spaces(s);
}

// Equal but for one trailing newline.
bool sysfs_streq(const char* a, const char* b) {
  while (*a && *a == *b) a++, b++;
  if (*a == *b) return true;
  if (!*a && *b == '\n' && !b[1]) return true;
  return *a == '\n' && !a[1] && !*b;
}

int match_string(const char* const* array, size_t n, const char* s) {
  for (size_t i = 0; i < n && array[i]; i++)
    if (!strcmp(array[i], s)) return static_cast<int>(i);
  return -EINVAL;
}

void* memset16(u16* p, u16 v, size_t n) {
  for (size_t i = 0; i < n; i++) p[i] = v;
  return p;
}
void* memset32(u32* p, u32 v, size_t n) {
  for (size_t i = 0; i < n; i++) p[i] = v;
  return p;
}
void* memset64(u64* p, u64 v, size_t n) {
  for (size_t i = 0; i < n; i++) p[i] = v;
  return p;
}

void memzero_explicit(void* p, size_t n) {
  memset(p, 0, n);
  asm volatile("" ::"r"(p) : "memory");
}

}  // extern "C"
