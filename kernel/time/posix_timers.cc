// POSIX timers: timer_create(2) and its kin; /proc/PID/timers. A timer is on signal->posix_timers (siglock) from creation to deletion, and
// counted: by the list, and by whoever looked it up. Its own lock guards the rest; order: timer lock, then siglock
// (the callback sends the signal), so a look-up drops siglock before it takes the timer's. A periodic timer starts its
// next period when its signal is taken, and counts then what it missed.
// SPDX-License-Identifier: Apache-2.0
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "fs/proc/proc.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/nsproxy/time_ns.hh"
#include "kernel/pid/pid.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/cpu_timers.hh"
#include "kernel/time/posix_timers.hh"
#include "kernel/time/time.hh"
#include "kernel/time/user_time.hh"

namespace {

inline constexpr int kSigevSignal = 0, kSigevNone = 1, kSigevThread = 2, kSigevThreadId = 4;
inline constexpr int kOverrunMax = 0x7fffffff;

struct UserSigevent {
  sigval_t value;
  int signo, notify;
  int tid;
  int pad[11];
};
static_assert(sizeof(UserSigevent) == 64);

struct PosixTimer {
  list_head list;
  refcount_t refs;
  spinlock_t lock;
  int id, clock, notify, signo;
  sigval_t value;
  struct pid* target;
  pid_type target_type;
  sigqueue* signal;    // null for SIGEV_NONE
  hrtimer timer;       // of the clocks that go by themselves
  CpuTimer cpu;        // with cpu.pid set: of a CPU clock
  ktime_t interval;
  s64 overrun;         // of the period that runs
  s64 last_overrun;    // what timer_getoverrun says
  int sequence;        // of the signal sent, odd while it is to restart us; a newer setting makes the old signal stale
  bool armed, deleted;
};

void put_timer(PosixTimer* t) {
  if (!refcount_dec_and_test(&t->refs)) return;
  put_pid(t->target);
  put_pid(t->cpu.pid);
  kfree(t);
}

// A reference, or null. Takes siglock.
PosixTimer* find_timer(int id) {
  IrqSpinGuard g(current->sighand->siglock);
  PosixTimer* t;
  list_for_each_entry(t, &current->signal->posix_timers, list) {
    if (t->id != id) continue;
    refcount_inc(&t->refs);
    return t;
  }
  return nullptr;
}

// Owns the reference that find_timer took.
class TimerRef {
 public:
  explicit TimerRef(int id) : t_(find_timer(id)) {}
  explicit TimerRef(PosixTimer* t) : t_(t) {}
  ~TimerRef() {
    if (t_) put_timer(t_);
  }
  TimerRef(const TimerRef&) = delete;
  TimerRef& operator=(const TimerRef&) = delete;
  explicit operator bool() const { return t_; }
  PosixTimer* operator->() const { return t_; }
  PosixTimer* get() const { return t_; }

