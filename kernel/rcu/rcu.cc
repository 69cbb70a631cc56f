// RCU: grace periods by quiescent states of CPUs (spec 33 section 8.7). A reader keeps preemption off, so a CPU that
// switches tasks, runs user code, idles, or is found by the tick with a preemption count of 0, is in no reader that began
// before. A grace period is over when every CPU has been seen so once since it started.
//
//   state.lock (interrupts off): holdouts, started, completed, wanted. holdouts is read without it as a hint.
//   RcuCpu::lock (interrupts off): that CPU's callback lists. Order: RcuCpu::lock, then state.lock.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/rcu/rcu.hh"

#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "kernel/percpu.hh"
#include "kernel/sync/guards.hh"
#include "lib/late.hh"

namespace {

inline constexpr int kBatch = 256;                // callbacks in one run of the softirq
inline constexpr unsigned long kMaxOffset = 4096;  // smaller "functions" are offsets of kfree_rcu

struct CallbackList {
  rcu_head* head = nullptr;
  rcu_head** tail = &head;

  bool empty() const { return !head; }
  void push(rcu_head* h) {
    h->next = nullptr;
    *tail = h;
    tail = &h->next;
  }
  void take(CallbackList& from) {  // appends
    if (from.empty()) return;
    *tail = from.head;
    tail = from.tail;
    from.head = nullptr;
    from.tail = &from.head;
  }
  rcu_head* pop() {
    rcu_head* h = head;
    head = h->next;
    if (!head) tail = &head;
    return h;
  }
};

struct RcuCpu {
  raw_spinlock_t lock;
  CallbackList next GUARDED_BY(lock);  // queued since `wait` was closed
  CallbackList wait GUARDED_BY(lock);  // may run once grace period wait_for is over
  CallbackList done GUARDED_BY(lock);
  u64 wait_for GUARDED_BY(lock) = 0;
  long queued = 0;  // read without the lock as a hint
  unsigned switches = 0;  // of tasks, by this CPU alone; see order_readers
  unsigned watching = 1;  // odd: may read; even: idles. Full barriers around each change
  bool irq_in_idle = false;
  bool invoking = false;
};

struct RcuState {
  raw_spinlock_t lock;
  u64 cpus = 0;                    // that may read
  u64 started = 0, completed = 0;  // grace periods; equal: none in progress
  bool wanted = false;             // another one after this
  struct mutex barrier_mutex;
  struct completion barrier_done;
  atomic_t barrier_left;
  PerCpu<RcuCpu> cpu;
  PerCpu<rcu_head> barrier_head;
};
constinit Late<RcuState> state;
constinit u64 holdouts = 0;  // CPUs the grace period in progress waits for

bool idles(unsigned cpu) { return !(__atomic_load_n(&state->cpu.on(cpu).watching, __ATOMIC_SEQ_CST) & 1); }

// state.lock held, no grace period in progress. A CPU that idles now and reads later reads after our start: its change
// of `watching` is a full barrier, and so is the fence here.
void start_grace_period() {
  state->wanted = false;
  WRITE_ONCE(state->started, state->started + 1);
  smp_mb();
  u64 wait_for = 0;
  for (u64 left = state->cpus; left; left &= left - 1) {
    const auto cpu = static_cast<unsigned>(__builtin_ctzll(left));
    if (!idles(cpu)) wait_for |= 1ull << cpu;
  }
  WRITE_ONCE(holdouts, wait_for);
}
void end_grace_period() {
  do {
    __atomic_store_n(&state->completed, state->started, __ATOMIC_RELEASE);
    if (state->wanted) start_grace_period();
  } while (state->started != state->completed && !holdouts);
}
void clear_holdouts(u64 quiet) {
  if (!(holdouts & quiet)) return;
  WRITE_ONCE(holdouts, holdouts & ~quiet);
  if (!holdouts) end_grace_period();
}

// What the tasks before us on this CPU read, they read before what we do now: the CPU ran them in that order. Each switch
// releases (pairs with the next one and with whoever reports for the CPU), which costs nothing on x86.
void order_readers(RcuCpu& c) {
  __atomic_store_n(&c.switches, __atomic_load_n(&c.switches, __ATOMIC_ACQUIRE) + 1, __ATOMIC_RELEASE);
}

// This CPU is in no reader that began before now.
void note_quiescent() {
  if (!(READ_ONCE(holdouts) >> arch::cpu_id() & 1)) return;
  (void)__atomic_load_n(&state->cpu.this_cpu().switches, __ATOMIC_ACQUIRE);
  IrqSpinGuard g(state->lock);
  clear_holdouts(1ull << arch::cpu_id());
}

// CPUs that went idle since the start do not report by themselves: whoever has callbacks looks for them.
void look_for_idle_cpus() {
  if (!READ_ONCE(holdouts)) return;
  IrqSpinGuard g(state->lock);
  u64 quiet = 0;
  for (u64 left = holdouts; left; left &= left - 1) {
    const auto cpu = static_cast<unsigned>(__builtin_ctzll(left));
    if (idles(cpu)) quiet |= 1ull << cpu;
  }
  clear_holdouts(quiet);
}

// A grace period that starts after now. Returns its number.
u64 request_grace_period() {
  SpinGuard g(state->lock);
  if (state->started != state->completed) {
    state->wanted = true;
    return state->started + 1;
  }
  start_grace_period();
  const u64 number = state->started;
  if (!holdouts) end_grace_period();
  return number;
}

bool over(u64 grace_period) { return __atomic_load_n(&state->completed, __ATOMIC_ACQUIRE) >= grace_period; }

// c.lock held.
void advance(RcuCpu& c) REQUIRES(c.lock) {
  if (!c.wait.empty() && over(c.wait_for)) c.done.take(c.wait);
  if (c.wait.empty() && !c.next.empty()) {
    c.wait.take(c.next);
    c.wait_for = request_grace_period();
    if (over(c.wait_for)) c.done.take(c.wait);
  }
}

void invoke(rcu_head* h) {
  const auto f = reinterpret_cast<unsigned long>(h->func);
  if (f < kMaxOffset)
    kvfree(reinterpret_cast<char*>(h) - f);
  else
    h->func(h);
}

// Runs up to kBatch ready callbacks of c; true if there are more.
bool invoke_ready(RcuCpu& c) {
  WRITE_ONCE(c.invoking, true);
  bool more = true;
  for (int n = 0; n < kBatch; n++) {
    unsigned long irq = _raw_spin_lock_irqsave(&c.lock);
    rcu_head* h = c.done.empty() ? nullptr : c.done.pop();
    if (h) WRITE_ONCE(c.queued, c.queued - 1);
    _raw_spin_unlock_irqrestore(&c.lock, irq);
    if (!h) {
      more = false;
      break;
    }
    invoke(h);
  }
  __atomic_store_n(&c.invoking, false, __ATOMIC_RELEASE);
  return more;
}

void rcu_softirq(softirq_action*) {
  RcuCpu& c = state->cpu.this_cpu();
  look_for_idle_cpus();
  bool ready;
  {
    IrqSpinGuard g(c.lock);
    advance(c);
    ready = !c.done.empty();
  }
  if (ready && invoke_ready(c)) raise_softirq(RCU_SOFTIRQ);
}

void barrier_callback(rcu_head*) {
  if (atomic_dec_and_test(&state->barrier_left)) complete(&state->barrier_done);
}

struct SyncWait {
  rcu_head head;
  completion done;
};
void sync_callback(rcu_head* h) { complete(&container_of(h, SyncWait, head)->done); }

}  // namespace

