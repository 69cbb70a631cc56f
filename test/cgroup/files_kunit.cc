// The interface files, the hierarchy and its rules. cgroups(7); errnos and texts as a real 6.1 gave them (docs/spec-notes.md).
// SPDX-License-Identifier: Apache-2.0
#include "test/cgroup/helpers.hh"

namespace {

void what_is_there(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/cgroup.controllers"), "pids\n");
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

kunit_case cases[] = {KUNIT_CASE(what_is_there), KUNIT_CASE(limits), KUNIT_CASE(subtree_control), KUNIT_CASE(pids_files),
                      KUNIT_CASE(moving), KUNIT_CASE(pids_limit), {}};
kunit_suite suite = {.name = "cgroup_files", .test_cases = cases};
kunit_test_suite(suite);

}  // namespace
