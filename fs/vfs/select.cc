// poll, ppoll, select, pselect6. Spec 60 section 10 (E-13) and section 17.
// SPDX-License-Identifier: Apache-2.0
#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "fs/vfs/poll.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/signal/signal.hh"
#include "mm/uaccess.hh"

namespace {

// One queue that we stand in.
struct PollEntry {
  file* f;
  wait_queue_head_t* wq;
  wait_queue_entry_t entry;
  __poll_t key;
  struct PollWait* owner;
};

struct MoreEntries {
  MoreEntries* next;
  unsigned used;
  PollEntry entries[32];
};

// All queues that a poll stands in. A wake-up sets `triggered`, so that one between looking and sleeping is not lost.
struct PollWait : poll_table {
  static constexpr unsigned kInline = 6;
  task_struct* task = current;
  int triggered = 0;
  int error = 0;
  unsigned used = 0;
  MoreEntries* more = nullptr;
  PollEntry first[kInline];

  PollWait();
  ~PollWait();
  PollEntry* fresh();
};

int poll_wake(wait_queue_entry_t* e, unsigned mode, int sync, void* key) {
  PollEntry* p = container_of(e, PollEntry, entry);
  if (key && !(key_to_poll(key) & p->key)) return 0;
  PollWait* w = p->owner;
  __atomic_store_n(&w->triggered, 1, __ATOMIC_RELEASE);
  DECLARE_WAITQUEUE(fake, w->task);
  return default_wake_function(&fake, mode, sync, key);
}

void stand_in(file* f, wait_queue_head_t* wq, poll_table* pt) {
  auto* w = static_cast<PollWait*>(pt);
  PollEntry* p = w->fresh();
  if (!p) {
    w->error = -ENOMEM;
    return;
  }
  p->f = get_file(f);
  p->wq = wq;
  p->key = pt->key;
  p->owner = w;
  init_waitqueue_func_entry(&p->entry, poll_wake);
  add_wait_queue(wq, &p->entry);
}

PollWait::PollWait() {
  qproc = stand_in;
  key = ~0u;
}
PollEntry* PollWait::fresh() {
  if (used < kInline) return &first[used++];
  if (!more || more->used == ARRAY_SIZE(more->entries)) {
    auto* m = static_cast<MoreEntries*>(kmalloc(sizeof(MoreEntries), GFP_KERNEL));
    if (!m) return nullptr;
    m->next = more;
    m->used = 0;
    more = m;
  }
  return &more->entries[more->used++];
}
void leave(PollEntry* p) {
  remove_wait_queue(p->wq, &p->entry);
  fput(p->f);
}
PollWait::~PollWait() {
  for (unsigned k = 0; k < used; k++) leave(&first[k]);
  while (more) {
    for (unsigned k = 0; k < more->used; k++) leave(&more->entries[k]);
    MoreEntries* next = more->next;
    kfree(more);
    more = next;
  }
}

// Sleeps until something may have happened. False: the time is over.
bool poll_sleep(PollWait& w, ktime_t* deadline) {
  set_current_state(TASK_INTERRUPTIBLE);
  int r = -EINTR;
  if (!__atomic_load_n(&w.triggered, __ATOMIC_ACQUIRE))
    r = schedule_hrtimeout_range(deadline, current->timer_slack_ns, HRTIMER_MODE_ABS);
  __set_current_state(TASK_RUNNING);
  smp_store_mb(w.triggered, 0);
  return r != 0;
}

// How long a call may wait.
struct Limit {
  bool forever = true, no_wait = false;
  ktime_t deadline = 0;  // CLOCK_MONOTONIC
};
Limit limit_of(s64 ns) {
  if (ns == 0) return {.forever = false, .no_wait = true, .deadline = 0};
  return {.forever = false, .no_wait = false, .deadline = ktime_add_safe(ktime_get(), ns)};
}

// look(table) counts what is ready; it is called again after each wake-up. Count, 0 after the time, or -errno.
template <class Look>
long wait_for(const Limit& limit, Look&& look) {
  PollWait w;
  poll_table* pt = limit.no_wait ? nullptr : &w;
  bool timed_out = limit.no_wait;
  ktime_t deadline = limit.deadline;
  for (;;) {
    long n = look(pt);
    if (n) return n;
    w.qproc = nullptr;  // we stand in all queues now
    if (w.error) return w.error;
    if (signal_pending(current)) return -EINTR;
    if (timed_out) return 0;
    timed_out = !poll_sleep(w, limit.forever ? nullptr : &deadline);
  }
}

// ---- poll -----------------------------------------------------------------------------------------------------------------
__poll_t poll_one(pollfd* p, poll_table* pt) {
  p->revents = 0;
  if (p->fd < 0) return 0;
  Fd f(static_cast<unsigned>(p->fd));
  if (!f) {
    p->revents = POLLNVAL;
    return POLLNVAL;
  }
  __poll_t wanted = static_cast<u16>(p->events) | EPOLLERR | EPOLLHUP;
  if (pt) pt->key = wanted;
  __poll_t m = vfs_poll(f.get(), pt) & wanted;
  p->revents = static_cast<short>(m);
  return m;
}

long do_poll(pollfd* fds, unsigned n, const Limit& limit) {
  return wait_for(limit, [&](poll_table* pt) {
    long ready = 0;
    for (unsigned k = 0; k < n; k++) {
      if (poll_one(&fds[k], pt)) {
        ready++;
        if (pt) pt->qproc = nullptr;  // we will not sleep
      }
    }
    return ready;
  });
}

long poll_user(pollfd* user, unsigned n, const Limit& limit) {
  if (n > rlimit(RLIMIT_NOFILE)) return -EINVAL;
  pollfd small[16];
  pollfd* fds = n <= ARRAY_SIZE(small) ? small : static_cast<pollfd*>(kvmalloc(n * sizeof(pollfd), GFP_KERNEL));
  if (!fds) return -ENOMEM;
  long r = -EFAULT;
  if (!copy_from_user(fds, user, n * sizeof(pollfd))) {
    r = do_poll(fds, n, limit);
    for (unsigned k = 0; k < n && r != -EFAULT; k++)
      if (put_user(fds[k].revents, &user[k].revents)) r = -EFAULT;
  }
  if (fds != small) kvfree(fds);
  return r;
}

constexpr s64 kSec = 1'000'000'000;

long poll_restart(restart_block* rb) {
  Limit limit;
  if (rb->poll.has_timeout) limit = {.forever = false, .no_wait = false, .deadline = rb->poll.tv_sec * kSec + rb->poll.tv_nsec};
  long r = poll_user(static_cast<pollfd*>(rb->poll.ufds), static_cast<unsigned>(rb->poll.nfds), limit);
  return r == -EINTR ? -ERESTART_RESTARTBLOCK : r;
}

// ---- Signal mask for the time of the wait ------------------------------------------------------------------------------------
Result<void> set_wait_mask(const sigset_t* user, size_t size) {
  if (!user) return {};
  sigset_t mask;
  if (size != sizeof(mask)) return fail(EINVAL);
  if (copy_from_user(&mask, user, sizeof(mask))) return fail(EFAULT);
  set_restore_sigmask();
  current->saved_sigmask = current->blocked;
  set_current_blocked(&mask);
  return {};
}

// The mask comes back at once unless a signal is to be delivered under the new one.
void end_wait_mask(bool interrupted) {
  if (interrupted || !current->restore_sigmask) return;
  current->restore_sigmask = 0;
  set_current_blocked(&current->saved_sigmask);
}

struct UserTimeout {
  void* user;
  enum { Timespec, Timeval, None } kind;
};

// The remaining time is told; a place that cannot be written is no error. select and its like end with ERESTARTNOHAND.
long finish_wait_call(long r, const Limit& limit, UserTimeout t) {
  if (r == -EINTR) r = -ERESTARTNOHAND;
  if (t.kind == UserTimeout::None || !t.user) return r;
  s64 left = limit.no_wait || limit.forever ? 0 : limit.deadline - ktime_get();
  if (left < 0) left = 0;
  long parts[2] = {left / kSec, left % kSec};
  if (t.kind == UserTimeout::Timeval) parts[1] /= 1000;
  if (copy_to_user(t.user, parts, sizeof(parts)) && r == -ERESTARTNOHAND) r = -EINTR;  // it could not go on with what is left
  return r;
}

Result<Limit> limit_from_timespec(const timespec64* user) {
  if (!user) return Limit{};
  timespec64 ts;
  if (copy_from_user(&ts, user, sizeof(ts))) return fail(EFAULT);
  if (!timespec64_valid(&ts)) return fail(EINVAL);
  return limit_of(timespec64_to_ktime(ts));
}

// ---- select -----------------------------------------------------------------------------------------------------------------
constexpr __poll_t kIn = EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR;
constexpr __poll_t kOut = EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR;
constexpr __poll_t kEx = EPOLLPRI;

struct FdSets {  // in, out, ex, then the three results
  unsigned long* bits;
  unsigned words;
  unsigned long* set(unsigned which) { return bits + which * words; }
};

bool bit(const unsigned long* s, unsigned n) { return s[n / 64] >> n % 64 & 1; }

// 1 for each kind that is ready, or -EBADF.
long select_one(FdSets& s, unsigned fd, poll_table* pt) {
  bool in = bit(s.set(0), fd), out = bit(s.set(1), fd), ex = bit(s.set(2), fd);
  if (!in && !out && !ex) return 0;
  Fd f(fd);
  if (!f) return -EBADF;
  if (pt) pt->key = (in ? kIn : 0) | (out ? kOut : 0) | (ex ? kEx : 0) | EPOLLERR | EPOLLHUP;
  __poll_t m = vfs_poll(f.get(), pt);
  long n = 0;
  auto mark = [&](bool want, __poll_t what, unsigned which) {
    if (!want || !(m & what)) return;
    s.set(which)[fd / 64] |= 1ul << fd % 64;
    n++;
  };
  mark(in, kIn, 3);
  mark(out, kOut, 4);
  mark(ex, kEx, 5);
  return n;
}

long do_select(FdSets& s, unsigned n, const Limit& limit) {
  return wait_for(limit, [&](poll_table* pt) -> long {
    memset(s.set(3), 0, s.words * 3 * sizeof(long));
    long ready = 0;
    for (unsigned fd = 0; fd < n; fd++) {
      if (!(s.set(0)[fd / 64] | s.set(1)[fd / 64] | s.set(2)[fd / 64])) {
        fd |= 63;
        continue;
      }
      long r = select_one(s, fd, pt);
      if (r < 0) return r;
      ready += r;
      if (r && pt) pt->qproc = nullptr;
    }
    return ready;
  });
}

long select_user(int n, unsigned long* in, unsigned long* out, unsigned long* ex, const Limit& limit) {
  if (n < 0) return -EINVAL;
  unsigned max = READ_ONCE(current->files->fdt)->max_fds;
  if (static_cast<unsigned>(n) > max) n = static_cast<int>(max);
  unsigned long small[6 * 4];
  FdSets s{small, (static_cast<unsigned>(n) + 63) / 64};
  if (s.words > 4 && !(s.bits = static_cast<unsigned long*>(kvmalloc(s.words * 6 * sizeof(long), GFP_KERNEL)))) return -ENOMEM;
  unsigned long* user[3] = {in, out, ex};
  size_t bytes = s.words * sizeof(long);
  long r = 0;
  for (unsigned k = 0; k < 3; k++) {
    if (!user[k])
      memset(s.set(k), 0, bytes);
    else if (copy_from_user(s.set(k), user[k], bytes))
      r = -EFAULT;
    if (n % 64 && s.words) s.set(k)[s.words - 1] &= (1ul << n % 64) - 1;
  }
  if (!r) r = do_select(s, static_cast<unsigned>(n), limit);
  for (unsigned k = 0; k < 3 && r >= 0; k++)
    if (user[k] && copy_to_user(user[k], s.set(3 + k), bytes)) r = -EFAULT;
  if (s.bits != small) kvfree(s.bits);
  return r;
}

}  // namespace

