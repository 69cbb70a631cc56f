// The terminal's ioctls (ioctl_tty(2)).
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "fs/tty/tty.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

void tty_insert_char(tty_struct* tty, char c);

namespace {

enum class When : unsigned char { Now, AfterOutput, AfterOutputFlushed };  // TCSETS, TCSETSW, TCSETSF

template <class T>
T* user(unsigned long arg) {
  return reinterpret_cast<T*>(arg);
}

termios2 settings_of(tty_struct* tty) {
  IrqSpinGuard guard(tty->lock);
  return tty->ldisc.settings();
}

constexpr struct {
  u32 code, baud;
} kSpeeds[] = {{B0, 0},         {B300, 300},     {B1200, 1200},   {B2400, 2400},     {B4800, 4800},     {B9600, 9600},
               {B19200, 19200}, {B38400, 38400}, {B57600, 57600}, {B115200, 115200}, {B230400, 230400}};

// Reads the first `size` bytes of the settings (struct termios is a prefix of struct termios2) over the present ones.
long set_termios(tty_struct* tty, unsigned long arg, size_t size, When when) {
  if (long err = tty_check_change(tty, SIGTTOU)) return err;
  termios2 t = settings_of(tty);
  if (copy_from_user(&t, user<void>(arg), size)) return -EFAULT;
  t.c_line = 0;
  if ((t.c_cflag & CBAUD) != BOTHER) t.c_ispeed = t.c_ospeed = baud_of_code(t.c_cflag);
  {
    // Output leaves at once, so there is none to wait for.
    IrqSpinGuard guard(tty->lock);
    if (when == When::AfterOutputFlushed) {
      tty->ldisc.flush_input();
      tty->backlog_count = 0;
    }
    tty->ldisc.change_settings(t);
  }
  wake_up_interruptible_all(&tty->read_wait);  // what they wait for may be another thing now
  wake_up_interruptible_all(&tty->write_wait);
  return 0;
}

long get_termios(tty_struct* tty, unsigned long arg, size_t size) {
  termios2 t = settings_of(tty);
  return copy_to_user(user<void>(arg), &t, size) ? -EFAULT : 0;
}

long get_window(tty_struct* tty, unsigned long arg) {
  winsize w;
  {
    IrqSpinGuard guard(tty->lock);
    w = tty->window;
  }
  return put_user(w, user<winsize>(arg));
}

long set_window(tty_struct* tty, unsigned long arg) {
  winsize w;
  if (get_user(w, user<const winsize>(arg))) return -EFAULT;
  bool changed;
  {
    IrqSpinGuard guard(tty->lock);
    changed = memcmp(&w, &tty->window, sizeof(w)) != 0;
    tty->window = w;
  }
  if (changed) tty_signal_foreground(tty, SIGWINCH);
  return 0;
}

long flush(tty_struct* tty, unsigned long which) {
  if (long err = tty_check_change(tty, SIGTTOU)) return err;
  if (which > TCIOFLUSH) return -EINVAL;
  if (which == TCOFLUSH) return 0;
  IrqSpinGuard guard(tty->lock);
  tty->ldisc.flush_input();
  tty->backlog_count = 0;
  return 0;
}

long flow(tty_struct* tty, unsigned long what) {
  if (long err = tty_check_change(tty, SIGTTOU)) return err;
  if (what > TCION) return -EINVAL;
  {
    IrqSpinGuard guard(tty->lock);
    const termios2& t = tty->ldisc.settings();
    if (what == TCOOFF) tty->ldisc.stop();
    else if (what == TCOON) tty->ldisc.start();
    else if (unsigned char c = t.c_cc[what == TCIOFF ? VSTOP : VSTART]) tty->ldisc.send_raw(c);
  }
  wake_up_interruptible_all(&tty->write_wait);
  return 0;
}

long simulate_input(tty_struct* tty, unsigned long arg) {
  tty_struct* mine = get_current_tty();
  tty_kref_put(mine);
  if (mine != tty && !capable(CAP_SYS_ADMIN)) return -EPERM;
  char c;
  if (get_user(c, user<const char>(arg))) return -EFAULT;
  tty_insert_char(tty, c);
  return 0;
}

long set_exclusive(tty_struct* tty, bool on) {
  IrqSpinGuard guard(tty->lock);
  tty->exclusive = on;
  return 0;
}

long input_waiting(tty_struct* tty, unsigned long arg) {
  int n;
  {
    IrqSpinGuard guard(tty->lock);
    n = static_cast<int>(tty->ldisc.available());
  }
  return put_user(n, user<int>(arg));
}

// Programs find out from it which /dev/ttyS they have.
long get_serial(unsigned long arg) {
  serial_struct s{};
  s.type = PORT_16550A;
  s.port = 0x3f8;
  s.irq = 4;
  s.xmit_fifo_size = 16;
  s.baud_base = 115200;
  s.close_delay = 50;
  s.closing_wait = 3000;
  return put_user(s, user<serial_struct>(arg));
}

long drain(tty_struct* tty) { return tty_check_change(tty, SIGTTOU); }

long give_up(tty_struct* tty) {
  tty_struct* mine = get_current_tty();
  tty_kref_put(mine);
  if (mine != tty) return -ENOTTY;
  disassociate_ctty(0);
  return 0;
}

// An int that a function found goes to the user.
long put_number(long err, int nr, unsigned long arg) { return err ? err : put_user(nr, user<int>(arg)); }

long session_ioctl(file* f, tty_struct* tty, unsigned cmd, unsigned long arg) {
  int nr = 0;
  switch (cmd) {
    case TIOCSCTTY: return tty_set_controlling(tty, f, arg);
    case TIOCNOTTY: return give_up(tty);
    case TIOCGSID: {
      long err = tty_get_sid_ioctl(tty, &nr);
      return put_number(err, nr, arg);
    }
    case TIOCGPGRP: {
      long err = tty_get_pgrp_ioctl(tty, &nr);
      return put_number(err, nr, arg);
    }
    case TIOCSPGRP: return get_user(nr, user<const int>(arg)) ? -EFAULT : tty_set_pgrp_ioctl(tty, nr);
    case TIOCVHANGUP:
      if (!capable(CAP_SYS_ADMIN)) return -EPERM;
      tty_hangup(tty);
      return 0;
  }
  return -ENOIOCTLCMD;
}

}  // namespace

