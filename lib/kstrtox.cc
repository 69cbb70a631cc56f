// Strings to numbers.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kstrtox.h>

#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <concepts>

namespace {

struct Digits {
  const char* end;
  unsigned long long value;
  bool overflow;
};

int digit_value(char c) {
  if (isdigit(c)) return c - '0';
  int l = tolower(c);
  return l >= 'a' && l <= 'z' ? l - 'a' + 10 : 99;
}

// Resolves base 0 and steps over "0x" where the base allows it.
const char* base_prefix(const char* s, unsigned* base) {
  bool hex = s[0] == '0' && tolower(s[1]) == 'x' && isxdigit(s[2]);
  if (*base == 0) *base = hex ? 16 : s[0] == '0' ? 8 : 10;
  return *base == 16 && hex ? s + 2 : s;
}

Digits scan(const char* s, unsigned base, size_t max = ~size_t{0}) {
  Digits r{s, 0, false};
  for (; max && digit_value(*r.end) < static_cast<int>(base); r.end++, max--) {
    unsigned long long v;
    if (__builtin_mul_overflow(r.value, static_cast<unsigned long long>(base), &v) ||
        __builtin_add_overflow(v, static_cast<unsigned long long>(digit_value(*r.end)), &v))
      r.overflow = true;
    r.value = v;
  }
  return r;
}

int parse_unsigned(const char* s, unsigned base, unsigned long long* res) {
  if (*s == '+') s++;
  s = base_prefix(s, &base);
  Digits d = scan(s, base);
  if (d.end == s) return -EINVAL;
  if (*d.end == '\n') d.end++;
  if (*d.end) return -EINVAL;
  if (d.overflow) return -ERANGE;
  *res = d.value;
  return 0;
}

int parse_signed(const char* s, unsigned base, long long* res) {
  bool negative = *s == '-';
  unsigned long long v;
  if (negative && (s[1] == '+' || s[1] == '-')) return -EINVAL;
  if (int err = parse_unsigned(negative ? s + 1 : s, base, &v)) return err;
  if (v > static_cast<unsigned long long>(LLONG_MAX) + negative) return -ERANGE;
  *res = static_cast<long long>(negative ? -v : v);
  return 0;
}

template <std::integral T>
int parse_narrow(const char* s, unsigned base, T* res) {
  if constexpr (std::is_signed_v<T>) {
    long long v;
    if (int err = parse_signed(s, base, &v)) return err;
    if (static_cast<T>(v) != v) return -ERANGE;
    *res = static_cast<T>(v);
  } else {
    unsigned long long v;
    if (int err = parse_unsigned(s, base, &v)) return err;
    if (static_cast<T>(v) != v) return -ERANGE;
    *res = static_cast<T>(v);
  }
  return 0;
}

}  // namespace

