// printf for the kernel. Beyond C's conversions (no floating point): %p hashed address, %px as it is, %pK like %p, %ps %pS code
// address, %pe errno of an error pointer, %*pb / %*pbl bitmap as hex / as list, %*ph bytes in hex, %pV a va_format, %pU none.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bitmap.h>
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/string.h>

namespace {

struct Spec {
  bool left, plus, space, alt, zero, upper;
  int width, precision;  // precision -1: none
  int longs;             // -2 char, -1 short, 0 int, 1 long, 2 long long
};

// Where the text goes: counts what did not fit, as C wants.
class Sink {
 public:
  Sink(char* buf, size_t size) : buf_(buf), size_(size) {}
  void put(char c) {
    if (n_ < size_) buf_[n_] = c;
    n_++;
  }
  void put(const char* s, size_t n) {
    for (size_t i = 0; i < n; i++) put(s[i]);
  }
  void pad(char c, int n) {
    while (n-- > 0) put(c);
  }
  int finish() {
    if (size_) buf_[n_ < size_ ? n_ : size_ - 1] = 0;
    return static_cast<int>(n_);
  }

 private:
  char* buf_;
  size_t size_, n_ = 0;
};

void put_text(Sink& out, const Spec& sp, const char* s, size_t len) {
  int fill = sp.width - static_cast<int>(len);
  if (!sp.left) out.pad(' ', fill);
  out.put(s, len);
  if (sp.left) out.pad(' ', fill);
}

void put_string(Sink& out, const Spec& sp, const char* s) {
  if (reinterpret_cast<unsigned long>(s) < 4096) s = "(null)";
  else if (IS_ERR(s)) s = "(efault)";
  put_text(out, sp, s, sp.precision >= 0 ? strnlen(s, static_cast<size_t>(sp.precision)) : strlen(s));
}

// Digits of v in base, backwards from end; returns where they begin.
char* digits(char* end, unsigned long long v, unsigned base, bool upper) {
  const char* set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  if (base == 16)
    do *--end = set[v & 15];
    while (v >>= 4);
  else
    do *--end = set[v % base];
    while (v /= base);
  return end;
}

void put_number(Sink& out, const Spec& sp, unsigned long long v, unsigned base, char sign) {
  char buf[24], prefix[3];
  char* end = buf + sizeof(buf);
  char* p = sp.precision == 0 && v == 0 ? end : digits(end, v, base, sp.upper);
  int len = static_cast<int>(end - p), zeros = sp.precision > len ? sp.precision - len : 0, npre = 0;
  if (sign) prefix[npre++] = sign;
  if (sp.alt && base == 16 && v) prefix[npre++] = '0', prefix[npre++] = sp.upper ? 'X' : 'x';
  if (sp.alt && base == 8 && zeros == 0 && (v || len == 0)) zeros = 1;
  int fill = sp.width - npre - zeros - len;
  if (sp.zero && !sp.left && sp.precision < 0 && fill > 0) zeros += fill, fill = 0;
  if (!sp.left) out.pad(' ', fill);
  out.put(prefix, static_cast<size_t>(npre));
  out.pad('0', zeros);
  out.put(p, static_cast<size_t>(len));
  if (sp.left) out.pad(' ', fill);
}

void put_signed(Sink& out, const Spec& sp, long long v) {
  char sign = v < 0 ? '-' : sp.plus ? '+' : sp.space ? ' ' : 0;
  put_number(out, sp, v < 0 ? -static_cast<unsigned long long>(v) : static_cast<unsigned long long>(v), 10, sign);
}

void put_address(Sink& out, Spec sp, unsigned long v) {
  sp.zero = true;
  if (sp.width <= 0) sp.width = 16;
  put_number(out, sp, v, 16, 0);
}

// Addresses are not given away: what is printed is the same for the same address until the next boot, and says no more.
constinit u64 pointer_key;
unsigned long hash_pointer(const void* p) {
  if (!READ_ONCE(pointer_key)) WRITE_ONCE(pointer_key, get_random_u64() | 1);
  u64 v = reinterpret_cast<unsigned long>(p) ^ pointer_key;
  for (int i = 0; i < 3; i++) v = (v ^ v >> 29) * 0xbf58476d1ce4e5b9ull + pointer_key;
  return v >> 32;
}

void put_bitmap_list(Sink& out, const unsigned long* map, unsigned long nbits) {
  Spec plain{.precision = -1};
  const char* comma = "";
  for (unsigned long from = find_first_bit(map, nbits); from < nbits;) {
    unsigned long to = find_next_zero_bit(map, nbits, from) - 1;
    out.put(comma, strlen(comma));
    put_number(out, plain, from, 10, 0);
    if (to > from) {
      out.put('-');
      put_number(out, plain, to, 10, 0);
    }
    comma = ",";
    from = find_next_bit(map, nbits, to + 1);
  }
}

// 32 bits to the group, the highest first.
void put_bitmap_hex(Sink& out, const unsigned long* map, unsigned long nbits) {
  for (unsigned long group = (nbits + 31) / 32; group-- > 0;) {
    unsigned long bits = nbits - group * 32 < 32 ? nbits - group * 32 : 32;
    u64 v = map[group / 2] >> (group % 2 * 32) & (~0ul >> (64 - bits));
    Spec sp{.zero = true, .width = static_cast<int>((bits + 3) / 4), .precision = -1};
    put_number(out, sp, v, 16, 0);
    if (group) out.put(',');
  }
}

void put_bytes(Sink& out, const unsigned char* p, int n, char separator) {
  for (int i = 0; i < n; i++) {
    if (i && separator) out.put(separator);
    out.put("0123456789abcdef"[p[i] >> 4]);
    out.put("0123456789abcdef"[p[i] & 15]);
  }
}

void format(Sink& out, const char* fmt, va_list* args);

void put_error(Sink& out, const Spec& sp, const void* p) {
  if (!IS_ERR(p)) return put_address(out, sp, hash_pointer(p));
  int err = static_cast<int>(PTR_ERR(p));
  if (const char* name = errname(err)) return put_text(out, sp, name, strlen(name));
  put_signed(out, sp, err);
}

// fmt is behind the 'p'; returns what is behind its letters.
const char* put_pointer(Sink& out, const Spec& sp, const char* fmt, const void* p) {
  const char kind = *fmt;
  const char* rest = fmt;
  while (isalnum(*rest)) rest++;
  switch (kind) {
    case 'x': put_address(out, sp, reinterpret_cast<unsigned long>(p)); break;
    case 's':
    case 'S':
    case 'B': {
      Spec alt = sp;
      alt.alt = true;
      put_number(out, alt, reinterpret_cast<unsigned long>(p), 16, 0);
      break;
    }
    case 'e': put_error(out, sp, p); break;
    case 'b': {
      auto* map = static_cast<const unsigned long*>(p);
      auto nbits = static_cast<unsigned long>(sp.width > 0 ? sp.width : 0);
      if (fmt[1] == 'l') put_bitmap_list(out, map, nbits);
      else put_bitmap_hex(out, map, nbits);
      break;
    }
    case 'h': put_bytes(out, static_cast<const unsigned char*>(p), sp.width > 64 ? 64 : sp.width < 1 ? 1 : sp.width,
                        fmt[1] == 'C' ? ':' : fmt[1] == 'D' ? '-' : fmt[1] == 'N' ? 0 : ' '); break;
    case 'V': {
      auto* vaf = static_cast<const va_format*>(p);
      va_list copy;
      va_copy(copy, *vaf->va);
      format(out, vaf->fmt, &copy);
      va_end(copy);
      break;
    }
    default:
      if (!p) put_text(out, Spec{.left = sp.left, .width = sp.width > 0 ? sp.width : 16, .precision = -1}, "(null)", 6);
      else put_address(out, sp, hash_pointer(p));
      if (kind != 'K') return fmt;  // a bare %p followed by text
      return fmt + 1;
  }
  return rest;
}

const char* parse_spec(const char* f, Spec* sp, va_list* args) {
  *sp = Spec{.precision = -1};
  for (;; f++) {
    if (*f == '-') sp->left = true;
    else if (*f == '+') sp->plus = true;
    else if (*f == ' ') sp->space = true;
    else if (*f == '#') sp->alt = true;
    else if (*f == '0') sp->zero = true;
    else break;
  }
  if (*f == '*') {
    sp->width = va_arg(*args, int);
    if (sp->width < 0) sp->left = true, sp->width = -sp->width;
    f++;
  }
  while (isdigit(*f)) sp->width = sp->width * 10 + (*f++ - '0');
  if (*f == '.') {
    sp->precision = 0;
    if (*++f == '*') {
      sp->precision = va_arg(*args, int);
      if (sp->precision < 0) sp->precision = -1;
      f++;
    }
    while (isdigit(*f)) sp->precision = sp->precision * 10 + (*f++ - '0');
  }
  for (;; f++) {
    if (*f == 'l') sp->longs++;
    else if (*f == 'h') sp->longs--;
    else if (*f == 'z' || *f == 't' || *f == 'j' || *f == 'L') sp->longs = 2;
    else return f;
  }
}

long long signed_arg(const Spec& sp, va_list* args) {
  if (sp.longs >= 1) return va_arg(*args, long);
  int v = va_arg(*args, int);
  return sp.longs == -1 ? static_cast<short>(v) : sp.longs <= -2 ? static_cast<signed char>(v) : v;
}
unsigned long long unsigned_arg(const Spec& sp, va_list* args) {
  if (sp.longs >= 1) return va_arg(*args, unsigned long);
  unsigned v = va_arg(*args, unsigned);
  return sp.longs == -1 ? static_cast<unsigned short>(v) : sp.longs <= -2 ? static_cast<unsigned char>(v) : v;
}

void format(Sink& out, const char* fmt, va_list* args) {
  while (*fmt) {
    if (*fmt != '%') {
      out.put(*fmt++);
      continue;
    }
    Spec sp;
    fmt = parse_spec(fmt + 1, &sp, args);
    switch (char kind = *fmt++) {
      case 'd':
      case 'i': put_signed(out, sp, signed_arg(sp, args)); break;
      case 'u': put_number(out, sp, unsigned_arg(sp, args), 10, 0); break;
      case 'o': put_number(out, sp, unsigned_arg(sp, args), 8, 0); break;
      case 'X': sp.upper = true; [[fallthrough]];
      case 'x': put_number(out, sp, unsigned_arg(sp, args), 16, 0); break;
      case 'c': {
        char c = static_cast<char>(va_arg(*args, int));
        put_text(out, sp, &c, 1);
        break;
      }
      case 's': put_string(out, sp, va_arg(*args, const char*)); break;
      case 'p': fmt = put_pointer(out, sp, fmt, va_arg(*args, const void*)); break;
      case '%': out.put('%'); break;
      case 0: return;
      default:  // not ours: shown as it stands, so that the mistake is seen
        out.put('%');
        out.put(kind);
    }
  }
}

}  // namespace

