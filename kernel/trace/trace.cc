// Tracing as a whole: which events are live, the rings, and writing into them. Spec 30 section 15.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/trace/trace.hh"

#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <array>
#include <bit>

#include "init/params.hh"
#include "init/report.hh"
#include "kernel/sync/guards.hh"
#include "kernel/task/task.hh"
#include "kernel/trace/internal.hh"
#include "kernel/trace/tracefs.hh"

constinit u32 trace_events_live = 0;
constinit Late<TraceState> traces;

namespace {

// ---- Writing --------------------------------------------------------------------------------------------------------

u8 context_flags(bool irqs_off) {
  unsigned count = static_cast<unsigned>(preempt_count());
  u8 f = irqs_off ? TRACE_FLAG_IRQS_OFF : 0;
  if (count & NMI_MASK) f |= TRACE_FLAG_NMI;
  if (count & HARDIRQ_MASK) f |= TRACE_FLAG_HARDIRQ;
  if (count & SOFTIRQ_OFFSET) f |= TRACE_FLAG_SOFTIRQ;
  if (count & SOFTIRQ_MASK & ~SOFTIRQ_OFFSET) f |= TRACE_FLAG_BH_OFF;
  if (test_thread_flag(TIF_NEED_RESCHED)) f |= TRACE_FLAG_NEED_RESCHED;
  if (test_preempt_need_resched()) f |= TRACE_FLAG_PREEMPT_RESCHED;
  return f;
}

u8 context_depth() {
  const unsigned depth = static_cast<unsigned>(preempt_count()) & PREEMPT_MASK;
  const unsigned pinned = current->migration_disabled;
  return static_cast<u8>(min(depth, 15u) | min(pinned, 15u) << 4);
}

// So that a line can name its task although that has ended, or is called otherwise by now.
void remember_comm(TraceCpu& c, const task_struct* t, u64 now) {
  struct Name {
    char text[sizeof(t->comm)];
  };
  const auto name = std::bit_cast<std::array<u64, 2>>(data_race(*reinterpret_cast<const Name*>(t->comm)));  // it may just get another
  SavedComm& s = c.comms[static_cast<unsigned>(t->pid) % kSavedComms];
  if (s.pid == t->pid && s.comm[0] == name[0] && s.comm[1] == name[1]) return;
  WRITE_ONCE(s.seq, s.seq + 1);
  __atomic_thread_fence(__ATOMIC_RELEASE);  // pairs with the fences in trace_comm_of()
  WRITE_ONCE(s.pid, t->pid);
  WRITE_ONCE(s.time, now);
  WRITE_ONCE(s.comm[0], name[0]);
  WRITE_ONCE(s.comm[1], name[1]);
  __atomic_store_n(&s.seq, s.seq + 1, __ATOMIC_RELEASE);
}

// ---- The rings --------------------------------------------------------------------------------------------------------

void set_live(u32 events) {
  u32 old = READ_ONCE(trace_events_live);
  while (!__atomic_compare_exchange_n(&trace_events_live, &old, events | (old & kSchedStatsLive), false, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED)) {
  }
}

// After this no CPU is inside trace_record(). Lock held.
void quiesce_writers() {
  set_live(0);
  synchronize_rcu();  // a writer has interrupts off
}
void resume_writers() { set_live(traces->on && traces->allocated ? traces->enabled : 0); }

u64 words_of(unsigned pages) { return static_cast<u64>(pages) * kRingPageBytes / 8; }
u64* alloc_ring(unsigned pages) { return static_cast<u64*>(kvmalloc(words_of(pages) * 8, GFP_KERNEL)); }

void free_rings() {
  traces->cpus.for_each([](TraceCpu& c) {
    kvfree(c.ring.data());
    kvfree(c.comms);
    c.ring.attach(nullptr, 0);
    c.comms = nullptr;
  });
  traces->allocated = false;
}

// Lock held. All or nothing.
Result<void> need_rings() {
  if (traces->allocated) return {};
  bool ok = true;
  traces->cpus.for_each([&](TraceCpu& c) {
    if (!ok) return;
    u64* data = alloc_ring(c.pages);
    if (data) c.ring.attach(data, words_of(c.pages));
    c.comms = static_cast<SavedComm*>(kvzalloc(kSavedComms * sizeof(SavedComm), GFP_KERNEL));
    ok = data && c.comms;
  });
  if (!ok) {
    free_rings();
    return fail(ENOMEM);
  }
  traces->allocated = true;
  return {};
}

// What fits of the old records comes along, the newest of them. No writer is about.
void move_records(TraceRing* from, TraceRing* to) {
  alignas(8) static constinit char entry[kMaxTraceEntry];  // the lock is held
  TraceRing::Record r;
  for (u64 pos = 0; from->read(pos, &r, entry, sizeof(entry)); pos = r.next) to->write(r.time, r.number, entry, r.size);
}

Result<void> resize_one(TraceCpu& c, unsigned pages) {
  if (c.pages == pages) return {};
  if (!traces->allocated) {
    c.pages = pages;
    return {};
  }
  u64* data = alloc_ring(pages);
  if (!data) return fail(ENOMEM);
  quiesce_writers();
  TraceRing fresh;
  fresh.attach(data, words_of(pages));
  move_records(&c.ring, &fresh);
  kvfree(c.ring.data());
  c.ring = fresh;
  c.pages = pages;
  resume_writers();
  return {};
}

}  // namespace

