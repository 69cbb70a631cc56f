// /proc/sys/kernel/sched_* and /proc/PID/sched, as a real 6.1 answers. Spec 30 sections 8, 14; 32 sections 2, 3.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/errno.h>
#include <uapi/linux/sched.h>

#include "fs/vfs/vfs.hh"
#include "kernel/sched/knobs.hh"
#include "kernel/sched/params.hh"
#include "test/cgroup/helpers.hh"
#include "test/hosted/cgroup_programs.hh"

namespace {

using program::read_text;
using program::write_text;

constexpr const char* kSlice = "/proc/sys/kernel/sched_rr_timeslice_ms";
constexpr const char* kPeriod = "/proc/sys/kernel/sched_rt_period_us";
constexpr const char* kRuntime = "/proc/sys/kernel/sched_rt_runtime_us";

bool mount_proc() { return init_mkdir("/proc", 0755).has_value() | do_mount("proc", "/proc", "proc", 0, nullptr).has_value(); }

// A case that is one program, with /proc.
#define PROC_CASE(name)                                        \
  long name##_program(unsigned long);                          \
  void name(kunit* test) {                                     \
    KUNIT_ASSERT_TRUE(test, mount_proc());                     \
    KUNIT_EXPECT_EQ(test, user::run_process(name##_program), 0); \
  }                                                            \
  long name##_program(unsigned long)

// spec 32 R-7: 0 and below restore the default
PROC_CASE(the_slice_of_round_robin) {
  MUST(read_text(kSlice) == "100\n");
  MUST(write_text(kSlice, "50") == 0);
  MUST(read_text(kSlice) == "50\n");
  MUST(write_text(kSlice, "0") == 0);
  MUST(read_text(kSlice) == "100\n");
  MUST(write_text(kSlice, "-1") == 0);
  MUST(read_text(kSlice) == "100\n");
  MUST(write_text(kSlice, "x") == -EINVAL);
  return 0;
}

// spec 32 section 3, R-11
PROC_CASE(the_share_of_real_time) {
  MUST(read_text(kPeriod) == "1000000\n");
  MUST(read_text(kRuntime) == "950000\n");
  MUST(write_text(kRuntime, "0") == 0);
  MUST(read_text(kRuntime) == "0\n");
  MUST(write_text(kRuntime, "-1") == 0);
  MUST(write_text(kRuntime, "2000000") == -EINVAL);
  MUST(write_text(kRuntime, "-2") == -EINVAL);
  MUST(read_text(kRuntime) == "-1\n");
  MUST(write_text(kRuntime, "950000") == 0);
  MUST(write_text(kPeriod, "0") == -EINVAL);
  MUST(write_text(kPeriod, "-1") == -EINVAL);
  MUST(write_text(kPeriod, "500000") == -EINVAL);
  MUST(read_text(kPeriod) == "1000000\n");
  MUST(write_text(kPeriod, "2000000") == 0);
  MUST(cpu_rq(0)->rt_bandwidth.period == u64{2'000'000'000});
  MUST(cpu_rq(0)->rt_bandwidth.runtime == u64{950'000'000});
  return 0;
}

// spec 32 section 3, D-4: not below what deadline tasks were promised; both values stay
void admitted_bandwidth_is_not_taken_back(kunit* test) {
  SchedRequest q{.policy = SCHED_DEADLINE, .runtime = 50'000'000, .deadline = 100'000'000};
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(current, q, SchedCaller::Kernel).has_value());
  const int cpus = static_cast<int>(cpumask_weight(cpu_active_mask));
  KUNIT_EXPECT_EQ(test, to_abi(set_sched_rt_limits({1'000'000, 500'000 / cpus - 1000})), -EBUSY);
  KUNIT_EXPECT_EQ(test, sched_rt_limits().runtime_us, 950'000);
  KUNIT_EXPECT_EQ(test, to_abi(set_sched_rt_limits({1'000'000, 500'000 / cpus + 1000})), 0);
  KUNIT_EXPECT_EQ(test, to_abi(set_sched_rt_limits({1'000'000, -1})), 0);
  KUNIT_ASSERT_TRUE(test, __sched_setscheduler(current, {}, SchedCaller::Kernel).has_value());
}

// spec 30 S-84
void a_tasks_figures(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_proc());
  char path[32];
  snprintf(path, sizeof(path), "/proc/%d/sched", current->pid);
  static char text[4096];
  auto f = filp_open(path, O_RDONLY, 0);
  KUNIT_ASSERT_TRUE(test, f.has_value());
  loff_t pos = 0;
  const long n = kernel_read(*f, text, sizeof(text) - 1, &pos);
  fput(*f);
  KUNIT_ASSERT_GT(test, n, 0l);
  text[n] = 0;
  char first[64];
  snprintf(first, sizeof(first), "%s (%d, #threads: 1)\n", current->comm, current->pid);
  KUNIT_EXPECT_EQ(test, strncmp(text, first, strlen(first)), 0);
  KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\n-------------------------------------------------------------------\nse.exec_start                                :"));
  KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nse.load.weight                               :              1048576\n"));
  KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\npolicy                                       :                    0\n"));
  KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\nprio                                         :                  120\n"));
}

kunit_case cases[] = {
    KUNIT_CASE(the_slice_of_round_robin), KUNIT_CASE(the_share_of_real_time), KUNIT_CASE(admitted_bandwidth_is_not_taken_back),
    KUNIT_CASE(a_tasks_figures), {},
};
kunit_suite suite = {.name = "sched_knobs", .test_cases = cases};
}  // namespace
kunit_test_suite(suite);