u32 baud_of_code(u32 cflag) {
  for (auto [code, baud] : kSpeeds)
    if (code == (cflag & CBAUD)) return baud;
  return 0;
}
u32 code_of_baud(u32 baud) {
  for (auto [code, b] : kSpeeds)
    if (b == baud) return code;
  return BOTHER;
}

long tty_do_ioctl(file* f, TtyFile* tf, unsigned cmd, unsigned long arg) {
  tty_struct* tty = tf->tty;
  if (tty_hung_up(tf)) return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
  switch (cmd) {
    case TCGETS: return get_termios(tty, arg, sizeof(termios));
    case TCGETS2: return get_termios(tty, arg, sizeof(termios2));
    case TCSETS: return set_termios(tty, arg, sizeof(termios), When::Now);
    case TCSETSW: return set_termios(tty, arg, sizeof(termios), When::AfterOutput);
    case TCSETSF: return set_termios(tty, arg, sizeof(termios), When::AfterOutputFlushed);
    case TCSETS2: return set_termios(tty, arg, sizeof(termios2), When::Now);
    case TCSETSW2: return set_termios(tty, arg, sizeof(termios2), When::AfterOutput);
    case TCSETSF2: return set_termios(tty, arg, sizeof(termios2), When::AfterOutputFlushed);
    case TIOCGWINSZ: return get_window(tty, arg);
    case TIOCSWINSZ: return set_window(tty, arg);
    case FIONREAD: return input_waiting(tty, arg);
    case TIOCOUTQ: return put_user(0, user<int>(arg));
    case TCFLSH: return flush(tty, arg);
    case TCXONC: return flow(tty, arg);
    case TCSBRK:
    case TCSBRKP: return drain(tty);
    case TIOCSTI: return simulate_input(tty, arg);
    case TIOCEXCL: return set_exclusive(tty, true);
    case TIOCNXCL: return set_exclusive(tty, false);
    case TIOCGEXCL: return put_user(static_cast<int>(READ_ONCE(tty->exclusive)), user<int>(arg));
    case TIOCGETD: return put_user(0, user<int>(arg));
    case TIOCSETD: {
      int which;
      if (get_user(which, user<const int>(arg))) return -EFAULT;
      return which == 0 ? 0 : -EINVAL;
    }
    case TIOCGSERIAL: return get_serial(arg);
    case TIOCGDEV: return put_user(new_encode_dev(tty_devnum(tty)), user<u32>(arg));
  }
  return session_ioctl(f, tty, cmd, arg);
}

SYSCALL_DEFINE0(vhangup) {
  if (!capable(CAP_SYS_TTY_CONFIG)) return -EPERM;
  tty_vhangup_self();
  return 0;
}
