// gzip and raw deflate (RFC 1951, 1952), decompressing from memory to memory or to a sink. Allocates nothing and calls nothing:
// the decompressor of the x86 image uses it before there is a kernel.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <span>

namespace inflate {

enum class Status : unsigned char { Ok, BadData, InputEnded, OutputFull, BadChecksum, SinkFailed };

// What a sink is called with: decompressed bytes in order. False stops.
using Sink = bool (*)(void* context, const unsigned char* data, size_t n);

struct HuffmanTable {
  u16 counts[16];    // codes of each length
  u16 symbols[320];  // in the order of their codes
};
struct Workspace {
  HuffmanTable literals, distances;
  unsigned char lengths[320];
  unsigned char window[1 << 15];  // for the sink form
};

struct Outcome {
  Status status;
  size_t consumed;  // input, up to and with the trailer
  size_t produced;
};

// One gzip member. Its CRC and length are checked.
Outcome gunzip(std::span<const unsigned char> in, Workspace& ws, Sink sink, void* context);
// Straight into memory: no window is copied.
Outcome gunzip(std::span<const unsigned char> in, Workspace& ws, std::span<unsigned char> out);
// Deflate without a wrapper.
Outcome raw(std::span<const unsigned char> in, Workspace& ws, std::span<unsigned char> out);

inline bool is_gzip(std::span<const unsigned char> in) { return in.size() > 18 && in[0] == 0x1f && in[1] == 0x8b; }

}  // namespace inflate
