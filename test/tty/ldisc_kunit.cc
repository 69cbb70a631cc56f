// The line discipline against POSIX chapter 11 and termios(3).
// SPDX-License-Identifier: Apache-2.0
#include "fs/tty/ldisc.hh"

#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/signal.h>

#include <initializer_list>
#include <new>

namespace {

struct Fixture final : LineDiscipline::Host {
  LineDiscipline l;
  termios2 t = kInitialTermios;
  char out[6000];  // what came to the line since the last expectation
  size_t out_n = 0;
  int signals[8], signal_n = 0;

  Fixture() { l.reset(this, t); }
  void output(const char* s, size_t n) override {
    if (n > sizeof(out) - 1 - out_n) n = sizeof(out) - 1 - out_n;
    memcpy(out + out_n, s, n);
    out_n += n;
  }
  void signal(int sig) override {
    if (signal_n < 8) signals[signal_n++] = sig;
  }
  void discard_output() override {}

  void apply() { l.change_settings(t); }
  void type(const char* s) {
    for (; *s; s++) l.receive(static_cast<unsigned char>(*s));
  }
  const char* shown() {
    out[out_n] = 0;
    out_n = 0;
    return out;
  }
  // One read of n bytes; what it got, "" for end of file, null if it would wait.
  const char* read(unsigned n = 255) {
    static char buf[256];
    if (!l.readable(1)) return nullptr;
    LineDiscipline::Piece p = l.next_piece(n);
    l.copy_out(p, buf);
    l.consume(p);
    buf[p.copy] = 0;
    return buf;
  }
};

int make(kunit* test) {
  void* mem = kmalloc(sizeof(Fixture), GFP_KERNEL);
  test->priv = mem ? new (mem) Fixture : nullptr;
  return mem ? 0 : -ENOMEM;
}
void drop(kunit* test) { kfree(test->priv); }
Fixture& fixture(kunit* test) { return *static_cast<Fixture*>(test->priv); }
#define F Fixture& f = fixture(test)
#define SHOWS(want) KUNIT_EXPECT_STREQ(test, f.shown(), want)
#define READS(want) KUNIT_EXPECT_STREQ(test, f.read(), want)
#define WAITS() KUNIT_EXPECT_NULL(test, f.read())

void a_line_at_a_time(kunit* test) {
  F;
  f.type("hel");
  WAITS();
  f.type("lo\nwor");
  SHOWS("hello\r\nwor");
  READS("hello\n");
  WAITS();
  f.type("ld\n");
  READS("world\n");
}

void several_lines_one_read_each(kunit* test) {
  F;
  f.type("a\nb\n\n");
  KUNIT_EXPECT_EQ(test, f.l.available(), 5u);
  READS("a\n");
  READS("b\n");
  READS("\n");
  WAITS();
}

void short_reads_take_a_line_in_parts(kunit* test) {
  F;
  f.type("abcdef\n");
  KUNIT_EXPECT_STREQ(test, f.read(4), "abcd");
  KUNIT_EXPECT_STREQ(test, f.read(2), "ef");
  KUNIT_EXPECT_STREQ(test, f.read(4), "\n");
  WAITS();
}

void end_of_file(kunit* test) {
  F;
  f.type("\4");
  SHOWS("");
  KUNIT_EXPECT_EQ(test, f.l.available(), 0u);
  READS("");  // zero bytes
  WAITS();
  f.type("abc\4");
  READS("abc");
  WAITS();  // only one ^D: no end of file yet
  f.type("abc\4");
  KUNIT_EXPECT_STREQ(test, f.read(3), "abc");  // exactly full: the mark goes along
  WAITS();
}

void erase(kunit* test) {
  F;
  f.type("ab\177c\n");
  SHOWS("ab\b \bc\r\n");
  READS("ac\n");
  f.type("\177\177x\n");  // nothing to erase
  SHOWS("x\r\n");
  f.type("done\n\177");  // a finished line is not touched
  SHOWS("done\r\n");
  READS("x\n");
  READS("done\n");
}

void erase_without_echoe(kunit* test) {
  F;
  f.t.c_lflag &= ~static_cast<u32>(ECHOE);
  f.apply();
  f.type("ab\177\n");
  SHOWS("ab^?\r\n");
  READS("a\n");
}

void erase_of_control_characters(kunit* test) {
  F;
  f.type("\26\1\177b\n");  // literal ^A takes two columns
  SHOWS("^\b^A\b \b\b \bb\r\n");
  READS("b\n");
}

void erase_of_a_tab(kunit* test) {
  F;
  f.type("ab\t\177c\n");
  SHOWS("ab\t\b\b\b\b\b\bc\r\n");  // the tab went from column 2 to 8
  READS("abc\n");
  f.l.write("$ ", 2);
  f.shown();
  f.type("a\t\177");
  SHOWS("a\t\b\b\b\b\b");  // the line began in column 2
}

void erase_of_utf8(kunit* test) {
  F;
  f.t.c_iflag |= IUTF8;
  f.apply();
  f.type("a\xc3\xa9\177b\n");
  SHOWS("a\xc3\xa9\b \bb\r\n");
  READS("ab\n");
}

void word_erase(kunit* test) {
  F;
  f.type("one two  \27three\n");
  READS("one three\n");
  f.type("a-b\27c\n");
  READS("a-c\n");
  f.type("x\27\27y\n");
  READS("y\n");
}

void kill(kunit* test) {
  F;
  f.type("abc\25d\n");
  SHOWS("abc\b \b\b \b\b \bd\r\n");
  READS("d\n");
  f.t.c_lflag &= ~static_cast<u32>(ECHOKE);
  f.apply();
  f.type("abc\25d\n");
  SHOWS("abc^U\r\nd\r\n");  // ECHOK: a new line
  READS("d\n");
}

void literal_next(kunit* test) {
  F;
  f.type("a\26\3b\26\26\n");
  KUNIT_EXPECT_EQ(test, f.signal_n, 0);
  READS("a\3b\26\n");
  f.type("\26\nx\n");  // a quoted newline ends no line
  READS("\nx\n");
}

void reprint(kunit* test) {
  F;
  f.type("one\ntwo\22");
  SHOWS("one\r\ntwo^R\r\ntwo");
}

void signals(kunit* test) {
  F;
  f.type("abc\3");
  SHOWS("abc^C");
  f.type("\34\32");
  KUNIT_ASSERT_EQ(test, f.signal_n, 3);
  KUNIT_EXPECT_EQ(test, f.signals[0], SIGINT);
  KUNIT_EXPECT_EQ(test, f.signals[1], SIGQUIT);
  KUNIT_EXPECT_EQ(test, f.signals[2], SIGTSTP);
  f.type("x\n");
  READS("x\n");  // what was typed before is gone
}

void signals_without_flush(kunit* test) {
  F;
  f.t.c_lflag |= NOFLSH;
  f.apply();
  f.type("ab\3c\n");
  KUNIT_EXPECT_EQ(test, f.signal_n, 1);
  READS("abc\n");
}

void no_signals_without_isig(kunit* test) {
  F;
  f.t.c_lflag &= ~static_cast<u32>(ISIG);
  f.apply();
  f.type("\3\n");
  KUNIT_EXPECT_EQ(test, f.signal_n, 0);
  SHOWS("^C\r\n");
  READS("\3\n");
}

void disabled_characters(kunit* test) {
  F;
  f.t.c_cc[VINTR] = 0;
  f.apply();
  f.l.receive(0);  // NUL is not "the interrupt character"
  f.type("\3\n");
  KUNIT_EXPECT_EQ(test, f.signal_n, 0);
  KUNIT_EXPECT_EQ(test, f.l.available(), 3u);
}

void cr_lf_mapping_on_input(kunit* test) {
  F;
  f.type("a\r");
  READS("a\n");  // ICRNL
  f.t.c_iflag = IGNCR;
  f.apply();
  f.type("b\rc\n");
  READS("bc\n");
  f.t.c_iflag = INLCR;
  f.apply();
  f.type("d\n");
  WAITS();  // it is a CR now, and no end of line
  f.t.c_iflag = 0;
  f.apply();
  f.type("e\r\n");
  READS("d\re\r\n");
}

void strip_and_lower(kunit* test) {
  F;
  f.t.c_iflag |= ISTRIP | IUCLC;
  f.apply();
  f.type("A\xc2\n");
  READS("ab\n");
}

void output_mapping(kunit* test) {
  F;
  f.l.write("a\nb", 3);
  SHOWS("a\r\nb");
  f.t.c_oflag = OPOST | OCRNL;
  f.apply();
  f.l.write("a\rb\n", 4);
  SHOWS("a\nb\n");
  f.t.c_oflag = 0;
  f.apply();
  f.l.write("a\nb\tc", 5);
  SHOWS("a\nb\tc");
  f.t.c_oflag = OPOST | ONLCR | OLCUC;
  f.apply();
  f.l.write("\rxyz", 4);
  SHOWS("\rXYZ");
}

void output_tabs(kunit* test) {
  F;
  f.t.c_oflag |= XTABS;
  f.apply();
  f.l.write("\tab\tc", 5);
  SHOWS("        ab      c");
  f.l.write("\b\b\t|", 4);
  SHOWS("\b\b |");  // from column 17 back to 15, and on to 16
}

void no_cr_at_column_zero(kunit* test) {
  F;
  f.t.c_oflag |= ONOCR;
  f.apply();
  f.l.write("\ra\r\r", 4);
  SHOWS("a\r");
}

void echo_modes(kunit* test) {
  F;
  f.t.c_lflag &= ~static_cast<u32>(ECHO);
  f.apply();
  f.type("secret\n");
  SHOWS("");
  READS("secret\n");
  f.t.c_lflag |= ECHONL;
  f.apply();
  f.type("secret\n");
  SHOWS("\r\n");
  f.t.c_lflag |= ECHO;
  f.t.c_lflag &= ~static_cast<u32>(ECHOCTL);
  f.apply();
  f.type("\1a");
  SHOWS("\1a");
}

void flow_control(kunit* test) {
  F;
  f.type("\23");
  KUNIT_EXPECT_TRUE(test, f.l.stopped());
  f.type("a");
  KUNIT_EXPECT_TRUE(test, f.l.stopped());
  f.type("\21");
  KUNIT_EXPECT_FALSE(test, f.l.stopped());
  f.type("\23\3");  // a signal starts it, too
  KUNIT_EXPECT_FALSE(test, f.l.stopped());
  f.t.c_iflag |= IXANY;
  f.apply();
  f.type("\23b");
  KUNIT_EXPECT_FALSE(test, f.l.stopped());
  f.t.c_iflag &= ~static_cast<u32>(IXON);
  f.apply();
  f.type("\23\n");
  KUNIT_EXPECT_FALSE(test, f.l.stopped());
  READS("b\23\n");
}

void other_line_ends(kunit* test) {
  F;
  f.t.c_cc[VEOL] = ';';
  f.t.c_cc[VEOL2] = ':';
  f.apply();
  f.type("a;b:c\n");
  READS("a;");
  READS("b:");
  READS("c\n");
  f.t.c_lflag &= ~static_cast<u32>(IEXTEN);
  f.apply();
  f.type("d:e;");
  READS("d:e;");
}

void without_iexten(kunit* test) {
  F;
  f.t.c_lflag &= ~static_cast<u32>(IEXTEN);
  f.apply();
  f.type("a b\27\26\22\n");
  READS("a b\27\26\22\n");
}

void raw_mode(kunit* test) {
  F;
  f.t.c_lflag &= ~static_cast<u32>(ICANON | ECHO | ISIG | IEXTEN);
  f.t.c_iflag = 0;
  f.apply();
  WAITS();
  f.type("a\3\4\177\r\n");
  KUNIT_EXPECT_EQ(test, f.l.available(), 6u);
  KUNIT_EXPECT_FALSE(test, f.l.readable(7));
  KUNIT_EXPECT_TRUE(test, f.l.readable(6));
  KUNIT_EXPECT_STREQ(test, f.read(2), "a\3");
  READS("\4\177\r\n");
  SHOWS("");
}

// What has been typed survives a change of mode.
void changing_mode(kunit* test) {
  F;
  f.type("half");
  f.t.c_lflag &= ~static_cast<u32>(ICANON);
  f.apply();
  READS("half");
  f.type("raw");
  f.t.c_lflag |= ICANON;
  f.apply();
  READS("raw");
  WAITS();
  f.type("x");
  WAITS();
}

// {MAX_CANON}: a line of 4095 characters and its end; what is beyond is dropped, the end is not.
void longest_line(kunit* test) {
  F;
  f.t.c_lflag &= ~static_cast<u32>(ECHO);
  f.apply();
  for (int i = 0; i < 5000; i++) {
    KUNIT_ASSERT_TRUE(test, f.l.has_room());
    f.l.receive('x');
  }
  f.type("\n");
  KUNIT_EXPECT_EQ(test, f.l.available(), 4096u);
  KUNIT_EXPECT_FALSE(test, f.l.has_room());  // there is a line to read first
  unsigned total = 0;
  const char* last = "";
  while (const char* p = f.read(200)) {
    total += static_cast<unsigned>(strlen(p));
    last = p;
  }
  KUNIT_EXPECT_EQ(test, total, 4096u);
  KUNIT_EXPECT_EQ(test, last[strlen(last) - 1], '\n');
}

void raw_buffer_fills(kunit* test) {
  F;
  f.t.c_lflag = 0;
  f.apply();
  unsigned n = 0;
  while (f.l.has_room()) {
    f.l.receive('x');
    n++;
  }
  KUNIT_EXPECT_EQ(test, n, 4095u);
  f.read(10);
  KUNIT_EXPECT_TRUE(test, f.l.has_room());
}

// Around the end of the ring many times over.
void ring_wraps(kunit* test) {
  F;
  f.t.c_lflag &= ~static_cast<u32>(ECHO);
  f.apply();
  char line[64];
  for (int i = 0; i < 2000; i++) {
    int n = snprintf(line, sizeof(line), "line number %d %.*s\n", i, i % 20, "--------------------");
    f.type(line);
    const char* got = f.read();
    KUNIT_ASSERT_STREQ(test, got, line);
    KUNIT_ASSERT_GT(test, n, 0);
  }
}

void flush(kunit* test) {
  F;
  f.type("a\nb\nc");
  f.l.flush_input();
  WAITS();
  f.type("d\n");
  READS("d\n");
}

void bell_when_full(kunit* test) {
  F;
  f.t.c_iflag |= IMAXBEL;
  f.t.c_lflag &= ~static_cast<u32>(ECHO);
  f.apply();
  for (int i = 0; i < 4095; i++) f.l.receive('x');
  SHOWS("");
  f.l.receive('x');
  SHOWS("\a");
}

// Anything typed, written, read and set, in any order: what is read was typed, counts agree, and nothing is ever stuck for good.
void random_use(kunit* test) {
  F;
  for (int step = 0; step < 20000; step++) {
    switch (prandom_u32_max(16)) {
      case 0: {
        f.t.c_lflag = get_random_u32() & (ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | NOFLSH | ECHOCTL | ECHOKE | IEXTEN);
        f.t.c_iflag = get_random_u32() & (ISTRIP | INLCR | IGNCR | ICRNL | IUCLC | IXON | IXANY | IMAXBEL | IUTF8 | PARMRK);
        f.t.c_oflag = get_random_u32() & (OPOST | OLCUC | ONLCR | OCRNL | ONOCR | ONLRET | XTABS);
        f.apply();
        break;
      }
      case 1:
      case 2: {
        unsigned before = f.l.available();
        const char* got = f.read(1 + prandom_u32_max(200));
        if (got) KUNIT_ASSERT_LE(test, f.l.available(), before);
        break;
      }
      case 3: f.l.write("some\toutput\r\n", 13); break;
      case 4:
        if (prandom_u32_max(20) == 0) f.l.flush_input();
        break;
      default:
        for (unsigned n = prandom_u32_max(100); n > 0 && f.l.has_room(); n--)
          f.l.receive(static_cast<unsigned char>(prandom_u32_max(4) ? 'a' + prandom_u32_max(26) : get_random_u8()));
    }
    f.out_n = f.signal_n = 0;
    KUNIT_ASSERT_LE(test, f.l.available(), LineDiscipline::kSize);
    if (!f.l.has_room()) KUNIT_ASSERT_TRUE(test, f.l.readable(1));  // a full buffer can always be emptied
  }
  f.t = kInitialTermios;
  f.apply();
  f.l.flush_input();
  f.l.start();
  f.type("\nstill alive\n");
  KUNIT_EXPECT_NOT_NULL(test, f.read());
  READS("still alive\n");
}

kunit_case cases[] = {
    KUNIT_CASE(random_use),        KUNIT_CASE(a_line_at_a_time),  KUNIT_CASE(several_lines_one_read_each), KUNIT_CASE(short_reads_take_a_line_in_parts),
    KUNIT_CASE(end_of_file),       KUNIT_CASE(erase),                       KUNIT_CASE(erase_without_echoe),
    KUNIT_CASE(erase_of_control_characters), KUNIT_CASE(erase_of_a_tab),    KUNIT_CASE(erase_of_utf8),
    KUNIT_CASE(word_erase),        KUNIT_CASE(kill),                        KUNIT_CASE(literal_next),
    KUNIT_CASE(reprint),           KUNIT_CASE(signals),                     KUNIT_CASE(signals_without_flush),
    KUNIT_CASE(no_signals_without_isig), KUNIT_CASE(disabled_characters),   KUNIT_CASE(cr_lf_mapping_on_input),
    KUNIT_CASE(strip_and_lower),   KUNIT_CASE(output_mapping),              KUNIT_CASE(output_tabs),
    KUNIT_CASE(no_cr_at_column_zero), KUNIT_CASE(echo_modes),               KUNIT_CASE(flow_control),
    KUNIT_CASE(other_line_ends),   KUNIT_CASE(without_iexten),              KUNIT_CASE(raw_mode),
    KUNIT_CASE(changing_mode),     KUNIT_CASE(longest_line),                KUNIT_CASE(raw_buffer_fills),
    KUNIT_CASE(ring_wraps),        KUNIT_CASE(flush),                       KUNIT_CASE(bell_when_full), {},
};
kunit_suite suite = {.name = "tty_ldisc", .init = make, .exit = drop, .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
