// What a recorded event looks like: its bytes, which are those that its `format` file describes, and its text.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/sched.h>
#include <linux/types.h>

#include <span>

#include "kernel/trace/trace.hh"

// Linux's layout: tools that parse `format` find the fields where it says.
struct TraceCommon {
  u16 type;           // the event's ID
  u8 flags;           // TRACE_FLAG_*
  u8 preempt_count;   // low digit: preempt depth; high: migrate-disable depth
  s32 pid;            // who ran
};
enum : u8 {
  TRACE_FLAG_IRQS_OFF = 0x01, TRACE_FLAG_NEED_RESCHED = 0x04, TRACE_FLAG_HARDIRQ = 0x08, TRACE_FLAG_SOFTIRQ = 0x10,
  TRACE_FLAG_PREEMPT_RESCHED = 0x20, TRACE_FLAG_NMI = 0x40, TRACE_FLAG_BH_OFF = 0x80,
};

struct TraceComm {
  char text[TASK_COMM_LEN];
};
struct SwitchEntry {
  TraceCommon common;
  TraceComm prev_comm;
  s32 prev_pid, prev_prio;
  s64 prev_state;
  TraceComm next_comm;
  s32 next_pid, next_prio;
};
struct WakeEntry {
  TraceCommon common;
  TraceComm comm;
  s32 pid, prio, target_cpu;
};
struct MigrateEntry {
  TraceCommon common;
  TraceComm comm;
  s32 pid, prio, orig_cpu, dest_cpu;
};
struct ForkEntry {
  TraceCommon common;
  TraceComm parent_comm;
  s32 parent_pid;
  TraceComm child_comm;
  s32 child_pid;
};
inline constexpr size_t kMaxTraceFilename = 256;
struct ExecEntry {
  TraceCommon common;
  u32 filename;  // length << 16 | offset, of the text behind the entry
  s32 pid, old_pid;
  char text[kMaxTraceFilename];  // only as much as there is
};
struct TaskEntry {
  TraceCommon common;
  TraceComm comm;
  s32 pid, prio;
};
struct StatEntry {
  TraceCommon common;
  TraceComm comm;
  s32 pid, unused;
  u64 delay;
};
struct RuntimeEntry {
  TraceCommon common;
  TraceComm comm;
  s32 pid, unused;
  u64 runtime, vruntime;
};
struct SetprioEntry {
  TraceCommon common;
  TraceComm comm;
  s32 pid, oldprio, newprio;
};
struct KthreadEntry {
  TraceCommon common;
  TraceComm comm;
  s32 pid;
};
struct IntEntry {
  TraceCommon common;
  s32 value;
};
inline constexpr size_t kMaxMarker = 1024;
struct PrintEntry {
  TraceCommon common;
  u64 ip;
  char text[kMaxMarker];  // NUL-terminated; only as much as there is
};
inline constexpr size_t kMaxTraceEntry = sizeof(PrintEntry);

struct TraceField {
  const char* declaration;  // "pid_t pid"
  unsigned offset, size;
  bool is_signed;
};
struct TraceText {
  char* to;
  size_t size, used = 0;  // what does not fit is cut
  void print(const char* fmt, ...) __attribute__((format(printf, 2, 3)));
};
struct TraceEventInfo {
  const char* name;
  u16 id;
  std::span<const TraceField> fields;
  const char* print_fmt;
  void (*print)(const void* entry, TraceText& to);
};
const TraceEventInfo& trace_event_info(TraceEvent e);
const TraceEventInfo* trace_event_by_id(unsigned id);  // null: none
inline constexpr unsigned kNrSwitchableEvents = static_cast<unsigned>(TraceEvent::Print);
