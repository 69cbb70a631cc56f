// Fork, in all its kinds, with each of its failable steps failing in turn: the right errno, and the parent as if nothing had been
// tried. Spec 20 F-50..F-55, section 11.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/string.h>

#include "fs/vfs/vfs.hh"
#include "kernel/fork/copy_process.hh"
#include "kernel/fork/new_task.hh"
#include "kernel/pid/pid.hh"
#include "kernel/pid/pid_namespace.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"
#include "test/faults/parent.hh"
#include "test/faults/sweep.hh"

extern "C" {
long sys_clone(const pt_regs*);
long sys_clone3(const pt_regs*);
long sys_fork(const pt_regs*);
long sys_pipe2(const pt_regs*);
long sys_unshare(const pt_regs*);
long sys_vfork(const pt_regs*);
}

namespace {

using namespace faults;

// ---- What each stage may answer (spec 20 section 11) -----------------------------------------------------------------------

struct StageRule {
  const char* id;
  int memory;        // where memory is short; 0: the stage takes none
  int others[4];     // where another step fails
};
// A stage whose row is all zeroes cannot fail.
const StageRule kStageRules[] = {
    {"S1", 0, {ERESTARTNOINTR}},
    {"S2", ENOMEM, {ENOMEM}},
    {"S4", ENOMEM, {ENOMEM}},
    {"S5", 0, {EAGAIN}},
    {"S7", 0, {}},
    {"S8", EAGAIN, {}},
    {"S10", 0, {EAGAIN}},
    {"S15", ENOMEM, {ENOMEM}},
    {"S16", ENOMEM, {ENOMEM}},
    {"S17", ENOMEM, {}},
    {"S18", ENOMEM, {}},
    {"S19", ENOMEM, {ENOMEM}},
    {"S20", ENOMEM, {ENOSPC}},
    {"S22", ENOMEM, {ENOMEM}},
    {"S23", ENOMEM, {EAGAIN, ENOMEM}},
    {"S24", ENOMEM, {EMFILE, ENFILE, ENOMEM, EFAULT}},
    {"S25", 0, {}},
    {"S26", ENOMEM, {EAGAIN}},
    {"S30", 0, {ENOMEM, EINTR}},
};
// Stages that have nothing to fail in this kernel as it stands.
const char* const kCannotFail[] = {"S7", "S20", "S25"};

const StageRule* rule_of(const char* stage) {
  for (const StageRule& r : kStageRules)
    if (stage && !strcmp(r.id, stage)) return &r;
  return nullptr;
}

bool is_memory(FailPoint p) { return p == FailPoint::Page || p == FailPoint::Slab || p == FailPoint::Vmalloc; }

bool allowed(const FaultVisit& failed, long result) {
  const StageRule* r = rule_of(failed.stage);
  if (!r) return false;
  if (is_memory(failed.point) && result == -r->memory) return true;
  if (is_memory(failed.point) && !strcmp(r->id, "S24") && result == -ENFILE) return true;  // no struct file
  if (is_memory(failed.point) && !failed.step) return false;
  for (int e : r->others)
    if (e && result == -e) return true;
  return false;
}

// ---- The scenarios ---------------------------------------------------------------------------------------------------------

enum class By : unsigned char { Clone3, Clone, Fork, Vfork, KernelThread, UserModeThread };
enum Parent : unsigned { kPlain = 0, kManyFiles = 1, kManyAreas = 2, kThreaded = 4, kNoSpareFd = 8 };

struct ForkCase {
  const char* name;
  u64 flags;
  By by = By::Clone3;
  unsigned parent = kPlain;
  int exit_signal = SIGCHLD;
  int set_tid = 0;  // numbers to ask for
};

constexpr u64 kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
constexpr u64 kPthread = kThread | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

const ForkCase kFlagsAlone[] = {
    {"nothing", 0},
    {"VM", CLONE_VM},
    {"FS", CLONE_FS},
    {"FILES", CLONE_FILES},
    {"VM|SIGHAND", CLONE_VM | CLONE_SIGHAND},
    {"PIDFD", CLONE_PIDFD},
    {"PTRACE", CLONE_PTRACE},
    {"VFORK", CLONE_VFORK},
    {"PARENT", CLONE_PARENT, By::Clone3, kPlain, 0},
    {"VM|SIGHAND|THREAD", CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, By::Clone3, kPlain, 0},
    {"SYSVSEM", CLONE_SYSVSEM},
    {"SETTLS", CLONE_SETTLS},
    {"PARENT_SETTID", CLONE_PARENT_SETTID},
    {"CHILD_CLEARTID", CLONE_CHILD_CLEARTID},
    {"DETACHED", CLONE_DETACHED, By::Clone},
    {"UNTRACED", CLONE_UNTRACED},
    {"CHILD_SETTID", CLONE_CHILD_SETTID},
    {"IO", CLONE_IO},
    {"CLEAR_SIGHAND", CLONE_CLEAR_SIGHAND},
};

const ForkCase kCombinations[] = {
    {"fork(2)", 0, By::Fork},
    {"vfork(2)", 0, By::Vfork},
    {"libc's fork", CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, By::Clone},
    {"pthread_create", kPthread, By::Clone, kPlain, 0},
    {"pthread_create by clone3", kPthread, By::Clone3, kPlain, 0},
    {"posix_spawn", CLONE_VM | CLONE_VFORK, By::Clone},
    {"posix_spawn by clone3", CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND},
    {"thread with its own files", CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD, By::Clone3, kPlain, 0},
    {"thread with its own directory", CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, By::Clone3, kPlain, 0},
    {"thread without SETTLS", kThread, By::Clone3, kPlain, 0},
    {"thread with CHILD_SETTID", kThread | CLONE_CHILD_SETTID, By::Clone3, kPlain, 0},
    {"second thread", kPthread, By::Clone, kThreaded, 0},
    {"fork of a threaded process", 0, By::Fork, kThreaded},
    {"vfork of a threaded process", 0, By::Vfork, kThreaded},
    {"LinuxThreads", CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND, By::Clone},
    {"files and directory", CLONE_FS | CLONE_FILES},
    {"files, directory and pidfd", CLONE_FS | CLONE_FILES | CLONE_PIDFD},
    {"memory and files", CLONE_VM | CLONE_FILES},
    {"memory and directory", CLONE_VM | CLONE_FS},
    {"memory and undo list", CLONE_VM | CLONE_SYSVSEM},
    {"memory, vfork, pidfd", CLONE_VM | CLONE_VFORK | CLONE_PIDFD},
    {"vfork without VM", CLONE_VFORK | CLONE_PIDFD},
    {"pidfd by clone", CLONE_PIDFD, By::Clone},
    {"pidfd, no handlers", CLONE_PIDFD | CLONE_CLEAR_SIGHAND},
    {"pidfd and both tids", CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID},
    {"sibling", CLONE_PARENT | CLONE_PIDFD, By::Clone3, kPlain, 0},
    {"sibling that shares memory", CLONE_PARENT | CLONE_VM | CLONE_FILES, By::Clone3, kPlain, 0},
    {"no exit signal", 0, By::Clone3, kPlain, 0},
    {"SIGURG at exit", 0, By::Clone3, kPlain, SIGURG},
    {"SIGURG at exit, pidfd", CLONE_PIDFD, By::Clone, kPlain, SIGURG},
    {"set_tid", 0, By::Clone3, kPlain, SIGCHLD, 1},
    {"set_tid and pidfd", CLONE_PIDFD, By::Clone3, kPlain, SIGCHLD, 1},
    {"thread with set_tid", kThread, By::Clone3, kPlain, 0, 1},
    {"200 files", 0, By::Clone3, kManyFiles},
    {"200 files, pidfd", CLONE_PIDFD, By::Clone3, kManyFiles},
    {"200 files shared, pidfd", CLONE_FILES | CLONE_PIDFD, By::Clone3, kManyFiles},
    {"pidfd for which the table must grow", CLONE_PIDFD, By::Clone3, kNoSpareFd},
    {"50 areas", 0, By::Clone3, kManyAreas},
    {"50 areas, vfork without VM", CLONE_VFORK, By::Clone3, kManyAreas},
    {"200 files, 50 areas, all there is", CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_CLEAR_SIGHAND,
     By::Clone3, kManyFiles | kManyAreas},
    {"200 files, 50 areas, a thread", kPthread, By::Clone3, kManyFiles | kManyAreas, 0},
};

const ForkCase kKernelCases[] = {
    {"kernel_thread", CLONE_FS | CLONE_FILES, By::KernelThread},
    {"kernel_thread with its own files", 0, By::KernelThread},
    {"kernel_thread with shared handlers", CLONE_FS | CLONE_FILES | CLONE_SIGHAND, By::KernelThread},
    {"user_mode_thread", 0, By::UserModeThread},
    {"user_mode_thread with shared files", CLONE_FS | CLONE_FILES, By::UserModeThread},
};

// ---- One scenario ------------------------------------------------------------------------------------------------------------

int kernel_child(void*) { return 0; }

void write_user(unsigned long at, const void* p, size_t n) { BUG_ON(copy_to_user(reinterpret_cast<void*>(at), p, n)); }
template <class T>
void poke(unsigned long at, const T& v) {
  write_user(at, &v, sizeof v);
}
template <class T>
T peek(unsigned long at) {
  T v{};
  BUG_ON(copy_from_user(&v, reinterpret_cast<void*>(at), sizeof v));
  return v;
}

class ForkAction final : public FaultAction {
 public:
  explicit ForkAction(const ForkCase& c) : c_(c) {
    BUG_ON(call(sys_pipe2, kFds, O_NONBLOCK));
    pipe_in_ = peek<int>(kFds), pipe_out_ = peek<int>(kFds + 4);
  }

