// LineDiscipline: the terminal line discipline N_TTY, as POSIX chapter 11 and termios(3) describe it. A state machine that takes
// characters and gives characters: it knows no task, lock or file; the terminal (tty.cc) calls it with its lock held.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/bitops.h>
#include <uapi/linux/termios.h>

class LineDiscipline {
 public:
  static constexpr unsigned kSize = 4096;

  // What happens outside. Called with the caller's lock held.
  struct Host {
    virtual void output(const char* s, size_t n) = 0;  // to the line, in order
    virtual void signal(int sig) = 0;                  // to the foreground process group
    virtual void discard_output() = 0;                 // what has not left yet is forgotten

   protected:
    ~Host() = default;
  };

  void reset(Host* host, const termios2& t);
  const termios2& settings() const { return t_; }
  void change_settings(const termios2& t);

  // ---- Input ----
  bool has_room() const;          // false: hold characters back; they would be lost
  void receive(unsigned char c);  // from the line
  void flush_input();

  // How many bytes FIONREAD tells.
  unsigned available() const;
  bool line_ready() const { return canon_head_ != tail_; }
  // Something to read now: a line in canonical mode, else at least `min` characters.
  bool readable(unsigned min) const { return canonical() ? line_ready() : head_ - tail_ >= (min ? min : 1); }
  bool canonical() const { return t_.c_lflag & ICANON; }

  // What one read of n bytes may take: `copy` bytes are handed out, `consume` disappear (an end-of-file mark with them).
  struct Piece {
    unsigned copy, consume;
    bool line_end;
  };
  Piece next_piece(unsigned n) const;
  void copy_out(const Piece& p, char* to) const;
  void consume(const Piece& p) { tail_ += p.consume; }
  unsigned read_position() const { return tail_; }  // changes whenever something was consumed or flushed

  // ---- Output ----
  void write(const char* s, size_t n);  // with output processing
  bool stopped() const { return READ_ONCE(stopped_); }  // also without the caller's lock, as a hint
  void stop() { WRITE_ONCE(stopped_, true); }
  void start() { WRITE_ONCE(stopped_, false); }
  void send_raw(unsigned char c);       // past output processing: flow control characters

 private:
  enum class Erase : unsigned char { Char, Word, Line };

  bool is(unsigned char c, int which) const { return t_.c_cc[which] != 0 && c == t_.c_cc[which]; }
  bool i(unsigned f) const { return t_.c_iflag & f; }
  bool o(unsigned f) const { return t_.c_oflag & f; }
  bool l(unsigned f) const { return t_.c_lflag & f; }
  bool in_utf8(unsigned char c) const { return i(IUTF8) && (c & 0xc0) == 0x80; }
  unsigned char at(unsigned pos) const { return buf_[pos & (kSize - 1)]; }

  void put(unsigned char c);
  void end_line(bool with_char, unsigned char c);
  void accept(unsigned char c);
  bool flow_control(unsigned char c);
  bool signal_character(unsigned char c);
  bool edit_character(unsigned char c);
  void raise_signal(int sig, unsigned char c);
  bool line_end_character(unsigned char c);
  void erase(Erase kind);
  void erase_all_silently(unsigned char c);
  void rub_out(unsigned char c);
  unsigned tab_width_at(unsigned pos) const;
  void reprint();
  void bell();

  void emit(char c);
  void drain();
  void process_output(unsigned char c);
  void echo(unsigned char c);
  void echo_received(unsigned char c);

  Host* host_ = nullptr;
  termios2 t_{};
  // Free-running positions: characters lie in [tail_, head_), complete lines in [tail_, canon_head_).
  unsigned head_ = 0, canon_head_ = 0, tail_ = 0;
  unsigned column_ = 0, canon_column_ = 0;  // of the cursor; where the present input line began
  bool literal_next_ = false, stopped_ = false;
  unsigned pending_ = 0;                    // in out_
  char out_[128];
  unsigned char buf_[kSize];
  DECLARE_BITMAP(line_ends_, kSize);        // the character here ends a line
  DECLARE_BITMAP(eof_marks_, kSize);        // ... and is an end of file, which is not handed out
};

extern const termios2 kInitialTermios;
