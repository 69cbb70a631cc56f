// The interface files, the hierarchy and its rules. cgroups(7); errnos and texts as a real 6.1 gave them (docs/spec-notes.md).
// SPDX-License-Identifier: Apache-2.0
#include "test/cgroup/helpers.hh"

namespace {

void what_is_there(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cgroup.controllers"), "cpuset cpu pids\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cgroup.subtree_control"), "");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cgroup.stat"), "nr_descendants 0\nnr_dying_descendants 0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cgroup.max.depth"), "max\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cgroup.type"), "-2");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cgroup.events"), "-2");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/pids.max"), "-2");
  KUNIT_ASSERT_EQ(test, cg_mkdir("/cg/a"), 0);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.type"), "domain\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.controllers"), "");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.events"), "populated 0\nfrozen 0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.freeze"), "0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.procs"), "");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.kill"), "-22");
  KUNIT_EXPECT_EQ(test, cg_mkdir("/cg/a"), -EEXIST);
  KUNIT_EXPECT_EQ(test, cg_mkdir("/cg/n\nl"), -EINVAL);
  KUNIT_EXPECT_EQ(test, to_abi(init_rename("/cg/a", "/cg/b")), -EPERM);
  KUNIT_EXPECT_EQ(test, to_abi(init_unlink("/cg/a/cgroup.procs")), -EPERM);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cgroup.stat"), "nr_descendants 1\nnr_dying_descendants 0\n");
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), 0);
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), -ENOENT);
}

void limits(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_mkdir("/cg/a");
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.max.depth", "0"), 0);
  KUNIT_EXPECT_EQ(test, cg_mkdir("/cg/a/x"), -EAGAIN);
  cg_write("/cg/a/cgroup.max.depth", "max");
  cg_write("/cg/a/cgroup.max.descendants", "0");
  KUNIT_EXPECT_EQ(test, cg_mkdir("/cg/a/x"), -EAGAIN);
  const char* file = "/cg/a/cgroup.max.descendants";
  KUNIT_EXPECT_EQ(test, cg_write(file, "-1"), -ERANGE);
  KUNIT_EXPECT_EQ(test, cg_write(file, "x"), -EINVAL);
  KUNIT_EXPECT_EQ(test, cg_write(file, "5000000000"), -ERANGE);
  KUNIT_EXPECT_EQ(test, cg_write(file, " 0x10\n"), 0);
  KUNIT_EXPECT_STREQ(test, cg_read(file), "16\n");
  KUNIT_EXPECT_EQ(test, cg_write(file, "2147483647"), 0);
  KUNIT_EXPECT_STREQ(test, cg_read(file), "max\n");
  KUNIT_EXPECT_EQ(test, cg_mkdir("/cg/a/x"), 0);
}

void subtree_control(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_mkdir("/cg/a");
  const char* root = "/cg/cgroup.subtree_control";
  KUNIT_EXPECT_EQ(test, cg_write(root, "+nonsense"), -EINVAL);
  KUNIT_EXPECT_EQ(test, cg_write(root, "pids"), -EINVAL);
  KUNIT_EXPECT_EQ(test, cg_write(root, "+pids -pids"), 0);
  KUNIT_EXPECT_STREQ(test, cg_read(root), "");
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.subtree_control", "+pids"), -ENOENT);
  KUNIT_EXPECT_EQ(test, cg_write(root, "+pids"), 0);
  KUNIT_EXPECT_STREQ(test, cg_read(root), "pids\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.controllers"), "pids\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.max"), "max\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.current"), "0\n");
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.subtree_control", "+pids"), 0);
  KUNIT_EXPECT_EQ(test, cg_write(root, "-pids"), -EBUSY);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.subtree_control", "-pids"), 0);
  KUNIT_EXPECT_EQ(test, cg_write(root, "-pids"), 0);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.max"), "-2");
  cg_mkdir("/cg/a/pids.max");  // a name that the controller wants
  KUNIT_EXPECT_EQ(test, cg_write(root, "+pids"), -EEXIST);
  KUNIT_EXPECT_STREQ(test, cg_read(root), "");
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a/pids.max"), 0);  // still to be found
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), 0);
}

