// What is in tracefs: names, modes, texts and errors as on Linux. The trace itself: trace_files.cc.
// SPDX-License-Identifier: Apache-2.0
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/proc/seq_file.hh"
#include "fs/tracefs/tracefs.hh"
#include "kernel/sync/guards.hh"
#include "kernel/trace/trace_files.hh"
#include "kernel/trace/tracefs.hh"

namespace {

constexpr char kSystem[] = "sched";
constexpr u32 kAllEvents = (1u << kNrSwitchableEvents) - 1;

const TraceEventInfo& info_of(unsigned event) { return trace_event_info(static_cast<TraceEvent>(event)); }

// ---- Files that are a text: shown when read, taken in one write -----------------------------------------------------

// arg: a CPU, or an event's number.
struct TextFile {
  int (*show)(seq_file* m, unsigned long arg);              // null: cannot be read
  Result<void> (*store)(char* text, unsigned long arg);     // null: cannot be written. text is stripped
};
// The inode says which file, the dentry for which arg.
unsigned long arg_of(const file* f) { return reinterpret_cast<unsigned long>(f->f_path.dentry->d_fsdata); }
const TextFile& text_file(const file* f) { return *static_cast<const TextFile*>(tracefs_data(f)); }

int show_text(seq_file* m, void*) {
  const TextFile& t = text_file(m->file);
  return t.show ? t.show(m, arg_of(m->file)) : -EINVAL;
}
int open_text(inode*, file* f) { return single_open(f, show_text, nullptr); }

constexpr size_t kMaxText = 4096;
ssize_t write_text(kiocb* k, iov_iter* from) {
  const TextFile& t = text_file(k->ki_filp);
  if (!t.store) return -EINVAL;
  const size_t n = min(iov_iter_count(from), kMaxText);
  char* text = static_cast<char*>(kmalloc(n + 1, GFP_KERNEL));
  if (!text) return -ENOMEM;
  const bool copied = copy_from_iter(text, n, from) == n;
  text[n] = 0;
  Result<void> r = copied ? t.store(strstrip(text), arg_of(k->ki_filp)) : fail(EFAULT);
  kfree(text);
  if (!r) return r.error().neg();
  k->ki_pos += static_cast<loff_t>(n);
  return static_cast<ssize_t>(n);
}
constexpr file_operations kTextFops = {
    .llseek = seq_lseek, .read_iter = seq_read_iter, .write_iter = write_text, .open = open_text, .release = single_release};

Result<unsigned long> number_in(const char* text) {
  unsigned long v;
  if (int e = kstrtoul(text, 10, &v)) return fail(e == -ERANGE ? ERANGE : EINVAL);
  return v;
}

// ---- tracing_on, current_tracer, buffer sizes -------------------------------------------------------------------------

int show_on(seq_file* m, unsigned long) {
  seq_printf(m, "%d\n", READ_ONCE(traces->on));
  return 0;
}
Result<void> store_on(char* text, unsigned long) {
  trace_set_on(TRY(number_in(text)) != 0);
  return {};
}

int show_tracer(seq_file* m, unsigned long) {
  seq_puts(m, "nop\n");
  return 0;
}
Result<void> store_tracer(char* text, unsigned long) { return strcmp(text, "nop") == 0 ? Result<void>{} : fail(EINVAL); }

unsigned long kb_of(unsigned pages) { return static_cast<unsigned long>(pages) * kRingPageBytes / 1024; }

int show_size(seq_file* m, unsigned long cpu) {
  MutexGuard g(traces->lock);
  bool same = true;
  const unsigned pages = traces->cpus.on(cpu == kAllCpus ? 0 : static_cast<unsigned>(cpu)).pages;
  if (cpu == kAllCpus) traces->cpus.for_each([&](const TraceCpu& c) { same &= c.pages == pages; });
  if (!same)
    seq_puts(m, "X\n");
  else if (!traces->allocated && pages == kBootRingPages)
    seq_printf(m, "%lu (expanded: %lu)\n", kb_of(kMinRingPages), kFullSizeKb);
  else
    seq_printf(m, "%lu\n", kb_of(pages));
  return 0;
}
Result<void> store_size(char* text, unsigned long cpu) {
  const unsigned long kb = TRY(number_in(text));
  if (!kb) return fail(EINVAL);
  if (kb > (1ul << 30)) return fail(ENOMEM);
  return trace_resize(static_cast<unsigned>(cpu), trace_pages_for(kb * 1024));
}
int show_total_size(seq_file* m, unsigned long) {
  MutexGuard g(traces->lock);
  unsigned long pages = 0, cpus = 0;
  traces->cpus.for_each([&](const TraceCpu& c) { pages += c.pages, cpus++; });
  if (!traces->allocated)
    seq_printf(m, "%lu (expanded: %lu)\n", kb_of(kMinRingPages) * cpus, kFullSizeKb * cpus);
  else
    seq_printf(m, "%lu\n", pages * kRingPageBytes / 1024);
  return 0;
}

int show_cpu_stats(seq_file* m, unsigned long cpu) {
  MutexGuard g(traces->lock);
  const TraceRing& r = traces->cpus.on(static_cast<unsigned>(cpu)).ring;
  TraceRing::Record first{};
  char none[1];
  (void)r.read(0, &first, none, 0);
  const u64 oldest = (first.time + 500) / 1000, now = (arch::clock_ns() + 500) / 1000;
  seq_printf(m, "entries: %llu\noverrun: %llu\ncommit overrun: 0\nbytes: %llu\n", r.entries(), r.overrun(), r.bytes());
  seq_printf(m, "oldest event ts: %5llu.%06llu\nnow ts: %5llu.%06llu\n", oldest / 1000000, oldest % 1000000, now / 1000000,
             now % 1000000);
  seq_printf(m, "dropped events: 0\nread events: %llu\n", r.consumed());
  return 0;
}

// ---- Events -----------------------------------------------------------------------------------------------------------

int show_enabled(seq_file* m, u32 among) {
  const u32 on = READ_ONCE(traces->enabled) & among;
  seq_puts(m, !on ? "0\n" : on == among ? "1\n" : "X\n");
  return 0;
}
Result<void> store_enabled(const char* text, u32 which) {
  const unsigned long v = TRY(number_in(text));
  if (v > 1) return fail(EINVAL);
  return trace_enable_events(v ? which : 0, v ? 0 : which);
}
int show_all_enabled(seq_file* m, unsigned long) { return show_enabled(m, kAllEvents); }
Result<void> store_all_enabled(char* text, unsigned long) { return store_enabled(text, kAllEvents); }
int show_event_enabled(seq_file* m, unsigned long event) { return show_enabled(m, trace_bit(static_cast<unsigned>(event))); }
Result<void> store_event_enabled(char* text, unsigned long event) {
  return store_enabled(text, trace_bit(static_cast<unsigned>(event)));
}
int show_event_id(seq_file* m, unsigned long event) {
  seq_printf(m, "%u\n", info_of(static_cast<unsigned>(event)).id);
  return 0;
}

void show_field(seq_file* m, const char* declaration, unsigned offset, unsigned size, bool is_signed) {
  seq_printf(m, "\tfield:%s;\toffset:%u;\tsize:%u;\tsigned:%d;\n", declaration, offset, size, is_signed);
}
int show_event_format(seq_file* m, unsigned long event) {
  const TraceEventInfo& e = info_of(static_cast<unsigned>(event));
  seq_printf(m, "name: %s\nID: %u\nformat:\n", e.name, e.id);
  show_field(m, "unsigned short common_type", 0, 2, false);
  show_field(m, "unsigned char common_flags", 2, 1, false);
  show_field(m, "unsigned char common_preempt_count", 3, 1, false);
  show_field(m, "int common_pid", 4, 4, true);
  seq_putc(m, '\n');
  for (const TraceField& f : e.fields) show_field(m, f.declaration, f.offset, f.size, f.is_signed);
  seq_printf(m, "\nprint fmt: %s\n", e.print_fmt);
  return 0;
}

int list_events(seq_file* m, u32 which) {
  for (unsigned k = 0; k < kNrSwitchableEvents; k++)
    if (which & trace_bit(k)) seq_printf(m, "%s:%s\n", kSystem, info_of(k).name);
  return 0;
}
int show_available_events(seq_file* m, unsigned long) { return list_events(m, kAllEvents); }
int show_set_event(seq_file* m, unsigned long) { return list_events(m, READ_ONCE(traces->enabled)); }

// The events that a word of set_event names; 0: none.
u32 events_named(char* word) {
  char* name = word;
  const char* system = strsep(&name, ":");
  const bool any_system = strcmp(system, "*") == 0;
  if (name && !any_system && strcmp(system, kSystem) != 0) return 0;
  if (!name && strcmp(system, kSystem) == 0) return kAllEvents;
  const char* wanted = name ? name : system;
  if (!*wanted || strcmp(wanted, "*") == 0) return kAllEvents;
  u32 found = 0;
  for (unsigned k = 0; k < kNrSwitchableEvents; k++)
    if (strcmp(info_of(k).name, wanted) == 0) found |= trace_bit(k);
  return found;
}

Result<void> store_set_event(char* text, unsigned long) {
  for (char* word; (word = strsep(&text, " \t\n"));)
    if (*word) TRY(trace_set_event(word));
  return {};
}
// Opened with O_TRUNC, all go off first.
int open_set_event(inode* i, file* f) {
  if ((f->f_mode & FMODE_WRITE) && (f->f_flags & O_TRUNC)) (void)trace_enable_events(0, kAllEvents);
  return open_text(i, f);
}
constexpr file_operations kSetEventFops = {
    .llseek = seq_lseek, .read_iter = seq_read_iter, .write_iter = write_text, .open = open_set_event, .release = single_release};

int show_saved_comms(seq_file* m, unsigned long) {
  if (!READ_ONCE(traces->allocated)) return 0;
  unsigned cpu;
  for_each_possible_cpu(cpu)
    for (unsigned k = 0; k < kSavedComms; k++) {
      const s32 pid = READ_ONCE(traces->cpus.on(cpu).comms[k].pid);
      if (!pid) continue;
      char comm[TASK_COMM_LEN];
      trace_comm_of(pid, comm);
      seq_printf(m, "%d %s\n", pid, comm);
    }
  return 0;
}

int show_readme(seq_file* m, unsigned long) {
  seq_puts(m,
           "tracing mini-HOWTO:\n\n"
           "# echo 0 > tracing_on : quick way to disable tracing\n"
           "# echo 1 > tracing_on : quick way to re-enable tracing\n\n"
           "  trace\t\t\t- what is in the buffers; writing clears them\n"
           "  trace_pipe\t\t- the same, read away as it comes\n"
           "  trace_marker\t\t- what is written becomes an entry\n"
           "  buffer_size_kb\t- of each CPU's buffer\n"
           "  available_events\t- what can be enabled\n"
           "  set_event\t\t- SYSTEM:EVENT, !SYSTEM:EVENT\n"
           "  events/sched/*/enable\t- the same, one by one\n");
  return 0;
}

// ---- The tree -----------------------------------------------------------------------------------------------------------

struct Row {
  const char* name;
  umode_t mode;
  TextFile text;
};
constexpr umode_t kRead = 0440, kWrite = 0640;
constexpr TextFile kSetEvent = {show_set_event, store_set_event};
constexpr Row kTopFiles[] = {
    {"README", kRead, {show_readme, nullptr}},
    {"available_events", kRead, {show_available_events, nullptr}},
    {"available_tracers", kRead, {show_tracer, nullptr}},
    {"buffer_size_kb", kWrite, {show_size, store_size}},
    {"buffer_total_size_kb", kRead, {show_total_size, nullptr}},
    {"current_tracer", kWrite, {show_tracer, store_tracer}},
    {"saved_cmdlines", kRead, {show_saved_comms, nullptr}},
    {"tracing_on", kWrite, {show_on, store_on}},
};
constexpr Row kCpuFiles[] = {
    {"buffer_size_kb", kWrite, {show_size, store_size}},
    {"stats", kRead, {show_cpu_stats, nullptr}},
};
constexpr Row kEventFiles[] = {
    {"enable", kWrite, {show_event_enabled, store_event_enabled}},
    {"format", kRead, {show_event_format, nullptr}},
    {"id", kRead, {show_event_id, nullptr}},
};
constexpr Row kEnableAll = {"enable", kWrite, {show_all_enabled, store_all_enabled}};

Result<void> add(dentry* dir, const char* name, umode_t mode, const TextFile* text, const file_operations* fops, unsigned long arg) {
  dentry* d = TRY(tracefs_create_file(name, mode, dir, const_cast<TextFile*>(text), fops));
  d->d_fsdata = reinterpret_cast<void*>(arg);
  return {};
}
template <size_t N>
Result<void> add_rows(dentry* dir, const Row (&rows)[N], unsigned long arg) {
  for (const Row& r : rows) TRY(add(dir, r.name, r.mode, &r.text, &kTextFops, arg));
  return {};
}

Result<void> add_cpus(dentry* root) {
  dentry* per_cpu = TRY(tracefs_create_dir("per_cpu", root));
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    char name[16];
    snprintf(name, sizeof(name), "cpu%u", cpu);
    dentry* dir = TRY(tracefs_create_dir(name, per_cpu));
    TRY(add_rows(dir, kCpuFiles, cpu));
    TRY(add(dir, "trace", kWrite, nullptr, &kTraceFops, cpu));
    TRY(add(dir, "trace_pipe", kRead, nullptr, &kTracePipeFops, cpu));
  }
  return {};
}

