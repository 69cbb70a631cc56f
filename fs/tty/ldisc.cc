// The line discipline. Order of treatment of an input character: literal next, flow control, signals, CR/LF mapping, editing,
// end of line, plain.
// SPDX-License-Identifier: Apache-2.0
#include "fs/tty/ldisc.hh"

#include <linux/ctype.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <uapi/linux/signal.h>

const termios2 kInitialTermios = {
    .c_iflag = ICRNL | IXON,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = B9600 | CS8 | CREAD | HUPCL | CLOCAL,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .c_line = 0,
    //       INTR QUIT  ERASE KILL EOF TIME MIN SWTC START STOP SUSP EOL REPRINT DISCARD WERASE LNEXT EOL2
    .c_cc = {3,   0x1c, 0x7f, 21,  4,  0,   1,  0,   17,   19,  26,  0,  18,     15,     23,    22,   0},
    .c_ispeed = 9600,
    .c_ospeed = 9600,
};

namespace {
bool is_control(unsigned char c) { return c < ' ' || c == 0x7f; }
bool is_word(unsigned char c) { return isalnum(c) || c == '_' || c >= 0x80; }
}  // namespace

void LineDiscipline::reset(Host* host, const termios2& t) {
  host_ = host;
  t_ = t;
  column_ = canon_column_ = 0;
  literal_next_ = false;
  start();
  pending_ = 0;
  head_ = canon_head_ = tail_ = 0;
  memset(line_ends_, 0, sizeof(line_ends_));
  memset(eof_marks_, 0, sizeof(eof_marks_));
}

// When canonical mode is turned on or off, what has been typed stays readable: as one line without an end.
void LineDiscipline::change_settings(const termios2& t) {
  bool mode_changed = (t.c_lflag ^ t_.c_lflag) & ICANON;
  t_ = t;
  if (!i(IXON)) start();
  if (!mode_changed) return;
  literal_next_ = false;
  memset(line_ends_, 0, sizeof(line_ends_));
  memset(eof_marks_, 0, sizeof(eof_marks_));
  canon_head_ = tail_;
  if (canonical() && head_ != tail_) {
    __set_bit((head_ - 1) & (kSize - 1), line_ends_);
    canon_head_ = head_;
  }
}

void LineDiscipline::flush_input() {
  tail_ = canon_head_ = head_;
  literal_next_ = false;
}

// In canonical mode an endless line is taken in and cut; but a reader who has lines to read is waited for.
bool LineDiscipline::has_room() const { return head_ - tail_ < kSize - 1 || (canonical() && !line_ready()); }

unsigned LineDiscipline::available() const {
  if (!canonical()) return head_ - tail_;
  unsigned n = 0;
  for (unsigned p = tail_; p != canon_head_; p++) n += !test_bit(p & (kSize - 1), eof_marks_);
  return n;
}

// ---- Input ------------------------------------------------------------------------------------------------------------

void LineDiscipline::bell() {
  if (i(IMAXBEL)) emit('\a');
}

// One place is kept for the end of a line (POSIX {MAX_CANON}); what comes beyond is dropped.
void LineDiscipline::put(unsigned char c) {
  if (head_ - tail_ >= kSize - 1) return bell();
  unsigned slot = head_++ & (kSize - 1);
  buf_[slot] = c;
  __clear_bit(slot, line_ends_);
  __clear_bit(slot, eof_marks_);
}

void LineDiscipline::end_line(bool with_char, unsigned char c) {
  if (head_ - tail_ >= kSize) return bell();
  unsigned slot = head_++ & (kSize - 1);
  buf_[slot] = with_char ? c : 0;
  __set_bit(slot, line_ends_);
  __assign_bit(slot, eof_marks_, !with_char);
  canon_head_ = head_;
}

void LineDiscipline::receive(unsigned char c) {
  if (i(ISTRIP)) c &= 0x7f;
  if (i(IUCLC) && l(IEXTEN)) c = static_cast<unsigned char>(tolower(c));
  accept(c);
  drain();
}

