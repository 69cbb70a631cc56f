// cpuset partitions: what the files say, whose the CPUs are, the scheduling and root domains, CPUs that go and come, deadline
// bandwidth. Texts and errnos as a real 6.1 has them (docs/spec-notes.md). cgroups(7); spec 31 10.1, 32 D-4.
// SPDX-License-Identifier: Apache-2.0
#include <uapi/linux/signal.h>

#include "kernel/cgroup/cpuset.hh"
#include "kernel/cpu/hotplug.hh"
#include "kernel/fault_inject.hh"
#include "kernel/sched/dl.hh"
#include "kernel/sched/params.hh"
#include "test/cgroup/helpers.hh"

namespace {

constexpr const char* kRoot = "/cg/cpuset.cpus.effective";
#define PART(d) "/cg/" d "/cpuset.cpus.partition"
#define CPUS(d) "/cg/" d "/cpuset.cpus"
#define EFF(d) "/cg/" d "/cpuset.cpus.effective"
#define OK(call) KUNIT_EXPECT_EQ(test, call, 0l)
#define SAYS(file, text) KUNIT_EXPECT_STREQ(test, cg_read(file), text "\n")

// Four CPUs, two cgroups.
#define SET_UP(test)                                                    \
  if (nr_cpu_ids != 4) kunit_skip(test, "not four CPUs");               \
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());                             \
  OK(cg_write("/cg/cgroup.subtree_control", "+cpuset"));                \
  OK(cg_mkdir("/cg/a"));                                                \
  OK(cg_mkdir("/cg/b"))

unsigned long span_of(unsigned cpu) {
  PreemptGuard no_preemption;
  const sched_domain* sd = lowest_domain(cpu);
  while (sd && sd->parent) sd = sd->parent;
  return sd ? sd->span : 0;
}
unsigned long mask_of(pid_t pid) { return TaskRef(pid)->cpus_mask.bits[0]; }
// CPUs that are in one root domain with that one.
void expect_domains(kunit* test, unsigned cpu, unsigned long balanced, unsigned long root) {
  KUNIT_EXPECT_EQ_MSG(test, span_of(cpu), balanced, "CPU %u", cpu);
  KUNIT_EXPECT_EQ_MSG(test, root_domain_of(cpu), root, "CPU %u", cpu);
}
void expect_whole(kunit* test) {
  for (unsigned cpu = 0; cpu < 4; cpu++) expect_domains(test, cpu, 0xf, 0xf);
}
void tear_down(kunit* test) {
  unmount_cgroup2(test);
  if (nr_cpu_ids == 4) expect_whole(test);
}

void what_the_files_say(kunit* test) {
  SET_UP(test);
  SAYS(PART("a"), "member");
  OK(cg_write(PART("a"), "root"));
  SAYS(PART("a"), "root invalid (cpuset.cpus is empty)");
  OK(cg_write(PART("a"), "isolated"));
  SAYS(PART("a"), "isolated invalid (cpuset.cpus is empty)");
  KUNIT_EXPECT_EQ(test, cg_write(PART("a"), "bogus"), long{-EINVAL});
  OK(cg_write(PART("a"), "member"));
  OK(cg_write(CPUS("a"), "2-3"));
  expect_whole(test);
  OK(cg_write(PART("a"), "root"));
  SAYS(PART("a"), "root");
  SAYS(EFF("a"), "2-3");
  SAYS(kRoot, "0-1");
  SAYS(EFF("b"), "0-1");
  expect_domains(test, 0, 3, 3);
  expect_domains(test, 3, 0xc, 0xc);
  OK(cg_write(CPUS("a"), "1-3"));
  SAYS(kRoot, "0");
  expect_domains(test, 0, 0, 1);
  expect_domains(test, 1, 0xe, 0xe);
  OK(cg_write(CPUS("a"), "2-3"));
}

// Another's CPUs are not exclusive; who ceased to be a partition for that does not become one again by itself.
void siblings(kunit* test) {
  SET_UP(test);
  OK(cg_write(CPUS("a"), "2-3"));
  OK(cg_write(PART("a"), "root"));
  OK(cg_write(CPUS("b"), "3"));
  SAYS(PART("a"), "root invalid (Cpu list in cpuset.cpus not exclusive)");
  expect_whole(test);
  OK(cg_write(CPUS("b"), "\n"));
  SAYS(PART("a"), "root invalid (Cpu list in cpuset.cpus not exclusive)");
  OK(cg_write(PART("a"), "root"));
  SAYS(PART("a"), "root invalid (Cpu list in cpuset.cpus not exclusive)");
  OK(cg_write(CPUS("b"), "0"));
  OK(cg_write(PART("b"), "root"));
  SAYS(PART("b"), "root");
  SAYS(kRoot, "1-3");
  OK(cg_write(CPUS("b"), "0-1"));
  SAYS(PART("b"), "root");
  SAYS(kRoot, "2-3");
  OK(cg_write(CPUS("b"), "0-2"));
  SAYS(PART("b"), "root invalid (Cpu list in cpuset.cpus not exclusive)");
  SAYS(kRoot, "0-3");
  OK(cg_write(CPUS("b"), "0"));
  SAYS(PART("b"), "root invalid (Cpu list in cpuset.cpus not exclusive)");
  OK(cg_write(PART("b"), "member"));
  OK(cg_write(PART("b"), "isolated"));
  SAYS(PART("b"), "isolated");
  expect_domains(test, 0, 0, 1);
  expect_domains(test, 1, 0xe, 0xe);
  OK(cg_write(PART("b"), "root"));
  SAYS(PART("b"), "root");
}