  long run() override {
    children_end(c_.flags);
    poke(kPidfd, -1);
    switch (c_.by) {
      case By::Fork: return call(sys_fork);
      case By::Vfork: return call(sys_vfork);
      case By::Clone:
        return call(sys_clone, c_.flags | static_cast<unsigned>(c_.exit_signal), 0, c_.flags & CLONE_PIDFD ? kPidfd : kParentTid, kChildTid, 0x1000);
      case By::Clone3: return clone3();
      case By::KernelThread: return kernel_thread(kernel_child, nullptr, c_.flags | SIGCHLD);
      case By::UserModeThread: return user_mode_thread(kernel_child, nullptr, c_.flags | SIGCHLD);
    }
    return -ENOSYS;
  }

  void undo(long result) override {
    if (c_.flags & CLONE_THREAD) wait_until_alone_but(c_.parent & kThreaded ? 2 : 1);
    wait_until_gone(static_cast<pid_t>(result));
    if (c_.flags & CLONE_PIDFD)
      if (const int fd = peek<int>(kPidfd); fd >= 0) close_fd(static_cast<unsigned>(fd));
  }

  bool may_answer(const FaultVisit& failed, long result) override { return allowed(failed, result); }

  // The parent's memory, its files and its right to fork are what they were.
  const char* broken() override {
    if (peek<unsigned>(kPrivate) != kMagic) return "the parent's memory has changed";
    poke(kPrivate, kMagic);  // and can be written
    if (!pipe_works()) return "a pipe of the parent does not work";
    children_end(0);
    const long nr = call(sys_fork);
    if (nr < 0) return "the parent cannot fork any more";
    wait_until_gone(static_cast<pid_t>(nr));
    return nullptr;
  }

