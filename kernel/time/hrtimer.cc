// High-resolution timers (spec 33 section 6). Each CPU has eight trees: four clocks, each for hard and soft callbacks.
// The CPU's lock guards its trees and the timers in them; t->base changes under the lock of the old base's CPU while
// the timer is in no tree.
// SPDX-License-Identifier: Apache-2.0
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/rbtree.h>
#include <linux/sched.h>

#include "arch/contract/arch.hh"
#include "kernel/percpu.hh"
#include "kernel/sync/guards.hh"
#include "kernel/time/time.hh"
#include "lib/late.hh"

struct HrCpu;
struct hrtimer_clock_base {
  HrCpu* cpu;
  int clock;
  rb_root_cached active;
  hrtimer* running;  // whose callback runs now
};

namespace {

enum BaseIndex : unsigned { kMonotonic, kRealtime, kBoottime, kTai, kSoft, kBases = 8 };
inline constexpr int kClockOf[4] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI};
inline constexpr unsigned kResolution = 1;  // ns

}  // namespace

struct HrCpu {
  raw_spinlock_t lock;
  hrtimer_clock_base base[kBases];
  unsigned nonempty;   // bit per base; read without the lock as a hint
  bool soft_raised GUARDED_BY(lock);  // the softirq is on its way: soft bases do not count for the next event
  unsigned number;
};