 private:
  PosixTimer* t_;
};

int clamp_overrun(s64 n) { return n > kOverrunMax ? kOverrunMax : static_cast<int>(n); }

// Lock held. False: ignored or nobody there.
bool send(PosixTimer* t) {
  kernel_siginfo* info = sigqueue_info(t->signal);
  info->_f._timer.sys_private = t->interval ? t->sequence : 0;
  return send_sigqueue(t->signal, t->target, t->target_type) == 0;
}

enum hrtimer_restart posix_timer_fn(hrtimer* h) {
  PosixTimer* t = container_of(h, PosixTimer, timer);
  IrqSpinGuard g(t->lock);
  t->armed = false;
  if (t->interval) t->sequence |= 1;
  if (send(t) || !t->interval) return HRTIMER_NORESTART;
  // Nobody takes an ignored signal, so nobody would restart us: go on by ourselves, a tick later at the earliest.
  const ktime_t now = hrtimer_cb_get_time(h);
  t->sequence &= ~1;
  t->overrun += static_cast<s64>(hrtimer_forward(h, now + (t->interval < TICK_NSEC ? TICK_NSEC : 0), t->interval));
  t->armed = true;
  return HRTIMER_RESTART;
}

// ---- What differs between the clocks that go by themselves and those of CPU time ------------------------------------------

bool counts_cpu(const PosixTimer* t) { return t->cpu.pid; }

// ESRCH: whose CPU time it is has ended.
Result<ktime_t> now_of(const PosixTimer* t) {
  if (!counts_cpu(t)) return clock_now(t->clock);
  return static_cast<ktime_t>(TRY(cpu_timer_now(&t->cpu)));
}

ktime_t expiry(const PosixTimer* t) { return counts_cpu(t) ? static_cast<ktime_t>(t->cpu.expires) : t->timer.expires; }
void set_expiry(PosixTimer* t, ktime_t at) {
  if (counts_cpu(t))
    t->cpu.expires = static_cast<u64>(at);
  else
    hrtimer_set_expires(&t->timer, at);
}

// Moves the expiry beyond now by whole periods: how many.
u64 forward(PosixTimer* t, ktime_t now) REQUIRES(t->lock) {
  if (!counts_cpu(t)) return hrtimer_forward(&t->timer, now, t->interval);
  const auto interval = static_cast<u64>(t->interval), at = static_cast<u64>(now);
  if (at < t->cpu.expires) return 0;
  const u64 periods = (at - t->cpu.expires) / interval + 1;
  t->cpu.expires += periods * interval;
  return periods;
}

void fire_cpu(PosixTimer* t) REQUIRES(t->lock);

// The timer is not armed. Its CPU clock may be past the expiry already, and its process asleep for good.
void start(PosixTimer* t) REQUIRES(t->lock) {
  t->armed = true;
  if (!counts_cpu(t)) return hrtimer_start(&t->timer, t->timer.expires, HRTIMER_MODE_ABS);
  if (auto now = now_of(t); now && *now >= expiry(t)) return fire_cpu(t);
  refcount_inc(&t->refs);  // the arming's
  if (!cpu_timer_arm(&t->cpu)) refcount_dec(&t->refs);
}

// Cancels the timer and returns with the lock held again; an hrtimer's callback takes the lock, so it is waited for without.
void stop(PosixTimer* t) REQUIRES(t->lock) NO_THREAD_SAFETY_ANALYSIS {
  t->armed = false;
  if (counts_cpu(t)) {
    if (cpu_timer_disarm(&t->cpu)) refcount_dec(&t->refs);
    return;
  }
  while (hrtimer_try_to_cancel(&t->timer) < 0) {
    _raw_spin_unlock_irq(&t->lock);
    arch::cpu_relax();
    _raw_spin_lock_irq(&t->lock);
  }
  t->armed = false;
}

void fire_cpu(PosixTimer* t) {
  t->armed = false;
  if (t->interval) t->sequence |= 1;
  if (send(t) || !t->interval) return;
  // Ignored: on by ourselves.
  t->sequence &= ~1;
  auto now = now_of(t);
  if (!now) return;
  t->overrun += static_cast<s64>(forward(t, *now));
  start(t);
}

void cpu_timer_fired(CpuTimer* c, unsigned arming) {
  PosixTimer* t = container_of(c, PosixTimer, cpu);
  {
    IrqSpinGuard g(t->lock);
    if (!t->deleted && c->arming == arming) fire_cpu(t);
  }
  put_timer(t);
}
void drop_arming(CpuTimer* c) { put_timer(container_of(c, PosixTimer, cpu)); }
constexpr CpuTimerOps kCpuTimerOps = {cpu_timer_fired, drop_arming};

// ---- Settings -------------------------------------------------------------------------------------------------------------

UserItimerspec current_setting(PosixTimer* t) REQUIRES(t->lock) {
  const bool waits_for_signal = t->interval && (t->sequence & 1);
  const auto now = now_of(t);
  if (!now) return {};
  if (!t->armed && !waits_for_signal) return {user_timespec(t->interval), {}};
  // A timer that only waits for its signal to be taken, or that sends none, is brought up to date for the answer.
  if (t->interval && (waits_for_signal || t->notify == kSigevNone)) t->overrun += static_cast<s64>(forward(t, *now));
  s64 left = expiry(t) - *now;
  if (left <= 0) left = t->notify == kSigevNone ? 0 : 1;
  return {user_timespec(t->interval), user_timespec(left)};
}

// The timer is stopped. ESRCH: its CPU clock stands for ever.
long arm(PosixTimer* t, s64 value, s64 interval, int flags) REQUIRES(t->lock) {
  const auto now = now_of(t);
  if (!now) return now.error().neg();
  t->interval = interval;
  t->sequence = (t->sequence + 2) & ~1;
  t->overrun = t->last_overrun = 0;
  if (!value) return 0;
  set_expiry(t, flags & TIMER_ABSTIME ? timens_to_host(t->clock, value) : ktime_add_safe(*now, value));
  if (t->notify == kSigevNone)
    t->armed = true;
  else
    start(t);
  return 0;
}

// ---- Making and unmaking ----------------------------------------------------------------------------------------------------

bool is_cpu_clock(int clock) { return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID; }
bool usable(int clock) {
  if (is_cpu_clock(clock)) return CpuClock::of_id(clock).has_value();
  return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_TAI;
}

// Who gets the signal; a reference.
Result<struct pid*> target_of(const UserSigevent& e) {
  if (e.notify == kSigevNone) return get_pid(task_tgid(current));
  if (e.signo <= 0 || e.signo > SIGRTMAX) return fail(EINVAL);
  switch (e.notify) {
    case kSigevSignal:
    case kSigevThread: return get_pid(task_tgid(current));
    case kSigevSignal | kSigevThreadId: {
      RcuReadGuard rcu;
      struct pid* pid = find_vpid(e.tid);
      task_struct* t = pid ? pid_task(pid, PIDTYPE_PID) : nullptr;
      if (!t || !same_thread_group(t, current)) return fail(EINVAL);
      return get_pid(pid);
    }
    default: return fail(EINVAL);
  }
}

Result<void> attach_cpu_clock(PosixTimer* t, int clock) {
  t->cpu.clock = TRY(CpuClock::of_id(clock));
  t->cpu.pid = TRY(cpu_clock_pid(t->cpu.clock, CpuClockUse::Time));
  t->cpu.ops = &kCpuTimerOps;
  return {};
}

Result<PosixTimer*> make_timer(int clock, const UserSigevent& e, bool default_event) {
  struct pid* target = TRY(target_of(e));
  auto* t = static_cast<PosixTimer*>(kzalloc(sizeof(PosixTimer), GFP_KERNEL));
  sigqueue* q = t && e.notify != kSigevNone ? sigqueue_alloc() : nullptr;
  if (!t || (!q && e.notify != kSigevNone)) {
    kfree(t);
    put_pid(target);
    return fail(EAGAIN);
  }
  if (auto ok = is_cpu_clock(clock) ? attach_cpu_clock(t, clock) : Result<void>{}; !ok) {
    if (q) sigqueue_free(q);
    kfree(t);
    put_pid(target);
    return std::unexpected<Errno>(ok.error());
  }
  refcount_set(&t->refs, 1);
  spin_lock_init(&t->lock);
  t->clock = clock;
  t->notify = e.notify;
  t->signo = e.signo;
  t->target = target;
  t->target_type = e.notify == kSigevThreadId ? PIDTYPE_PID : PIDTYPE_TGID;
  t->signal = q;
  if (!counts_cpu(t)) hrtimer_init(&t->timer, clock, HRTIMER_MODE_ABS);
  t->timer.function = posix_timer_fn;
  IrqOffSpinGuard g(current->sighand->siglock);
  t->id = current->signal->next_posix_timer_id++;
  t->value = default_event ? sigval_t{.sival_int = t->id} : e.value;
  if (q) {
    kernel_siginfo* info = sigqueue_info(q);
    *info = {};
    info->si_signo = e.signo;
    info->si_code = SI_TIMER;
    info->si_tid = t->id;
    info->_f._timer.sigval = t->value;
  }
  list_add_tail(&t->list, &current->signal->posix_timers);
  return t;
}

// Unlinked already; the list's reference goes.
void destroy(PosixTimer* t) {
  {
    IrqOffSpinGuard g(t->lock);
    t->deleted = true;
    stop(t);
  }
  if (t->signal) sigqueue_free(t->signal);  // nothing sends it any more
  put_timer(t);
}

PosixTimer* unlink_timer(int id) {  // -1: any
  IrqOffSpinGuard g(current->sighand->siglock);
  PosixTimer* t;
  list_for_each_entry(t, &current->signal->posix_timers, list) {
    if (id >= 0 && t->id != id) continue;
    list_del_init(&t->list);
    return t;
  }
  return nullptr;
}

}  // namespace

