// File locks: records (fcntl) and whole files (flock). Spec 60 section 12.
// SPDX-License-Identifier: Apache-2.0
#include <linux/limits.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "fs/vfs/internal.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

constexpr loff_t kOffsetMax = 0x7fffffffffffffffll;
enum class Kind : unsigned char { Posix, Ofd, Flock };

struct FileLock {
  struct list_head list;
  loff_t start, end;   // inclusive
  const void* owner;   // Posix: files_struct; Ofd, Flock: file
  Kind kind;
  short type;          // F_RDLCK, F_WRLCK
  pid_t pid;
};

// One waiting F_SETLKW, for the search for cycles.
struct Blocked {
  struct list_head list;
  const void *waiter, *holder;
};
DEFINE_SPINLOCK(blocked_lock);
LIST_HEAD(blocked);

}  // namespace

struct file_lock_context {
  spinlock_t lock;
  struct list_head records;  // Posix and Ofd
  struct list_head flocks;
  wait_queue_head_t wait;    // somebody gave up a lock
};

namespace {

file_lock_context* context_of(inode* i) {
  file_lock_context* c = smp_load_acquire(&i->i_flctx);
  if (c) return c;
  c = static_cast<file_lock_context*>(kmalloc(sizeof(*c), GFP_KERNEL));
  if (!c) return nullptr;
  spin_lock_init(&c->lock);
  INIT_LIST_HEAD(&c->records);
  INIT_LIST_HEAD(&c->flocks);
  init_waitqueue_head(&c->wait);
  file_lock_context* none = nullptr;
  if (!__atomic_compare_exchange_n(&i->i_flctx, &none, c, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    kfree(c);
    return none;
  }
  return c;
}

FileLock* new_lock() { return static_cast<FileLock*>(kmalloc(sizeof(FileLock), GFP_KERNEL)); }
void drop(FileLock* l) {
  list_del(&l->list);
  kfree(l);
}

bool overlap(const FileLock& a, const FileLock& b) { return a.start <= b.end && b.start <= a.end; }
bool same_owner(const FileLock& a, const FileLock& b) { return a.owner == b.owner && a.kind == b.kind; }

FileLock* conflict(file_lock_context* c, const FileLock& want) {
  FileLock* l;
  list_for_each_entry(l, &c->records, list) {
    if (!same_owner(*l, want) && overlap(*l, want) && (l->type == F_WRLCK || want.type == F_WRLCK)) return l;
  }
  return nullptr;
}

// Cuts want's range out of its owner's locks and puts want there (not for F_UNLCK). spare: two records for the cases that
// need more than there are; what was used is taken. The list is in order of start. c->lock held.
void apply(file_lock_context* c, const FileLock& want, FileLock** spare) {
  FileLock whole = want;
  FileLock *l, *n;
  for (l = list_first_entry(&c->records, FileLock, list); !list_entry_is_head(l, &c->records, list); l = n) {
    n = list_next_entry(l, list);
    if (!same_owner(*l, want)) continue;
    bool touches = l->start <= (whole.end == kOffsetMax ? kOffsetMax : whole.end + 1) &&
                   whole.start <= (l->end == kOffsetMax ? kOffsetMax : l->end + 1);
    if (want.type != F_UNLCK && l->type == want.type && touches) {  // grows together
      if (l->start < whole.start) whole.start = l->start;
      if (l->end > whole.end) whole.end = l->end;
      drop(l);
      continue;
    }
    if (!overlap(*l, want)) continue;
    if (l->start < want.start && l->end > want.end) {  // a hole in the middle
      FileLock* tail = spare[1];
      spare[1] = nullptr;
      *tail = *l;
      tail->start = want.end + 1;
      l->end = want.start - 1;
      list_add(&tail->list, &l->list);
      break;
    }
    if (l->start < want.start)
      l->end = want.start - 1;
    else if (l->end > want.end)
      l->start = want.end + 1;
    else
      drop(l);
  }
  if (want.type == F_UNLCK) return;
  FileLock* mine = spare[0];
  spare[0] = nullptr;
  *mine = whole;
  list_for_each_entry(l, &c->records, list) {
    if (l->start > mine->start) break;
  }
  list_add_tail(&mine->list, &l->list);
}

// L-14: follows "the holder itself waits for …"; ten steps at most.
bool would_deadlock(const void* waiter, const void* holder) {
  for (int steps = 0; steps < 10; steps++) {
    if (holder == waiter) return true;
    const void* next = nullptr;
    Blocked* b;
    list_for_each_entry(b, &blocked, list) {
      if (b->waiter == holder) next = b->holder;
    }
    if (!next) return false;
    holder = next;
  }
  return false;
}

Result<void> to_range(file* f, const struct flock& u, FileLock* l) {
  loff_t base;
  switch (u.l_whence) {
    case SEEK_SET: base = 0; break;
    case SEEK_CUR: base = f->f_pos; break;
    case SEEK_END: base = i_size_read(f->f_inode); break;
    default: return fail(EINVAL);
  }
  loff_t start, end = kOffsetMax;
  if (__builtin_add_overflow(base, u.l_start, &start)) return fail(EOVERFLOW);
  if (start < 0) return fail(EINVAL);
  if (u.l_len > 0) {
    if (__builtin_add_overflow(start, u.l_len - 1, &end)) return fail(EOVERFLOW);
  } else if (u.l_len < 0) {
    if (start + u.l_len < 0) return fail(EINVAL);
    end = start - 1;
    start += u.l_len;
  }
  if (u.l_type != F_RDLCK && u.l_type != F_WRLCK && u.l_type != F_UNLCK) return fail(EINVAL);
  l->start = start;
  l->end = end;
  l->type = u.l_type;
  return {};
}

bool is_ofd(unsigned cmd) { return cmd >= F_OFD_GETLK && cmd <= F_OFD_SETLKW; }

Result<void> describe(file* f, unsigned cmd, const void* user, FileLock* l) {
  struct flock u;
  if (copy_from_user(&u, user, sizeof(u))) return fail(EFAULT);
  TRY(to_range(f, u, l));
  if (is_ofd(cmd) && u.l_pid) return fail(EINVAL);
  l->kind = is_ofd(cmd) ? Kind::Ofd : Kind::Posix;
  l->owner = is_ofd(cmd) ? static_cast<const void*>(f) : current->files;
  l->pid = is_ofd(cmd) ? -1 : task_tgid_vnr(current);
  return {};
}

struct Spare {
  FileLock* p[2] = {new_lock(), new_lock()};
  ~Spare() {
    kfree(p[0]);
    kfree(p[1]);
  }
};

enum class Wait : unsigned char { No, Yes };

// One try: 0, -EAGAIN if it conflicts (then *waits_for is registered in `blocked` if asked), -EDEADLK.
long try_set(file_lock_context* c, const FileLock& want, Spare& spare, Wait wait, Blocked* b) {
  SpinGuard g(c->lock);
  FileLock* other = want.type == F_UNLCK ? nullptr : conflict(c, want);
  if (other) {
    if (wait == Wait::No) return -EAGAIN;
    SpinGuard h(blocked_lock);
    if (want.kind == Kind::Posix && other->kind == Kind::Posix && would_deadlock(want.owner, other->owner)) return -EDEADLK;
    b->waiter = want.owner;
    b->holder = other->owner;
    list_add(&b->list, &blocked);
    return -EAGAIN;
  }
  apply(c, want, spare.p);
  return 0;
}

void unblock(Blocked* b) {
  SpinGuard h(blocked_lock);
  list_del_init(&b->list);
}

long set_lock(file* f, const FileLock& want, Wait wait) {
  file_lock_context* c = want.type == F_UNLCK && !f->f_inode->i_flctx ? nullptr : context_of(f->f_inode);
  if (!c) return want.type == F_UNLCK ? 0 : -ENOLCK;
  Spare spare;
  if (!spare.p[0] || !spare.p[1]) return -ENOLCK;
  DEFINE_WAIT(entry);
  for (;;) {
    Blocked b{};
    INIT_LIST_HEAD(&b.list);
    if (wait == Wait::Yes) prepare_to_wait(&c->wait, &entry, TASK_INTERRUPTIBLE);
    long r = try_set(c, want, spare, wait, &b);
    if (r != -EAGAIN || wait == Wait::No) {
      if (wait == Wait::Yes) finish_wait(&c->wait, &entry);
      if (r == 0) wake_up_all(&c->wait);
      return r;
    }
    if (!signal_pending(current)) schedule();
    unblock(&b);
    finish_wait(&c->wait, &entry);
    if (signal_pending(current)) return -ERESTARTSYS;
  }
}

}  // namespace

long fcntl_setlk(file* f, unsigned cmd, void* user) {
  FileLock want{};
  if (auto r = describe(f, cmd, user, &want); !r) return r.error().neg();
  if (want.type == F_RDLCK && !(f->f_mode & FMODE_READ)) return -EBADF;
  if (want.type == F_WRLCK && !(f->f_mode & FMODE_WRITE)) return -EBADF;
  return set_lock(f, want, cmd == F_SETLKW || cmd == F_OFD_SETLKW ? Wait::Yes : Wait::No);
}

long fcntl_getlk(file* f, unsigned cmd, void* user) {
  FileLock want{};
  struct flock out;
  if (copy_from_user(&out, user, sizeof(out))) return -EFAULT;
  if (out.l_type == F_UNLCK && !is_ofd(cmd)) return -EINVAL;
  if (auto r = describe(f, cmd, user, &want); !r) return r.error().neg();
  out.l_type = F_UNLCK;
  if (file_lock_context* c = smp_load_acquire(&f->f_inode->i_flctx)) {
    SpinGuard g(c->lock);
    if (FileLock* l = conflict(c, want)) {
      out.l_type = l->type;
      out.l_whence = SEEK_SET;
      out.l_start = l->start;
      out.l_len = l->end == kOffsetMax ? 0 : l->end - l->start + 1;
      out.l_pid = l->pid;
    }
  }
  return copy_to_user(user, &out, sizeof(out)) ? -EFAULT : 0;
}

// ---- flock --------------------------------------------------------------------------------------------------------------
namespace {

bool remove_flock(file_lock_context* c, const file* f) {
  FileLock* l;
  list_for_each_entry(l, &c->flocks, list) {
    if (l->owner == f) {
      drop(l);
      return true;
    }
  }
  return false;
}

bool flock_conflict(file_lock_context* c, const file* f, short type) {
  FileLock* l;
  list_for_each_entry(l, &c->flocks, list) {
    if (l->owner != f && (type == F_WRLCK || l->type == F_WRLCK)) return true;
  }
  return false;
}

bool try_flock(file_lock_context* c, file* f, short type, FileLock** fresh) {
  SpinGuard g(c->lock);
  if (flock_conflict(c, f, type)) return false;
  FileLock* l = std::exchange(*fresh, nullptr);
  *l = FileLock{{}, 0, kOffsetMax, f, Kind::Flock, type, task_tgid_vnr(current)};
  list_add_tail(&l->list, &c->flocks);
  return true;
}

long do_flock(file* f, short type, Wait wait) {
  file_lock_context* c = context_of(f->f_inode);
  if (!c) return -ENOLCK;
  FileLock* fresh = type == F_UNLCK ? nullptr : new_lock();
  if (type != F_UNLCK && !fresh) return -ENOLCK;
  {
    SpinGuard g(c->lock);  // L-5: the old one goes first
    bool had = remove_flock(c, f);
    g.unlock();
    if (had) wake_up_all(&c->wait);
  }
  if (type == F_UNLCK) return 0;
  long r = 0;
  if (!try_flock(c, f, type, &fresh))
    r = wait == Wait::No ? -EWOULDBLOCK : wait_event_interruptible(c->wait, try_flock(c, f, type, &fresh));
  kfree(fresh);
  return r;
}

}  // namespace

SYSCALL_DEFINE2(flock, unsigned, fd, unsigned, op) {
  FileRef f(fget(fd));
  if (!f) return -EBADF;
  if (op & LOCK_MAND) return 0;
  Wait wait = op & LOCK_NB ? Wait::No : Wait::Yes;
  switch (op & ~static_cast<unsigned>(LOCK_NB)) {
    case LOCK_SH: return do_flock(f.get(), F_RDLCK, wait);
    case LOCK_EX: return do_flock(f.get(), F_WRLCK, wait);
    case LOCK_UN: return do_flock(f.get(), F_UNLCK, wait);
    default: return -EINVAL;
  }
}

// ---- Ends ---------------------------------------------------------------------------------------------------------------
namespace {
void remove_owned(inode* i, const void* owner, Kind kind) {
  file_lock_context* c = smp_load_acquire(&i->i_flctx);
  if (!c) return;
  bool any = false;
  {
    SpinGuard g(c->lock);
    for (struct list_head* head : {&c->records, &c->flocks}) {
      FileLock *l, *n;
      for (l = list_first_entry(head, FileLock, list); !list_entry_is_head(l, head, list); l = n) {
        n = list_next_entry(l, list);
        if (l->owner == owner && l->kind == kind) {
          drop(l);
          any = true;
        }
      }
    }
  }
  if (any) wake_up_all(&c->wait);
}
}  // namespace

void locks_remove_posix(file* f, files_struct* owner) { remove_owned(f->f_inode, owner, Kind::Posix); }
void locks_remove_file(file* f) {
  remove_owned(f->f_inode, f, Kind::Ofd);
  remove_owned(f->f_inode, f, Kind::Flock);
}
void locks_free_context(inode* i) { kfree(std::exchange(i->i_flctx, nullptr)); }
