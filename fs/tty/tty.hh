// Terminals: the device behind /dev/console, /dev/ttyS0 and /dev/tty, and who controls it (credentials(7), ioctl_tty(2)).
// How it works and what locks what: fs/tty/README.md.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/wait.h>

#include <span>

#include "fs/tty/ldisc.hh"
#include "init/report.hh"
#include "kernel/task/neighbours.hh"

struct file;
struct pid;

void tty_init();
void tty_quiesce();
void tty_exit(LeakReport& report);

// Characters that were typed. From an interrupt, or with interrupts off.
void console_input(char c);
void console_input(std::span<const char> text);

unsigned tty_devnum(const tty_struct* tty);  // MKDEV form; 0 for null
int tty_pgrp_nr(tty_struct* tty);            // the foreground group's number as current sees it; -1: none. siglock may be held
tty_struct* get_current_tty();          // with a reference; null: none

struct tty_struct final : LineDiscipline::Host {
  refcount_t refs;
  unsigned dev;

  spinlock_t lock;  // ldisc, backlog, window; interrupts off, since input comes from one
  LineDiscipline ldisc;
  unsigned backlog_count;
  char backlog[LineDiscipline::kSize];  // received, but ldisc had no room
  winsize window;
  int pending_signal;  // raised under the lock, sent after it

  spinlock_t ctrl_lock;  // pgrp, session; interrupts off; inside siglock
  struct pid *pgrp, *session;

  wait_queue_head_t read_wait, write_wait;
  struct mutex read_lock, write_lock;  // one reader, one writer at a time
  atomic_t hangups;                    // files opened at an earlier count are hung up
  bool exclusive;                      // TIOCEXCL; lock

  void output(const char* s, size_t n) override;
  void signal(int sig) override { pending_signal = sig; }
  void discard_output() override {}  // output leaves at once
};

// What an open file of a terminal keeps.
struct TtyFile {
  tty_struct* tty;
  int hangups;
  enum class Kind : unsigned char { Line, Console } kind;  // Console: exempt from job control on reading, and from hang-up
};
bool tty_hung_up(const TtyFile* t);

// Controlling terminals: jobctrl.cc. All in process context.
long tty_check_change(tty_struct* tty, int sig);  // may current change (SIGTTOU) or read (SIGTTIN)? 0, -EIO, -ERESTARTSYS
void tty_open_controlling(tty_struct* tty, file* f);
long tty_set_controlling(tty_struct* tty, file* f, unsigned long steal);  // TIOCSCTTY
long tty_get_pgrp_ioctl(tty_struct* tty, int* nr);
long tty_set_pgrp_ioctl(tty_struct* tty, int nr);
long tty_get_sid_ioctl(tty_struct* tty, int* nr);
void tty_signal_foreground(tty_struct* tty, int sig);  // any context
void tty_hangup(tty_struct* tty);                      // SIGHUP, SIGCONT; open files read end of file from now on
void tty_vhangup_self();

// ioctl.cc
u32 baud_of_code(u32 cflag);   // of the CBAUD bits; 0 for BOTHER and unknown ones
u32 code_of_baud(u32 baud);    // BOTHER if there is none
long tty_do_ioctl(file* f, TtyFile* tf, unsigned cmd, unsigned long arg);