void trace_record(TraceEvent e, TraceCommon* entry, size_t size) {
  const bool irqs_off = irqs_disabled();
  const unsigned long flags = arch::irq_save();
  TraceCpu& c = traces->cpus.this_cpu();
  if (trace_live(e) || e == TraceEvent::Print) {
    task_struct* self = current;
    entry->type = trace_event_info(e).id;
    entry->flags = context_flags(irqs_off);
    entry->preempt_count = context_depth();
    entry->pid = self->pid;
    const u64 now = arch::clock_ns();
    remember_comm(c, self, now);
    c.ring.write(now, __atomic_fetch_add(&traces->next_number, 1, __ATOMIC_RELAXED), entry, size);
    for (trace_export* x = READ_ONCE(traces->exports); x; x = x->next) x->write(x, arch::cpu_id(), now, entry, size);
  }
  arch::irq_restore(flags);
}

// ---- What the files ask for ---------------------------------------------------------------------------------------------

Result<void> trace_enable_events(u32 set, u32 clear) {
  MutexGuard g(traces->lock);
  if (set) TRY(need_rings());
  traces->enabled = (traces->enabled & ~clear) | set;
  resume_writers();
  return {};
}

Result<void> trace_need_rings() {
  MutexGuard g(traces->lock);
  return need_rings();
}

void trace_set_on(bool on) {
  MutexGuard g(traces->lock);
  traces->on = on;
  resume_writers();
}

unsigned trace_pages_for(unsigned long bytes) {
  const unsigned long pages = (bytes + kRingPageBytes - 1) / kRingPageBytes;
  return static_cast<unsigned>(max(pages, static_cast<unsigned long>(kMinRingPages)));
}

Result<void> trace_resize(unsigned cpu, unsigned pages) {
  MutexGuard g(traces->lock);
  TRY(need_rings());
  if (cpu != kAllCpus) return resize_one(traces->cpus.on(cpu), pages);
  unsigned k;
  for_each_possible_cpu(k) TRY(resize_one(traces->cpus.on(k), pages));
  return {};
}

void trace_clear(unsigned cpu) {
  MutexGuard g(traces->lock);
  quiesce_writers();
  unsigned k;
  for_each_possible_cpu(k)
    if (cpu == kAllCpus || cpu == k) traces->cpus.on(k).ring.clear();
  resume_writers();
}

void register_ftrace_export(trace_export* e) {
  MutexGuard g(traces->lock);
  e->next = traces->exports;
  smp_wmb();  // whole before it can be found
  WRITE_ONCE(traces->exports, e);
}

void unregister_ftrace_export(trace_export* e) {
  MutexGuard g(traces->lock);
  for (trace_export** p = &traces->exports; *p; p = &(*p)->next)
    if (*p == e) {
      WRITE_ONCE(*p, e->next);
      break;
    }
  synchronize_rcu();
}

// ---- A world's beginning and end ----------------------------------------------------------------------------------------

// Boot parameters of Linux: trace_event=sched:sched_switch,..., trace_buf_size=BYTES (nn[KMG]).
static void enable_from_command_line() {
  const long size = boot_param_long("trace_buf_size", 0);
  if (size > 0) traces->cpus.for_each([&](TraceCpu& c) { c.pages = trace_pages_for(static_cast<unsigned long>(size)); });
  std::string_view list;
  if (!boot_param("trace_event", &list)) return;
  char name[64];
  while (!list.empty()) {
    const size_t n = min(list.find(','), list.size());
    if (n < sizeof(name)) {
      memcpy(name, list.data(), n);
      name[n] = 0;
      if (Result<void> r = trace_set_event(name); !r) pr_warn("Failed to enable trace event: %s\n", name);
    }
    list.remove_prefix(min(n + 1, list.size()));
  }
}

void trace_set_schedstats(bool on) {
  if (on)
    __atomic_fetch_or(&trace_events_live, kSchedStatsLive, __ATOMIC_RELAXED);
  else
    __atomic_fetch_and(&trace_events_live, ~kSchedStatsLive, __ATOMIC_RELAXED);
}

void trace_init() {
  traces.construct();
  set_live(0);  // schedstats= may have been there before
  mutex_init(&traces->lock);
  traces->cpus.for_each([](TraceCpu& c) { c.pages = kBootRingPages; });
  tracefs_register();
  enable_from_command_line();
}

// One CPU is left, interrupts off.
void trace_exit(LeakReport&) {
  trace_events_live = 0;
  tracefs_unregister();
  free_rings();
  traces.destroy();
}
