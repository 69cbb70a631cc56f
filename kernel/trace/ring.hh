// A CPU's ring of trace records. One writer, its own CPU with interrupts off, which waits for nobody and overwrites the oldest; readers on
// any CPU copy a record out and look afterwards whether it was overwritten meanwhile.
//
// A record is two words (time; its number among all records and the size of the entry in bytes) and the entry, and lies in one piece: a word of ones says that the
// rest of the ring is not used. Positions count words and never wrap.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/compiler.h>
#include <linux/types.h>

class TraceRing {
 public:
  struct Record {
    u64 pos, next;  // where it lies, and where the one after it begins
    u64 time;       // ns
    u32 size;       // of the entry
    u32 number;     // orders records of the same time; wraps
    u64 lost;       // records overwritten between the asked position and this one, in words; 0: none
  };

  // No writer and no reader is about. Null: detached.
  void attach(u64* data, u64 words) {
    data_ = data;
    words_ = words;
    head_ = tail_ = consumed_ = 0;
    written_ = overrun_ = read_ = 0;
  }
  u64* data() const { return data_; }
  bool attached() const { return data_; }

  // This CPU's ring, interrupts off. The entry is smaller than half the ring.
  void write(u64 time, u32 number, const void* entry, size_t size) {
    const u64 words = 2 + (size + 7) / 8;
    u64 pos = head_, room = words_ - pos % words_;
    const u64 skip = room < words ? room : 0;
    make_room(pos + skip + words);
    if (skip) put(pos, kSkip);
    pos += skip;
    put(pos, time);
    put(pos + 1, static_cast<u64>(number) << 32 | size);
    const auto* from = static_cast<const char*>(entry);
    for (u64 w = 2; w < words; w++) {
      u64 v = 0;
      const size_t at = (w - 2) * 8;
      __builtin_memcpy(&v, from + at, size - at < 8 ? size - at : 8);
      put(pos + w, v);
    }
    WRITE_ONCE(written_, written_ + 1);
    __atomic_store_n(&head_, pos + words, __ATOMIC_RELEASE);  // pairs with the acquire in read()
  }

  // Copies the first record at or after pos that is there. False: there is none. Any context.
  bool read(u64 pos, Record* r, void* entry, size_t room) const {
    const u64 asked = pos;
    if (!data_) return false;
    for (;;) {
      const u64 head = __atomic_load_n(&head_, __ATOMIC_ACQUIRE), start = oldest();
      if (pos < start) pos = start;
      if (pos >= head) return false;
      const bool skip = get(pos) == kSkip;
      r->time = get(pos);
      const u64 word = skip ? 0 : get(pos + 1);
      r->size = static_cast<u32>(word);
      r->number = static_cast<u32>(word >> 32);
      copy(pos + 2, entry, r->size < room ? r->size : room);
      // Pairs with the fence in make_room(): what we copied is whole if the tail has not passed it.
      __atomic_thread_fence(__ATOMIC_ACQUIRE);
      if (READ_ONCE(tail_) > pos) continue;
      if (skip) {
        pos += words_ - pos % words_;
        continue;
      }
      r->pos = pos;
      r->next = pos + 2 + (r->size + 7ull) / 8;
      r->lost = asked < READ_ONCE(tail_) && asked >= READ_ONCE(consumed_) ? pos - asked : 0;
      return true;
    }
  }

  // One consumer at a time. count: records that it passes.
  void consume(u64 upto, u64 count) {
    WRITE_ONCE(consumed_, upto);
    WRITE_ONCE(read_, read_ + count);
  }
  // No writer is about.
  void clear() {
    tail_ = consumed_ = head_;
    written_ = overrun_ = read_ = 0;
  }

  u64 oldest() const {
    const u64 tail = READ_ONCE(tail_), consumed = READ_ONCE(consumed_);
    return tail > consumed ? tail : consumed;
  }
  u64 bytes() const { return (READ_ONCE(head_) - oldest()) * 8; }
  u64 overrun() const { return READ_ONCE(overrun_); }
  u64 consumed() const { return READ_ONCE(read_); }
  u64 entries() const { return READ_ONCE(written_) - READ_ONCE(overrun_) - READ_ONCE(read_); }

 private:
  static constexpr u64 kSkip = ~0ull;
  void put(u64 pos, u64 v) { WRITE_ONCE(data_[pos % words_], v); }
  u64 get(u64 pos) const { return READ_ONCE(data_[pos % words_]); }
  void copy(u64 pos, void* to, size_t n) const {
    for (size_t at = 0; at < n; at += 8, pos++) {
      const u64 v = get(pos);
      __builtin_memcpy(static_cast<char*>(to) + at, &v, n - at < 8 ? n - at : 8);
    }
  }
  void make_room(u64 end) {
    if (end - tail_ <= words_) return;
    u64 tail = tail_;
    while (end - tail > words_) {
      if (get(tail) == kSkip) {
        tail += words_ - tail % words_;
        continue;
      }
      if (tail >= READ_ONCE(consumed_)) WRITE_ONCE(overrun_, overrun_ + 1);
      tail += 2 + (static_cast<u32>(get(tail + 1)) + 7ull) / 8;
    }
    WRITE_ONCE(tail_, tail);
    __atomic_thread_fence(__ATOMIC_RELEASE);  // before anything is overwritten; pairs with the fence in read()
  }

  u64* data_ = nullptr;
  u64 words_ = 0;
  u64 head_ = 0, tail_ = 0;   // the writer's
  u64 consumed_ = 0;          // the consumer's: what lies before was read away
  u64 written_ = 0, overrun_ = 0, read_ = 0;
};
