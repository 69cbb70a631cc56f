// The terminal device: input from the line, read, write, poll, open and release.
// SPDX-License-Identifier: Apache-2.0
#include "fs/tty/tty.hh"

#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "arch/contract/arch.hh"
#include "fs/dev/dev.hh"
#include "fs/vfs/poll.hh"
#include "fs/vfs/vfs.hh"
#include "init/params.hh"
#include "kernel/cred/cred.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "lib/late.hh"

namespace {

constexpr unsigned kDevConsole = MKDEV(5, 1), kDevTty = MKDEV(5, 0), kDevSerial = MKDEV(4, 64);

// The one terminal there is.
constinit Late<tty_struct> console_tty;

TtyFile* tty_file(file* f) { return static_cast<TtyFile*>(f->private_data); }

// ---- Input ------------------------------------------------------------------------------------------------------------

// Moves what has been held back into the line discipline, as far as there is room. lock held.
void feed_backlog(tty_struct* tty) {
  unsigned n = 0;
  while (n < tty->backlog_count && tty->ldisc.has_room()) tty->ldisc.receive(static_cast<unsigned char>(tty->backlog[n++]));
  tty->backlog_count -= n;
  memmove(tty->backlog, tty->backlog + n, tty->backlog_count);
}

// What has come of input, once the lock is dropped.
void after_input(tty_struct* tty, int sig) {
  if (sig) tty_signal_foreground(tty, sig);
  // A full barrier each: what was stored under the lock comes before the look at who sleeps (pairs with prepare_to_wait).
  if (wq_has_sleeper(&tty->read_wait)) __wake_up(&tty->read_wait, TASK_NORMAL, 1, poll_to_key(EPOLLIN | EPOLLRDNORM));
  if (wq_has_sleeper(&tty->write_wait)) __wake_up(&tty->write_wait, TASK_NORMAL, 1, poll_to_key(EPOLLOUT | EPOLLWRNORM));
}

void receive_one(tty_struct* tty, char c) {
  int sig;
  {
    IrqSpinGuard guard(tty->lock);
    tty->pending_signal = 0;
    if (tty->backlog_count == 0 && tty->ldisc.has_room()) {
      tty->ldisc.receive(static_cast<unsigned char>(c));
    } else if (tty->backlog_count < sizeof(tty->backlog)) {
      tty->backlog[tty->backlog_count++] = c;
      feed_backlog(tty);
    }
    sig = tty->pending_signal;
  }
  after_input(tty, sig);
}

}  // namespace

void console_input(char c) {
  if (console_tty) receive_one(console_tty.get(), c);
}
void console_input(std::span<const char> text) {
  for (char c : text) console_input(c);
}
void tty_insert_char(tty_struct* tty, char c) { receive_one(tty, c); }

// The console makes CR LF of LF itself.
void tty_struct::output(const char* s, size_t n) {
  size_t from = 0;
  for (size_t k = 0; k + 1 < n; k++)
    if (s[k] == '\r' && s[k + 1] == '\n') {
      arch::console_write({s + from, k - from});
      from = k + 1;
    }
  arch::console_write({s + from, n - from});
}

bool tty_hung_up(const TtyFile* t) { return t->kind == TtyFile::Kind::Line && atomic_read(&t->tty->hangups) != t->hangups; }