// spec 31 10.1: below one another, and what becomes of those below
void partitions_nest(kunit* test) {
  SET_UP(test);
  OK(cg_write(CPUS("a"), "0-3"));
  OK(cg_write(PART("a"), "root"));
  SAYS(PART("a"), "root invalid (Parent unable to distribute cpu downstream)");
  OK(cg_write(CPUS("a"), "2-3"));
  SAYS(PART("a"), "root");
  OK(cg_write("/cg/a/cgroup.subtree_control", "+cpuset"));
  OK(cg_mkdir("/cg/a/x"));
  OK(cg_write(CPUS("a/x"), "0"));
  OK(cg_write(PART("a/x"), "root"));
  SAYS(PART("a/x"), "root invalid (Invalid cpu list in cpuset.cpus)");
  OK(cg_write(PART("a/x"), "member"));
  OK(cg_write(CPUS("a/x"), "1-2"));
  OK(cg_write(PART("a/x"), "root"));
  SAYS(PART("a/x"), "root");
  SAYS(EFF("a/x"), "2");
  SAYS(EFF("a"), "3");
  OK(cg_write(CPUS("a/x"), "2"));
  OK(cg_write(PART("a/x"), "isolated"));
  SAYS(PART("a/x"), "isolated");
  OK(cg_write(CPUS("a"), "3"));
  SAYS(PART("a"), "root");
  SAYS(PART("a/x"), "isolated invalid (Parent unable to distribute cpu downstream)");
  SAYS(EFF("a/x"), "3");
  OK(cg_write(CPUS("a"), "2-3"));
  SAYS(PART("a/x"), "isolated");
  SAYS(EFF("a/x"), "2");
  OK(cg_write(PART("a"), "isolated"));
  SAYS(PART("a/x"), "isolated");
  OK(cg_write(PART("a"), "member"));
  SAYS(PART("a/x"), "isolated invalid (Parent is not a partition root)");
  expect_whole(test);
  OK(cg_write(PART("a"), "root"));
  SAYS(PART("a/x"), "isolated");
  OK(cg_write(CPUS("a"), "0-3"));
  SAYS(PART("a"), "root invalid (Parent unable to distribute cpu downstream)");
  SAYS(PART("a/x"), "isolated invalid (Parent is an invalid partition root)");
  OK(cg_write(CPUS("a"), "2-3"));
  SAYS(PART("a/x"), "isolated");
  // What goes gives back.
  OK(cg_rmdir("/cg/a/x"));
  SAYS(EFF("a"), "2-3");
  expect_domains(test, 2, 0xc, 0xc);
  OK(cg_rmdir("/cg/a"));
  expect_whole(test);
}

// spec 30 S-66: tasks of the root leave a partition's CPUs; who comes to it goes there
void tasks_follow(kunit* test) {
  SET_UP(test);
  const pid_t out = spawn(obey_signals), in = spawn_in("/cg/a/cgroup.procs");
  OK(cg_write(CPUS("a"), "2-3"));
  OK(cg_write(PART("a"), "root"));
  KUNIT_EXPECT_EQ(test, mask_of(out), 3ul);
  KUNIT_EXPECT_EQ(test, mask_of(in), 0xcul);
  KUNIT_EXPECT_EQ(test, mask_of(2) & 0xf, 3ul);  // kthreadd is of the root
  const pid_t later = spawn(obey_signals);
  KUNIT_EXPECT_EQ(test, mask_of(later), 3ul);
  cpumask_t allowed;
  cpuset_cpus_allowed(TaskRef(out).get(), &allowed);
  KUNIT_EXPECT_EQ(test, allowed.bits[0], 3ul);
  OK(cg_write_nr("/cg/a/cgroup.procs", later));
  KUNIT_EXPECT_EQ(test, mask_of(later), 0xcul);
  OK(cg_write_nr("/cg/cgroup.procs", later));
  KUNIT_EXPECT_EQ(test, mask_of(later), 3ul);
  OK(cg_write(PART("a"), "member"));
  KUNIT_EXPECT_EQ(test, mask_of(in), 0xcul);
  KUNIT_EXPECT_EQ(test, mask_of(out), 0xful);
  for (pid_t pid : {out, in, later}) end(test, pid);
}

