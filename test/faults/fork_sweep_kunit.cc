// Fork, in all its kinds, with each of its failable steps failing in turn: the right errno, and the parent as if nothing had been
// tried. Spec 20 F-50..F-53, F-55; section 11.
// SPDX-License-Identifier: Apache-2.0
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <uapi/linux/ptrace.h>
#include <uapi/linux/resource.h>
#include <uapi/linux/wait.h>

#include <utility>

#include "fs/vfs/vfs.hh"
#include "kernel/cred/ucounts.hh"
#include "kernel/cred/user_namespace.hh"
#include "kernel/exit/exit.hh"
#include "kernel/fork/clone_checks.hh"
#include "kernel/fork/copy_process.hh"
#include "kernel/fork/new_task.hh"
#include "test/cgroup/helpers.hh"
#include "test/faults/fork_action.hh"

extern "C" {
long sys_chroot(const pt_regs*);
long sys_setresuid(const pt_regs*);
long sys_ioprio_set(const pt_regs*);
long sys_ptrace(const pt_regs*);
long sys_wait4(const pt_regs*);
}

namespace {

using namespace faults;

// ---- The scenarios ---------------------------------------------------------------------------------------------------------

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
    {"IO of a parent with an I/O priority", CLONE_IO, By::Clone3, kIoPriority},
    {"nothing, of a parent with an I/O priority", 0, By::Fork, kIoPriority},
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
    {"set_tid in nested namespaces", 0, By::Clone3, kNested, SIGCHLD, 3},
    {"set_tid in nested namespaces, in the inner two", 0, By::Clone3, kNested, SIGCHLD, 2},
    {"set_tid in nested namespaces, pidfd", CLONE_PIDFD, By::Clone3, kNested, SIGCHLD, 3},
    {"set_tid of a thread in nested namespaces", kThread, By::Clone3, kNested, 0, 3},
    {"NEWPID in nested namespaces, set_tid 1", CLONE_NEWPID, By::Clone3, kNested, SIGCHLD, kInit},
    {"fork in nested namespaces", 0, By::Fork, kNested},
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

// Kinds of namespaces that are not there yet are passed over. spec 20 F-30: a new pid or user namespace goes with PARENT.
const ForkCase kNamespaceCases[] = {
    {"NEWUTS", CLONE_NEWUTS},
    {"NEWIPC", CLONE_NEWIPC},
    {"NEWNET", CLONE_NEWNET},
    {"NEWNS", CLONE_NEWNS},
    {"NEWPID", CLONE_NEWPID},
    {"NEWUSER", CLONE_NEWUSER},
    {"NEWCGROUP", CLONE_NEWCGROUP},
    {"NEWTIME", CLONE_NEWTIME},
    {"NEWPID, memory shared", CLONE_NEWPID | CLONE_VM | CLONE_VFORK},
    {"NEWPID|PARENT", CLONE_NEWPID | CLONE_PARENT, By::Clone3, kPlain, 0},
    {"NEWPID, pidfd", CLONE_NEWPID | CLONE_PIDFD},
    {"NEWPID, set_tid 1", CLONE_NEWPID, By::Clone3, kPlain, SIGCHLD, kInit},
    {"NEWUSER|NEWPID", CLONE_NEWUSER | CLONE_NEWPID},
    {"NEWUSER|PARENT", CLONE_NEWUSER | CLONE_PARENT, By::Clone3, kPlain, 0},
    {"NEWUTS|NEWNET", CLONE_NEWUTS | CLONE_NEWNET},
    {"NEWPID|NEWUTS|NEWNET|NEWUSER", CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWUSER},
    {"NEWNS|NEWPID", CLONE_NEWNS | CLONE_NEWPID},
    {"NEWIPC|NEWUTS", CLONE_NEWIPC | CLONE_NEWUTS},
    {"a container", CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET},
    {"a rootless container, pidfd", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_PIDFD},
    {"every namespace there is", CLONE_NEWUSER | (kCloneNewNamespaces & ~kCloneUnsupported)},
    {"every namespace there is, 200 files, 50 areas", CLONE_NEWUSER | (kCloneNewNamespaces & ~kCloneUnsupported), By::Clone3, kManyFiles | kManyAreas},
};

// The tracer asked for the events of fork, vfork and clone: it gets the child too.
const ForkCase kTracedCases[] = {
    {"fork of a tracee", 0, By::Fork, kTraced},
    {"vfork of a tracee", 0, By::Vfork, kTraced},
    {"clone of a tracee", 0, By::Clone3, kTraced, SIGURG},
    {"clone of a tracee, PTRACE", CLONE_PTRACE | CLONE_PIDFD, By::Clone3, kTraced},
    {"clone of a tracee, UNTRACED", CLONE_UNTRACED, By::Clone3, kTraced},
    {"thread of a tracee", kPthread, By::Clone3, kTraced, 0},
};

// Into a cgroup below the parent's, and of a parent that is in one with pids.max.
const ForkCase kCgroupCases[] = {
    {"INTO_CGROUP", CLONE_INTO_CGROUP},
    {"INTO_CGROUP, vfork, pidfd", CLONE_INTO_CGROUP | CLONE_VM | CLONE_VFORK | CLONE_PIDFD},
    {"INTO_CGROUP, namespaces", CLONE_INTO_CGROUP | CLONE_NEWPID | CLONE_NEWUTS},
    {"in a limited cgroup", 0, By::Fork, kInCgroup},
    {"in a limited cgroup, thread", kPthread, By::Clone3, kInCgroup, 0},
};

const ForkCase kKernelCases[] = {
    {"kernel_thread", CLONE_FS | CLONE_FILES, By::KernelThread},
    {"kernel_thread with its own files", 0, By::KernelThread},
    {"kernel_thread with shared handlers", CLONE_FS | CLONE_FILES | CLONE_SIGHAND, By::KernelThread},
    {"user_mode_thread", 0, By::UserModeThread},
    {"user_mode_thread with shared files", CLONE_FS | CLONE_FILES, By::UserModeThread},
};

// ---- Forks that cannot succeed: each stage's own errno, with all that was acquired before it, and each of those steps failing too -----

template <class T>
T saved;  // one circumstance at a time

constexpr Circumstance kNoMoreTasks = {[] { saved<int> = std::exchange(max_threads, nr_threads); }, [] { max_threads = saved<int>; }};
template <int kLimit>
constexpr Circumstance kLimitReached = {
    [] { saved<u64> = std::exchange(current->signal->rlim[kLimit].rlim_cur, 0); }, [] { current->signal->rlim[kLimit].rlim_cur = saved<u64>; }};
template <ucount_type kType>
constexpr Circumstance kNoMoreOf = {[] { saved<int> = std::exchange(init_user_ns.ucount_max[kType], 0); },
                                    [] { init_user_ns.ucount_max[kType] = saved<int>; }};
constexpr Circumstance kExecsMeanwhile = {[] { current->fs->in_exec = 1; }, [] { current->fs->in_exec = 0; }};
constexpr Circumstance kCgroupIsFull = {[] { cg_write("/cg/child/pids.max", "0"); }, [] { cg_write("/cg/child/pids.max", "2"); }};

constexpr u64 kContainer = CLONE_NEWUSER | (kCloneNewNamespaces & ~kCloneUnsupported);
const ForkCase kRefused[] = {
    {.name = "TLS beyond user memory", .flags = CLONE_SETTLS | CLONE_PIDFD, .refused = EPERM, .tls = 1ul << 63},
    {.name = "pidfd to nowhere", .flags = CLONE_PIDFD, .refused = EFAULT, .pidfd = 0x10000},
    {.name = "pidfd to nowhere, of all there is", .flags = CLONE_PIDFD | kContainer, .parent = kManyFiles | kManyAreas, .refused = EFAULT, .pidfd = 0x10000},
    {.name = "pidfd beyond the limit", .flags = CLONE_PIDFD, .refused = EMFILE, .when = &kLimitReached<RLIMIT_NOFILE>},
    {.name = "set_tid that is taken", .flags = CLONE_PIDFD, .set_tid = 1, .refused = EEXIST, .first_tid = 0},
    {.name = "set_tid that is taken in the outermost of three", .flags = 0, .parent = kNested, .set_tid = 3, .refused = EEXIST, .first_tid = 0},
    {.name = "set_tid that is too large", .flags = 0, .set_tid = 1, .refused = EINVAL, .first_tid = 1 << 22},
    {.name = "set_tid for more namespaces than there are", .flags = 0, .set_tid = 2, .refused = EINVAL},
    {.name = "set_tid without power", .flags = 0, .parent = kUnprivileged, .set_tid = 1, .refused = EPERM},
    {.name = "too many processes", .flags = 0, .by = By::Fork, .parent = kUnprivileged, .refused = EAGAIN, .when = &kLimitReached<RLIMIT_NPROC>},
    {.name = "too many threads", .flags = kPthread, .parent = kUnprivileged, .exit_signal = 0, .refused = EAGAIN, .when = &kLimitReached<RLIMIT_NPROC>},
    {.name = "too many tasks", .flags = 0, .by = By::Vfork, .refused = EAGAIN, .when = &kNoMoreTasks},
    {.name = "FS while a thread executes", .flags = CLONE_FS, .refused = EAGAIN, .when = &kExecsMeanwhile},
    {.name = "namespaces without power", .flags = CLONE_NEWUTS | CLONE_NEWPID, .parent = kUnprivileged, .refused = EPERM},
    {.name = "NEWUSER from a chroot", .flags = CLONE_NEWUSER | CLONE_NEWUTS, .parent = kChrooted, .refused = EPERM},
    {.name = "too many user namespaces", .flags = kContainer, .refused = ENOSPC, .when = &kNoMoreOf<UCOUNT_USER_NAMESPACES>},
    {.name = "too many mount namespaces", .flags = kContainer, .refused = ENOSPC, .when = &kNoMoreOf<UCOUNT_MNT_NAMESPACES>},
    {.name = "too many UTS namespaces", .flags = kContainer, .refused = ENOSPC, .when = &kNoMoreOf<UCOUNT_UTS_NAMESPACES>},
    {.name = "too many pid namespaces", .flags = kContainer, .refused = ENOSPC, .when = &kNoMoreOf<UCOUNT_PID_NAMESPACES>},
    {.name = "too many cgroup namespaces", .flags = kContainer, .refused = ENOSPC, .when = &kNoMoreOf<UCOUNT_CGROUP_NAMESPACES>},
    {.name = "too many net namespaces", .flags = kContainer, .refused = ENOSPC, .when = &kNoMoreOf<UCOUNT_NET_NAMESPACES>},
    {.name = "too many time namespaces", .flags = kContainer, .refused = ENOSPC, .when = &kNoMoreOf<UCOUNT_TIME_NAMESPACES>},
};
const ForkCase kRefusedByCgroups[] = {
    {.name = "a full cgroup", .flags = CLONE_PIDFD, .parent = kInCgroup, .refused = EAGAIN, .when = &kCgroupIsFull},
    {.name = "into a full cgroup", .flags = CLONE_INTO_CGROUP | kContainer, .refused = EAGAIN, .when = &kCgroupIsFull},
    {.name = "into what is no cgroup", .flags = CLONE_INTO_CGROUP | CLONE_PIDFD, .parent = kNoCgroup, .refused = EBADF},
    {.name = "into a cgroup that is gone", .flags = CLONE_INTO_CGROUP | CLONE_PIDFD, .parent = kDeadCgroup, .refused = ENOENT},
};

// ---- One scenario ------------------------------------------------------------------------------------------------------------

struct Run {
  kunit* test;
  const ForkCase* one;
  Catalogue* catalogue;
  SweepResult result;
  completion* traced = nullptr;
};

int sleeping_thread(void* stop) {
  wait_for_completion(static_cast<completion*>(stop));
  do_exit(0);  // it has no program to return to
}

// ---- The tracer ----

struct Tracer {
  pid_t tracee;
  long error;
  completion attached;
};

// Seizes the parent with all of fork's events, and lets each stop go on; ends with its last tracee.
int trace(void* p) {
  auto* tracer = static_cast<Tracer*>(p);
  constexpr unsigned long kOptions = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORKDONE;
  tracer->error = faults::call(sys_ptrace, PTRACE_SEIZE, tracer->tracee, 0, kOptions);
  complete(&tracer->attached);
  for (;;) {
    const long nr = faults::call(sys_wait4, -1, kArgs, __WALL, 0);
    if (nr < 0) return nr == -ECHILD ? 0 : 1;
    if ((peek<int>(kArgs) & 0xff) == 0x7f) faults::call(sys_ptrace, PTRACE_CONT, nr, 0, 0);
  }
}

// The parent is made what the scenario says, and swept.
int sweep_parent(void* p) {
  auto* run = static_cast<Run*>(p);
  const ForkCase& c = *run->one;
  completion stop;
  init_completion(&stop);
  if (c.parent & kTraced) wait_for_completion(run->traced);
  if (c.parent & kManyAreas) KUNIT_EXPECT_EQ(run->test, map_many_areas(), 0l);
  if (c.parent & kManyFiles) KUNIT_EXPECT_EQ(run->test, open_many_files(), 0l);
  if (c.parent & kThreaded) KUNIT_EXPECT_GT(run->test, user_mode_thread(sleeping_thread, &stop, kThread), 0);
  if (c.parent & kIoPriority) KUNIT_EXPECT_EQ(run->test, faults::call(sys_ioprio_set, 1, 0, 2 << 13 | 4), 0l);
  int cgroup_fd = -1;
  if (c.parent & kChrooted) {
    write_user(kName, "/jail", 6);
    KUNIT_EXPECT_EQ(run->test, faults::call(sys_chroot, kName), 0l);
  }
  if (c.parent & kUnprivileged) KUNIT_EXPECT_EQ(run->test, faults::call(sys_setresuid, 1000, 1000, 1000), 0l);
  if (c.flags & CLONE_INTO_CGROUP) {
    if (c.parent & kDeadCgroup) cg_mkdir("/cg/dead");
    auto f = filp_open(c.parent & kNoCgroup ? "/" : c.parent & kDeadCgroup ? "/cg/dead" : "/cg/child", O_RDONLY | O_DIRECTORY, 0);
    if (c.parent & kDeadCgroup) cg_rmdir("/cg/dead");
    if (f) cgroup_fd = get_unused_fd_flags(0), fd_install(static_cast<unsigned>(cgroup_fd), *f);
    KUNIT_EXPECT_GE(run->test, cgroup_fd, 0);
  }
  if (c.parent & kInCgroup) KUNIT_EXPECT_EQ(run->test, cg_write_nr("/cg/child/cgroup.procs", current->tgid), 0l);
  {
    ForkAction action(c, cgroup_fd);
    if (c.parent & kNoSpareFd)
      while (f_dupfd(0, FileRef(fget(0)).get(), 0) < static_cast<int>(NR_OPEN_DEFAULT) - 1) {}
    run->result = sweep(run->test, c.name, action, run->catalogue);
  }
  complete_all(&stop);
  wait_until_alone();
  return 0;
}

void sweep_case(kunit* test, const ForkCase& c, Catalogue* catalogue) {
  if (c.flags & kCloneUnsupported) return kunit_info(test, "%s: not there", c.name);
  Run run{test, &c, catalogue, {}};
  Process parent, tracing;
  Tracer tracer{};
  init_completion(&tracer.attached);
  run.traced = &tracer.attached;
  parent.start(test, sweep_parent, &run, c.parent & kNested ? 2 : 0);
  tracer.tracee = parent.nr();
  if (c.parent & kTraced) tracing.start(test, trace, &tracer);
  parent.join();
  if (c.parent & kTraced) tracing.join();
  KUNIT_EXPECT_EQ(test, tracer.error, 0l);
  kunit_info(test, "%s: %ld steps failed, %ld refused, %ld done without", c.name, run.result.steps, run.result.refused, run.result.survived);
  KUNIT_EXPECT_GT(test, run.result.steps, 3l);
}

template <size_t N>
void sweep_all(kunit* test, const ForkCase (&cases)[N]) {
  Catalogue catalogue;
  for (const ForkCase& c : cases) sweep_case(test, c, &catalogue);
  catalogue.print(test);
  kunit_info(test, "visited %lu failure points, %u different steps", catalogue.visits(), catalogue.size());
}

void flags_alone(kunit* test) { sweep_all(test, kFlagsAlone); }
void combinations(kunit* test) { sweep_all(test, kCombinations); }
void namespaces(kunit* test) { sweep_all(test, kNamespaceCases); }
// Nothing stays charged, whatever failed.
void cgroups(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  KUNIT_ASSERT_EQ(test, cg_write("/cg/cgroup.subtree_control", "+pids"), 0l);
  KUNIT_ASSERT_EQ(test, cg_mkdir("/cg/child"), 0l);
  KUNIT_ASSERT_EQ(test, cg_write("/cg/child/pids.max", "2"), 0l);
  sweep_all(test, kCgroupCases);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/child/pids.current"), "0\n");
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/child/pids.events"), "max 0\n");
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/child"), 0l);
}
void refused(kunit* test) {
  KUNIT_ASSERT_TRUE(test, init_mkdir("/jail", 0755).has_value());
  sweep_all(test, kRefused);
}
void refused_by_cgroups(kunit* test) {
  KUNIT_ASSERT_TRUE(test, mount_cgroup2());
  KUNIT_ASSERT_EQ(test, cg_write("/cg/cgroup.subtree_control", "+pids"), 0l);
  KUNIT_ASSERT_EQ(test, cg_mkdir("/cg/child"), 0l);
  KUNIT_ASSERT_EQ(test, cg_write("/cg/child/pids.max", "2"), 0l);
  sweep_all(test, kRefusedByCgroups);
  KUNIT_EXPECT_STREQ(test, cg_read("/cg/child/pids.current"), "0\n");
  KUNIT_EXPECT_EQ(test, cg_rmdir("/cg/child"), 0l);
}
void tracees(kunit* test) { sweep_all(test, kTracedCases); }
void kernel_threads(kunit* test) { sweep_all(test, kKernelCases); }

// ---- The catalogue -------------------------------------------------------------------------------------------------------------

int count_parent(void* p) {
  auto* run = static_cast<Run*>(p);
  const ForkCase& c = *run->one;
  if (c.parent & kManyAreas) map_many_areas();
  if (c.parent & kManyFiles) open_many_files();
  if (c.parent & kIoPriority) faults::call(sys_ioprio_set, 1, 0, 2 << 13 | 4);
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
    if (c.parent & (kThreaded | kTraced | kNested) || c.flags & kCloneUnsupported) return;
    Run run{test, &c, &catalogue, {}};
    run_parent(test, count_parent, &run);
  };
  for (const ForkCase& c : kFlagsAlone) count(c);
  for (const ForkCase& c : kCombinations) count(c);
  for (const ForkCase& c : kKernelCases) count(c);
  for (const ForkCase& c : kNamespaceCases) count(c);
  catalogue.print(test);
  kunit_info(test, "%u different failable steps, visited %lu times", catalogue.size(), catalogue.visits());
  auto check = [&](const char* id) {
    KUNIT_EXPECT_TRUE_MSG(test, knows_stage(id), "stage %s is new: say what it may answer", id);
    if (stage_can_fail(id)) KUNIT_EXPECT_TRUE_MSG(test, catalogue.visited(id), "no failable step of stage %s was visited", id);
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
    KUNIT_CASE(flags_alone), KUNIT_CASE(combinations), KUNIT_CASE(kernel_threads), KUNIT_CASE(namespaces), KUNIT_CASE(tracees), KUNIT_CASE(cgroups), KUNIT_CASE(refused), KUNIT_CASE(refused_by_cgroups), KUNIT_CASE(every_stage_has_a_failable_step),
    KUNIT_CASE(checks_acquire_nothing), {},
};
kunit_suite suite = {.name = "fork_sweep", .test_cases = cases, .world = {.memory_mb = 128, .deterministic = "the same steps must come again at each try"}};
kunit_test_suite(suite);

}  // namespace