namespace {

struct HrState {
  PerCpu<HrCpu> cpu;
};
constinit Late<HrState> hr;

constexpr unsigned index_of_clock(int clock) {
  switch (clock) {
    case CLOCK_REALTIME: return kRealtime;
    case CLOCK_BOOTTIME: return kBoottime;
    case CLOCK_TAI: return kTai;
    default: return kMonotonic;
  }
}
unsigned index_in_cpu(const hrtimer_clock_base* b) { return static_cast<unsigned>(b - b->cpu->base); }
s64 offset_of(const hrtimer_clock_base& b) {
  return b.clock == CLOCK_REALTIME || b.clock == CLOCK_TAI ? timekeeping_real_offset() : 0;
}

hrtimer* timer_of(rb_node* n) { return rb_entry_safe(n, hrtimer, node); }
bool earlier(rb_node* a, const rb_node* b) {
  return timer_of(a)->expires < rb_entry(const_cast<rb_node*>(b), hrtimer, node)->expires;
}

// True if t is now the first of its base. CPU lock held.
bool enqueue(hrtimer* t, hrtimer_clock_base* b) {
  WRITE_ONCE(t->state, HRTIMER_STATE_ENQUEUED);
  WRITE_ONCE(b->cpu->nonempty, b->cpu->nonempty | 1u << index_in_cpu(b));
  return rb_add_cached(&t->node, &b->active, earlier) != nullptr;
}
void dequeue(hrtimer* t, hrtimer_clock_base* b) {
  rb_erase_cached(&t->node, &b->active);
  WRITE_ONCE(t->state, HRTIMER_STATE_INACTIVE);
  if (RB_EMPTY_ROOT(&b->active.rb_root))
    WRITE_ONCE(b->cpu->nonempty, b->cpu->nonempty & ~(1u << index_in_cpu(b)));
}

// Who moves t to another base has not its lock yet when it says so, and has written t under the old one's: the acquire pairs with the
// release in lock_for_start.
hrtimer_clock_base* base_of(const hrtimer* t) { return __atomic_load_n(&t->base, __ATOMIC_ACQUIRE); }

hrtimer_clock_base* lock_base(const hrtimer* t, unsigned long* irq) NO_THREAD_SAFETY_ANALYSIS {
  for (;;) {
    hrtimer_clock_base* b = base_of(t);
    *irq = _raw_spin_lock_irqsave(&b->cpu->lock);
    if (base_of(t) == b) return b;
    _raw_spin_unlock_irqrestore(&b->cpu->lock, *irq);
    arch::cpu_relax();
  }
}

// Locks a base that t may be started on: this CPU's, unless its callback runs on another. t is in no tree then.
hrtimer_clock_base* lock_for_start(hrtimer* t, unsigned long* irq) NO_THREAD_SAFETY_ANALYSIS {
  for (;;) {
    hrtimer_clock_base* b = lock_base(t, irq);
    if (t->state & HRTIMER_STATE_ENQUEUED) dequeue(t, b);
    HrCpu& here = hr->cpu.this_cpu();
    if (b->cpu == &here || b->running == t) return b;
    hrtimer_clock_base* to = &here.base[index_in_cpu(b)];
    __atomic_store_n(&t->base, to, __ATOMIC_RELEASE);
    _raw_spin_unlock(&b->cpu->lock);
    _raw_spin_lock(&here.lock);
    if (base_of(t) == to && !(t->state & HRTIMER_STATE_ENQUEUED)) return to;
    _raw_spin_unlock_irqrestore(&here.lock, *irq);  // another CPU started it between the locks: ours comes after
  }
}

enum class Run : unsigned char { Hard, Soft };

// CPU lock held, interrupts off; given up while a callback runs (with interrupts on for soft ones).
void run_base(hrtimer_clock_base& b, ktime_t now, Run how) NO_THREAD_SAFETY_ANALYSIS {
  HrCpu* cpu = b.cpu;
  while (hrtimer* t = timer_of(rb_first_cached(&b.active))) {
    if (now < t->softexpires) break;  // W-34: from the soft expiry on, at the hard one at the latest
    b.running = t;
    dequeue(t, &b);
    enum hrtimer_restart (*fn)(hrtimer*) = t->function;
    enum hrtimer_restart again;
    if (how == Run::Hard) {
      _raw_spin_unlock(&cpu->lock);
      again = fn(t);
      _raw_spin_lock(&cpu->lock);
    } else {
      _raw_spin_unlock_irq(&cpu->lock);
      again = fn(t);
      _raw_spin_lock_irq(&cpu->lock);
    }
    // A callback that restarted its timer by hand has put it in already. Without RESTART t may be freed.
    if (again == HRTIMER_RESTART && !(t->state & HRTIMER_STATE_ENQUEUED)) enqueue(t, &b);
    b.running = nullptr;
  }
}

void run_bases(HrCpu& cpu, u64 now_ns, Run how) REQUIRES(cpu.lock) {
  const unsigned first = how == Run::Soft ? +kSoft : 0;
  for (unsigned i = first; i < first + 4; i++)
    if (cpu.nonempty >> i & 1) run_base(cpu.base[i], static_cast<ktime_t>(now_ns) + offset_of(cpu.base[i]), how);
}

// Monotonic ns at which base b wants the CPU.
u64 base_next(hrtimer_clock_base& b) {
  const s64 at = timer_of(rb_first_cached(&b.active))->expires;
  if (at == KTIME_MAX) return ~0ull;
  const s64 mono = at - offset_of(b);
  return mono < 0 ? 0 : static_cast<u64>(mono);
}

bool soft_due(HrCpu& cpu, u64 now_ns) REQUIRES(cpu.lock) {
  for (unsigned i = kSoft; i < kBases; i++) {
    if (!(cpu.nonempty >> i & 1)) continue;
    hrtimer_clock_base& b = cpu.base[i];
    if (timer_of(rb_first_cached(&b.active))->softexpires <= static_cast<ktime_t>(now_ns) + offset_of(b)) return true;
  }
  return false;
}

void hrtimer_softirq(softirq_action*) {
  HrCpu& cpu = hr->cpu.this_cpu();
  unsigned long irq = _raw_spin_lock_irqsave(&cpu.lock);
  run_bases(cpu, arch::clock_ns(), Run::Soft);
  cpu.soft_raised = false;
  _raw_spin_unlock_irqrestore(&cpu.lock, irq);
  IrqGuard off;
  timer_reprogram();
}

enum hrtimer_restart wake_sleeper(hrtimer* t) {
  hrtimer_sleeper* s = container_of(t, hrtimer_sleeper, timer);
  task_struct* task = s->task;
  WRITE_ONCE(s->task, static_cast<task_struct*>(nullptr));
  if (task) wake_up_process(task);
  return HRTIMER_NORESTART;
}

}  // namespace

