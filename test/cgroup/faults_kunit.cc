// Each acquisition of mkdir, of a migration, of enabling a controller, of a fork into a cgroup and of a namespace fails in turn: the
// right errno, and nothing left. Spec 20 F-50, F-51, 12.10.
// SPDX-License-Identifier: Apache-2.0
#include <linux/rcupdate.h>

#include "kernel/cgroup/internal.hh"
#include "kernel/fault_inject.hh"
#include "kernel/nsproxy/nsproxy.hh"
#include "test/cgroup/helpers.hh"

namespace {

struct Counts {
  long cgroups, csses, sets, tasks;
  unsigned control;
  bool operator==(const Counts&) const = default;
};
Counts counts() {
  cg_settle();
  return {atomic_long_read(&cgroups->nr_cgroups), atomic_long_read(&cgroups->nr_csses), atomic_long_read(&cgroups->nr_sets),
          init_css_set.nr_tasks, cgroup_root()->subtree_control};
}

// attempt() until no acquisition of it is left to fail. It undoes what succeeded by itself.
template <class Try, class Undo>
void sweep(kunit* test, const char* what, Try&& attempt, Undo&& undo) {
  const Counts before = counts();
  for (long n = 1;; n++) {
    KUNIT_ASSERT_LT(test, n, 400l);
    long error;
    bool fired;
    {
      FaultInjection inject(current, n);
      error = attempt();
      fired = inject.fired();
    }
    if (!error) undo();
    KUNIT_EXPECT_TRUE_MSG(test, !error || error == -ENOMEM || error == -EAGAIN || error == -ENOSPC || error == -EINTR || error == -EFAULT ||
                                    error == -ENFILE || error == -ERESTARTNOINTR,
                          "%s, acquisition %ld: %ld", what, n, error);
    const Counts c = counts();
    KUNIT_EXPECT_TRUE_MSG(test, c == before, "%s, acquisition %ld: %ld; %ld %ld %ld %ld %x, were %ld %ld %ld %ld %x", what, n, error,
                          c.cgroups, c.csses, c.sets, c.tasks, c.control, before.cgroups, before.csses, before.sets, before.tasks, before.control);
    if (fired) continue;
    KUNIT_EXPECT_EQ(test, error, 0l);
    kunit_info(test, "%s: %ld acquisitions", what, n - 1);
    return;
  }
}

void mkdir_fails(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_write("/cg/cgroup.subtree_control", "+pids +cpu");
  sweep(test, "mkdir", [] { return cg_mkdir("/cg/a"); }, [] { cg_rmdir("/cg/a"); });
}

void enabling_fails(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_mkdir("/cg/a");
  cg_mkdir("/cg/b");
  const pid_t pid = spawn_in("/cg/a/cgroup.procs");
  sweep(
      test, "subtree_control", [] { return cg_write("/cg/cgroup.subtree_control", "+pids +cpu"); },
      [] { cg_write("/cg/cgroup.subtree_control", "-pids -cpu"); });
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.controllers"), "");
  end(test, pid);
}

void moving_fails(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_write("/cg/cgroup.subtree_control", "+pids");
  cg_mkdir("/cg/a");
  const pid_t pid = spawn(obey_signals);
  sweep(
      test, "cgroup.procs", [pid] { return cg_write_nr("/cg/a/cgroup.procs", pid); },
      [pid] { cg_write_nr("/cg/cgroup.procs", pid); });
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.current"), "0\n");
  end(test, pid);
}

int ends(void*) { return 0; }
void clone_into_fails(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_write("/cg/cgroup.subtree_control", "+pids");
  cg_mkdir("/cg/a");
  auto dir = filp_open("/cg/a", O_RDONLY, 0);
  KUNIT_ASSERT_TRUE(test, dir.has_value());
  auto fd = receive_fd(*dir, 0);
  fput(*dir);
  KUNIT_ASSERT_TRUE(test, fd.has_value());
  become_parent();
  auto attempt = [&] {
    auto r = kernel_clone({.flags = CLONE_VM | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = *fd, .fn = ends});
    return r ? 0 : r.error().neg();
  };
  sweep(test, "CLONE_INTO_CGROUP", attempt, [] {
    wait_for(-1);
    schedule_timeout_uninterruptible(2);
  });
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.current"), "0\n");
  KUNIT_EXPECT_EQ(test, close_fd(static_cast<unsigned>(*fd)), 0);
}

// A controller of the test's own: asked in the order of ids, and a refusal cancels those asked before.
int asked, cancelled, attached;
Result<cgroup_subsys_state*> test_alloc(cgroup_subsys_state*) {
  auto* css = static_cast<cgroup_subsys_state*>(kzalloc(sizeof(cgroup_subsys_state), GFP_KERNEL));
  return css ? Result<cgroup_subsys_state*>(css) : fail(ENOMEM);
}
void test_free(cgroup_subsys_state* css) { kfree(css); }
Result<void> refuse(cgroup_taskset* tset) {
  task_struct* t;
  cgroup_subsys_state* dst;
  cgroup_taskset_for_each(t, dst, tset) asked++;
  return fail(EPERM);
}
Result<void> refuse_fork(task_struct*, css_set* set) { return cgroup_parent(set->dfl_cgrp) ? fail(EXDEV) : Result<void>{}; }
const cftype kNoFiles[] = {{}};
cgroup_subsys refusing = {
    .id = test_cgrp_id, .name = "refusing", .threaded = false, .css_alloc = test_alloc, .css_free = test_free, .can_attach = refuse,
    .cancel_attach = [](cgroup_taskset*) { cancelled++; }, .attach = [](cgroup_taskset*) { attached++; }, .can_fork = refuse_fork,
    .files = kNoFiles};

void refusals(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  asked = cancelled = attached = 0;
  KUNIT_ASSERT_TRUE(test, cgroup_register_subsys(&refusing).has_value());
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cgroup.controllers"), "cpuset cpu pids refusing\n");
  KUNIT_EXPECT_EQ(test, cg_write("/cg/cgroup.subtree_control", "+pids +refusing"), 0);
  KUNIT_EXPECT_EQ(test, cg_mkdir("/cg/a"), 0);
  const pid_t pid = spawn(obey_signals);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/cgroup.procs", pid), -EPERM);
  KUNIT_EXPECT_EQ(test, asked, 1);
  KUNIT_EXPECT_EQ(test, cancelled, 0);  // it is itself the one that refused
  KUNIT_EXPECT_EQ(test, attached, 0);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.current"), "0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.procs"), "");
  auto dir = filp_open("/cg/a", O_RDONLY, 0);
  auto fd = receive_fd(*dir, 0);
  fput(*dir);
  auto r = kernel_clone({.flags = CLONE_VM | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = *fd, .fn = ends});
  KUNIT_EXPECT_FALSE(test, r.has_value());
  if (!r) KUNIT_EXPECT_EQ(test, r.error().code(), EXDEV);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.current"), "0\n");
  close_fd(static_cast<unsigned>(*fd));
  // It is a domain controller: no tasks beside it, no threaded children below it (cgroups(7)).
  refusing.can_attach = nullptr;
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/cgroup.procs", pid), 0);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.subtree_control", "+refusing"), -EBUSY);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/cgroup.procs", pid), 0);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.subtree_control", "+refusing"), 0);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/cgroup.procs", pid), -EBUSY);
  KUNIT_EXPECT_EQ(test, cg_mkdir("/cg/a/t"), 0);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/t/cgroup.type", "threaded"), -EOPNOTSUPP);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.subtree_control", "-refusing"), 0);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/t/cgroup.type", "threaded"), 0);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.subtree_control", "+refusing"), -EOPNOTSUPP);
  end(test, pid);
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a/t"), 0);
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), 0);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/cgroup.subtree_control", "-refusing"), 0);
  refusing.can_attach = refuse;
  schedule_timeout_uninterruptible(2);
  counts();
  cgroup_unregister_subsys(&refusing);
}

kunit_case cases[] = {KUNIT_CASE(mkdir_fails), KUNIT_CASE(enabling_fails), KUNIT_CASE(moving_fails), KUNIT_CASE(clone_into_fails),
                      KUNIT_CASE(refusals), {}};
kunit_suite suite = {.name = "cgroup_faults", .exit = unmount_cgroup2, .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
