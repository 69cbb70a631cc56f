// A reader of newc cpio archives that is fed bytes in pieces of any size. Pure: what it finds goes to a CpioSink.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <span>

struct CpioEntry {
  u32 ino, mode, uid, gid, nlink, mtime, size, rdev_major, rdev_minor, dev_major, dev_minor;
  const char* name;  // NUL-terminated
};

class CpioSink {
 public:
  // A new entry; false: its body is skipped. For a symlink, target is its NUL-terminated text and no body follows.
  virtual bool begin(const CpioEntry& e, const char* symlink_target) = 0;
  virtual bool body(std::span<const unsigned char> data) = 0;  // false: stop with an error
  virtual void end(const CpioEntry& e) = 0;
  virtual void trailer() = 0;  // the end of one archive: inode numbers start over

 protected:
  ~CpioSink() = default;
};

class CpioReader {
 public:
  explicit CpioReader(CpioSink* sink) : sink_(sink) {}
  CpioReader(const CpioReader&) = delete;

  // Takes all bytes, or stops at an error (then error() says which) or behind a trailer; how many it took.
  size_t feed(std::span<const unsigned char> data);
  bool at_start() const { return state_ == State::Header && have_ == 0; }  // between archives
  const char* error() const { return error_; }

 private:
  enum class State : unsigned char { Header, Name, Target, Body, Padding };
  static constexpr size_t kHeader = 110, kNameMax = 4096;

  bool collect(std::span<const unsigned char>* in, size_t wanted);
  void header_done();
  void name_done();
  void target_done();
  void pad_then(State next);
  void entry_done();
  void fail(const char* why) { error_ = why; }

  CpioSink* sink_;
  State state_ = State::Header, after_padding_ = State::Header;
  const char* error_ = nullptr;
  CpioEntry entry_{};
  size_t have_ = 0;        // bytes in buf_
  size_t name_size_ = 0, body_left_ = 0, padding_ = 0;
  u64 offset_ = 0;         // in this archive, for padding
  bool wanted_ = false, ended_ = false;
  char buf_[kNameMax + 1];
  char name_[kNameMax + 1];
};
