// seq_file: a file whose text is made when it is read, record by record or in one go. Linux's names and meanings.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/mutex.h>

#include "fs/vfs/vfs.hh"

struct seq_operations {
  void* (*start)(seq_file* m, loff_t* pos);  // record number *pos, null: behind the last. ERR_PTR is allowed
  void (*stop)(seq_file* m, void* v);        // always after start
  void* (*next)(seq_file* m, void* v, loff_t* pos);
  int (*show)(seq_file* m, void* v);  // 0, SEQ_SKIP or -errno
};
#define SEQ_SKIP 1
#define SEQ_START_TOKEN (reinterpret_cast<void*>(1))

struct seq_file {
  char* buf;
  size_t size, from, count;
  loff_t index, read_pos;
  struct mutex lock;
  const seq_operations* op;
  const struct file* file;
  void* private_;
};

// Output. What does not fit is noticed and the record made again with more room.
void seq_printf(seq_file* m, const char* fmt, ...) __attribute__((format(printf, 2, 3)));
void seq_puts(seq_file* m, const char* s);
void seq_putc(seq_file* m, char c);
int seq_write(seq_file* m, const void* data, size_t n);
void seq_put_decimal_ull(seq_file* m, const char* delimiter, unsigned long long n);
void seq_escape(seq_file* m, const char* s, const char* special);  // as \ooo
void seq_print_list(seq_file* m, unsigned long mask);  // "0-3,5", as in Cpus_allowed_list
void seq_pad(seq_file* m, char c);
int seq_path_text(seq_file* m, const path* p, const char* special);
inline bool seq_has_overflowed(const seq_file* m) { return m->count == m->size; }

// open operations; release and read for the ops table.
int seq_open(file* f, const seq_operations* op);
int single_open(file* f, int (*show)(seq_file* m, void* v), void* data);
int seq_release(inode* i, file* f);
int single_release(inode* i, file* f);
ssize_t seq_read_iter(kiocb* k, iov_iter* to);
loff_t seq_lseek(file* f, loff_t off, int whence);
inline seq_file* seq_of(const file* f) { return static_cast<seq_file*>(f->private_data); }
