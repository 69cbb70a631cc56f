// A snapshot of all that a task holds and of what the system counts, as a list of named numbers: two are compared name by name.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/task/task.hh"

struct kunit;

class Snapshot {
 public:
  struct Field {
    const char* name;  // stays
    long index;        // of what there is several of; -1: one only
    u64 value;
  };
  static constexpr unsigned kMaxFields = 6000;

  Snapshot();
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;

  // Of t, which is current or sleeps for good. Nobody else forks or exits; the machine should be quiet (settle()).
  void take(task_struct* t);
  unsigned size() const { return n_; }

  // Notes a failure of the test for each field that differs, at most a dozen; `when` says after what. True: none does.
  bool same_as(const Snapshot& before, kunit* test, const char* when) const;

 private:
  void add(const char* name, u64 value, long index = -1);
  void add_pointer(const char* name, const void* p) { add(name, reinterpret_cast<u64>(p)); }
  void add_bytes(const char* name, const void* p, size_t n, long index = -1);
  void add_task(task_struct* t);
  void add_cred(const struct cred* c);
  void add_namespaces(task_struct* t);
  void add_signals(task_struct* t);
  void add_signal_struct(signal_struct* s);
  void add_pids(task_struct* t);
  void add_files(files_struct* files);
  void add_fs(const fs_struct* fs);
  void add_mm(mm_struct* mm);
  void add_system();
  static void add_slab(const struct SlabInfo& info, void* self);

  Field* fields_;
  unsigned n_ = 0;
};

// Lets the dead be freed (last switches, grace periods) and gives cached memory back. May sleep.
void settle();
