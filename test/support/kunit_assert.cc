// How failed expectations are told.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "test/support/kunit_internal.hh"

namespace {

void print_header(kunit* test, const kunit_loc* loc) {
  WRITE_ONCE(test->status, KUNIT_FAILURE);
  printk(KERN_ERR "    # %s: %s FAILED at %s:%d\n", test->name, loc->fatal ? "ASSERTION" : "EXPECTATION", loc->file, loc->line);
}

void print_message(const char* msg, va_list args) {
  if (!msg) return;
  char text[512];
  vscnprintf(text, sizeof text, msg, args);
  printk(KERN_ERR "    %s\n", text);
}

void finish(kunit* test, const kunit_loc* loc) {
  if (loc->fatal) kunit_abort(test);
}

void print_value(const char* text, const kunit_value& v) {
  switch (v.kind) {
    case KUNIT_VAL_INT:
      printk(KERN_ERR "        %s == %lld (0x%llx)\n", text, static_cast<long long>(v.bits), v.bits);
      break;
    case KUNIT_VAL_UINT: printk(KERN_ERR "        %s == %llu (0x%llx)\n", text, v.bits, v.bits); break;
    case KUNIT_VAL_PTR: printk(KERN_ERR "        %s == 0x%016llx\n", text, v.bits); break;
    case KUNIT_VAL_STR:
      printk(KERN_ERR "        %s == \"%.200s\"\n", text, v.bits ? reinterpret_cast<const char*>(v.bits) : "(null)");
      break;
    case KUNIT_VAL_OTHER: break;
  }
}

void print_bytes(const char* side, const void* p, size_t n) {
  char line[3 * 32 + 1] = "";
  auto* b = static_cast<const unsigned char*>(p);
  size_t shown = n < 32 ? n : 32;
  for (size_t i = 0; p && i < shown; i++) snprintf(line + 3 * i, 4, "%02x ", b[i]);
  printk(KERN_ERR "        %s: %s%s\n", side, p ? line : "(null)", n > shown ? "..." : "");
}

}  // namespace

extern "C" void kunit_fail(kunit* test, const kunit_loc* loc, const char* msg, ...) {
  print_header(test, loc);
  va_list args;
  va_start(args, msg);
  print_message(msg, args);
  va_end(args);
  finish(test, loc);
}

extern "C" void kunit_unary_failed(kunit* test, const kunit_loc* loc, const char* what, const char* msg, ...) {
  print_header(test, loc);
  printk(KERN_ERR "    %s\n", what);
  va_list args;
  va_start(args, msg);
  print_message(msg, args);
  va_end(args);
  finish(test, loc);
}

extern "C" void kunit_binary_failed(kunit* test, const kunit_loc* loc, const char* op, const char* left, const char* right,
                                    kunit_value l, kunit_value r, const char* msg, ...) {
  print_header(test, loc);
  printk(KERN_ERR "    Expected %s %s %s, but\n", left, op, right);
  print_value(left, l);
  print_value(right, r);
  va_list args;
  va_start(args, msg);
  print_message(msg, args);
  va_end(args);
  finish(test, loc);
}

extern "C" void kunit_mem_failed(kunit* test, const kunit_loc* loc, const char*, const void* l, const void* r, size_t n,
                                 const char* what, const char* msg, ...) {
  print_header(test, loc);
  printk(KERN_ERR "    Expected %s over %zu bytes, but\n", what, n);
  print_bytes("left ", l, n);
  print_bytes("right", r, n);
  va_list args;
  va_start(args, msg);
  print_message(msg, args);
  va_end(args);
  finish(test, loc);
}

extern "C" bool kunit_streq(const char* a, const char* b) { return a == b || (a && b && !strcmp(a, b)); }
extern "C" bool kunit_memeq(const void* a, const void* b, size_t n) { return !memcmp(a, b, n); }
