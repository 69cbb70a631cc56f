// Between the files of kernel/trace.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/mutex.h>

#include "kernel/percpu.hh"
#include "kernel/trace/events.hh"
#include "kernel/trace/ring.hh"
#include "lib/late.hh"
#include "lib/result.hh"

// As Linux's, whose pages hold 4,080 bytes of records.
inline constexpr unsigned kRingPageBytes = 4080, kMinRingPages = 2, kBootRingPages = 354;
inline constexpr unsigned long kFullSizeKb = 1408;

// The last name that a task had when it was recorded. Written by its CPU, interrupts off; seq is odd meanwhile.
struct SavedComm {
  u32 seq;
  s32 pid;
  u64 time;
  u64 comm[2];
};
inline constexpr unsigned kSavedComms = 512;

struct TraceCpu {
  TraceRing ring;
  SavedComm* comms;  // kSavedComms, by pid
  unsigned pages;    // of the ring
};

struct TraceState {
  mutex lock;         // everything here that changes; the rings' insides have rules of their own
  PerCpu<TraceCpu> cpus;
  u32 enabled = 0;    // a bit per event
  bool on = true;     // tracing_on
  bool allocated = false;  // then for as long as the world lasts, as on Linux
  struct trace_export* exports = nullptr;
  alignas(64) u32 next_number = 0;  // of records: two CPUs' clocks may show the same time
};
extern Late<TraceState> traces;

// ---- trace.cc: all may sleep, and take the lock themselves ----------------------------------------------------------
Result<void> trace_need_rings();                       // ENOMEM
Result<void> trace_enable_events(u32 set, u32 clear);  // ENOMEM: the rings could not be had
void trace_set_on(bool on);
Result<void> trace_resize(unsigned cpu, unsigned pages);  // cpu: or kAllCpus. ENOMEM: as before
inline constexpr unsigned kAllCpus = ~0u;
void trace_clear(unsigned cpu);
unsigned trace_pages_for(unsigned long bytes);
inline u32 trace_bit(unsigned event) { return 1u << event; }

// Records an entry whose common part but for the type is filled in here. Any context.
void trace_record(TraceEvent e, TraceCommon* entry, size_t size);

// ---- text.cc --------------------------------------------------------------------------------------------------------
inline constexpr size_t kTraceLine = 1400;
struct TraceCursor {  // a reader's place in the rings that it reads, merged by time
  unsigned only_cpu = kAllCpus;
  u64 at[NR_CPUS]{};
  // The record at hand:
  unsigned cpu = 0;
  TraceRing::Record record{};
  u64 lost = 0;
  alignas(8) char entry[kMaxTraceEntry]{};
};
bool trace_cursor_load(TraceCursor* c);   // false: no more records
inline void trace_cursor_pass(TraceCursor* c) { c->at[c->cpu] = c->record.next; }
void trace_print_line(const TraceCursor& c, TraceText& to);
void trace_print_header(u64 entries, u64 written, TraceText& to);
void trace_comm_of(s32 pid, char (&comm)[TASK_COMM_LEN]);

// Whoever else wants each record as it is made: called with interrupts off, in any context. Linux's ftrace_export.
struct trace_export {
  trace_export* next;
  void (*write)(trace_export* e, unsigned cpu, u64 time, const TraceCommon* entry, size_t size);
};
void register_ftrace_export(trace_export* e);    // may sleep
void unregister_ftrace_export(trace_export* e);  // not called any more when it returns