// ---- What others tell us ---------------------------------------------------------------------------------------------
void rcu_note_context_switch(bool) {
  order_readers(state->cpu.this_cpu());
  note_quiescent();
}

void rcu_sched_clock_irq(RcuTickFrom from) {
  // A count of just this interrupt: the interrupted code kept neither preemption nor bottom halves off.
  if (from == RcuTickFrom::User || preempt_count() == HARDIRQ_OFFSET) note_quiescent();
  if (rcu_needs_cpu()) raise_softirq_irqoff(RCU_SOFTIRQ);
}
bool rcu_needs_cpu() { return READ_ONCE(state->cpu.this_cpu().queued) != 0; }

void rcu_idle_enter() {
  order_readers(state->cpu.this_cpu());
  note_quiescent();
  __atomic_add_fetch(&state->cpu.this_cpu().watching, 1, __ATOMIC_SEQ_CST);
}
void rcu_idle_exit() { __atomic_add_fetch(&state->cpu.this_cpu().watching, 1, __ATOMIC_SEQ_CST); }
void rcu_irq_enter() {
  RcuCpu& c = state->cpu.this_cpu();
  if (c.watching & 1) return;  // interrupted the idle task outside its waiting
  c.irq_in_idle = true;
  rcu_idle_exit();
}
void rcu_irq_exit() {
  RcuCpu& c = state->cpu.this_cpu();
  if (!c.irq_in_idle) return;
  c.irq_in_idle = false;
  rcu_idle_enter();
}