namespace {

// ---- Reading ----------------------------------------------------------------------------------------------------------

// VMIN and VTIME of one read (termios(3), "Canonical and noncanonical mode").
struct ReadLimits {
  unsigned minimum;    // bytes after which it returns
  long timeout;        // jiffies until the first byte
  long between_bytes;  // jiffies from one byte to the next; 0: no limit
};
ReadLimits read_limits(const LineDiscipline& l, size_t n) {
  if (l.canonical()) return {1, MAX_SCHEDULE_TIMEOUT, 0};
  long time = l.settings().c_cc[VTIME] * HZ / 10;
  unsigned min = l.settings().c_cc[VMIN];
  if (!min) return {1, time, 0};
  return {static_cast<unsigned>(min_t(size_t, min, n)), MAX_SCHEDULE_TIMEOUT, time};
}

struct Taken {
  ssize_t bytes;  // or -EFAULT
  bool any, line_end;
};
// Copies what is ready, at most one line or one buffer.
Taken take_input(tty_struct* tty, iov_iter* to) {
  char chunk[256];
  LineDiscipline::Piece p;
  unsigned position;
  {
    IrqSpinGuard guard(tty->lock);
    if (!tty->ldisc.readable(1)) return {0, false, false};
    p = tty->ldisc.next_piece(static_cast<unsigned>(min(iov_iter_count(to), sizeof(chunk))));
    tty->ldisc.copy_out(p, chunk);
    position = tty->ldisc.read_position();
  }
  size_t n = copy_to_iter(chunk, p.copy, to);
  if (n < p.copy) return {-EFAULT, true, true};
  int sig;
  {
    IrqSpinGuard guard(tty->lock);
    tty->pending_signal = 0;
    if (tty->ldisc.read_position() == position) tty->ldisc.consume(p);  // not flushed meanwhile
    feed_backlog(tty);
    sig = tty->pending_signal;
  }
  if (sig) tty_signal_foreground(tty, sig);
  return {static_cast<ssize_t>(n), true, p.line_end};
}

ssize_t read_loop(tty_struct* tty, TtyFile* tf, file* f, iov_iter* to) {
  ReadLimits limits;
  bool canonical;
  {
    IrqSpinGuard guard(tty->lock);
    limits = read_limits(tty->ldisc, iov_iter_count(to));
    canonical = tty->ldisc.canonical();
  }
  ssize_t done = 0, error = 0;
  DEFINE_WAIT_FUNC(wait, woken_wake_function);
  add_wait_queue(&tty->read_wait, &wait);
  while (iov_iter_count(to)) {
    Taken t = take_input(tty, to);
    if (t.bytes < 0) {
      error = t.bytes;
      break;
    }
    done += t.bytes;
    if (t.any) {
      if (t.line_end || (!canonical && done >= limits.minimum)) break;
      if (limits.between_bytes) limits.timeout = limits.between_bytes;
      continue;
    }
    if (canonical && done) break;
    if (tty_hung_up(tf) || !limits.timeout) break;
    if (f->f_flags & O_NONBLOCK) error = -EAGAIN;
    else if (signal_pending(current)) error = -ERESTARTSYS;
    else error = tf->kind == TtyFile::Kind::Console ? 0 : tty_check_change(tty, SIGTTIN);
    if (error) break;
    limits.timeout = wait_woken(&wait, TASK_INTERRUPTIBLE, limits.timeout);
  }
  remove_wait_queue(&tty->read_wait, &wait);
  return done ? done : error;
}

ssize_t tty_read_iter(kiocb* iocb, iov_iter* to) {
  file* f = iocb->ki_filp;
  TtyFile* tf = tty_file(f);
  tty_struct* tty = tf->tty;
  if (tty_hung_up(tf)) return 0;
  if (tf->kind != TtyFile::Kind::Console)
    if (long err = tty_check_change(tty, SIGTTIN)) return err;
  if (f->f_flags & O_NONBLOCK) {
    if (!mutex_trylock(&tty->read_lock)) return -EAGAIN;
  } else if (mutex_lock_interruptible(&tty->read_lock)) {
    return -ERESTARTSYS;
  }
  ssize_t n = read_loop(tty, tf, f, to);
  mutex_unlock(&tty->read_lock);
  return n;
}

// ---- Writing ----------------------------------------------------------------------------------------------------------

// Waits while output is stopped (^S).
long wait_for_output(tty_struct* tty, TtyFile* tf, file* f) {
  while (true) {
    {
      IrqSpinGuard guard(tty->lock);
      if (!tty->ldisc.stopped()) return 0;
    }
    if (tty_hung_up(tf)) return -EIO;
    if (f->f_flags & O_NONBLOCK) return -EAGAIN;
    long err = wait_event_interruptible(tty->write_wait, !tty->ldisc.stopped() || tty_hung_up(tf));
    if (err) return err;
  }
}

ssize_t write_loop(tty_struct* tty, TtyFile* tf, file* f, iov_iter* from) {
  ssize_t done = 0;
  while (iov_iter_count(from)) {
    if (long err = wait_for_output(tty, tf, f)) return done ? done : err;
    char chunk[128];
    size_t n = copy_from_iter(chunk, min(iov_iter_count(from), sizeof(chunk)), from);
    if (!n) return done ? done : -EFAULT;
    IrqSpinGuard guard(tty->lock);
    tty->ldisc.write(chunk, n);
    done += static_cast<ssize_t>(n);
  }
  return done;
}

ssize_t tty_write_iter(kiocb* iocb, iov_iter* from) {
  file* f = iocb->ki_filp;
  TtyFile* tf = tty_file(f);
  tty_struct* tty = tf->tty;
  if (tty_hung_up(tf)) return -EIO;
  if (tf->kind != TtyFile::Kind::Console && (READ_ONCE(tty->ldisc.settings().c_lflag) & TOSTOP))
    if (long err = tty_check_change(tty, SIGTTOU)) return err;
  if (f->f_flags & O_NONBLOCK) {
    if (!mutex_trylock(&tty->write_lock)) return -EAGAIN;
  } else if (mutex_lock_interruptible(&tty->write_lock)) {
    return -ERESTARTSYS;
  }
  ssize_t n = write_loop(tty, tf, f, from);
  mutex_unlock(&tty->write_lock);
  return n;
}

// ---- Poll, open, release ----------------------------------------------------------------------------------------------

__poll_t tty_poll(file* f, poll_table* pt) {
  TtyFile* tf = tty_file(f);
  tty_struct* tty = tf->tty;
  poll_wait(f, &tty->read_wait, pt);
  poll_wait(f, &tty->write_wait, pt);
  if (tty_hung_up(tf)) return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
  IrqSpinGuard guard(tty->lock);
  const termios2& t = tty->ldisc.settings();
  __poll_t mask = 0;
  if (tty->ldisc.readable(t.c_cc[VTIME] ? 1 : t.c_cc[VMIN])) mask |= EPOLLIN | EPOLLRDNORM;
  if (!tty->ldisc.stopped()) mask |= EPOLLOUT | EPOLLWRNORM;
  return mask;
}

tty_struct* tty_of_device(unsigned dev) { return dev == kDevTty ? get_current_tty() : tty_kref_get(console_tty.get()); }

bool refused_by_exclusive(tty_struct* tty) {
  IrqSpinGuard guard(tty->lock);
  return tty->exclusive && !capable(CAP_SYS_ADMIN);
}

int tty_open(inode* i, file* f) {
  unsigned dev = i->i_rdev;
  tty_struct* tty = tty_of_device(dev);
  if (!tty) return -ENXIO;
  auto* tf = static_cast<TtyFile*>(kmalloc(sizeof(TtyFile), GFP_KERNEL));
  int err = !tf ? -ENOMEM : refused_by_exclusive(tty) ? -EBUSY : 0;
  if (err) {
    kfree(tf);
    tty_kref_put(tty);
    return err;
  }
  *tf = {tty, atomic_read(&tty->hangups), dev == kDevConsole ? TtyFile::Kind::Console : TtyFile::Kind::Line};
  f->private_data = tf;
  nonseekable_open(i, f);
  if (!(f->f_flags & O_NOCTTY) && dev != kDevConsole) tty_open_controlling(tty, f);
  return 0;
}

int tty_release(inode*, file* f) {
  TtyFile* tf = tty_file(f);
  tty_kref_put(tf->tty);
  kfree(tf);
  return 0;
}

long tty_ioctl(file* f, unsigned cmd, unsigned long arg) { return tty_do_ioctl(f, tty_file(f), cmd, arg); }

constexpr file_operations kTtyFops = {
    .llseek = no_llseek,
    .read_iter = tty_read_iter,
    .write_iter = tty_write_iter,
    .poll = tty_poll,
    .unlocked_ioctl = tty_ioctl,
    .open = tty_open,
    .release = tty_release,
};

struct Node {
  const char* name;
  unsigned dev;
  umode_t mode;
};
constexpr Node kNodes[] = {{"tty", kDevTty, 0666}, {"console", kDevConsole, 0600}, {"ttyS0", kDevSerial, 0600}};

// What "console=ttyS0,115200n8" says of the line; 9600 bits per second if nothing.
termios2 settings_from_boot() {
  termios2 t = kInitialTermios;
  std::string_view console;
  size_t comma;
  if (!boot_param("console", &console) || (comma = console.find(',')) == std::string_view::npos) return t;
  u32 baud = 0;
  for (char c : console.substr(comma + 1)) {
    if (c < '0' || c > '9') break;
    baud = baud * 10 + static_cast<u32>(c - '0');
  }
  if (!baud) return t;
  t.c_cflag = (t.c_cflag & ~static_cast<u32>(CBAUD)) | code_of_baud(baud);
  t.c_ispeed = t.c_ospeed = baud;
  return t;
}

}  // namespace

