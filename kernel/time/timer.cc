// The timer wheel: timers in jiffies (spec 33 section 5.2). Each CPU has two bases, one of them for deferrable timers.
// A base's lock guards its buckets and the fields of the timers in them; the CPU number in timer->flags says which base
// a timer belongs to and changes only under that base's lock (MIGRATING while it is in no base).
// SPDX-License-Identifier: Apache-2.0
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/timer.h>

#include "arch/contract/arch.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/time.hh"
#include "kernel/time/wheel.hh"
#include "lib/late.hh"

namespace {

struct TimerBase {
  raw_spinlock_t lock;
  timer_list* running GUARDED_BY(lock);  // whose callback runs now
  unsigned long clock GUARDED_BY(lock);        // the next jiffy to be processed; may lag behind jiffies while nothing is pending
  unsigned long next_expiry;  // no bucket comes up before it; valid if any
  bool any;
  u64 pending[kWheelLevels] GUARDED_BY(lock);
  hlist_head bucket[kWheelSize] GUARDED_BY(lock);
};
enum BaseKind : unsigned { kStandard, kDeferrable, kBases };
struct TimerCpu {
  TimerBase base[kBases];
};
struct TimerState {
  TimerCpu* cpu[NR_CPUS]{};
};
constinit Late<TimerState> timers;

TimerBase& base_of(u32 flags) {
  return timers->cpu[flags & TIMER_CPUMASK]->base[flags & TIMER_DEFERRABLE ? kDeferrable : kStandard];
}

// Locks the base t belongs to. Interrupts are off on return; *irq holds what they were.
TimerBase& lock_base(timer_list* t, unsigned long* irq) NO_THREAD_SAFETY_ANALYSIS {
  for (;;) {
    const u32 flags = READ_ONCE(t->flags);
    if (!(flags & TIMER_MIGRATING)) {
      TimerBase& base = base_of(flags);
      *irq = _raw_spin_lock_irqsave(&base.lock);
      if (READ_ONCE(t->flags) == flags) return base;
      _raw_spin_unlock_irqrestore(&base.lock, *irq);
    }
    arch::cpu_relax();
  }
}

unsigned bucket_of(const timer_list* t) { return t->flags >> TIMER_ARRAYSHIFT; }

// timer_pending() looks at pprev without the lock: it is always written in one access.
void set_pprev(hlist_node* n, hlist_node** pprev) { WRITE_ONCE(n->pprev, pprev); }
void unlink(timer_list* t) {
  hlist_node& n = t->entry;
  *n.pprev = n.next;
  if (n.next) set_pprev(n.next, n.pprev);
  set_pprev(&n, nullptr);
}

// any and next_expiry are looked at without the lock by the tick: next_expiry first, so that `any` vouches for it.
void set_next(TimerBase& base, unsigned long at) {
  WRITE_ONCE(base.next_expiry, at);
  __atomic_store_n(&base.any, true, __ATOMIC_RELEASE);
}
void recompute_next(TimerBase& base) REQUIRES(base.lock) {
  unsigned long at;
  if (wheel_next(base.pending, base.clock, &at))
    set_next(base, at);
  else
    WRITE_ONCE(base.any, false);
}

bool detach(TimerBase& base, timer_list* t) REQUIRES(base.lock) {
  if (!timer_pending(t)) return false;
  const unsigned at = bucket_of(t);
  unlink(t);
  if (hlist_empty(&base.bucket[at])) {
    base.pending[at / kWheelLevelSize] &= ~(1ull << at % kWheelLevelSize);
    recompute_next(base);
  }
  return true;
}

// A base on which nothing happened for long catches up, so that a new timer's delta counts from now.
void forward(TimerBase& base) REQUIRES(base.lock) {
  const unsigned long now = jiffies;
  if (time_before_eq(now, base.clock)) return;
  base.clock = base.any && time_before(base.next_expiry, now) ? base.next_expiry : now;
}

void enqueue_at(TimerBase& base, timer_list* t, WheelSlot slot) REQUIRES(base.lock) {
  hlist_head* head = &base.bucket[slot.index];
  hlist_node* first = head->first;
  t->entry.next = first;
  if (first) set_pprev(first, &t->entry.next);
  head->first = &t->entry;
  set_pprev(&t->entry, &head->first);
  base.pending[slot.index / kWheelLevelSize] |= 1ull << slot.index % kWheelLevelSize;
  WRITE_ONCE(t->flags, (t->flags & ~TIMER_ARRAYMASK) | slot.index << TIMER_ARRAYSHIFT);
  if (base.any && !time_before(slot.fires, base.next_expiry)) return;
  set_next(base, slot.fires);
  const unsigned cpu = t->flags & TIMER_CPUMASK;
  if (!(t->flags & TIMER_DEFERRABLE) && cpu != arch::cpu_id()) wake_up_nohz_cpu(cpu);
}
void enqueue(TimerBase& base, timer_list* t) REQUIRES(base.lock) {
  forward(base);
  enqueue_at(base, t, wheel_slot(t->expires, base.clock));
}

// Takes t from base to cpu's base unless its callback runs (W-28). The lock of the result is held, base's no more.
TimerBase& move_base(TimerBase& base, timer_list* t, unsigned cpu) NO_THREAD_SAFETY_ANALYSIS {
  TimerBase& to = base_of((t->flags & ~TIMER_CPUMASK) | cpu);
  if (&to == &base || base.running == t) return base;
  WRITE_ONCE(t->flags, t->flags | TIMER_MIGRATING);
  _raw_spin_unlock(&base.lock);
  _raw_spin_lock(&to.lock);
  __atomic_store_n(&t->flags, (t->flags & ~TIMER_BASEMASK) | cpu, __ATOMIC_RELEASE);
  return to;
}

enum class Arm : unsigned char { Always, IfPending, Earlier };

int modify(timer_list* t, unsigned long expires, Arm how) NO_THREAD_SAFETY_ANALYSIS {
  if (timer_pending(t)) {
    const unsigned long now_set = READ_ONCE(t->expires);
    if (now_set == expires || (how == Arm::Earlier && time_before_eq(now_set, expires))) return 1;
  }
  unsigned long irq;
  TimerBase* base = &lock_base(t, &irq);
  const bool was_pending = timer_pending(t);
  int result = was_pending;
  if (was_pending && how == Arm::Earlier && time_before_eq(t->expires, expires)) {
    // somebody else has armed it for an earlier time
  } else if (was_pending || how != Arm::IfPending) {
    detach(*base, t);
    base = &move_base(*base, t, arch::cpu_id());
    WRITE_ONCE(t->expires, expires);
    enqueue(*base, t);
  }
  _raw_spin_unlock_irqrestore(&base->lock, irq);
  return result;
}

// ---- Expiry --------------------------------------------------------------------------------------------------------
void call_timer(timer_list* t) {
  const int count = preempt_count();
  void (*fn)(timer_list*) = t->function;
  fn(t);  // may have freed t
  if (preempt_count() == count) return;
  pr_err("timer: %pS preempt leak: %08x -> %08x\n", reinterpret_cast<void*>(fn), static_cast<unsigned>(count),
         static_cast<unsigned>(preempt_count()));
  preempt_count_add(count - preempt_count());
}

// base.lock held, interrupts off; both are given up while a callback runs.
void run_bucket(TimerBase& base, hlist_head* list) REQUIRES(base.lock) NO_THREAD_SAFETY_ANALYSIS {
  while (!hlist_empty(list)) {
    timer_list* t = hlist_entry(list->first, timer_list, entry);
    base.running = t;
    unlink(t);
    if (t->flags & TIMER_IRQSAFE) {
      _raw_spin_unlock(&base.lock);
      call_timer(t);
      _raw_spin_lock(&base.lock);
    } else {
      _raw_spin_unlock_irq(&base.lock);
      call_timer(t);
      _raw_spin_lock_irq(&base.lock);
    }
    base.running = nullptr;
  }
}

// Moves the buckets that come up at base.clock to lists, lowest level first; how many.
unsigned collect(TimerBase& base, hlist_head (&lists)[kWheelLevels]) REQUIRES(base.lock) {
  unsigned n = 0;
  unsigned long at = base.clock;
  for (unsigned level = 0; level < kWheelLevels; level++, at >>= kWheelShift) {
    const unsigned bit = at % kWheelLevelSize;
    if (base.pending[level] >> bit & 1) {
      base.pending[level] &= ~(1ull << bit);
      hlist_head* head = &base.bucket[level * kWheelLevelSize + bit];
      lists[n].first = head->first;
      head->first = nullptr;
      set_pprev(lists[n].first, &lists[n].first);
      n++;
    }
    if (at & ((1ul << kWheelShift) - 1)) break;
  }
  return n;
}

void run_base(TimerBase& base) {
  _raw_spin_lock_irq(&base.lock);
  while (base.any && time_after_eq(jiffies, base.next_expiry)) {
    base.clock = base.next_expiry;
    hlist_head lists[kWheelLevels];
    unsigned n = collect(base, lists);
    base.clock++;
    recompute_next(base);
    while (n-- > 0) run_bucket(base, &lists[n]);  // the highest level first (W-27)
  }
  if (time_after_eq(jiffies, base.clock)) base.clock = jiffies + 1;
  _raw_spin_unlock_irq(&base.lock);
}

void timer_softirq(softirq_action*) {
  TimerCpu* c = timers->cpu[arch::cpu_id()];
  run_base(c->base[kStandard]);
  if (READ_ONCE(c->base[kDeferrable].any)) run_base(c->base[kDeferrable]);
}

bool due(const TimerBase& base) {
  return __atomic_load_n(&base.any, __ATOMIC_ACQUIRE) && time_after_eq(jiffies, READ_ONCE(base.next_expiry));
}

}  // namespace