void pids_files(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_mkdir("/cg/a");
  cg_write("/cg/cgroup.subtree_control", "+pids");
  struct Row {
    const char* text;
    long result;
    const char* shown;
  };
  for (Row r : {Row{"0", 0, "0\n"}, Row{"-1", -EINVAL, "0\n"}, Row{"4194304", 0, "4194304\n"}, Row{"4194305", -EINVAL, "4194304\n"},
                Row{"99999999999999999999", -ERANGE, "4194304\n"}, Row{"x", -EINVAL, "4194304\n"}, Row{"", 0, "4194304\n"},
                Row{" 7 \n", 0, "7\n"}, Row{"010", 0, "8\n"}, Row{"max", 0, "max\n"}}) {
    KUNIT_EXPECT_EQ(test, cg_write("/cg/a/pids.max", r.text), r.result);
    KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.max"), r.shown);
  }
}

void moving(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_mkdir("/cg/a");
  cg_write("/cg/cgroup.subtree_control", "+pids");
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.procs", "999999"), -ESRCH);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.procs", "-1"), -EINVAL);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.procs", "x"), -EINVAL);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.procs", "2"), -EINVAL);  // kthreadd
  const pid_t pid = spawn_in("/cg/a/cgroup.procs");
  KUNIT_ASSERT_GT(test, pid, 0);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.events"), "populated 1\nfrozen 0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.current"), "1\n");
  char nr[16];
  snprintf(nr, sizeof(nr), "%d\n", pid);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.procs"), nr);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.threads"), nr);
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), -EBUSY);
  send(pid, SIGKILL);
  KUNIT_EXPECT_EQ(test, wait_for(pid, WEXITED | WNOWAIT).result, pid);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.events"), "populated 0\nfrozen 0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.current"), "1\n");  // a zombie is still charged
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cgroup.procs"), "");
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), 0);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cgroup.stat"), "nr_descendants 0\nnr_dying_descendants 1\n");
  wait_for(pid);
}

// A fork in a cgroup at its limit; the limit of one above counts, and the event is where the task is.
int forks_once(void*) {
  pid_t pid = user_mode_thread(obey_signals, nullptr, SIGCHLD);
  if (pid < 0) return exited(-pid);
  send(pid, SIGKILL);
  wait_for(pid);
  return 0;
}
int joins_and_forks(void* procs) {
  if (long r = cg_write(static_cast<const char*>(procs), "0")) return exited(static_cast<int>(-r));
  return forks_once(nullptr);
}
int forks_in(const char* procs) { return wait_for(spawn(joins_and_forks, const_cast<char*>(procs))).event.status; }

void pids_limit(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_mkdir("/cg/a");
  cg_write("/cg/cgroup.subtree_control", "+pids");
  cg_write("/cg/a/cgroup.subtree_control", "+pids");
  cg_mkdir("/cg/a/b");
  cg_write("/cg/a/b/pids.max", "10");
  KUNIT_EXPECT_EQ(test, forks_in("/cg/a/b/cgroup.procs"), 0);
  cg_write("/cg/a/pids.max", "1");
  KUNIT_EXPECT_EQ(test, forks_in("/cg/a/b/cgroup.procs"), exited(EAGAIN));
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.events"), "max 0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/b/pids.events"), "max 1\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.current"), "0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/pids.peak"), "2\n");
}

// cpu.*: spec 31 F-47, F-50, F-52; texts of a real 6.1.
struct Row {
  const char *file, *text;
  long result;
  const char *shown_in, *shown;
};
constexpr const char *kWeight = "/cg/a/cpu.weight", *kNice = "/cg/a/cpu.weight.nice", *kIdle = "/cg/a/cpu.idle", *kMax = "/cg/a/cpu.max",
                     *kBurst = "/cg/a/cpu.max.burst";