tty_struct* tty_kref_get(tty_struct* tty) {
  if (tty) refcount_inc(&tty->refs);
  return tty;
}
// The terminal itself is never freed: the count tells whether all who used it are gone.
void tty_kref_put(tty_struct* tty) {
  if (tty && refcount_dec_and_test(&tty->refs)) BUG();
}

unsigned tty_devnum(const tty_struct* tty) { return tty ? tty->dev : 0; }

void tty_init() {
  tty_struct& t = console_tty.construct();
  refcount_set(&t.refs, 1);
  t.dev = kDevSerial;
  spin_lock_init(&t.lock);
  spin_lock_init(&t.ctrl_lock);
  mutex_init(&t.read_lock);
  mutex_init(&t.write_lock);
  init_waitqueue_head(&t.read_wait);
  init_waitqueue_head(&t.write_wait);
  t.ldisc.reset(&t, settings_from_boot());
  for (const Node& n : kNodes)
    if (int err = device_register(n.name, n.dev, n.mode, &kTtyFops)) pr_err("tty: cannot make /dev/%s: %d\n", n.name, err);
}

void tty_quiesce() {
  for (const Node& n : kNodes) device_unregister(n.name, n.dev);
}

void tty_exit(LeakReport& report) {
  tty_struct* t = console_tty.get();
  report.expect_zero("references to the terminal", static_cast<long>(refcount_read(&t->refs)) - 1);
  put_pid(t->pgrp);
  put_pid(t->session);
  console_tty.destroy();
}
