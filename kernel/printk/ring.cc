// LogRing.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/printk/ring.hh"

#include <linux/string.h>

size_t LogRing::settle(size_t i) const {
  return i + sizeof(LogRecord) > kSize || at(i)->length == kWrap ? 0 : i;
}

void LogRing::drop_first() {
  first_ = settle(first_);
  first_ += slot(at(first_)->length);
  first_seq_++;
  if (first_seq_ == next_seq_) first_ = next_;
  else first_ = settle(first_);
}

// Whether `need` bytes are free at next_ without overtaking first_. One record's header is kept free behind it, for the mark.
bool LogRing::room(size_t need) const {
  if (first_seq_ == next_seq_) return next_ + need + sizeof(LogRecord) <= kSize;
  if (next_ > first_) return next_ + need + sizeof(LogRecord) <= kSize;
  return next_ + need + sizeof(LogRecord) <= first_;
}

void LogRing::push(const LogRecord& meta, std::string_view text) {
  if (text.size() > kMaxText) text = text.substr(0, kMaxText);
  if (first_seq_ != next_seq_) at(last_)->open = false;
  // An open record may grow to full length.
  size_t need = slot(meta.open ? kMaxText : text.size());
  while (!room(need)) {
    bool at_end = (first_seq_ == next_seq_ || next_ > first_) && next_ + need + sizeof(LogRecord) > kSize;
    if (!at_end) {
      drop_first();
      continue;
    }
    // Start over at the front; what is there goes first.
    if (next_ + sizeof(LogRecord) <= kSize) at(next_)->length = kWrap;
    if (first_seq_ == next_seq_) first_ = 0;
    next_ = 0;
    if (first_seq_ != next_seq_ && first_ == 0) drop_first();
  }
  LogRecord* r = at(next_);
  *r = meta;
  r->seq = next_seq_++;
  r->length = static_cast<u16>(text.size());
  memcpy(r + 1, text.data(), text.size());
  last_ = next_;
  next_ += slot(r->length);
}

bool LogRing::extend(u32 caller, std::string_view text, bool open) {
  if (first_seq_ == next_seq_) return false;
  LogRecord* r = at(last_);
  if (!r->open || r->caller != caller || r->length + text.size() > kMaxText) return false;
  memcpy(reinterpret_cast<char*>(r + 1) + r->length, text.data(), text.size());
  r->length = static_cast<u16>(r->length + text.size());
  r->open = open;
  next_ = last_ + slot(r->length);
  return true;
}

bool LogRing::read(u64 seq, LogRecord* meta, std::string_view* text) const {
  if (seq >= next_seq_) return false;
  size_t i = settle(first_);
  if (seq + 1 == next_seq_) i = last_;  // readers mostly want the newest
  else
    for (u64 n = first_seq_; n < seq; n++) i = settle(i + slot(at(i)->length));
  *meta = *at(i);
  *text = {reinterpret_cast<const char*>(at(i) + 1), at(i)->length};
  return true;
}
