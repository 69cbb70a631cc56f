// The terminal as programs see it: controlling terminals, job control, blocking reads (POSIX 11.1, credentials(7), ioctl_tty(2),
// termios(3)). Characters are typed with TIOCSTI.
// SPDX-License-Identifier: Apache-2.0
#include "fs/tty/tty.hh"

#include <kunit/test.h>
#include <linux/errno.h>
#include <uapi/linux/fcntl.h>
#include <uapi/linux/poll.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>
#include <uapi/linux/termios.h>

#include "arch/contract/arch.hh"
#include "arch/hosted/user.hh"
#include "fs/vfs/vfs.hh"

namespace {

using user::Str;
using user::sys;
using user::Var;

// A program's exit status is the line that failed, 0 if none.
#define MUST(cond)                                              \
  do {                                                          \
    if (!(cond)) return (__LINE__ & 0xff) ? __LINE__ & 0xff : 1; \
  } while (0)
#define PROGRAM(name) \
  long name##_program(unsigned long); \
  void name(kunit* test) { KUNIT_EXPECT_EQ(test, user::run_process(name##_program), 0); } \
  long name##_program(unsigned long)

constexpr long kStopped = 0x7f;  // low byte of a wait status
constexpr int WUNTRACED = 2;
long stopped_by(int sig) { return sig << 8 | kStopped; }

long open(const char* name, int flags = O_RDWR) {
  Str s(name);
  return sys(__NR_open, s.addr(), flags, 0);
}
template <class T>
long ioctl(long fd, unsigned cmd, const Var<T>& v) {
  return sys(__NR_ioctl, fd, cmd, v.addr());
}
long ioctl(long fd, unsigned cmd, unsigned long arg = 0) { return sys(__NR_ioctl, fd, cmd, arg); }

void type(long fd, const char* s) {
  for (; *s; s++) {
    Var<char> c(*s);
    ioctl(fd, TIOCSTI, c);
  }
}
long foreground(long fd) {
  Var<int> v;
  long err = ioctl(fd, TIOCGPGRP, v);
  return err ? err : v.get();
}
long set_foreground(long fd, long pgrp) {
  Var<int> v(static_cast<int>(pgrp));
  return ioctl(fd, TIOCSPGRP, v);
}
struct Buffer {
  char text[16];
};
// read(2) of up to 15 bytes; the text in *out.
long read(long fd, Buffer* out, size_t n = 15) {
  Var<Buffer> b;
  long r = sys(__NR_read, fd, b.addr(), n);
  *out = b.get();
  if (r >= 0) out->text[r] = 0;
  return r;
}
bool equal(const char* a, const char* b) { return __builtin_strcmp(a, b) == 0; }
long write(long fd, const char* s) {
  Str text(s);
  return sys(__NR_write, fd, text.addr(), __builtin_strlen(s));
}
termios settings(long fd) {
  Var<termios> v;
  ioctl(fd, TCGETS, v);
  return v.get();
}
long set(long fd, const termios& t) {
  Var<termios> v(t);
  return ioctl(fd, TCSETS, v);
}
long raw(long fd, u8 min, u8 time) {
  termios t = settings(fd);
  t.c_lflag &= ~static_cast<u32>(ICANON | ECHO);
  t.c_cc[VMIN] = min;
  t.c_cc[VTIME] = time;
  return set(fd, t);
}
// Becomes a session leader that has the terminal open and controls it.
long take_terminal() {
  if (sys(__NR_setsid) < 0) return -1;
  return open("/dev/ttyS0");
}
long wait(long pid, int options = 0) {
  Var<int> status;
  long r = sys(__NR_wait4, pid, status.addr(), options, 0);
  return r == pid ? status.get() : r < 0 ? r : -1;
}
void nap() {  // a few milliseconds
  struct Time {
    long s, ns;
  };
  Var<Time> t(Time{0, 5000000});
  sys(__NR_nanosleep, t.addr(), 0);
}

// ---- Controlling terminal -------------------------------------------------------------------------------------------

PROGRAM(opening_takes_control) {
  MUST(open("/dev/tty") == -ENXIO);
  MUST(sys(__NR_setsid) > 0);
  MUST(open("/dev/tty") == -ENXIO);
  long fd = open("/dev/ttyS0");
  MUST(fd >= 0);
  long pid = sys(__NR_getpid);
  MUST(foreground(fd) == pid);
  Var<int> sid;
  MUST(ioctl(fd, TIOCGSID, sid) == 0 && sid.get() == pid);
  long tty = open("/dev/tty");
  MUST(tty >= 0);
  MUST(foreground(tty) == pid);
  return 0;
}

PROGRAM(not_with_noctty_nor_the_console) {
  MUST(sys(__NR_setsid) > 0);
  long fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
  if (fd < 0) return -fd; if (long x = foreground(fd); x != -ENOTTY) return 100 + (x < 0 ? -x : x);
  long con = open("/dev/console");
  MUST(con >= 0 && foreground(con) == -ENOTTY);
  Var<int> sid;
  MUST(ioctl(fd, TIOCGSID, sid) == -ENOTTY);
  MUST(set_foreground(fd, sys(__NR_getpid)) == -ENOTTY);
  MUST(ioctl(fd, TIOCNOTTY) == -ENOTTY);
  MUST(ioctl(fd, TIOCSCTTY) == 0);
  MUST(foreground(fd) == sys(__NR_getpid));
  MUST(ioctl(fd, TIOCSCTTY) == 0);  // has it already
  return 0;
}

long takes_by_ioctl(unsigned long steal) {
  long fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY);
  MUST(fd >= 0);
  MUST(ioctl(fd, TIOCSCTTY, 0) == -EPERM);  // no session leader
  MUST(sys(__NR_setsid) > 0);
  MUST(ioctl(fd, TIOCSCTTY, 0) == -EPERM);  // belongs to another session
  if (!steal) return 0;
  MUST(ioctl(fd, TIOCSCTTY, 1) == 0);
  MUST(foreground(fd) == sys(__NR_getpid));
  return 0;
}
PROGRAM(one_session_at_a_time) {
  long fd = take_terminal();
  MUST(fd >= 0);
  MUST(wait(user::fork(takes_by_ioctl, 0)) == 0);
  MUST(foreground(fd) == sys(__NR_getpid));
  MUST(wait(user::fork(takes_by_ioctl, 1)) == 0);
  MUST(foreground(fd) == -EIO);  // the thief is dead, and with it what was open
  MUST(open("/dev/tty") == -ENXIO);
  return 0;
}

// ---- Reading and writing ----------------------------------------------------------------------------------------------

PROGRAM(reads_lines) {
  long fd = take_terminal();
  Buffer b;
  type(fd, "ab\177c\nrest\n");
  MUST(read(fd, &b) == 3 && equal(b.text, "ac\n"));
  MUST(read(fd, &b, 2) == 2 && equal(b.text, "re"));
  MUST(read(fd, &b) == 3 && equal(b.text, "st\n"));
  type(fd, "\4");
  MUST(read(fd, &b) == 0);
  MUST(write(fd, "hello\n") == 6);
  return 0;
}

long types_later(unsigned long fd) {
  nap();
  type(static_cast<long>(fd), "late\n");
  return 0;
}
PROGRAM(blocking_read_is_woken) {
  long fd = take_terminal();
  long child = user::fork(types_later, static_cast<unsigned long>(fd));
  Buffer b;
  MUST(read(fd, &b) == 5 && equal(b.text, "late\n"));
  return wait(child);
}

PROGRAM(non_blocking_read) {
  sys(__NR_setsid);
  long fd = open("/dev/ttyS0", O_RDWR | O_NONBLOCK);
  Buffer b;
  MUST(read(fd, &b) == -EAGAIN);
  type(fd, "x");
  MUST(read(fd, &b) == -EAGAIN);  // no line yet
  type(fd, "\n");
  MUST(read(fd, &b) == 2);
  return 0;
}

// termios(3): the four cases of VMIN and VTIME.
PROGRAM(min_and_time) {
  long fd = take_terminal();
  Buffer b;
  MUST(raw(fd, 0, 0) == 0);
  MUST(read(fd, &b) == 0);
  type(fd, "abc");
  MUST(read(fd, &b, 2) == 2);
  MUST(read(fd, &b) == 1);
  MUST(raw(fd, 0, 1) == 0);
  MUST(read(fd, &b) == 0);  // after a tenth of a second
  type(fd, "d");
  MUST(read(fd, &b) == 1);
  MUST(raw(fd, 3, 1) == 0);
  type(fd, "ef");
  MUST(read(fd, &b) == 2);  // the time between bytes ran out
  MUST(raw(fd, 2, 0) == 0);
  type(fd, "gh");
  MUST(read(fd, &b) == 2);
  long child = user::fork(types_later, static_cast<unsigned long>(fd));
  MUST(read(fd, &b, 3) >= 2);
  return wait(child);
}

PROGRAM(bad_address_loses_nothing) {
  long fd = take_terminal();
  Buffer b;
  type(fd, "keep\n");
  MUST(sys(__NR_read, fd, 8, 10) == -EFAULT);
  MUST(read(fd, &b) == 5 && equal(b.text, "keep\n"));
  MUST(sys(__NR_write, fd, 8, 10) == -EFAULT);
  MUST(ioctl(fd, TCGETS, 8) == -EFAULT);
  MUST(ioctl(fd, 0x1234) == -ENOTTY);
  MUST(sys(__NR_lseek, fd, 0, 0) == -ESPIPE);
  return 0;
}

PROGRAM(poll_and_fionread) {
  long fd = take_terminal();
  struct Poll {
    int fd;
    short events, revents;
  };
  Var<Poll> p(Poll{static_cast<int>(fd), POLLIN | POLLOUT, 0});
  MUST(sys(__NR_poll, p.addr(), 1, 0) == 1 && p.get().revents == POLLOUT);
  type(fd, "ab");
  MUST(sys(__NR_poll, p.addr(), 1, 0) == 1 && p.get().revents == POLLOUT);
  type(fd, "\n");
  MUST(sys(__NR_poll, p.addr(), 1, 0) == 1 && p.get().revents == (POLLIN | POLLOUT));
  Var<int> n;
  MUST(ioctl(fd, FIONREAD, n) == 0 && n.get() == 3);
  MUST(ioctl(fd, TCFLSH, 5) == -EINVAL);
  MUST(ioctl(fd, TCFLSH, TCIFLUSH) == 0);
  MUST(ioctl(fd, FIONREAD, n) == 0 && n.get() == 0);
  return 0;
}

PROGRAM(stopped_output) {
  sys(__NR_setsid);
  long fd = open("/dev/ttyS0", O_RDWR | O_NONBLOCK);
  type(fd, "\23");
  MUST(write(fd, "x") == -EAGAIN);
  type(fd, "\21");
  MUST(write(fd, "x") == 1);
  MUST(ioctl(fd, TCXONC, TCOOFF) == 0);
  MUST(write(fd, "x") == -EAGAIN);
  MUST(ioctl(fd, TCXONC, TCOON) == 0);
  MUST(write(fd, "x") == 1);
  MUST(ioctl(fd, TCXONC, 9) == -EINVAL);
  return 0;
}

PROGRAM(settings_stay) {
  long fd = take_terminal();
  termios t = settings(fd);
  MUST(t.c_lflag & ICANON && t.c_cc[VINTR] == 3);
  t.c_cc[VINTR] = 24;
  t.c_lflag |= NOFLSH;
  MUST(set(fd, t) == 0);
  long other = open("/dev/tty");
  termios u = settings(other);
  MUST(u.c_cc[VINTR] == 24 && u.c_lflag == t.c_lflag);
  // TCSETSF throws input away.
  type(fd, "abc\n");
  Var<termios> v(t);
  MUST(ioctl(fd, TCSETSF, v) == 0);
  Var<int> n;
  MUST(ioctl(fd, FIONREAD, n) == 0 && n.get() == 0);
  Var<termios2> t2;
  MUST(ioctl(fd, TCGETS2, t2) == 0 && t2.get().c_ospeed == 9600);
  t.c_cflag = (t.c_cflag & ~static_cast<u32>(CBAUD)) | B115200;
  MUST(set(fd, t) == 0);
  MUST(ioctl(fd, TCGETS2, t2) == 0 && t2.get().c_ospeed == 115200);
  return 0;
}

// ---- Job control ---------------------------------------------------------------------------------------------------------

long reads_in_background(unsigned long fd) {
  sys(__NR_setpgid, 0, 0);
  Buffer b;
  MUST(read(static_cast<long>(fd), &b) == 3);
  MUST(equal(b.text, "hi\n"));
  return 0;
}
PROGRAM(background_read_stops) {
  long fd = take_terminal();
  long child = user::fork(reads_in_background, static_cast<unsigned long>(fd));
  MUST(wait(child, WUNTRACED) == stopped_by(SIGTTIN));
  MUST(set_foreground(fd, child) == 0);
  MUST(foreground(fd) == child);
  type(fd, "hi\n");
  MUST(sys(__NR_kill, -child, SIGCONT) == 0);
  return wait(child);
}

long reads_and_ignores(unsigned long fd) {
  sys(__NR_setpgid, 0, 0);
  user::sigaction(SIGTTIN, 1ul);
  Buffer b;
  MUST(read(static_cast<long>(fd), &b) == -EIO);
  return 0;
}
PROGRAM(background_read_that_ignores_gets_eio) {
  long fd = take_terminal();
  return wait(user::fork(reads_and_ignores, static_cast<unsigned long>(fd)));
}

long writes_in_background(unsigned long fd) {
  sys(__NR_setpgid, 0, 0);
  MUST(write(static_cast<long>(fd), "bg\n") == 3);
  return 0;
}
long writes_and_blocks(unsigned long fd) {
  user::sigaction(SIGTTOU, 1ul);
  return writes_in_background(fd);
}
PROGRAM(background_write) {
  long fd = take_terminal();
  MUST(wait(user::fork(writes_in_background, static_cast<unsigned long>(fd))) == 0);
  termios t = settings(fd);
  t.c_lflag |= TOSTOP;
  MUST(set(fd, t) == 0);
  long child = user::fork(writes_in_background, static_cast<unsigned long>(fd));
  MUST(wait(child, WUNTRACED) == stopped_by(SIGTTOU));
  MUST(set_foreground(fd, child) == 0);
  // Now we are in the background, and to change that we must not be stopped by it.
  user::sigaction(SIGTTOU, 1ul);
  MUST(sys(__NR_kill, -child, SIGCONT) == 0);
  MUST(wait(child) == 0);
  MUST(set_foreground(fd, sys(__NR_getpid)) == 0);
  return wait(user::fork(writes_and_blocks, static_cast<unsigned long>(fd)));
}

long takes_foreground(unsigned long fd) {
  sys(__NR_setpgid, 0, 0);
  MUST(set_foreground(static_cast<long>(fd), sys(__NR_getpid)) == 0);
  return 0;
}
long sits_in_another_session(unsigned long) {
  sys(__NR_setsid);
  for (;;) nap();
}
PROGRAM(setting_the_foreground_group) {
  long fd = take_terminal();
  long child = user::fork(takes_foreground, static_cast<unsigned long>(fd));
  MUST(wait(child, WUNTRACED) == stopped_by(SIGTTOU));
  MUST(set_foreground(fd, child) == 0);
  sys(__NR_kill, -child, SIGCONT);
  MUST(wait(child) == 0);
  user::sigaction(SIGTTOU, 1ul);
  MUST(set_foreground(fd, 99999) == -ESRCH);
  MUST(set_foreground(fd, -1) == -EINVAL);
  child = user::fork(sits_in_another_session);
  nap();
  MUST(set_foreground(fd, child) == -EPERM);
  sys(__NR_kill, child, SIGKILL);
  wait(child);
  return 0;
}

long sleeps(unsigned long) {
  sys(__NR_setpgid, 0, 0);
  for (;;) nap();
}
PROGRAM(signal_characters_reach_the_foreground) {
  long fd = take_terminal();
  long child = user::fork(sleeps);
  sys(__NR_setpgid, child, child);
  MUST(set_foreground(fd, child) == 0);
  type(fd, "\32");
  MUST(wait(child, WUNTRACED) == stopped_by(SIGTSTP));
  sys(__NR_kill, child, SIGCONT);
  type(fd, "\34");
  MUST((wait(child) & 0x7f) == SIGQUIT);
  child = user::fork(sleeps);
  sys(__NR_setpgid, child, child);
  user::sigaction(SIGTTOU, 1ul);
  MUST(set_foreground(fd, child) == 0);
  type(fd, "\3");
  MUST((wait(child) & 0x7f) == SIGINT);
  return 0;  // we were in the background, and live
}

int caught;
void note(int sig, unsigned long, unsigned long) { caught = sig; }
PROGRAM(window_size) {
  long fd = take_terminal();
  user::sigaction(SIGWINCH, note);
  caught = 0;
  Var<winsize> w(winsize{24, 80, 0, 0});
  MUST(ioctl(fd, TIOCSWINSZ, w) == 0);
  MUST(caught == SIGWINCH);
  caught = 0;
  MUST(ioctl(fd, TIOCSWINSZ, w) == 0);
  MUST(caught == 0);  // nothing changed
  w.set({});
  MUST(ioctl(fd, TIOCGWINSZ, w) == 0 && w.get().ws_col == 80 && w.get().ws_row == 24);
  return 0;
}

long interrupts_parent(unsigned long) {
  nap();
  sys(__NR_kill, sys(__NR_getppid), SIGUSR1);
  return 0;
}
PROGRAM(signals_interrupt_a_read) {
  long fd = take_terminal();
  Buffer b;
  user::sigaction(SIGUSR1, note);  // no SA_RESTART
  long child = user::fork(interrupts_parent);
  MUST(read(fd, &b) == -EINTR);
  return wait(child);
}

// ---- Orphans, hang-up --------------------------------------------------------------------------------------------------

long orphan_reads(unsigned long result) {
  sys(__NR_setpgid, 0, 0);
  for (int i = 0; i < 20; i++) nap();  // until the parent is gone
  long fd = open("/dev/tty");
  Buffer b;
  user::poke<int>(result, fd < 0 ? 1 : static_cast<int>(read(fd, &b)));
  return 0;
}
long leaves_an_orphan(unsigned long result) {
  // A new mapping shared with the grandchild: vfork-like sharing by CLONE_VM.
  user::clone(CLONE_VM | SIGCHLD, user::thread_stack(), orphan_reads, result);
  return 0;
}
PROGRAM(orphaned_group_gets_eio) {
  long fd = take_terminal();
  MUST(fd >= 0);
  unsigned long result = user::map(4096);
  user::poke<int>(result, 0);
  long child = user::clone(CLONE_VM | SIGCHLD, user::thread_stack(), leaves_an_orphan, result);
  MUST(wait(child) == 0);
  for (int i = 0; i < 200 && user::peek<int>(result) == 0; i++) nap();
  MUST(user::peek<int>(result) == -EIO);
  return 0;
}

struct Watch {
  int hup, read, write, reopened;
};
unsigned long watch_at;
void note_hup(int, unsigned long, unsigned long) { user::poke<int>(watch_at, 1); }
long survives_hangup(unsigned long) {
  long fd = open("/dev/tty");
  user::sigaction(SIGHUP, note_hup);
  sys(__NR_kill, sys(__NR_getppid), SIGUSR1);  // ready
  while (!user::peek<int>(watch_at)) nap();
  Buffer b;
  Watch w{1, static_cast<int>(read(fd, &b)), static_cast<int>(write(fd, "x")), 0};
  w.reopened = static_cast<int>(open("/dev/tty"));
  user::poke(watch_at, w);
  return 0;
}
long leader_dies(unsigned long) {
  if (take_terminal() < 0) return 1;
  user::sigaction(SIGUSR1, note);
  caught = 0;
  user::clone(CLONE_VM | SIGCHLD, user::thread_stack(), survives_hangup, 0);
  while (caught != SIGUSR1) nap();
  return 0;
}
PROGRAM(death_of_the_leader_hangs_up) {
  watch_at = user::map(4096);
  user::poke(watch_at, Watch{});
  long child = user::clone(CLONE_VM | SIGCHLD, user::thread_stack(), leader_dies, 0);
  MUST(wait(child) == 0);
  for (int i = 0; i < 200 && user::peek<Watch>(watch_at).reopened == 0; i++) nap();
  Watch w = user::peek<Watch>(watch_at);
  MUST(w.hup == 1);
  MUST(w.read == 0);
  MUST(w.write == -EIO);
  MUST(w.reopened == -ENXIO);
  MUST(take_terminal() >= 0);  // it is free again
  return 0;
}

PROGRAM(giving_the_terminal_up) {
  long fd = take_terminal();
  user::sigaction(SIGHUP, note);
  caught = 0;
  MUST(ioctl(fd, TIOCNOTTY) == 0);
  MUST(caught == SIGHUP);
  MUST(open("/dev/tty") == -ENXIO);
  MUST(foreground(fd) == -ENOTTY);
  MUST(ioctl(fd, TIOCSCTTY) == 0);
  return 0;
}

PROGRAM(exclusive_use) {
  long fd = take_terminal();
  MUST(ioctl(fd, TIOCEXCL) == 0);
  Var<int> v;
  MUST(ioctl(fd, TIOCGEXCL, v) == 0 && v.get() == 1);
  MUST(open("/dev/ttyS0") >= 0);  // we are the superuser
  MUST(sys(__NR_setuid, 1000) == 0);
  MUST(open("/dev/tty") == -EBUSY);
  MUST(ioctl(fd, TIOCNXCL) == 0);
  MUST(open("/dev/tty") >= 0);
  return 0;
}

// Typed from the kernel's side, as an interrupt would, faster than anybody reads: what does not fit waits, nothing is lost.
long counts_input(unsigned long) {
  long fd = open("/dev/ttyS0");
  raw(fd, 1, 0);
  Buffer b;
  long total = 0;
  while (total < 6000) {
    long n = read(fd, &b);
    if (n <= 0) return 1;
    for (long i = 0; i < n; i++)
      if (b.text[i] != 'a' + (total + i) % 26) return 2;
    total += n;
  }
  return 0;
}
void more_than_fits(kunit* test) {
  long pid = user::start_process(counts_input);
  KUNIT_ASSERT_GT(test, pid, 0L);
  // Wait for raw mode: in canonical mode the line would be cut.
  for (int i = 0; i < 100; i++) schedule_timeout_uninterruptible(1);
  for (int i = 0; i < 6000; i++) {
    unsigned long flags = arch::irq_save();
    console_input(static_cast<char>('a' + i % 26));
    arch::irq_restore(flags);
  }
  KUNIT_EXPECT_EQ(test, user::wait_process(pid), 0L);
}

kunit_case cases[] = {
    KUNIT_CASE(opening_takes_control),       KUNIT_CASE(not_with_noctty_nor_the_console),
    KUNIT_CASE(one_session_at_a_time),       KUNIT_CASE(reads_lines),
    KUNIT_CASE(blocking_read_is_woken),      KUNIT_CASE(non_blocking_read),
    KUNIT_CASE(min_and_time),                KUNIT_CASE(bad_address_loses_nothing),
    KUNIT_CASE(poll_and_fionread),           KUNIT_CASE(stopped_output),
    KUNIT_CASE(settings_stay),               KUNIT_CASE(background_read_stops),
    KUNIT_CASE(background_read_that_ignores_gets_eio), KUNIT_CASE(background_write),
    KUNIT_CASE(setting_the_foreground_group), KUNIT_CASE(signal_characters_reach_the_foreground),
    KUNIT_CASE(window_size),                 KUNIT_CASE(signals_interrupt_a_read),
    KUNIT_CASE(orphaned_group_gets_eio),     KUNIT_CASE(death_of_the_leader_hangs_up),
    KUNIT_CASE(giving_the_terminal_up),      KUNIT_CASE(exclusive_use),
    KUNIT_CASE(more_than_fits), {},
};
kunit_suite suite = {.name = "tty", .test_cases = cases, .world = {.cpus = 3, .seeds = 8}};
kunit_test_suite(suite);

}  // namespace
