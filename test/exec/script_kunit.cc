// The first line of scripts. Spec 40 section 13, X-46..X-56.
// SPDX-License-Identifier: Apache-2.0
#include "fs/binfmt/script.hh"

#include <kunit/test.h>
#include <linux/string.h>

namespace {

struct Row {
  const char* text;
  const char* interpreter;  // null: ENOEXEC
  const char* argument;
};

constexpr Row kRows[] = {
    {"#!/bin/true", "/bin/true", nullptr},
    {"#!/bin/true\n", "/bin/true", nullptr},
    {"#! \t /bin/true  \t\n", "/bin/true", nullptr},
    {"#!\n", nullptr, nullptr},
    {"#!  \t\n", nullptr, nullptr},
    {"#", nullptr, nullptr},
    {"\177ELF", nullptr, nullptr},
    {"x#!/bin/sh\n", nullptr, nullptr},
    {"#!/i  a  b \t\nrest", "/i", "a  b"},
    {"#!/i a\n", "/i", "a"},
    {"#!\t/i\ta\tb\n", "/i", "a\tb"},
    {"#!/i\r\n", "/i\r", nullptr},
};

void test_rows(kunit* test) {
  for (const Row& row : kRows) {
    char buf[256] = {};
    strcpy(buf, row.text);
    Result<ScriptLine> line = parse_script_line(buf, sizeof(buf));
    if (!row.interpreter) {
      KUNIT_EXPECT_FALSE_MSG(test, line.has_value(), "%s", row.text);
      continue;
    }
    KUNIT_ASSERT_TRUE_MSG(test, line.has_value(), "%s", row.text);
    KUNIT_EXPECT_STREQ(test, line->interpreter, row.interpreter);
    if (row.argument)
      KUNIT_EXPECT_STREQ(test, line->argument, row.argument);
    else
      KUNIT_EXPECT_NULL(test, line->argument);
  }
}

// X-51: a newline at index 255 is seen, one behind the buffer is not.
void test_full_line(kunit* test) {
  char buf[256];
  memset(buf, 'x', sizeof(buf));
  memcpy(buf, "#!/", 3);
  buf[255] = '\n';
  KUNIT_EXPECT_TRUE(test, parse_script_line(buf, sizeof(buf)).has_value());
  memset(buf, 'x', sizeof(buf));
  memcpy(buf, "#!/", 3);
  KUNIT_EXPECT_FALSE(test, parse_script_line(buf, sizeof(buf)).has_value());
}

// X-52: an argument that runs over the buffer is cut, the name is whole.
void test_long_argument(kunit* test) {
  char buf[256];
  memset(buf, 'x', sizeof(buf));
  memcpy(buf, "#!/i ", 5);
  Result<ScriptLine> line = parse_script_line(buf, sizeof(buf));
  KUNIT_ASSERT_TRUE(test, line.has_value());
  KUNIT_EXPECT_STREQ(test, line->interpreter, "/i");
  KUNIT_EXPECT_EQ(test, strlen(line->argument), size_t{250});
}

// X-53: NUL ends the name.
void test_nul(kunit* test) {
  char buf[256] = "#!/i\0garbage";
  Result<ScriptLine> line = parse_script_line(buf, sizeof(buf));
  KUNIT_ASSERT_TRUE(test, line.has_value());
  KUNIT_EXPECT_STREQ(test, line->interpreter, "/i");
  KUNIT_EXPECT_NULL(test, line->argument);
}

// X-48: "#!" alone names nothing; exec answers EACCES for it.
void test_two_characters(kunit* test) {
  char buf[256] = "#!";
  Result<ScriptLine> line = parse_script_line(buf, sizeof(buf));
  KUNIT_ASSERT_TRUE(test, line.has_value());
  KUNIT_EXPECT_STREQ(test, line->interpreter, "");
}

kunit_case cases[] = {
    KUNIT_CASE(test_rows), KUNIT_CASE(test_full_line), KUNIT_CASE(test_long_argument), KUNIT_CASE(test_nul),
    KUNIT_CASE(test_two_characters), {},
};
kunit_suite suite = {.name = "binfmt_script", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