// ---- For the tick ----------------------------------------------------------------------------------------------------
void run_local_timers() {
  const TimerCpu* c = timers->cpu[arch::cpu_id()];
  if (due(c->base[kStandard]) || due(c->base[kDeferrable])) raise_softirq_irqoff(TIMER_SOFTIRQ);
}
bool timer_any_pending() { return READ_ONCE(timers->cpu[arch::cpu_id()]->base[kStandard].any); }
unsigned long timer_next_expiry() { return READ_ONCE(timers->cpu[arch::cpu_id()]->base[kStandard].next_expiry); }

// ---- CPUs that go ----------------------------------------------------------------------------------------------------
namespace {

// Both locked.
void adopt(TimerBase& from, TimerBase& to, unsigned cpu) NO_THREAD_SAFETY_ANALYSIS {
  BUG_ON(from.running);
  forward(to);
  for (hlist_head& head : from.bucket) {
    while (!hlist_empty(&head)) {
      timer_list* t = hlist_entry(head.first, timer_list, entry);
      unlink(t);
      WRITE_ONCE(t->flags, (t->flags & ~TIMER_BASEMASK) | cpu);
      enqueue_at(to, t, wheel_slot(t->expires, to.clock));
    }
  }
  for (u64& level : from.pending) level = 0;
  WRITE_ONCE(from.any, false);
}

}  // namespace

