// The cpio reader: whole archives, pieces of every size, and damaged ones. Spec 10 section 9.
// SPDX-License-Identifier: Apache-2.0
#include "fs/initramfs/cpio.hh"

#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <uapi/linux/stat.h>

namespace {

// Builds archives as cpio(1) would.
struct Archive {
  char data[4096];
  size_t size = 0;
  size_t last_padding = 0;  // the reader stops before that of a trailer

  void entry(const char* name, unsigned mode, const char* body, unsigned ino = 1, unsigned nlink = 1) {
    size_t name_size = strlen(name) + 1, body_size = strlen(body);
    unsigned fields[13] = {ino, mode, 0, 0, nlink, 77, static_cast<unsigned>(body_size), 8, 1, 5, 1,
                           static_cast<unsigned>(name_size), 0};
    memcpy(data + size, "070701", 6);
    size += 6;
    for (unsigned f : fields) {
      snprintf(data + size, 9, "%08X", f);
      size += 8;
    }
    put(name, name_size);
    put(body, body_size);
  }
  void trailer() { entry("TRAILER!!!", 0, ""); }

 private:
  void put(const char* p, size_t n) {
    memcpy(data + size, p, n);
    size += n;
    if (n) last_padding = -size & 3;
    while (size & 3) data[size++] = 0;
  }
};

// Writes down what it is told, as one line of text.
struct Recorder final : CpioSink {
  char log[1024] = "";
  size_t used = 0;
  template <class... A>
  void say(const char* fmt, A... args) {
    used += static_cast<size_t>(snprintf(log + used, sizeof(log) - used, fmt, args...));
  }
  bool begin(const CpioEntry& e, const char* target) override {
    if (target)
      say("%s->%s ", e.name, target);
    else
      say("%s:%o:%u ", e.name, e.mode, e.rdev_major);
    return S_ISREG(e.mode);
  }
  bool body(std::span<const unsigned char> d) override {
    say("%.*s", static_cast<int>(d.size()), reinterpret_cast<const char*>(d.data()));
    return true;
  }
  void end(const CpioEntry&) override { say(". "); }
  void trailer() override { say("END "); }
};

void fill(Archive* a) {
  a->entry("dir", S_IFDIR | 0755, "");
  a->entry("dir/file", S_IFREG | 0644, "hello");
  a->entry("link", S_IFLNK | 0777, "dir/file");
  a->entry("empty", S_IFREG | 0600, "");
  a->entry("tty", S_IFCHR | 0600, "");
  a->trailer();
}
constexpr const char* kExpected =
    "dir:40755:5 dir/file:100644:5 hello. link->dir/file empty:100600:5 . tty:20600:5 END ";

std::span<const unsigned char> bytes(const Archive& a, size_t from = 0, size_t to = ~size_t{0}) {
  if (to > a.size) to = a.size;
  return {reinterpret_cast<const unsigned char*>(a.data) + from, to - from};
}

void test_whole(kunit* test) {
  Archive a;
  fill(&a);
  Recorder r;
  CpioReader reader(&r);
  KUNIT_EXPECT_EQ(test, reader.feed(bytes(a)), a.size - a.last_padding);
  KUNIT_EXPECT_STREQ(test, r.log, kExpected);
  KUNIT_EXPECT_TRUE(test, reader.at_start());
}

void test_pieces_of_every_size(kunit* test) {
  Archive a;
  fill(&a);
  for (size_t piece = 1; piece < 130; piece++) {
    Recorder r;
    CpioReader reader(&r);
    for (size_t at = 0; at < a.size; at += piece) reader.feed(bytes(a, at, at + piece));
    KUNIT_ASSERT_NULL(test, reader.error());
    KUNIT_ASSERT_STREQ_MSG(test, r.log, kExpected, "pieces of %zu", piece);
  }
}

void test_stops_behind_the_trailer(kunit* test) {
  Archive a;
  a.entry("x", S_IFREG | 0644, "1");
  a.trailer();
  size_t first = a.size - a.last_padding, second = a.size;
  a.entry("y", S_IFREG | 0644, "2");
  a.trailer();
  Recorder r;
  CpioReader reader(&r);
  KUNIT_EXPECT_EQ(test, reader.feed(bytes(a)), first);
  KUNIT_EXPECT_TRUE(test, reader.at_start());
  reader.feed(bytes(a, second));
  KUNIT_EXPECT_STREQ(test, r.log, "x:100644:5 1. END y:100644:5 2. END ");
}

void test_damaged(kunit* test) {
  struct {
    size_t at;
    char with;
  } damages[] = {{0, '1'}, {5, '9'}, {6, 'x'}, {13, ' '}, {94, 'G'}};
  for (auto d : damages) {
    Archive a;
    fill(&a);
    a.data[d.at] = d.with;
    Recorder r;
    CpioReader reader(&r);
    reader.feed(bytes(a));
    KUNIT_EXPECT_NOT_NULL(test, reader.error());
    KUNIT_EXPECT_STREQ(test, r.log, "");
  }
}

void test_name_too_long(kunit* test) {
  Archive a;
  fill(&a);
  memcpy(a.data + 6 + 8 * 11, "00001001", 8);  // 4097 bytes of name
  Recorder r;
  CpioReader reader(&r);
  reader.feed(bytes(a));
  KUNIT_EXPECT_NOT_NULL(test, reader.error());
}

void test_cut_short(kunit* test) {
  Archive a;
  fill(&a);
  Recorder r;
  CpioReader reader(&r);
  reader.feed(bytes(a, 0, 200));
  KUNIT_EXPECT_FALSE(test, reader.at_start());
}

kunit_case cases[] = {
    KUNIT_CASE(test_whole),   KUNIT_CASE(test_pieces_of_every_size), KUNIT_CASE(test_stops_behind_the_trailer),
    KUNIT_CASE(test_damaged), KUNIT_CASE(test_name_too_long),        KUNIT_CASE(test_cut_short),
    {},
};
kunit_suite suite = {.name = "cpio", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