// spec 31 10.1: a partition whose CPUs all go is none until one is back, unless nobody is in it
void cpus_go_and_come(kunit* test) {
  SET_UP(test);
  OK(cg_write(CPUS("a"), "2-3"));
  OK(cg_write(PART("a"), "root"));
  const pid_t in = spawn_in("/cg/a/cgroup.procs");
  auto down = [test](unsigned cpu) { KUNIT_EXPECT_TRUE(test, cpu_down(cpu).has_value()); };
  auto up = [test](unsigned cpu) { KUNIT_EXPECT_TRUE(test, cpu_up(cpu).has_value()); };
  down(3);
  SAYS(PART("a"), "root");
  SAYS(EFF("a"), "2");
  KUNIT_EXPECT_EQ(test, mask_of(in), 4ul);
  down(2);
  SAYS(PART("a"), "root invalid (No cpu available due to hotplug)");
  SAYS(EFF("a"), "0-1");
  SAYS(kRoot, "0-1");
  KUNIT_EXPECT_EQ(test, mask_of(in), 3ul);
  expect_domains(test, 0, 3, 3);
  up(2);
  SAYS(PART("a"), "root");
  SAYS(EFF("a"), "2");
  KUNIT_EXPECT_EQ(test, mask_of(in), 4ul);
  expect_domains(test, 2, 0, 4);
  up(3);
  SAYS(EFF("a"), "2-3");
  KUNIT_EXPECT_EQ(test, mask_of(in), 0xcul);
  expect_domains(test, 3, 0xc, 0xc);
  OK(cg_write_nr("/cg/cgroup.procs", in));
  down(2);
  down(3);
  SAYS(PART("a"), "root");
  KUNIT_EXPECT_STREQ(test, cg_read(EFF("a")), "\n");
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/cgroup.procs", in), long{-ENOSPC});
  up(2);
  up(3);
  expect_domains(test, 3, 0xc, 0xc);
  // One that would leave the rest nothing waits for a CPU.
  OK(cg_write(CPUS("b"), "0"));
  down(1);
  OK(cg_write(PART("b"), "root"));
  SAYS(PART("b"), "root invalid (Parent unable to distribute cpu downstream)");
  up(1);
  SAYS(PART("b"), "root");
  SAYS(kRoot, "1");
  end(test, in);
}

// ---- Deadline bandwidth ------------------------------------------------------------------------------------------------------

Errno set_deadline(pid_t pid, u64 percent) {
  constexpr u64 kMs = 1'000'000;
  const Result<void> r = __sched_setscheduler(
      TaskRef(pid).get(), {.policy = SCHED_DEADLINE, .runtime = percent * kMs, .deadline = 100 * kMs, .period = 100 * kMs}, SchedCaller::Kernel);
  return r ? Errno(0) : r.error();
}
int code(Errno e) { return e.code(); }
u64 admitted_on(unsigned cpu) { return cpu_rq(cpu)->rd->admitted.total; }
constexpr u64 share(u64 percent) { return (percent << 20) / 100; }
void end_all(kunit* test, std::span<const pid_t> pids) {
  for (pid_t pid : pids) end(test, pid);
  for (int i = 0; i < 1000 && dl_admitted_total(); i++) schedule_timeout_uninterruptible(1);  // until the 0-lag time
  KUNIT_EXPECT_EQ(test, dl_admitted_total(), 0ull);
}

