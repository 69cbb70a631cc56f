// The lock-order checker (hosted). A class is a lock_class_key plus subclass. For each lock taken, an edge goes from
// every class held to the new one; an edge that would close a cycle is reported with the chain held now and the chain
// that was held when the opposite way was first seen.
//
// Nothing here is instrumented for ThreadSanitizer, and no atomic of the checker is visible to it: otherwise every
// lock would seem to order every other, and races would be hidden.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/sync/lockorder.hh"

#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "init/report.hh"

#define UNSEEN __attribute__((no_sanitize("thread", "address")))

namespace {

inline constexpr unsigned kMaxClasses = 1024, kMaxHeld = 48, kMaxSleeping = 4096, kMaxChain = 12, kMaxEdges = 8192;

enum Usage : unsigned char {
  kInHardirq = 1, kInHardirqShared = 2, kIrqsOn = 4, kIrqsOnShared = 8,
  kInSoftirq = 16, kInSoftirqShared = 32, kBhOn = 64, kBhOnShared = 128,
};

struct LockClass {
  const lock_class_key* key;
  unsigned subclass;
  unsigned char usage;
};
struct Held {
  const void* lock;
  unsigned short cls;
  LockUse use;
};
struct HeldByTask {
  const void* lock;  // null: free slot
  const task_struct* task;
  unsigned short cls;
  LockUse use;
};
struct Edge {
  unsigned short from, to, next;  // next edge of `from`, 0: none
  unsigned short chain_length;
  unsigned short chain[kMaxChain];  // what was held then, oldest first
};
struct CpuHeld {
  unsigned count;
  Held held[kMaxHeld];
};

struct Checker {
  u32 lock;
  bool off;  // set while a report is being made, and after the first fatal one
  bool expecting;
  unsigned reports, classes, edges, sleeping_high;
  LockClass cls[kMaxClasses];
  unsigned short first_edge[kMaxClasses];
  Edge edge[kMaxEdges];
  CpuHeld cpu[NR_CPUS];
  HeldByTask sleeping[kMaxSleeping];
  unsigned char visited[kMaxClasses];
  char text[1024];
  size_t text_used;
};
constinit Checker checker{};

// The checker's own lock: no yield point within, so on the deterministic engine it is never contended.
UNSEEN void lock_checker() {
  u32 free = 0;
  while (!__atomic_compare_exchange_n(&checker.lock, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
    free = 0;
    arch::cpu_relax();  // interrupts are off
  }
}
UNSEEN void unlock_checker() { __atomic_store_n(&checker.lock, 0, __ATOMIC_RELEASE); }

UNSEEN unsigned class_of(const lock_class_key* key, unsigned subclass) {
  for (unsigned probe = 0, at = static_cast<unsigned>(reinterpret_cast<unsigned long>(key) >> 3) + subclass * 31;
       probe < kMaxClasses - 1; probe++, at++) {
    LockClass& c = checker.cls[at % (kMaxClasses - 1) + 1];  // 0 is no class
    if (c.key == key && c.subclass == subclass) return at % (kMaxClasses - 1) + 1;
    if (c.key) continue;
    c = {key, subclass, 0};
    checker.classes++;
    return at % (kMaxClasses - 1) + 1;
  }
  return 0;
}

// ---- Reports -------------------------------------------------------------------------------------------------------
UNSEEN __attribute__((format(printf, 1, 2))) void say(const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  const size_t room = sizeof(checker.text) - checker.text_used;
  checker.text_used += static_cast<size_t>(vscnprintf(checker.text + checker.text_used, room, fmt, args));
  va_end(args);
}
UNSEEN const char* name_of(unsigned cls) { return checker.cls[cls].key ? checker.cls[cls].key->name : "?"; }

UNSEEN void say_class(unsigned cls) {
  if (checker.cls[cls].subclass)
    say(" %s/%u", name_of(cls), checker.cls[cls].subclass);
  else
    say(" %s", name_of(cls));
}

struct Chain {
  unsigned n = 0;
  Held held[kMaxHeld];
};
// What the running context holds, oldest first: a task's sleeping locks, then the spin locks of its CPU.
UNSEEN void current_chain(Chain* c) {
  if (in_task())
    for (unsigned i = 0; i < checker.sleeping_high && c->n < kMaxHeld; i++) {
      const HeldByTask& s = checker.sleeping[i];
      if (s.lock && s.task == static_cast<task_struct*>(current)) c->held[c->n++] = {s.lock, s.cls, s.use};
    }
  const CpuHeld& h = checker.cpu[arch::cpu_id()];
  for (unsigned i = 0; i < h.count && c->n < kMaxHeld; i++) c->held[c->n++] = h.held[i];
}
UNSEEN void say_current_chain(const Chain& c) {
  say("held now:");
  for (unsigned i = 0; i < c.n; i++) say_class(c.held[i].cls);
  say("\n");
}

// Called without the checker's lock; checker.off keeps printk's own locks from coming back here.
UNSEEN void finish_report() {
  checker.reports++;
  if (checker.expecting) {
    checker.off = false;
    return;
  }
  pr_err("%s", checker.text);
  dump_stack();
  panic("lock order: %s", checker.text);
}
UNSEEN void begin_report(const char* what, unsigned cls) {
  checker.off = true;
  checker.text_used = 0;
  say("lock checker: %s:", what);
  say_class(cls);
  say("\n");
}

// ---- The graph -----------------------------------------------------------------------------------------------------
UNSEEN const Edge* find_edge(unsigned from, unsigned to) {
  for (unsigned e = checker.first_edge[from]; e; e = checker.edge[e].next)
    if (checker.edge[e].to == to) return &checker.edge[e];
  return nullptr;
}

UNSEEN bool reaches(unsigned from, unsigned to) {
  if (from == to) return true;
  checker.visited[from] = 1;
  for (unsigned e = checker.first_edge[from]; e; e = checker.edge[e].next)
    if (!checker.visited[checker.edge[e].to] && reaches(checker.edge[e].to, to)) return true;
  return false;
}

UNSEEN void add_edge(unsigned from, unsigned to, const Chain& chain) {
  if (checker.edges + 1 >= kMaxEdges) return;
  Edge& e = checker.edge[++checker.edges];
  e.from = static_cast<unsigned short>(from);
  e.to = static_cast<unsigned short>(to);
  e.chain_length = 0;
  for (unsigned i = chain.n > kMaxChain ? chain.n - kMaxChain : 0; i < chain.n; i++)
    e.chain[e.chain_length++] = chain.held[i].cls;
  e.next = checker.first_edge[from];
  checker.first_edge[from] = static_cast<unsigned short>(checker.edges);
}

// The chains along the way from `from` to `to`, as they were when each step was first seen.
UNSEEN void say_path(unsigned from, unsigned to) {
  for (unsigned steps = 0; from != to && steps < 8; steps++) {
    const Edge* way = nullptr;
    for (unsigned e = checker.first_edge[from]; e && !way; e = checker.edge[e].next) {
      for (unsigned char& v : checker.visited) v = 0;
      checker.visited[from] = 1;
      if (reaches(checker.edge[e].to, to)) way = &checker.edge[e];
    }
    if (!way) return;
    say("seen before: holding");
    for (unsigned i = 0; i < way->chain_length; i++) say_class(way->chain[i]);
    say(" then");
    say_class(way->to);
    say("\n");
    from = way->to;
  }
}

// Both may be held at once by different holders: readers that may come in while readers are in.
UNSEEN bool may_nest(const Held& held, LockUse use) {
  return held.use == LockUse::Shared && use == LockUse::Shared && in_interrupt();
}

// True: reported, with the checker's lock still held.
UNSEEN bool check_order(unsigned cls, LockUse use, const Chain& chain, const void* lock) {
  for (unsigned i = 0; i < chain.n; i++) {
    const Held& h = chain.held[i];
    if (h.cls == cls) {
      if (may_nest(h, use)) continue;
      begin_report(h.lock == lock ? "taken twice" : "two of one class without an order", cls);
      say_current_chain(chain);
      return true;
    }
    if (find_edge(h.cls, cls)) continue;
    for (unsigned char& v : checker.visited) v = 0;
    if (reaches(cls, h.cls)) {
      begin_report("inverted order", cls);
      say_current_chain(chain);
      say_path(cls, h.cls);
      return true;
    }
    add_edge(h.cls, cls, chain);
  }
  return false;
}

// W-40: what an interrupt takes, others take with interrupts off (or, for softirqs, bottom halves off).
UNSEEN bool check_context(unsigned cls, LockUse use, bool irqs_on) {
  if (use != LockUse::Exclusive && use != LockUse::Shared) return false;
  const bool shared = use == LockUse::Shared;
  unsigned char now = 0;
  if (in_hardirq())
    now = shared ? kInHardirqShared : kInHardirq;
  else if (irqs_on) {
    now = shared ? kIrqsOnShared : kIrqsOn;
    if (in_serving_softirq())
      now |= shared ? kInSoftirqShared : kInSoftirq;
    else if (!in_softirq())
      now |= shared ? kBhOnShared : kBhOn;
  } else if (in_serving_softirq()) {
    now = shared ? kInSoftirqShared : kInSoftirq;
  }
  const unsigned char u = checker.cls[cls].usage |= now;
  const bool hard = ((u & kInHardirq) && (u & (kIrqsOn | kIrqsOnShared))) || ((u & kInHardirqShared) && (u & kIrqsOn));
  const bool soft = ((u & kInSoftirq) && (u & (kBhOn | kBhOnShared))) || ((u & kInSoftirqShared) && (u & kBhOn));
  if (!hard && !soft) return false;
  begin_report(hard ? "taken in an interrupt and also with interrupts on" : "taken in a softirq and also with them on",
               cls);
  checker.cls[cls].usage = 0;
  return true;
}

UNSEEN void push(const void* lock, unsigned cls, LockUse use) {
  const auto id = static_cast<unsigned short>(cls);
  if (use == LockUse::Exclusive || use == LockUse::Shared) {
    CpuHeld& h = checker.cpu[arch::cpu_id()];
    if (h.count < kMaxHeld) h.held[h.count++] = {lock, id, use};
    return;
  }
  for (unsigned i = 0; i < kMaxSleeping; i++) {
    if (checker.sleeping[i].lock) continue;
    checker.sleeping[i] = {lock, current, id, use};
    if (i >= checker.sleeping_high) checker.sleeping_high = i + 1;
    return;
  }
}

UNSEEN bool pop_from_cpu(const void* lock, unsigned cpu) {
  CpuHeld& h = checker.cpu[cpu];
  for (unsigned i = h.count; i-- > 0;) {
    if (h.held[i].lock != lock) continue;
    for (; i + 1 < h.count; i++) h.held[i] = h.held[i + 1];
    h.count--;
    return true;
  }
  return false;
}
UNSEEN bool pop_sleeping(const void* lock, const task_struct* task) {
  for (unsigned i = 0; i < checker.sleeping_high; i++)
    if (checker.sleeping[i].lock == lock && (!task || checker.sleeping[i].task == task)) {
      checker.sleeping[i].lock = nullptr;
      return true;
    }
  return false;
}

}  // namespace

UNSEEN void lockorder_acquire_slow(const void* lock, lock_class_key* key, LockUse use, LockHow how, unsigned subclass) {
  if (checker.off) return;
  const bool irqs_on = !irqs_disabled();
  const unsigned long flags = arch::irq_save();
  lock_checker();
  bool reported = false;
  const unsigned cls = class_of(key, subclass);
  if (cls) {
    if (how == LockHow::Wait) {
      Chain chain;
      current_chain(&chain);
      reported = check_order(cls, use, chain, lock) || check_context(cls, use, irqs_on);
    }
    push(lock, cls, use);
  }
  unlock_checker();
  if (reported) finish_report();
  arch::irq_restore(flags);
}

UNSEEN void lockorder_release_slow(const void* lock) {
  const unsigned long flags = arch::irq_save();
  lock_checker();
  // A rwsem may be released by another task than took it, a spin lock by the task switched to: never by another CPU.
  if (!pop_from_cpu(lock, arch::cpu_id()) && !pop_sleeping(lock, current)) pop_sleeping(lock, nullptr);
  unlock_checker();
  arch::irq_restore(flags);
}

UNSEEN bool lockorder_held_slow(const void* lock) {
  if (checker.off) return true;
  const unsigned long flags = arch::irq_save();
  lock_checker();
  Chain chain;
  current_chain(&chain);
  bool found = false;
  for (unsigned i = 0; i < chain.n; i++) found |= chain.held[i].lock == lock;
  unlock_checker();
  arch::irq_restore(flags);
  return found;
}

UNSEEN void lockorder_not_held(const void*, const lock_class_key* key) {
  checker.off = true;
  checker.text_used = 0;
  say("lock checker: should be held, is not: %s\n", key->name);
  finish_report();
}

UNSEEN void lockorder_task_exit(const task_struct* t) {
  if (!arch::kCheckLocks || checker.off) return;
  const unsigned long flags = arch::irq_save();
  lock_checker();
  bool reported = false;
  for (unsigned i = 0; i < checker.sleeping_high; i++) {
    if (!checker.sleeping[i].lock || checker.sleeping[i].task != t) continue;
    checker.sleeping[i].lock = nullptr;
    if (reported) continue;
    begin_report("still held at exit", checker.sleeping[i].cls);
    reported = true;
  }
  unlock_checker();
  if (reported) finish_report();
  arch::irq_restore(flags);
}

UNSEEN void lockorder_reset() {
  checker.off = checker.expecting = false;
  checker.lock = checker.reports = checker.classes = checker.edges = checker.sleeping_high = 0;
  for (LockClass& c : checker.cls) c = {};
  for (unsigned short& e : checker.first_edge) e = 0;
  for (CpuHeld& h : checker.cpu) h.count = 0;
  for (HeldByTask& h : checker.sleeping) h.lock = nullptr;
}

void lockorder_exit(LeakReport& report) {
  for (unsigned i = 0; i < checker.sleeping_high; i++)
    if (checker.sleeping[i].lock) report.finding("lock still held: %s", name_of(checker.sleeping[i].cls));
  checker.off = true;
}

void lockorder_expect_begin() {
  checker.expecting = true;
  checker.reports = 0;
}
unsigned lockorder_expect_end() {
  checker.expecting = false;
  return checker.reports;
}
const char* lockorder_last_report() { return checker.text; }
