// trace, trace_pipe, trace_marker.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/trace/trace_files.hh"

#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fs/proc/seq_file.hh"
#include "fs/vfs/poll.hh"
#include "kernel/signal/signal.hh"
#include "kernel/sync/guards.hh"

namespace {

unsigned cpu_of(const file* f) { return static_cast<unsigned>(reinterpret_cast<unsigned long>(f->f_path.dentry->d_fsdata)); }

struct Reader {
  TraceCursor cursor;
  loff_t index;  // of the record at hand; 0: the header
  bool more;
  char line[kTraceLine];
};

Reader* new_reader(unsigned cpu) {
  auto* r = static_cast<Reader*>(kvzalloc(sizeof(Reader), GFP_KERNEL));
  if (r) r->cursor.only_cpu = cpu;
  return r;
}

// ---- trace: looks and takes nothing ------------------------------------------------------------------------------------

Reader* reader_of(const seq_file* m) { return static_cast<Reader*>(m->private_); }

void* step(Reader* r) {
  if (r->index) trace_cursor_pass(&r->cursor);
  r->index++;
  r->more = trace_cursor_load(&r->cursor);
  return r->more ? r : nullptr;
}

void* start(seq_file* m, loff_t* pos) {
  Reader* r = reader_of(m);
  if (*pos == 0 || *pos < r->index) {
    r->index = 0;
    memset(r->cursor.at, 0, sizeof(r->cursor.at));
  }
  while (r->index < *pos)
    if (!step(r)) return nullptr;
  return r->index && !r->more ? nullptr : r;
}
void* next(seq_file* m, void*, loff_t* pos) {
  ++*pos;
  return step(reader_of(m));
}
void stop(seq_file*, void*) {}

void show_header(seq_file* m, const Reader* r) {
  MutexGuard g(traces->lock);
  u64 entries = 0, overrun = 0;
  unsigned cpu;
  for_each_possible_cpu(cpu) {
    if (r->cursor.only_cpu != kAllCpus && r->cursor.only_cpu != cpu) continue;
    const TraceRing& ring = traces->cpus.on(cpu).ring;
    entries += ring.entries();
    overrun += ring.overrun();
  }
  char text[kTraceLine];
  TraceText t{text, sizeof(text)};
  trace_print_header(entries, entries + overrun, t);
  seq_write(m, text, t.used);
}
int show(seq_file* m, void*) {
  Reader* r = reader_of(m);
  if (!r->index) {
    show_header(m, r);
    return 0;
  }
  TraceText t{r->line, sizeof(r->line)};
  trace_print_line(r->cursor, t);
  seq_write(m, r->line, t.used);
  return 0;
}
constexpr seq_operations kTraceSeq = {start, stop, next, show};

int open_trace(inode*, file* f) {
  if ((f->f_mode & FMODE_WRITE) && (f->f_flags & O_TRUNC)) trace_clear(cpu_of(f));
  if (!(f->f_mode & FMODE_READ)) return 0;
  Reader* r = new_reader(cpu_of(f));
  if (!r) return -ENOMEM;
  if (int e = seq_open(f, &kTraceSeq)) {
    kvfree(r);
    return e;
  }
  seq_of(f)->private_ = r;
  return 0;
}
int release_trace(inode* i, file* f) {
  if (!(f->f_mode & FMODE_READ)) return 0;
  kvfree(seq_of(f)->private_);
  return seq_release(i, f);
}
ssize_t write_trace(kiocb* k, iov_iter* from) {  // the opening has cleared it, or nobody wants that
  const size_t n = iov_iter_count(from);
  iov_iter_advance(from, n);
  k->ki_pos += static_cast<loff_t>(n);
  return static_cast<ssize_t>(n);
}
loff_t seek_trace(file* f, loff_t off, int whence) {
  if (f->f_mode & FMODE_READ) return seq_lseek(f, off, whence);
  return f->f_pos = 0;
}

// ---- trace_pipe: what is read is gone ------------------------------------------------------------------------------------

int open_pipe(inode* i, file* f) {
  f->private_data = new_reader(cpu_of(f));
  if (!f->private_data) return -ENOMEM;
  return nonseekable_open(i, f);
}
int release_pipe(inode*, file* f) {
  kvfree(f->private_data);
  return 0;
}

bool anything_there(unsigned cpu) {
  MutexGuard g(traces->lock);
  unsigned k;
  for_each_possible_cpu(k)
    if ((cpu == kAllCpus || cpu == k) && traces->cpus.on(k).ring.entries()) return true;
  return false;
}

// Lines as long as they fit; 0: nothing is there.
ssize_t take_lines(Reader* r, iov_iter* to) {
  size_t done = 0;
  while (trace_cursor_load(&r->cursor)) {
    TraceText t{r->line, sizeof(r->line)};
    trace_print_line(r->cursor, t);
    if (t.used > iov_iter_count(to) && done) break;
    const size_t n = min(t.used, iov_iter_count(to));  // a reader with less room than a line loses its end
    const size_t copied = copy_to_iter(r->line, n, to);
    if (copied != n) return done ? static_cast<ssize_t>(done) : -EFAULT;
    done += n;
    trace_cursor_pass(&r->cursor);
    MutexGuard g(traces->lock);
    traces->cpus.on(r->cursor.cpu).ring.consume(r->cursor.record.next, 1);
    if (!iov_iter_count(to)) break;
  }
  return static_cast<ssize_t>(done);
}

// Nobody is woken from inside a tracepoint: ten looks a second.
ssize_t read_pipe(kiocb* k, iov_iter* to) {
  auto* r = static_cast<Reader*>(k->ki_filp->private_data);
  for (;;) {
    if (ssize_t n = take_lines(r, to)) {
      r->index = 1;
      return n;
    }
    if (!READ_ONCE(traces->on) && r->index) return 0;  // tracing is off and all is read
    if (k->ki_filp->f_flags & O_NONBLOCK) return -EAGAIN;
    if (signal_pending(current)) return -EINTR;
    schedule_timeout_interruptible(HZ / 10);
  }
}

__poll_t poll_pipe(file* f, poll_table*) { return anything_there(cpu_of(f)) ? EPOLLIN | EPOLLRDNORM : 0; }

// ---- trace_marker ------------------------------------------------------------------------------------------------------

int open_marker(inode* i, file* f) { return nonseekable_open(i, f); }

ssize_t write_marker(kiocb* k, iov_iter* from) {
  if (!READ_ONCE(traces->on)) return -EBADF;
  const size_t n = min(iov_iter_count(from), kMaxMarker - 2);
  if (!n) return 0;
  auto* e = static_cast<PrintEntry*>(kmalloc(sizeof(PrintEntry), GFP_KERNEL));
  if (!e) return -ENOMEM;
  ssize_t result = static_cast<ssize_t>(n);
  if (copy_from_iter(e->text, n, from) != n) {
    result = -EFAULT;
  } else if (Result<void> r = trace_need_rings(); !r) {
    result = r.error().neg();
  } else {
    size_t used = n;
    if (e->text[used - 1] != '\n') e->text[used++] = '\n';
    e->text[used++] = 0;
    e->ip = 0;
    trace_record(TraceEvent::Print, &e->common, __builtin_offsetof(PrintEntry, text) + used);
  }
  kfree(e);
  return result;
}

}  // namespace

constexpr file_operations kTraceFops = {.llseek = seek_trace, .read_iter = seq_read_iter, .write_iter = write_trace,
                                        .open = open_trace, .release = release_trace};
constexpr file_operations kTracePipeFops = {.read_iter = read_pipe, .poll = poll_pipe, .open = open_pipe, .release = release_pipe};
constexpr file_operations kTraceMarkerFops = {.write_iter = write_marker, .open = open_marker};
