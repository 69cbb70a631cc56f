// The sweep: an action is tried with its first failable step failing, then its second, and so on until it gets through. After each try
// the task must be as it was before, and of use; what the action answered must be what the step that failed allows. Spec 20 F-51.
// Knows nothing of fork: whatever a task does can be an action.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "test/faults/catalogue.hh"
#include "test/faults/snapshot.hh"

class FaultAction {
 public:
  // What is tried, by the calling task: >= 0 or -errno.
  virtual long run() = 0;
  // After a success: undoes it (waits for the child, closes the descriptor). The task is then as before run().
  virtual void undo(long result) = 0;
  // What shall hold only while it is tried (a limit that is reached, say), and is no part of what may fail.
  virtual void arrange() {}
  virtual void rearrange() {}
  // With no step failing it is refused with this errno, after all that it had acquired by then; 0: it succeeds.
  virtual int refusal() { return 0; }
  // Is `result` (-errno) what failing that step may give?
  virtual bool may_answer(const FaultVisit& failed, long result) = 0;
  // Is the task still good for all it was? Null, or what is wrong.
  virtual const char* broken() { return nullptr; }
  // Whose steps fail.
  virtual task_struct* victim();

 protected:
  ~FaultAction() = default;
};

struct SweepResult {
  long steps = 0;     // each of them failed once
  long refused = 0;   // so many gave an errno
  long survived = 0;  // so many the action did without
};

// The calling task is the one compared. May sleep. catalogue: optional.
SweepResult sweep(kunit* test, const char* name, FaultAction& action, Catalogue* catalogue = nullptr);
