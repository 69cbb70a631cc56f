// LogRing: the log's records in a ring of bytes, the oldest making room. A pure data structure: no locks, clocks or CPUs.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <span>
#include <string_view>

struct LogRecord {
  u64 seq;      // counts from 0 and never repeats
  u64 time_ns;
  u32 caller;   // the task's id, or 0x80000000 + CPU outside tasks
  u16 length;   // of the text
  u8 level, facility;
  bool open;    // no newline yet: pr_cont of the same caller may add to it while it is the last
};

class LogRing {
 public:
  static constexpr size_t kSize = 1 << 17, kMaxText = 976;

  // Adds a record (text is cut at kMaxText) and closes the one before.
  void push(const LogRecord& meta, std::string_view text);
  // Adds to the last record if it is open and the caller's. False: it must be pushed.
  bool extend(u32 caller, std::string_view text, bool open);

  // The record with the lowest seq >= seq; false if there is none. The view holds until the next push.
  bool read(u64 seq, LogRecord* meta, std::string_view* text) const;
  u64 first_seq() const { return first_seq_; }
  u64 next_seq() const { return next_seq_; }
  void reset() { first_seq_ = next_seq_ = first_ = next_ = last_ = 0; }

 private:
  static constexpr u16 kWrap = 0xffff;  // length that says: the next record is at the start
  static constexpr size_t slot(size_t text) { return (sizeof(LogRecord) + text + 7) & ~size_t{7}; }
  LogRecord* at(size_t i) { return reinterpret_cast<LogRecord*>(bytes_ + i); }
  const LogRecord* at(size_t i) const { return reinterpret_cast<const LogRecord*>(bytes_ + i); }
  size_t settle(size_t i) const;  // follows a wrap mark
  void drop_first();
  bool room(size_t need) const;

  u64 first_seq_ = 0, next_seq_ = 0;
  size_t first_ = 0, next_ = 0, last_ = 0;  // byte offsets; last_: of the newest record
  alignas(8) char bytes_[kSize]{};
};
