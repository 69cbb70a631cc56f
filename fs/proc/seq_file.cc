// seq_file: text made on reading.
// SPDX-License-Identifier: Apache-2.0
#include "fs/proc/seq_file.hh"

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kernel/sync/guards.hh"

namespace {

void set_overflow(seq_file* m) { m->count = m->size; }
constexpr size_t kFirstSize = 4096, kMaxSize = 4u << 20;

bool get_buffer(seq_file* m, size_t size) {
  kvfree(m->buf);
  m->buf = static_cast<char*>(kvmalloc(size, GFP_KERNEL));
  m->size = m->buf ? size : 0;
  m->count = m->from = 0;
  return m->buf;
}

// Makes record v; grows the buffer until it fits. 0, SEQ_SKIP or -errno. The record is the buffer's only content.
int show_growing(seq_file* m, void** v) {
  for (;;) {
    m->count = 0;
    int r = m->op->show(m, *v);
    if (r < 0) return r;
    if (r == SEQ_SKIP) {
      m->count = 0;
      return r;
    }
    if (!seq_has_overflowed(m)) return 0;
    m->op->stop(m, *v);
    if (m->size >= kMaxSize || !get_buffer(m, m->size * 2)) return -ENOMEM;
    *v = m->op->start(m, &m->index);
    if (!*v || IS_ERR(*v)) return *v ? static_cast<int>(PTR_ERR(*v)) : SEQ_SKIP;
  }
}

// Appends whole records after the first while they fit and are wanted.
void* show_more(seq_file* m, void* v, size_t wanted) {
  while (m->count < wanted) {
    size_t before = m->count;
    loff_t at = m->index;
    v = m->op->next(m, v, &m->index);
    if (m->index == at) m->index++;
    if (!v || IS_ERR(v)) return v;
    int r = m->op->show(m, v);
    if (r || seq_has_overflowed(m)) {
      m->count = before;
      if (r == SEQ_SKIP) continue;
      return v;
    }
  }
  loff_t at = m->index;
  v = m->op->next(m, v, &m->index);
  if (m->index == at) m->index++;
  return v;
}

// The buffer is empty: fills it. 0 or -errno; nothing filled: the end.
int fill(seq_file* m, size_t wanted) {
  m->from = m->count = 0;
  void* v = m->op->start(m, &m->index);
  int r = 0;
  while (v && !IS_ERR(v)) {
    r = show_growing(m, &v);
    if (r < 0 || !v || IS_ERR(v)) break;
    if (r == 0 && m->count) {
      v = show_more(m, v, wanted);
      break;
    }
    loff_t at = m->index;
    v = m->op->next(m, v, &m->index);
    if (m->index == at) m->index++;
    r = 0;
  }
  m->op->stop(m, v);
  if (v && IS_ERR(v)) r = static_cast<int>(PTR_ERR(v));
  return r < 0 ? r : 0;
}

// Starts over and skips to byte pos (somebody seeked).
int traverse(seq_file* m, loff_t pos) {
  m->index = 0;
  m->from = m->count = 0;
  loff_t at = 0;
  while (at < pos) {
    if (int r = fill(m, 1); r < 0) return r;
    if (!m->count) break;
    if (at + static_cast<loff_t>(m->count) > pos) {
      m->from = static_cast<size_t>(pos - at);
      m->count -= m->from;
      at = pos;
      break;
    }
    at += static_cast<loff_t>(m->count);
    m->count = 0;
  }
  m->read_pos = at;
  return 0;
}

}  // namespace

int seq_open(file* f, const seq_operations* op) {
  auto* m = static_cast<seq_file*>(kzalloc(sizeof(seq_file), GFP_KERNEL));
  if (!m) return -ENOMEM;
  mutex_init(&m->lock);
  m->op = op;
  m->file = f;
  f->private_data = m;
  f->f_mode &= ~FMODE_PWRITE;
  return 0;
}

