// Who may look into whom, and which event a fork is: the parts of tracing that need no user program.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <uapi/linux/sched.h>
#include <uapi/linux/signal.h>

#include "kernel/cred/cred.hh"
#include "kernel/pid/pid.hh"
#include "kernel/ptrace/ptrace.hh"

namespace {

constexpr kernel_cap_t cap(int c) { return {1ull << c}; }

// current acts with other credentials until the end of the scope.
class Acting {
 public:
  Acting(unsigned uid, kernel_cap_t caps) : mine_(prepare_creds()) {
    mine_->uid = mine_->euid = mine_->suid = mine_->fsuid = {uid};
    mine_->cap_permitted = mine_->cap_effective = caps;
    old_ = override_creds(mine_);
  }
  ~Acting() {
    revert_creds(old_);
    put_cred(mine_);
  }
  Acting(const Acting&) = delete;

 private:
  struct cred* mine_;
  const struct cred* old_;
};

// ptrace(2), "Ptrace access mode checking".
void access_modes(kunit* test) {
  task_struct* kthreadd = find_get_task_by_vpid(2);
  KUNIT_ASSERT_TRUE(test, kthreadd != nullptr);
  KUNIT_EXPECT_TRUE(test, ptrace_may_access(kthreadd, PTRACE_MODE_ATTACH_REALCREDS));  // root and all capabilities
  KUNIT_EXPECT_FALSE(test, ptrace_may_access(kthreadd, PTRACE_MODE_READ));             // whose ids?
  {
    Acting as(1000, {0});
    KUNIT_EXPECT_FALSE(test, ptrace_may_access(kthreadd, PTRACE_MODE_READ_FSCREDS));
    KUNIT_EXPECT_TRUE(test, ptrace_may_access(current, PTRACE_MODE_ATTACH_REALCREDS));  // oneself, always
  }
  {
    Acting as(1000, cap(CAP_SYS_PTRACE));
    KUNIT_EXPECT_TRUE(test, ptrace_may_access(kthreadd, PTRACE_MODE_READ_FSCREDS));
  }
  {
    Acting as(0, {0});  // the same ids, but who is looked at can do more
    KUNIT_EXPECT_FALSE(test, ptrace_may_access(kthreadd, PTRACE_MODE_READ_FSCREDS));
  }
  put_task_struct(kthreadd);
}

void tracer_without_record(kunit* test) { KUNIT_EXPECT_TRUE(test, ptracer_capable(current, &init_user_ns)); }

// spec 20 section 10 step 2; F-98. Only the word that says what the tracer wants is looked at.
void events_of_forks(kunit* test) {
  struct Row {
    u64 flags;
    int exit_signal, event;
  };
  constexpr Row kRows[] = {
      {0, SIGCHLD, PTRACE_EVENT_FORK},
      {CLONE_VFORK, SIGCHLD, PTRACE_EVENT_VFORK},
      {CLONE_VFORK, 0, PTRACE_EVENT_VFORK},
      {0, SIGUSR1, PTRACE_EVENT_CLONE},
      {0, 0, PTRACE_EVENT_CLONE},
      {CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, PTRACE_EVENT_CLONE},
      {CLONE_UNTRACED, SIGCHLD, 0},
      {CLONE_UNTRACED | CLONE_VFORK, SIGCHLD, 0},
  };
  for (const Row& r : kRows) {
    KUNIT_EXPECT_EQ(test, ptrace_fork_event(r.flags, r.exit_signal), 0);  // untraced
    current->ptrace = PT_PTRACED | pt_options(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE);
    const int event = ptrace_fork_event(r.flags, r.exit_signal);
    current->ptrace = PT_PTRACED | pt_options(PTRACE_O_TRACEEXEC);
    const int unwanted = ptrace_fork_event(r.flags, r.exit_signal);
    current->ptrace = 0;
    KUNIT_EXPECT_EQ(test, event, r.event);
    KUNIT_EXPECT_EQ(test, unwanted, 0);
  }
}

kunit_case cases[] = {
    KUNIT_CASE(access_modes),
    KUNIT_CASE(tracer_without_record),
    KUNIT_CASE(events_of_forks),
    {},
};
kunit_suite suite = {.name = "ptrace_access", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