 private:
  long clone3() {
    clone_args a{};
    a.flags = c_.flags;
    a.exit_signal = static_cast<u64>(c_.exit_signal);
    a.pidfd = kPidfd, a.parent_tid = kParentTid, a.child_tid = kChildTid;
    if (c_.flags & CLONE_SETTLS) a.tls = 0x1000;
    if (c_.set_tid) {
      poke(kSetTid, free_number());
      a.set_tid = kSetTid, a.set_tid_size = static_cast<u64>(c_.set_tid);
    }
    poke(kCloneArgs, a);
    return call(sys_clone3, kCloneArgs, sizeof a);
  }

  static int free_number() {
    for (int nr = 5000;; nr++) {
      RcuReadGuard rcu;
      if (!find_vpid(nr)) return nr;
    }
  }

  void wait_until_alone_but(int threads) {
    while (READ_ONCE(current->signal->nr_threads) > threads) msleep(1);
  }

  bool pipe_works() {
    char byte = 'x';
    loff_t none = 0;
    write_user(kArgs + 0x800, &byte, 1);
    auto* user = reinterpret_cast<char*>(kArgs + 0x800);
    FileRef in(fget(static_cast<unsigned>(pipe_in_))), out(fget(static_cast<unsigned>(pipe_out_)));
    return out && in && vfs_write(out.get(), user, 1, &none) == 1 && vfs_read(in.get(), user, 1, &none) == 1;
  }