// spec 32 D-2, D-3, D-4, 7.1: each root domain admits what it has room for; who moves is asked again
void bandwidth_is_the_root_domains(kunit* test) {
  SET_UP(test);
  OK(cg_write(CPUS("a"), "2-3"));
  OK(cg_write(PART("a"), "root"));
  pid_t p[6];
  for (pid_t& pid : p) pid = spawn(obey_signals);
  OK(cg_write_nr("/cg/a/cgroup.procs", p[0]));
  KUNIT_EXPECT_EQ(test, code(set_deadline(p[0], 50)), 0);
  for (int i = 1; i < 4; i++) KUNIT_EXPECT_EQ(test, code(set_deadline(p[i], 60)), 0);
  KUNIT_EXPECT_EQ(test, code(set_deadline(p[4], 60)), EBUSY);
  KUNIT_EXPECT_EQ(test, admitted_on(3), share(50));
  KUNIT_EXPECT_EQ(test, admitted_on(0), 3 * share(60));
  OK(cg_write_nr("/cg/a/cgroup.procs", p[1]));
  KUNIT_EXPECT_EQ(test, mask_of(p[1]), 0xcul);
  OK(cg_write_nr("/cg/a/cgroup.procs", p[2]));
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/a/cgroup.procs", p[3]), long{-EBUSY});
  KUNIT_EXPECT_EQ(test, mask_of(p[3]), 3ul);
  KUNIT_EXPECT_EQ(test, admitted_on(3), share(50) + 2 * share(60));
  KUNIT_EXPECT_EQ(test, admitted_on(0), share(60));
  // It needs its CPUs.
  KUNIT_EXPECT_EQ(test, cg_write(CPUS("a"), "2"), long{-EBUSY});
  SAYS(EFF("a"), "2-3");
  KUNIT_EXPECT_EQ(test, code(cpu_down(3).error()), EBUSY);
  const cpumask_t one = {{4}};
  KUNIT_EXPECT_EQ(test, code(set_cpus_allowed_ptr(TaskRef(p[1]).get(), &one).error()), EBUSY);
  // All are one again.
  OK(cg_write(PART("a"), "member"));
  KUNIT_EXPECT_EQ(test, admitted_on(0), share(50) + 3 * share(60));
  KUNIT_EXPECT_EQ(test, mask_of(p[1]), 0xcul);
  // Nobody asks the tasks of the root.
  KUNIT_EXPECT_EQ(test, code(set_deadline(p[4], 90)), 0);
  OK(cg_write(PART("a"), "root"));
  SAYS(PART("a"), "root");
  KUNIT_EXPECT_EQ(test, admitted_on(0), share(60) + share(90));
  KUNIT_EXPECT_EQ(test, mask_of(p[4]), 3ul);
  // Nothing is admitted where nobody balances.
  OK(cg_write(CPUS("b"), "1"));
  OK(cg_write(PART("b"), "isolated"));
  OK(cg_write_nr("/cg/b/cgroup.procs", p[5]));
  KUNIT_EXPECT_EQ(test, code(set_deadline(p[5], 10)), EPERM);
  KUNIT_EXPECT_EQ(test, cg_write_nr("/cg/b/cgroup.procs", p[4]), long{-EBUSY});
  end_all(test, p);
}

// spec 32 R-19, D-16: nobody is pushed into another root domain, whatever he may use
void urgent_ones_stay_in_theirs(kunit* test) {
  SET_UP(test);
  OK(cg_write(CPUS("a"), "2-3"));
  OK(cg_write(PART("a"), "root"));
  const pid_t pid = spawn(obey_signals);
  {
    const TaskRef t(pid);
    const cpumask_t all = {{0xf}};
    KUNIT_EXPECT_TRUE(test, set_cpus_allowed_ptr(t.get(), &all).has_value());
    KUNIT_EXPECT_TRUE(test, __sched_setscheduler(t.get(), {.policy = SCHED_FIFO, .rt_priority = 3}, SchedCaller::Kernel).has_value());
    PreemptGuard no_preemption;
    const int cpu = find_lowest_rq(t.get());
    KUNIT_EXPECT_TRUE(test, cpu < 0 || root_domain_of(static_cast<unsigned>(cpu)) >> task_cpu(t.get()) & 1);
  }
  end(test, pid);
}

// Without memory for the domains the file, and the tasks, have it all the same; the next change builds them.
void without_memory(kunit* test) {
  SET_UP(test);
  const pid_t in = spawn_in("/cg/a/cgroup.procs");
  OK(cg_write(CPUS("a"), "2-3"));
  for (long n = 1;; n++) {
    KUNIT_ASSERT_LT(test, n, 100l);
    bool fired;
    {
      FaultInjection inject(current, n);
      const long error = cg_write(PART("a"), "root");
      fired = inject.fired();
      KUNIT_EXPECT_TRUE_MSG(test, !error || fired, "acquisition %ld: %ld", n, error);
    }
    clear_tsk_thread_flag(current, TIF_SIGPENDING);
    OK(cg_write(PART("a"), "root"));  // unless the file itself could not be opened, nothing
    SAYS(PART("a"), "root");
    KUNIT_EXPECT_EQ(test, mask_of(in), 0xcul);
    OK(cg_write(PART("a"), "member"));
    expect_whole(test);
    if (!fired) break;
  }
  end(test, in);
}

kunit_case cases[] = {KUNIT_CASE(what_the_files_say),
                      KUNIT_CASE(siblings),
                      KUNIT_CASE(partitions_nest),
                      KUNIT_CASE(tasks_follow),
                      KUNIT_CASE(cpus_go_and_come),
                      KUNIT_CASE(bandwidth_is_the_root_domains),
                      KUNIT_CASE(urgent_ones_stay_in_theirs),
                      KUNIT_CASE(without_memory),
                      {}};
kunit_suite suite = {.name = "cpuset_partitions", .exit = tear_down, .test_cases = cases, .world = {.cpus = 4}};
kunit_test_suite(suite);

}  // namespace
