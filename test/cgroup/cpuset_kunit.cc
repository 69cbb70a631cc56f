// The cpuset controller's files, and what they do to tasks. Texts and errnos as on a real 6.1; spec 30 S-66.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <uapi/linux/signal.h>

#include "kernel/cgroup/cpuset.hh"
#include "kernel/sched/sched.hh"
#include "kernel/signal/signal.hh"
#include "test/cgroup/helpers.hh"

namespace {

// Two CPUs at least, else nothing can be told apart.
bool two_cpus() { return cpumask_test_cpu(0, cpu_active_mask) && cpumask_test_cpu(1, cpu_active_mask); }

bool set_up(kunit* test) {
  KUNIT_EXPECT_TRUE(test, mount_cgroup2());
  KUNIT_EXPECT_EQ(test, cg_write("/cg/cgroup.subtree_control", "+cpuset"), 0l);
  KUNIT_EXPECT_EQ(test, cg_mkdir("/cg/a"), 0l);
  return two_cpus();
}
unsigned long mask_of(pid_t pid) {
  RcuReadGuard rcu;
  return find_task_by_vpid(pid)->cpus_mask.bits[0];
}

void files_and_their_defaults(kunit* test) {
  set_up(test);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cpuset.cpus"), "-2");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cpuset.mems.effective"), "0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cpuset.cpus"), "\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cpuset.mems"), "\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cpuset.mems.effective"), "0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cpuset.cpus.partition"), "member\n");
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), 0l);
  cg_settle();
}

void lists_are_checked(kunit* test) {
  set_up(test);
  constexpr const char* kCpus = "/cg/a/cpuset.cpus";
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "0"), 0l);
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, " 0,0 "), 0l);
  KUNIT_EXPECT_STREQ(test, cg_read(kCpus), "0\n");
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "x"), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "1-0"), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "0-"), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "0-9999"), long{-ERANGE});
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "9999"), long{-ERANGE});
  KUNIT_EXPECT_STREQ(test, cg_read(kCpus), "0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cpuset.cpus.effective"), "0\n");
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cpuset.mems", "0"), 0l);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cpuset.mems", "1"), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cpuset.mems", "5000"), long{-ERANGE});
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cpuset.mems"), "0\n");
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cpuset.cpus.partition", "member"), 0l);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cpuset.cpus.partition", "x"), long{-EINVAL});
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), 0l);
  cg_settle();
}

// spec 30 S-66: attach, changes of the set, and what sched_setaffinity is left
void tasks_follow_their_cpuset(kunit* test) {
  if (!set_up(test)) return;
  constexpr const char* kCpus = "/cg/a/cpuset.cpus";
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "1"), 0l);
  const pid_t pid = spawn_in("/cg/a/cgroup.procs");
  KUNIT_ASSERT_GT(test, pid, 0);
  KUNIT_EXPECT_EQ(test, mask_of(pid), 2ul);
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "\n"), long{-ENOSPC});
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "0-1"), 0l);
  KUNIT_EXPECT_EQ(test, mask_of(pid), 3ul);
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "0"), 0l);
  KUNIT_EXPECT_EQ(test, mask_of(pid), 1ul);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/cgroup.procs", pid), 0l);
  KUNIT_EXPECT_EQ(test, mask_of(pid), cpu_possible_mask->bits[0]);
  end(test, pid);
  KUNIT_EXPECT_EQ(test, cg_write(kCpus, "\n"), 0l);
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), 0l);
  cg_settle();
}

void a_child_has_what_its_parent_leaves_it(kunit* test) {
  if (!set_up(test)) return;
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.subtree_control", "+cpuset"), 0l);
  KUNIT_EXPECT_EQ(test, cg_mkdir("/cg/a/b"), 0l);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cpuset.cpus", "0"), 0l);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/b/cpuset.cpus.effective"), "0\n");
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/b/cpuset.cpus", "1"), 0l);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/b/cpuset.cpus"), "1\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/b/cpuset.cpus.effective"), "0\n");
  const pid_t pid = spawn_in("/cg/a/b/cgroup.procs");
  KUNIT_EXPECT_EQ(test, mask_of(pid), 1ul);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cpuset.cpus", "0-1"), 0l);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/b/cpuset.cpus.effective"), "1\n");
  KUNIT_EXPECT_EQ(test, mask_of(pid), 2ul);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cpuset.cpus", "0"), 0l);
  KUNIT_EXPECT_EQ(test, mask_of(pid), 1ul);
  end(test, pid);
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a/b"), 0l);
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), 0l);
  cg_settle();
}

// Enabling the controller is no change; disabling it gives back what the parent has.
void enabling_keeps_an_affinity_of_ones_own(kunit* test) {
  if (!set_up(test)) return;
  const pid_t pid = spawn_in("/cg/a/cgroup.procs");
  {
    const cpumask_t one = {{1}};
    task_struct* t = find_get_task_by_vpid(pid);
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(t, &one).has_value());
    put_task_struct(t);
  }
  KUNIT_EXPECT_EQ(test, cg_write("/cg/cgroup.subtree_control", "-cpuset"), 0l);
  KUNIT_EXPECT_EQ(test, mask_of(pid), 1ul);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/cgroup.subtree_control", "+cpuset"), 0l);
  KUNIT_EXPECT_EQ(test, mask_of(pid), 1ul);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cpuset.cpus", "1"), 0l);
  KUNIT_EXPECT_EQ(test, mask_of(pid), 2ul);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/cgroup.subtree_control", "-cpuset"), 0l);
  KUNIT_EXPECT_EQ(test, mask_of(pid), cpu_possible_mask->bits[0]);
  end(test, pid);
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), 0l);
  cg_settle();
}

kunit_case cases[] = {
    KUNIT_CASE(files_and_their_defaults),
    KUNIT_CASE(lists_are_checked),
    KUNIT_CASE(tasks_follow_their_cpuset),
    KUNIT_CASE(a_child_has_what_its_parent_leaves_it),
    KUNIT_CASE(enabling_keeps_an_affinity_of_ones_own),
    {},
};
kunit_suite suite = {.name = "cpuset", .exit = unmount_cgroup2, .test_cases = cases};
}  // namespace
kunit_test_suite(suite);