SYSCALL_DEFINE3(poll, pollfd*, user, unsigned, n, int, timeout_ms) {
  Limit limit = timeout_ms < 0 ? Limit{} : limit_of(static_cast<s64>(timeout_ms) * 1'000'000);
  long r = poll_user(user, n, limit);
  if (r != -EINTR) return r;
  restart_block& rb = current->restart_block;
  rb.fn = poll_restart;
  rb.poll.ufds = user;
  rb.poll.nfds = static_cast<int>(n);
  rb.poll.has_timeout = !limit.forever;
  rb.poll.tv_sec = limit.deadline / kSec;
  rb.poll.tv_nsec = limit.deadline % kSec;
  return -ERESTART_RESTARTBLOCK;
}

SYSCALL_DEFINE5(ppoll, pollfd*, user, unsigned, n, timespec64*, timeout, const sigset_t*, mask, size_t, size) {
  auto limit = limit_from_timespec(timeout);
  if (!limit) return limit.error().neg();
  if (auto r = set_wait_mask(mask, size); !r) return r.error().neg();
  long r = poll_user(user, n, *limit);
  end_wait_mask(r == -EINTR);
  return finish_wait_call(r, *limit, {timeout, UserTimeout::Timespec});
}

SYSCALL_DEFINE5(select, int, n, unsigned long*, in, unsigned long*, out, unsigned long*, ex, long*, user_tv) {
  Limit limit;
  if (user_tv) {
    long tv[2];
    if (copy_from_user(tv, user_tv, sizeof(tv))) return -EFAULT;
    if (tv[0] < 0 || tv[1] < 0) return -EINVAL;
    s64 sec = tv[0] + tv[1] / 1'000'000;
    limit = limit_of(sec > KTIME_MAX / kSec ? KTIME_MAX : sec * kSec + tv[1] % 1'000'000 * 1000);
  }
  return finish_wait_call(select_user(n, in, out, ex, limit), limit, {user_tv, UserTimeout::Timeval});
}

struct MaskArg {
  const sigset_t* mask;
  size_t size;
};

SYSCALL_DEFINE6(pselect6, int, n, unsigned long*, in, unsigned long*, out, unsigned long*, ex, timespec64*, timeout,
                const MaskArg*, user_mask) {
  MaskArg m{nullptr, 0};
  if (user_mask && copy_from_user(&m, user_mask, sizeof(m))) return -EFAULT;
  auto limit = limit_from_timespec(timeout);
  if (!limit) return limit.error().neg();
  if (auto r = set_wait_mask(m.mask, m.size); !r) return r.error().neg();
  long r = select_user(n, in, out, ex, *limit);
  end_wait_mask(r == -EINTR);
  return finish_wait_call(r, *limit, {timeout, UserTimeout::Timespec});
}
