// The kernel log beyond linux/printk.h: reading it (syslog(2), /dev/kmsg), console output, panic's part.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/printk.h>

#include <span>

#include "init/report.hh"
#include "kernel/printk/ring.hh"

void printk_init();
void printk_exit(LeakReport& report);

// Copies the record with the lowest seq >= *seq into text and sets *seq to its number. False: none yet. Any context.
bool log_read(u64* seq, LogRecord* meta, std::span<char> text, size_t* length);
u64 log_first_seq();
u64 log_next_seq();
// Sleeps until there is a record >= seq. 0 or -ERESTARTSYS.
long log_wait(u64 seq);
struct wait_queue_head* log_wait_queue();

// /dev/kmsg (dev-kmsg ABI). One record at *seq as "prio,seq,usec,flags;text\n" into kernel memory. Number of bytes; 0: none yet;
// -EPIPE: it was overwritten (*seq is then the oldest there is); -EINVAL: buf is too small.
ssize_t kmsg_format_next(u64* seq, std::span<char> buf);
// A line written by a user: "<prio>text". Kernel memory. Bytes taken, or -EINVAL.
ssize_t kmsg_write(std::string_view line);

void console_flush();      // prints what is pending, unless another CPU is at it
void console_flush_panic();  // takes the console by force

// Warnings since boot. printk_exit reports those that no test has said it expects.
int warn_count();
void expect_warnings(int n);