// ---- For the tick ----------------------------------------------------------------------------------------------------
void hrtimer_run_expired(u64 now_ns) {
  HrCpu& cpu = hr->cpu.this_cpu();
  if (!READ_ONCE(cpu.nonempty)) return;
  _raw_spin_lock(&cpu.lock);
  run_bases(cpu, now_ns, Run::Hard);
  if (!cpu.soft_raised && cpu.nonempty >> kSoft && soft_due(cpu, now_ns)) {
    cpu.soft_raised = true;
    raise_softirq_irqoff(HRTIMER_SOFTIRQ);
  }
  _raw_spin_unlock(&cpu.lock);
}

u64 hrtimer_next_event() {
  HrCpu& cpu = hr->cpu.this_cpu();
  if (!READ_ONCE(cpu.nonempty)) return ~0ull;
  _raw_spin_lock(&cpu.lock);
  u64 next = ~0ull;
  const unsigned end = cpu.soft_raised ? +kSoft : +kBases;
  for (unsigned i = 0; i < end; i++) {
    if (!(cpu.nonempty >> i & 1)) continue;
    const u64 at = base_next(cpu.base[i]);
    if (at < next) next = at;
  }
  _raw_spin_unlock(&cpu.lock);
  return next;
}

void hrtimers_dead_cpu(unsigned dead) NO_THREAD_SAFETY_ANALYSIS {
  IrqGuard off;
  HrCpu &to = hr->cpu.this_cpu(), &from = hr->cpu.on(dead);
  _raw_spin_lock(&to.lock);
  raw_spin_lock_nested(&from.lock, 1);
  for (unsigned i = 0; i < kBases; i++) {
    BUG_ON(from.base[i].running);
    while (hrtimer* t = timer_of(rb_first_cached(&from.base[i].active))) {
      dequeue(t, &from.base[i]);
      WRITE_ONCE(t->base, &to.base[i]);
      enqueue(t, &to.base[i]);
    }
  }
  from.soft_raised = false;
  raw_spin_unlock(&from.lock);
  _raw_spin_unlock(&to.lock);
  timer_reprogram();
}

void clock_was_set() {
  PreemptGuard no_preemption;  // none of them goes meanwhile
  unsigned cpu;
  for_each_online_cpu(cpu) {
    if (cpu != arch::cpu_id()) arch::send_ipi(cpu, arch::Ipi::TimerBroadcast);
  }
  IrqGuard off;
  timer_reprogram();
}

void hrtimers_init() {
  hr.construct();
  for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
    HrCpu& c = hr->cpu.on(cpu);
    raw_spin_lock_init(&c.lock);
    c.number = cpu;
    for (unsigned i = 0; i < kBases; i++) c.base[i] = {&c, kClockOf[i % 4], RB_ROOT_CACHED, nullptr};
  }
  open_softirq(HRTIMER_SOFTIRQ, hrtimer_softirq);
  tick_cpu_startup();
}
void hrtimers_exit(LeakReport& report) {
  hr->cpu.for_each([&](HrCpu& c) {
    for (hrtimer_clock_base& b : c.base)
      for (rb_node* n = rb_first_cached(&b.active); n; n = rb_next(n))
        report.finding("hrtimer still queued: %pS", reinterpret_cast<void*>(timer_of(n)->function));
  });
  hr.destroy();
}

