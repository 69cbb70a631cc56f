// Entries of the signal queues. Private to signal (and for POSIX timers through signal.hh).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/cred/cred.hh"
#include "kernel/signal/signal.hh"

struct LeakReport;
enum class QueueLimit : unsigned char { Respect, Override };

struct sigqueue {
  list_head list;  // empty: not queued. siglock of whose queue it is in
  bool preallocated;
  struct ucounts* ucounts;  // who is charged
  kernel_siginfo info;
};

// Charged to t's real user (S-17); null: limit or memory. siglock held or not.
sigqueue* new_queue_entry(task_struct* t, QueueLimit limit);
void free_queue_entry(sigqueue* q);
void flush_sigqueue(sigpending* pending);            // all; siglock, or nobody else can reach it
void remove_signals(sigpending* pending, u64 mask);  // those in mask; siglock
void signal_queue_init();
void signal_queue_exit(LeakReport& report);