void LineDiscipline::accept(unsigned char c) {
  if (literal_next_) {
    literal_next_ = false;
    echo_received(c);
    return put(c);
  }
  if (flow_control(c) || signal_character(c)) return;
  if (c == '\r') {
    if (i(IGNCR)) return;
    if (i(ICRNL)) c = '\n';
  } else if (c == '\n' && i(INLCR)) {
    c = '\r';
  }
  if (canonical() && (edit_character(c) || line_end_character(c))) return;
  echo_received(c);
  put(c);
  if (c == 0xff && i(PARMRK) && !i(ISTRIP)) put(c);  // told apart from a mark of a bad character
}

bool LineDiscipline::flow_control(unsigned char c) {
  if (!i(IXON)) return false;
  if (is(c, VSTART)) {
    start();
    return true;
  }
  if (is(c, VSTOP)) {
    stop();
    return true;
  }
  if (stopped_ && i(IXANY)) start();
  return false;
}

bool LineDiscipline::signal_character(unsigned char c) {
  if (!l(ISIG)) return false;
  if (is(c, VINTR)) return raise_signal(SIGINT, c), true;
  if (is(c, VQUIT)) return raise_signal(SIGQUIT, c), true;
  if (is(c, VSUSP)) return raise_signal(SIGTSTP, c), true;
  return false;
}

void LineDiscipline::raise_signal(int sig, unsigned char c) {
  if (!l(NOFLSH)) {
    flush_input();
    host_->discard_output();
  }
  start();
  if (l(ECHO)) echo(c);
  host_->signal(sig);
}

bool LineDiscipline::edit_character(unsigned char c) {
  if (is(c, VERASE)) return erase(Erase::Char), true;
  if (is(c, VKILL)) return erase(Erase::Line), true;
  if (!l(IEXTEN)) return false;
  if (is(c, VWERASE)) return erase(Erase::Word), true;
  if (is(c, VLNEXT)) {
    literal_next_ = true;
    if (l(ECHO) && l(ECHOCTL)) {
      process_output('^');
      process_output('\b');
    }
    return true;
  }
  if (is(c, VREPRINT) && l(ECHO)) return reprint(), true;
  return false;
}

bool LineDiscipline::line_end_character(unsigned char c) {
  if (c == '\n') {
    if (l(ECHO) || l(ECHONL)) process_output('\n');
    end_line(true, c);
    return true;
  }
  if (is(c, VEOF)) {
    end_line(false, 0);
    return true;
  }
  if (is(c, VEOL) || (is(c, VEOL2) && l(IEXTEN))) {
    echo_received(c);
    end_line(true, c);
    return true;
  }
  return false;
}

// ---- Editing: the characters in [canon_head_, head_) ---------------------------------------------------------------------

void LineDiscipline::erase_all_silently(unsigned char c) {
  head_ = canon_head_;
  if (!l(ECHO)) return;
  echo(c);
  if (l(ECHOK)) process_output('\n');
}

void LineDiscipline::erase(Erase kind) {
  if (head_ == canon_head_) return;
  if (kind == Erase::Line && !(l(ECHO) && l(ECHOK) && l(ECHOKE) && l(ECHOE))) return erase_all_silently(t_.c_cc[VKILL]);
  bool seen_word = false;
  while (head_ != canon_head_) {
    unsigned start = head_ - 1;
    while (start != canon_head_ && in_utf8(at(start))) start--;  // a whole UTF-8 character
    unsigned char c = at(start);
    if (in_utf8(c)) return;  // no beginning: not a character
    if (kind == Erase::Word) {
      if (is_word(c)) seen_word = true;
      else if (seen_word) return;
    }
    head_ = start;
    if (l(ECHO)) {
      if (kind == Erase::Char && !l(ECHOE)) echo(t_.c_cc[VERASE]);
      else rub_out(c);
    }
    if (kind == Erase::Char) return;
  }
}

// Takes c, which was the character before the cursor, off the screen.
void LineDiscipline::rub_out(unsigned char c) {
  if (c == '\t') {
    for (unsigned n = tab_width_at(head_); n > 0; n--) process_output('\b');
    return;
  }
  bool control = is_control(c);
  if (control && !l(ECHOCTL)) return;
  for (int n = control ? 2 : 1; n > 0; n--) {
    process_output('\b');
    process_output(' ');
    process_output('\b');
  }
}