// The signal of a periodic timer has been taken: start the next period, and tell how many were missed. Interrupts in any
// state, siglock not held.
void posixtimer_rearm(kernel_siginfo* info) {
  TimerRef t(info->si_tid);
  if (!t) return;
  IrqSpinGuard g(t->lock);
  if (t->deleted || !t->interval || t->sequence != info->_f._timer.sys_private) return;
  const auto now = now_of(t.get());
  if (!now) return;
  t->overrun += static_cast<s64>(forward(t.get(), *now)) - 1;
  t->last_overrun = t->overrun + info->si_overrun;
  t->overrun = 0;
  t->sequence = (t->sequence + 2) & ~1;
  start(t.get());
  info->si_overrun = clamp_overrun(t->last_overrun);
}

void exit_itimers(task_struct*) {
  while (PosixTimer* t = unlink_timer(-1)) destroy(t);
}

void posix_timers_init() {}

// The clock of an open file: there are none, but their numbers are known.
static bool is_clock_file(int clock) { return clock < 0 && (clock & 7) == 3; }

SYSCALL_DEFINE3(timer_create, int, clock, UserSigevent __user*, event, int __user*, id) {
  if (!usable(clock)) {
    const bool known = (clock >= CLOCK_MONOTONIC_RAW && clock <= CLOCK_BOOTTIME_ALARM) || is_clock_file(clock);
    return known ? -EOPNOTSUPP : -EINVAL;
  }
  UserSigevent e{};
  e.signo = SIGALRM;
  if (event && copy_from_user(&e, event, sizeof(e))) return -EFAULT;
  auto t = make_timer(clock, e, !event);
  if (!t) return t.error().neg();
  const int number = (*t)->id;
  if (!put_user(number, id)) return 0;
  if (PosixTimer* mine = unlink_timer(number)) destroy(mine);
  return -EFAULT;
}

