// Records as Linux's trace text (spec 30 section 15.2): the header, the line, and reading the rings of all CPUs as one.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/string.h>

#include "kernel/sync/guards.hh"
#include "kernel/trace/internal.hh"

namespace {

constexpr char kLegend[] =
    "#\n"
    "#                                _-----=> irqs-off/BH-disabled\n"
    "#                               / _----=> need-resched\n"
    "#                              | / _---=> hardirq/softirq\n"
    "#                              || / _--=> preempt-depth\n"
    "#                              ||| / _-=> migrate-disable\n"
    "#                              |||| /     delay\n"
    "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
    "#              | |         |   |||||     |         |\n";

char irq_letter(u8 f) {
  const bool irq = f & TRACE_FLAG_IRQS_OFF, bh = f & TRACE_FLAG_BH_OFF;
  return irq && bh ? 'D' : irq ? 'd' : bh ? 'b' : '.';
}
char resched_letter(u8 f) {
  const bool task = f & TRACE_FLAG_NEED_RESCHED, folded = f & TRACE_FLAG_PREEMPT_RESCHED;
  return task && folded ? 'N' : task ? 'n' : folded ? 'p' : '.';
}
char context_letter(u8 f) {
  const bool hard = f & TRACE_FLAG_HARDIRQ, soft = f & TRACE_FLAG_SOFTIRQ;
  if (f & TRACE_FLAG_NMI) return hard ? 'Z' : 'z';
  return hard && soft ? 'H' : hard ? 'h' : soft ? 's' : '.';
}
char depth_digit(unsigned n) { return n ? "0123456789abcdef"[n & 15] : '.'; }

bool read_saved(const SavedComm& s, s32 pid, u64* time, char (&comm)[TASK_COMM_LEN]) {
  for (;;) {
    const u32 before = __atomic_load_n(&s.seq, __ATOMIC_ACQUIRE);
    const s32 whose = READ_ONCE(s.pid);
    const u64 name[2] = {READ_ONCE(s.comm[0]), READ_ONCE(s.comm[1])};
    *time = READ_ONCE(s.time);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);  // pairs with the one in remember_comm()
    if (before & 1 || READ_ONCE(s.seq) != before) {
      cpu_relax();
      continue;
    }
    if (!before || whose != pid) return false;
    memcpy(comm, name, sizeof(comm));
    comm[TASK_COMM_LEN - 1] = 0;
    return true;
  }
}

}  // namespace

void trace_comm_of(s32 pid, char (&comm)[TASK_COMM_LEN]) {
  strscpy(comm, pid ? "<...>" : "<idle>", sizeof(comm));
  if (!pid) return;
  u64 latest = 0;
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    const SavedComm* saved = traces->cpus.on(cpu).comms;
    u64 time;
    char name[TASK_COMM_LEN];
    if (!saved || !read_saved(saved[static_cast<unsigned>(pid) % kSavedComms], pid, &time, name) || time < latest) continue;
    latest = time;
    memcpy(comm, name, sizeof(comm));
  }
}

bool trace_cursor_load(TraceCursor* c) {
  MutexGuard g(traces->lock);  // the rings stay the same ones meanwhile
  TraceRing::Record best{};
  bool found = false;
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    if (c->only_cpu != kAllCpus && c->only_cpu != cpu) continue;
    TraceRing::Record r;
    char none[1];
    if (!traces->cpus.on(cpu).ring.read(c->at[cpu], &r, none, 0)) continue;
    if (found && (r.time > best.time || (r.time == best.time && static_cast<s32>(r.number - best.number) > 0))) continue;
    found = true;
    best = r;
    c->cpu = cpu;
  }
  if (!found) return false;
  c->lost = best.lost;
  // It may have been overwritten since; then the next one is as good.
  return traces->cpus.on(c->cpu).ring.read(best.pos, &c->record, c->entry, sizeof(c->entry));
}

void trace_print_line(const TraceCursor& c, TraceText& to) {
  auto* common = reinterpret_cast<const TraceCommon*>(c.entry);
  const TraceEventInfo* info = trace_event_by_id(common->type);
  if (!info) return;
  char comm[TASK_COMM_LEN];
  trace_comm_of(common->pid, comm);
  const u64 us = (c.record.time + 500) / 1000;
  if (c.lost && c.at[c.cpu]) to.print("CPU:%u [LOST EVENTS]\n", c.cpu);
  to.print("%16s-%-7d [%03u] %c%c%c%c%c %5llu.%06llu: %s: ", comm, common->pid, c.cpu, irq_letter(common->flags),
           resched_letter(common->flags), context_letter(common->flags), depth_digit(common->preempt_count & 15),
           depth_digit(common->preempt_count >> 4), us / 1000000, us % 1000000, info->name);
  info->print(c.entry, to);
  if (to.used == 0 || to.to[to.used - 1] != '\n') to.print("\n");
}

void trace_print_header(u64 entries, u64 written, TraceText& to) {
  to.print("# tracer: nop\n#\n# entries-in-buffer/entries-written: %llu/%llu   #P:%u\n%s", entries, written, num_online_cpus(), kLegend);
}