// ---- The C face --------------------------------------------------------------------------------------------------------
extern "C" {

void hrtimer_init(hrtimer* t, int clock, hrtimer_mode mode) {
  if (clock == CLOCK_REALTIME && (mode & HRTIMER_MODE_REL)) clock = CLOCK_MONOTONIC;  // setting the clock moves no interval
  *t = {};
  const bool soft = mode & HRTIMER_MODE_SOFT;
  t->is_soft = soft;
  t->is_hard = (mode & HRTIMER_MODE_HARD) != 0;
  t->base = &hr->cpu.this_cpu().base[index_of_clock(clock) + (soft ? +kSoft : 0u)];
}

void hrtimer_start_range_ns(hrtimer* t, ktime_t time, u64 slack, hrtimer_mode mode) NO_THREAD_SAFETY_ANALYSIS {
  unsigned long irq;
  hrtimer_clock_base* b = lock_for_start(t, &irq);
  if (mode & HRTIMER_MODE_REL) time = ktime_add_safe(clock_now(b->clock), time);
  t->is_rel = (mode & HRTIMER_MODE_REL) != 0;
  hrtimer_set_expires_range_ns(t, time, slack);
  const bool first = enqueue(t, b);
  HrCpu* cpu = b->cpu;
  _raw_spin_unlock(&cpu->lock);
  if (first) {
    if (cpu->number == arch::cpu_id())
      timer_reprogram();
    else
      arch::send_ipi(cpu->number, arch::Ipi::TimerBroadcast);
  }
  arch::irq_restore(irq);
}

int hrtimer_try_to_cancel(hrtimer* t) NO_THREAD_SAFETY_ANALYSIS {
  if (!hrtimer_active(t)) return 0;
  unsigned long irq;
  hrtimer_clock_base* b = lock_base(t, &irq);
  int r = 0;
  if (b->running == t) {
    r = -1;
  } else if (t->state & HRTIMER_STATE_ENQUEUED) {
    dequeue(t, b);
    r = 1;
  }
  _raw_spin_unlock_irqrestore(&b->cpu->lock, irq);
  return r;
}
int hrtimer_cancel(hrtimer* t) {
  for (;;) {
    const int r = hrtimer_try_to_cancel(t);
    if (r >= 0) return r;
    arch::cpu_relax();
  }
}
bool hrtimer_active(const hrtimer* t) NO_THREAD_SAFETY_ANALYSIS {
  // Taken down from the tree and marked as running in one lock section, so look under the lock unless it is queued.
  if (READ_ONCE(t->state) & HRTIMER_STATE_ENQUEUED) return true;
  unsigned long irq;
  hrtimer_clock_base* b = lock_base(t, &irq);
  const bool active = (t->state & HRTIMER_STATE_ENQUEUED) || b->running == t;
  _raw_spin_unlock_irqrestore(&b->cpu->lock, irq);
  return active;
}

u64 hrtimer_forward(hrtimer* t, ktime_t now, ktime_t interval) {  // W-33
  if (WARN_ON(t->state & HRTIMER_STATE_ENQUEUED)) return 0;
  const s64 late = now - t->expires;
  if (late < 0) return 0;
  if (interval < static_cast<ktime_t>(kResolution)) interval = kResolution;
  const u64 n = static_cast<u64>(late / interval) + 1;
  hrtimer_add_expires_ns(t, n * static_cast<u64>(interval));
  return n;
}
ktime_t hrtimer_cb_get_time(const hrtimer* t) { return clock_now(t->base->clock); }
ktime_t hrtimer_get_remaining(const hrtimer* t) NO_THREAD_SAFETY_ANALYSIS {
  unsigned long irq;
  hrtimer_clock_base* b = lock_base(t, &irq);
  const ktime_t left = t->expires - clock_now(b->clock);
  _raw_spin_unlock_irqrestore(&b->cpu->lock, irq);
  return left;
}

void hrtimer_init_sleeper(hrtimer_sleeper* s, int clock, hrtimer_mode mode) {
  hrtimer_init(&s->timer, clock, mode);
  s->timer.function = wake_sleeper;
  s->task = current;
}
void hrtimer_sleeper_start_expires(hrtimer_sleeper* s, hrtimer_mode mode) { hrtimer_start_expires(&s->timer, mode); }

}  // extern "C"