ssize_t seq_read_iter(kiocb* k, iov_iter* to) {
  seq_file* m = seq_of(k->ki_filp);
  MutexGuard g(m->lock);
  if (!iov_iter_count(to)) return 0;
  if (!m->buf && !get_buffer(m, kFirstSize)) return -ENOMEM;
  if (k->ki_pos == 0) {
    m->index = 0;
    m->count = m->from = 0;
    m->read_pos = 0;
  } else if (k->ki_pos != m->read_pos) {
    if (int r = traverse(m, k->ki_pos); r < 0) return r;
  }
  ssize_t total = 0;
  while (iov_iter_count(to)) {
    if (!m->count) {
      int r = fill(m, iov_iter_count(to));
      if (r < 0 && !total) return r;
      if (r < 0 || !m->count) break;
    }
    size_t n = copy_to_iter(m->buf + m->from, m->count, to);
    m->from += n;
    m->count -= n;
    total += static_cast<ssize_t>(n);
    if (!n) return total ? total : -EFAULT;
    if (!m->count && total) {
      // One batch is enough when the reader's buffer has only little left.
      m->from = 0;
    }
  }
  m->read_pos = k->ki_pos += total;
  return total;
}

loff_t seq_lseek(file* f, loff_t off, int whence) {
  seq_file* m = seq_of(f);
  MutexGuard g(m->lock);
  if (whence == SEEK_CUR) off += f->f_pos;
  if (whence > SEEK_CUR || off < 0) return -EINVAL;
  f->f_pos = off;
  return off;
}

int seq_release(inode*, file* f) {
  seq_file* m = seq_of(f);
  kvfree(m->buf);
  kfree(m);
  return 0;
}

// ---- One record -----------------------------------------------------------------------------------------------------------
namespace {

struct SingleOps : seq_operations {};
void* single_start(seq_file*, loff_t* pos) { return *pos ? nullptr : SEQ_START_TOKEN; }
void* single_next(seq_file*, void*, loff_t* pos) {
  ++*pos;
  return nullptr;
}
void single_stop(seq_file*, void*) {}

}  // namespace

int single_open(file* f, int (*show)(seq_file*, void*), void* data) {
  auto* op = static_cast<seq_operations*>(kmalloc(sizeof(seq_operations), GFP_KERNEL));
  if (!op) return -ENOMEM;
  *op = {single_start, single_stop, single_next, show};
  int r = seq_open(f, op);
  if (r) {
    kfree(op);
    return r;
  }
  seq_of(f)->private_ = data;
  return 0;
}

int single_release(inode* i, file* f) {
  const seq_operations* op = seq_of(f)->op;
  seq_release(i, f);
  kfree(op);
  return 0;
}

// ---- Output -----------------------------------------------------------------------------------------------------------------
void seq_printf(seq_file* m, const char* fmt, ...) {
  if (m->count >= m->size) return;
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(m->buf + m->count, m->size - m->count, fmt, args);
  va_end(args);
  if (m->count + static_cast<size_t>(n) < m->size)
    m->count += static_cast<size_t>(n);
  else
    set_overflow(m);
}

int seq_write(seq_file* m, const void* data, size_t n) {
  if (m->count + n >= m->size) {
    set_overflow(m);
    return -1;
  }
  memcpy(m->buf + m->count, data, n);
  m->count += n;
  return 0;
}
void seq_puts(seq_file* m, const char* s) { seq_write(m, s, strlen(s)); }
void seq_putc(seq_file* m, char c) { seq_write(m, &c, 1); }

void seq_put_decimal_ull(seq_file* m, const char* delimiter, unsigned long long n) {
  char digits[24];
  char* p = digits + sizeof(digits);
  do *--p = static_cast<char>('0' + n % 10);
  while (n /= 10);
  seq_puts(m, delimiter);
  seq_write(m, p, static_cast<size_t>(digits + sizeof(digits) - p));
}

void seq_escape(seq_file* m, const char* s, const char* special) {
  for (; *s; s++) {
    if (strchr(special, *s))
      seq_printf(m, "\\%03o", static_cast<unsigned char>(*s));
    else
      seq_putc(m, *s);
  }
}

int seq_path_text(seq_file* m, const path* p, const char* special) {
  auto* page = static_cast<char*>(kmalloc(PATH_MAX, GFP_KERNEL));
  if (!page) return -ENOMEM;
  auto text = d_path(p, page, PATH_MAX);
  if (text) seq_escape(m, *text, special);
  kfree(page);
  return text ? 0 : -text.error().code();
}

void seq_print_list(seq_file* m, unsigned long mask) {
  for (unsigned cpu = 0, first = 1; cpu < 64; cpu++) {
    if (!(mask >> cpu & 1)) continue;
    unsigned last = cpu;
    while (last + 1 < 64 && (mask >> (last + 1) & 1)) last++;
    seq_printf(m, first ? "%u" : ",%u", cpu);
    if (last > cpu) seq_printf(m, "-%u", last);
    first = 0;
    cpu = last;
  }
}
