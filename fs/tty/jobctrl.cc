// Who controls the terminal: sessions, foreground groups, and what happens to those in the background (POSIX 11.1, setsid(2),
// credentials(7)). Lock order: tasklist_lock, siglock, ctrl_lock.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>

#include "fs/tty/tty.hh"
#include "fs/vfs/vfs.hh"
#include "kernel/cred/cred.hh"
#include "kernel/exit/exit.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

tty_struct* controlling_tty_of(task_struct* t) { return READ_ONCE(t->signal->tty); }

bool has_controlling(tty_struct* tty) { return controlling_tty_of(current) == tty; }

struct pid* foreground(tty_struct* tty) {  // with a reference; null: none
  IrqSpinGuard guard(tty->ctrl_lock);
  return get_pid(tty->pgrp);
}

// Blocked or ignored by current: such a process is not stopped by job control.
bool is_ignored(int sig) {
  IrqSpinGuard guard(current->sighand->siglock);
  return sigismember(&current->blocked, sig) || current->sighand->action[sig - 1].sa.sa_handler == SIG_IGN;
}

// The processes of a session. tasklist_lock held.
task_struct* task_of_link(hlist_node* n, pid_type type) {
  return n ? reinterpret_cast<task_struct*>(reinterpret_cast<char*>(n - type) - offsetof(task_struct, pid_links)) : nullptr;
}
#define for_each_in_session(p, sid) \
  for (p = task_of_link((sid)->tasks[PIDTYPE_SID].first, PIDTYPE_SID); p; p = task_of_link(p->pid_links[PIDTYPE_SID].next, PIDTYPE_SID))

// Replaces *where; hands the old one back, to be put once the locks are dropped.
struct pid* exchange_pid(struct pid** where, struct pid* to) { return std::exchange(*where, get_pid(to)); }

// tasklist_lock held; siglock of current held; the terminal belongs to nobody.
void take_terminal(tty_struct* tty, struct pid** old_pgrp) {
  signal_struct* s = current->signal;
  {
    SpinGuard guard(tty->ctrl_lock);
    *old_pgrp = exchange_pid(&tty->pgrp, task_pgrp(current->group_leader));
    tty->session = get_pid(task_session(current->group_leader));
  }
  s->tty = tty_kref_get(tty);
}

// All processes of the session lose the terminal. tasklist_lock held for writing; returns how many references to put.
unsigned clear_session_tty(struct pid* session, tty_struct* tty, struct pid* old_pgrp) {
  unsigned refs = 0;
  task_struct* p;
  for_each_in_session(p, session) {
    if (!p->sighand) continue;
    SpinGuard guard(p->sighand->siglock);
    if (p->signal->tty != tty) continue;
    p->signal->tty = nullptr;
    refs++;
    if (p->signal->leader && old_pgrp && !p->signal->tty_old_pgrp) p->signal->tty_old_pgrp = get_pid(old_pgrp);
  }
  return refs;
}

struct Owners {
  struct pid *session, *pgrp;
  unsigned refs;  // to the terminal, from signal_structs
};
// Takes the terminal away from its session, or only from `from` if that is given. The caller puts what is returned.
Owners detach_session(tty_struct* tty, struct pid* from = nullptr) {
  IrqOffWriteGuard tasks(tasklist_lock);
  Owners o{};
  {
    SpinGuard guard(tty->ctrl_lock);
    if (from && tty->session != from) return o;
    o.session = std::exchange(tty->session, nullptr);
    o.pgrp = std::exchange(tty->pgrp, nullptr);
  }
  if (o.session) o.refs = clear_session_tty(o.session, tty, nullptr);
  return o;
}
void put_owners(tty_struct* tty, Owners& o) {
  put_pid(o.session);
  put_pid(o.pgrp);
  while (o.refs--) tty_kref_put(tty);
}

}  // namespace

tty_struct* get_current_tty() {
  IrqSpinGuard guard(current->sighand->siglock);
  return tty_kref_get(current->signal->tty);
}

int tty_pgrp_nr(tty_struct* tty) {
  struct pid* p = tty ? foreground(tty) : nullptr;
  int nr = p ? pid_vnr(p) : -1;
  put_pid(p);
  return nr;
}

void tty_signal_foreground(tty_struct* tty, int sig) {
  struct pid* p = foreground(tty);
  if (p) kill_pgrp(p, sig, 1);
  put_pid(p);
}

// A process in the background that reads, or changes the terminal, is stopped; unless it has asked not to be, or nobody would
// ever let it go on.
long tty_check_change(tty_struct* tty, int sig) {
  if (!has_controlling(tty)) return 0;
  struct pid* mine;
  {
    RcuReadGuard rcu;
    mine = get_pid(task_pgrp(current->group_leader));
  }
  bool in_front;
  {
    IrqSpinGuard guard(tty->ctrl_lock);
    in_front = !tty->pgrp || tty->pgrp == mine;
  }
  long err = 0;
  if (!in_front) {
    if (is_ignored(sig)) {
      err = sig == SIGTTIN ? -EIO : 0;
    } else if (is_current_pgrp_orphaned()) {
      err = -EIO;
    } else {
      kill_pgrp(mine, sig, 1);
      set_thread_flag(TIF_SIGPENDING);
      err = -ERESTARTSYS;
    }
  }
  put_pid(mine);
  return err;
}