// ---- CPUs that come and go -----------------------------------------------------------------------------------------------
void rcu_cpu_starting(unsigned cpu) {
  RcuCpu& c = state->cpu.on(cpu);
  if (!(c.watching & 1)) __atomic_add_fetch(&c.watching, 1, __ATOMIC_SEQ_CST);
  c.irq_in_idle = false;
  IrqSpinGuard g(state->lock);  // what was unpublished before a grace period that does not wait for us is not seen here
  WRITE_ONCE(state->cpus, state->cpus | 1ull << cpu);
}
void rcu_report_dead(unsigned cpu) {
  order_readers(state->cpu.on(cpu));
  IrqSpinGuard g(state->lock);
  WRITE_ONCE(state->cpus, state->cpus & ~(1ull << cpu));
  clear_holdouts(1ull << cpu);
}
// They wait for one more grace period, which does no harm, in the order that they were in.
void rcu_adopt_callbacks(unsigned dead) NO_THREAD_SAFETY_ANALYSIS {
  RcuCpu& from = state->cpu.on(dead);
  CallbackList all;
  long n;
  {
    IrqSpinGuard g(from.lock);
    all.take(from.done);
    all.take(from.wait);
    all.take(from.next);
    n = from.queued;
    WRITE_ONCE(from.queued, 0);
  }
  IrqGuard off;
  RcuCpu& to = state->cpu.this_cpu();
  IrqSpinGuard g(to.lock);
  to.next.take(all);
  WRITE_ONCE(to.queued, to.queued + n);
}

// ---- Boot and power-off ------------------------------------------------------------------------------------------------
void rcu_init() {
  RcuState& s = state.construct();
  holdouts = 0;
  raw_spin_lock_init(&s.lock);
  mutex_init(&s.barrier_mutex);
  init_completion(&s.barrier_done);
  for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) raw_spin_lock_init(&s.cpu.on(cpu).lock);
  s.cpus = 1ull << arch::cpu_id();
  open_softirq(RCU_SOFTIRQ, rcu_softirq);
}
void rcu_quiesce() { rcu_barrier(); }

void rcu_drain() {
  local_bh_disable();
  for (bool again = true; again;) {
    again = false;
    state->cpu.for_each([&](RcuCpu& c) {
      while (__atomic_load_n(&c.invoking, __ATOMIC_ACQUIRE)) arch::cpu_relax();
      unsigned long irq = _raw_spin_lock_irqsave(&c.lock);
      c.done.take(c.wait);
      c.done.take(c.next);
      const bool any = !c.done.empty();
      _raw_spin_unlock_irqrestore(&c.lock, irq);
      if (any) invoke_ready(c);
      again |= any;
    });
  }
  local_bh_enable();
}
void rcu_exit(LeakReport& report) {
  state->cpu.for_each([&](RcuCpu& c) { report.expect_zero("RCU callbacks not run", c.queued); });
  state.destroy();
}

// ---- The C face --------------------------------------------------------------------------------------------------------
extern "C" {

void call_rcu(rcu_head* head, rcu_callback_t func) NO_THREAD_SAFETY_ANALYSIS {
  head->func = func;
  IrqGuard off;  // keeps preemption away too, so the bare lock will do
  RcuCpu& c = state->cpu.this_cpu();
  cf_spin_acquire(&c.lock);
  c.next.push(head);
  WRITE_ONCE(c.queued, c.queued + 1);
  cf_spin_release(&c.lock);
}
void kvfree_call_rcu(rcu_head* head, size_t offset) { call_rcu(head, reinterpret_cast<rcu_callback_t>(offset)); }

void synchronize_rcu() {
  might_sleep();
  // The only CPU runs us, with preemption on: there is no reader.
  const u64 readers = READ_ONCE(state->cpus);
  if (!(readers & (readers - 1))) return;
  SyncWait w;
  init_completion(&w.done);
  call_rcu(&w.head, sync_callback);
  wait_for_completion(&w.done);
}
void synchronize_rcu_expedited() { synchronize_rcu(); }

// A callback behind those of each CPU that has any; CPUs run theirs in order.
void rcu_barrier() {
  might_sleep();
  MutexGuard one_at_a_time(state->barrier_mutex);
  reinit_completion(&state->barrier_done);
  atomic_set(&state->barrier_left, 1);
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    RcuCpu& c = state->cpu.on(cpu);
    IrqSpinGuard g(c.lock);
    if (!c.queued && !READ_ONCE(c.invoking)) continue;
    atomic_inc(&state->barrier_left);
    rcu_head* h = &state->barrier_head.on(cpu);
    h->func = barrier_callback;
    c.next.push(h);
    WRITE_ONCE(c.queued, c.queued + 1);
  }
  barrier_callback(nullptr);
  wait_for_completion(&state->barrier_done);
}

bool rcu_is_watching() { return state->cpu.this_cpu().watching & 1; }

}  // extern "C"