// How far the tab that stood at pos moved the cursor: what is between it and the last tab, or the start of the line, tells.
unsigned LineDiscipline::tab_width_at(unsigned pos) const {
  unsigned columns = 0, p = pos;
  bool after_tab = false;
  while (p != canon_head_ && !after_tab) {
    unsigned char c = at(--p);
    if (c == '\t') after_tab = true;
    else if (is_control(c)) columns += l(ECHOCTL) ? 2 : 0;
    else if (!in_utf8(c)) columns++;
  }
  if (!after_tab) columns += canon_column_;
  return 8 - (columns & 7);
}

void LineDiscipline::reprint() {
  echo(t_.c_cc[VREPRINT]);
  process_output('\n');
  canon_column_ = column_;
  for (unsigned p = canon_head_; p != head_; p++) echo(at(p));
}

// ---- Reading --------------------------------------------------------------------------------------------------------------

LineDiscipline::Piece LineDiscipline::next_piece(unsigned n) const {
  if (!canonical()) {
    unsigned take = min(n, head_ - tail_);
    return {take, take, false};
  }
  for (unsigned k = 0, ready = canon_head_ - tail_; k < ready; k++) {
    unsigned slot = (tail_ + k) & (kSize - 1);
    if (test_bit(slot, eof_marks_)) return {k, k + 1, true};  // also right behind the n-th byte, so that it is no second EOF
    if (k == n) return {n, n, false};
    if (test_bit(slot, line_ends_)) return {k + 1, k + 1, true};
  }
  unsigned take = min(n, canon_head_ - tail_);
  return {take, take, false};
}

void LineDiscipline::copy_out(const Piece& p, char* to) const {
  unsigned from = tail_ & (kSize - 1), first = min(p.copy, kSize - from);
  memcpy(to, buf_ + from, first);
  memcpy(to + first, buf_, p.copy - first);
}

// ---- Output ---------------------------------------------------------------------------------------------------------------

void LineDiscipline::emit(char c) {
  if (pending_ == sizeof(out_)) drain();
  out_[pending_++] = c;
}
void LineDiscipline::drain() {
  if (pending_) host_->output(out_, pending_);
  pending_ = 0;
}

void LineDiscipline::write(const char* s, size_t n) {
  for (size_t k = 0; k < n; k++) process_output(static_cast<unsigned char>(s[k]));
  drain();
}
void LineDiscipline::send_raw(unsigned char c) {
  emit(static_cast<char>(c));
  drain();
}

void LineDiscipline::process_output(unsigned char c) {
  if (!o(OPOST)) return emit(static_cast<char>(c));
  switch (c) {
    case '\n':
      if (o(ONLCR)) emit('\r');
      if (o(ONLCR) || o(ONLRET)) column_ = 0;
      canon_column_ = column_;
      break;
    case '\r':
      if (o(ONOCR) && column_ == 0) return;
      if (o(OCRNL)) {
        c = '\n';
        if (o(ONLRET)) column_ = canon_column_ = 0;
        break;
      }
      column_ = canon_column_ = 0;
      break;
    case '\t': {
      unsigned width = 8 - (column_ & 7);
      column_ += width;
      if ((t_.c_oflag & TABDLY) == XTABS) {
        while (width--) emit(' ');
        return;
      }
      break;
    }
    case '\b':
      if (column_ > 0) column_--;
      break;
    default:
      if (is_control(c)) break;
      if (o(OLCUC)) c = static_cast<unsigned char>(toupper(c));
      if (!in_utf8(c)) column_++;
  }
  emit(static_cast<char>(c));
}

// Control characters show as ^X where ECHOCTL asks for it.
void LineDiscipline::echo(unsigned char c) {
  if (l(ECHOCTL) && is_control(c) && c != '\t') {
    process_output('^');
    process_output(c ^ 0x40);
    return;
  }
  process_output(c);
}

void LineDiscipline::echo_received(unsigned char c) {
  if (!l(ECHO) || (canonical() && head_ - tail_ >= kSize - 1)) return;
  if (head_ == canon_head_) canon_column_ = column_;
  if (c == '\n') process_output(c);
  else echo(c);
}