// A session leader without a terminal gets the one that it opens, if that is free.
void tty_open_controlling(tty_struct* tty, file* f) {
  if (!(f->f_mode & FMODE_READ)) return;
  struct pid* old_pgrp = nullptr;
  {
    IrqOffWriteGuard tasks(tasklist_lock);
    SpinGuard siglock(current->sighand->siglock);
    if (!current->signal->leader || current->signal->tty || READ_ONCE(tty->session)) return;
    take_terminal(tty, &old_pgrp);
  }
  put_pid(old_pgrp);
}

// TIOCSCTTY. steal == 1 with CAP_SYS_ADMIN takes it from another session.
long tty_set_controlling(tty_struct* tty, file* f, unsigned long steal) {
  bool admin = capable(CAP_SYS_ADMIN);
  for (;;) {
    struct pid* old_pgrp = nullptr;
    {
      IrqOffWriteGuard tasks(tasklist_lock);
      SpinGuard siglock(current->sighand->siglock);
      signal_struct* s = current->signal;
      if (s->leader && tty->session == task_session(current->group_leader)) return 0;
      if (!s->leader || s->tty) return -EPERM;
      if (tty->session && !(steal == 1 && admin)) return -EPERM;
      if (!(f->f_mode & FMODE_READ) && !admin) return -EPERM;
      if (!tty->session) {
        take_terminal(tty, &old_pgrp);
        steal = 2;
      }
    }
    put_pid(old_pgrp);
    if (steal == 2) return 0;
    Owners o = detach_session(tty);
    put_owners(tty, o);
  }
}

long tty_get_pgrp_ioctl(tty_struct* tty, int* nr) {
  if (!has_controlling(tty)) return -ENOTTY;
  struct pid* p = foreground(tty);
  *nr = p ? pid_vnr(p) : 0;
  put_pid(p);
  return 0;
}

long tty_set_pgrp_ioctl(tty_struct* tty, int nr) {
  if (long err = tty_check_change(tty, SIGTTOU)) return err == -EIO ? -ENOTTY : err;
  if (nr < 0) return -EINVAL;
  struct pid* old = nullptr;
  {
    IrqReadGuard tasks(tasklist_lock);
    struct pid* session = task_session(current->group_leader);
    if (!has_controlling(tty) || READ_ONCE(tty->session) != session) return -ENOTTY;
    struct pid* group = find_vpid(nr);
    if (!group) return -ESRCH;
    task_struct* member = pid_task(group, PIDTYPE_PGID);
    if (!member || task_session(member) != session) return -EPERM;
    SpinGuard guard(tty->ctrl_lock);
    old = exchange_pid(&tty->pgrp, group);
  }
  put_pid(old);
  return 0;
}

long tty_get_sid_ioctl(tty_struct* tty, int* nr) {
  if (!has_controlling(tty)) return -ENOTTY;
  IrqSpinGuard guard(tty->ctrl_lock);
  if (!tty->session) return -ENOTTY;
  *nr = pid_vnr(tty->session);
  return 0;
}

// The line is gone: the session leader and the foreground group are told, and files that are open now are of no use any more.
void tty_hangup(tty_struct* tty) {
  atomic_inc(&tty->hangups);
  Owners o = detach_session(tty);
  if (o.session) {
    kill_pid(o.session, SIGHUP, 1);
    kill_pid(o.session, SIGCONT, 1);
  }
  if (o.pgrp) {
    kill_pgrp(o.pgrp, SIGHUP, 1);
    kill_pgrp(o.pgrp, SIGCONT, 1);
  }
  put_owners(tty, o);
  {
    IrqSpinGuard guard(tty->lock);
    tty->ldisc.flush_input();
    tty->ldisc.start();
    tty->backlog_count = 0;
  }
  wake_up_interruptible_all(&tty->read_wait);
  wake_up_interruptible_all(&tty->write_wait);
}

void tty_vhangup_self() {
  if (tty_struct* tty = get_current_tty()) {
    tty_hangup(tty);
    tty_kref_put(tty);
  }
}

namespace {

void hang_up_group(struct pid* pgrp) {
  if (!pgrp) return;
  kill_pgrp(pgrp, SIGHUP, 1);
  kill_pgrp(pgrp, SIGCONT, 1);
}

// The terminal goes from the whole session. When the leader dies, who still has it open finds it hung up.
void leader_gives_up(int on_exit) {
  struct pid* old_pgrp;  // of a terminal that hung up earlier
  {
    IrqSpinGuard guard(current->sighand->siglock);
    old_pgrp = std::exchange(current->signal->tty_old_pgrp, nullptr);
  }
  if (tty_struct* tty = get_current_tty()) {
    Owners o = detach_session(tty, task_session(current->group_leader));
    if (o.session && on_exit) atomic_inc(&tty->hangups);
    hang_up_group(o.pgrp);
    put_owners(tty, o);
    wake_up_interruptible_all(&tty->read_wait);
    wake_up_interruptible_all(&tty->write_wait);
    tty_kref_put(tty);
  } else if (on_exit) {
    hang_up_group(old_pgrp);
  }
  put_pid(old_pgrp);
}

}  // namespace

// Spec 21 section 3 step 16, and TIOCNOTTY. A session leader gives the terminal up for its whole session, any other process for
// itself alone.
void disassociate_ctty(int on_exit) {
  if (current->signal->leader) return leader_gives_up(on_exit);
  if (on_exit) return;  // it goes with the signal_struct
  tty_struct* tty;
  {
    IrqSpinGuard guard(current->sighand->siglock);
    tty = std::exchange(current->signal->tty, nullptr);
  }
  tty_kref_put(tty);
}