extern "C" {

int vsnprintf(char* buf, size_t size, const char* fmt, va_list args) {
  Sink out(buf, size);
  va_list copy;
  va_copy(copy, args);
  format(out, fmt, &copy);
  va_end(copy);
  return out.finish();
}

int vscnprintf(char* buf, size_t size, const char* fmt, va_list args) {
  if (!size) return 0;
  int n = vsnprintf(buf, size, fmt, args);
  return n < static_cast<int>(size) ? n : static_cast<int>(size) - 1;
}

#define FORWARD(call)        \
  va_list args;              \
  va_start(args, fmt);       \
  auto result = call;        \
  va_end(args);              \
  return result

int snprintf(char* buf, size_t size, const char* fmt, ...) { FORWARD(vsnprintf(buf, size, fmt, args)); }
int scnprintf(char* buf, size_t size, const char* fmt, ...) { FORWARD(vscnprintf(buf, size, fmt, args)); }
int vsprintf(char* buf, const char* fmt, va_list args) { return vsnprintf(buf, INT_MAX, fmt, args); }
int sprintf(char* buf, const char* fmt, ...) { FORWARD(vsnprintf(buf, INT_MAX, fmt, args)); }
char* kasprintf(gfp_t gfp, const char* fmt, ...) { FORWARD(kvasprintf(gfp, fmt, args)); }

}  // extern "C"
