// The newc format: a header of 110 characters (magic, 13 fields of 8 hex digits), the name, the body, each padded to 4.
// SPDX-License-Identifier: Apache-2.0
#include "fs/initramfs/cpio.hh"

#include <linux/minmax.h>
#include <linux/string.h>
#include <uapi/linux/stat.h>

namespace {
// -1: not a hexadecimal number.
s64 hex8(const char* p) {
  s64 n = 0;
  for (int i = 0; i < 8; i++) {
    char c = p[i];
    int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (d < 0) return -1;
    n = n << 4 | d;
  }
  return n;
}
}  // namespace

// Gathers `wanted` bytes in buf_; true when they are there.
bool CpioReader::collect(std::span<const unsigned char>* in, size_t wanted) {
  size_t n = min(wanted - have_, in->size());
  memcpy(buf_ + have_, in->data(), n);
  *in = in->subspan(n);
  have_ += n;
  offset_ += n;
  if (have_ < wanted) return false;
  have_ = 0;
  return true;
}

void CpioReader::pad_then(State next) {
  padding_ = static_cast<size_t>(-offset_ & 3);
  after_padding_ = next;
  state_ = padding_ ? State::Padding : next;
}

void CpioReader::header_done() {
  if (memcmp(buf_, "070701", 6) != 0 && memcmp(buf_, "070702", 6) != 0) return fail("no cpio magic");
  s64 field[13];
  for (int i = 0; i < 13; i++) {
    field[i] = hex8(buf_ + 6 + 8 * i);
    if (field[i] < 0) return fail("malformed cpio header");
  }
  auto f = [&](int i) { return static_cast<u32>(field[i]); };
  entry_ = {f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(9), f(10), f(7), f(8), name_};
  name_size_ = f(11);
  if (name_size_ == 0 || name_size_ > kNameMax) return fail("name too long in cpio header");
  if (S_ISLNK(entry_.mode) && entry_.size > kNameMax) return fail("symlink too long in cpio header");
  state_ = State::Name;
}

void CpioReader::name_done() {
  memcpy(name_, buf_, name_size_);
  name_[name_size_] = 0;
  if (name_[name_size_ - 1] != 0) return fail("name without end in cpio header");
  if (strcmp(name_, "TRAILER!!!") == 0) {
    sink_->trailer();
    ended_ = true;
    state_ = State::Header;
    offset_ = 0;
    return;
  }
  body_left_ = entry_.size;
  if (S_ISLNK(entry_.mode) && body_left_) return pad_then(State::Target);
  wanted_ = sink_->begin(entry_, nullptr);
  if (body_left_) return pad_then(State::Body);
  entry_done();
}

void CpioReader::target_done() {
  buf_[entry_.size] = 0;
  sink_->begin(entry_, buf_);
  pad_then(State::Header);
}

void CpioReader::entry_done() {
  if (wanted_) sink_->end(entry_);
  pad_then(State::Header);
}

size_t CpioReader::feed(std::span<const unsigned char> data) {
  std::span<const unsigned char> in = data;
  ended_ = false;
  while (!in.empty() && !error_ && !ended_) {
    switch (state_) {
      case State::Header:
        if (collect(&in, kHeader)) header_done();
        break;
      case State::Name:
        if (collect(&in, name_size_)) name_done();
        break;
      case State::Target:
        if (collect(&in, entry_.size)) target_done();
        break;
      case State::Body: {
        size_t n = min(body_left_, in.size());
        if (wanted_ && !sink_->body(in.first(n))) fail("write error");
        in = in.subspan(n);
        offset_ += n;
        body_left_ -= n;
        if (!body_left_) entry_done();
        break;
      }
      case State::Padding: {
        size_t n = min(padding_, in.size());
        in = in.subspan(n);
        offset_ += n;
        padding_ -= n;
        if (!padding_) state_ = after_padding_;
        break;
      }
    }
  }
  return data.size() - in.size();
}
