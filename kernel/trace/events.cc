// The table of events: names, numbers, fields and texts. Spec 30 section 15.1; IDs and `format` are those of Debian's 6.1.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/trace/events.hh"

#include <linux/kernel.h>

#include <cstdarg>

void TraceText::print(const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  used += static_cast<size_t>(vscnprintf(to + used, size - used, fmt, args));
  va_end(args);
}

namespace {

#define FIELD(type, declaration, member, is_signed) \
  {declaration, static_cast<unsigned>(__builtin_offsetof(type, member)), static_cast<unsigned>(sizeof(type::member)), is_signed}

constexpr TraceField kSwitchFields[] = {
    FIELD(SwitchEntry, "char prev_comm[16]", prev_comm, true), FIELD(SwitchEntry, "pid_t prev_pid", prev_pid, true),
    FIELD(SwitchEntry, "int prev_prio", prev_prio, true),      FIELD(SwitchEntry, "long prev_state", prev_state, true),
    FIELD(SwitchEntry, "char next_comm[16]", next_comm, true), FIELD(SwitchEntry, "pid_t next_pid", next_pid, true),
    FIELD(SwitchEntry, "int next_prio", next_prio, true)};
constexpr TraceField kWakeFields[] = {
    FIELD(WakeEntry, "char comm[16]", comm, true), FIELD(WakeEntry, "pid_t pid", pid, true),
    FIELD(WakeEntry, "int prio", prio, true), FIELD(WakeEntry, "int target_cpu", target_cpu, true)};
constexpr TraceField kMigrateFields[] = {
    FIELD(MigrateEntry, "char comm[16]", comm, true), FIELD(MigrateEntry, "pid_t pid", pid, true),
    FIELD(MigrateEntry, "int prio", prio, true), FIELD(MigrateEntry, "int orig_cpu", orig_cpu, true),
    FIELD(MigrateEntry, "int dest_cpu", dest_cpu, true)};
constexpr TraceField kForkFields[] = {
    FIELD(ForkEntry, "char parent_comm[16]", parent_comm, true), FIELD(ForkEntry, "pid_t parent_pid", parent_pid, true),
    FIELD(ForkEntry, "char child_comm[16]", child_comm, true), FIELD(ForkEntry, "pid_t child_pid", child_pid, true)};
constexpr TraceField kExecFields[] = {
    FIELD(ExecEntry, "__data_loc char[] filename", filename, true), FIELD(ExecEntry, "pid_t pid", pid, true),
    FIELD(ExecEntry, "pid_t old_pid", old_pid, true)};
constexpr TraceField kTaskFields[] = {
    FIELD(TaskEntry, "char comm[16]", comm, true), FIELD(TaskEntry, "pid_t pid", pid, true),
    FIELD(TaskEntry, "int prio", prio, true)};
constexpr TraceField kStatFields[] = {
    FIELD(StatEntry, "char comm[16]", comm, true), FIELD(StatEntry, "pid_t pid", pid, true),
    FIELD(StatEntry, "u64 delay", delay, false)};
constexpr TraceField kRuntimeFields[] = {
    FIELD(RuntimeEntry, "char comm[16]", comm, true), FIELD(RuntimeEntry, "pid_t pid", pid, true),
    FIELD(RuntimeEntry, "u64 runtime", runtime, false), FIELD(RuntimeEntry, "u64 vruntime", vruntime, false)};
constexpr TraceField kSetprioFields[] = {
    FIELD(SetprioEntry, "char comm[16]", comm, true), FIELD(SetprioEntry, "pid_t pid", pid, true),
    FIELD(SetprioEntry, "int oldprio", oldprio, true), FIELD(SetprioEntry, "int newprio", newprio, true)};
constexpr TraceField kKthreadFields[] = {
    FIELD(KthreadEntry, "char comm[16]", comm, true), FIELD(KthreadEntry, "pid_t pid", pid, true)};
constexpr TraceField kRetFields[] = {FIELD(IntEntry, "int ret", value, true)};
constexpr TraceField kCpuFields[] = {FIELD(IntEntry, "int cpu", value, true)};
constexpr TraceField kPrintFields[] = {
    FIELD(PrintEntry, "unsigned long ip", ip, false),
    {"char buf[]", static_cast<unsigned>(__builtin_offsetof(PrintEntry, text)), 0, true}};
#undef FIELD

// ---- Texts --------------------------------------------------------------------------------------------------------

constexpr unsigned kReportedStates = 0xff, kPreempted = 0x100;

// S-86: the letters of the bits, joined; R for none; + if it was preempted.
void print_state(s64 state, TraceText& to) {
  constexpr char kLetters[] = "SDTtXZPI";
  if (!(state & kReportedStates)) to.print("R");
  const char* between = "";
  for (unsigned bit = 0; bit < 8; bit++) {
    if (!(state >> bit & 1)) continue;
    to.print("%s%c", between, kLetters[bit]);
    between = "|";
  }
  if (state & kPreempted) to.print("+");
}

void print_switch(const void* p, TraceText& to) {
  auto* e = static_cast<const SwitchEntry*>(p);
  to.print("prev_comm=%s prev_pid=%d prev_prio=%d prev_state=", e->prev_comm.text, e->prev_pid, e->prev_prio);
  print_state(e->prev_state, to);
  to.print(" ==> next_comm=%s next_pid=%d next_prio=%d", e->next_comm.text, e->next_pid, e->next_prio);
}
void print_wake(const void* p, TraceText& to) {
  auto* e = static_cast<const WakeEntry*>(p);
  to.print("comm=%s pid=%d prio=%d target_cpu=%03d", e->comm.text, e->pid, e->prio, e->target_cpu);
}
void print_migrate(const void* p, TraceText& to) {
  auto* e = static_cast<const MigrateEntry*>(p);
  to.print("comm=%s pid=%d prio=%d orig_cpu=%d dest_cpu=%d", e->comm.text, e->pid, e->prio, e->orig_cpu, e->dest_cpu);
}
void print_fork(const void* p, TraceText& to) {
  auto* e = static_cast<const ForkEntry*>(p);
  to.print("comm=%s pid=%d child_comm=%s child_pid=%d", e->parent_comm.text, e->parent_pid, e->child_comm.text, e->child_pid);
}
void print_exec(const void* p, TraceText& to) {
  auto* e = static_cast<const ExecEntry*>(p);
  to.print("filename=%s pid=%d old_pid=%d", e->text, e->pid, e->old_pid);
}
void print_task(const void* p, TraceText& to) {
  auto* e = static_cast<const TaskEntry*>(p);
  to.print("comm=%s pid=%d prio=%d", e->comm.text, e->pid, e->prio);
}
void print_stat(const void* p, TraceText& to) {
  auto* e = static_cast<const StatEntry*>(p);
  to.print("comm=%s pid=%d delay=%llu [ns]", e->comm.text, e->pid, e->delay);
}
void print_runtime(const void* p, TraceText& to) {
  auto* e = static_cast<const RuntimeEntry*>(p);
  to.print("comm=%s pid=%d runtime=%llu [ns] vruntime=%llu [ns]", e->comm.text, e->pid, e->runtime, e->vruntime);
}
void print_setprio(const void* p, TraceText& to) {
  auto* e = static_cast<const SetprioEntry*>(p);
  to.print("comm=%s pid=%d oldprio=%d newprio=%d", e->comm.text, e->pid, e->oldprio, e->newprio);
}
void print_kthread(const void* p, TraceText& to) {
  auto* e = static_cast<const KthreadEntry*>(p);
  to.print("comm=%s pid=%d", e->comm.text, e->pid);
}
void print_ret(const void* p, TraceText& to) { to.print("ret=%d", static_cast<const IntEntry*>(p)->value); }
void print_cpu(const void* p, TraceText& to) { to.print("cpu=%d", static_cast<const IntEntry*>(p)->value); }
void print_marker(const void* p, TraceText& to) { to.print("%s", static_cast<const PrintEntry*>(p)->text); }

constexpr char kTaskFmt[] = "\"comm=%s pid=%d prio=%d\", REC->comm, REC->pid, REC->prio";
constexpr char kStatFmt[] = "\"comm=%s pid=%d delay=%Lu [ns]\", REC->comm, REC->pid, (unsigned long long)REC->delay";
constexpr char kWakeFmt[] =
    "\"comm=%s pid=%d prio=%d target_cpu=%03d\", REC->comm, REC->pid, REC->prio, REC->target_cpu";
constexpr char kSwitchFmt[] =
    "\"prev_comm=%s prev_pid=%d prev_prio=%d prev_state=%s%s ==> next_comm=%s next_pid=%d next_prio=%d\", "
    "REC->prev_comm, REC->prev_pid, REC->prev_prio, (REC->prev_state & 0xff) ? __print_flags(REC->prev_state & 0xff, \"|\", "
    "{ 0x00000001, \"S\" }, { 0x00000002, \"D\" }, { 0x00000004, \"T\" }, { 0x00000008, \"t\" }, { 0x00000010, \"X\" }, "
    "{ 0x00000020, \"Z\" }, { 0x00000040, \"P\" }, { 0x00000080, \"I\" }) : \"R\", REC->prev_state & 0x100 ? \"+\" : \"\", "
    "REC->next_comm, REC->next_pid, REC->next_prio";

constexpr TraceEventInfo kEvents[kNrTraceEvents] = {
    {"sched_wake_idle_without_ipi", 301, kCpuFields, "\"cpu=%d\", REC->cpu", print_cpu},
    {"sched_pi_setprio", 306, kSetprioFields,
     "\"comm=%s pid=%d oldprio=%d newprio=%d\", REC->comm, REC->pid, REC->oldprio, REC->newprio", print_setprio},
    {"sched_stat_runtime", 307, kRuntimeFields,
     "\"comm=%s pid=%d runtime=%Lu [ns] vruntime=%Lu [ns]\", REC->comm, REC->pid, (unsigned long long)REC->runtime, "
     "(unsigned long long)REC->vruntime", print_runtime},
    {"sched_stat_blocked", 308, kStatFields, kStatFmt, print_stat},
    {"sched_stat_iowait", 309, kStatFields, kStatFmt, print_stat},
    {"sched_stat_sleep", 310, kStatFields, kStatFmt, print_stat},
    {"sched_stat_wait", 311, kStatFields, kStatFmt, print_stat},
    {"sched_process_exec", 312, kExecFields,
     "\"filename=%s pid=%d old_pid=%d\", __get_str(filename), REC->pid, REC->old_pid", print_exec},
    {"sched_process_fork", 313, kForkFields,
     "\"comm=%s pid=%d child_comm=%s child_pid=%d\", REC->parent_comm, REC->parent_pid, REC->child_comm, REC->child_pid",
     print_fork},
    {"sched_process_wait", 314, kTaskFields, kTaskFmt, print_task},
    {"sched_wait_task", 315, kTaskFields, kTaskFmt, print_task},
    {"sched_process_exit", 316, kTaskFields, kTaskFmt, print_task},
    {"sched_process_free", 317, kTaskFields, kTaskFmt, print_task},
    {"sched_migrate_task", 318, kMigrateFields,
     "\"comm=%s pid=%d prio=%d orig_cpu=%d dest_cpu=%d\", REC->comm, REC->pid, REC->prio, REC->orig_cpu, REC->dest_cpu",
     print_migrate},
    {"sched_switch", 319, kSwitchFields, kSwitchFmt, print_switch},
    {"sched_wakeup_new", 320, kWakeFields, kWakeFmt, print_wake},
    {"sched_wakeup", 321, kWakeFields, kWakeFmt, print_wake},
    {"sched_waking", 322, kWakeFields, kWakeFmt, print_wake},
    {"sched_kthread_stop_ret", 326, kRetFields, "\"ret=%d\", REC->ret", print_ret},
    {"sched_kthread_stop", 327, kKthreadFields, "\"comm=%s pid=%d\", REC->comm, REC->pid", print_kthread},
    {"tracing_mark_write", 5, kPrintFields, "\"%ps: %s\", (void *)REC->ip, REC->buf", print_marker},
};

}  // namespace

const TraceEventInfo& trace_event_info(TraceEvent e) { return kEvents[static_cast<unsigned>(e)]; }

const TraceEventInfo* trace_event_by_id(unsigned id) {
  for (const TraceEventInfo& e : kEvents)
    if (e.id == id) return &e;
  return nullptr;
}
