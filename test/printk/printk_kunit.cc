// The log: the ring of records by itself, and printk through it.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/printk/printk.hh"

#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <new>

namespace {

int make_ring(kunit* test) {
  void* mem = vzalloc(sizeof(LogRing));
  test->priv = mem ? new (mem) LogRing : nullptr;
  return mem ? 0 : -ENOMEM;
}
void drop_ring(kunit* test) { vfree(test->priv); }
LogRing& ring(kunit* test) { return *static_cast<LogRing*>(test->priv); }

LogRecord meta(u32 caller = 1) { return LogRecord{.caller = caller, .level = 6}; }

void records_in_order(kunit* test) {
  LogRing& r = ring(test);
  LogRecord m;
  std::string_view text;
  KUNIT_EXPECT_FALSE(test, r.read(0, &m, &text));
  r.push(meta(), "one");
  r.push(meta(), "");
  r.push(meta(), "three");
  KUNIT_ASSERT_TRUE(test, r.read(0, &m, &text));
  KUNIT_EXPECT_TRUE(test, text == "one");
  KUNIT_ASSERT_TRUE(test, r.read(1, &m, &text));
  KUNIT_EXPECT_TRUE(test, text.empty());
  KUNIT_ASSERT_TRUE(test, r.read(2, &m, &text));
  KUNIT_EXPECT_TRUE(test, text == "three");
  KUNIT_EXPECT_EQ(test, m.seq, 2ull);
  KUNIT_EXPECT_FALSE(test, r.read(3, &m, &text));
}

void continuation(kunit* test) {
  LogRing& r = ring(test);
  LogRecord open = meta(7), m;
  open.open = true;
  std::string_view text;
  r.push(open, "a");
  KUNIT_EXPECT_FALSE(test, r.extend(8, "x", true));  // somebody else's
  KUNIT_EXPECT_TRUE(test, r.extend(7, "b", true));
  KUNIT_EXPECT_TRUE(test, r.extend(7, "c", false));
  KUNIT_EXPECT_FALSE(test, r.extend(7, "d", false));  // ended
  KUNIT_ASSERT_TRUE(test, r.read(0, &m, &text));
  KUNIT_EXPECT_TRUE(test, text == "abc");
  r.push(open, "left open");
  r.push(meta(), "next");
  KUNIT_ASSERT_TRUE(test, r.read(1, &m, &text));
  KUNIT_EXPECT_FALSE(test, m.open);
}

// Far more than fits: what is there is always the newest, whole and in order.
void wrapping(kunit* test) {
  LogRing& r = ring(test);
  static char text[LogRing::kMaxText];
  u64 pushed = 0;
  for (int round = 0; round < 5000; round++, pushed++) {
    size_t n = prandom_u32_max(LogRing::kMaxText);
    memset(text, static_cast<int>('a' + pushed % 26), n);
    LogRecord m = meta();
    m.caller = static_cast<u32>(n);
    m.open = prandom_u32_max(8) == 0;
    r.push(m, {text, n});
    if (round % 100) continue;
    KUNIT_ASSERT_GT(test, r.next_seq() - r.first_seq(), 100ull > pushed ? 0ull : 100ull);
    for (u64 s = r.first_seq(); s < r.next_seq(); s++) {
      LogRecord got;
      std::string_view t;
      KUNIT_ASSERT_TRUE(test, r.read(s, &got, &t));
      KUNIT_ASSERT_EQ(test, got.seq, s);
      KUNIT_ASSERT_EQ(test, t.size(), size_t{got.caller});
      KUNIT_ASSERT_NULL(test, memchr_inv(t.data(), static_cast<int>('a' + s % 26), t.size()));
    }
  }
  KUNIT_EXPECT_EQ(test, r.next_seq(), pushed);
}

void overlong_text_is_cut(kunit* test) {
  LogRing& r = ring(test);
  static char text[2000];
  memset(text, 'x', sizeof(text));
  r.push(meta(), {text, sizeof(text)});
  LogRecord m;
  std::string_view t;
  KUNIT_ASSERT_TRUE(test, r.read(0, &m, &t));
  KUNIT_EXPECT_EQ(test, t.size(), LogRing::kMaxText);
}

kunit_case ring_cases[] = {KUNIT_CASE(records_in_order), KUNIT_CASE(continuation), KUNIT_CASE(wrapping),
                           KUNIT_CASE(overlong_text_is_cut), {}};
kunit_suite ring_suite = {.name = "log_ring", .init = make_ring, .exit = drop_ring, .test_cases = ring_cases};
kunit_test_suite(ring_suite);

// Finds the first record from seq on whose text is `want`.
bool logged(u64 seq, const char* want, LogRecord* m) {
  char text[LogRing::kMaxText];
  size_t n;
  for (; log_read(&seq, m, text, &n); seq++)
    if (n == strlen(want) && !memcmp(text, want, n)) return true;
  return false;
}

void levels(kunit* test) {
  u64 from = log_next_seq();
  LogRecord m;
  pr_err("kunit: an error\n");
  printk("kunit: no level\n");
  printk(KERN_DEBUG "kunit: debug\n");
  KUNIT_ASSERT_TRUE(test, logged(from, "kunit: an error", &m));
  KUNIT_EXPECT_EQ(test, m.level, 3);
  KUNIT_ASSERT_TRUE(test, logged(from, "kunit: no level", &m));
  KUNIT_EXPECT_EQ(test, m.level, 4);
  KUNIT_ASSERT_TRUE(test, logged(from, "kunit: debug", &m));
  KUNIT_EXPECT_EQ(test, m.level, 7);
}

void lines_and_continuations(kunit* test) {
  u64 from = log_next_seq();
  LogRecord m;
  printk(KERN_INFO "kunit: a");
  pr_cont(" b");
  pr_cont(" c\n");
  printk(KERN_INFO "kunit: two\nkunit: lines\n");
  KUNIT_EXPECT_TRUE(test, logged(from, "kunit: a b c", &m));
  KUNIT_EXPECT_EQ(test, m.level, 6);
  KUNIT_EXPECT_TRUE(test, logged(from, "kunit: two", &m));
  KUNIT_EXPECT_TRUE(test, logged(from, "kunit: lines", &m));
}

void rate_limit(kunit* test) {
  cf_ratelimit site{};
  unsigned passed = 0;
  for (int i = 0; i < 50; i++) passed += cf_printk_ratelimit(&site);
  KUNIT_EXPECT_EQ(test, passed, 10u);
  KUNIT_EXPECT_EQ(test, site.missed, 40u);
}

void kmsg_records(kunit* test) {
  u64 seq = log_next_seq();
  static char buf[1100];
  KUNIT_EXPECT_EQ(test, kmsg_write("<11>kunit: from user\\\n"), 22L);
  KUNIT_EXPECT_EQ(test, kmsg_write("<5>kunit: facility\n"), 19L);
  u64 first = seq;
  ssize_t n = kmsg_format_next(&seq, buf);
  KUNIT_ASSERT_GT(test, n, 0L);
  buf[n] = 0;
  // facility 1 (user), level 3; the backslash is escaped
  KUNIT_EXPECT_EQ(test, strncmp(buf, "11,", 3), 0);
  KUNIT_EXPECT_NOT_NULL(test, strstr(buf, ",-;kunit: from user\\x5c\n"));
  KUNIT_EXPECT_EQ(test, seq, first + 1);
  n = kmsg_format_next(&seq, buf);
  KUNIT_ASSERT_GT(test, n, 0L);
  KUNIT_EXPECT_EQ(test, strncmp(buf, "13,", 3), 0);  // users do not speak as the kernel
  KUNIT_EXPECT_EQ(test, kmsg_format_next(&seq, buf), 0L);
  u64 again = first;
  KUNIT_EXPECT_EQ(test, kmsg_format_next(&again, {buf, 8}), static_cast<ssize_t>(-EINVAL));
}

void hex_dump(kunit* test) {
  u64 from = log_next_seq();
  unsigned char data[20];
  for (unsigned i = 0; i < sizeof(data); i++) data[i] = static_cast<unsigned char>('A' + i);
  print_hex_dump(KERN_INFO, "kunit: ", DUMP_PREFIX_OFFSET, 16, 1, data, sizeof(data), true);
  LogRecord m;
  KUNIT_EXPECT_TRUE(test, logged(from, "kunit: 00000000: 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 50  ABCDEFGHIJKLMNOP", &m));
  KUNIT_EXPECT_TRUE(test, logged(from, "kunit: 00000010: 51 52 53 54                                      QRST", &m));
}

void warnings_are_counted(kunit* test) {
  int before = warn_count();
  expect_warnings(2);
  KUNIT_EXPECT_TRUE(test, WARN_ON(test != nullptr));
  KUNIT_EXPECT_FALSE(test, WARN_ON(test == nullptr));
  for (int i = 0; i < 3; i++) WARN_ONCE(i >= 0, "kunit: once");
  KUNIT_EXPECT_GE(test, warn_count(), before + 1);  // 2, but WARN_ONCE's mark outlives a world
  if (warn_count() == before + 1) expect_warnings(-1);
  KUNIT_EXPECT_TRUE(test, test_taint(TAINT_WARN));
}

kunit_case cases[] = {KUNIT_CASE(levels),       KUNIT_CASE(lines_and_continuations), KUNIT_CASE(rate_limit),
                      KUNIT_CASE(kmsg_records), KUNIT_CASE(hex_dump),                KUNIT_CASE(warnings_are_counted), {}};
kunit_suite suite = {.name = "printk", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