void cpu_files(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_mkdir("/cg/a");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cpu.stat"), "usage_usec 0\nuser_usec 0\nsystem_usec 0\n");
  KUNIT_ASSERT_EQ(test, cg_write("/cg/cgroup.subtree_control", "+cpu"), 0);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/a/cpu.stat"),
                     "usage_usec 0\nuser_usec 0\nsystem_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\nnr_bursts 0\n"
                     "burst_usec 0\n");
  const Row rows[] = {
      {kWeight, "0", -ERANGE, kWeight, "100\n"},      {kWeight, "1", 0, kNice, "19\n"},
      {kWeight, "10000", 0, kWeight, "10000\n"},      {kWeight, "10001", -ERANGE, kNice, "-20\n"},
      {kWeight, "x", -EINVAL, kWeight, "10000\n"},    {kWeight, "-1", -EINVAL, kWeight, "10000\n"},
      {kNice, "5", 0, kWeight, "33\n"},               {kNice, "-20", 0, kWeight, "8668\n"},
      {kNice, "19", 0, kWeight, "1\n"},               {kNice, "20", -ERANGE, kNice, "19\n"},
      {kWeight, "333", 0, kWeight, "333\n"},          {kIdle, "1", 0, kWeight, "0\n"},
      {kWeight, "100", -EINVAL, kNice, "19\n"},       {kNice, "0", -EINVAL, kIdle, "1\n"},
      {kIdle, "2", -EINVAL, kIdle, "1\n"},            {kIdle, "-1", -EINVAL, kIdle, "1\n"},
      {kIdle, "0", 0, kWeight, "100\n"},              {kMax, "50000", 0, kMax, "50000 100000\n"},
      {kMax, "50000 200000", 0, kMax, "50000 200000\n"}, {kMax, "max 50000", 0, kMax, "max 50000\n"},
      {kMax, "max", 0, kMax, "max 50000\n"},          {kMax, "999", -EINVAL, kMax, "max 50000\n"},
      {kMax, "1000", 0, kMax, "1000 50000\n"},        {kMax, "1000 999", -EINVAL, kMax, "1000 50000\n"},
      {kMax, "1000 1000001", -EINVAL, kMax, "1000 50000\n"}, {kMax, "-5", -EINVAL, kMax, "1000 50000\n"},
      {kMax, "5000 x", 0, kMax, "5000 50000\n"},      {kMax, "5000 20000 7", 0, kMax, "5000 20000\n"},
      {kMax, "99999999999999999", -EINVAL, kMax, "5000 20000\n"}, {kMax, "10000 100000", 0, kMax, "10000 100000\n"},
      {kBurst, "10000", 0, kBurst, "10000\n"},        {kBurst, "10001", -EINVAL, kBurst, "10000\n"},
      {kMax, "5000", -EINVAL, kMax, "10000 100000\n"}, {kBurst, "0", 0, kBurst, "0\n"},
  };
  for (const Row& r : rows) {
    KUNIT_EXPECT_EQ(test, cg_write(r.file, r.text), r.result);
    KUNIT_EXPECT_STREQ(test, cg_read(r.shown_in), r.shown);
  }
}

// spec 30 S-54: a child runs in its cgroup's group from the start; cgroup by cgroup the group changes, and ends with it.
int naps(void*) {
  schedule_timeout_uninterruptible(20);
  return 0;
}
void cpu_groups(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  cg_mkdir("/cg/a");
  cg_write("/cg/cgroup.subtree_control", "+cpu");
  pid_t pid = spawn(naps);
  KUNIT_EXPECT_PTR_EQ(test, TaskRef(pid)->sched_task_group, static_cast<task_group*>(nullptr));
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/cgroup.procs", pid), 0);
  task_group* a = TaskRef(pid)->sched_task_group;
  KUNIT_EXPECT_NOT_NULL(test, a);
  cg_mkdir("/cg/a/b");  // no group of its own
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/b/cgroup.procs", pid), 0);
  KUNIT_EXPECT_PTR_EQ(test, TaskRef(pid)->sched_task_group, a);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.subtree_control", "+cpu"), 0);
  KUNIT_EXPECT_PTR_NE(test, TaskRef(pid)->sched_task_group, a);
  KUNIT_EXPECT_EQ(test, cg_write("/cg/a/cgroup.subtree_control", "-cpu"), 0);
  KUNIT_EXPECT_PTR_EQ(test, TaskRef(pid)->sched_task_group, a);
  KUNIT_EXPECT_EQ(test, wait_for(pid).result, pid);
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a/b"), 0);
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/a"), 0);
}

kunit_case cases[] = {KUNIT_CASE(what_is_there), KUNIT_CASE(limits), KUNIT_CASE(subtree_control), KUNIT_CASE(pids_files),
                      KUNIT_CASE(moving), KUNIT_CASE(pids_limit), KUNIT_CASE(cpu_files), KUNIT_CASE(cpu_groups), {}};
kunit_suite suite = {.name = "cgroup_files", .exit = unmount_cgroup2, .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
