// CRC-32.
// SPDX-License-Identifier: Apache-2.0
#include <linux/crc32.h>

#include <array>

namespace {
constexpr std::array<u32, 256> make_table() {
  std::array<u32, 256> t{};
  for (u32 i = 0; i < 256; i++) {
    u32 c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    t[i] = c;
  }
  return t;
}
constexpr std::array<u32, 256> kTable = make_table();
}  // namespace

extern "C" u32 crc32_le(u32 crc, const unsigned char* p, size_t len) {
  while (len--) crc = kTable[(crc ^ *p++) & 255] ^ crc >> 8;
  return crc;
}
