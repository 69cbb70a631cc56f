// inflate: each kind of block, the window's edge, and what is broken being refused.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/crc32.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "lib/inflate.hh"

namespace {

using inflate::Outcome;
using inflate::Status;

// Written by zlib at level 9 (with a file name in the header), with fixed codes only, and with stored blocks.
constexpr unsigned char kDynamic[] = {
    0x1f, 0x8b, 0x08, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x66, 0x6f, 0x78, 0x2e, 0x74, 0x78, 0x74, 0x00, 0xb5, 0x8c,
    0xc9, 0x11, 0x80, 0x20, 0x10, 0x04, 0x53, 0x99, 0x00, 0x2c, 0x03, 0xd0, 0x68, 0x10, 0x16, 0x41, 0x65, 0x57, 0x11, 0x44,
    0x8d, 0xde, 0xe3, 0xed, 0xd7, 0xe7, 0x74, 0x77, 0x4d, 0x72, 0x84, 0x25, 0x7b, 0x3d, 0xa2, 0x8b, 0x52, 0x18, 0x56, 0x76,
    0x0c, 0x39, 0xcc, 0x2b, 0x64, 0xa3, 0x88, 0x74, 0xeb, 0x49, 0x9d, 0x07, 0x8c, 0xf4, 0xed, 0xbb, 0xfe, 0x89, 0x15, 0x9b,
    0x87, 0x30, 0x84, 0x35, 0x21, 0x48, 0xa4, 0x0a, 0xc5, 0x27, 0x07, 0x4b, 0x34, 0x79, 0xee, 0x9b, 0xaf, 0xbb, 0xfa, 0x02,
    0xdd, 0x98, 0x4f, 0x4d, 0xbd, 0x00, 0x00, 0x00,
};
constexpr unsigned char kFixed[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x4b, 0x4c, 0x04, 0x82, 0x24, 0x10, 0x48, 0x84, 0xb3, 0x00,
    0x4d, 0x75, 0xb2, 0xfd, 0x14, 0x00, 0x00, 0x00,
};
constexpr unsigned char kStored[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x01, 0x06, 0x00, 0xf9, 0xff, 0x73, 0x74, 0x6f, 0x72, 0x65,
    0x64, 0x0b, 0xf9, 0x43, 0x56, 0x06, 0x00, 0x00, 0x00,
};

constexpr char kText[] =
    "the quick brown fox jumps over the lazy dog; the quick brown fox jumps over the lazy dog; the quick brown fox jumps over "
    "the lazy dog; and then once more, with feeling: the quick brown fox.";

struct Fixture {
  inflate::Workspace ws;
  unsigned char out[1 << 17];
};

int make(kunit* test) {
  test->priv = vmalloc(sizeof(Fixture));
  return test->priv ? 0 : -ENOMEM;
}
void drop(kunit* test) { vfree(test->priv); }
Fixture& fixture(kunit* test) { return *static_cast<Fixture*>(test->priv); }

Outcome unzip(kunit* test, std::span<const unsigned char> in) {
  Fixture& f = fixture(test);
  return inflate::gunzip(in, f.ws, std::span<unsigned char>(f.out));
}

void dynamic_block(kunit* test) {
  Outcome o = unzip(test, kDynamic);
  KUNIT_ASSERT_EQ(test, static_cast<int>(o.status), static_cast<int>(Status::Ok));
  KUNIT_EXPECT_EQ(test, o.produced, sizeof(kText) - 1);
  KUNIT_EXPECT_EQ(test, o.consumed, sizeof(kDynamic));
  KUNIT_EXPECT_EQ(test, memcmp(fixture(test).out, kText, sizeof(kText) - 1), 0);
}
void fixed_block(kunit* test) {
  Outcome o = unzip(test, kFixed);
  KUNIT_ASSERT_EQ(test, static_cast<int>(o.status), static_cast<int>(Status::Ok));
  KUNIT_EXPECT_EQ(test, memcmp(fixture(test).out, "aaaaabbbbbaaaaabbbbb", 20), 0);
}
void stored_block(kunit* test) {
  Outcome o = unzip(test, kStored);
  KUNIT_ASSERT_EQ(test, static_cast<int>(o.status), static_cast<int>(Status::Ok));
  KUNIT_EXPECT_EQ(test, memcmp(fixture(test).out, "stored", 6), 0);
}

void every_cut_is_noticed(kunit* test) {
  for (size_t n = 0; n < sizeof(kDynamic); n++) {
    Outcome o = unzip(test, {kDynamic, n});
    KUNIT_EXPECT_NE(test, static_cast<int>(o.status), static_cast<int>(Status::Ok));
  }
}

// A flipped bit anywhere behind the header is refused, never runs wild, and is never taken for the text.
void every_flip_is_noticed(kunit* test) {
  unsigned char copy[sizeof(kDynamic)];
  for (size_t bit = 18 * 8; bit < sizeof(kDynamic) * 8; bit++) {
    memcpy(copy, kDynamic, sizeof(copy));
    copy[bit / 8] ^= static_cast<unsigned char>(1 << bit % 8);
    Outcome o = unzip(test, copy);
    bool same = o.produced == sizeof(kText) - 1 && !memcmp(fixture(test).out, kText, sizeof(kText) - 1);
    if (o.status == Status::Ok) KUNIT_EXPECT_TRUE(test, same);
  }
}

void output_that_is_too_small(kunit* test) {
  Fixture& f = fixture(test);
  f.out[10] = 0x5a;
  Outcome o = inflate::gunzip(kDynamic, f.ws, std::span<unsigned char>(f.out, 10));
  KUNIT_EXPECT_EQ(test, static_cast<int>(o.status), static_cast<int>(Status::OutputFull));
  KUNIT_EXPECT_EQ(test, f.out[10], 0x5a);
}

// Stored blocks that add up to more than the window, then the sink: what it is given is everything, in order.
struct Collected {
  u32 crc;
  size_t total, calls;
  size_t fail_at;
};
bool collect(void* context, const unsigned char* data, size_t n) {
  auto* c = static_cast<Collected*>(context);
  c->crc = crc32_le(c->crc, data, n);
  c->total += n;
  return ++c->calls != c->fail_at;
}
size_t make_long_gzip(unsigned char* p, u32* crc, size_t blocks) {
  constexpr unsigned char kHeader[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
  size_t at = sizeof(kHeader), total = 0;
  memcpy(p, kHeader, sizeof(kHeader));
  *crc = ~0u;
  for (size_t b = 0; b < blocks; b++) {
    constexpr unsigned kLen = 20000;
    p[at++] = b + 1 == blocks;
    p[at++] = kLen & 255, p[at++] = kLen >> 8, p[at++] = ~kLen & 255, p[at++] = (~kLen >> 8) & 255;
    for (unsigned i = 0; i < kLen; i++) p[at + i] = static_cast<unsigned char>(i * 7 + b);
    *crc = crc32_le(*crc, p + at, kLen);
    at += kLen, total += kLen;
  }
  u32 trailer[2] = {~*crc, static_cast<u32>(total)};
  memcpy(p + at, trailer, 8);
  return at + 8;
}
void sink_gets_all(kunit* test) {
  Fixture& f = fixture(test);
  u32 crc;
  size_t n = make_long_gzip(f.out, &crc, 5);
  Collected c{~0u, 0, 0, 0};
  Outcome o = inflate::gunzip({f.out, n}, f.ws, collect, &c);
  KUNIT_ASSERT_EQ(test, static_cast<int>(o.status), static_cast<int>(Status::Ok));
  KUNIT_EXPECT_EQ(test, c.total, size_t{100000});
  KUNIT_EXPECT_EQ(test, c.crc, crc);
  KUNIT_EXPECT_EQ(test, c.calls, size_t{4});  // 32 KiB at a time
  c = {~0u, 0, 0, 2};
  o = inflate::gunzip({f.out, n}, f.ws, collect, &c);
  KUNIT_EXPECT_EQ(test, static_cast<int>(o.status), static_cast<int>(Status::SinkFailed));
}

void distance_before_the_start(kunit* test) {
  // Fixed codes: length 3 at distance 1 with nothing before.
  constexpr unsigned char kBad[] = {0x03, 0x02, 0x00, 0x00};
  Fixture& f = fixture(test);
  Outcome o = inflate::raw(kBad, f.ws, std::span<unsigned char>(f.out));
  KUNIT_EXPECT_EQ(test, static_cast<int>(o.status), static_cast<int>(Status::BadData));
}

kunit_case cases[] = {
    KUNIT_CASE(dynamic_block),         KUNIT_CASE(fixed_block),           KUNIT_CASE(stored_block),
    KUNIT_CASE(every_cut_is_noticed),  KUNIT_CASE(every_flip_is_noticed), KUNIT_CASE(output_that_is_too_small),
    KUNIT_CASE(sink_gets_all),         KUNIT_CASE(distance_before_the_start), {},
};
kunit_suite suite = {.name = "inflate", .init = make, .exit = drop, .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