extern "C" {

int kstrtoull(const char* s, unsigned base, unsigned long long* res) { return parse_unsigned(s, base, res); }
int kstrtoll(const char* s, unsigned base, long long* res) { return parse_signed(s, base, res); }
int kstrtoul(const char* s, unsigned base, unsigned long* res) { return parse_narrow(s, base, res); }
int kstrtol(const char* s, unsigned base, long* res) { return parse_narrow(s, base, res); }
int kstrtouint(const char* s, unsigned base, unsigned* res) { return parse_narrow(s, base, res); }
int kstrtoint(const char* s, unsigned base, int* res) { return parse_narrow(s, base, res); }
int kstrtou16(const char* s, unsigned base, u16* res) { return parse_narrow(s, base, res); }
int kstrtos16(const char* s, unsigned base, s16* res) { return parse_narrow(s, base, res); }
int kstrtou8(const char* s, unsigned base, u8* res) { return parse_narrow(s, base, res); }
int kstrtos8(const char* s, unsigned base, s8* res) { return parse_narrow(s, base, res); }

int kstrtobool(const char* s, bool* res) {
  if (!s) return -EINVAL;
  switch (tolower(s[0])) {
    case 'y':
    case 't':
    case '1':
      *res = true;
      return 0;
    case 'n':
    case 'f':
    case '0':
      *res = false;
      return 0;
    case 'o':
      if (tolower(s[1]) == 'n') return *res = true, 0;
      if (tolower(s[1]) == 'f') return *res = false, 0;
  }
  return -EINVAL;
}

unsigned long long simple_strtoull(const char* s, char** end, unsigned base) {
  s = base_prefix(s, &base);
  Digits d = scan(s, base);
  if (end) *end = const_cast<char*>(d.end);
  return d.value;
}
long long simple_strtoll(const char* s, char** end, unsigned base) {
  if (*s == '-') return static_cast<long long>(-simple_strtoull(s + 1, end, base));
  return static_cast<long long>(simple_strtoull(s, end, base));
}
unsigned long simple_strtoul(const char* s, char** end, unsigned base) { return simple_strtoull(s, end, base); }
long simple_strtol(const char* s, char** end, unsigned base) { return simple_strtoll(s, end, base); }

int get_option(char** str, int* value) {
  char* cur = *str;
  if (!cur || !*cur) return 0;
  char* end;
  int v = static_cast<int>(simple_strtoll(cur, &end, 0));
  if (end == cur || (*cur == '-' && end == cur + 1)) return 0;
  if (value) *value = v;
  *str = end;
  if (*end == ',') return ++*str, 2;
  return *end == '-' ? 3 : 1;
}

char* get_options(const char* str, int nints, int* ints) {
  char* s = const_cast<char*>(str);
  int i = 1;
  while (nints == 0 || i < nints) {
    int ignored = 0, *at = nints ? ints + i : &ignored;
    int kind = get_option(&s, at);
    if (kind == 0) break;
    if (kind == 3) {  // a range: every number of it
      int upper, from = *at;
      s++;
      if (get_option(&s, &upper) == 0) break;
      for (int v = from; v <= upper && (nints == 0 || i < nints); v++, i++)
        if (nints) ints[i] = v;
      continue;
    }
    i++;
    if (kind == 1) break;
  }
  ints[0] = i - 1;
  return s;
}

unsigned long long memparse(const char* s, char** end) {
  char* e;
  unsigned long long v = simple_strtoull(s, &e, 0);
  constexpr char kUnits[] = "KMGTPE";
  for (int i = 0; kUnits[i]; i++)
    if (toupper(*e) == kUnits[i]) {
      v <<= 10 * (i + 1);
      e++;
      break;
    }
  if (end) *end = e;
  return v;
}

// ---- sscanf: %d %i %u %x %o %s %c %n %[...] %%, widths, h hh l ll z, and * -----------------------------------------

namespace {
struct Conversion {
  bool skip;
  size_t width;
  int longs;  // -2 char, -1 short, 0 int, 1 long, 2 long long
};

void store_number(va_list* args, const Conversion& c, unsigned long long v) {
  switch (c.longs) {
    case -2: *va_arg(*args, unsigned char*) = static_cast<unsigned char>(v); break;
    case -1: *va_arg(*args, unsigned short*) = static_cast<unsigned short>(v); break;
    case 0: *va_arg(*args, unsigned*) = static_cast<unsigned>(v); break;
    default: *va_arg(*args, unsigned long long*) = v;
  }
}

const char* parse_modifiers(const char* f, Conversion* c) {
  *c = {false, 0, 0};
  if (*f == '*') c->skip = true, f++;
  while (isdigit(*f)) c->width = c->width * 10 + static_cast<size_t>(*f++ - '0');
  while (*f == 'l' || *f == 'z' || *f == 'L') c->longs++, f++;
  while (*f == 'h') c->longs--, f++;
  return f;
}

const char* scan_number(const char* s, unsigned base, bool sign, const Conversion& c, unsigned long long* out) {
  size_t left = c.width ? c.width : ~size_t{0};
  s = skip_spaces(s);
  bool negative = sign && *s == '-';
  if (negative || *s == '+') s++, left--;
  const char* digits = base_prefix(s, &base);
  left -= static_cast<size_t>(digits - s);
  Digits d = scan(digits, base, left);
  if (d.end == digits) return nullptr;
  *out = negative ? -d.value : d.value;
  return d.end;
}

struct CharSet {
  bool in[256];
};
// f is behind the '['; returns what is behind the ']'.
const char* parse_set(const char* f, CharSet* set) {
  bool invert = *f == '^';
  if (invert) f++;
  for (bool& b : set->in) b = invert;
  const char* first = f;
  for (; *f && (*f != ']' || f == first); f++) {
    unsigned char lo = static_cast<unsigned char>(*f), hi = lo;
    if (f[1] == '-' && f[2] && f[2] != ']') hi = static_cast<unsigned char>(f[2]), f += 2;
    for (unsigned ch = lo; ch <= hi; ch++) set->in[ch] = !invert;
  }
  return *f ? f + 1 : f;
}

const char* scan_text(const char* s, const CharSet& set, const Conversion& c, char* out) {
  size_t n = 0;
  for (; *s && set.in[static_cast<unsigned char>(*s)] && (!c.width || n < c.width); s++, n++)
    if (out) out[n] = *s;
  if (out && n) out[n] = 0;
  return n ? s : nullptr;
}
}  // namespace

int cf_vsscanf(const char* s, const char* fmt, va_list args_in) {
  va_list args;
  va_copy(args, args_in);
  int done = 0;
  const char* start = s;
  while (*fmt) {
    if (isspace(*fmt)) {
      fmt = skip_spaces(fmt);
      s = skip_spaces(s);
      continue;
    }
    if (*fmt != '%' || fmt[1] == '%') {
      if (*fmt == '%') fmt++;
      if (*s != *fmt) break;
      s++, fmt++;
      continue;
    }
    Conversion c;
    fmt = parse_modifiers(fmt + 1, &c);
    char kind = *fmt++;
    const char* next = nullptr;
    if (kind == 'n') {
      if (!c.skip) store_number(&args, c, static_cast<unsigned long long>(s - start));
      continue;
    }
    if (kind == 'c') {
      size_t n = c.width ? c.width : 1;
      if (strnlen(s, n) < n) break;
      if (!c.skip) memcpy(va_arg(args, char*), s, n);
      next = s + n;
    } else if (kind == 's' || kind == '[') {
      CharSet set;
      if (kind == '[') {
        fmt = parse_set(fmt, &set);
      } else {
        s = skip_spaces(s);
        for (unsigned i = 0; i < 256; i++) set.in[i] = !isspace(static_cast<int>(i));
      }
      if (!*s) break;
      next = scan_text(s, set, c, c.skip ? nullptr : va_arg(args, char*));
    } else {
      unsigned base = kind == 'x' || kind == 'X' || kind == 'p' ? 16 : kind == 'o' ? 8 : kind == 'i' ? 0 : 10;
      unsigned long long v;
      next = scan_number(s, base, kind == 'd' || kind == 'i', c, &v);
      if (next && !c.skip) store_number(&args, c, v);
    }
    if (!next) break;
    s = next;
    done += !c.skip;
  }
  va_end(args);
  return done;
}

int cf_sscanf(const char* s, const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = cf_vsscanf(s, fmt, args);
  va_end(args);
  return n;
}

}  // extern "C"
