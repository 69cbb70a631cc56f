// Is the world of tasks consistent? Recounts and cross-checks what the process core keeps by hand: lists, links, pid tables,
// counts of threads, reference counts. For fuzzers and for any test that wants to know that nothing was left crooked.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/types.h>

#include <string_view>

// What a check found wrong, in words; printed to the log as it comes.
class WorldFindings {
 public:
  void add(const char* fmt, ...) __attribute__((format(printf, 2, 3)));
  int count() const { return count_; }
  std::string_view text() const { return {text_, used_}; }

 private:
  int count_ = 0;
  size_t used_ = 0;
  char text_[1024];
};

// What tasklist_lock says is true whenever it can be had: tasks and their groups, relations, pid links. Takes it for reading;
// task context, no spinlock held.
void check_tasks(WorldFindings& findings);

// The above, and what is only true while nobody but the caller runs, for instance after a sleep on the hosted machine, where
// time moves when all CPUs are idle: reference counts of what tasks share, NPROC charges, pid tables, signals that somebody
// should have been woken for. Says nothing more if another task is runnable or sleeps uninterruptibly. May sleep.
void check_world_at_rest(WorldFindings& findings);
bool world_is_at_rest();  // so much for whether it would