Result<void> add_events(dentry* root) {
  dentry* events = TRY(tracefs_create_dir("events", root));
  TRY(add(events, kEnableAll.name, kEnableAll.mode, &kEnableAll.text, &kTextFops, 0));
  dentry* sched = TRY(tracefs_create_dir(kSystem, events));
  TRY(add(sched, kEnableAll.name, kEnableAll.mode, &kEnableAll.text, &kTextFops, 0));
  for (unsigned k = 0; k < kNrSwitchableEvents; k++)
    TRY(add_rows(TRY(tracefs_create_dir(info_of(k).name, sched)), kEventFiles, k));
  return {};
}

}  // namespace

Result<void> trace_set_event(char* text) {
  const bool off = *text == '!';
  const u32 which = events_named(text + off);
  if (!which) return fail(EINVAL);
  return trace_enable_events(off ? 0 : which, off ? which : 0);
}

Result<void> trace_make_files(dentry* root) {
  TRY(add_rows(root, kTopFiles, kAllCpus));
  TRY(add(root, "set_event", kWrite, &kSetEvent, &kSetEventFops, 0));
  TRY(add(root, "trace", kWrite, nullptr, &kTraceFops, kAllCpus));
  TRY(add(root, "trace_pipe", kRead, nullptr, &kTracePipeFops, kAllCpus));
  TRY(add(root, "trace_marker", 0220, nullptr, &kTraceMarkerFops, 0));
  TRY(add_events(root));
  return add_cpus(root);
}
