// inflate: canonical Huffman codes decoded by counting, length by length.
// SPDX-License-Identifier: Apache-2.0
#include "lib/inflate.hh"

#include <linux/crc32.h>
#include <linux/string.h>

namespace inflate {
namespace {

// Where the output goes: a memory block that is its own window, or a 32 KiB ring that is handed to the sink when full.
class Output {
 public:
  explicit Output(std::span<unsigned char> memory) : base_(memory.data()), size_(memory.size()) {}
  Output(std::span<unsigned char> ring, Sink sink, void* context) : base_(ring.data()), size_(ring.size()), sink_(sink), context_(context) {}

  Status put(unsigned char c) {
    if (at_ == size_) {
      if (!sink_) return Status::OutputFull;
      if (!flush()) return Status::SinkFailed;
    }
    base_[at_++] = c;
    total_++;
    return Status::Ok;
  }
  Status copy(size_t distance, size_t n) {
    if (distance > total_) return Status::BadData;
    while (n--) {
      size_t from = at_ >= distance ? at_ - distance : at_ + size_ - distance;
      if (Status s = put(base_[from]); s != Status::Ok) return s;
    }
    return Status::Ok;
  }
  bool flush() {
    crc_ = crc32_le(crc_, base_ + flushed_, at_ - flushed_);
    bool ok = !sink_ || at_ == flushed_ || sink_(context_, base_ + flushed_, at_ - flushed_);
    flushed_ = at_;
    if (sink_ && at_ == size_) at_ = flushed_ = 0;
    return ok;
  }
  size_t total() const { return total_; }
  u32 crc() const { return ~crc_; }

 private:
  unsigned char* base_;
  size_t size_, at_ = 0, flushed_ = 0, total_ = 0;
  Sink sink_ = nullptr;
  void* context_ = nullptr;
  u32 crc_ = ~0u;
};

class Input {
 public:
  explicit Input(std::span<const unsigned char> in) : in_(in) {}
  // n <= 16 bits, the lowest first; past the end zeros come, and ended() tells.
  u32 bits(unsigned n) {
    while (have_ < n) {
      u32 byte = at_ < in_.size() ? in_[at_] : 0;
      at_++;
      held_ |= byte << have_;
      have_ += 8;
    }
    u32 v = held_ & ((1u << n) - 1);
    held_ >>= n;
    have_ -= n;
    return v;
  }
  void align() {  // to a byte; whole bytes that were read ahead go back
    at_ -= have_ / 8;
    held_ = have_ = 0;
  }
  bool ended() const { return at_ > in_.size() + 2; }
  bool has(size_t n) const { return at_ + n <= in_.size(); }
  unsigned char byte() { return in_[at_++]; }
  size_t position() const { return at_; }

