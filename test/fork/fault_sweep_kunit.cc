// Fork with each acquisition made to fail in turn: the right errno, and nothing left. Spec 20 F-50, F-51.
// SPDX-License-Identifier: Apache-2.0
#include "test/fork/helpers.hh"

#include <linux/delay.h>
#include <linux/rcupdate.h>

#include "fs/vfs/vfs.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/fault_inject.hh"
#include "kernel/fork/copy_process.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "kernel/pid/pid_namespace.hh"

namespace {

// All counts that a fork touches.
struct Counts {
  unsigned pids;
  int threads, cred, files, fs, namespaces;
  long processes;
  unsigned sighand, signal;
  bool operator==(const Counts&) const = default;
};
Counts counts() {
  return {init_pid_ns.pid_allocated,
          nr_threads,
          atomic_read(&current->cred->usage),
          atomic_read(&current->files->count),
          current->fs->users,
          static_cast<int>(refcount_read(&current->nsproxy->count)),
          get_rlimit_value(current->cred->ucounts, UCOUNT_RLIMIT_NPROC),
          refcount_read(&current->sighand->count),
          refcount_read(&current->signal->sigcnt)};
}

int ends(void*) { return 0; }

// A dead task's references go with its last switch and a grace period.
void let_the_dead_go() {
  msleep(2);
  rcu_barrier();
}

struct Sweep {
  const char* what;
  u64 flags;
  bool kthread;
};
const Sweep kSweeps[] = {
    {"process", CLONE_VM, false},
    {"process that shares files", CLONE_VM | CLONE_FS | CLONE_FILES, false},
    {"process that shares handlers", CLONE_VM | CLONE_SIGHAND, false},
    {"kernel thread", CLONE_VM | CLONE_FS | CLONE_FILES, true},
};
void describe(const Sweep* s, char* desc) { strscpy(desc, s->what, KUNIT_PARAM_DESC_SIZE); }
KUNIT_ARRAY_PARAM(sweeps, kSweeps, describe);

void sweep(kunit* test) {
  auto* s = static_cast<const Sweep*>(test->param_value);
  become_parent();
  wait_for(spawn(ends));  // caches are warm, as far as they ever are
  let_the_dead_go();
  const kernel_clone_args args{.flags = s->flags, .exit_signal = SIGCHLD, .kthread = s->kthread, .fn = ends};
  const Counts before = counts();
  long n = 1;
  for (;; n++) {
    KUNIT_ASSERT_LT(test, n, 100l);
    Result<task_struct*> child = fail(EINVAL);
    bool fired;
    {
      FaultInjection inject(current, n);
      child = copy_process(args);
      fired = inject.fired();
    }
    if (child) {
      wake_up_new_task(*child);
      KUNIT_EXPECT_GT(test, wait_for(-1).result, 0);
      let_the_dead_go();
    } else {
      const int e = child.error().code();
      KUNIT_EXPECT_TRUE_MSG(test, e == ENOMEM || e == EAGAIN, "acquisition %ld: errno %d", n, e);
      KUNIT_EXPECT_TRUE(test, fired);
    }
    KUNIT_EXPECT_TRUE_MSG(test, counts() == before, "after failure of acquisition %ld", n);
    KUNIT_EXPECT_EQ(test, wait_for(-1, WEXITED | WNOHANG).result, -ECHILD);
    if (child && !fired) break;
  }
  KUNIT_EXPECT_GT(test, n, 4l);
  kunit_info(test, "%s: %ld acquisitions", s->what, n - 1);
}

// Numbers are not lost either: after all those failures the next fork still works and gets the next number.
void numbers_survive_failures(kunit* test) {
  become_parent();
  pid_t first = spawn(ends);
  wait_for(first);
  for (long n = 1; n < 40; n++) {
    FaultInjection inject(current, n);
    auto child = copy_process({.flags = CLONE_VM, .exit_signal = SIGCHLD, .fn = ends});
    if (!child) continue;
    wake_up_new_task(*child);
    wait_for(-1);
    if (!inject.fired()) break;
  }
  KUNIT_EXPECT_EQ(test, wait_for(spawn(ends)).event.status, 0);
}

// Checks come before anything is acquired.
void checks_acquire_nothing(kunit* test) {
  FaultInjection count(current, 0);
  KUNIT_EXPECT_EQ(test, copy_process({.flags = CLONE_THREAD}).error().code(), EINVAL);
  KUNIT_EXPECT_EQ(test, count.seen(), 0l);
}

kunit_case cases[] = {
    KUNIT_CASE_PARAM(sweep, sweeps_gen_params), KUNIT_CASE(numbers_survive_failures), KUNIT_CASE(checks_acquire_nothing), {},
};
kunit_suite suite = {.name = "fork_faults", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
