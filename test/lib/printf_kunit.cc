// What snprintf and sscanf make of their formats.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/string.h>

namespace {

// Formats into a buffer and compares text and length.
#define EXPECT_FORMAT(want, ...)                                                        \
  do {                                                                                  \
    char buf_[128];                                                                     \
    int n_ = snprintf(buf_, sizeof(buf_), __VA_ARGS__);                                 \
    KUNIT_EXPECT_STREQ(test, buf_, want);                                               \
    KUNIT_EXPECT_EQ(test, n_, static_cast<int>(strlen(want)));                          \
  } while (0)

void integers(kunit* test) {
  EXPECT_FORMAT("0", "%d", 0);
  EXPECT_FORMAT("-2147483648", "%d", INT_MIN);
  EXPECT_FORMAT("18446744073709551615", "%llu", ~0ull);
  EXPECT_FORMAT("-9223372036854775808", "%lld", LLONG_MIN);
  EXPECT_FORMAT("dead", "%x", 0xdeadu);
  EXPECT_FORMAT("0XDEAD", "%#X", 0xdeadu);
  EXPECT_FORMAT("0755", "%#o", 0755u);
  EXPECT_FORMAT("42", "%zu", size_t{42});
  EXPECT_FORMAT("-1 255", "%hhd %hhu", static_cast<signed char>(-1), static_cast<unsigned char>(255));
}

void widths(kunit* test) {
  EXPECT_FORMAT("[   42]", "[%5d]", 42);
  EXPECT_FORMAT("[42   ]", "[%-5d]", 42);
  EXPECT_FORMAT("[00042]", "[%05d]", 42);
  EXPECT_FORMAT("[-0042]", "[%05d]", -42);
  EXPECT_FORMAT("[  007]", "[%5.3d]", 7);
  EXPECT_FORMAT("[+7 7]", "[%+d%2d]", 7, 7);
  EXPECT_FORMAT("[0x00ff]", "[%#06x]", 255u);
  EXPECT_FORMAT("[   42]", "[%*d]", 5, 42);
  EXPECT_FORMAT("[42   ]", "[%*d]", -5, 42);
  EXPECT_FORMAT("[]", "[%.0d]", 0);
}

void strings(kunit* test) {
  const char* volatile null_string = nullptr;
  EXPECT_FORMAT("[abc]", "[%s]", "abc");
  EXPECT_FORMAT("[ab]", "[%.2s]", "abc");
  EXPECT_FORMAT("[  abc]", "[%5s]", "abc");
  EXPECT_FORMAT("[abc  ]", "[%-5s]", "abc");
  EXPECT_FORMAT("[(null)]", "[%s]", null_string);
  EXPECT_FORMAT("a%b", "%c%%%c", 'a', 'b');
}

void truncation(kunit* test) {
  char buf[8];
  memset(buf, 'x', sizeof(buf));
  const char* text = "abcdefghij";
  KUNIT_EXPECT_EQ(test, snprintf(buf, 4, "%s", text), 10);
  KUNIT_EXPECT_STREQ(test, buf, "abc");
  KUNIT_EXPECT_EQ(test, buf[4], 'x');
  KUNIT_EXPECT_EQ(test, scnprintf(buf, 4, "%s", text), 3);
  KUNIT_EXPECT_EQ(test, snprintf(nullptr, 0, "%d", 12345), 5);
  KUNIT_EXPECT_EQ(test, scnprintf(buf, 0, "%d", 1), 0);
}

void pointers(kunit* test) {
  char one[32], two[32];
  int x = 0;
  snprintf(one, sizeof(one), "%px", static_cast<void*>(&x));
  unsigned long value = 0;
  KUNIT_EXPECT_EQ(test, kstrtoul(one, 16, &value), 0);
  KUNIT_EXPECT_EQ(test, value, reinterpret_cast<unsigned long>(&x));
  // Hashed: always the same, and not the address.
  snprintf(one, sizeof(one), "%p", static_cast<void*>(&x));
  snprintf(two, sizeof(two), "%p", static_cast<void*>(&x));
  KUNIT_EXPECT_STREQ(test, one, two);
  KUNIT_EXPECT_EQ(test, kstrtoul(one, 16, &value), 0);
  KUNIT_EXPECT_NE(test, value, reinterpret_cast<unsigned long>(&x));
  KUNIT_EXPECT_EQ(test, strlen(one), size_t{16});
}

// Formats of the kernel's own, which the compiler does not know.
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
void kernel_formats(kunit* test) {
  void* error = ERR_PTR(-ENOMEM);
  EXPECT_FORMAT("-ENOMEM", "%pe", error);
  DECLARE_BITMAP(map, 128) = {};
  EXPECT_FORMAT("", "%*pbl", 128, map);
  __set_bit(0, map);
  __set_bit(1, map);
  __set_bit(2, map);
  __set_bit(63, map);
  __set_bit(64, map);
  __set_bit(100, map);
  EXPECT_FORMAT("0-2,63-64,100", "%*pbl", 128, map);
  EXPECT_FORMAT("00000010,00000001,80000000,00000007", "%*pb", 128, map);
  EXPECT_FORMAT("7", "%*pb", 3, map);
  unsigned char bytes[] = {0, 0x1f, 0xff};
  EXPECT_FORMAT("00 1f ff|00:1f:ff|001fff", "%*ph|%*phC|%*phN", 3, bytes, 3, bytes, 3, bytes);
}

void nested(kunit* test, const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  va_format vaf{fmt, &args};
  EXPECT_FORMAT("<a 7>!", "<%pV>!", &vaf);
  va_end(args);
}
void nested_format(kunit* test) { nested(test, "%s %d", "a", 7); }

void scanning(kunit* test) {
  int a = 0, n = 0;
  unsigned b = 0;
  unsigned long c = 0;
  char word[16] = "", rest[16] = "";
  KUNIT_EXPECT_EQ(test, cf_sscanf("12 ff -7 hello", "%d %x %ld %s", &a, &b, &c, word), 4);
  KUNIT_EXPECT_EQ(test, a, 12);
  KUNIT_EXPECT_EQ(test, b, 255u);
  KUNIT_EXPECT_EQ(test, static_cast<long>(c), -7L);
  KUNIT_EXPECT_STREQ(test, word, "hello");
  KUNIT_EXPECT_EQ(test, cf_sscanf("key=value;", "%[a-z]=%[^;]%n", word, rest, &n), 2);
  KUNIT_EXPECT_STREQ(test, rest, "value");
  KUNIT_EXPECT_EQ(test, n, 9);
  KUNIT_EXPECT_EQ(test, cf_sscanf("1234", "%2d%2d", &a, &n), 2);
  KUNIT_EXPECT_EQ(test, a, 12);
  KUNIT_EXPECT_EQ(test, n, 34);
  KUNIT_EXPECT_EQ(test, cf_sscanf("x", "%d", &a), 0);
  KUNIT_EXPECT_EQ(test, cf_sscanf("0x1f 017 9", "%i %i %*d", &a, &n), 2);
  KUNIT_EXPECT_EQ(test, a, 31);
  KUNIT_EXPECT_EQ(test, n, 15);
}

kunit_case cases[] = {
    KUNIT_CASE(integers), KUNIT_CASE(widths),         KUNIT_CASE(strings),       KUNIT_CASE(truncation),
    KUNIT_CASE(pointers), KUNIT_CASE(kernel_formats), KUNIT_CASE(nested_format), KUNIT_CASE(scanning), {},
};
kunit_suite suite = {.name = "printf", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