void timers_dead_cpu(unsigned dead) NO_THREAD_SAFETY_ANALYSIS {
  IrqGuard off;
  for (unsigned kind = 0; kind < kBases; kind++) {
    TimerBase& to = timers->cpu[arch::cpu_id()]->base[kind];
    TimerBase& from = timers->cpu[dead]->base[kind];
    _raw_spin_lock(&to.lock);
    raw_spin_lock_nested(&from.lock, 1);
    adopt(from, to, arch::cpu_id());
    raw_spin_unlock(&from.lock);
    _raw_spin_unlock(&to.lock);
  }
}

// ---- Boot and power-off ------------------------------------------------------------------------------------------------
void timers_init() NO_THREAD_SAFETY_ANALYSIS {
  TimerState& s = timers.construct();
  for (unsigned cpu = 0; cpu < arch::boot_info().nr_cpus; cpu++) {
    s.cpu[cpu] = static_cast<TimerCpu*>(kzalloc(sizeof(TimerCpu), GFP_KERNEL));
    if (!s.cpu[cpu]) panic("no memory for timers");
    for (TimerBase& b : s.cpu[cpu]->base) {
      raw_spin_lock_init(&b.lock);
      b.clock = jiffies;
    }
  }
  open_softirq(TIMER_SOFTIRQ, timer_softirq);
}