 private:
  std::span<const unsigned char> in_;
  size_t at_ = 0;
  u32 held_ = 0;
  unsigned have_ = 0;
};

// False if the lengths ask for more codes than there are (too few is allowed: a single distance code is coded so).
bool build(HuffmanTable& t, const unsigned char* lengths, unsigned n) {
  memset(t.counts, 0, sizeof(t.counts));
  for (unsigned i = 0; i < n; i++) t.counts[lengths[i]]++;
  t.counts[0] = 0;
  int left = 1;
  u16 offsets[16];
  offsets[1] = 0;
  for (unsigned len = 1; len < 16; len++) {
    left = left * 2 - t.counts[len];
    if (left < 0) return false;
    if (len < 15) offsets[len + 1] = static_cast<u16>(offsets[len] + t.counts[len]);
  }
  for (unsigned i = 0; i < n; i++)
    if (lengths[i]) t.symbols[offsets[lengths[i]]++] = static_cast<u16>(i);
  return true;
}

// -1: no such code.
int decode(Input& in, const HuffmanTable& t) {
  int code = 0, first = 0, index = 0;
  for (unsigned len = 1; len < 16; len++) {
    code |= static_cast<int>(in.bits(1));
    int count = t.counts[len];
    if (code - count < first) return t.symbols[index + (code - first)];
    index += count;
    first = (first + count) * 2;
    code *= 2;
  }
  return -1;
}

struct Extra {
  u16 base;
  u8 bits;
};
constexpr Extra kLengths[29] = {{3, 0},  {4, 0},  {5, 0},  {6, 0},  {7, 0},  {8, 0},  {9, 0},  {10, 0},  {11, 1},  {13, 1},
                                {15, 1}, {17, 1}, {19, 2}, {23, 2}, {27, 2}, {31, 2}, {35, 3}, {43, 3},  {51, 3},  {59, 3},
                                {67, 4}, {83, 4}, {99, 4}, {115, 4}, {131, 5}, {163, 5}, {195, 5}, {227, 5}, {258, 0}};
constexpr Extra kDistances[30] = {{1, 0},    {2, 0},    {3, 0},    {4, 0},    {5, 1},     {7, 1},     {9, 2},    {13, 2},
                                  {17, 3},   {25, 3},   {33, 4},   {49, 4},   {65, 5},    {97, 5},    {129, 6},  {193, 6},
                                  {257, 7},  {385, 7},  {513, 8},  {769, 8},  {1025, 9},  {1537, 9},  {2049, 10}, {3073, 10},
                                  {4097, 11}, {6145, 11}, {8193, 12}, {12289, 12}, {16385, 13}, {24577, 13}};

Status coded_block(Input& in, Output& out, const Workspace& ws) {
  for (;;) {
    if (in.ended()) return Status::InputEnded;
    int symbol = decode(in, ws.literals);
    if (symbol < 0) return Status::BadData;
    if (symbol == 256) return Status::Ok;
    if (symbol < 256) {
      if (Status s = out.put(static_cast<unsigned char>(symbol)); s != Status::Ok) return s;
      continue;
    }
    if (symbol > 285) return Status::BadData;
    Extra l = kLengths[symbol - 257];
    size_t length = l.base + in.bits(l.bits);
    int d = decode(in, ws.distances);
    if (d < 0 || d > 29) return Status::BadData;
    size_t distance = kDistances[d].base + in.bits(kDistances[d].bits);
    if (Status s = out.copy(distance, length); s != Status::Ok) return s;
  }
}

Status stored_block(Input& in, Output& out) {
  in.align();
  if (!in.has(4)) return Status::InputEnded;
  unsigned n = in.byte();
  n |= static_cast<unsigned>(in.byte()) << 8;
  unsigned inverse = in.byte();
  inverse |= static_cast<unsigned>(in.byte()) << 8;
  if (n != (~inverse & 0xffff)) return Status::BadData;
  if (!in.has(n)) return Status::InputEnded;
  while (n--)
    if (Status s = out.put(in.byte()); s != Status::Ok) return s;
  return Status::Ok;
}

void fixed_tables(Workspace& ws) {
  for (unsigned i = 0; i < 288; i++) ws.lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  build(ws.literals, ws.lengths, 288);
  for (unsigned i = 0; i < 30; i++) ws.lengths[i] = 5;
  build(ws.distances, ws.lengths, 30);
}

Status dynamic_tables(Input& in, Workspace& ws) {
  constexpr u8 kOrder[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  unsigned nlit = in.bits(5) + 257, ndist = in.bits(5) + 1, ncode = in.bits(4) + 4;
  if (nlit > 286 || ndist > 30) return Status::BadData;
  memset(ws.lengths, 0, 19);
  for (unsigned i = 0; i < ncode; i++) ws.lengths[kOrder[i]] = static_cast<unsigned char>(in.bits(3));
  if (!build(ws.literals, ws.lengths, 19)) return Status::BadData;
  for (unsigned i = 0; i < nlit + ndist;) {
    if (in.ended()) return Status::InputEnded;
    int symbol = decode(in, ws.literals);
    if (symbol < 0) return Status::BadData;
    if (symbol < 16) {
      ws.lengths[i++] = static_cast<unsigned char>(symbol);
      continue;
    }
    if (symbol == 16 && i == 0) return Status::BadData;
    unsigned char value = symbol == 16 ? ws.lengths[i - 1] : 0;
    unsigned repeat = symbol == 16 ? 3 + in.bits(2) : symbol == 17 ? 3 + in.bits(3) : 11 + in.bits(7);
    if (i + repeat > nlit + ndist) return Status::BadData;
    while (repeat--) ws.lengths[i++] = value;
  }
  if (ws.lengths[256] == 0) return Status::BadData;  // no end
  if (!build(ws.literals, ws.lengths, nlit) || !build(ws.distances, ws.lengths + nlit, ndist)) return Status::BadData;
  return Status::Ok;
}

Status blocks(Input& in, Output& out, Workspace& ws) {
  for (bool last = false; !last;) {
    last = in.bits(1);
    u32 kind = in.bits(2);
    Status s = Status::BadData;
    if (kind == 0) {
      s = stored_block(in, out);
    } else if (kind == 1) {
      fixed_tables(ws);
      s = coded_block(in, out, ws);
    } else if (kind == 2) {
      s = dynamic_tables(in, ws);
      if (s == Status::Ok) s = coded_block(in, out, ws);
    }
    if (s != Status::Ok) return in.ended() ? Status::InputEnded : s;
  }
  if (!out.flush()) return Status::SinkFailed;
  in.align();
  return in.has(0) ? Status::Ok : Status::InputEnded;
}

// False: not gzip, or cut short.
bool skip_header(Input& in) {
  enum { kHcrc = 2, kExtra = 4, kName = 8, kComment = 16 };
  if (!in.has(10) || in.byte() != 0x1f || in.byte() != 0x8b || in.byte() != 8) return false;
  unsigned flags = in.byte();
  for (int i = 0; i < 6; i++) in.byte();
  if (flags & kExtra) {
    if (!in.has(2)) return false;
    unsigned n = in.byte();
    n |= static_cast<unsigned>(in.byte()) << 8;
    if (!in.has(n)) return false;
    while (n--) in.byte();
  }
  for (unsigned text : {unsigned{kName}, unsigned{kComment}})
    if (flags & text)
      do
        if (!in.has(1)) return false;
      while (in.byte());
  if (flags & kHcrc) {
    if (!in.has(2)) return false;
    in.byte();
    in.byte();
  }
  return true;
}

u32 word(Input& in) {
  u32 v = 0;
  for (unsigned i = 0; i < 32; i += 8) v |= static_cast<u32>(in.byte()) << i;
  return v;
}

Outcome run(std::span<const unsigned char> data, Workspace& ws, Output& out) {
  Input in(data);
  if (!skip_header(in)) return {Status::BadData, 0, 0};
  Status s = blocks(in, out, ws);
  if (s == Status::Ok && !in.has(8)) s = Status::InputEnded;
  if (s == Status::Ok) {
    u32 crc = word(in), size = word(in);
    if (crc != out.crc() || size != static_cast<u32>(out.total())) s = Status::BadChecksum;
  }
  return {s, in.position(), out.total()};
}

}  // namespace

Outcome gunzip(std::span<const unsigned char> in, Workspace& ws, Sink sink, void* context) {
  Output out(ws.window, sink, context);
  return run(in, ws, out);
}
Outcome gunzip(std::span<const unsigned char> in, Workspace& ws, std::span<unsigned char> memory) {
  Output out(memory);
  return run(in, ws, out);
}
Outcome raw(std::span<const unsigned char> data, Workspace& ws, std::span<unsigned char> memory) {
  Input in(data);
  Output out(memory);
  Status s = blocks(in, out, ws);
  return {s, in.position(), out.total()};
}

}  // namespace inflate
