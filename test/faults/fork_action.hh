// Forks of all kinds as actions of a sweep, and what each stage of copy_process may answer.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <uapi/linux/signal.h>

#include "test/faults/parent.hh"
#include "test/faults/sweep.hh"

namespace faults {

// May the step that failed lead to this result? By the stage it belongs to (spec 20 section 11).
bool fork_may_answer(const FaultVisit& failed, long result);
// Is there a rule for this stage; and can it fail at all?
bool knows_stage(const char* id);
bool stage_can_fail(const char* id);

enum class By : unsigned char { Clone3, Clone, Fork, Vfork, KernelThread, UserModeThread };
enum Parent : unsigned { kPlain = 0, kManyFiles = 1, kManyAreas = 2, kThreaded = 4, kNoSpareFd = 8, kTraced = 16, kInCgroup = 32, kIoPriority = 64, kNested = 128, kUnprivileged = 256, kChrooted = 512, kNoCgroup = 1024, kDeadCgroup = 2048 };

inline constexpr int kInit = -1;

// What holds while the fork is tried, and is then undone.
struct Circumstance {
  void (*arrange)();
  void (*rearrange)();
};

struct ForkCase {
  const char* name;
  u64 flags;
  By by = By::Clone3;
  unsigned parent = kPlain;
  int exit_signal = SIGCHLD;
  int set_tid = 0;  // so many numbers are asked for; kInit: number 1 of a new namespace
  int refused = 0;  // with this errno, by its arguments or circumstances
  const Circumstance* when = nullptr;
  u64 tls = 0x1000;
  unsigned long pidfd = kPidfd;
  int first_tid = 5000;  // 0: the caller's own, as its outermost number
};

inline constexpr u64 kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
inline constexpr u64 kPthread = kThread | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

// User memory of current; must be there.
void write_user(unsigned long at, const void* p, size_t n);
void read_user(void* p, unsigned long at, size_t n);
template <class T>
void poke(unsigned long at, const T& v) {
  write_user(at, &v, sizeof v);
}
template <class T>
T peek(unsigned long at) {
  T v{};
  read_user(&v, at, sizeof v);
  return v;
}

// A process's memory, files and right to fork.
class Health {
 public:
  Health();
  const char* broken() const;  // null: all is well

 private:
  bool pipe_works() const;
  int pipe_in_, pipe_out_;
};

class ForkAction final : public FaultAction {
 public:
  explicit ForkAction(const ForkCase& c, int cgroup_fd = -1) : c_(c), cgroup_fd_(cgroup_fd) {}
  long run() override;
  void undo(long result) override;
  bool may_answer(const FaultVisit& failed, long result) override { return fork_may_answer(failed, result); }
  const char* broken() override { return health_.broken(); }
  int refusal() override { return c_.refused; }
  void arrange() override {
    if (c_.when) c_.when->arrange();
  }
  void rearrange() override {
    if (c_.when) c_.when->rearrange();
  }

 private:
  long clone3() const;

  const ForkCase& c_;
  int cgroup_fd_;
  Health health_;
};

}  // namespace faults