SYSCALL_DEFINE4(timer_settime, int, id, int, flags, const UserItimerspec __user*, from, UserItimerspec __user*, old) {
  UserItimerspec u;
  if (!from) return -EINVAL;
  if (copy_from_user(&u, from, sizeof(u))) return -EFAULT;
  if (!valid(u.it_value) || !valid(u.it_interval)) return -EINVAL;
  TimerRef t(id);
  if (!t) return -EINVAL;
  UserItimerspec was;
  {
    IrqOffSpinGuard g(t->lock);
    was = current_setting(t.get());
    stop(t.get());
    if (t->deleted) return -EINVAL;
    if (long error = arm(t.get(), to_ns(u.it_value), to_ns(u.it_interval), flags)) return error;
  }
  return old && put_user(was, old) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(timer_gettime, int, id, UserItimerspec __user*, to) {
  TimerRef t(id);
  if (!t) return -EINVAL;
  UserItimerspec now;
  {
    IrqOffSpinGuard g(t->lock);
    now = current_setting(t.get());
  }
  return put_user(now, to);
}

SYSCALL_DEFINE1(timer_getoverrun, int, id) {
  TimerRef t(id);
  if (!t) return -EINVAL;
  IrqOffSpinGuard g(t->lock);
  return clamp_overrun(t->last_overrun);
}

SYSCALL_DEFINE1(timer_delete, int, id) {
  PosixTimer* t = id < 0 ? nullptr : unlink_timer(id);
  if (!t) return -EINVAL;
  destroy(t);
  return 0;
}

// /proc/PID/timers, as proc(5) describes it: the newest first.
int show_pid_timers(seq_file* m, task_struct* p) {
  struct Row {
    int id, clock, notify, signo, target;
    void* value;
    pid_type type;
  };
  pid_namespace* ns = task_active_pid_ns(current);
  for (int skip = 0;; skip++) {
    Row r;
    bool found = false;
    unsigned long flags;
    if (!lock_task_sighand(p, &flags)) return -ESRCH;
    int at = 0;
    PosixTimer* t;
    list_for_each_entry_reverse(t, &p->signal->posix_timers, list) {
      if (at++ != skip) continue;
      r = {t->id, t->clock, t->notify, t->signo, pid_nr_ns(t->target, ns), t->value.sival_ptr, t->target_type};
      found = true;
      break;
    }
    unlock_task_sighand(p, flags);
    if (!found) return 0;
    static constexpr const char* kNotify[] = {"signal", "none", "thread"};
    seq_printf(m, "ID: %d\nsignal: %d/%px\nnotify: %s/%s.%d\nClockID: %d\n", r.id, r.signo, r.value, kNotify[r.notify & 3],
               r.type == PIDTYPE_PID ? "tid" : "pid", r.target, r.clock);
  }
}