void timers_exit(LeakReport& report) NO_THREAD_SAFETY_ANALYSIS {
  for (TimerCpu* c : timers->cpu) {
    if (!c) continue;
    for (TimerBase& b : c->base)
      for (hlist_head& head : b.bucket) {
        timer_list* t;
        hlist_for_each_entry(t, &head, entry) report.finding("timer still pending: %pS", reinterpret_cast<void*>(t->function));
      }
    kfree(c);
  }
  timers.destroy();
}

// ---- The C face --------------------------------------------------------------------------------------------------------
extern "C" {

void init_timer_key(timer_list* t, void (*fn)(timer_list*), unsigned flags) {
  t->entry.pprev = nullptr;
  t->function = fn;
  t->flags = (flags & TIMER_INIT_FLAGS) | arch::cpu_id();
}
void add_timer(timer_list* t) {
  BUG_ON(timer_pending(t));
  modify(t, t->expires, Arm::Always);
}
void add_timer_on(timer_list* t, int cpu) NO_THREAD_SAFETY_ANALYSIS {
  BUG_ON(timer_pending(t));
  unsigned long irq;
  TimerBase* base = &lock_base(t, &irq);
  base = &move_base(*base, t, static_cast<unsigned>(cpu));
  enqueue(*base, t);
  _raw_spin_unlock_irqrestore(&base->lock, irq);
}
int mod_timer(timer_list* t, unsigned long expires) { return modify(t, expires, Arm::Always); }
int mod_timer_pending(timer_list* t, unsigned long expires) { return modify(t, expires, Arm::IfPending); }
int timer_reduce(timer_list* t, unsigned long expires) { return modify(t, expires, Arm::Earlier); }

int del_timer(timer_list* t) NO_THREAD_SAFETY_ANALYSIS {
  if (!timer_pending(t)) return 0;
  unsigned long irq;
  TimerBase& base = lock_base(t, &irq);
  const int was = detach(base, t);
  _raw_spin_unlock_irqrestore(&base.lock, irq);
  return was;
}
int try_to_del_timer_sync(timer_list* t) NO_THREAD_SAFETY_ANALYSIS {
  unsigned long irq;
  TimerBase& base = lock_base(t, &irq);
  const int r = base.running == t ? -1 : detach(base, t);
  _raw_spin_unlock_irqrestore(&base.lock, irq);
  return r;
}
int del_timer_sync(timer_list* t) {  // W-29
  WARN_ON(in_hardirq() && !(t->flags & TIMER_IRQSAFE));
  for (;;) {
    const int r = try_to_del_timer_sync(t);
    if (r >= 0) return r;
    arch::cpu_relax();
  }
}

unsigned long round_jiffies(unsigned long j) {
  const unsigned long rem = j % HZ;
  const unsigned long rounded = rem < HZ / 4 ? j - rem : j - rem + HZ;
  return time_is_after_jiffies(rounded) ? rounded : j;
}
unsigned long round_jiffies_relative(unsigned long j) { return round_jiffies(j + jiffies) - jiffies; }

}  // extern "C"
