// Strings, numbers from strings, bitmaps, sorting, checksums, 64-bit arithmetic.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/crc32.h>
#include <linux/ctype.h>
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/overflow.h>
#include <linux/random.h>
#include <linux/sort.h>
#include <linux/string.h>

#include <initializer_list>

namespace {

void copying(kunit* test) {
  char buf[8];
  KUNIT_EXPECT_EQ(test, strscpy(buf, "abc", sizeof(buf)), 3L);
  KUNIT_EXPECT_EQ(test, strscpy(buf, "abcdefgh", sizeof(buf)), static_cast<ssize_t>(-E2BIG));
  KUNIT_EXPECT_STREQ(test, buf, "abcdefg");
  KUNIT_EXPECT_EQ(test, strscpy(buf, "x", 0), static_cast<ssize_t>(-E2BIG));
  KUNIT_EXPECT_EQ(test, strlcpy(buf, "0123456789", sizeof(buf)), size_t{10});
  KUNIT_EXPECT_STREQ(test, buf, "0123456");
  strcpy(buf, "ab");
  KUNIT_EXPECT_EQ(test, strlcat(buf, "cdefghi", sizeof(buf)), size_t{9});
  KUNIT_EXPECT_STREQ(test, buf, "abcdefg");
  memset(buf, 'x', sizeof(buf));
  strncpy(buf, "ab", 5);
  KUNIT_EXPECT_EQ(test, memcmp(buf, "ab\0\0\0xxx", 8), 0);
}

void comparing(kunit* test) {
  KUNIT_EXPECT_EQ(test, strcmp("abc", "abc"), 0);
  KUNIT_EXPECT_LT(test, strcmp("abc", "abd"), 0);
  KUNIT_EXPECT_GT(test, strcmp("\xff", "a"), 0);  // unsigned characters
  KUNIT_EXPECT_EQ(test, strncmp("abcX", "abcY", 3), 0);
  KUNIT_EXPECT_EQ(test, strcasecmp("HeLLo", "hEllO"), 0);
  KUNIT_EXPECT_TRUE(test, sysfs_streq("on\n", "on"));
  KUNIT_EXPECT_FALSE(test, sysfs_streq("on\n\n", "on"));
  const char* names[] = {"one", "two"};
  KUNIT_EXPECT_EQ(test, match_string(names, 2, "two"), 1);
  KUNIT_EXPECT_EQ(test, match_string(names, 2, "six"), -EINVAL);
}

void searching(kunit* test) {
  const char* s = "hello, world";
  KUNIT_EXPECT_PTR_EQ(test, strchr(s, 'o'), const_cast<char*>(s + 4));
  KUNIT_EXPECT_PTR_EQ(test, strrchr(s, 'o'), const_cast<char*>(s + 8));
  KUNIT_EXPECT_PTR_EQ(test, strchr(s, 0), const_cast<char*>(s + 12));
  KUNIT_EXPECT_NULL(test, strchr(s, 'z'));
  KUNIT_EXPECT_PTR_EQ(test, strstr(s, "wor"), const_cast<char*>(s + 7));
  KUNIT_EXPECT_NULL(test, strnstr(s, "world", 11));
  KUNIT_EXPECT_EQ(test, strspn(s, "hel"), size_t{4});
  KUNIT_EXPECT_EQ(test, strcspn(s, ", "), size_t{5});
  KUNIT_EXPECT_PTR_EQ(test, static_cast<char*>(memchr_inv("aaab", 'a', 4)) != nullptr ? const_cast<char*>(s) : nullptr, const_cast<char*>(s));
  KUNIT_EXPECT_NULL(test, memchr_inv("aaaa", 'a', 4));
}

void splitting(kunit* test) {
  char text[] = "a,,b";
  char* p = text;
  KUNIT_EXPECT_STREQ(test, strsep(&p, ","), "a");
  KUNIT_EXPECT_STREQ(test, strsep(&p, ","), "");
  KUNIT_EXPECT_STREQ(test, strsep(&p, ","), "b");
  KUNIT_EXPECT_NULL(test, strsep(&p, ","));
  char padded[] = " \t x y \n";
  KUNIT_EXPECT_STREQ(test, strim(padded), "x y");
}

void numbers(kunit* test) {
  int i = 0;
  unsigned u = 0;
  long long ll = 0;
  u8 b = 0;
  KUNIT_EXPECT_EQ(test, kstrtoint("-12\n", 10, &i), 0);
  KUNIT_EXPECT_EQ(test, i, -12);
  KUNIT_EXPECT_EQ(test, kstrtouint("0x10", 0, &u), 0);
  KUNIT_EXPECT_EQ(test, u, 16u);
  KUNIT_EXPECT_EQ(test, kstrtouint("010", 0, &u), 0);
  KUNIT_EXPECT_EQ(test, u, 8u);
  KUNIT_EXPECT_EQ(test, kstrtouint("-1", 10, &u), -EINVAL);
  KUNIT_EXPECT_EQ(test, kstrtouint("12x", 10, &u), -EINVAL);
  KUNIT_EXPECT_EQ(test, kstrtouint("", 10, &u), -EINVAL);
  KUNIT_EXPECT_EQ(test, kstrtouint("4294967296", 10, &u), -ERANGE);
  KUNIT_EXPECT_EQ(test, kstrtoint("2147483648", 10, &i), -ERANGE);
  KUNIT_EXPECT_EQ(test, kstrtoll("-9223372036854775808", 10, &ll), 0);
  KUNIT_EXPECT_EQ(test, ll, LLONG_MIN);
  KUNIT_EXPECT_EQ(test, kstrtoll("9223372036854775808", 10, &ll), -ERANGE);
  KUNIT_EXPECT_EQ(test, kstrtou8("256", 10, &b), -ERANGE);
  bool on = false;
  KUNIT_EXPECT_EQ(test, kstrtobool("on", &on), 0);
  KUNIT_EXPECT_TRUE(test, on);
  KUNIT_EXPECT_EQ(test, kstrtobool("maybe", &on), -EINVAL);
  char* end;
  KUNIT_EXPECT_EQ(test, memparse("64M,", &end), 64ull << 20);
  KUNIT_EXPECT_EQ(test, *end, ',');
}

void options(kunit* test) {
  int ints[8] = {};
  char* rest = get_options("4,7-9,1x", 8, ints);
  KUNIT_EXPECT_EQ(test, ints[0], 5);
  KUNIT_EXPECT_EQ(test, ints[1], 4);
  KUNIT_EXPECT_EQ(test, ints[2], 7);
  KUNIT_EXPECT_EQ(test, ints[4], 9);
  KUNIT_EXPECT_EQ(test, ints[5], 1);
  KUNIT_EXPECT_EQ(test, *rest, 'x');
}

void bit_finding(kunit* test) {
  DECLARE_BITMAP(map, 200) = {};
  KUNIT_EXPECT_EQ(test, find_first_bit(map, 200), 200ul);
  __set_bit(3, map);
  __set_bit(130, map);
  KUNIT_EXPECT_EQ(test, find_next_bit(map, 200, 4), 130ul);
  KUNIT_EXPECT_EQ(test, find_next_bit(map, 130, 4), 130ul);
  KUNIT_EXPECT_EQ(test, find_next_zero_bit(map, 200, 3), 4ul);
  KUNIT_EXPECT_EQ(test, find_last_bit(map, 200), 130ul);
  KUNIT_EXPECT_EQ(test, fls(0), 0);
  KUNIT_EXPECT_EQ(test, fls(0x80000000u), 32);
  KUNIT_EXPECT_EQ(test, ffs(8), 4);
  KUNIT_EXPECT_EQ(test, hweight64(0xff00ff00ff00ff01ull), 33u);
  KUNIT_EXPECT_TRUE(test, test_and_clear_bit(3, map));
  KUNIT_EXPECT_FALSE(test, test_and_set_bit(3, map));
}

void bitmaps(kunit* test) {
  DECLARE_BITMAP(a, 150);
  DECLARE_BITMAP(b, 150);
  bitmap_zero(a, 150);
  bitmap_set(a, 60, 10);
  KUNIT_EXPECT_EQ(test, bitmap_weight(a, 150), 10u);
  KUNIT_EXPECT_TRUE(test, test_bit(69, a));
  KUNIT_EXPECT_FALSE(test, test_bit(70, a));
  bitmap_clear(a, 63, 3);
  KUNIT_EXPECT_EQ(test, bitmap_weight(a, 150), 7u);
  bitmap_complement(b, a, 150);
  KUNIT_EXPECT_EQ(test, bitmap_weight(b, 150), 143u);
  KUNIT_EXPECT_FALSE(test, bitmap_intersects(a, b, 150));
  KUNIT_EXPECT_EQ(test, bitmap_parselist("0-2,149", b, 150), 0);
  KUNIT_EXPECT_EQ(test, bitmap_weight(b, 150), 4u);
  KUNIT_EXPECT_EQ(test, bitmap_parselist("150", b, 150), -ERANGE);
  KUNIT_EXPECT_EQ(test, bitmap_parselist("3-1", b, 150), -EINVAL);
  bitmap_zero(a, 150);
  bitmap_set(a, 0, 5);
  KUNIT_EXPECT_EQ(test, bitmap_find_next_zero_area(a, 150, 0, 4, 7), 8ul);
  KUNIT_EXPECT_GE(test, bitmap_find_next_zero_area(a, 150, 0, 146, 0), 150ul);
}

int compare_ints(const void* a, const void* b) {
  int x = *static_cast<const int*>(a), y = *static_cast<const int*>(b);
  return x < y ? -1 : x > y;
}
void sorting(kunit* test) {
  int v[257];
  for (int n : {0, 1, 2, 3, 100, 257}) {
    long sum = 0;
    for (int i = 0; i < n; i++) sum += v[i] = static_cast<int>(get_random_u32() % 100);
    sort(v, static_cast<size_t>(n), sizeof(int), compare_ints, nullptr);
    for (int i = 0; i < n; i++) sum -= v[i];
    KUNIT_EXPECT_EQ(test, sum, 0L);
    for (int i = 1; i < n; i++) KUNIT_EXPECT_LE(test, v[i - 1], v[i]);
  }
}

void checksums(kunit* test) {
  // The check value of CRC-32/ISO-HDLC.
  KUNIT_EXPECT_EQ(test, ~crc32_le(~0u, reinterpret_cast<const unsigned char*>("123456789"), 9), 0xcbf43926u);
}

void arithmetic(kunit* test) {
  KUNIT_EXPECT_EQ(test, mul_u64_u64_div_u64(~0ull, ~0ull, ~0ull), ~0ull);
  KUNIT_EXPECT_EQ(test, mul_u64_u64_div_u64(1ull << 63, 6, 3), ~0ull);  // saturates
  KUNIT_EXPECT_EQ(test, mul_u64_u64_div_u64(1ull << 62, 12, 16), 3ull << 60);
  KUNIT_EXPECT_EQ(test, mul_u64_u32_shr(1ull << 40, 1u << 31, 32), 1ull << 39);
  u64 n = 1000000007;
  u32 rem = do_div(n, 1000);
  KUNIT_EXPECT_EQ(test, n, 1000000ull);
  KUNIT_EXPECT_EQ(test, rem, 7u);
  KUNIT_EXPECT_EQ(test, roundup_pow_of_two(33), 64ul);
  KUNIT_EXPECT_EQ(test, get_order(4097), 1);
  KUNIT_EXPECT_EQ(test, get_order(4096), 0);
  KUNIT_EXPECT_EQ(test, size_mul(~0ul, 2), SIZE_MAX);
}

void random_spread(kunit* test) {
  unsigned counts[16] = {};
  for (int i = 0; i < 16000; i++) counts[prandom_u32_max(16)]++;
  for (unsigned c : counts) {
    KUNIT_EXPECT_GT(test, c, 800u);
    KUNIT_EXPECT_LT(test, c, 1200u);
  }
}

kunit_case cases[] = {
    KUNIT_CASE(copying), KUNIT_CASE(comparing),   KUNIT_CASE(searching), KUNIT_CASE(splitting), KUNIT_CASE(numbers),
    KUNIT_CASE(options), KUNIT_CASE(bit_finding), KUNIT_CASE(bitmaps),   KUNIT_CASE(sorting),   KUNIT_CASE(checksums),
    KUNIT_CASE(arithmetic), KUNIT_CASE(random_spread), {},
};
kunit_suite suite = {.name = "strings", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