  const ForkCase& c_;
  int pipe_in_, pipe_out_;
};

struct Run {
  kunit* test;
  const ForkCase* one;
  Catalogue* catalogue;
  SweepResult result;
};

int sleeping_thread(void* stop) {
  wait_for_completion(static_cast<completion*>(stop));
  return 0;
}

// The parent is made what the scenario says, and swept.
int sweep_parent(void* p) {
  auto* run = static_cast<Run*>(p);
  const ForkCase& c = *run->one;
  completion stop;
  init_completion(&stop);
  if (c.parent & kManyAreas) KUNIT_EXPECT_EQ(run->test, map_many_areas(), 0l);
  if (c.parent & kManyFiles) KUNIT_EXPECT_EQ(run->test, open_many_files(), 0l);
  if (c.parent & kThreaded) KUNIT_EXPECT_GT(run->test, user_mode_thread(sleeping_thread, &stop, kThread), 0);
  {
    ForkAction action(c);
    if (c.parent & kNoSpareFd)
      while (f_dupfd(0, FileRef(fget(0)).get(), 0) < static_cast<int>(NR_OPEN_DEFAULT) - 1) {}
    run->result = sweep(run->test, c.name, action, run->catalogue);
  }
  complete_all(&stop);
  wait_until_alone();
  return 0;
}

void sweep_case(kunit* test, const ForkCase& c, Catalogue* catalogue) {
  Run run{test, &c, catalogue, {}};
  run_parent(test, sweep_parent, &run);
  kunit_info(test, "%s: %ld steps failed, %ld refused, %ld done without", c.name, run.result.steps, run.result.refused, run.result.survived);
  KUNIT_EXPECT_GT(test, run.result.steps, 4l);
}

template <size_t N>
void sweep_all(kunit* test, const ForkCase (&cases)[N]) {
  Catalogue catalogue;
  for (const ForkCase& c : cases) sweep_case(test, c, &catalogue);
  kunit_info(test, "visited %lu failure points, %u different steps", catalogue.visits(), catalogue.size());
}

void flags_alone(kunit* test) { sweep_all(test, kFlagsAlone); }
void combinations(kunit* test) { sweep_all(test, kCombinations); }
void kernel_threads(kunit* test) { sweep_all(test, kKernelCases); }

// ---- The catalogue -------------------------------------------------------------------------------------------------------------

int count_parent(void* p) {
  auto* run = static_cast<Run*>(p);
  const ForkCase& c = *run->one;
  if (c.parent & kManyAreas) map_many_areas();
  if (c.parent & kManyFiles) open_many_files();
  ForkAction action(c);
  for (int i = 0; i < 2; i++) {  // the second time with what the first has cached
    long result;
    {
      FaultInjection counting(current, 0, run->catalogue->observer());
      result = action.run();
    }
    KUNIT_EXPECT_GT(run->test, result, 0l);
    if (result > 0) action.undo(result);
  }
  return 0;
}

// Every stage of copy_process that can fail has a failable step, and these scenarios visit it. Spec 20 F-51.
void every_stage_has_a_failable_step(kunit* test) {
  Catalogue catalogue;
  auto count = [&](const ForkCase& c) {
    if (c.parent & kThreaded) return;
    Run run{test, &c, &catalogue, {}};
    run_parent(test, count_parent, &run);
  };
  for (const ForkCase& c : kFlagsAlone) count(c);
  for (const ForkCase& c : kCombinations) count(c);
  for (const ForkCase& c : kKernelCases) count(c);
  catalogue.print(test);
  kunit_info(test, "%u different failable steps, visited %lu times", catalogue.size(), catalogue.visits());
  auto check = [&](const char* id) {
    KUNIT_EXPECT_TRUE_MSG(test, rule_of(id), "stage %s is new: say what it may answer", id);
    for (const char* exempt : kCannotFail)
      if (!strcmp(exempt, id)) return;
    KUNIT_EXPECT_TRUE_MSG(test, catalogue.visited(id), "no failable step of stage %s was visited", id);
  };
  check("S1");
  for (const NewTask::Stage& s : NewTask::stages()) check(s.id);
  check("S30");
}

// Checks come before anything is acquired.
void checks_acquire_nothing(kunit* test) {
  FaultInjection count(current, 0);
  KUNIT_EXPECT_EQ(test, copy_process({.flags = CLONE_THREAD}).error().code(), EINVAL);
  KUNIT_EXPECT_EQ(test, count.seen(), 0l);
}

kunit_case cases[] = {
    KUNIT_CASE(flags_alone), KUNIT_CASE(combinations), KUNIT_CASE(kernel_threads), KUNIT_CASE(every_stage_has_a_failable_step),
    KUNIT_CASE(checks_acquire_nothing), {},
};
kunit_suite suite = {.name = "fork_sweep", .test_cases = cases, .world = {.cpus = 1, .memory_mb = 128}};
kunit_test_suite(suite);

}  // namespace
